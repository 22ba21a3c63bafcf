//! Which sentences, list, rows or listing of the passages answer a question, if any does.
//! Invariant: what is quoted stands in a passage, word for word.

use std::collections::HashSet;

use schema::Passage;

use super::blocks::{Block, Kind};
use super::ranking::QUESTION_BYTES_MAX;
use super::reading::{Read, ReadBlock, Sentence, Term, stems, terms};
use super::words::{Word, words};

/// A passage must have this share of the question's words, weighed …
const PASSAGE_SHARE_MIN: f32 = 0.6;
/// … and what is quoted this share, the headings above it counting half.
const QUOTE_SHARE_MIN: f32 = 0.45;
/// Below the first and above this, a passage is named as the nearest.
const NEAREST_SHARE_MIN: f32 = 0.4;
/// A second quotation must bring this share of the question that the first lacks.
const SECOND_SHARE_MIN: f32 = 0.3;
/// A quotation grows by the next sentence while it is shorter than this, in characters.
const QUOTE_CHARS: usize = 160;
const QUOTE_SENTENCES_MAX: usize = 3;
const LIST_LINES_MAX: usize = 12;
const ROWS_MAX: usize = 6;
const CODE_LINES_MAX: usize = 24;

/// A question beside its passages.
pub(super) struct Asked<'a> {
    passages: &'a [Read<'a>],
    terms: Vec<Term>,
    /// Every word of the question.
    asked: HashSet<String>,
    cues: Cues,
}

/// What the question's form says about its answer.
struct Cues {
    number: bool,
    money: bool,
    clock: bool,
    steps: bool,
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

/// A quotation that could be made.
struct Candidate {
    score: f32,
    /// Share of the question in its own words.
    own: f32,
    quote: Quote,
}

impl<'a> Asked<'a> {
    pub(super) fn new(question: &str, passages: &'a [Read<'a>]) -> Self {
        let all = words(&question[..question.floor_char_boundary(QUESTION_BYTES_MAX)]);
        let terms = terms(&all, passages);
        let cues = Cues::of(&all);
        Self { passages, terms, cues, asked: all.into_iter().map(|word| word.stem).collect() }
    }

    /// Whether the question has no word that says about what.
    pub(super) fn is_empty(&self) -> bool {
        self.terms.is_empty()
    }

    /// The best quotation, when there is one that answers.
    pub(super) fn quote(&self) -> Option<Quote> {
        let mut best: Option<Candidate> = None;
        for (rank, read) in self.passages.iter().enumerate() {
            let share = self.share(|stem| read.all.contains(stem));
            if share < PASSAGE_SHARE_MIN || self.lacks_a_code(read) {
                continue;
            }
            let early = 0.03 * (self.passages.len() - rank) as f32;
            let headed = self.share(|stem| read.heading.contains(stem));
            for mut candidate in self.candidates(read) {
                candidate.score += 0.4 * share + 0.3 * headed + early;
                if best.as_ref().is_none_or(|best| candidate.score > best.score) {
                    best = Some(candidate);
                }
            }
        }
        best.map(|best| best.quote)
    }

    /// A quotation of another section, when it says what the first leaves open.
    pub(super) fn second(&self, first: &Quote) -> Option<Quote> {
        let said: HashSet<String> = stems(&first.text).chain(stems(&first.place)).collect();
        let open = |stem: &str| !said.contains(stem);
        let mut best: Option<Candidate> = None;
        for read in self.passages.iter().filter(|read| place(read.passage) != first.place) {
            for candidate in self.candidates(read) {
                let here: HashSet<String> = stems(&candidate.quote.text).collect();
                let brings = self.share(|stem| open(stem) && here.contains(stem));
                if brings >= SECOND_SHARE_MIN && best.as_ref().is_none_or(|best| candidate.own > best.own) {
                    best = Some(candidate);
                }
            }
        }
        best.map(|best| best.quote)
    }

    /// The number and place of a passage that has part of the question.
    pub(super) fn nearest(&self) -> Option<(u32, String)> {
        let shares = self.passages.iter().map(|read| (self.share(|stem| read.all.contains(stem)), read));
        let (share, read) = shares.max_by(|(a, _), (b, _)| a.total_cmp(b))?;
        (share >= NEAREST_SHARE_MIN).then(|| (read.passage.n, place(read.passage)))
    }

    /// `E12` is not answered by what is said of `E04`.
    fn lacks_a_code(&self, read: &Read<'_>) -> bool {
        self.terms.iter().any(|term| term.is_code && !read.all.contains(&term.stem))
    }

    /// The share of the question's weight whose words are somewhere.
    fn share(&self, mut is_there: impl FnMut(&str) -> bool) -> f32 {
        let all: f32 = self.terms.iter().map(|term| term.weight).sum();
        let hit: f32 = self.terms.iter().filter(|term| is_there(&term.stem)).map(|term| term.weight).sum();
        if all > 0.0 { hit / all } else { 0.0 }
    }

    fn candidates(&self, read: &Read<'_>) -> Vec<Candidate> {
        let mut found = Vec::new();
        let nothing = Sentence::default();
        let mut lead = &nothing;
        for (at, ReadBlock { block, sentences }) in read.blocks.iter().enumerate() {
            let follows = read.blocks.get(at + 1).map(|next| &next.block).filter(|next| next.kind != Kind::Prose);
            match &block.kind {
                Kind::Prose => {
                    for first in 0..sentences.len() {
                        found.extend(self.of_sentences(read, sentences, first, follows));
                    }
                    lead = sentences.last().unwrap_or(&nothing);
                }
                Kind::List => found.extend(self.of_lines(read, block, lead, 0, LIST_LINES_MAX)),
                Kind::Table => found.extend(self.of_lines(read, block, lead, 2, ROWS_MAX)),
                Kind::Code { .. } => found.extend(self.of_code(read, block, lead)),
            }
        }
        found
    }

    /// One sentence, with those around it that it needs.
    fn of_sentences(&self, read: &Read<'_>, all: &[Sentence], at: usize, follows: Option<&Block>) -> Option<Candidate> {
        let own = self.judge(read, &all[at].stems, |_| false)?;
        let mut from = at;
        if from > 0 && leans_back(&all[from].text) {
            from -= 1;
        }
        let mut to = at + 1;
        while to < all.len() && to - from < QUOTE_SENTENCES_MAX {
            let length: usize = all[from..to].iter().map(|sentence| sentence.text.chars().count()).sum();
            let says_more =
                leans_back(&all[to].text) || self.terms.iter().any(|term| all[to].stems.contains(&term.stem));
            if length >= QUOTE_CHARS && !says_more {
                break;
            }
            to += 1;
        }
        let text = all[from..to].iter().map(|sentence| sentence.text.as_str()).collect::<Vec<_>>().join(" ");
        // A sentence that announces something is shown with what it announces.
        if to == all.len()
            && text.ends_with(':')
            && let Some(next) = follows
        {
            let text = format!("{text}\n\n{}", shown(next, &next.text));
            return Some(self.candidate(read, own, &text, text.clone(), true));
        }
        Some(self.candidate(read, own, &all[at].text, text, false))
    }

    /// A list or table, or of a long one the lines that match.
    fn of_lines(&self, read: &Read<'_>, block: &Block, lead: &Sentence, head: usize, max: usize) -> Option<Candidate> {
        let lines: Vec<&str> = block.text.lines().collect();
        let (heads, rows) = lines.split_at(head.min(lines.len()));
        let rows: Vec<(&str, HashSet<String>)> = rows.iter().map(|row| (*row, stems(row).collect())).collect();
        let shares: Vec<f32> = rows.iter().map(|(_, stems)| self.share(|stem| stems.contains(stem))).collect();
        let best = shares.iter().copied().fold(0.0, f32::max);
        let all = head == 0 && rows.len() <= max;
        let fits = rows.iter().zip(shares).filter(|(_, share)| all || *share >= best * 0.9);
        let chosen: Vec<&(&str, HashSet<String>)> = fits.map(|(row, _)| row).take(max).collect();
        let own: HashSet<String> = chosen.iter().flat_map(|(_, stems)| stems.iter().cloned()).collect();
        let heading: HashSet<String> = heads.iter().flat_map(|line| stems(line)).collect();
        let own = self.judge(read, &own, |stem| lead.stems.contains(stem) || heading.contains(stem))?;
        let text = heads.iter().copied().chain(chosen.iter().map(|(row, _)| *row)).collect::<Vec<_>>().join("\n");
        let led = if lead.text.ends_with(':') && head == 0 { format!("{}\n\n{text}", lead.text) } else { text.clone() };
        // A sentence that says the same is the shorter answer.
        Some(self.candidate(read, own * 0.97, &text, led, true))
    }

    fn of_code(&self, read: &Read<'_>, block: &Block, lead: &Sentence) -> Option<Candidate> {
        let own: HashSet<String> = stems(&block.text).collect();
        let own = self.judge(read, &own, |stem| lead.stems.contains(stem))?;
        let lines: Vec<&str> = block.text.lines().take(CODE_LINES_MAX).collect();
        let code = shown(block, &lines.join("\n"));
        let text = if lead.text.is_empty() { code } else { format!("{}\n\n{code}", lead.text) };
        Some(self.candidate(read, own * 0.95, &block.text, text, true))
    }

    /// The share of the question in a piece: its own words count fully, those above it half, and
    /// fully where the heading is the question. `None` when that is too little.
    fn judge(&self, read: &Read<'_>, own: &HashSet<String>, leads: impl Fn(&str) -> bool) -> Option<f32> {
        let itself = self.share(|stem| own.contains(stem));
        let above = self.share(|stem| !own.contains(stem) && (read.above.contains(stem) || leads(stem)));
        let is_asked = read.is_asked(&self.asked);
        let share = itself + if is_asked { 0.9 } else { 0.5 } * above;
        // Headings alone name a subject and say nothing about it, unless they are the question.
        let says_it = share >= QUOTE_SHARE_MIN && (itself > 0.0 || is_asked || above >= 0.9);
        says_it.then_some(share)
    }

    fn candidate(&self, read: &Read<'_>, own: f32, text: &str, shown: String, is_block: bool) -> Candidate {
        let mut score = own;
        if self.cues.number && text.contains(|c: char| c.is_ascii_digit()) {
            score += 0.15;
        }
        if self.cues.money && (text.contains(['€', '$', '£', '¥']) || text.contains("euro")) {
            score += 0.2;
        }
        if self.cues.clock && text.split(':').skip(1).any(|after| after.starts_with(|c: char| c.is_ascii_digit())) {
            score += 0.3;
        }
        if self.cues.steps && shown.lines().any(|line| line.trim_start().starts_with("1. ")) {
            score += 0.2;
        }
        let quote = Quote { n: read.passage.n, place: place(read.passage), text: shown, is_block };
        Candidate { score, own, quote }
    }
}

impl Cues {
    fn of(question: &[Word]) -> Self {
        let line = question.iter().map(|word| word.exact.as_str()).collect::<Vec<_>>().join(" ");
        let line = format!(" {line} ");
        let any = |cues: &[&str]| cues.iter().any(|cue| line.contains(&format!(" {cue} ")));
        Self {
            number: any(&[
                "how long",
                "how much",
                "how many",
                "how often",
                "how far",
                "how big",
                "how heavy",
                "how old",
                "when",
                "what time",
                "cuanto",
                "cuanta",
                "cuantos",
                "cuantas",
                "cuando",
                "wie lange",
                "wie viel",
                "wie viele",
                "wieviel",
                "wann",
                "wie oft",
            ]),
            money: any(&[
                "how much is",
                "how much are",
                "cost",
                "costs",
                "price",
                "prices",
                "fee",
                "fees",
                "cuesta",
                "cuestan",
                "precio",
                "kostet",
                "kosten",
                "preis",
            ]),
            clock: any(&[
                "hours",
                "opening",
                "open",
                "close",
                "closes",
                "what time",
                "horario",
                "geoffnet",
                "offnungszeiten",
            ]),
            steps: any(&["how do", "how can", "how to", "how should", "steps", "como", "wie kann", "wie mache"]),
        }
    }
}

/// Whether a sentence cannot stand without the one before it.
fn leans_back(sentence: &str) -> bool {
    const LEANING: &[&str] = &[
        "it ",
        "this ",
        "that ",
        "they ",
        "these ",
        "those ",
        "however",
        "otherwise",
        "then ",
        "in this case",
        "in that case",
        "but ",
        "and ",
        "so ",
        "if so",
        "if not",
        "after that",
        "afterwards",
        "he ",
        "she ",
        "also ",
        "esto ",
        "eso ",
        "pero ",
        "dies ",
        "das ",
        "diese ",
        "aber ",
    ];
    let start = sentence.get(..sentence.floor_char_boundary(24)).unwrap_or_default().to_lowercase();
    LEANING.iter().any(|lean| start.starts_with(lean))
}

/// The nearest heading, or the document's name.
fn place(passage: &Passage) -> String {
    match passage.heading.rsplit(" › ").next().filter(|heading| !heading.is_empty()) {
        Some(heading) => heading.to_string(),
        None => passage.source.clone(),
    }
}

/// A block as Markdown.
fn shown(block: &Block, text: &str) -> String {
    match &block.kind {
        Kind::Code { language } => {
            let fence = if text.contains("```") { "`````" } else { "```" };
            format!("{fence}{language}\n{text}\n{fence}")
        }
        _ => text.to_string(),
    }
}
