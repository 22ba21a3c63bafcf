//! Days of the week and months that a text speaks of, ranges included: `Mon–Fri`, `April to October`.
//! Invariant: linear in the text. A range goes forward: `Fri–Mon` is four days.

use super::language::{Language, List, Lists};
use super::words::folded;

/// Days and months, one bit each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Calendar {
    /// From Monday on.
    pub(super) days: u8,
    /// From January on.
    pub(super) months: u16,
}

const WEEK: u8 = 0x7f;
const WORKDAYS: u8 = 0x1f;
const WEEKEND: u8 = 0x60;
/// March to May and so on: bits of the months in each season.
const SEASONS: [u16; 4] = [0b0000_0001_1100, 0b0000_1110_0000, 0b0111_0000_0000, 0b1000_0000_0011];
/// Between the two ends of a range so many words may stand: `1 April to 31 October`.
const RANGE_WORDS_MAX: usize = 3;
/// Two words may make a phrase: `every day`.
const PHRASE_WORDS_MAX: usize = 3;

/// A word of a text with what stands before it.
struct Token<'a> {
    between: &'a str,
    raw: &'a str,
    word: String,
}

/// The last day or month that was read, from which a range may go on.
#[derive(Clone, Copy)]
struct From {
    index: u8,
    words_since: usize,
    joins: bool,
}

impl Calendar {
    /// Those of a text, by the names of its language and of English.
    pub(super) fn of(text: &str, language: Language) -> Self {
        let tokens = tokens(text);
        let mut calendar = Self::default();
        let (mut day, mut month): (Option<From>, Option<From>) = (None, None);
        for (at, token) in tokens.iter().enumerate() {
            let lists = lists(&token.word, language);
            let is = |list| lists.has(list);
            let dash = token.between.contains(['-', '–', '—', '‑', '~', '〜']);
            let joins = is(List::To) && !matches!(token.word.as_str(), "and" | "y" | "et" | "und");
            for from in [&mut day, &mut month] {
                *from = from.map(|from| From {
                    index: from.index,
                    words_since: from.words_since + 1,
                    joins: from.joins || dash || joins,
                });
                if from.is_some_and(|from| from.words_since > RANGE_WORDS_MAX) {
                    *from = None;
                }
            }
            if let Some(index) = (0..7).find(|index| is(List::Day(*index)) && is_meant(&tokens, at)) {
                calendar.days |= reach(day, index, 7) as u8;
                day = Some(From { index, words_since: 0, joins: false });
            }
            if let Some(index) = (0..12).find(|index| is(List::Month(*index)) && is_meant(&tokens, at)) {
                calendar.months |= reach(month, index, 12);
                month = Some(From { index, words_since: 0, joins: false });
            }
            if let Some(season) = (0..4).find(|season| is(List::Season(*season))) {
                calendar.months |= SEASONS[usize::from(season)];
            }
            calendar.days |= phrase_days(&tokens[at..], language);
        }
        calendar
    }

    /// Whether it speaks of neither.
    pub(super) const fn is_empty(self) -> bool {
        self.days == 0 && self.months == 0
    }
}

/// The bits from the end before to this one, or this one alone.
fn reach(from: Option<From>, to: u8, count: u8) -> u16 {
    let Some(from) = from.filter(|from| from.joins) else { return 1 << to };
    let length = (to + count - from.index) % count;
    (0..=length).fold(0, |bits, step| bits | 1 << ((from.index + step) % count))
}

/// Which lists have a word or phrase, in a language or in English.
fn lists(phrase: &str, language: Language) -> Lists {
    let own = language.lists(phrase);
    if language == Language::English { own } else { own.and(Language::English.lists(phrase)) }
}

/// `weekdays`, `at the weekend`, `every day`.
fn phrase_days(tokens: &[Token<'_>], language: Language) -> u8 {
    // Most words begin no phrase.
    let longest = |first: &Token<'_>| language.longest(&first.word).max(Language::English.longest(&first.word));
    let longest = tokens.first().map_or(0, longest).min(PHRASE_WORDS_MAX);
    let mut phrase = String::new();
    let mut days = 0;
    for token in tokens.iter().take(longest) {
        if !phrase.is_empty() {
            phrase.push(' ');
        }
        phrase.push_str(&token.word);
        let lists = lists(&phrase, language);
        days |= if lists.has(List::Weekdays) { WORKDAYS } else { 0 };
        days |= if lists.has(List::Weekend) { WEEKEND } else { 0 };
        days |= if lists.has(List::Daily) { WEEK } else { 0 };
    }
    days
}

/// Short names are other words too: `may`, `sat`, and the German `so` and `do`. They are days and
/// months where they are written as such.
fn is_meant(tokens: &[Token<'_>], at: usize) -> bool {
    let token = &tokens[at];
    let next = tokens.get(at + 1);
    let is_capital = token.raw.starts_with(char::is_uppercase);
    let number_beside =
        |token: Option<&Token<'_>>| token.is_some_and(|token| token.word.starts_with(|c: char| c.is_ascii_digit()));
    let set_off =
        next.is_none_or(|next| next.between.contains([':', '.', '-', '–', '—', ',', '/', '&', '+', '\n', '|']));
    match token.word.chars().count() {
        0..=2 => is_capital && (set_off || number_beside(next)),
        3 if token.word == "may" || token.word == "mar" || token.word == "mai" => {
            const BEFORE: &[&str] = &[
                "in", "of", "by", "until", "till", "from", "since", "to", "im", "en", "au", "du", "late", "early",
                "this", "next",
            ];
            let before = at.checked_sub(1).and_then(|before| tokens.get(before));
            number_beside(before)
                || number_beside(next)
                || before.is_some_and(|before| BEFORE.contains(&before.word.as_str()))
                || (is_capital && set_off)
        }
        _ => true,
    }
}

fn tokens(text: &str) -> Vec<Token<'_>> {
    let mut tokens = Vec::new();
    let mut rest = text;
    while let Some(start) = rest.find(char::is_alphanumeric) {
        let (between, after) = rest.split_at(start);
        let length = after.find(|c: char| !c.is_alphanumeric()).unwrap_or(after.len());
        let (raw, after) = after.split_at(length);
        // Plain letters are folded by making them small.
        let word = if raw.is_ascii() { raw.to_ascii_lowercase() } else { folded(raw).concat() };
        tokens.push(Token { between, raw, word });
        rest = after;
    }
    tokens
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_and_months_are_read() {
        use Language::{English, German};
        for (text, language, days, months) in [
            ("Monday to Friday, 9 to 5", English, WORKDAYS, 0),
            ("Mon–Fri", English, WORKDAYS, 0),
            ("Mon, Wed and Fri", English, 0b001_0101, 0),
            ("Saturday and Sunday", English, WEEKEND, 0),
            ("are you open on sundays", English, 0b100_0000, 0),
            ("at the weekend", English, WEEKEND, 0),
            ("every day, 5:30 am to 10:00 pm", English, WEEK, 0),
            ("Fri-Mon", English, 0b111_0001, 0),
            ("April to October", English, 0, 0b0011_1111_1000),
            ("1 November to 31 March", English, 0, 0b1100_0000_0111),
            ("you may come", English, 0, 0),
            ("in may", English, 0, 0b1_0000),
            ("15 May", English, 0, 0b1_0000),
            ("Mo–Fr 8–12 Uhr", German, WORKDAYS, 0),
            ("Do: 14–18", German, 0b000_1000, 0),
            ("so geht das", German, 0, 0),
            ("freitags", German, 0b001_0000, 0),
            ("im dezember am samstag", German, 0b010_0000, 0b1000_0000_0000),
            ("", English, 0, 0),
        ] {
            assert_eq!(Calendar::of(text, language), Calendar { days, months }, "{text}");
        }
    }
}
