//! Whether the log holds exactly what was acknowledged: once each, in order, at the number given.

use std::collections::HashMap;

use schema::{ErrorCode, Event};

/// Faults told in words; the rest are counted.
const TOLD_MAX: usize = 10;

/// What became of one message, as its sender knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It was acknowledged with this number.
    Acked(u64),
    /// It was refused.
    Refused(ErrorCode),
    /// Nothing was heard: it may be there, once.
    Unanswered,
}

/// Compares what one writer sent, in order, with the log of its conversation.
///
/// `sent` gives each message's ref and outcome. The answer is what is wrong.
#[must_use]
pub fn verify(sent: &[(String, Outcome)], events: &[Event], head: u64) -> Vec<String> {
    let mut faults = Faults::default();
    for (at, event) in events.iter().enumerate() {
        if event.seq != at as u64 + 1 {
            faults.add(|| format!("event {} stands where {} should", event.seq, at + 1));
        }
    }
    if head != events.len() as u64 {
        faults.add(|| format!("the head is {head}, and {} events are listed", events.len()));
    }
    let mut found: HashMap<&str, Vec<u64>> = HashMap::new();
    for event in events {
        if let Some(re) = event.fact.client_ref() {
            found.entry(re.as_str()).or_default().push(event.seq);
        }
    }
    let mut last = 0;
    for (re, outcome) in sent {
        let places = found.remove(re.as_str()).unwrap_or_default();
        match (outcome, &places[..]) {
            (Outcome::Acked(seq), [place]) if seq == place => {
                if *seq <= last {
                    faults.add(|| format!("{re} is acknowledged out of order, as {seq} after {last}"));
                }
                last = *seq;
            }
            (Outcome::Acked(seq), []) => faults.add(|| format!("{re} was acknowledged as {seq} and is lost")),
            (Outcome::Acked(seq), _) => {
                faults.add(|| format!("{re} was acknowledged as {seq} and stands at {places:?}"));
            }
            (_, [] | [_]) => {}
            (_, _) => faults.add(|| format!("{re} stands there more than once: {places:?}")),
        }
    }
    if !found.is_empty() {
        faults.add(|| format!("{} messages are there that nobody sent", found.len()));
    }
    faults.told()
}

#[derive(Default)]
struct Faults {
    told: Vec<String>,
    more: usize,
}

impl Faults {
    fn add(&mut self, say: impl FnOnce() -> String) {
        if self.told.len() < TOLD_MAX { self.told.push(say()) } else { self.more += 1 }
    }

    fn told(mut self) -> Vec<String> {
        if self.more > 0 {
            self.told.push(format!("and {} more", self.more));
        }
        self.told
    }
}

#[cfg(test)]
mod tests {
    use schema::{Author, Contact, Fact};

    use super::*;

    fn log(refs: &[&str]) -> Vec<Event> {
        let at = serde_json::from_str("\"2026-01-01T00:00:00Z\"").unwrap();
        let opened = Fact::Opened { contact: Contact::anonymous(), channel: schema::Channel::Web };
        let said =
            |re: &&str| Fact::Message { text: "x".into(), r#ref: Some(re.parse().unwrap()), agent: None, reply: None };
        let facts = std::iter::once(opened).chain(refs.iter().map(said));
        facts.zip(1..).map(|(fact, seq)| Event { seq, at, author: Author::Contact, fact }).collect()
    }

    fn sent(outcomes: &[Outcome]) -> Vec<(String, Outcome)> {
        outcomes.iter().enumerate().map(|(at, outcome)| (format!("r{at}"), *outcome)).collect()
    }

    #[test]
    fn what_was_acknowledged_is_there_once_and_in_order() {
        use Outcome::{Acked, Refused, Unanswered};
        let busy = Refused(ErrorCode::Busy);
        for (name, refs, outcomes, fault) in [
            ("all well", &["r0", "r1", "r2"][..], &[Acked(2), Acked(3), Acked(4)][..], ""),
            ("refused and absent", &["r0", "r2"], &[Acked(2), busy, Acked(3)], ""),
            ("unanswered and there", &["r0", "r1"], &[Acked(2), Unanswered], ""),
            ("unanswered and absent", &["r0"], &[Acked(2), Unanswered], ""),
            ("lost", &["r0", "r2"], &[Acked(2), Acked(3), Acked(3)], "is lost"),
            ("doubled", &["r0", "r1", "r1"], &[Acked(2), Acked(3)], "stands at [3, 4]"),
            ("doubled though unanswered", &["r0", "r0"], &[Unanswered], "more than once"),
            ("at another number", &["r0", "r1"], &[Acked(2), Acked(4)], "stands at [3]"),
            ("out of order", &["r1", "r0"], &[Acked(3), Acked(2)], "out of order"),
            ("never sent", &["r0", "zz"], &[Acked(2)], "nobody sent"),
        ] {
            let events = log(refs);
            let faults = verify(&sent(outcomes), &events, events.len() as u64);
            if fault.is_empty() {
                assert_eq!(faults, Vec::<String>::new(), "{name}");
            } else {
                assert!(faults.iter().any(|told| told.contains(fault)), "{name}: {faults:?}");
            }
        }
    }

    #[test]
    fn numbers_have_no_gaps_and_end_at_the_head() {
        let mut events = log(&["r0", "r1"]);
        assert!(!verify(&sent(&[Outcome::Acked(2), Outcome::Acked(3)]), &events, 4).is_empty(), "the head is further");
        events.remove(0);
        assert!(!verify(&sent(&[Outcome::Acked(2), Outcome::Acked(3)]), &events, 3).is_empty(), "one is missing");
    }

    #[test]
    fn a_flood_of_faults_is_counted() {
        let outcomes = vec![Outcome::Acked(2); 50];
        let faults = verify(&sent(&outcomes), &log(&[]), 1);
        assert_eq!(faults.len(), TOLD_MAX + 1);
        assert_eq!(faults[TOLD_MAX], "and 40 more");
    }
}
