//! Judges a conversation by what its clients saw: everything acknowledged is in the log, once, in
//! its place; everything shown is in the log too; nobody missed anything. Any fault test records
//! sends, acknowledgements and frames while it runs, reads the log afterwards and asks [`History::check`].
//! Invariant: linear in what was recorded, and blind to how the faults were made.

mod observer;
mod sender;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashMap};
use std::fmt;

use schema::{Author, Event, Fact, Ref, Reply, Seq, Turn};

pub use observer::Observer;
pub use sender::Sender;

/// One conversation as its clients know it.
#[derive(Clone, Debug, Default)]
pub struct History {
    /// Those who spoke.
    pub senders: Vec<Sender>,
    /// Those who listened.
    pub observers: Vec<Observer>,
    /// Words of other tenants, which may stand nowhere in this conversation.
    pub foreign: Vec<String>,
    /// The most that was held of it, by what held it.
    pub held: Vec<Held>,
    /// Nobody else spoke: a message that no sender has sent is wrong.
    pub nobody_else: bool,
}

/// Something of a conversation that was in memory at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Held {
    /// What it was.
    pub what: &'static str,
    /// How much of it, in bytes.
    pub bytes: usize,
    /// How much there may be.
    pub most: usize,
}

/// What must hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Rule {
    /// The log's numbers are exactly 1, 2, 3 … head.
    Numbers,
    /// What was acknowledged stands at the number that was told, with its words.
    Kept,
    /// What was sent once, however often it was repeated, stands in the log at most once.
    Once,
    /// What one sender said later stands later.
    Order,
    /// Nothing stands in the log that nobody sent.
    Sent,
    /// An event that was shown is the log's.
    Shown,
    /// A listener's events come in the log's order without gaps, also over resumes, and each once.
    Complete,
    /// A listener's piece of a reply begins at the very character that was reached.
    Character,
    /// The pieces that were shown are the beginning of the reply that was stored.
    Reply,
    /// Every turn that began has exactly one end, and at most one ran at a time.
    Turn,
    /// A person is asked for while a reply runs, and not again before one of the team has seen to it.
    Handoff,
    /// A checkpoint without its text covers only what its listener has had as deltas.
    Covered,
    /// A line that the node ended because its reader was slow has brought that reader forward.
    Progress,
    /// What a conversation holds in memory stays within its bound.
    Memory,
    /// No word of another tenant is in anything that was shown or stored.
    Foreign,
}

/// A rule that was broken, and by what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// Which rule.
    pub rule: Rule,
    /// Numbers and names, enough to look it up.
    pub what: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {}", self.rule, self.what)
    }
}

/// What is wrong, as it is found.
#[derive(Clone, Debug, Default)]
pub(crate) struct Findings(Vec<Violation>);

impl Findings {
    pub(crate) fn add(&mut self, rule: Rule, what: impl Into<String>) {
        self.0.push(Violation { rule, what: what.into() });
    }

    fn unless(&mut self, holds: bool, rule: Rule, what: impl FnOnce() -> String) {
        if !holds {
            self.add(rule, what());
        }
    }
}

impl History {
    /// Everything that is wrong, given the whole log as it is after all faults have healed and every
    /// turn had time to end. An empty list is the proof.
    #[must_use]
    pub fn check(&self, log: &[Event]) -> Vec<Violation> {
        let mut findings = Findings::default();
        if let Some(turn) = turns(log, &mut findings) {
            findings.add(Rule::Turn, format!("turn {turn} never ended"));
        }
        self.check_rest(log, findings)
    }

    /// The same in the middle of things: the newest turn may run still. The log was read after what
    /// was recorded.
    #[must_use]
    pub fn check_so_far(&self, log: &[Event]) -> Vec<Violation> {
        let mut findings = Findings::default();
        turns(log, &mut findings);
        self.check_rest(log, findings)
    }

    fn check_rest(&self, log: &[Event], mut findings: Findings) -> Vec<Violation> {
        numbers(log, &mut findings);
        handoffs(log, &mut findings);
        let spoken = spoken(log);
        for sender in &self.senders {
            sender.check(&spoken, &mut findings);
        }
        if self.nobody_else {
            let of_nobody =
                |(author, r#ref): &(Author, &Ref)| !self.senders.iter().any(|sender| sender.has_sent(*author, r#ref));
            for ((_, r#ref), message) in spoken.iter().filter(|(key, _)| of_nobody(key)) {
                findings.add(Rule::Sent, format!("{} at {} was sent by nobody", r#ref.as_str(), message.seq));
            }
        }
        for observer in &self.observers {
            observer.check(log, &mut findings);
        }
        for Held { what, bytes, most } in &self.held {
            findings.unless(bytes <= most, Rule::Memory, || format!("{bytes} bytes of {what}, and {most} are allowed"));
        }
        self.words(log, &mut findings);
        findings.0
    }

    fn words(&self, log: &[Event], findings: &mut Findings) {
        if self.foreign.is_empty() {
            return;
        }
        for event in log {
            // An event without strings that cannot be encoded: the wire has none.
            let text = serde_json::to_string(event).unwrap_or_default();
            for word in self.foreign.iter().filter(|word| text.contains(*word)) {
                findings.add(Rule::Foreign, format!("`{word}` in event {}", event.seq));
            }
        }
        for (n, observer) in self.observers.iter().enumerate() {
            for word in self.foreign.iter().filter(|word| observer.has_seen_words(word)) {
                findings.add(Rule::Foreign, format!("`{word}` was shown to observer {n}"));
            }
        }
    }
}

/// A message of the log by its sender's ref.
pub(crate) struct Spoken<'a> {
    pub(crate) seq: Seq,
    pub(crate) text: &'a str,
    pub(crate) times: usize,
}

/// Refs are the sender's own: a contact's and a human agent's may be the same.
pub(crate) type SpokenByRef<'a> = HashMap<(Author, &'a Ref), Spoken<'a>>;

fn spoken(log: &[Event]) -> SpokenByRef<'_> {
    let mut spoken = SpokenByRef::new();
    for event in log {
        if let Fact::Message { text, r#ref: Some(r#ref), .. } = &event.fact {
            let entry = spoken.entry((event.author, r#ref));
            entry.or_insert(Spoken { seq: event.seq, text: text.as_str(), times: 0 }).times += 1;
        }
    }
    spoken
}

fn numbers(log: &[Event], findings: &mut Findings) {
    for (expected, event) in (1..).zip(log) {
        findings
            .unless(event.seq == expected, Rule::Numbers, || format!("{} stands where {expected} should", event.seq));
    }
}

fn handoffs(log: &[Event], findings: &mut Findings) {
    let (mut runs, mut asked) = (false, None);
    for event in log {
        match &event.fact {
            Fact::TurnStarted { .. } => runs = true,
            Fact::HandoffRequested { .. } => {
                findings.unless(runs, Rule::Handoff, || format!("a person is asked for at {} in no turn", event.seq));
                if let Some(before) = asked.replace(event.seq) {
                    findings
                        .add(Rule::Handoff, format!("a person is asked for at {before} and again at {}", event.seq));
                }
            }
            Fact::Message { reply: Some(_), .. } => runs = false,
            Fact::Message { .. } if event.author == Author::Human => asked = None,
            Fact::HandedBack { .. } => asked = None,
            _ => {}
        }
    }
}

/// Gives the turn that still runs.
fn turns(log: &[Event], findings: &mut Findings) -> Option<Turn> {
    let mut running: Option<Turn> = None;
    let mut ends: BTreeMap<Turn, usize> = BTreeMap::new();
    for event in log {
        match &event.fact {
            Fact::TurnStarted { turn } => {
                if let Some(before) = running.replace(*turn) {
                    findings.add(Rule::Turn, format!("turn {turn} began at {} while {before} ran", event.seq));
                }
                findings.unless(!ends.contains_key(turn), Rule::Turn, || format!("turn {turn} began again"));
            }
            Fact::Message { reply: Some(reply), .. } => {
                let Reply { turn, .. } = &**reply;
                *ends.entry(*turn).or_default() += 1;
                let begun = running.take_if(|running| running == turn).is_some();
                let again = if ends.get(turn) == Some(&1) { "without having begun" } else { "again" };
                findings.unless(begun, Rule::Turn, || format!("turn {turn} ended {again} at {}", event.seq));
            }
            _ => {}
        }
    }
    running
}
