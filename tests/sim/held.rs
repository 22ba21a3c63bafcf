//! The most that was in memory at one moment, by what held it. One world runs on a thread at a time.

use std::cell::RefCell;
use std::collections::BTreeMap;

use engine_conversation::{Exchange, State};
use loadtest::checker::Held;
use schema::limits;

/// What a prompt may be made of besides the talk it remembers: instructions, passages, tags.
const PROMPT_MOST: usize = 3 * limits::TRANSCRIPT_BYTES_MAX;
/// A frame more than an outbox's bound is never let in; a close is.
const OUTBOX_MOST: usize = limits::OUTBOX_BYTES_MAX + 1024;

thread_local! {
    static MOST: RefCell<BTreeMap<&'static str, Held>> = const { RefCell::new(BTreeMap::new()) };
}

fn note(what: &'static str, bytes: usize, most: usize) {
    MOST.with_borrow_mut(|all| {
        let held = all.entry(what).or_insert(Held { what, bytes, most });
        held.bytes = held.bytes.max(bytes);
    });
}

/// A prompt of so many bytes was built.
pub(super) fn prompt(bytes: usize) {
    note("a prompt", bytes, PROMPT_MOST);
}

/// So many bytes wait for a session.
pub(super) fn outbox(bytes: usize) {
    note("an outbox", bytes, OUTBOX_MOST);
}

/// A conversation has this in memory.
pub(super) fn state(state: &State) {
    let said = |exchange: &Exchange| {
        let lines = exchange.asked.iter().chain(&exchange.answered).map(|line| line.text.bytes()).sum::<usize>();
        lines + exchange.passages.iter().map(|passage| passage.text.bytes()).sum::<usize>()
    };
    let bytes = state.transcript.exchanges().map(said).sum();
    note("a transcript", bytes, 2 * limits::TRANSCRIPT_BYTES_MAX);
}

/// What was noted since the last time this was asked.
pub(super) fn take() -> Vec<Held> {
    MOST.take().into_values().collect()
}
