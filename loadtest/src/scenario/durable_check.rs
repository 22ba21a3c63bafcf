//! Whether the log holds exactly what was acknowledged: once each, in order, at the number given.

use schema::{Author, ErrorCode, Event, Ref};

use super::lengths::Lengths;
use crate::checker::{History, Sender};

/// Faults told in words; the rest are counted.
const TOLD_MAX: usize = 10;

/// What became of one message, as its sender knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SendEnd {
    /// It was acknowledged with this number.
    Acked(u64),
    /// It was refused.
    Refused(ErrorCode),
    /// Nothing was heard: it may be there, once.
    Unanswered,
}

/// Compares what one writer sent, in order, with the log of its conversation.
///
/// `sent` gives each message's ref and outcome, `lengths` its words. The answer is what is wrong.
#[must_use]
pub fn verify(sent: &[(Ref, SendEnd)], lengths: &Lengths, events: &[Event], head: u64) -> Vec<String> {
    let mut sender = Sender::new(Author::Contact);
    for (nth, (r#ref, outcome)) in sent.iter().enumerate() {
        sender.sends(r#ref, lengths.text(nth));
        if let SendEnd::Acked(seq) = outcome {
            sender.acknowledged(r#ref, *seq);
        }
    }
    let history = History { senders: vec![sender], nobody_else: true, ..History::default() };
    let mut told: Vec<String> = history.check(events).iter().map(ToString::to_string).collect();
    if head != events.len() as u64 {
        told.push(format!("the head is {head}, and {} events are listed", events.len()));
    }
    if told.len() > TOLD_MAX {
        let more = told.len() - TOLD_MAX;
        told.truncate(TOLD_MAX);
        told.push(format!("and {more} more"));
    }
    told
}

#[cfg(test)]
mod tests {
    use schema::{ContactId, Fact};

    use super::*;

    fn log(refs: &[&str]) -> Vec<Event> {
        let at = serde_json::from_str("\"2026-01-01T00:00:00Z\"").unwrap();
        let opened = Fact::Opened { contact: ContactId::generate(), channel: schema::Channel::Web, locale: None };
        let said =
            |re: &&str| Fact::Message { text: "a".into(), r#ref: Some(re.parse().unwrap()), agent: None, reply: None };
        let facts = std::iter::once(opened).chain(refs.iter().map(said));
        facts.zip(1..).map(|(fact, seq)| Event { seq, at, author: Author::Contact, fact }).collect()
    }

    fn sent(outcomes: &[SendEnd]) -> Vec<(Ref, SendEnd)> {
        outcomes.iter().enumerate().map(|(at, outcome)| (format!("r{at}").parse().unwrap(), *outcome)).collect()
    }

    #[test]
    fn what_a_writer_was_told_is_held_against_the_log() {
        use SendEnd::{Acked, Refused, Unanswered};
        let busy = Refused(ErrorCode::Busy);
        for (name, refs, outcomes, fault) in [
            ("all well", &["r0", "r1", "r2"][..], &[Acked(2), Acked(3), Acked(4)][..], ""),
            ("refused and absent", &["r0", "r2"], &[Acked(2), busy, Acked(3)], ""),
            ("unanswered and there", &["r0", "r1"], &[Acked(2), Unanswered], ""),
            ("unanswered and absent", &["r0"], &[Acked(2), Unanswered], ""),
            ("lost", &["r0", "r2"], &[Acked(2), Acked(3), Acked(3)], "is lost"),
            ("doubled though unanswered", &["r0", "r0"], &[Unanswered], "2 times"),
            ("out of order", &["r1", "r0"], &[Acked(3), Acked(2)], "Order"),
            ("never sent", &["r0", "zz"], &[Acked(2)], "by nobody"),
        ] {
            let events = log(refs);
            let faults = verify(&sent(outcomes), &Lengths::even(1), &events, events.len() as u64);
            if fault.is_empty() {
                assert_eq!(faults, Vec::<String>::new(), "{name}");
            } else {
                assert!(faults.iter().any(|told| told.contains(fault)), "{name}: {faults:?}");
            }
        }
    }

    #[test]
    fn the_listing_ends_at_the_head_and_a_flood_of_faults_is_counted() {
        let events = log(&["r0"]);
        assert_eq!(verify(&sent(&[SendEnd::Acked(2)]), &Lengths::even(1), &events, 4).len(), 1);
        let lost = sent(&vec![SendEnd::Acked(2); 50]);
        let faults = verify(&lost, &Lengths::even(1), &log(&[]), 1);
        assert_eq!((faults.len(), faults[TOLD_MAX].as_str()), (TOLD_MAX + 1, "and 40 more"));
    }
}
