//! Numbers of a sheet as its formats show them: amounts of money, percentages, dates.

use std::collections::HashMap;

use jiff::ToSpan as _;
use jiff::civil::{DateTime, date};

use super::package::{Step, each, value};
use super::{Kind, Unreadable};

/// How the cells of one style are shown.
#[derive(Clone, Debug, Default)]
pub(super) struct Format {
    pub(super) code: String,
    pub(super) is_struck: bool,
}

/// The styles of a document's cells.
#[derive(Debug, Default)]
pub(super) struct Formats {
    styles: Vec<Format>,
    plain: Format,
}

impl Formats {
    pub(super) fn read(xml: &str) -> Result<Self, Unreadable> {
        let (mut codes, mut struck, mut styles) = (HashMap::new(), Vec::new(), Vec::new());
        let (mut in_fonts, mut in_styles) = (false, false);
        each(Kind::Xlsx, xml, |step| match step {
            Step::Open(start) => {
                let number = |name| value(start, name).and_then(|n| n.parse::<usize>().ok()).unwrap_or(0);
                match start.local_name().into_inner() {
                    "numFmt" => {
                        let code = value(start, "formatCode").unwrap_or_default();
                        codes.insert(number("numFmtId"), code);
                    }
                    "fonts" => in_fonts = true,
                    "cellXfs" => in_styles = true,
                    "font" if in_fonts => struck.push(false),
                    "strike" if in_fonts => {
                        if let Some(last) = struck.last_mut() {
                            *last = value(start, "val").is_none_or(|on| on != "0" && on != "false");
                        }
                    }
                    "xf" if in_styles => {
                        let id = number("numFmtId");
                        let code = codes.get(&id).cloned().unwrap_or_else(|| known(id).to_owned());
                        let is_struck = struck.get(number("fontId")).copied().unwrap_or(false);
                        styles.push(Format { code, is_struck });
                    }
                    _ => {}
                }
            }
            Step::Close("fonts") => in_fonts = false,
            Step::Close("cellXfs") => in_styles = false,
            Step::Close(_) | Step::Words(_) => {}
        })?;
        Ok(Self { styles, plain: Format::default() })
    }

    pub(super) fn of(&self, style: usize) -> &Format {
        self.styles.get(style).unwrap_or(&self.plain)
    }
}

/// Formats that need not be in the file.
const fn known(id: usize) -> &'static str {
    match id {
        1 => "0",
        2 => "0.00",
        3 | 37 | 38 => "#,##0",
        4 | 39 | 40 => "#,##0.00",
        9 => "0%",
        10 => "0.00%",
        // Shown as the reader's country writes dates: so it is written that nobody takes a month for a day.
        14 => "yyyy-mm-dd",
        15 => "d-mmm-yy",
        16 => "d-mmm",
        17 => "mmm-yy",
        18 => "h:mm AM/PM",
        20 => "h:mm",
        21 => "h:mm:ss",
        22 => "yyyy-mm-dd h:mm",
        _ => "",
    }
}

/// A part of a format.
#[derive(Clone, Debug, PartialEq)]
enum Token {
    Words(String),
    /// A run of one letter of a date.
    Date(char, usize),
    /// All hours, minutes or seconds that have gone by: `[h]`.
    Elapsed(char, usize),
    /// `AM/PM`.
    Half,
    /// Places for digits, with their point and commas.
    Digits(String),
}

/// A number as its format shows it.
pub(super) fn shown(number: f64, code: &str, from_1904: bool) -> String {
    let parts: Vec<&str> = sections(code);
    let (part, number) = section(&parts, number);
    // One that is empty among several shows nothing.
    if parts.len() > 1 && part.is_empty() {
        return String::new();
    }
    let tokens = tokens(part);
    if tokens.iter().any(|token| matches!(token, Token::Elapsed(..))) {
        return if number < 0.0 { general(number) } else { dated(&tokens, DateTime::ZERO, number) };
    }
    if tokens.iter().any(|token| matches!(token, Token::Date(..))) {
        return moment(number, from_1904).map_or_else(|| general(number), |moment| dated(&tokens, moment, number));
    }
    if is_other(&tokens) {
        return general(number);
    }
    let is_percent = tokens.iter().any(|token| matches!(token, Token::Words(words) if words.contains('%')));
    let value = if is_percent { number * 100.0 } else { number };
    let mut written = false;
    let whole: String = tokens
        .iter()
        .map(|token| match token {
            Token::Words(words) => words.clone(),
            Token::Digits(places) if !std::mem::replace(&mut written, true) => digits(value, places),
            _ => String::new(),
        })
        .collect();
    whole.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The section that shows a number, and the number as it shows it.
fn section<'a>(parts: &[&'a str], number: f64) -> (&'a str, f64) {
    let conditions: Vec<Option<bool>> = parts.iter().map(|part| condition(part, number)).collect();
    if conditions.iter().any(Option::is_some) {
        let fits = |at: &usize| conditions[*at] == Some(true) || (conditions[*at].is_none() && *at > 0);
        let at = (0..parts.len().min(3)).find(fits).unwrap_or(0);
        return (parts[at], number);
    }
    match (number < 0.0, parts.len()) {
        (true, 2..) => (parts[1], -number),
        (false, 3..) if number == 0.0 => (parts[2], number),
        _ => (parts.first().copied().unwrap_or(""), number),
    }
}

/// Whether a number is one that a section is for, where it says so: `[<1000]0`.
fn condition(part: &str, number: f64) -> Option<bool> {
    part.split('[').skip(1).find_map(|rest| {
        let inner = rest.split(']').next()?;
        let end = inner.find(|c: char| !matches!(c, '<' | '>' | '=')).filter(|end| *end > 0)?;
        let than: f64 = inner[end..].trim().parse().ok()?;
        Some(match &inner[..end] {
            "<" => number < than,
            ">" => number > than,
            "<=" => number <= than,
            ">=" => number >= than,
            "=" => number == than,
            _ => number != than,
        })
    })
}

/// Whether a format shows a number in a way that is none of ours: as it is, as a fraction, with a power of ten.
fn is_other(tokens: &[Token]) -> bool {
    let is_sign =
        |token: &Token, signs: &[&str]| matches!(token, Token::Words(words) if signs.contains(&words.as_str()));
    let is_power = tokens.windows(2).any(|pair| is_sign(&pair[0], &["E", "e"]) && is_sign(&pair[1], &["+", "-"]));
    let is_fraction = tokens.windows(3).any(|three| {
        matches!((&three[0], &three[2]), (Token::Digits(_), Token::Digits(_))) && is_sign(&three[1], &["/"])
    });
    let says = |token: &Token| {
        matches!(token, Token::Digits(_)) || matches!(token, Token::Words(words) if !words.trim().is_empty())
    };
    is_power || is_fraction || !tokens.iter().any(says)
}

/// The parts of a format for amounts above, below and at nought.
fn sections(code: &str) -> Vec<&str> {
    let (mut parts, mut from, mut quoted) = (Vec::new(), 0, false);
    for (at, c) in code.char_indices() {
        quoted ^= c == '"';
        if c == ';' && !quoted {
            parts.push(&code[from..at]);
            from = at + 1;
        }
    }
    parts.push(&code[from..]);
    parts
}

fn tokens(part: &str) -> Vec<Token> {
    let mut tokens: Vec<Token> = Vec::new();
    if part.eq_ignore_ascii_case("general") {
        return tokens;
    }
    // `General` with words around it, and the sign for what a text says, show a number as it is.
    if part.to_ascii_lowercase().contains("general") || part.trim() == "@" {
        return tokens;
    }
    let mut chars = part.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '"' => tokens.push(Token::Words(chars.by_ref().take_while(|c| *c != '"').collect())),
            '\\' => tokens.push(Token::Words(chars.next().into_iter().collect())),
            '_' => {
                chars.next();
                tokens.push(Token::Words(" ".into()));
            }
            '*' => {
                chars.next();
            }
            '[' => {
                // `[$€-407]` names a currency, others colours and conditions.
                let inner: String = chars.by_ref().take_while(|c| *c != ']').collect();
                if let Some(currency) = inner.strip_prefix('$') {
                    tokens.push(Token::Words(currency.split('-').next().unwrap_or_default().to_owned()));
                } else if let Some(unit) = inner.chars().next().map(|c| c.to_ascii_lowercase())
                    && matches!(unit, 'h' | 'm' | 's')
                    && inner.chars().all(|c| c.to_ascii_lowercase() == unit)
                {
                    tokens.push(Token::Elapsed(unit, inner.len()));
                }
            }
            'A' | 'a' if chars.clone().take(4).collect::<String>().eq_ignore_ascii_case("m/pm") => {
                chars.by_ref().take(4).for_each(drop);
                tokens.push(Token::Half);
            }
            'y' | 'Y' | 'm' | 'M' | 'd' | 'D' | 'h' | 'H' | 's' | 'S' => {
                let letter = c.to_ascii_lowercase();
                let mut count = 1;
                while chars.next_if(|next| next.to_ascii_lowercase() == letter).is_some() {
                    count += 1;
                }
                tokens.push(Token::Date(letter, count));
            }
            '0' | '#' | '?' | '.' | ',' => match tokens.last_mut() {
                Some(Token::Digits(places)) => places.push(c),
                _ if matches!(c, '.' | ',') && !chars.peek().is_some_and(|next| matches!(next, '0' | '#')) => {
                    tokens.push(Token::Words(c.into()));
                }
                _ => tokens.push(Token::Digits(c.into())),
            },
            c => tokens.push(Token::Words(c.into())),
        }
    }
    // Before and after a part of a date, a point or comma is no place for digits.
    if tokens.iter().any(|token| matches!(token, Token::Date(..) | Token::Elapsed(..))) {
        tokens.iter_mut().for_each(|token| {
            if let Token::Digits(places) = token {
                *token = Token::Words(std::mem::take(places));
            }
        });
    }
    tokens
}

/// Digits in the places of a format.
fn digits(number: f64, places: &str) -> String {
    let (whole, after) = places.split_once('.').unwrap_or((places, ""));
    // A comma behind the last place divides by a thousand; one between places parts groups.
    let (own, last) = (whole.trim_end_matches(','), after.trim_end_matches(','));
    let thousands = (whole.len() - own.len()) + (after.len() - last.len());
    let number = number / 1_000_f64.powi(i32::try_from(thousands).unwrap_or(0).min(5));
    let (whole, after) = (own, last);
    let most = after.chars().filter(|c| matches!(c, '0' | '#' | '?')).count().min(15);
    let least = after.chars().filter(|c| *c == '0').count();
    let fixed = format!("{:.most$}", rounded(number.abs(), most));
    let (integer, decimals) = fixed.split_once('.').unwrap_or((&fixed, ""));
    let mut decimals = decimals.to_owned();
    while decimals.len() > least && decimals.ends_with('0') {
        decimals.pop();
    }
    let pad = whole.chars().filter(|c| *c == '0').count();
    let integer = format!("{integer:0>pad$}");
    let grouped = if whole.contains(',') {
        let mut grouped = String::new();
        for (n, c) in integer.chars().enumerate() {
            if n > 0 && (integer.len() - n) % 3 == 0 {
                grouped.push(',');
            }
            grouped.push(c);
        }
        grouped
    } else {
        integer
    };
    let sign = if number < 0.0 { "-" } else { "" };
    if decimals.is_empty() { format!("{sign}{grouped}") } else { format!("{sign}{grouped}.{decimals}") }
}

/// A number rounded to so many decimals as people round, not as its binary fraction would have it.
fn rounded(number: f64, decimals: usize) -> f64 {
    let times = 10_f64.powi(i32::try_from(decimals).unwrap_or(0));
    let whole = number * times;
    if whole > 1e13 { number } else { (whole * (1.0 + 1e-14)).round() / times }
}

/// A number without a format, without the rest of its binary fraction.
fn general(number: f64) -> String {
    if number.fract() == 0.0 && number.abs() < 1e15 {
        return format!("{number:.0}");
    }
    let rounded = format!("{number:.10}");
    if number.abs() < 1e-9 || number.abs() > 1e15 {
        return number.to_string();
    }
    rounded.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// The moment of so many days since the beginning.
fn moment(days: f64, from_1904: bool) -> Option<DateTime> {
    if !(0.0..2_958_466.0).contains(&days) {
        return None;
    }
    let first = if from_1904 { date(1904, 1, 1) } else { date(1899, 12, 30) };
    let whole = days.floor();
    let seconds = ((days - whole) * 86_400.0).round() as i64;
    first.at(0, 0, 0, 0).checked_add((whole as i64).days()).ok()?.checked_add(seconds.seconds()).ok()
}

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
const WEEKDAYS: [&str; 7] = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];

/// `days` are those that elapsed times count.
fn dated(tokens: &[Token], moment: DateTime, days: f64) -> String {
    let elapsed = (days * 86_400.0).round() as i64;
    let has_elapsed = tokens.iter().any(|token| matches!(token, Token::Elapsed(..)));
    let (of_hour, of_minute) = match has_elapsed {
        true => (elapsed / 60 % 60, elapsed % 60),
        false => (moment.minute().into(), moment.second().into()),
    };
    let has_half = tokens.contains(&Token::Half);
    let mut whole = String::new();
    let mut last = ' ';
    for (n, token) in tokens.iter().enumerate() {
        let next = tokens[n + 1..]
            .iter()
            .find_map(|token| if let Token::Date(letter, _) = token { Some(*letter) } else { None });
        match token {
            Token::Words(words) => whole.push_str(words),
            Token::Digits(_) => {}
            Token::Elapsed(unit, count) => {
                let all = match unit {
                    'h' => elapsed / 3_600,
                    'm' => elapsed / 60,
                    _ => elapsed,
                };
                whole.push_str(&format!("{all:0count$}"));
                last = *unit;
            }
            Token::Half => whole.push_str(if moment.hour() < 12 { "AM" } else { "PM" }),
            Token::Date(letter, count) => {
                let hour = if has_half { (moment.hour() + 11) % 12 + 1 } else { moment.hour() };
                let month = MONTHS[(moment.month() - 1) as usize];
                let weekday = WEEKDAYS[(moment.weekday().to_monday_zero_offset()) as usize];
                let number = |number: i64| if *count > 1 { format!("{number:02}") } else { number.to_string() };
                whole.push_str(&match (letter, count) {
                    ('y', 0..=2) => format!("{:02}", moment.year() % 100),
                    ('y', _) => moment.year().to_string(),
                    ('m', _) if last == 'h' || next == Some('s') => number(of_hour),
                    ('m', 0..=2) => number(moment.month().into()),
                    ('m', 3) => month[..3].to_owned(),
                    ('m', _) => month.to_owned(),
                    ('d', 0..=2) => number(moment.day().into()),
                    ('d', 3) => weekday[..3].to_owned(),
                    ('d', _) => weekday.to_owned(),
                    ('h', _) => number(hour.into()),
                    _ => number(of_minute),
                });
                last = *letter;
            }
        }
    }
    whole.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_shown_as_their_formats_say() {
        for (number, code, expected) in [
            (19.9, "", "19.9"),
            (0.1 + 0.2, "General", "0.3"),
            (1234.5, "#,##0.00", "1,234.50"),
            (1234.5, "#,##0.00\\ \"€\"", "1,234.50 €"),
            (19.0, "[$€-407]\\ #,##0.00", "€ 19.00"),
            (19.0, "_(\"$\"* #,##0.00_);_(\"$\"* \\(#,##0.00\\)", "$19.00"),
            (-19.0, "#,##0.00;[Red]-#,##0.00", "-19.00"),
            (-5.0, "0.0", "-5.0"),
            (0.19, "0%", "19%"),
            (0.055, "0.0#%", "5.5%"),
            (7.0, "000", "007"),
            (46082.0, "dd.mm.yyyy", "01.03.2026"),
            (46082.0, "d mmmm yyyy", "1 March 2026"),
            (46082.5, "yyyy-mm-dd hh:mm", "2026-03-01 12:00"),
            (0.75, "h:mm AM/PM", "6:00 PM"),
            (46082.0, "ddd", "Sun"),
            (0.0, "0;-0;\"none\"0", "none0"),
            (12_500.0, "0.0,\"k\"", "12.5k"),
            (3_400_000.0, "0.0,,\"M\"", "3.4M"),
            (12_500.0, "#,##0,", "13"),
            (12_500_000.0, "#,##0,", "12,500"),
            (12_500.0, "#,##0.0,", "12.5"),
            (0.125, "0.00", "0.13"),
            (1.005, "0.00", "1.01"),
            (2.5, "[h]:mm", "60:00"),
            (1.5 / 24.0, "[h]:mm:ss", "1:30:00"),
            (0.0625, "[mm]", "90"),
            (0.0625, "[m]:ss", "90:00"),
            (0.0, "0.00 \"€\";;\"free\"", "free"),
            (-1.0, "0.00 \"€\";;\"free\"", ""),
            (3.0, "0.00 \"€\";;\"free\"", "3.00 €"),
            (0.0, "0;-0;", ""),
            (7.0, ";;;", ""),
            (0.0, "\"on request\"", "on request"),
            (2.5, "# ?/?", "2.5"),
            (12_500.0, "0.00E+00", "12500"),
            (7.0, "General\" kg\"", "7"),
            (7.0, "@", "7"),
            (1_500.0, "[>=1000]0.0,\"k\";0", "1.5k"),
            (15.0, "[>=1000]0.0,\"k\";0", "15"),
            (1e300, "yyyy", "1"),
        ] {
            let made = shown(number, code, false);
            assert!(if number > 1e200 { made.len() > 3 } else { made == expected }, "{code}: {made}");
        }
        assert_eq!(shown(44620.0, "yyyy-mm-dd", true), "2026-03-01");
    }
}
