//! Finds the values in a text that people ask for: prices, times, numbers to call.
//! Invariant: one look at each character.

use engine_text::raised::is_shifted;

/// Signs and names of money.
const CURRENCIES: &[&str] = &[
    "€", "$", "£", "¥", "₺", "₽", "₹", "zł", "kr", "eur", "usd", "gbp", "chf", "sek", "nok", "dkk", "pln", "try", "tl",
    "czk", "huf", "jpy", "cad", "aud", "円", "元", "₩", "euro", "euros", "r$", "fr", "lei", "ron", "kč", "ft", "грн",
    "руб",
];

/// Whether words name a price.
pub(super) fn has_price(words: &str) -> bool {
    price_count(words, 1) > 0
}

/// How many prices words name, up to a bound.
pub(super) fn price_count(words: &str, most: usize) -> usize {
    prices(&words.chars().collect::<Vec<_>>(), most).len()
}

/// The prices that words name, up to a bound: where each number begins, and the number as it is written.
pub(super) fn prices(characters: &[char], most: usize) -> Vec<(usize, String)> {
    let (mut at, mut found) = (0, Vec::new());
    while at < characters.len() && found.len() < most {
        if !characters[at].is_ascii_digit() {
            at += 1;
            continue;
        }
        let end = end_of_number(characters, at);
        let number: String = characters[at..end].iter().collect();
        let is_decimal = is_decimal(&number);
        let after: String = characters[end..].iter().skip_while(|c| is_shifted(**c)).take(6).collect::<String>();
        let after = after.trim_start().to_lowercase();
        let before: String = characters[at.saturating_sub(5)..at].iter().collect::<String>().trim_end().to_lowercase();
        let is_money = |text: &str, ends: bool| {
            CURRENCIES.iter().any(|one| {
                let rest = if ends { text.strip_suffix(one) } else { text.strip_prefix(one) };
                let neighbour = rest.and_then(|rest| if ends { rest.chars().next_back() } else { rest.chars().next() });
                rest.is_some() && !(one.chars().all(char::is_alphabetic) && neighbour.is_some_and(char::is_alphabetic))
            })
        };
        if is_decimal || is_money(&after, false) || is_money(&before, true) {
            found.push((at, number));
        }
        at = end;
    }
    found
}

/// A number with its decimals, in hundredths: `1.299,00`, `1299` and `1,299.0` are the same.
pub(super) fn hundredths(number: &str) -> Option<u64> {
    let number = number.trim();
    let (whole, part) = match number.rsplit_once(['.', ',']) {
        Some((whole, part)) if (1..=2).contains(&part.len()) => (whole, part),
        _ => (number, ""),
    };
    let is_number = |text: &str| text.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'.' | b',' | b'\''));
    let digits: String = whole.chars().filter(char::is_ascii_digit).collect();
    if digits.is_empty() || !is_number(whole) || !is_number(part) {
        return None;
    }
    let part: u64 = format!("{part:0<2}").parse().ok()?;
    digits.parse::<u64>().ok()?.checked_mul(100)?.checked_add(part)
}

/// Times of the day that words name, in minutes since midnight: `9am`, `09:00`, `9.30 Uhr`, `9–5`.
pub(super) fn clock_times(words: &str) -> Vec<u16> {
    let characters: Vec<char> = words.chars().collect();
    let (mut at, mut times) = (0, Vec::new());
    // The hour that a span began with, if nothing says in which half of the day.
    let mut from: Option<u16> = None;
    while at < characters.len() {
        if !characters[at].is_ascii_digit() {
            at += 1;
            continue;
        }
        let end = end_of_number(&characters, at);
        let number: String = characters[at..end].iter().collect();
        at = end;
        let mut parts = number.split([':', '.']);
        let small = |part: Option<&str>, most: u16| {
            part.filter(|part| part.len() <= 2).and_then(|part| part.parse().ok()).filter(|n: &u16| *n <= most)
        };
        let hour = small(parts.next(), 24);
        let minute = match parts.next() {
            Some(part) if part.len() == 2 => small(Some(part), 59),
            Some(_) => None,
            None => Some(0),
        };
        let (Some(hour), Some(minute)) = (hour, minute) else {
            from = None;
            continue;
        };
        let behind: String = characters[end..].iter().take(6).collect::<String>().to_lowercase();
        let behind = behind.trim_start().trim_start_matches(['.', '-']);
        let half = ["a", "p"].iter().position(|half| {
            let rest = behind.strip_prefix(half).map(|rest| rest.trim_start_matches('.'));
            rest.and_then(|rest| rest.strip_prefix('m')).is_some_and(|rest| !rest.starts_with(char::is_alphabetic))
        });
        let minutes = |hour: u16| hour % 24 * 60 + minute;
        match half {
            Some(half) => times.push(minutes(hour % 12 + if half == 1 { 12 } else { 0 })),
            None => {
                times.push(minutes(hour));
                // `9–5` ends in the afternoon.
                if from.is_some_and(|from| hour <= from && hour < 12) {
                    times.push(minutes(hour + 12));
                }
            }
        }
        let is_span = behind.starts_with(['–', '—', '−']) || characters.get(end).is_some_and(|c| *c == '-');
        from = Some(hour).filter(|_| is_span && half.is_none());
    }
    times
}

/// The numbers to call that words may hold: digits that stand close together.
pub(super) fn digit_runs(words: &str) -> impl Iterator<Item = String> {
    const LEAST: usize = 6;
    let runs = words.split(|c: char| !c.is_ascii_digit() && !is_between_digits(c));
    runs.map(|run| run.chars().filter(char::is_ascii_digit).collect()).filter(|run: &String| run.len() >= LEAST)
}

/// What may stand between the digits of a number to call.
fn is_between_digits(c: char) -> bool {
    matches!(c, ' ' | '\u{a0}' | '-' | '.' | '/' | '(' | ')' | '+' | '–')
}

/// The digits of a number to call as they are dialled within its country: without the country's code, and without
/// the zero that stands for it.
pub(super) fn national(number: &str) -> String {
    let number = number.trim();
    let is_abroad = number.starts_with('+') || number.starts_with("00");
    let number = number.strip_prefix("00").unwrap_or(number).replace("(0)", "");
    let digits: String = number.chars().filter(char::is_ascii_digit).collect();
    let code = if is_abroad { country_code(&digits) } else { 0 };
    digits.get(code..).unwrap_or_default().trim_start_matches('0').to_owned()
}

/// How many digits a country's code has, by the world's plan of numbers.
fn country_code(digits: &str) -> usize {
    const OF_TWO: &[&str] = &[
        "20", "27", "30", "31", "32", "33", "34", "36", "39", "40", "41", "43", "44", "45", "46", "47", "48", "49",
        "51", "52", "53", "54", "55", "56", "57", "58", "60", "61", "62", "63", "64", "65", "66", "81", "82", "84",
        "86", "90", "91", "92", "93", "94", "95", "98",
    ];
    if digits.starts_with(['1', '7']) {
        1
    } else if OF_TWO.iter().any(|code| digits.starts_with(code)) {
        2
    } else {
        3
    }
}

/// `9.50`, `1.299,00`: two digits behind the last sign.
fn is_decimal(number: &str) -> bool {
    number
        .rsplit_once(['.', ','])
        .is_some_and(|(whole, part)| part.len() == 2 && whole.len() <= 9 && !whole.contains(':'))
}

fn end_of_number(characters: &[char], from: usize) -> usize {
    let mut end = from;
    while end < characters.len() {
        let c = characters[end];
        let goes_on = matches!(c, '.' | ',' | ':') && characters.get(end + 1).is_some_and(char::is_ascii_digit);
        if !c.is_ascii_digit() && !goes_on {
            break;
        }
        end += 1;
    }
    end
}

/// Whether words name a time of day, or a span of hours.
pub(super) fn has_time(words: &str) -> bool {
    let characters: Vec<char> = words.chars().collect();
    let mut at = 0;
    while at < characters.len() {
        if !characters[at].is_ascii_digit() {
            at += 1;
            continue;
        }
        let end = end_of_number(&characters, at);
        let number: String = characters[at..end].iter().collect();
        let parts: Vec<&str> = number.split([':', '.']).collect();
        let is_hour = |text: &str| text.len() <= 2 && text.parse::<u8>().is_ok_and(|hour| hour <= 24);
        let is_clock = parts.len() == 2 && is_hour(parts[0]) && parts[1].len() == 2 && parts[1] < "60";
        let behind: String = characters[end..].iter().take(8).collect::<String>().trim_start().to_lowercase();
        let is_marked = ["am", "a.m", "pm", "p.m", "uhr", "h", "heures", "klo", "godz"]
            .iter()
            .any(|mark| behind.strip_prefix(mark).is_some_and(|rest| !rest.starts_with(char::is_alphabetic)));
        let to = behind.strip_prefix(['-', '–', '—', '−']).map(str::trim_start);
        let is_span = parts.len() == 1
            && to.is_some_and(|to| {
                let hour: String = to.chars().take_while(char::is_ascii_digit).collect();
                is_hour(&hour) && !hour.is_empty() && !to[hour.len()..].starts_with(['-', '–', '/', '.'])
            });
        let says_clock = is_clock && (number.contains(':') || is_marked || to.is_some());
        if says_clock || (is_hour(&number) && (is_marked || is_span)) {
            return true;
        }
        at = end;
    }
    false
}

/// Whether words hold a number to call: many digits close together, and not the years of a copyright.
pub(super) fn has_telephone(words: &str) -> bool {
    let is_one = |run: &str| {
        let digits: String = run.chars().filter(char::is_ascii_digit).collect();
        let years = digits.len() == 8 && is_year(&digits[..4]) && is_year(&digits[4..]);
        (7..=15).contains(&digits.len()) && !years
    };
    words.split(|c: char| !c.is_ascii_digit() && !is_between_digits(c)).any(is_one)
}

/// Whether words hold an address to write to.
pub(super) fn has_mail(words: &str) -> bool {
    words.split(|c: char| c.is_whitespace() || matches!(c, '<' | '>' | '(' | ')' | ',')).any(|word| {
        let host = word.split_once('@').filter(|(name, _)| !name.is_empty()).map(|(_, host)| host);
        host.is_some_and(|host| host.trim_end_matches('.').contains('.'))
    })
}

/// Whether words are like an address of a house: a number of it and one of its place.
pub(super) fn has_address(words: &str) -> bool {
    let clean = |word: &str| word.trim_matches(|c: char| !c.is_alphanumeric()).to_owned();
    let words: Vec<String> = words.split_whitespace().map(clean).collect();
    let digits = |word: &str| word.bytes().filter(u8::is_ascii_digit).count();
    let is_code = |word: &str| matches!(digits(word), 4..=5) && word.len() <= 8 && !is_year(word);
    let is_split = |pair: &[String]| {
        // SW1A 1AA, 1012 AB, 00-950, 114 55.
        let lengths = (pair[0].len(), pair[1].len());
        let has_both = |word: &str| digits(word) > 0 && digits(word) < word.len();
        (has_both(&pair[0]) && has_both(&pair[1]) && lengths.0 <= 4 && lengths.1 == 3)
            || (digits(&pair[0]) == 3 && digits(&pair[1]) == 2 && lengths == (3, 2))
    };
    let code = words.iter().any(|word| is_code(word)) || words.windows(2).any(is_split);
    let house = words.iter().any(|word| matches!(digits(word), 1..=3) && word.len() <= 5);
    code && house && words.len() >= 3
}

fn is_year(word: &str) -> bool {
    word.len() == 4 && (word.starts_with("19") || word.starts_with("20"))
}

/// Whether words hold what a visitor would ask of a business.
pub(super) fn has_fact(words: &str) -> bool {
    has_telephone(words) || has_mail(words) || has_time(words) || has_address(words)
}

/// Whether a text has a digit in it.
pub(super) fn has_digit(words: &str) -> bool {
    words.contains(|c: char| c.is_numeric())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_is_known_in_other_spellings() {
        for (number, expected) in [
            ("25", Some(2_500)),
            ("25.00", Some(2_500)),
            ("19.5", Some(1_950)),
            ("1,299.00", Some(129_900)),
            ("1.299,00", Some(129_900)),
            ("1.299", Some(129_900)),
            ("1'299.50", Some(129_950)),
            ("9:30", None),
            ("", None),
            ("99999999999999999999", None),
        ] {
            assert_eq!(hundredths(number), expected, "{number}");
        }
        for (number, expected) in [
            ("+44 20 7946 0958", "2079460958"),
            ("020 7946 0958", "2079460958"),
            ("+44 (0)20 7946 0958", "2079460958"),
            ("0044 20 7946 0958", "2079460958"),
            ("+34 912 345 678", "912345678"),
            ("+1 (212) 555-0100", "2125550100"),
            ("+353 1 555 0100", "15550100"),
            ("+39 06 1234 5678", "612345678"),
            ("", ""),
        ] {
            assert_eq!(national(number), expected, "{number}");
        }
        for (words, expected) in [
            ("09:00-17:30", &[540, 1050][..]),
            ("9am to 5.30pm", &[540, 1050]),
            ("9 a.m. – 12 p.m.", &[540, 720]),
            ("Mon–Fri 9–5", &[540, 300, 1020]),
            ("9.30–12.00 Uhr, 14–18 Uhr", &[570, 720, 840, 1080]),
            ("24:00", &[0]),
            ("in 2026 for 120 days, 9:75", &[]),
        ] {
            assert_eq!(clock_times(words), expected, "{words}");
        }
    }

    #[test]
    fn prices_times_and_addresses_are_told_apart() {
        type Test = fn(&str) -> bool;
        let rows: &[(Test, &str, &[&str], &[&str])] = &[
            (
                has_price,
                "price",
                &["6.50", "7 EUR", "€7", "12 kr", "1.299,00", "from $ 30", "5 zł"],
                &["Page 7", "9:30", "2026", "7 eurasians", "1.234"],
            ),
            (
                has_time,
                "time",
                &["9:00", "Mon–Fri 9–17", "9 am", "8.30–12.00", "17 Uhr", "9h"],
                &["2026", "Page 7", "12 lamps", "1-800-555-0100", "6.50 EUR"],
            ),
            (
                has_telephone,
                "telephone",
                &["+34 912 345 678", "(030) 123 45 67", "555-0100-22"],
                &["© 2026 Shop", "9:00 - 17:00", "page 7 of 12"],
            ),
            (has_mail, "mail", &["a@b.example", "Mail: a@b.example."], &["@shop", "a@b"]),
            (
                has_address,
                "address",
                &["Calle Mayor 5, 28013 Madrid", "12 High Street, London SW1A 1AA", "Storgatan 1, 114 55 Stockholm"],
                &["© 2026 Shop Ltd 1", "Call 5 times"],
            ),
        ];
        for (test, name, yes, no) in rows {
            for words in *yes {
                assert!(test(words), "{name}: {words}");
            }
            for words in *no {
                assert!(!test(words), "{name}: {words}");
            }
        }
    }
}
