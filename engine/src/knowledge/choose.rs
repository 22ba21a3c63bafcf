//! Which unit of the passages answers a question, if any does.
//! Invariant: a question that asks for an amount, a time, a number or an address is answered with one,
//! or not at all; a question is never an answer.

use super::calendar::Calendar;
use super::language::{Language, List};
use super::matching::{Matcher, Strengths, raise};
use super::question::{Asked, Kinds, Origin, Term};
use super::units::{Form, LINES_MAX, Read, Unit};
use super::values::{Values, contains};
use super::words::{fold, folded};

/// What words count that stand in the nearest heading, in what leads to a unit, in the headings
/// above, beside it in its paragraph, and elsewhere in its passage.
const HEADING: f32 = 0.9;
const LEAD: f32 = 0.85;
const ABOVE: f32 = 0.75;
const BESIDE: f32 = 0.5;
const PASSAGE: f32 = 0.3;
/// A heading with this share of a question asks it.
const SECTION_SHARE_MIN: f32 = 0.6;
/// A term that weighs as much says what a question is about.
const TELLING: f32 = 0.45;
/// Units whose scores differ by less than this say the same, as far as can be told.
const TIE: f32 = 0.01;
const TIED_MAX: usize = 3;

/// What is needed of a question's words for an answer, when …
#[derive(Clone, Copy, Debug)]
pub struct Thresholds {
    /// … a value of the asked kind stands there;
    pub valued: f32,
    /// … words alone answer.
    pub worded: f32,
    /// The unit's own words must have this share of the question.
    pub own: f32,
    /// Of the words that say what the question is about, at most this share may be missing.
    pub missing: f32,
}

impl Thresholds {
    /// Set on the working halves of the sets in `tests/retrieval`.
    pub const USED: Self = Self { valued: 0.62, worded: 0.66, own: 0.2, missing: 0.26 };
}

/// A piece of a passage that answers, with its citation.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Quote {
    pub(super) n: u32,
    /// The nearest heading above it, or the document's name.
    pub(super) place: String,
    pub(super) text: String,
    /// Whether it is a list, a table or a listing and not sentences.
    pub(super) is_block: bool,
}

/// A quotation that could be made, and how well it fits.
#[derive(Clone, Debug)]
pub(super) struct Candidate {
    pub(super) quote: Quote,
    /// By which candidates are ranked.
    pub(super) score: f32,
    /// The share of the question's words that it has, itself or by what leads to it: 0 to 1.
    pub(super) share: f32,
    /// The share that its own words have.
    pub(super) own: f32,
    /// The share of the words that say what the question is about which its passage has not.
    pub(super) missing: f32,
    /// Whether its heading or lead has the subject, so that its own words need not.
    pub(super) headed: bool,
    /// Whether it has a value of the asked kind, or none is asked for.
    pub(super) fits: bool,
    form: Form,
}

/// One question beside the passages found for it.
pub(super) struct Choice<'a> {
    asked: &'a Asked,
    passages: &'a [Read<'a>],
    language: Language,
    matcher: Matcher<'a>,
}

impl<'a> Choice<'a> {
    /// `language` is that of the passages.
    pub(super) fn new(asked: &'a Asked, passages: &'a [Read<'a>], language: Language) -> Self {
        let texts = passages.iter().flat_map(|read| [read.passage.text.as_str(), &read.passage.heading, &read.above]);
        let matcher = Matcher::new(asked, language, texts);
        Self { asked, passages, language, matcher }
    }

    /// The best answer, when one is good enough.
    pub(super) fn answer(&self, thresholds: Thresholds) -> Option<Quote> {
        let ranked = self.ranked();
        if std::env::var_os("DBG").is_some() {
            for c in ranked.iter().take(6) {
                eprintln!("    CAND {:.2} share {:.2} own {:.2} miss {:.2} fits {} {:?} [{}] {}", c.score, c.share, c.own, c.missing, c.fits, c.form, c.quote.n, c.quote.text.chars().take(110).collect::<String>().replace('\n', " "));
            }
        }
        let best = ranked.first()?;
        let least = if self.asked.kinds.is_valued() { thresholds.valued } else { thresholds.worded };
        if !best.fits || best.share < least || best.own < if best.headed { 0.0 } else { thresholds.own } || best.missing > thresholds.missing {
            return None;
        }
        Some(self.joined(&ranked))
    }

    /// Every quotation that could be made, the best first.
    pub(super) fn ranked(&self) -> Vec<Candidate> {
        let mut ranked = Vec::new();
        for (rank, read) in self.passages.iter().enumerate() {
            let mut all = self.matcher.of(read.passage.text.as_str());
            raise(&mut all, &self.matcher.of(&read.passage.heading), 1.0);
            let heading = self.matcher.of(read.heading);
            let above = self.matcher.of(&read.above);
            for unit in &read.units {
                ranked.extend(self.candidate(read, unit, &Around { rank, all: &all, heading: &heading, above: &above }));
            }
        }
        ranked.sort_by(|a, b| b.score.total_cmp(&a.score));
        ranked
    }

    /// The number and place of the passage that has most of the question, when that is much.
    pub(super) fn nearest(&self, least: f32) -> Option<(u32, String)> {
        let share = |read: &Read<'_>| {
            let mut all = self.matcher.of(read.passage.text.as_str());
            raise(&mut all, &self.matcher.of(&read.passage.heading), 1.0);
            self.share(&all)
        };
        let shares = self.passages.iter().map(|read| (share(read), read));
        let (share, read) = shares.max_by(|(a, _), (b, _)| a.total_cmp(b))?;
        (share >= least).then(|| (read.passage.n, read.place()))
    }

    fn candidate(&self, read: &Read<'_>, unit: &Unit, around: &Around<'_>) -> Option<Candidate> {
        if unit.form == Form::Sentences && is_question(&unit.shown) {
            return None;
        }
        let kinds = self.asked.kinds;
        let label = self.matcher.of(&unit.label);
        let mut own = self.matcher.of(&unit.own);
        let mut shown = unit.shown.clone();
        let mut said = format!("{} {}", unit.label, unit.own);
        let mut calendar = Calendar::of(&said, self.language);
        if let Some((table, row)) = unit.table.filter(|(_, row)| *row != usize::MAX) {
            let cells = self.cells(&read.tables[table], row, &label);
            own = cells.own;
            said = format!("{} {}", unit.label, cells.said);
            shown = cells.shown;
            calendar = cells.calendar;
        }
        raise(&mut own, &label, 1.0);
        let heading_asks = read.heading.ends_with(['?', '？', '؟']);
        let mut all = own.clone();
        raise(&mut all, &self.matcher.of(&unit.lead), LEAD);
        raise(&mut all, around.heading, if heading_asks { 0.97 } else { HEADING });
        raise(&mut all, around.above, ABOVE);
        raise(&mut all, &self.matcher.of(&unit.beside), BESIDE);
        if self.lacks_a_code(&all) {
            return None;
        }
        let missing = self.missing(&all);
        raise(&mut all, around.all, PASSAGE);
        let values = Values::of(&said, self.language);
        let wanted = kinds.values();
        let fits = !kinds.is_valued() || values.has_any(wanted);
        // A table of hours answers as a whole only where no day is asked for.
        let days = self.days_fit(&calendar, &unit.lead, read)?;
        let mut led = around.heading.clone();
        raise(&mut led, &self.matcher.of(&unit.lead), 1.0);
        let headed = self.share(&led) >= if kinds.is_valued() { 0.5 } else { 0.75 };
        let share = self.share(&all) * days;
        let own_share = self.share(&own);
        let mut score = share + 0.25 * own_share;
        score += if fits && kinds.is_valued() { 0.25 } else { 0.0 };
        score += 0.06 * self.precision(&unit.label, &label);
        score += 0.02 * (self.passages.len().saturating_sub(around.rank)) as f32;
        score -= 0.05 * (unit.size.saturating_sub(1)) as f32 * f32::from(u8::from(unit.form == Form::Sentences));
        if unit.form == Form::Whole {
            let wants_all = kinds.has(Kinds::KINDS)
                || (kinds.has(Kinds::HOW) && unit.table.is_none())
                || (kinds.has(Kinds::CLOCK) && self.asked.calendar.days == 0 && unit.size <= LINES_MAX);
            if kinds.is_valued() && !wants_all {
                return None;
            }
            score -= if wants_all { -0.1 } else { 0.25 };
        }
        if unit.form == Form::Section {
            // It answers where its heading is the question, or names just what is asked about.
            let asked_here = self.share(around.heading);
            if kinds.is_valued() && !heading_asks || asked_here < SECTION_SHARE_MIN {
                return None;
            }
            score += 0.3 * asked_here + if heading_asks { 0.1 } else { 0.0 } - 0.25;
        }
        if kinds.has(Kinds::CAN) && self.rules(&said) {
            score += 0.06;
        }
        let quote = Quote {
            n: read.passage.n,
            place: read.place(),
            text: shown,
            is_block: matches!(unit.form, Form::Whole | Form::Code) || (unit.form == Form::Section && unit.shown.contains('\n')) || unit.shown.contains("\n\n"),
        };
        Some(Candidate { quote, score, share, own: own_share, missing, headed, fits, form: unit.form })
    }

    /// What of a row answers: the columns that the question names, or all.
    fn cells(&self, table: &super::tables::Table, row: usize, label: &Strengths) -> Cells {
        let row = &table.rows[row];
        let wanted = self.asked.kinds.values();
        let valued = self.asked.kinds.is_valued();
        let mut columns: Vec<usize> = (1..row.len()).filter(|column| !row[*column].is_empty()).collect();
        if valued {
            let fits = |column: &usize| Values::of(&row[*column], self.language).has_any(wanted);
            let fitting: Vec<usize> = columns.iter().copied().filter(fits).collect();
            if !fitting.is_empty() {
                columns = fitting;
            }
        }
        let heads: Vec<Strengths> = columns.iter().map(|column| self.matcher.of(table.head(*column))).collect();
        // What the row's own label says need not stand in the column's heading, too.
        let gain = |head: &Strengths| -> f32 {
            let terms = self.asked.terms.iter().zip(head.iter().zip(label));
            terms.map(|(term, (head, label))| term.weight * (head - label).max(0.0)).sum()
        };
        let gains: Vec<f32> = heads.iter().map(gain).collect();
        let days = self.asked.calendar;
        let head_days: Vec<bool> = columns
            .iter()
            .map(|column| {
                let head = Calendar::of(table.head(*column), self.language);
                head.days & days.days != 0 || head.months & days.months != 0
            })
            .collect();
        let best = gains.iter().copied().fold(0.0, f32::max);
        // A row that answers in words is shown whole, unless a column is clearly meant.
        let least = if valued { 0.05 } else { 0.5 };
        let mut chosen = Vec::new();
        for (at, column) in columns.iter().enumerate() {
            let by_words = best > least && gains[at] >= best - 0.01;
            let by_days = head_days[at];
            let any_days = head_days.iter().any(|fits| *fits);
            let takes = match (best > least, any_days) {
                (true, true) => by_words && by_days || (by_days && !head_days.iter().zip(&gains).any(|(day, gain)| *day && *gain >= best - 0.01)),
                (true, false) => by_words,
                (false, true) => by_days,
                (false, false) => true,
            };
            if takes {
                chosen.push((at, *column));
            }
        }
        let mut own = self.matcher.nothing();
        let mut said = String::new();
        let mut calendar = Calendar::of(row.first().map_or("", String::as_str), self.language);
        for (at, column) in &chosen {
            raise(&mut own, &heads[*at], 1.0);
            raise(&mut own, &self.matcher.of(&row[*column]), 1.0);
            said.push_str(&format!("{} {} ", table.head(*column), row[*column]));
            let head = Calendar::of(table.head(*column), self.language);
            calendar.days |= head.days;
            calendar.months |= head.months;
        }
        // Cells that are not shown say about what the row is, too.
        for cell in row.iter().skip(1) {
            raise(&mut own, &self.matcher.of(cell), 0.9);
        }
        let columns: Vec<usize> = chosen.iter().map(|(_, column)| *column).collect();
        Cells { own, said, shown: table.line(row, &columns), calendar }
    }

    /// How well a unit's days meet those that are asked for; nothing when it is about others.
    fn days_fit(&self, own: &Calendar, lead: &str, read: &Read<'_>) -> Option<f32> {
        let asked = self.asked.calendar;
        if asked.is_empty() {
            return Some(1.0);
        }
        let lead = Calendar::of(lead, self.language);
        let heading = Calendar::of(&read.passage.heading, self.language);
        let nearest = |pick: fn(&Calendar) -> u16| {
            [own, &lead, &heading].into_iter().map(pick).find(|bits| *bits != 0).unwrap_or(0)
        };
        let mut fit = 1.0;
        for (asked, there) in [
            (u16::from(asked.days), nearest(|calendar| u16::from(calendar.days))),
            (asked.months, nearest(|calendar| calendar.months)),
        ] {
            if asked == 0 {
                continue;
            }
            if there == 0 {
                fit *= 0.9;
            } else if there & asked == 0 {
                return None;
            } else if there & asked != asked {
                fit *= 0.95;
            }
        }
        Some(fit)
    }

    /// Several that cannot be told apart are shown together.
    fn joined(&self, ranked: &[Candidate]) -> Quote {
        let best = &ranked[0];
        let mut quote = best.quote.clone();
        if best.form != Form::Row {
            return quote;
        }
        let tied: Vec<&Candidate> = ranked
            .iter()
            .skip(1)
            .take_while(|other| other.score >= best.score - TIE)
            .filter(|other| other.form == Form::Row && other.quote.n == best.quote.n && other.quote.text != quote.text)
            .collect();
        if !tied.is_empty() && tied.len() < TIED_MAX {
            let lines = std::iter::once(&quote.text).chain(tied.iter().map(|other| &other.quote.text));
            quote.text = lines.map(|line| format!("- {line}")).collect::<Vec<_>>().join("\n");
            quote.is_block = true;
        }
        quote
    }

    /// The share of a label's words that the question has: `Wine` fits better than `Mulled wine`.
    fn precision(&self, label: &str, met: &Strengths) -> f32 {
        let all = folded(label).iter().filter(|word| !self.language.is_small(word)).count();
        let hit = met.iter().filter(|strength| **strength > 0.5).count();
        if all == 0 { 0.0 } else { (hit as f32 / all as f32).min(1.0) }
    }

    /// `E12` is not answered by what is said of `E04`.
    fn lacks_a_code(&self, met: &Strengths) -> bool {
        self.asked.terms.iter().zip(met).any(|(term, met)| term.is_code && term.origin == Origin::Question && *met < 0.2)
    }

    /// Whether a text allows, forbids or demands something.
    fn rules(&self, text: &str) -> bool {
        let line = format!(" {} ", fold(text));
        let lists = [List::Negation, List::Modal];
        lists.into_iter().any(|list| self.language.entries(list).any(|word| contains(&line, word)))
    }

    /// The share of the telling words that are missing. A question of none is about nothing.
    fn missing(&self, met: &Strengths) -> f32 {
        let telling = |term: &Term| if term.weight >= TELLING { term.weight } else { 0.0 };
        let all: f32 = self.asked.terms.iter().map(telling).sum();
        let terms = self.asked.terms.iter().zip(met).filter(|(_, met)| **met < 0.29);
        let missing: f32 = terms.map(|(term, _)| telling(term)).sum();
        if all > 0.0 { missing / all } else if self.asked.kinds.is_valued() { 0.0 } else { 1.0 }
    }

    /// The share of the question's weight that is met.
    fn share(&self, met: &Strengths) -> f32 {
        let terms = self.asked.terms.iter().zip(met);
        let all: f32 = self.asked.terms.iter().map(|term| term.weight).sum();
        let hit: f32 = terms.map(|(term, met)| term.weight * met).sum();
        if all > 0.0 { hit / all } else { 0.0 }
    }
}

/// What stands around a unit, met already.
struct Around<'a> {
    rank: usize,
    all: &'a Strengths,
    heading: &'a Strengths,
    above: &'a Strengths,
}

/// What of a row answers.
struct Cells {
    own: Strengths,
    said: String,
    shown: String,
    calendar: Calendar,
}

/// Whether a text asks and says nothing.
fn is_question(text: &str) -> bool {
    text.trim_end_matches(['*', '_', '"', '”']).ends_with(['?', '？', '؟'])
}
