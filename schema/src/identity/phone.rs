//! Telephone numbers as people write them, in their one spelling: E.164.
//! Invariant: what is given has a plus and digits of ASCII alone, and each digit that was written, but for a zero that
//! is surely dialled within the country alone.

use std::ops::RangeInclusive;

use unicode_normalization::UnicodeNormalization;

use super::IdentityError;
use crate::is_invisible;

/// Digits of a number, without its plus.
pub(super) const DIGITS: RangeInclusive<usize> = 7..=15;
/// The longest writing that is looked at.
const WRITTEN_BYTES_MAX: usize = 256;

/// Codes of countries with two digits. But for 1 and 7, all others have three.
const CODES_OF_TWO: &[&str] = &[
    "20", "27", "30", "31", "32", "33", "34", "36", "39", "40", "41", "43", "44", "45", "46", "47", "48", "49", "51",
    "52", "53", "54", "55", "56", "57", "58", "60", "61", "62", "63", "64", "65", "66", "81", "82", "84", "86", "90",
    "91", "92", "93", "94", "95", "98",
];

/// Where a zero is dialled before a number within the country, and no number begins with a single one. From the plans
/// of numbering of the ITU, as Google's libphonenumber 9.0.33 has them.
const ZERO_IS_DIALLED_WITHIN: &[&str] = &[
    "20", "27", "31", "32", "33", "40", "41", "43", "44", "46", "49", "51", "53", "54", "55", "57", "58", "60", "61",
    "62", "63", "64", "66", "81", "82", "84", "86", "90", "91", "92", "93", "94", "95", "98", "211", "212", "213",
    "218", "231", "232", "233", "234", "243", "249", "251", "252", "254", "255", "256", "260", "261", "262", "263",
    "264", "265", "291", "353", "355", "358", "359", "370", "373", "374", "377", "380", "381", "382", "383", "385",
    "386", "387", "389", "421", "423", "508", "590", "591", "593", "594", "595", "596", "598", "686", "850", "855",
    "856", "880", "886", "961", "962", "963", "964", "966", "967", "970", "971", "972", "976", "977", "994", "995",
    "996",
];

/// Where numbers begin with a zero that is dialled from abroad, too: of the same plans.
const ZERO_BELONGS: &[&str] = &[
    "39", "47", "225", "226", "227", "229", "241", "242", "247", "250", "267", "268", "378", "501", "507", "676",
    "679", "687", "800", "853", "881", "888", "974", "992",
];

/// What else is dialled within a country alone, and is not taken for a part of an area's code in brackets.
const DIALLED_WITHIN: &[(&str, &str)] = &[("1", "(1)"), ("7", "(8)"), ("370", "(8)"), ("375", "(8)"), ("993", "(8)")];

const IN_BRACKETS: &str = "(0)";

/// Whether a number with its plus is written here.
pub(super) fn has_plus(value: &str) -> bool {
    value.len() <= WRITTEN_BYTES_MAX && bare(value).trim_start_matches('(').starts_with('+')
}

/// # Errors
/// What is wrong with it.
pub(super) fn normalised(value: &str) -> Result<String, IdentityError> {
    if value.len() > WRITTEN_BYTES_MAX {
        return Err(IdentityError::Phone);
    }
    let written = bare(value);
    if written.contains('/') || value.trim().chars().any(is_new_line) {
        return Err(IdentityError::PhoneTwo);
    }
    let digits = without_brackets(&written);
    let Some(digits) = digits.strip_prefix('+') else {
        let lost = value.starts_with(' ') && digits.starts_with(|c: char| c.is_ascii_digit());
        return Err(if lost { IdentityError::PhonePlus } else { IdentityError::Phone });
    };
    if digits.starts_with('0') || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(IdentityError::Phone);
    }
    let number = format!("+{}", as_from_abroad(digits, &written)?);
    if DIGITS.contains(&(number.len() - 1)) { Ok(number) } else { Err(IdentityError::Phone) }
}

/// The digits without the zero that is dialled within the country alone, if one is there.
fn as_from_abroad(digits: &str, written: &str) -> Result<String, IdentityError> {
    let (code, rest) = digits.split_at(code_len(digits).min(digits.len()));
    let stands_after_code = |bracket: &str| {
        written.split_once(bracket).is_some_and(|(before, _)| without_brackets(before).strip_prefix('+') == Some(code))
    };
    let is_among = |codes: &[&str]| codes.contains(&code);
    if DIALLED_WITHIN.iter().any(|(of, bracket)| *of == code && stands_after_code(bracket)) {
        return Err(IdentityError::PhoneWithin);
    }
    let is_bracketed = match written.matches(IN_BRACKETS).count() {
        0 => false,
        1 if stands_after_code(IN_BRACKETS) => true,
        _ => return Err(IdentityError::PhoneWithin),
    };
    let own = match rest.strip_prefix('0') {
        Some(_) if is_among(ZERO_BELONGS) && !is_bracketed => return Ok(digits.to_owned()),
        Some(own) if is_among(ZERO_IS_DIALLED_WITHIN) => own,
        // No number there begins with a zero, and none is dialled: whoever puts one in brackets means that.
        Some(own) if is_bracketed && !is_among(ZERO_BELONGS) => own,
        Some(_) => return Err(IdentityError::PhoneWithin),
        None => rest,
    };
    if own.starts_with('0') { Err(IdentityError::PhoneWithin) } else { Ok(format!("{code}{own}")) }
}

/// How many of the digits are the country's code.
fn code_len(digits: &str) -> usize {
    match digits.as_bytes() {
        [b'1' | b'7', ..] => 1,
        _ if CODES_OF_TWO.iter().any(|code| digits.starts_with(code)) => 2,
        _ => 3,
    }
}

/// As earlier programs spelt it: without the first `(0)`, wherever it stood.
pub(super) fn as_before(value: &str) -> Option<String> {
    if value.len() > WRITTEN_BYTES_MAX {
        return None;
    }
    let number =
        without_brackets(&unmarked(value).replacen(IN_BRACKETS, "", 1).replace(is_between, "").replace('/', ""));
    let digits = number.strip_prefix('+')?;
    let is_number = digits.bytes().all(|byte| byte.is_ascii_digit()) && !digits.starts_with('0');
    (is_number && DIGITS.contains(&digits.len())).then_some(number)
}

/// Without what people put between the digits, to read them; brackets stay, for they may say something.
fn bare(value: &str) -> String {
    unmarked(value).replace(is_between, "")
}

/// Without what comes along with a number: an address of the scheme `tel`, blanks, and marks of direction that are
/// copied with it.
fn unmarked(value: &str) -> String {
    let written: String = value.nfkc().filter(|c| !is_invisible(*c)).collect();
    let written = written.trim();
    let number = match written.get(..4) {
        Some(scheme) if scheme.eq_ignore_ascii_case("tel:") => &written[4..],
        _ => written,
    };
    number.chars().filter(|c| !c.is_whitespace()).collect()
}

fn without_brackets(number: &str) -> String {
    number.replace(['(', ')'], "")
}

const fn is_between(c: char) -> bool {
    matches!(c, '-' | '.' | '\u{2010}'..='\u{2015}' | '\u{2212}')
}

/// What stands between two numbers, or between a number and the other endings that it has, as in `522940770/74`.
const fn is_new_line(c: char) -> bool {
    matches!(c, '\n' | '\r' | '\t' | '\u{b}' | '\u{c}' | '\u{85}' | '\u{2028}' | '\u{2029}')
}
