//! A client that listens, over any number of connections: its position, and what it was shown.

use std::collections::HashMap;
use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};

use schema::{Author, End, Event, Fact, Position, Reached, Seq, Turn};

use super::{Findings, Rule};

/// A listener that keeps its position as a client does, and so knows what must come next.
#[derive(Clone, Debug, Default)]
pub struct Observer {
    seen: Vec<(Seq, u64)>,
    seq: Seq,
    /// The reply it hears.
    hearing: Option<Heard>,
    /// Replies it has heard something of and whose end it has seen, to be compared with the log.
    heard: Vec<Heard>,
    /// It must have seen everything up to here.
    owed: Seq,
    /// Where it stood when its newest line began.
    came_back_at: Option<Position>,
    /// Lines in a row that brought it nowhere.
    in_vain: u32,
    words: String,
    keeps_words: bool,
    findings: Findings,
}

#[derive(Clone, Debug)]
struct Heard {
    turn: Turn,
    text: String,
    chars: usize,
}

impl Observer {
    /// One that also keeps every word, to be searched for another tenant's.
    #[must_use]
    pub fn that_keeps_words() -> Self {
        Self { keeps_words: true, ..Self::default() }
    }

    /// Where it stands: what to come back with.
    #[must_use]
    pub fn position(&self) -> Position {
        let reached = self.hearing.as_ref().map(|heard| Reached { turn: heard.turn, offset: heard.chars });
        Position { seq: self.seq, reached }
    }

    /// It was told that events come from after `after` on, because it had missed too much.
    pub fn skipped_to(&mut self, after: Seq) {
        if after < self.seq {
            self.findings.add(Rule::Complete, format!("sent back from {} to {after}", self.seq));
        }
        self.seq = after;
        self.hearing = None;
    }

    /// It has a new line, on which it is about to ask for what it missed.
    pub fn comes_back(&mut self) {
        self.came_back_at = Some(self.position());
    }

    /// Its line was ended by the node because it read too slowly: it must have been brought forward on it, or
    /// it would come back for ever. Gives how many lines in a row brought it nowhere.
    pub fn was_too_slow(&mut self) -> u32 {
        let position = self.position();
        let vain = self.came_back_at == Some(position);
        self.in_vain = if vain { self.in_vain + 1 } else { 0 };
        if self.in_vain == 1 {
            self.findings.add(Rule::Progress, format!("ended as slow at {position}, where its line began"));
        }
        self.in_vain
    }

    /// It asked to be sent everything from a position on, and was told that it will be: on the same line as
    /// before, with no gap from there.
    pub fn goes_back(&mut self, to: Position) {
        if to != self.position() {
            self.seq = to.seq;
            self.hearing = None;
        }
    }

    /// It listens no longer, and does not come back from where it was: the next join is a new look.
    pub fn forgets(&mut self) {
        self.seq = 0;
        self.hearing = None;
    }

    /// It was shown an event.
    pub fn event(&mut self, event: &Event) {
        if event.seq != self.seq + 1 {
            let expected = self.seq + 1;
            self.findings.add(Rule::Complete, format!("shown event {} where {expected} was next", event.seq));
        }
        self.seq = event.seq;
        if let Fact::Checkpoint { turn, offset, chars: Some(chars), .. } = &event.fact {
            let had = self.hearing.as_ref().filter(|heard| heard.turn == *turn).map_or(0, |heard| heard.chars);
            self.findings.unless(had >= offset + chars, Rule::Covered, || {
                format!("checkpoint {} leaves out text up to {}, reached was {had}", event.seq, offset + chars)
            });
        }
        self.seen.push((event.seq, digest(event)));
        if let Fact::Message { reply: Some(reply), .. } = &event.fact
            && let Some(heard) = self.hearing.take_if(|heard| heard.turn <= reply.turn)
        {
            self.heard.push(heard);
        }
    }

    /// It was shown a piece of a running reply that begins at character `offset`.
    pub fn delta(&mut self, turn: Turn, offset: usize, text: &str) {
        if self.keeps_words {
            self.words.push_str(text);
        }
        if self.hearing.as_ref().is_some_and(|heard| heard.turn != turn)
            && let Some(before) = self.hearing.take()
        {
            self.findings.add(Rule::Character, format!("turn {turn} spoke before {} had ended", before.turn));
        }
        let heard = self.hearing.get_or_insert_with(|| Heard { turn, text: String::new(), chars: 0 });
        if offset != heard.chars {
            let reached = heard.chars;
            self.findings
                .add(Rule::Character, format!("turn {turn}: a piece begins at {offset}, reached was {reached}"));
        }
        heard.text.push_str(text);
        heard.chars = offset + text.chars().count();
    }

    /// Any other frame, as it came: searched for foreign words only.
    pub fn frame(&mut self, raw: &str) {
        if self.keeps_words {
            self.words.push_str(raw);
        }
    }

    /// It stayed to the end: it must have seen everything up to `head`.
    pub fn stayed_until(&mut self, head: Seq) {
        self.owed = head;
    }

    /// How far it has come.
    #[must_use]
    pub const fn seq(&self) -> Seq {
        self.seq
    }

    pub(super) fn has_seen_words(&self, word: &str) -> bool {
        self.words.contains(word)
    }

    pub(super) fn check(&self, log: &[Event], findings: &mut Findings) {
        findings.0.extend(self.findings.0.iter().cloned());
        findings.unless(self.seq >= self.owed, Rule::Complete, || {
            format!("stayed to the end at {} and was shown events up to {} only", self.owed, self.seq)
        });
        let at = |seq: Seq| usize::try_from(seq).ok().and_then(|seq| log.get(seq.checked_sub(1)?));
        for (seq, shown) in &self.seen {
            let is_shown = |event: &Event| {
                let less = event.without_text().map(|(covered, _)| covered).or_else(|| event.for_contact());
                digest(event) == *shown || less.is_some_and(|less| digest(&less) == *shown)
            };
            findings.unless(at(*seq).is_some_and(is_shown), Rule::Shown, || {
                format!("event {seq} was shown, and the log has another or none")
            });
        }
        if self.owed > 0
            && let Some(heard) = &self.hearing
        {
            findings.add(Rule::Reply, format!("turn {} was heard, and its end never came", heard.turn));
        }
        if self.heard.is_empty() {
            return;
        }
        let stored: HashMap<Turn, &Event> = log.iter().filter_map(|event| Some((ended_turn(event)?, event))).collect();
        for heard in &self.heard {
            heard.check(stored.get(&heard.turn).copied(), findings);
        }
    }
}

impl Heard {
    fn check(&self, stored: Option<&Event>, findings: &mut Findings) {
        let stored = stored.filter(|event| event.author == Author::Assistant).map(|event| &event.fact);
        let Some(Fact::Message { text, reply: Some(reply), .. }) = stored else {
            return findings.add(Rule::Reply, format!("turn {} was heard and is not in the log", self.turn));
        };
        let text = text.as_str();
        // A crash leaves what checkpoints hold, and more may have been heard.
        let interrupted = reply.end == End::Incomplete && reply.made.error.as_deref() == Some("interrupted");
        let agrees = text.starts_with(&self.text) || (interrupted && self.text.starts_with(text));
        findings.unless(agrees, Rule::Reply, || {
            format!("turn {}: what was heard is not how the stored reply ({}) begins", self.turn, reply.end.name())
        });
    }
}

/// Which turn an event ends.
fn ended_turn(event: &Event) -> Option<Turn> {
    match &event.fact {
        Fact::Message { reply: Some(reply), .. } => Some(reply.turn),
        _ => None,
    }
}

/// The same for the same event on every machine: the hasher's keys are fixed.
fn digest(event: &Event) -> u64 {
    let mut hasher = DefaultHasher::new();
    serde_json::to_string(event).unwrap_or_default().hash(&mut hasher);
    hasher.finish()
}
