//! The built-in answerer: replies with the sentences of the documents themselves, cited.
//! Invariant: it says nothing about the tenant's business that is not a quotation.

mod verbatim;

use std::sync::Arc;

use engine_model::{Chunk, ChunkStream, Model, Price, Prompt, Signal, Stop};
use futures_util::stream;
use schema::{HandoffReason, Passage, Usage};

use super::choose::{Choice, Finding, Quote};
use super::features::Features;
use super::language::Language;
use super::question::{self, Asked};
use super::talk::{self, Phrase, Said};
use super::units::Read;
use super::values::Values;

/// A passage with this share of a question is named as the nearest when none answers.
const NEAREST_SHARE_MIN: f32 = 0.5;

/// Ways to reach a person that are shown, and how long the line of each may be, in characters.
const CONTACTS_MAX: usize = 3;
const CONTACT_CHARS_MAX: usize = 160;

/// The model that needs nothing: no key, no network, no weights.
#[derive(Clone, Copy, Debug, Default)]
pub struct Builtin;

impl Model for Builtin {
    fn name(&self) -> &'static str {
        "builtin"
    }

    /// Its tokens are words. The answer is made when the stream is first read: about a millisecond
    /// of work for the passages a turn may have.
    fn ask(&self, prompt: Arc<Prompt>) -> ChunkStream {
        Box::pin(stream::iter(std::iter::once_with(move || chunks(&prompt)).flatten().map(Ok)))
    }

    fn price(&self) -> Option<Price> {
        Some(Price::default())
    }
}

fn chunks(prompt: &Prompt) -> Vec<Chunk> {
    let (reply, signal) = reply(prompt);
    let room = usize::try_from(prompt.max_output_tokens).unwrap_or(usize::MAX);
    let pieces: Vec<&str> = pieces(&reply);
    let read = words_in(prompt.question.as_str())
        + prompt.passages.iter().map(|passage| words_in(passage.text.as_str())).sum::<usize>();
    let said = pieces.len().min(room);
    let usage = Usage { input_tokens: read as u64, output_tokens: said as u64, ..Usage::default() };
    let stop = if said < pieces.len() { Stop::Length } else { Stop::Completed };
    let words = pieces.into_iter().take(room).map(|piece| Chunk::Text(piece.into()));
    words.chain(signal.map(Chunk::Signal)).chain([Chunk::Usage(usage), Chunk::End(stop)]).collect()
}

/// Words, each with the white space after it.
fn pieces(text: &str) -> Vec<&str> {
    let mut pieces = Vec::new();
    let mut from = 0;
    let mut in_space = false;
    for (at, c) in text.char_indices() {
        if in_space && !c.is_whitespace() {
            pieces.push(&text[from..at]);
            from = at;
        }
        in_space = c.is_whitespace();
    }
    if from < text.len() {
        pieces.push(&text[from..]);
    }
    pieces
}

fn words_in(text: &str) -> usize {
    text.split_whitespace().count()
}

/// The whole reply, and what is to be known of it.
fn reply(prompt: &Prompt) -> (String, Option<Signal>) {
    let said = prompt.question.as_str();
    let documents = language_of(&prompt.passages);
    let before: Vec<&str> = prompt.before.iter().map(schema::Text::as_str).collect();
    let assumed = assumed(prompt, documents);
    let heard = talk::hear(said, assumed).or_else(|| talk::hear(said, documents));
    if let Some((heard, language)) = heard {
        let handoff = |reason| Some(Signal::HandoffRequested(reason));
        return match heard {
            Said::Talk(phrase) => (phrase.in_language(language).into(), None),
            Said::Person => {
                (with_contact(Phrase::Handoff, language, &prompt.passages, documents), handoff(HandoffReason::Asked))
            }
            Said::Complaint => {
                let said = with_contact(Phrase::Complaint, language, &prompt.passages, documents);
                (said, handoff(HandoffReason::Complaint))
            }
        };
    }
    let asked = question::read(said, &before, documents);
    let language = if Language::of(said, assumed) == assumed {
        assumed
    } else {
        asked.first().map_or(documents, |asked| asked.language)
    };
    if asked.iter().all(|asked| asked.terms.is_empty() && !asked.kinds.is_valued()) {
        return (Phrase::SayMore.in_language(language).into(), None);
    }
    let passages: Vec<Read<'_>> = prompt.passages.iter().map(Read::new).collect();
    let answers: Vec<(&Asked, Finding)> =
        asked.iter().map(|asked| (asked, Choice::new(asked, &passages, documents).answer())).collect();
    let is_sure = |(_, answer): &(&Asked, Finding)| matches!(answer, Finding::Sure(_));
    if answers.iter().any(is_sure) {
        let in_part = !answers.iter().all(is_sure);
        return (show(answers, language), in_part.then_some(Signal::Unanswered));
    }
    if answers.iter().any(|(_, answer)| matches!(answer, Finding::Near(_))) {
        return (unsure(answers, language), Some(Signal::Unanswered));
    }
    let nearest = asked.first().and_then(|asked| Choice::new(asked, &passages, documents).nearest(NEAREST_SHARE_MIN));
    (unknown(nearest, language), Some(Signal::Unanswered))
}

/// A quotation that could be made, for fitting what its features weigh.
#[derive(Debug)]
pub struct Weighed {
    /// Which of the message's questions it would answer.
    pub part: usize,
    /// By name.
    pub features: Vec<(&'static str, f32)>,
    /// Under which heading it stands.
    pub place: String,
    /// What would be quoted.
    pub text: String,
    /// Which passage it is from.
    pub n: u32,
    /// The share of its question's telling words that no passage has.
    pub absent: f32,
}

/// Every quotation that could be made, the best first. For measuring: `tests/retrieval/fit.py`.
#[must_use]
pub fn weigh(prompt: &Prompt) -> Vec<Weighed> {
    let documents = language_of(&prompt.passages);
    let before: Vec<&str> = prompt.before.iter().map(schema::Text::as_str).collect();
    let asked = question::read(prompt.question.as_str(), &before, documents);
    let passages: Vec<Read<'_>> = prompt.passages.iter().map(Read::new).collect();
    let mut weighed = Vec::new();
    for (part, asked) in asked.iter().enumerate() {
        let choice = Choice::new(asked, &passages, documents);
        let absent = choice.absent();
        for candidate in choice.ranked() {
            let features = Features::NAMES.iter().copied().zip(candidate.features.values()).collect();
            let Quote { place, text, n, .. } = candidate.quote;
            weighed.push(Weighed { part, features, place, text, n, absent });
        }
    }
    weighed
}

/// What is said to who wants a person, with the ways to reach one that the documents name.
fn with_contact(phrase: Phrase, language: Language, passages: &[Passage], documents: Language) -> String {
    let mut reply = phrase.in_language(language).to_string();
    let mut lines: Vec<String> = Vec::new();
    for passage in passages {
        let read = Read::new(passage);
        for line in read.lines() {
            let reaches = Values::has(&line, documents, Values::PHONE.and(Values::MAIL));
            if reaches && line.chars().count() <= CONTACT_CHARS_MAX && lines.len() < CONTACTS_MAX {
                let line = format!("- {} [{}]", verbatim::quoted(&line), passage.n);
                if !lines.contains(&line) {
                    lines.push(line);
                }
            }
        }
    }
    if !lines.is_empty() {
        reply.push_str(&format!(" {}\n\n{}", Phrase::HandoffContact.in_language(language), lines.join("\n")));
    }
    reply
}

/// The language of the documents, by the passages found.
fn language_of(passages: &[Passage]) -> Language {
    let text = passages.iter().map(|passage| passage.text.as_str()).collect::<Vec<_>>().join("\n");
    Language::of(&text, Language::English)
}

/// In which language somebody is spoken to whose words do not tell theirs: that of what they said before, of their
/// page, of the documents.
fn assumed(prompt: &Prompt, documents: Language) -> Language {
    let before = prompt.before.iter().rev().find_map(|said| Language::told(said.as_str()));
    let page = || prompt.locale.as_ref().and_then(Language::of_locale);
    before.or_else(page).unwrap_or(documents)
}

fn show(answers: Vec<(&Asked, Finding)>, language: Language) -> String {
    let mut shown = String::new();
    let mut seen: Vec<String> = Vec::new();
    for (asked, answer) in answers {
        if !shown.is_empty() {
            shown.push_str("\n\n");
        }
        let quote = match answer {
            Finding::Sure(quote) => quote,
            Finding::Near(quotes) => {
                let quotes = quotes.iter().map(quoted).collect::<Vec<_>>().join("\n\n");
                shown.push_str(&format!("“{}” {}\n\n{quotes}", asked.said, Phrase::Unsure.in_language(language)));
                continue;
            }
            Finding::Unknown => {
                shown.push_str(&Phrase::UnknownPart.in_language(language).replace("{}", &asked.said));
                continue;
            }
        };
        if seen.contains(&quote.text) {
            shown.truncate(shown.trim_end().len());
            continue;
        }
        let from = if seen.is_empty() { Phrase::From } else { Phrase::Also }.in_language(language);
        shown.push_str(&format!("{from} {}", quoted(&quote)));
        seen.push(quote.text);
    }
    shown
}

/// A quotation with its place and its citation.
fn quoted(Quote { n, place, text, is_block }: &Quote) -> String {
    let (place, text) = (verbatim::quoted(place), verbatim::quoted(text));
    if *is_block { format!("“{place}” [{n}]:\n\n{text}") } else { format!("“{place}”: “{text}” [{n}]") }
}

/// What comes closest, said to be no more than that.
fn unsure(answers: Vec<(&Asked, Finding)>, language: Language) -> String {
    let mut shown = vec![Phrase::Unsure.in_language(language).to_string()];
    let quotes = answers.into_iter().flat_map(|(_, answer)| match answer {
        Finding::Near(quotes) => quotes,
        Finding::Sure(quote) => vec![quote],
        Finding::Unknown => Vec::new(),
    });
    for quote in quotes {
        let quote = quoted(&quote);
        if !shown.contains(&quote) {
            shown.push(quote);
        }
    }
    shown.push(Phrase::Person.in_language(language).to_string());
    shown.join("\n\n")
}

fn unknown(nearest: Option<(u32, String)>, language: Language) -> String {
    let say = |phrase: Phrase| phrase.in_language(language);
    let nearest = nearest.map(|(n, place)| format!(" {} “{place}” [{n}].", say(Phrase::Nearest)));
    format!("{}{} {}", say(Phrase::Unknown), nearest.unwrap_or_default(), say(Phrase::Person))
}

#[cfg(test)]
#[path = "answer_tests.rs"]
mod tests;

#[cfg(test)]
#[path = "answer_cases.rs"]
mod cases;
