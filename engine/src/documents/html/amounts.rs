//! What words say that people ask for: prices, times, numbers to call.
//! Invariant: one look at each character.

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
    let characters: Vec<char> = words.chars().collect();
    let (mut at, mut count) = (0, 0);
    while at < characters.len() && count < most {
        if !characters[at].is_ascii_digit() {
            at += 1;
            continue;
        }
        let end = end_of_number(&characters, at);
        let number: String = characters[at..end].iter().collect();
        let is_decimal = is_decimal(&number);
        let after: String = characters[end..].iter().take(6).collect::<String>().trim_start().to_lowercase();
        let before: String = characters[at.saturating_sub(5)..at].iter().collect::<String>().trim_end().to_lowercase();
        let is_money = |text: &str, ends: bool| {
            CURRENCIES.iter().any(|one| {
                let rest = if ends { text.strip_suffix(one) } else { text.strip_prefix(one) };
                let neighbour = rest.and_then(|rest| if ends { rest.chars().next_back() } else { rest.chars().next() });
                rest.is_some() && !(one.chars().all(char::is_alphabetic) && neighbour.is_some_and(char::is_alphabetic))
            })
        };
        if is_decimal || is_money(&after, false) || is_money(&before, true) {
            count += 1;
        }
        at = end;
    }
    count
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
    let between = |c: char| matches!(c, ' ' | '\u{a0}' | '-' | '.' | '/' | '(' | ')' | '+' | '–');
    words.split(|c: char| !c.is_ascii_digit() && !between(c)).any(is_one)
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
