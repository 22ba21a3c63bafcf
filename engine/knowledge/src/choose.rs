//! Chooses the unit of the passages that answers a question, if any does.
//! Invariant: a question that asks for an amount, a time, a number or an address is answered with one,
//! or not at all; a question is never an answer.

use super::calendar::Calendar;
use super::cells;
use super::features::{CONFIDENCE, Features, SCORE};
use super::kinds::Kinds;
use super::language::Language;
use super::lexicon::OPENING_HOURS;
use super::matching::{Matcher, Strengths, raise};
use super::meanings::CONTACTS;
use super::measure::Measure;
use super::question::Asked;
use super::ranges;
use super::sentences::sentences;
use super::units::{Form, LINES_MAX, Read, Unit, is_question};
use super::values::Values;

/// What words count that stand in the nearest heading, in what leads to a unit, in the headings
/// above, beside it in its paragraph, and elsewhere in its passage.
const HEADING: f32 = 0.9;
const LEAD: f32 = 0.85;
const ABOVE: f32 = 0.75;
const BESIDE: f32 = 0.5;
const PASSAGE: f32 = 0.3;
/// A typed answer is given when its question has this share of what is asked.
const TYPED_SHARE_MIN: f32 = 0.75;
/// A heading with this share of a question asks it.
const SECTION_SHARE_MIN: f32 = 0.5;
/// What a word counts that is met by a value which needs no label.
const TOLD_BY_VALUE: f32 = 0.85;
/// Units whose scores differ by less than this say the same, as far as can be told.
const TIE: f32 = 0.02;
const TIED_MAX: usize = 3;
/// Of what comes closest, so much is shown: so many quotations, so many characters together, and none whose
/// score is so much lower than the best.
const NEAR_MAX: usize = 3;
const NEAR_CHARS_MAX: usize = 900;
const NEAR_SCORES: f32 = 3.0;

/// Kinds of answer that only a value of the kind gives, unless words are asked for, too.
const STRICT: Kinds = Kinds::AMOUNT.and(Kinds::CLOCK).and(Kinds::PHONE).and(Kinds::MAIL);
const WORDED: Kinds = Kinds::HOW.and(Kinds::WHY).and(Kinds::CAN).and(Kinds::KINDS);

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

/// What is known of a question.
#[derive(Clone, Debug)]
pub(super) enum Finding {
    Sure(Quote),
    /// What may answer, and may not, the likeliest first; at least one.
    Near(Vec<Quote>),
    Unknown,
}

/// A quotation that could be made, and how well it fits.
#[derive(Clone, Debug)]
pub(super) struct Candidate {
    pub(super) quote: Quote,
    /// By which candidates are ranked.
    pub(super) score: f32,
    pub(super) features: Features,
    form: Form,
}

/// One question beside the passages found for it.
pub(super) struct Choice<'a> {
    passages: &'a [Read<'a>],
    measure: Measure<'a>,
}

impl<'a> Choice<'a> {
    /// `language` is that of the passages.
    pub(super) fn new(asked: &'a Asked, passages: &'a [Read<'a>], language: Language) -> Self {
        let texts = passages.iter().flat_map(|read| [read.passage.text.as_str(), &read.passage.heading, &read.above]);
        let matcher = Matcher::new(asked, language, texts);
        Self { passages, measure: Measure::new(asked, passages, language, matcher) }
    }

    /// The best answer, when one is good enough, or what comes closest.
    pub(super) fn answer(&self) -> Finding {
        if let Some(typed) = self.typed() {
            return Finding::Sure(typed);
        }
        let asked = self.measure.asked;
        if asked.terms.is_empty() && !asked.kinds.is_valued() {
            return Finding::Unknown;
        }
        let ranked = self.ranked();
        let Some(best) = ranked.first() else { return Finding::Unknown };
        if let Some(quote) = self.only_contact(&ranked) {
            return Finding::Sure(quote);
        }
        let margin = ranked.iter().skip(1).find(|other| other.quote.text != best.quote.text && !overlaps(other, best));
        let margin = margin.map_or(f32::INFINITY, |other| best.score - other.score);
        match CONFIDENCE.of(best.score, margin, self.absent()) {
            sure if sure >= CONFIDENCE.least => Finding::Sure(self.joined(&ranked)),
            near if near >= CONFIDENCE.least_near => Finding::Near(closest(&ranked)),
            _ => Finding::Unknown,
        }
    }

    /// Where nothing but a telephone number or an address is asked for, and there is one: what says it.
    fn only_contact(&self, ranked: &[Candidate]) -> Option<Quote> {
        let wanted = self.measure.asked.kinds.values();
        if !self.measure.asks_contact_alone() {
            return None;
        }
        let texts = self.passages.iter().map(|read| read.passage.text.as_str());
        let mut contacts: Vec<String> = texts.flat_map(|text| Values::contacts(text, wanted)).collect();
        contacts.sort_unstable();
        contacts.dedup();
        let [contact] = &contacts[..] else { return None };
        let says = |one: &&Candidate| Values::contacts(&one.quote.text, wanted).contains(contact);
        ranked.iter().find(says).map(|one| one.quote.clone())
    }

    /// The share of the telling words that no passage has.
    pub(super) fn absent(&self) -> f32 {
        let mut anywhere = self.measure.matcher.nothing();
        for read in self.passages {
            raise(&mut anywhere, &whole(&self.measure.matcher, read), 1.0);
        }
        self.measure.missing(&anywhere)
    }

    /// What the owner typed as the answer to this question: it goes before all that was learned.
    fn typed(&self) -> Option<Quote> {
        let asks = |read: &&Read<'_>| {
            read.is_typed() && self.measure.share(&self.measure.matcher.of(read.heading)) >= TYPED_SHARE_MIN
        };
        let read = self.passages.iter().find(asks)?;
        let text = read.passage.text.as_str().trim().to_string();
        Some(Quote { n: read.passage.n, place: read.place(), is_block: text.contains('\n'), text })
    }

    /// Every quotation that could be made, the best first.
    pub(super) fn ranked(&self) -> Vec<Candidate> {
        let mut ranked = Vec::new();
        for (rank, read) in self.passages.iter().enumerate() {
            // The titles of sections answer who asks what there is, and nobody else.
            if read.is_outline() && !self.measure.asked.kinds.has(Kinds::KINDS) {
                continue;
            }
            let all = whole(&self.measure.matcher, read);
            let heading = self.measure.matcher.of(read.heading);
            let above = self.measure.matcher.of(&read.above);
            for unit in &read.units {
                ranked.extend(self.candidate(
                    read,
                    unit,
                    &Around { rank, all: &all, heading: &heading, above: &above },
                ));
            }
        }
        ranked.sort_by(|a, b| b.score.total_cmp(&a.score));
        ranked
    }

    /// The number and place of the passage that has most of the question, when that is much.
    pub(super) fn nearest(&self, least: f32) -> Option<(u32, String)> {
        let shares = self.passages.iter().map(|read| (self.measure.share(&whole(&self.measure.matcher, read)), read));
        let (share, read) = shares.max_by(|(a, _), (b, _)| a.total_cmp(b))?;
        (share >= least).then(|| (read.passage.n, read.place()))
    }

    fn candidate(&self, read: &Read<'_>, unit: &Unit, around: &Around<'_>) -> Option<Candidate> {
        if unit.form == Form::Sentences && is_question(&unit.shown) {
            return None;
        }
        let kinds = self.measure.asked.kinds;
        let label = self.measure.matcher.of(&unit.label);
        let mut own = self.measure.matcher.of(&unit.own);
        let mut shown = unit.shown.clone();
        let mut said = format!("{} {}", unit.label, unit.own);
        let mut calendar = Calendar::of(&said, self.measure.language);
        let mut count = 1;
        if let Some((table, row)) = unit.table.filter(|(_, row)| *row != usize::MAX) {
            let cells = cells::choose(
                &read.tables[table],
                row,
                &label,
                self.measure.asked,
                &self.measure.matcher,
                self.measure.language,
            )?;
            own = cells.own;
            said = format!("{} {}", unit.label, cells.said);
            shown = cells.shown;
            calendar = cells.calendar;
            count = cells.count;
        }
        raise(&mut own, &label, 1.0);
        // Days with hours are those at which it is open, whatever stands above them.
        if kinds.has(Kinds::CLOCK) && calendar.days != 0 && Values::has(&said, self.measure.language, kinds.values()) {
            raise(&mut own, &self.measure.told(OPENING_HOURS), TOLD_BY_VALUE);
        }
        for (value, concept) in CONTACTS {
            if kinds.values().has_any(*value) && Values::has(&said, self.measure.language, *value) {
                raise(&mut own, &self.measure.told(concept), TOLD_BY_VALUE);
            }
        }
        // What announces a listing is shown with it, and is its own.
        let lead = self.measure.matcher.of(&unit.lead);
        if !unit.lead.is_empty() && unit.shown.starts_with(unit.lead.as_str()) {
            raise(&mut own, &lead, 1.0);
            said = format!("{} {said}", unit.lead);
        }
        // An answer need not repeat its question.
        if read.is_answer() {
            raise(&mut own, around.heading, 0.95);
        }
        let beside = self.measure.matcher.of(&unit.beside);
        let heading_asks = read.is_answer();
        let mut all = own.clone();
        raise(&mut all, &lead, LEAD);
        raise(&mut all, around.heading, if heading_asks { 0.97 } else { HEADING });
        raise(&mut all, around.above, ABOVE);
        raise(&mut all, &beside, BESIDE);
        let is_sentence = unit.form == Form::Sentences;
        if !matches!(unit.form, Form::Whole | Form::Code)
            && !read.is_answer()
            && !self.measure.brings_something(&said, &own, kinds, is_sentence)
        {
            return None;
        }
        if self.measure.lacks_a_code(&all) {
            return None;
        }
        let missing = self.measure.missing(&all);
        raise(&mut all, around.all, PASSAGE);
        if self.measure.asked.calendar.days != 0 && calendar.days == 0 && self.is_among_days(read, unit) {
            return None;
        }
        let (day, dated) = self.days_fit(&calendar, &unit.lead, read)?;
        let wants_all = kinds.has(Kinds::KINDS)
            || (kinds.has(Kinds::HOW) && unit.table.is_none())
            || (kinds.has(Kinds::CLOCK) && self.measure.asked.calendar.days == 0 && unit.size <= LINES_MAX);
        let asked_here = self.measure.share(around.heading);
        match unit.form {
            Form::Whole if !wants_all => return None,
            Form::Section if (kinds.is_valued() && !heading_asks) || asked_here < SECTION_SHARE_MIN => return None,
            _ => {}
        }
        let spelt_own = self.measure.matcher.spelt(&said);
        let mut spelt = spelt_own.clone();
        raise(&mut spelt, &self.measure.matcher.spelt(&format!("{} {} {}", unit.lead, read.heading, read.above)), 0.9);
        let fits = Values::has(&said, self.measure.language, kinds.values());
        // How many is not told by an hour or a price.
        if kinds.has(Kinds::COUNT) && !kinds.has(WORDED) && !Values::counts(&said) {
            return None;
        }
        // Who asks for a price, an hour, a number is not told anything else.
        if !fits && kinds.has(STRICT) && !kinds.has(WORDED) {
            return None;
        }
        let flag = |is: bool| f32::from(u8::from(is));
        let is = |form: Form| flag(unit.form == form);
        let mut led = around.heading.clone();
        raise(&mut led, &lead, 1.0);
        let features = Features {
            share: self.measure.share(&all) * day,
            own: self.measure.share(&own),
            rare: self.measure.rare_share(&all),
            rare_own: self.measure.rare_share(&own),
            spelt: self.measure.rare_share(&spelt),
            spelt_own: self.measure.rare_share(&spelt_own),
            hits: (self.measure.hits(&spelt) / 4.0).min(1.0),
            hits_own: (self.measure.hits(&spelt_own) / 3.0).min(1.0),
            core: self.measure.core(&spelt),
            adjacent: self.measure.adjacent(&format!("{} {} {}", said, unit.lead, read.heading)),
            label: self.measure.share(&label),
            named: self.measure.named(&unit.label),
            headed: self.measure.named(read.heading),
            defines: flag(!kinds.is_valued() && self.measure.defines(&said)),
            counted: flag(kinds.has(Kinds::COUNT) && self.measure.counts(&said)),
            led: self.measure.share(&led),
            beside: self.measure.share(&beside),
            missing,
            fits: flag(kinds.is_valued() && fits),
            unfit: flag(kinds.is_valued() && !fits),
            dated,
            within: ranges::within(
                &self.measure.asked.numbers,
                &format!("{} {}", if unit.label.is_empty() { &said } else { &unit.label }, head_of(read, unit)),
            ),
            precision: self.measure.precision(&unit.label, &label),
            precise: self.measure.precision(&said, &own),
            rank: 1.0 / (1.0 + around.rank as f32),
            size: (unit.size.saturating_sub(1) as f32).min(3.0) / 3.0 * is(Form::Sentences),
            length: (shown.chars().count() as f32 / 400.0).min(1.0),
            item: is(Form::Item),
            row: is(Form::Row),
            whole: is(Form::Whole),
            listed: flag(kinds.has(Kinds::KINDS) && (unit.form == Form::Whole || enumerates(&said))),
            unlisted: flag(kinds.has(Kinds::KINDS) && unit.form != Form::Whole && !enumerates(&said)),
            undated: flag(!self.measure.asked.calendar.is_empty() && dated == 0.0),
            steps: flag(kinds.has(Kinds::HOW) && unit.form == Form::Whole && unit.own.trim_start().starts_with("1. ")),
            section: is(Form::Section),
            section_asked: is(Form::Section) * flag(heading_asks),
            section_headed: is(Form::Section) * asked_here,
            code: is(Form::Code),
            rules: flag(kinds.has(Kinds::CAN) && self.measure.rules(&said)),
            cells: (count.saturating_sub(1) as f32).min(4.0) / 4.0,
        };
        // Who asks for the hours and names no day is told those of all days.
        let of_all_days = kinds.has(Kinds::CLOCK) && self.measure.asked.calendar.is_empty() && calendar.days != 0;
        let is_wide = of_all_days || (!kinds.is_valued() && unit.form != Form::Row);
        if let Some(wide) = unit.wide.as_ref().filter(|_| is_wide) {
            shown.clone_from(wide);
        }
        let quote = Quote {
            n: read.passage.n,
            place: read.place(),
            is_block: matches!(unit.form, Form::Whole | Form::Code) || shown.contains('\n'),
            text: shown,
        };
        Some(Candidate { quote, score: features.score(&SCORE), features, form: unit.form })
    }

    /// Whether a row stands in a table that has a row for each day, and is for none of them.
    fn is_among_days(&self, read: &Read<'_>, unit: &Unit) -> bool {
        let Some((table, row)) = unit.table else { return false };
        let days =
            |row: &Vec<String>| Calendar::of(row.first().map_or("", String::as_str), self.measure.language).days != 0;
        row != usize::MAX && read.tables[table].rows.iter().filter(|row| days(row)).count() >= 2
    }

    /// How well a unit's days meet those that are asked for, and whether it names them; nothing when it
    /// is about others.
    fn days_fit(&self, own: &Calendar, lead: &str, read: &Read<'_>) -> Option<(f32, f32)> {
        let asked = self.measure.asked.calendar;
        if asked.is_empty() {
            return Some((1.0, 0.0));
        }
        let lead = Calendar::of(lead, self.measure.language);
        let heading = Calendar::of(&read.passage.heading, self.measure.language);
        let nearest = |pick: fn(&Calendar) -> u16| {
            [own, &lead, &heading].into_iter().map(pick).find(|bits| *bits != 0).unwrap_or(0)
        };
        let mut fit = 1.0;
        let mut named = 0.0;
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
            } else {
                named += 0.5 * (asked.count_ones() as f32 / there.count_ones() as f32).clamp(0.3, 1.0);
                fit *= if there & asked == asked { 1.0 } else { 0.95 };
            }
        }
        Some((fit, named))
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
}

/// The best that say different things, as long as they come near the best of all.
fn closest(ranked: &[Candidate]) -> Vec<Quote> {
    let mut chosen: Vec<&Candidate> = Vec::new();
    let mut chars = 0;
    for candidate in ranked {
        let far = ranked[0].score - candidate.score > NEAR_SCORES;
        if far || chosen.len() == NEAR_MAX {
            break;
        }
        let length = candidate.quote.text.chars().count();
        let told = |other: &&Candidate| other.quote.text == candidate.quote.text || overlaps(other, candidate);
        if chosen.iter().any(told) || (!chosen.is_empty() && chars + length > NEAR_CHARS_MAX) {
            continue;
        }
        chars += length;
        chosen.push(candidate);
    }
    chosen.into_iter().map(|candidate| candidate.quote.clone()).collect()
}

/// What stands around a unit, met already.
struct Around<'a> {
    rank: usize,
    all: &'a Strengths,
    heading: &'a Strengths,
    above: &'a Strengths,
}

/// How well a passage with its headings meets each term.
fn whole(matcher: &Matcher<'_>, read: &Read<'_>) -> Strengths {
    let mut all = matcher.of(read.passage.text.as_str());
    raise(&mut all, &matcher.of(&read.passage.heading), 1.0);
    all
}

/// Whether one says a sentence or line of the other.
fn overlaps(a: &Candidate, b: &Candidate) -> bool {
    let shares = |a: &str, b: &str| a.lines().flat_map(sentences).any(|sentence| b.contains(sentence));
    a.quote.n == b.quote.n && (shares(&a.quote.text, &b.quote.text) || shares(&b.quote.text, &a.quote.text))
}

/// The heading of a row's first column: it may hold the unit of what the rows are told by.
fn head_of<'a>(read: &'a Read<'_>, unit: &Unit) -> &'a str {
    unit.table.map_or("", |(table, _)| read.tables[table].head(0))
}

/// Whether a text names several things.
fn enumerates(text: &str) -> bool {
    text.matches([',', ';', '、']).count() >= 2
}
