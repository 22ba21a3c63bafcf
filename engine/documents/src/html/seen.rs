//! What a page shows, looked through for what it states of itself: a fact is told again in other spellings, by its
//! digits, its amount, its times.
//! Invariant: a fact is taken for shown only where its own value is; looking costs in proportion to the text.

use std::collections::HashSet;

use super::amounts::{clock_times, digit_runs, hundredths, national, prices};
use super::labels::{self, Labels};

/// So much of the visible text is looked through, in bytes.
const BYTES_MAX: usize = 512 * 1024;
/// A longer value is looked for by its beginning, in characters.
const VALUE_CHARS_MAX: usize = 120;
/// A price belongs to a name with so many letters between them, behind it and before it.
const NEAR_BEHIND: usize = 400;
const NEAR_BEFORE: usize = 60;
/// Places of one name that are looked at.
const PLACES_MAX: usize = 20;
/// Prices of a page that are looked at.
const PRICES_MAX: usize = 20_000;
/// A number to call has so many digits at least.
const TELEPHONE_DIGITS_MIN: usize = 6;

/// What is shown, and what was written since.
#[derive(Default)]
pub(super) struct Seen {
    /// Letters and digits alone, small.
    plain: String,
    /// Letters of what the page is called.
    title: String,
    /// Where prices stand in the plain text, with their hundredths.
    prices: Vec<(usize, u64)>,
    times: HashSet<u16>,
    /// Words in small letters; those of two letters only where they begin with a capital.
    words: HashSet<String>,
    telephones: Vec<String>,
}

impl Seen {
    pub(super) fn new(title: Option<&str>, shown: &str) -> Self {
        let mut seen = Self { title: plain(title.unwrap_or_default()), ..Self::default() };
        seen.add(title.unwrap_or_default());
        seen.add(shown);
        seen
    }

    /// More is shown.
    pub(super) fn add(&mut self, words: &str) {
        let mut end = words.len().min(BYTES_MAX.saturating_sub(self.plain.len()));
        while !words.is_char_boundary(end) {
            end -= 1;
        }
        let words = &words[..end];
        let characters: Vec<char> = words.chars().collect();
        // Where each character stands in the plain text.
        let mut places = Vec::with_capacity(characters.len());
        for c in &characters {
            places.push(self.plain.len());
            self.plain.extend(Some(*c).filter(is_plain).into_iter().flat_map(char::to_lowercase));
        }
        let of_price = |(at, number): (usize, String)| Some((*places.get(at)?, hundredths(&number)?));
        self.prices.extend(prices(&characters, PRICES_MAX).into_iter().filter_map(of_price));
        self.times.extend(clock_times(words));
        self.telephones.extend(digit_runs(words));
        let words = words.split(|c: char| !c.is_alphabetic()).filter(|word| !word.is_empty());
        let tells = |word: &&str| word.len() > 2 || word.starts_with(char::is_uppercase);
        self.words.extend(words.filter(tells).map(str::to_lowercase));
    }

    /// Whether a value is there, however it is written.
    pub(super) fn has(&self, value: &str) -> bool {
        let value: String = plain(value).chars().take(VALUE_CHARS_MAX).collect();
        value.is_empty() || self.plain.contains(&value)
    }

    /// Whether a number to call is there, with its country's code or without.
    pub(super) fn has_telephone(&self, number: &str) -> bool {
        let digits = national(number);
        let is_one = digits.len() >= TELEPHONE_DIGITS_MIN;
        self.has(number) || (is_one && self.telephones.iter().any(|run| run.contains(&digits)))
    }

    /// Whether all amounts of a price stand near what they are the price of.
    pub(super) fn has_price(&self, name: &str, price: &str) -> bool {
        let numbers = price.split(|c: char| !c.is_ascii_digit() && !matches!(c, '.' | ','));
        let mut amounts = numbers.filter(|number| !number.is_empty()).map(hundredths).peekable();
        amounts.peek().is_some()
            && amounts.all(|amount| amount.is_some_and(|amount| self.near(name, |run| self.is_price(run, amount))))
    }

    fn is_price(&self, (from, to): (usize, usize), amount: u64) -> bool {
        let first = self.prices.partition_point(|(at, _)| *at < from);
        self.prices[first..].iter().take_while(|(at, _)| *at < to).any(|(_, one)| *one == amount)
    }

    /// Whether words stand near a name.
    pub(super) fn has_near(&self, name: &str, words: &str) -> bool {
        let words = plain(words);
        let is_there = |(from, to): (usize, usize)| {
            let (mut from, mut to) = (from, to);
            while !self.plain.is_char_boundary(from) {
                from -= 1;
            }
            while !self.plain.is_char_boundary(to) {
                to += 1;
            }
            self.plain[from..to].contains(&words)
        };
        words.is_empty() || self.near(name, is_there)
    }

    /// Whether the page is about what has this name.
    fn is_title(&self, name: &str) -> bool {
        !name.is_empty() && !self.title.is_empty() && (self.title.contains(name) || name.contains(&self.title))
    }

    /// Whether something holds for the text around a name; of what the page is about, for all of it.
    fn near(&self, name: &str, holds: impl Fn((usize, usize)) -> bool) -> bool {
        let name = plain(name);
        if name.is_empty() {
            return false;
        }
        if self.is_title(&name) {
            return holds((0, self.plain.len()));
        }
        let places = self.plain.match_indices(&name).take(PLACES_MAX);
        let around =
            |at: usize| (at.saturating_sub(NEAR_BEFORE), (at + name.len() + NEAR_BEHIND).min(self.plain.len()));
        places.map(|(at, _)| around(at)).any(holds)
    }

    /// Whether all these times of the day are there, written in whatever way.
    pub(super) fn has_times(&self, words: &str) -> bool {
        let times = clock_times(words);
        !times.is_empty() && times.iter().all(|time| self.times.contains(time))
    }

    /// Whether a day of the week is there, by its name or the first letters of it.
    pub(super) fn has_day(&self, day: usize, own: &Labels) -> bool {
        let of = |labels: &Labels| {
            let name = labels.days[day].to_lowercase();
            let ends = name.char_indices().map(|(at, _)| at).skip(2).chain([name.len()]);
            ends.into_iter().any(|end| self.words.contains(&name[..end])) || self.words.contains(&format!("{name}s"))
        };
        of(own) || of(labels::of(None))
    }
}

fn is_plain(c: &char) -> bool {
    c.is_alphanumeric() || *c == '@'
}

/// Letters and digits alone, small.
pub(super) fn plain(words: &str) -> String {
    words.chars().filter(is_plain).flat_map(char::to_lowercase).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fact_is_known_in_other_spellings_and_no_other_is() {
        let seen = Seen::new(
            Some("Lamps"),
            "Ring 020 7946 0958 or write to A@b.example. Desk lamp, now £25.00 (was 1,299.00). Shade from 7 EUR. \
             Open Mon–Fri 9am to 5.30pm, Sat 10-2.",
        );
        let rows: &[(&str, bool, bool)] = &[
            ("+44", seen.has_telephone("+44 20 7946 0958"), true),
            ("0044", seen.has_telephone("0044 (0)20 79460958"), true),
            ("another", seen.has_telephone("+44 20 7946 0959"), false),
            ("too short", seen.has_telephone("958"), true),
            ("mail", seen.has("a@b.example"), true),
            ("price", seen.has_price("Desk lamp", "25 GBP"), true),
            ("price of the page", seen.has_price("Lamps", "7.00 EUR"), true),
            ("range", seen.has_price("desk lamp", "25–1299"), true),
            ("half a range", seen.has_price("desk lamp", "25–30"), false),
            ("a price of what is not named", seen.has_price("Table", "12"), false),
            ("a price far away", seen.has_price("write to", "1299"), true),
            ("no price", seen.has_price("Desk lamp", "free"), false),
            ("a number that is no price", seen.has_price("Lamps", "10"), false),
            ("times", seen.has_times("09:00 17:30"), true),
            ("afternoon", seen.has_times("14:00"), true),
            ("other times", seen.has_times("09:00 18:00"), false),
            ("no times", seen.has_times("late"), false),
            ("Monday", seen.has_day(0, labels::of(None)), true),
            ("Saturday, in German", seen.has_day(5, labels::of(Some("de"))), true),
            ("Sunday", seen.has_day(6, labels::of(None)), false),
            ("near", seen.has_near("Desk lamp", "NOW"), true),
            ("not near", seen.has_near("Table", "now"), false),
        ];
        for (name, is, expected) in rows {
            assert_eq!(is, expected, "{name}");
        }
    }
}
