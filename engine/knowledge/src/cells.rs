//! Chooses the cells of a table's row that answer a question.
//! Invariant: what is shown are the row's own cells under their own headings.

use super::calendar::Calendar;
use super::kinds::Kinds;
use super::language::{Language, List};
use super::matching::{Matcher, Strengths, raise};
use super::question::Asked;
use super::tables::Table;
use super::values::{Values, contains};
use super::words::{fold, folded};

/// A column is meant when its heading brings this much of the question that the row's label lacks.
const GAIN_MIN: f32 = 0.05;
/// The same where words answer: then a row is shown whole unless a column is clearly meant.
const WORDED_GAIN_MIN: f32 = 0.5;
/// Headings that bring the same, but for rounding.
const TIE: f32 = 0.01;
/// What words of cells count that are not shown: they say about what the row is.
const UNSHOWN: f32 = 0.9;

/// What of a row answers.
pub(super) struct Cells {
    pub(super) own: Strengths,
    /// The chosen cells with their headings.
    pub(super) said: String,
    pub(super) shown: String,
    pub(super) calendar: Calendar,
    /// How many cells are shown.
    pub(super) count: usize,
}

/// The columns of a row that the question names, or all; nothing when the one that it names has no answer for this row
/// and others do: `Low season: on request` is not answered by the high season's price.
pub(super) fn choose(
    table: &Table,
    row: usize,
    label: &Strengths,
    asked: &Asked,
    matcher: &Matcher<'_>,
    language: Language,
) -> Option<Cells> {
    let row = &table.rows[row];
    let valued = asked.kinds.is_valued();
    let columns = candidates(table, row, asked, language);
    if valued && names_another(table, &columns, label, asked, matcher, language) {
        return None;
    }
    let heads: Vec<Strengths> = columns.iter().map(|column| matcher.of(table.head(*column))).collect();
    let gains: Vec<f32> = heads.iter().map(|head| gain(asked, head, label)).collect();
    let by_kind: Vec<bool> =
        columns.iter().map(|column| valued && says_kind(asked, table.head(*column), language)).collect();
    let by_days: Vec<bool> = columns
        .iter()
        .map(|column| {
            let head = Calendar::of(table.head(*column), language);
            head.days & asked.calendar.days != 0 || head.months & asked.calendar.months != 0
        })
        .collect();
    let best = gains.iter().copied().fold(0.0, f32::max);
    let named = best > if valued { GAIN_MIN } else { WORDED_GAIN_MIN };
    let by_words: Vec<bool> = gains.iter().map(|gain| named && *gain >= best - TIE).collect();
    let both = by_words.iter().zip(&by_days).any(|(words, day)| *words && *day);
    let takes = |at: usize| match (named, by_days.contains(&true)) {
        (true, true) if both => by_words[at] && by_days[at],
        (_, true) => by_days[at],
        (true, false) => by_words[at],
        (false, false) => by_kind[at] || !by_kind.contains(&true),
    };
    let chosen: Vec<usize> = (0..columns.len()).filter(|at| takes(*at)).collect();
    let mut own = matcher.nothing();
    let mut said = String::new();
    let mut calendar = Calendar::of(row.first().map_or("", String::as_str), language);
    for at in &chosen {
        let column = columns[*at];
        raise(&mut own, &heads[*at], 1.0);
        raise(&mut own, &matcher.of(&row[column]), 1.0);
        said.push_str(&format!("{} {} ", table.head(column), row[column]));
        // A bare number below `Price` or `Cost (£)` is an amount: it is read as one, and shown as it stands.
        if is_priced(table.head(column), &row[column], asked, language) {
            said.push_str(&format!("{} EUR ", row[column].trim()));
        }
        let head = Calendar::of(table.head(column), language);
        calendar.days |= head.days;
        calendar.months |= head.months;
    }
    for cell in row.iter().skip(1) {
        raise(&mut own, &matcher.of(cell), UNSHOWN);
    }
    let columns: Vec<usize> = chosen.iter().map(|at| columns[*at]).collect();
    Some(Cells { own, said, shown: table.line(row, &columns), calendar, count: columns.len() })
}

/// Whether the question names a column that is not among those with an answer, though it is of their kind: it has
/// answers in other rows, or its heading is told from one of theirs by a word.
fn names_another(
    table: &Table,
    fitting: &[usize],
    label: &Strengths,
    asked: &Asked,
    matcher: &Matcher<'_>,
    language: Language,
) -> bool {
    let gain_of = |column: usize| gain(asked, &matcher.of(table.head(column)), label);
    let best = fitting.iter().map(|column| gain_of(*column)).fold(0.0, f32::max);
    let wanted = asked.kinds.values();
    let fits =
        |head: &str, cell: &String| Values::has(cell, language, wanted) || is_priced(head, cell, asked, language);
    let words_of = |column: usize| folded(table.head(column));
    let is_of_their_kind = |column: usize| {
        table.rows.iter().filter_map(|row| row.get(column)).any(|cell| fits(table.head(column), cell))
            || words_of(column)
                .iter()
                .any(|word| !language.is_small(word) && fitting.iter().any(|other| words_of(*other).contains(word)))
    };
    let width = table.rows.iter().map(Vec::len).max().unwrap_or(0);
    let mut others = (1..width).filter(|column| !fitting.contains(column));
    others.any(|column| gain_of(column) > best + GAIN_MIN && is_of_their_kind(column))
}

/// The cells that are not empty; of those with a value of the asked kind, if there are any, only these.
fn candidates(table: &Table, row: &[String], asked: &Asked, language: Language) -> Vec<usize> {
    let filled: Vec<usize> = (1..row.len()).filter(|column| !row[*column].is_empty()).collect();
    if !asked.kinds.is_valued() {
        return filled;
    }
    let wanted = asked.kinds.values();
    let fits = |column: &usize| {
        Values::has(&row[*column], language, wanted) || is_priced(table.head(*column), &row[*column], asked, language)
    };
    let fitting: Vec<usize> = filled.iter().copied().filter(fits).collect();
    if fitting.is_empty() { filled } else { fitting }
}

/// Whether an amount is asked for, and a cell is a number below a heading that names one or a currency.
fn is_priced(head: &str, cell: &str, asked: &Asked, language: Language) -> bool {
    let cell = cell.trim();
    let is_number = cell.starts_with(|c: char| c.is_ascii_digit())
        && cell.chars().all(|c| c.is_ascii_digit() || matches!(c, '.' | ',' | '\'' | ' ' | '-' | '–'));
    let names_money = || {
        says_kind(asked, head, language) || head.split(|c: char| !c.is_alphanumeric() && !is_sign(c)).any(is_currency)
    };
    is_number && asked.kinds.has(Kinds::AMOUNT) && names_money()
}

const fn is_sign(c: char) -> bool {
    matches!(c, '£' | '$' | '€' | '¥' | '₽' | '₩' | '₺')
}

fn is_currency(word: &str) -> bool {
    const CODES: &[&str] =
        &["USD", "EUR", "GBP", "CHF", "CAD", "AUD", "PLN", "SEK", "NOK", "DKK", "JPY", "CNY", "RUB", "TRY", "kr", "zł"];
    (!word.is_empty() && word.chars().all(is_sign)) || CODES.contains(&word)
}

/// Whether a column's heading names what is asked for: `Price`, `Fee`.
fn says_kind(asked: &Asked, head: &str, language: Language) -> bool {
    let line = format!(" {} ", fold(head));
    let lists = [
        (Kinds::AMOUNT, List::Amount),
        (Kinds::PHONE, List::Phone),
        (Kinds::MAIL, List::Mail),
        (Kinds::ADDRESS, List::Address),
    ];
    let mut lists = lists.iter().filter(|(kind, _)| asked.kinds.has(*kind));
    lists.any(|(_, list)| language.entries(*list).any(|entry| contains(&line, entry)))
}

/// What the row's own label says need not stand in the column's heading, too.
fn gain(asked: &Asked, head: &Strengths, label: &Strengths) -> f32 {
    let terms = asked.terms.iter().zip(head.iter().zip(label));
    terms.map(|(term, (head, label))| term.weight * (head - label).max(0.0)).sum()
}
