//! Telephone numbers as people write them, in their one spelling: E.164.
//! Invariant: what is given has a plus and digits of ASCII alone.

use std::ops::RangeInclusive;

use unicode_normalization::UnicodeNormalization;

use super::IdentityError;
use crate::is_invisible;

/// Digits of a number, without its plus.
pub(super) const DIGITS: RangeInclusive<usize> = 7..=15;
/// The longest writing that is looked at.
const WRITTEN_BYTES_MAX: usize = 256;

/// Whether a number with its plus is written here.
pub(super) fn has_plus(value: &str) -> bool {
    value.len() <= WRITTEN_BYTES_MAX && plain(value).starts_with('+')
}

/// # Errors
/// What is wrong with it.
pub(super) fn normalised(value: &str) -> Result<String, IdentityError> {
    if value.len() > WRITTEN_BYTES_MAX {
        return Err(IdentityError::Phone);
    }
    let number = plain(value);
    let Some(digits) = number.strip_prefix('+') else {
        let lost = value.starts_with(' ') && number.starts_with(|c: char| c.is_ascii_digit());
        return Err(if lost { IdentityError::PhonePlus } else { IdentityError::Phone });
    };
    let is_number = digits.bytes().all(|byte| byte.is_ascii_digit()) && !digits.starts_with('0');
    if is_number && DIGITS.contains(&digits.len()) { Ok(number) } else { Err(IdentityError::Phone) }
}

/// Without what people put around and between the digits, to read them: an address of the scheme `tel`, blanks, dashes,
/// brackets, marks of direction that come along when a number is copied, and the `(0)` that is dialled within the
/// country alone.
fn plain(value: &str) -> String {
    let written: String = value.nfkc().filter(|c| !is_invisible(*c)).collect();
    let written = written.trim();
    let number = match written.get(..4) {
        Some(scheme) if scheme.eq_ignore_ascii_case("tel:") => &written[4..],
        _ => written,
    };
    let number: String = number.chars().filter(|c| !c.is_whitespace()).collect();
    let is_between = |c: char| matches!(c, '-' | '.' | '(' | ')' | '/' | '\u{2010}'..='\u{2015}' | '\u{2212}');
    number.replacen("(0)", "", 1).chars().filter(|c| !is_between(*c)).collect()
}
