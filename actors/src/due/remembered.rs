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

/// What the scanner remembers from one look to the next.
#[derive(Default)]
pub(super) struct Remembered {
    sent: BTreeMap<ConversationKey, Sent>,
    look: u64,
}

struct Sent {
    at: Timestamp,
    pause: Duration,
    again: Instant,
    /// The look that saw it last.
    look: u64,
}

impl Remembered {
    /// Whether to send for the one that this entry names; if so, it is sent for now. `jitter` is between 0 and 1.
    pub(super) fn is_to_be_sent(&mut self, entry: DueEntry, now: Instant, jitter: f64) -> bool {
        let look = self.look;
        let pause = match self.sent.get_mut(&entry.key) {
            Some(sent) if sent.at == entry.at => {
                sent.look = look;
                if now < sent.again {
                    return false;
                }
                (sent.pause * 2).min(AGAIN_MAX)
            }
            _ => AGAIN_MIN,
        };
        self.make_room(entry.key);
        let again = now + pause.mul_f64(1.0 + jitter / 2.0);
        self.sent.insert(entry.key, Sent { at: entry.at, pause, again, look });
        true
    }

    /// A look begins.
    pub(super) const fn begin(&mut self) {
        self.look += 1;
    }

    /// A look has seen all that is due: what it has not seen has been done.
    pub(super) fn end(&mut self) {
        let look = self.look;
        self.sent.retain(|_, sent| sent.look == look);
    }

    /// The one that may come again soonest goes: the price is one sending too many.
    fn make_room(&mut self, key: ConversationKey) {
        if self.sent.len() >= limits::DUE_REMEMBERED_MAX
            && !self.sent.contains_key(&key)
            && let Some(soonest) = self.sent.iter().min_by_key(|(_, sent)| sent.again).map(|(key, _)| *key)
        {
            self.sent.remove(&soonest);
        }
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

    #[test]
    fn what_cannot_be_done_is_sent_for_less_and_less_often() {
        let (mut remembered, start) = (Remembered::default(), Instant::now());
        let mut sent = Vec::new();
        for second in 0..7_200 {
            remembered.begin();
            if remembered.is_to_be_sent(entry(1, 5), start + Duration::from_secs(second), 0.0) {
                sent.push(second);
            }
            remembered.end();
        }
        assert_eq!(sent[..5], [0, 3, 9, 21, 45]);
        assert!(sent.len() < 32, "{sent:?}");
        let next = start + Duration::from_secs(7_200);
        assert!(remembered.is_to_be_sent(entry(1, 6), next, 0.0), "it has another moment");
        remembered.begin();
        remembered.end();
        assert!(remembered.is_to_be_sent(entry(1, 6), next, 0.0), "it was gone in between");
    }

    #[test]
    fn its_memory_is_bounded() {
        let (mut remembered, now) = (Remembered::default(), Instant::now());
        remembered.begin();
        for n in 0..6_000 {
            assert!(remembered.is_to_be_sent(entry(n, 5), now + Duration::from_nanos(u64::from(n)), 0.0));
        }
        assert_eq!(remembered.sent.len(), limits::DUE_REMEMBERED_MAX);
        assert!(!remembered.is_to_be_sent(entry(5_999, 5), now, 0.0));
    }
}
