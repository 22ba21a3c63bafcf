//! The order of letters: a page shows Hebrew and Arabic from right to left, a text has them as they are read.
//! Numbers and other scripts within keep their own order.

use unicode_bidi::{BidiInfo, Level};
use unicode_normalization::UnicodeNormalization;

/// Whether a letter is of a script that is written from right to left.
pub(super) fn is_leftward(c: char) -> bool {
    matches!(c, '\u{5be}'..='\u{8ff}' | '\u{fb1d}'..='\u{fdff}' | '\u{fe70}'..='\u{fefc}' | '\u{10800}'..='\u{10fff}'
        | '\u{1e800}'..='\u{1efff}')
        && !matches!(c, '\u{660}'..='\u{66c}' | '\u{6f0}'..='\u{6f9}')
}

/// Whether it is a vowel sign or another mark over or under a letter of these scripts.
pub(super) fn is_leftward_mark(c: char) -> bool {
    matches!(c, '\u{591}'..='\u{5bd}' | '\u{5bf}' | '\u{5c1}' | '\u{5c2}' | '\u{5c4}' | '\u{5c5}' | '\u{5c7}'
        | '\u{610}'..='\u{61a}' | '\u{64b}'..='\u{65f}' | '\u{670}' | '\u{6d6}'..='\u{6dc}')
}

/// Whether most of the words' letters are of such scripts.
pub(super) fn runs_leftward<'a>(words: impl Iterator<Item = &'a str>) -> bool {
    let mut leftward = 0usize;
    let mut letters = 0usize;
    for c in words.flat_map(str::chars).filter(|c| c.is_alphabetic()) {
        letters += 1;
        leftward += usize::from(is_leftward(c));
    }
    leftward > 0 && leftward * 2 >= letters
}

/// A line's words as they are read, from how they stand on a page from left to right.
pub(super) fn as_read(shown: &str, page_runs_leftward: bool) -> String {
    if !shown.chars().any(is_leftward) {
        return plain(shown);
    }
    let is_leftward_line = page_runs_leftward || runs_leftward(std::iter::once(shown));
    // The rules turn what is read into what is shown, and by the same turns back.
    let base = if is_leftward_line { Level::rtl() } else { Level::ltr() };
    let info = BidiInfo::new(shown, Some(base));
    let mut read = String::with_capacity(shown.len());
    for paragraph in &info.paragraphs {
        let (levels, runs) = info.visual_runs(paragraph, paragraph.range.clone());
        for run in runs {
            match (levels.get(run.start), shown.get(run)) {
                (Some(level), Some(words)) if level.is_rtl() => read.extend(words.chars().rev().map(mirrored)),
                (_, words) => read.push_str(words.unwrap_or_default()),
            }
        }
    }
    plain(&read)
}

/// Letters instead of their shapes and of those drawn as one: `fi`, and Arabic by its place in the word.
fn plain(words: &str) -> String {
    let is_shape = |c: char| {
        matches!(c, '\u{fb00}'..='\u{fb06}' | '\u{fb13}'..='\u{fb4f}' | '\u{fb50}'..='\u{fdff}'
        | '\u{fe70}'..='\u{fefc}')
    };
    if !words.contains(is_shape) {
        return words.to_owned();
    }
    let mut plain = String::with_capacity(words.len());
    for c in words.chars() {
        if is_shape(c) { plain.extend(std::iter::once(c).nfkc()) } else { plain.push(c) }
    }
    plain
}

/// A bracket that opens where words run to the right closes where they run to the left.
fn mirrored(c: char) -> char {
    const PAIRS: [(char, char); 6] = [('(', ')'), ('[', ']'), ('{', '}'), ('<', '>'), ('«', '»'), ('‹', '›')];
    let other = |&(a, b): &(char, char)| if c == a { Some(b) } else { (c == b).then_some(a) };
    PAIRS.iter().find_map(other).unwrap_or(c)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_read_as_they_were_written() {
        for (shown, page, read) in [
            (".םילקש 25 הלוע חולשמה", true, "המשלוח עולה 25 שקלים."),
            (".2026-ב (מ\"עמ ללוכ) םילקש 25", true, "25 שקלים (כולל מע\"מ) ב-2026."),
            ("12.50 €", true, "12.50 €"),
            ("14:00-16:00 תועשב", false, "בשעות 14:00-16:00"),
            ("Wi-Fi (2.4 GHz) שי", true, "יש Wi-Fi (2.4 GHz)"),
            // One word in another language does not turn the sentence.
            ("Say םולש to us, please.", false, "Say שלום to us, please."),
            ("ﺔﻨﻳﺪﻤﻟا ﻞﺧاد ﻻﺎﻳر 25 ﻞﻴﺻﻮﺘﻟا", true, "التوصيل 25 ريالا داخل المدينة"),
            ("ﺭﺎﻌﺳﻷا", false, "الأسعار"),
            ("oﬃce, ﬁrst x²", false, "office, first x²"),
            ("", true, ""),
        ] {
            assert_eq!(as_read(shown, page), read, "{shown}");
        }
    }

    #[test]
    fn most_letters_say_how_a_page_runs() {
        for (words, leftward) in [("המשלוח free", true), ("We say שלום", false), ("12 €", false), ("٢٥", false)]
        {
            assert_eq!(runs_leftward(std::iter::once(words)), leftward, "{words}");
        }
    }
}
