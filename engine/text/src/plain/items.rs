//! Items of lists in plain text: what stands before them, and how deep they stand.

/// What stands before an item's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Marker<'a> {
    Bullet,
    /// `1.`, `08.` or `1)`, and what it counts as.
    Number(&'a str, u64),
    /// `(a)`, `ii)`, `1.1`, `✗` and the like, kept as words.
    Label(&'a str),
}

const BULLETS: &[char] = &[
    '-', '*', '+', '•', '–', '—', '‣', '◦', '▪', '●', '○', '■', '□', '·', '∙', '»', '➢', '➤', '❖', '♦', '\u{f0b7}',
    '\u{f0a7}', '\u{f0d8}',
];

/// Bullets that say something of their words.
const SIGNS: &[char] = &['→', '✓', '✔', '✗', '✘', '✅', '❌'];

/// The marker and the words of an item.
pub(super) fn item(text: &str) -> Option<(Marker<'_>, &str)> {
    let bulleted = bullet(text).map(|words| (Marker::Bullet, words));
    bulleted.or_else(|| sign(text)).or_else(|| number(text)).or_else(|| label(text))
}

/// `✓ words` and `✗ words`.
fn sign(text: &str) -> Option<(Marker<'_>, &str)> {
    let rest = text.strip_prefix(SIGNS)?;
    let words = rest.trim_start_matches('\u{fe0f}').trim_start();
    (!words.is_empty()).then(|| (Marker::Label(text[..text.len() - words.len()].trim_end()), words))
}

/// The words after a bullet.
pub(super) fn bullet(text: &str) -> Option<&str> {
    let mut chars = text.chars();
    let first = chars.next()?;
    let rest = chars.as_str();
    let words = rest.trim_start();
    let is_apart = words.len() < rest.len();
    // `+ 34 600 123 456` is a telephone number.
    if words.is_empty() || (first == '+' && words.starts_with(|c: char| c.is_ascii_digit())) {
        return None;
    }
    match first {
        'o' | 'O' if is_apart && words.starts_with(char::is_uppercase) && first == 'o' => Some(words),
        // Drawn ones are often glued to their words.
        c if BULLETS.contains(&c) && (is_apart || !matches!(c, '-' | '*' | '+' | '–' | '—' | '·' | '»')) => {
            Some(words)
        }
        _ => None,
    }
}

/// `1. words` and `1) words`.
fn number(text: &str) -> Option<(Marker<'_>, &str)> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    if digits == 0 || digits > 3 {
        return None;
    }
    let rest = text[digits..].strip_prefix(['.', ')'])?;
    let words = rest.trim_start();
    let marker = Marker::Number(&text[..=digits], text[..digits].parse().ok()?);
    (words.len() < rest.len() && !words.is_empty()).then_some((marker, words))
}

/// `(a) words`, `a) words`, `(ii) words`, `(1) words`, `ii. words`.
fn label(text: &str) -> Option<(Marker<'_>, &str)> {
    let inner = text.strip_prefix('(').or_else(|| text.strip_prefix('[')).unwrap_or(text);
    let opened = text.len() - inner.len();
    let length = inner.bytes().take_while(u8::is_ascii_alphanumeric).take(5).count();
    let name = inner.get(..length)?;
    let closer = inner[length..].chars().next()?;
    let is_roman = name.bytes().all(|b| b"ivxl".contains(&b));
    let is_letter =
        length == 1 && name.bytes().all(|b| b.is_ascii_lowercase() || (opened > 0 && b.is_ascii_uppercase()));
    let is_twice =
        length == 2 && name.bytes().all(|b| b.is_ascii_lowercase()) && name.as_bytes()[0] == name.as_bytes()[1];
    let is_number = opened > 0 && length <= 3 && name.bytes().all(|b| b.is_ascii_digit());
    let fits = match closer {
        ')' | ']' => length > 0 && (is_roman || is_letter || is_twice || is_number),
        '.' => opened == 0 && length > 0 && (is_roman || is_letter),
        _ => false,
    };
    if !fits {
        return None;
    }
    let end = opened + length + closer.len_utf8();
    let rest = &text[end..];
    let words = rest.trim_start();
    let apart = words.len() < rest.len() || (opened > 0 && words.starts_with(char::is_alphabetic));
    (apart && !words.is_empty()).then(|| (Marker::Label(&text[..end]), words))
}

/// What kind of marker it is: items of one kind stand at one depth.
pub(super) fn style(marker: Marker<'_>) -> u8 {
    match marker {
        Marker::Bullet => 0,
        Marker::Number(..) => 1,
        Marker::Label(label) => {
            let name = label.trim_matches(['(', ')', '.', '[', ']']);
            let opened = u8::from(label.starts_with('('));
            // `(i)` alone may be the ninth letter; mostly it is the first of its kind.
            let is_roman = name.bytes().all(|b| b"ivx".contains(&b));
            2 + 4 * opened
                + if is_roman {
                    1
                } else if name.bytes().all(|b| b.is_ascii_digit()) {
                    2
                } else {
                    0
                }
        }
    }
}

/// The name and the value of `Name: value`.
pub(super) fn pair(text: &str) -> Option<(&str, &str)> {
    let (name, value) = text.split_once([':', '：'])?;
    let value = value.strip_prefix([' ', '\t']).unwrap_or(if text.contains('：') { value } else { "" }).trim();
    let fits = !name.trim().is_empty()
        && name.chars().count() <= 48
        && name.split_whitespace().count() <= 6
        && name.starts_with(char::is_alphabetic)
        && !name.contains(['.', '?', '!', ';', ',']);
    let asks = matches!(name.trim().to_lowercase().as_str(), "q" | "a" | "question" | "answer");
    (fits && !value.is_empty() && !asks).then_some((name.trim(), value))
}

/// Longest name and value of an entry, in characters, and words of its name.
const NAME_CHARS_MAX: usize = 70;
const VALUE_CHARS_MAX: usize = 100;
const NAME_WORDS_MAX: usize = 12;

/// Whether a line may be one of several that each give something its value: `Standard, up to 2 kg: £4.95`. One such
/// line alone may be any sentence.
pub(super) fn is_entry(text: &str) -> bool {
    let Some((name, value)) = text.split_once(": ") else { return false };
    let name = name.trim();
    if has_end(name) || name.ends_with('.') || has_end(value) {
        return false;
    }
    let asks = matches!(name.to_lowercase().as_str(), "q" | "a" | "question" | "answer");
    !asks
        && name.starts_with(char::is_alphanumeric)
        && name.contains(char::is_alphabetic)
        && !name.contains(['?', '!', ';', '"', '“', '|', '\t'])
        && name.chars().count() <= NAME_CHARS_MAX
        && name.split_whitespace().count() <= NAME_WORDS_MAX
        && (1..=VALUE_CHARS_MAX).contains(&value.trim().chars().count())
}

/// Whether a sentence ends within words: `approx. 2 kg` and `1.5 kg` go on.
fn has_end(words: &str) -> bool {
    let mut ends = words.match_indices(". ").map(|(at, end)| words[at + end.len()..].trim_start());
    ends.any(|behind| behind.starts_with(char::is_uppercase))
}
