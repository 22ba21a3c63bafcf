//! Words set above or below their line, as letters that say so: `75¹`, `10⁶`, `m²`, `H₂O`.
//! Invariant: a figure reads the same whatever is set above or below behind it.

/// Where words stand to their line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shift {
    Raised,
    Lowered,
}

/// Words that would be one with what stands before them are parted from it if they have more letters than an
/// ordinal's ending.
const ENDING_CHARS_MAX: usize = 4;

/// The words as they stand behind others. `is_mark`: they lead to a note, and are no part of a price.
pub fn shifted(before: &str, words: &str, shift: Shift, is_mark: bool) -> String {
    let trimmed = words.trim();
    if shift == Shift::Raised && !is_mark && is_cents(before, words) {
        return format!(".{words}");
    }
    if is_figure(trimmed) {
        return words.chars().filter(|c| !matches!(c, '[' | ']')).map(|c| sign(c, shift)).collect();
    }
    let is_behind = before.ends_with(char::is_alphanumeric) && words.starts_with(char::is_alphanumeric);
    let letters = trimmed.chars().filter(|c| c.is_alphabetic()).count();
    let is_long = letters > ENDING_CHARS_MAX || trimmed.contains(char::is_whitespace);
    let has_digit = trimmed.contains(|c: char| c.is_ascii_digit());
    // `Wi-Fi6` is a name, `7512a` an amount that nobody wrote.
    let changes = has_digit && before.ends_with(|c: char| c.is_ascii_digit());
    if is_behind && (changes || is_long) { format!(" {words}") } else { words.to_owned() }
}

/// Whether words are set above the line behind a price as its smaller part: `19` and `99`.
fn is_cents(before: &str, words: &str) -> bool {
    let digits = before.chars().rev().take_while(char::is_ascii_digit).take(5).count();
    let is_whole = !before[..before.len() - digits].ends_with(['.', ',']);
    words.len() == 2 && words.bytes().all(|byte| byte.is_ascii_digit()) && (1..=4).contains(&digits) && is_whole
}

/// Whether words are a number, a sign for one, or marks of notes.
fn is_figure(words: &str) -> bool {
    if matches!(words, "n" | "i") {
        return true;
    }
    let is_sign = |c: char| {
        matches!(c, '+' | '-' | '−' | '–' | '=' | '(' | ')' | '[' | ']' | ',' | ';' | '*' | '†' | '‡' | '§' | ' ')
    };
    words.contains(|c: char| c.is_ascii_digit()) && words.chars().all(|c| c.is_ascii_digit() || is_sign(c) || c == 'n')
}

/// One letter above or below the line, as far as there is one.
fn sign(c: char, shift: Shift) -> char {
    const FIGURES: &str = "0123456789+-−=()ni";
    const RAISED: &str = "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁻⁼⁽⁾ⁿⁱ";
    const LOWERED: &str = "₀₁₂₃₄₅₆₇₈₉₊₋₋₌₍₎ₙᵢ";
    let signs = if shift == Shift::Raised { RAISED } else { LOWERED };
    FIGURES.chars().position(|figure| figure == c).and_then(|at| signs.chars().nth(at)).unwrap_or(c)
}

/// Whether a character is a digit above or below its line.
pub const fn is_shifted(c: char) -> bool {
    matches!(c, '²' | '³' | '¹' | '⁰' | '⁴'..='⁹' | '₀'..='₉')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_figure_changes() {
        use Shift::{Lowered, Raised};
        for (before, words, shift, is_mark, expected) in [
            ("€75", "1", Raised, false, "¹"),
            ("250 m", "2", Raised, false, "²"),
            ("10", "6", Raised, false, "⁶"),
            ("10", "-6", Raised, false, "⁻⁶"),
            ("x", "n", Raised, false, "ⁿ"),
            ("120", "1)", Raised, false, "¹⁾"),
            ("120", "[12]", Raised, false, "¹²"),
            ("120", "1, 2", Raised, false, "¹, ²"),
            ("19", "99", Raised, false, ".99"),
            ("19", "99", Raised, true, "⁹⁹"),
            ("19.50", "12", Raised, false, "¹²"),
            ("1", "st", Raised, false, "st"),
            ("1", "ière", Raised, false, "ière"),
            ("n", "o", Raised, false, "o"),
            ("75", "a", Raised, false, "a"),
            ("75", "1a", Raised, false, " 1a"),
            ("Canal", "+", Raised, false, "+"),
            ("75", "excl. VAT", Raised, false, " excl. VAT"),
            ("", "1", Raised, false, "¹"),
            ("H", "2", Lowered, false, "₂"),
            ("19", "99", Lowered, false, "₉₉"),
            ("V", "max", Lowered, false, "max"),
        ] {
            assert_eq!(shifted(before, words, shift, is_mark), expected, "{before}^{words}");
        }
    }
}
