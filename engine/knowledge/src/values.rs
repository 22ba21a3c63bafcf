//! Recognises the values that people ask a business for: amounts, times, durations, dates, numbers,
//! telephone numbers, addresses.
//! Invariant: linear in the text; tells that something is there, and never what it means.

use std::cell::OnceCell;
use std::sync::LazyLock;

use regex::Regex;

use super::language::{Language, List, Lists};
use super::words::fold;

/// What a text has; one bit each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Values(u16);

impl Values {
    pub(super) const MONEY: Self = Self(1);
    pub(super) const FREE: Self = Self(1 << 1);
    pub(super) const CLOCK: Self = Self(1 << 2);
    pub(super) const CLOSED: Self = Self(1 << 3);
    pub(super) const DURATION: Self = Self(1 << 4);
    pub(super) const DATE: Self = Self(1 << 5);
    pub(super) const NUMBER: Self = Self(1 << 6);
    pub(super) const PERCENT: Self = Self(1 << 7);
    pub(super) const PHONE: Self = Self(1 << 8);
    pub(super) const MAIL: Self = Self(1 << 9);
    pub(super) const ADDRESS: Self = Self(1 << 10);
    pub(super) const DAY: Self = Self(1 << 11);

    /// All of both.
    pub(super) const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether any of the others is there.
    pub(super) const fn has_any(self, others: Self) -> bool {
        self.0 & others.0 != 0
    }

    /// Which of some values a text has: only these are looked for.
    pub(super) fn among(text: &str, language: Language, wanted: Self) -> Self {
        let seen = Seen::new(text, language);
        let all = (0..KINDS).map(|bit| Self(1 << bit)).filter(|value| wanted.has_any(*value) && seen.has(*value));
        all.fold(Self::default(), Self::and)
    }

    /// The telephone numbers and mail addresses of a text, as far as they are wanted: digits alone, letters small.
    pub(super) fn contacts(text: &str, wanted: Self) -> Vec<String> {
        let patterns = &*PATTERNS;
        let mut found = Vec::new();
        if wanted.has_any(Self::PHONE) {
            let phones = patterns.phone.find_iter(text);
            let phones = phones.filter(|phone| is_phone(phone.as_str(), &text[..phone.start()]));
            found.extend(phones.map(|phone| phone.as_str().chars().filter(char::is_ascii_digit).collect()));
        }
        if wanted.has_any(Self::MAIL) {
            let mail = patterns.by_value.iter().filter(|(_, value)| *value == Self::MAIL);
            found.extend(mail.flat_map(|(mail, _)| mail.find_iter(text)).map(|mail| mail.as_str().to_lowercase()));
        }
        found
    }

    /// Whether a text has a number that is no price, hour, date or share.
    pub(super) fn counts(text: &str) -> bool {
        let others = Self::MONEY.and(Self::CLOCK).and(Self::DATE).and(Self::PERCENT);
        let mut rest = text.to_string();
        for (pattern, _) in PATTERNS.by_value.iter().filter(|(_, value)| others.has_any(*value)) {
            rest = pattern.replace_all(&rest, " ").into_owned();
        }
        rest.contains(char::is_numeric) || NUMBER_WORDS.is_match(&rest) || rest.chars().any(|c| CJK_NUMBERS.contains(c))
    }

    /// Whether a text has any of some values: only these are looked for.
    pub(super) fn has(text: &str, language: Language, wanted: Self) -> bool {
        if wanted == Self::default() {
            return false;
        }
        let seen = Seen::new(text, language);
        (0..KINDS).map(|bit| Self(1 << bit)).any(|value| wanted.has_any(value) && seen.has(value))
    }
}

/// Written numbers.
const CJK_NUMBERS: &str = "一二三四五六七八九十百千万两";

/// How many kinds of values there are.
const KINDS: u16 = 12;

/// A text that is looked at for values.
struct Seen<'a> {
    text: &'a str,
    /// Folded, with a space at each end; made when it is first asked for.
    line: OnceCell<String>,
    /// The lists of which the line has an entry, in its language and in English.
    lists: OnceCell<Lists>,
    language: Language,
}

impl<'a> Seen<'a> {
    fn new(text: &'a str, language: Language) -> Self {
        Self { text, line: OnceCell::new(), lists: OnceCell::new(), language }
    }

    fn has(&self, value: Values) -> bool {
        let patterns = &*PATTERNS;
        let matches = || {
            let mut of_value = patterns.by_value.iter().filter(|(_, of)| *of == value);
            self.may_match(value) && of_value.any(|(pattern, _)| pattern.is_match(self.text))
        };
        let number = || self.text.contains(|c: char| c.is_ascii_digit());
        match value {
            Values::FREE => self.says(List::Free),
            Values::CLOSED => self.says(List::Closed),
            Values::CLOCK => matches() || self.says(List::Noon),
            Values::DAY => {
                let days = (0..7).map(List::Day).chain([List::Weekdays, List::Weekend, List::Daily]);
                days.into_iter().any(|list| self.says(list))
            }
            Values::DATE => matches() || (number() && (0..12).any(|month| self.says(List::Month(month)))),
            Values::DURATION => self.says(List::TimeUnits) && (number() || NUMBER_WORDS.is_match(self.text)),
            Values::PHONE => {
                patterns.phone.find_iter(self.text).any(|found| is_phone(found.as_str(), &self.text[..found.start()]))
            }
            Values::ADDRESS => number() && patterns.street.is_match(self.text),
            _ => matches(),
        }
    }

    /// Most texts have nothing of what a pattern cannot do without.
    fn may_match(&self, value: Values) -> bool {
        match value {
            Values::MAIL => self.text.contains('@'),
            // In other scripts there are other digits, and words for numbers.
            Values::MONEY | Values::DATE | Values::NUMBER | Values::PERCENT => {
                !self.text.is_ascii() || self.text.bytes().any(|byte| byte.is_ascii_digit())
            }
            _ => true,
        }
    }

    fn says(&self, list: List) -> bool {
        let line = self.line.get_or_init(|| format!(" {} ", fold(self.text)));
        let lists = self.lists.get_or_init(|| self.language.lists_in(line).and(Language::English.lists_in(line)));
        lists.has(list)
            || (self.language.is_spaceless() && self.language.entries(list).any(|entry| contains(line, entry)))
    }
}

/// Whether a folded line, with a space at each end, has a phrase as whole words; scripts without
/// spaces have it anywhere.
pub(super) fn contains(line: &str, phrase: &str) -> bool {
    places(line, phrase).next().is_some()
}

/// Where it stands so.
pub(super) fn places<'a>(line: &'a str, phrase: &'a str) -> impl Iterator<Item = std::ops::Range<usize>> + 'a {
    let spaceless = phrase.chars().all(super::words::is_spaceless);
    let step = phrase.chars().next().map_or(1, char::len_utf8);
    let mut from = 0;
    std::iter::from_fn(move || {
        while let Some(at) = line[from..].find(phrase).map(|at| from + at) {
            let end = at + phrase.len();
            from = at + step;
            if spaceless || (line[..at].ends_with(' ') && line[end..].starts_with(' ')) {
                return Some(at..end);
            }
        }
        None
    })
}

struct Patterns {
    by_value: Vec<(Regex, Values)>,
    phone: Regex,
    street: Regex,
}

#[allow(clippy::expect_used, reason = "the patterns are constants; a test builds them")]
static PATTERNS: LazyLock<Patterns> = LazyLock::new(|| {
    let pattern = |text: &str| Regex::new(text).expect("a pattern is well-formed");
    Patterns {
        by_value: vec![
            (pattern(MONEY), Values::MONEY),
            (pattern(CLOCK), Values::CLOCK),
            (pattern(DATE), Values::DATE),
            (pattern(r"\d|[一二三四五六七八九十百千万两]+"), Values::NUMBER),
            (
                pattern(r"\d\s?(?:%|percent|per cent|Prozent|pour cent|por ciento|por cento|procent|prosent)"),
                Values::PERCENT,
            ),
            (pattern(r"[A-Za-z0-9._%+-]+@[A-Za-z0-9-]+\.[A-Za-z0-9.-]*[A-Za-z]"), Values::MAIL),
        ],
        phone: pattern(r"(?:\+|\(\d{2,5}\)\s?|\b0|\b\d{3}[ -])[\d ()/.\u{2011}\u{a0}-]{5,20}\d"),
        street: pattern(
            r"(?i:[a-zäöüß]{3,}(?:stra(?:ß|ss)e|str\.|weg|gasse|platz|allee|ufer|straat|laan|plein|vej|gade|gatan|vägen|gata|veien)\s?\d)|\b\d+[A-Za-z]?(?:-\d+)?,?\s+(?:[A-Z][\w'’.-]*\s+){1,4}(?:Street|St|Road|Rd|Lane|Ln|Avenue|Ave|Square|Drive|Wharf|Terrace|Court|Close|Way|Quay|Row|Parade|Crescent|Boulevard|Blvd|Highway|Place|Yard|Mews|Green|Hill|Gate|Spur|Walk)\b|\b\d+[A-Za-z]?,?\s+(?:[A-Z][\w'’]+\s?){1,3},\s+[A-Z]|(?i:\b(?:rue|avenue|chemin|place|route|impasse|calle|c/|avenida|plaza|camino|carrer|passeig|via|viale|piazza|rua|ul\.|ulica|улица|ул\.)\s+\S)|\b[A-Z]{1,2}\d[\dA-Z]? ?\d[A-Z]{2}\b|\b[A-Z]{2} \d{5}\b|\b\d{5}\s+[A-ZÄÖÜÉ][a-zäöüßé]{2,}",
        ),
    }
});

#[allow(clippy::expect_used, reason = "the pattern is a constant; a test builds it")]
static NUMBER_WORDS: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(
        r"(?i)\b(?:one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|fourteen|twenty|thirty|sixty|ninety|ein(?:e|en|er|em)?|zwei|drei|vier|fünf|sechs|sieben|acht|neun|zehn|zwölf|vierzehn|un|une|deux|trois|quatre|cinq|six|sept|huit|neuf|dix|quinze|una?|dos|tres|cuatro|cinco|seis|siete|ocho|nueve|diez|quince|uno|due|tre|quattro|cinque|sei|sette|otto|nove|dieci|dois|duas|três|dez|twee|drie|vijf|zes|zeven|negen|tien)\b",
    )
    .expect("a pattern is well-formed")
});

/// Currencies before or after a number, and small coins after one.
const MONEY: &str = r"(?i)(?:[£$€¥₽₩₺]|\b(?:usd|eur|gbp|chf|cad|aud|pln|sek|nok|dkk|jpy|cny|rmb|rub|try|fr\.|r\$|kr\.?))\s?\d|\d(?:[.,]?\d|[.,]-{1,2}|[.,]–)*[¹²³⁰⁴-⁹]*\s?(?:[£$€¥₽₩₺]|(?:usd|eur|euros?|gbp|chf|cad|aud|pln|sek|nok|dkk|pounds?|dollars?|francs?|franken|fr\.|pence|cents?|ct|centimes|zł|złotych|kr|kronor|kroner|руб\w*|р\.|тл|tl|lira|reais|yuan|yen|won)\b)|\d(?:[.,]?\d)*\s?(?:元|円|원|块|圓|ريال|درهم|دينار|دنانير|جنيه)|[一二三四五六七八九十百千万两〇零]+\s?(?:元|円|圓|块|塊)|[일이삼사오육칠팔구십백천만]+\s?원|(?:خمسة|ستة|سبعة|ثمانية|تسعة|عشرة|ثلاثة|أربعة|عشرين)\s+(?:دنانير|دراهم|ريالات|جنيهات)|\b\d{1,3}p\b|\d[.,]–";
/// Hours of the clock.
const CLOCK: &str = r"(?i)\b\d{1,2}(?:[.:]\d{2})?\s?(?:am|pm|a\.m\.|p\.m\.)|\b(?:[01]?\d|2[0-4])[:h][0-5]\d\b|\b\d{1,2}(?:[.:]\d{2})?\s?(?:uhr|heures?|h|horas?|uur|час\w*)\b|\b(?:[01]?\d|2[0-4])\s?(?:-|–|—|to|bis)\s?(?:[01]?\d|2[0-4])\s?(?:uhr|h|am|pm)\b|\d{1,2}[点點時시]|o.clock|24/7|24 hours";
/// Days of the calendar by numbers.
const DATE: &str = r"\b\d{1,2}[./]\d{1,2}[./](?:\d{4}|\d{2})\b|\b\d{4}-\d{2}-\d{2}\b|\b\d{1,2}\.\d{1,2}\.(?:\D|$)|\d{1,2}月|\b20\d\d\b";

/// Numbers that are no telephone's, by the words that stand before them: of accounts, registers and taxes.
const OTHER_NUMBERS: &[&str] = &[
    "iban",
    "bic",
    "account",
    "sort code",
    "konto",
    "compte",
    "cuenta",
    "conto",
    "rekening",
    "vat",
    "tax",
    "ust",
    "umsatzsteuer",
    "steuernummer",
    "uid",
    "tva",
    "iva",
    "nif",
    "cif",
    "btw",
    "kvk",
    "siret",
    "siren",
    "rcs",
    "company no",
    "company number",
    "company reg",
    "registered no",
    "registration no",
    "registration number",
    "register",
    "handelsregister",
    "hrb",
    "hra",
    "eori",
    "charity no",
    "charity number",
    "ein",
    "duns",
    "isbn",
    "order no",
    "order number",
    "serial",
    "licence no",
    "license no",
    "org nr",
    "orgnr",
    "cvr",
    "nip",
    "regon",
    "krs",
    "инн",
    "огрн",
    "кпп",
    "vergi",
];
/// How much before a number is looked at for such words, in bytes.
const LABEL_BYTES: usize = 48;

/// Not an amount, a date or a year: seven digits or more. Nor the rest of a longer number, nor one that is said to be
/// something else.
fn is_phone(found: &str, before: &str) -> bool {
    let digits = found.chars().filter(char::is_ascii_digit).count();
    let goes_on = !found.starts_with('+') && before.trim_end_matches([' ', '-', '/', '.']).ends_with(is_digit);
    let label = &before[before.ceil_char_boundary(before.len().saturating_sub(LABEL_BYTES))..];
    // The nearest clause: `IBAN DE89 …, telephone 0123 …` has both.
    let label = label.rsplit([',', ';', '|', '\n', '(']).next().unwrap_or_default();
    let line = format!(" {} ", fold(label));
    let other = OTHER_NUMBERS.iter().any(|word| contains(&line, word));
    (7..=15).contains(&digits) && !found.contains("  ") && !goes_on && !other
}

fn is_digit(c: char) -> bool {
    c.is_ascii_digit()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_recognised() {
        use Language::{English, German};
        let none = Values::default();
        for (text, language, there, not_there) in [
            ("£4.50 a cup", English, Values::MONEY, Values::CLOCK.and(Values::PHONE)),
            ("It costs 12 euros.", English, Values::MONEY, none),
            ("From 75¹ euros on.", English, Values::MONEY, none),
            ("37,00 €", German, Values::MONEY, Values::DATE),
            ("9p a message", English, Values::MONEY, Values::CLOCK),
            ("CHF 120.–", German, Values::MONEY, none),
            ("Fr. 35.–", German, Values::MONEY, none),
            ("运费为90元", Language::Chinese, Values::MONEY, none),
            ("An account is free of charge.", English, Values::FREE, Values::MONEY),
            ("5.30pm to 9pm", English, Values::CLOCK, Values::MONEY.and(Values::PHONE)),
            ("12 noon to 3pm", English, Values::CLOCK, none),
            ("9:00 – 11:30", German, Values::CLOCK, Values::PHONE),
            ("10–13 Uhr", German, Values::CLOCK, none),
            ("Sunday: closed", English, Values::CLOSED.and(Values::DAY), Values::CLOCK),
            ("within 14 days", English, Values::DURATION, Values::DATE),
            ("zwei Wochen", German, Values::DURATION, none),
            ("17 November 2026", English, Values::DATE, none),
            ("01632 960184", English, Values::PHONE, Values::MONEY),
            ("(541) 555-0118", English, Values::PHONE, none),
            ("0113 496 0172", English, Values::PHONE, none),
            ("Tel. 05541 90009-270", German, Values::PHONE, none),
            ("IBAN DE89 3704 0044 0532 0130 00", English, none, Values::PHONE),
            ("Company number: 0123 456 789", English, none, Values::PHONE),
            ("USt-IdNr. 0123 456 789", German, none, Values::PHONE),
            ("IBAN DE89 3704 0044 0532 0130 00, Tel. 05541 90009-270", German, Values::PHONE, none),
            ("events@heron.example", English, Values::MAIL, none),
            ("77 Alder Spur, Bristow Landing, OR 97000", English, Values::ADDRESS, Values::MONEY),
            ("4 Tannery Wharf", English, Values::ADDRESS, none),
            ("Lindenstraße 4", German, Values::ADDRESS, none),
            ("3.2%", English, Values::PERCENT, none),
            ("Nobody may stay here.", English, none, Values::NUMBER.and(Values::MONEY)),
        ] {
            let values = Values::among(text, language, Values(u16::MAX));
            for bit in 0..12 {
                let one = Values(1 << bit);
                assert!(!there.has_any(one) || values.has_any(one), "{text}: {bit} is missing");
                assert!(!not_there.has_any(one) || !values.has_any(one), "{text}: {bit} is too much");
            }
        }
    }
}
