//! Entries that were attended to and stand there still: the conversation is at it, or it could not be done.
//! Invariant: bounded in number; the same entry is sent for again only after a pause that grows.

use std::collections::BTreeMap;
use std::time::Duration;

use engine_store::DueEntry;
use schema::{ConversationKey, Timestamp, limits};
use tokio::time::Instant;

/// How long a conversation has to move its entry before it is sent for again; it doubles each time.
const AGAIN_MIN: Duration = Duration::from_secs(3);
const AGAIN_MAX: Duration = Duration::from_secs(300);
/// Entries for which there is no room in the memory, and that are sent again all the same, in one look.
const UNKNOWN_AGAIN_MAX: u32 = 8;

/// Whether an entry's conversation is to be sent for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sending {
    /// For the first time, as far as it is known.
    First,
    /// Once more.
    Again,
    /// It has been, not long ago.
    NotYet,
}

/// What the scanner remembers from one look to the next.
#[derive(Default)]
pub(super) struct Remembered {
    sent: BTreeMap<ConversationKey, Sent>,
    round: u64,
    /// The latest entry that was ever sent for: where the memory has no room, what stands before it is no news.
    newest: Option<DueEntry>,
    unknown: u32,
}

struct Sent {
    at: Timestamp,
    pause: Duration,
    again: Instant,
    /// The round that saw it last.
    round: u64,
}

impl Remembered {
    /// A look begins.
    pub(super) const fn begin(&mut self) {
        self.unknown = 0;
    }

    /// Whose turn it is. It is seen in this round.
    pub(super) fn turn(&mut self, entry: DueEntry, now: Instant) -> Sending {
        let (round, is_full) = (self.round, self.is_full());
        match self.sent.get_mut(&entry.key) {
            Some(sent) if sent.at == entry.at => {
                sent.round = round;
                if now < sent.again { Sending::NotYet } else { Sending::Again }
            }
            None if is_full && self.newest.is_some_and(|newest| entry <= newest) => {
                if self.unknown < UNKNOWN_AGAIN_MAX { Sending::Again } else { Sending::NotYet }
            }
            _ => Sending::First,
        }
    }

    /// It is sent for now. `jitter` is between 0 and 1.
    pub(super) fn sent(&mut self, entry: DueEntry, now: Instant, jitter: f64) {
        if self.newest.is_none_or(|newest| newest < entry) {
            self.newest = Some(entry);
        }
        let known = self.sent.get(&entry.key);
        if known.is_none() && self.is_full() {
            // Those that are known keep their pauses; of the others a few are sent in each look.
            self.unknown += 1;
            return;
        }
        let pause = known.filter(|sent| sent.at == entry.at).map_or(AGAIN_MIN, |sent| (sent.pause * 2).min(AGAIN_MAX));
        let again = now + pause.mul_f64(1.0 + jitter / 2.0);
        self.sent.insert(entry.key, Sent { at: entry.at, pause, again, round: self.round });
    }

    /// A round has seen all that is due: what it has not seen has been done.
    pub(super) fn end_round(&mut self) {
        let round = self.round;
        self.sent.retain(|_, sent| sent.round == round);
        self.round += 1;
    }

    fn is_full(&self) -> bool {
        self.sent.len() >= limits::DUE_REMEMBERED_MAX
    }
}

#[cfg(test)]
mod tests {
    use schema::{ConversationId, TenantId};

    use super::*;

    fn entry(n: u16, at: i64) -> DueEntry {
        let mut id = [0; 16];
        id[..2].copy_from_slice(&n.to_be_bytes());
        let key =
            ConversationKey { tenant: TenantId::from_bytes([1; 16]), conversation: ConversationId::from_bytes(id) };
        DueEntry { at: Timestamp::from_millis(at), key }
    }

    /// Whether it is sent for now.
    fn is_sent(remembered: &mut Remembered, entry: DueEntry, now: Instant) -> bool {
        let is_sent = remembered.turn(entry, now) != Sending::NotYet;
        if is_sent {
            remembered.sent(entry, now, 0.0);
        }
        is_sent
    }

    #[test]
    fn what_cannot_be_done_is_sent_for_less_and_less_often() {
        let (mut remembered, start) = (Remembered::default(), Instant::now());
        let mut sent = Vec::new();
        for second in 0..7_200 {
            remembered.begin();
            if is_sent(&mut remembered, entry(1, 5), start + Duration::from_secs(second)) {
                sent.push(second);
            }
            remembered.end_round();
        }
        assert_eq!(sent[..5], [0, 3, 9, 21, 45]);
        assert!(sent.len() < 32, "{sent:?}");
        let next = start + Duration::from_secs(7_200);
        assert_eq!(remembered.turn(entry(1, 6), next), Sending::First, "it has another moment");
        remembered.end_round();
        remembered.end_round();
        assert_eq!(remembered.turn(entry(1, 6), next), Sending::First, "it was gone in between");
    }

    #[test]
    fn its_memory_is_bounded_and_what_is_past_it_is_not_sent_all_the_time() {
        let (mut remembered, start, all) = (Remembered::default(), Instant::now(), 6_000);
        remembered.begin();
        for n in 0..all {
            assert_eq!(remembered.turn(entry(n, i64::from(n)), start), Sending::First);
            remembered.sent(entry(n, i64::from(n)), start, 0.0);
        }
        remembered.end_round();
        assert_eq!(remembered.sent.len(), limits::DUE_REMEMBERED_MAX);
        // Ten minutes, a round in each second: nothing of it is done.
        let (mut sent, mut unknown) = (0, 0);
        for second in 1..=600 {
            remembered.begin();
            let now = start + Duration::from_secs(second);
            for n in 0..all {
                let is_unknown = !remembered.sent.contains_key(&entry(n, 0).key);
                let is_sent = is_sent(&mut remembered, entry(n, i64::from(n)), now);
                sent += u32::from(is_sent);
                unknown += u32::from(is_sent && is_unknown);
            }
            remembered.end_round();
        }
        assert!((1..=600 * UNKNOWN_AGAIN_MAX).contains(&unknown), "{unknown}");
        assert!(sent - unknown < 10 * limits::DUE_REMEMBERED_MAX as u32, "{sent}: their pauses grow");
        // What is newer than all that is sent for at once.
        assert_eq!(remembered.turn(entry(7_000, 7_000), start), Sending::First);
    }
}
