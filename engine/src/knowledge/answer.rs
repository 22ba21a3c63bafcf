//! The built-in answerer: replies with the sentences of the documents themselves, cited.
//! Invariant: it says nothing about the tenant's business that is not a quotation.

use std::sync::Arc;

use futures_util::stream;
use schema::{Passage, Usage};

use super::language::Language;
use super::phrases::{Phrases, phrases};
use super::quotes::{Asked, Quote};
use super::sentences::sentences;
use super::small_talk;
use super::words::words;
use crate::model::{Chunk, ChunkStream, Model, Price, Prompt, Stop};

/// Questions in one message that are answered one by one.
const QUESTIONS_MAX: usize = 3;

/// The model that needs nothing: no key, no network, no weights.
#[derive(Clone, Copy, Debug, Default)]
pub struct Builtin;

impl Model for Builtin {
    fn name(&self) -> &'static str {
        "builtin"
    }

    /// Its tokens are words. The answer is made when the stream is first read, in well under a
    /// millisecond for the passages a turn may have.
    fn ask(&self, prompt: Arc<Prompt>) -> ChunkStream {
        Box::pin(stream::iter(std::iter::once_with(move || chunks(&prompt)).flatten().map(Ok)))
    }

    fn price(&self) -> Option<Price> {
        Some(Price::default())
    }
}

fn chunks(prompt: &Prompt) -> Vec<Chunk> {
    let reply = reply(prompt.question.as_str(), &prompt.passages);
    let room = usize::try_from(prompt.max_output_tokens).unwrap_or(usize::MAX);
    let pieces: Vec<&str> = pieces(&reply);
    let read = words_in(prompt.question.as_str())
        + prompt.passages.iter().map(|passage| words_in(passage.text.as_str())).sum::<usize>();
    let said = pieces.len().min(room);
    let usage = Usage { input_tokens: read as u64, output_tokens: said as u64, ..Usage::default() };
    let stop = if said < pieces.len() { Stop::Length } else { Stop::Completed };
    let words = pieces.into_iter().take(room).map(|piece| Chunk::Text(piece.into()));
    words.chain([Chunk::Usage(usage), Chunk::End(stop)]).collect()
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

/// The whole reply.
fn reply(said: &str, passages: &[Passage]) -> String {
    if let Some(reply) = small_talk::reply(said) {
        return reply.into();
    }
    let phrases = phrases(Language::of(&words(said)));
    let questions: Vec<&str> = sentences(said)
        .into_iter()
        .filter(|sentence| sentence.ends_with('?') && !Asked::new(sentence, passages).is_empty())
        .collect();
    if questions.len() > 1 {
        let answers =
            questions.iter().take(QUESTIONS_MAX).filter_map(|question| Asked::new(question, passages).quote());
        let answers: Vec<Quote> = answers.collect();
        if !answers.is_empty() {
            return show_all(answers, phrases);
        }
    }
    let whole = Asked::new(said, passages);
    if whole.is_empty() {
        return phrases.say_more.into();
    }
    // What leads up to a question may say more than the documents do: then the question alone counts.
    let quote = whole.quote().or_else(|| questions.first().and_then(|last| Asked::new(last, passages).quote()));
    match quote {
        Some(quote) => {
            let second = whole.second(&quote);
            show_all(std::iter::once(quote).chain(second).collect(), phrases)
        }
        None => unknown(&whole, phrases),
    }
}

fn show_all(quotes: Vec<Quote>, phrases: &Phrases) -> String {
    let mut shown = String::new();
    let mut seen: Vec<String> = Vec::new();
    for quote in quotes {
        if seen.contains(&quote.text) {
            continue;
        }
        let from = if seen.is_empty() { phrases.from } else { phrases.also };
        let Quote { n, place, text, is_block } = quote;
        if !shown.is_empty() {
            shown.push_str("\n\n");
        }
        if is_block {
            shown.push_str(&format!("{from} “{place}” [{n}]:\n\n{text}"));
        } else {
            shown.push_str(&format!("{from} “{place}”: “{text}” [{n}]"));
        }
        seen.push(text);
    }
    shown
}

fn unknown(asked: &Asked<'_>, phrases: &Phrases) -> String {
    let nearest = asked.nearest().map(|(n, place)| format!(" {} “{place}” [{n}].", phrases.nearest));
    format!("{}{} {}", phrases.unknown, nearest.unwrap_or_default(), phrases.person)
}

#[cfg(test)]
#[path = "answer_tests.rs"]
mod tests;
