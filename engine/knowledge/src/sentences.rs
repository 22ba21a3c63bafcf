//! Where sentences end: for cutting passages and for quoting them.
//! Invariant: the pieces are slices of the text, in order, and leave out white space only.

/// Short forms whose dot ends no sentence, in small letters, without the dot.
const ABBREVIATIONS: &[&str] = &[
    "e.g", "i.e", "etc", "vs", "cf", "mr", "mrs", "ms", "dr", "prof", "approx", "incl", "excl", "pp", "z.b", "d.h",
    "u.a", "bzw", "ca", "evtl", "ggf", "inkl", "str", "tel", "sr", "sra", "ud", "ej",
];
/// Words that are short forms before a number only.
const BEFORE_NUMBERS: &[&str] = &["no", "nr", "núm", "fig", "art", "p", "max", "min"];
/// Months as they stand behind the dot of a day: `24. Dezember`.
const MONTHS: &[&str] = &[
    "Januar",
    "Jänner",
    "Februar",
    "Feber",
    "März",
    "April",
    "Mai",
    "Juni",
    "Juli",
    "August",
    "September",
    "Oktober",
    "November",
    "Dezember",
];

/// The sentences of a text, trimmed, none of them empty.
pub(super) fn sentences(text: &str) -> Vec<&str> {
    let mut found = Vec::new();
    let mut from = 0;
    let mut chars = text.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        let end = match c {
            '\n' => Some(at),
            '。' | '！' | '？' => Some(at + c.len_utf8()),
            '.' | '!' | '?' | '…' => {
                let mut end = at + c.len_utf8();
                while let Some(&(next_at, next)) = chars.peek() {
                    if !matches!(next, '.' | '!' | '?' | '"' | '\'' | '”' | '’' | ')' | ']' | '»' | '`') {
                        break;
                    }
                    end = next_at + next.len_utf8();
                    chars.next();
                }
                let rest = &text[end..];
                let breaks = rest.is_empty() || rest.starts_with(char::is_whitespace);
                (breaks && !goes_on(rest) && !(c == '.' && is_abbreviation(&text[from..at], rest))).then_some(end)
            }
            _ => None,
        };
        if let Some(end) = end {
            push(&text[from..end], &mut found);
            from = end;
        }
    }
    push(&text[from..], &mut found);
    found
}

fn push<'a>(piece: &'a str, found: &mut Vec<&'a str>) {
    let piece = piece.trim();
    if !piece.is_empty() {
        found.push(piece);
    }
}

/// A small letter after the dot: the sentence is not over.
fn goes_on(rest: &str) -> bool {
    rest.trim_start().starts_with(char::is_lowercase) && !rest.starts_with('\n')
}

/// Whether what stands before a dot is a short form, an initial or a list number.
fn is_abbreviation(before: &str, rest: &str) -> bool {
    // Only the last few characters matter; a text without spaces must not be read again for every dot.
    let word = before.char_indices().rev().take(12).take_while(|(_, c)| !c.is_whitespace()).last();
    let word = word.map_or("", |(at, _)| &before[at..]).trim_start_matches(['(', '[', '"', '“', '„', '«']);
    let mut chars = word.chars();
    let single = matches!((chars.next(), chars.next()), (Some(c), None) if c.is_uppercase());
    // Digits first: white space before a sentence must not be looked through again for every dot in it.
    let number_alone = !word.is_empty() && word.bytes().all(|b| b.is_ascii_digit()) && word == before.trim();
    // The day of a date, not the end of what was said before it.
    let is_day = (1..=2).contains(&word.len())
        && word.bytes().all(|b| b.is_ascii_digit())
        && MONTHS.iter().any(|month| rest.trim_start().starts_with(month));
    let word = word.to_lowercase();
    let counts = rest.trim_start().starts_with(|c: char| c.is_ascii_digit()) && BEFORE_NUMBERS.contains(&word.as_str());
    single || number_alone || is_day || counts || ABBREVIATIONS.contains(&word.as_str())
}

#[cfg(test)]
mod tests {
    use super::sentences;

    #[test]
    fn sentences_end_where_readers_think_so() {
        for (text, expected) in [
            ("", &[] as &[&str]),
            ("One. Two! Three?", &["One.", "Two!", "Three?"]),
            ("See e.g. the list. Then go.", &["See e.g. the list.", "Then go."]),
            ("It costs 3.50 euros. Pay at once.", &["It costs 3.50 euros.", "Pay at once."]),
            ("Mr. Poe said \"no.\" He left.", &["Mr. Poe said \"no.\"", "He left."]),
            ("1. Open it\n2. Close it", &["1. Open it", "2. Close it"]),
            ("Wait... and see. J. Doe", &["Wait... and see.", "J. Doe"]),
            ("¿Qué es? Nada.", &["¿Qué es?", "Nada."]),
            ("今日は。明日も。", &["今日は。", "明日も。"]),
            ("The answer is no. See No. 5 below.", &["The answer is no.", "See No. 5 below."]),
            ("no end", &["no end"]),
            ("Zu am 24. Dezember. Offen ab 2. Januar.", &["Zu am 24. Dezember.", "Offen ab 2. Januar."]),
            ("It costs 24. Then go.", &["It costs 24.", "Then go."]),
        ] {
            assert_eq!(sentences(text), expected, "{text}");
        }
    }
}
