//! Names that people read: one spelling for each, in characters that can all be seen.
//! Invariant: what [`visible`] gives, it gives again unchanged.

use unicode_normalization::UnicodeNormalization;
use unicode_properties::{GeneralCategory, GeneralCategoryGroup, UnicodeGeneralCategory};

/// Why something is no name that people can read and tell apart.
#[derive(Clone, Copy, Debug, thiserror::Error, PartialEq, Eq)]
pub enum VisibleError {
    #[error("it has nothing that can be seen: write at least one letter, digit or sign")]
    Blank,
    #[error("it is longer than {0} characters")]
    TooLong(usize),
    #[error("it has a character that cannot be seen, U+{code:04X}: leave that out", code = u32::from(*.0))]
    Hidden(char),
}

/// The one spelling of a name: composed (NFC), without blanks around it, each blank a plain one, and without the signs
/// that only choose between two looks of the sign before them.
///
/// # Errors
/// What is wrong with it, if its readers could not tell it from another one.
pub fn visible(written: &str, chars_max: usize) -> Result<String, VisibleError> {
    // A sequence in its longest spelling has no more than eighteen characters for each composed one.
    if written.len() > chars_max * 4 * 18 {
        return Err(VisibleError::TooLong(chars_max));
    }
    let plain = written.nfc().filter(|c| !is_look(*c)).map(|c| if is_like_a_blank(c) { ' ' } else { c });
    // Without what stood between them, two may compose.
    let name: String = plain.nfc().collect();
    let mut name = name.trim().to_owned();
    // A page shows any number of blanks as one.
    let mut was_blank = false;
    name.retain(|c| !(std::mem::replace(&mut was_blank, c == ' ') && c == ' '));
    let mut before = None;
    let mut rest = name.chars().peekable();
    while let Some(c) = rest.next() {
        if is_hidden(c) && !joins(before, c, rest.peek().copied()) {
            return Err(VisibleError::Hidden(c));
        }
        before = Some(c);
    }
    if !name.chars().any(is_seen) {
        return Err(VisibleError::Blank);
    }
    if name.chars().count() > chars_max { Err(VisibleError::TooLong(chars_max)) } else { Ok(name) }
}

/// Whether a character shows nothing by itself: it joins, turns or colours what stands beside it, or fills
/// room. Neither white space nor control characters are meant.
#[must_use]
pub const fn is_invisible(c: char) -> bool {
    matches!(
        c,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{3164}' | '\u{ffa0}'
            | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
            | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{fff0}'..='\u{fffb}' | '\u{e0000}'..='\u{e0fff}'
    )
}

/// Whether a character shows nothing by itself, or nobody knows what it shows.
fn is_hidden(c: char) -> bool {
    use GeneralCategory::{Control, Format, LineSeparator, ParagraphSeparator, PrivateUse, Surrogate, Unassigned};
    let category = c.general_category();
    matches!(
        category,
        Control | Format | LineSeparator | ParagraphSeparator | PrivateUse | Surrogate | Unassigned
    ) || is_invisible(c)
        // The Braille pattern without a dot.
        || c == '\u{2800}'
}

/// Persian, the languages of India and signs such as a woman at a computer are written with joiners, which show
/// themselves in what stands on both sides of them.
fn joins(before: Option<char>, c: char, after: Option<char>) -> bool {
    let (Some(before), Some(after)) = (before, after) else { return false };
    let is_joined = |c: char| {
        matches!(c, '\u{600}'..='\u{fff}' | '\u{1780}'..='\u{17ff}')
            && matches!(c.general_category_group(), GeneralCategoryGroup::Letter | GeneralCategoryGroup::Mark)
    };
    let is_sign = |c: char| matches!(c, '\u{2190}'..='\u{2bff}' | '\u{1f000}'..='\u{1faff}');
    match c {
        '\u{200c}' => is_joined(before) && is_joined(after),
        '\u{200d}' => (is_joined(before) && is_joined(after)) || (is_sign(before) && is_sign(after)),
        _ => false,
    }
}

/// Signs that choose between the looks of the one before them.
const fn is_look(c: char) -> bool {
    matches!(c, '\u{fe0e}' | '\u{fe0f}')
}

/// Blanks that nobody can tell from a plain one. The ideographic one is wider.
const fn is_like_a_blank(c: char) -> bool {
    matches!(c, '\u{a0}' | '\u{1680}' | '\u{2000}'..='\u{200a}' | '\u{202f}' | '\u{205f}')
}

/// Marks and blanks are seen by what stands beside them only.
fn is_seen(c: char) -> bool {
    !is_hidden(c) && !matches!(c.general_category_group(), GeneralCategoryGroup::Mark | GeneralCategoryGroup::Separator)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_has_one_spelling_that_can_be_seen() {
        let (eight, nine) = ("é".repeat(8), "e\u{301}".repeat(9));
        let hidden = |c| Err(VisibleError::Hidden(c));
        for (written, found) in [
            ("Ana", Ok("Ana")),
            ("  Ana\u{a0}M. ", Ok("Ana M.")),
            ("Ana  \u{a0} M.", Ok("Ana M.")),
            ("Jose\u{301}", Ok("José")),
            ("e\u{fe0f}\u{301}", Ok("é")),
            ("山田\u{3000}太郎", Ok("山田\u{3000}太郎")),
            ("علی\u{200c}رضا", Ok("علی\u{200c}رضا")),
            ("❤\u{fe0f}", Ok("❤")),
            ("👩\u{200d}💻", Ok("👩\u{200d}💻")),
            ("محمد", Ok("محمد")),
            ("An\u{200d}a", hidden('\u{200d}')),
            ("An\u{200b}a", hidden('\u{200b}')),
            ("Ana\u{feff}", hidden('\u{feff}')),
            ("\u{202e}anA", hidden('\u{202e}')),
            ("A\u{2066}na", hidden('\u{2066}')),
            ("A\nna", hidden('\n')),
            ("\u{3164}", hidden('\u{3164}')),
            ("\u{2800}", hidden('\u{2800}')),
            ("Ana\u{378}", hidden('\u{378}')),
            ("Ana\u{e000}", hidden('\u{e000}')),
            ("Ana\u{2028}B", hidden('\u{2028}')),
            ("Ana\u{e0041}", hidden('\u{e0041}')),
            ("", Err(VisibleError::Blank)),
            (" \u{2003}\t", Err(VisibleError::Blank)),
            ("\u{301}", Err(VisibleError::Blank)),
            (&eight, Ok(&eight)),
            (&"e\u{301}".repeat(8), Ok(&eight)),
            (&nine, Err(VisibleError::TooLong(8))),
            (&"a".repeat(1_000), Err(VisibleError::TooLong(8))),
        ] {
            let read = visible(written, 8);
            assert_eq!(read.as_deref(), found.as_ref().map(|name| &**name), "{written:?}");
            if let Ok(name) = read {
                assert_eq!(visible(&name, 8).as_ref(), Ok(&name));
            }
        }
        assert!(VisibleError::Hidden('\u{200b}').to_string().contains("U+200B"));
    }
}
