//! Numbers of a question and ranges of numbers in a text: `a boy of 7` and `children from 4 to 15`.
//! Invariant: a number without a unit may mean anything; units of different kinds are never compared.

use super::words::folded;

/// What a number counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Unit {
    Years,
    Days,
    Pounds,
    Kilograms,
    Feet,
    Metres,
    Money,
    People,
    /// Hours of the day.
    Clock,
}

/// A number that a question names.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Number {
    value: f32,
    unit: Option<Unit>,
}

/// From which number to which a text speaks of.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Range {
    least: f32,
    most: f32,
    unit: Option<Unit>,
}

const UNITS: &[(Unit, &[&str])] = &[
    (
        Unit::Years,
        &[
            "yr", "yrs", "year", "years", "yo", "old", "aged", "age", "jahre", "jahren", "jahr", "jahrige", "ans",
            "an", "anos", "ano", "anni", "jaar", "lat", "lata", "roku", "ar", "yas", "yasinda", "лет", "года", "год",
        ],
    ),
    (
        Unit::Days,
        &[
            "day", "days", "tag", "tage", "tagen", "jour", "jours", "dia", "dias", "giorni", "dagen", "dni", "дней",
            "night", "nights",
        ],
    ),
    (Unit::Pounds, &["lb", "lbs", "pound", "pounds"]),
    (Unit::Kilograms, &["kg", "kilo", "kilos", "kilogram", "kilograms", "кг"]),
    (Unit::Feet, &["ft", "foot", "feet"]),
    (Unit::Metres, &["m", "metre", "metres", "meter", "meters", "metros", "metri"]),
    (Unit::Money, &["euro", "euros", "eur", "dollar", "dollars", "bucks", "quid", "usd", "gbp", "chf", "franken"]),
    (
        Unit::People,
        &[
            "people",
            "persons",
            "person",
            "guests",
            "guest",
            "personen",
            "personnes",
            "personas",
            "pax",
            "persone",
            "covers",
            "us",
            "seats",
        ],
    ),
    (Unit::Clock, &["am", "pm", "uhr", "uur", "oclock", "noon"]),
];

/// Words that stand before the end, and before the beginning, of a range that is open on one side.
const UP_TO: &[&str] = &[
    "up to",
    "under",
    "below",
    "less than",
    "at most",
    "max",
    "maximum",
    "no more than",
    "bis",
    "bis zu",
    "unter",
    "hochstens",
    "jusqu",
    "jusqua",
    "moins de",
    "hasta",
    "menores de",
    "menos de",
    "fino a",
    "sotto i",
    "ate",
    "tot",
    "onder",
    "do",
    "ponizej",
    "younger than",
];
const FROM: &[&str] = &[
    "from",
    "over",
    "above",
    "more than",
    "at least",
    "min",
    "minimum",
    "older than",
    "ab",
    "uber",
    "mindestens",
    "a partir de",
    "partir de",
    "des",
    "plus de",
    "desde",
    "mayores de",
    "mas de",
    "da",
    "oltre",
    "vanaf",
    "boven",
    "od",
    "powyzej",
    "past",
];
/// Words that open a range after its number: `65 and over`.
const AND_MORE: &[&str] = &[
    "and over",
    "and more",
    "or more",
    "and above",
    "or over",
    "and older",
    "plus",
    "and up",
    "or older",
    "und mehr",
    "und alter",
    "et plus",
    "y mas",
    "o mas",
    "e piu",
    "en ouder",
    "i wiecej",
    "upwards",
];
const AND_LESS: &[&str] = &[
    "and under",
    "or less",
    "or under",
    "and below",
    "and younger",
    "or younger",
    "und weniger",
    "und junger",
    "et moins",
    "o menos",
];
/// Between two numbers.
const TO: &[&str] =
    &["to", "bis", "a", "al", "until", "and", "au", "tot", "do", "till", "och", "til", "und", "et", "y"];

struct Token<'a> {
    between: &'a str,
    word: String,
    number: Option<f32>,
}

/// The numbers that a question names, those of measures, codes and hours left out.
pub(super) fn numbers(text: &str) -> Vec<Number> {
    let tokens = tokens(text);
    let mut numbers = Vec::new();
    for (at, token) in tokens.iter().enumerate() {
        if let Some(value) = token.number {
            numbers.push(Number { value, unit: unit(&tokens, at) });
        }
    }
    numbers
}

/// Whether a text's ranges hold a question's numbers: 1 when they do, −1 when all of them speak of
/// other numbers, 0 when nothing can be said.
pub(super) fn within(numbers: &[Number], text: &str) -> f32 {
    if numbers.is_empty() {
        return 0.0;
    }
    let ranges = ranges(text);
    let mut verdict = 0.0f32;
    for number in numbers {
        let alike = |range: &&Range| match (number.unit, range.unit) {
            (Some(a), Some(b)) => a == b,
            // Hours are no ages and no prices.
            (Some(Unit::Clock), None) | (None, Some(Unit::Clock)) => false,
            _ => true,
        };
        let mut of_kind = ranges.iter().filter(alike).peekable();
        if of_kind.peek().is_none() {
            continue;
        }
        if of_kind.any(|range| (range.least..=range.most).contains(&number.value)) {
            return 1.0;
        }
        // Without units on both sides two numbers may have nothing to do with each other.
        if number.unit.is_some() && ranges.iter().any(|range| range.unit == number.unit) {
            verdict = -1.0;
        }
    }
    verdict
}

fn ranges(text: &str) -> Vec<Range> {
    let tokens = tokens(text);
    let mut ranges: Vec<Range> = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        let Some(value) = tokens[at].number else {
            at += 1;
            continue;
        };
        let unit = unit(&tokens, at);
        // `4–15`, `4 to 15`, `20 ft and up to 32 ft`.
        let second = (at + 1..tokens.len().min(at + 3)).find(|other| tokens[*other].number.is_some());
        if let Some(other) = second
            && let Some(most) = tokens[other].number
            && most > value
        {
            let dash = other == at + 1 && tokens[other].between.contains(['-', '–', '—', '‑', '/']);
            let joined = other == at + 2 && TO.contains(&tokens[at + 1].word.as_str());
            if dash || joined {
                ranges.push(Range { least: value, most, unit: unit.or_else(|| self::unit(&tokens, other)) });
                at = other + 1;
                continue;
            }
        }
        let (least, most) =
            if follows(&tokens, at, AND_MORE) || tokens.get(at + 1).is_some_and(|next| next.between.starts_with('+')) {
                (value, f32::INFINITY)
            } else if follows(&tokens, at, AND_LESS) || precedes(&tokens, at, UP_TO) {
                (0.0, value)
            } else if precedes(&tokens, at, FROM) {
                (value, f32::INFINITY)
            } else {
                at += 1;
                continue;
            };
        match ranges.last_mut() {
            // `over 20 ft and up to 32 ft` is one range.
            Some(last) if last.most.is_infinite() && most.is_finite() && last.least < most => last.most = most,
            _ => ranges.push(Range { least, most, unit }),
        }
        at += 1;
    }
    ranges
}

fn precedes(tokens: &[Token<'_>], at: usize, phrases: &[&str]) -> bool {
    (1..=2.min(at)).any(|length| {
        let phrase = tokens[at - length..at].iter().map(|token| token.word.as_str()).collect::<Vec<_>>().join(" ");
        phrases.contains(&phrase.as_str())
    })
}

fn follows(tokens: &[Token<'_>], at: usize, phrases: &[&str]) -> bool {
    // A unit may stand between: `18 years and over`.
    [1, 2].into_iter().any(|skip| {
        let rest = tokens.get(at + skip..).unwrap_or_default();
        (1..=2.min(rest.len())).any(|length| {
            let phrase = rest[..length].iter().map(|token| token.word.as_str()).collect::<Vec<_>>().join(" ");
            phrases.contains(&phrase.as_str())
        })
    })
}

/// Whether a word is a unit of something that is counted.
pub(super) fn is_unit(word: &str) -> bool {
    UNITS.iter().any(|(_, words)| words.contains(&word))
}

/// The unit that stands after a number, or a word before it that names one: `aged 7`, `im 19`.
fn unit(tokens: &[Token<'_>], at: usize) -> Option<Unit> {
    const AGED: &[&str] = &["im", "aged", "age", "ages", "shes", "hes", "bin", "tengo", "mit", "alter", "under"];
    let of = |word: &str| UNITS.iter().find(|(_, words)| words.contains(&word)).map(|(unit, _)| *unit);
    let after = (at + 1..tokens.len().min(at + 3)).find_map(|next| of(&tokens[next].word));
    let before = at.checked_sub(1).map(|before| tokens[before].word.as_str());
    let money = tokens[at].between.ends_with(['£', '$', '€']).then_some(Unit::Money);
    let colon = |at: usize| tokens.get(at).is_some_and(|token| token.between == ":");
    let clock = (colon(at + 1) || (at > 0 && colon(at))).then_some(Unit::Clock);
    clock.or(money).or(after).or_else(|| before.filter(|word| AGED[..8].contains(word)).map(|_| Unit::Years))
}

fn tokens(text: &str) -> Vec<Token<'_>> {
    let mut tokens = Vec::new();
    let mut rest = text;
    while let Some(start) = rest.find(char::is_alphanumeric) {
        let (between, after) = rest.split_at(start);
        let first = after.chars().next().unwrap_or(' ');
        let is_number = |c: char| c.is_ascii_digit() || matches!(c, '.' | ',');
        let length = match first.is_ascii_digit() {
            true => after.find(|c: char| !is_number(c)).unwrap_or(after.len()),
            false => after.find(|c: char| !c.is_alphanumeric()).unwrap_or(after.len()),
        };
        let raw = after[..length].trim_end_matches(['.', ',']);
        let is_hour = after[length..].starts_with(':') || between.ends_with(':');
        let number = number(raw).filter(|_| first.is_ascii_digit() && !is_hour);
        tokens.push(Token { between, word: folded(raw).concat(), number });
        rest = &after[length..];
    }
    tokens
}

fn number(raw: &str) -> Option<f32> {
    let whole: Vec<&str> = raw.split([',', '.']).collect();
    match whole[..] {
        [number] => number.parse().ok(),
        [thousands, rest] if rest.len() == 3 && thousands.len() <= 3 => format!("{thousands}{rest}").parse().ok(),
        [units, cents] => format!("{units}.{cents}").parse().ok(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_lie_within_ranges() {
        for (question, text, verdict) in [
            ("my 7 yr old", "Children and teenagers, 4 to 15 years", 1.0),
            ("my 9 yr old", "Under 16 years", 1.0),
            ("im 19", "You have to be aged 21 and over", -1.0),
            ("theres 10 of us coming", "9 to 14", 1.0),
            ("its 24 foot", "Over 20 ft and up to 32 ft", 1.0),
            ("its 24 foot", "Up to 20 ft", -1.0),
            ("mit 10 jahren", "Kinder und Jugendliche, 4 bis 15 Jahre", 1.0),
            ("a 40 dollar order", "orders over $75", -1.0),
            ("open at 10:30", "9 to 14", 0.0),
            ("hello", "9 to 14", 0.0),
            ("7", "no numbers", 0.0),
        ] {
            assert_eq!(within(&numbers(question), text), verdict, "{question} / {text}");
        }
    }
}
