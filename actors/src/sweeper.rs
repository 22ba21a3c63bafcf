//! Looks over all conversations once a second: idle ones are put to rest, stuck ones reported.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use schema::ConversationKey;
use tokio::time::Instant;

use crate::conversation::ConversationHandle;
use crate::metrics::{ACTOR_STUCK, CONVERSATIONS_WAITING};
use crate::phase::Phase;
use crate::supervision::Conversations;

const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How long a conversation stays in memory that was woken because something was due, and for nobody.
const UNASKED_REST_AFTER: Duration = Duration::from_secs(5);
/// Looks without progress after which an actor with waiting messages counts as stuck.
const STUCK_LOOKS: u32 = 3;

/// What is looked over, and when a conversation has rested long enough.
pub(crate) struct Sweeper {
    pub(crate) conversations: Arc<Conversations>,
    pub(crate) phase: Arc<Phase>,
    pub(crate) rest_after: Duration,
}

/// An actor with waiting messages, as it was at the last look.
struct Seen {
    handled: u64,
    looks: u32,
}

impl Sweeper {
    /// Runs until the node closes.
    pub(crate) async fn sweep(&self) {
        let mut ticks = tokio::time::interval(LOOK_EVERY);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut waiting = HashMap::new();
        while !self.phase.is_closing() {
            ticks.tick().await;
            self.look(&mut waiting).await;
            self.conversations.tidy(Instant::now(), self.rest_after);
        }
    }

    fn rest_after(&self, handle: &ConversationHandle) -> Duration {
        if handle.is_asked() { self.rest_after } else { self.rest_after.min(UNASKED_REST_AFTER) }
    }

    async fn look(&self, seen: &mut HashMap<ConversationKey, Seen>) {
        let now = self.phase.uptime_seconds();
        let (mut waiting, mut stuck) = (0, 0);
        let mut still = HashMap::new();
        for shard in self.conversations.awake() {
            // Most are empty on an idle node, and to give others a turn after each would wake it as often.
            if shard.is_empty() {
                continue;
            }
            for handle in shard {
                let vitals = handle.vitals();
                if vitals.waiting() > 0 {
                    waiting += vitals.waiting();
                    let handled = vitals.handled_count();
                    let looks = match seen.get(&handle.key()) {
                        Some(before) if before.handled == handled => before.looks + 1,
                        _ => 0,
                    };
                    if looks >= STUCK_LOOKS {
                        stuck += 1;
                        let (ConversationKey { tenant, conversation }, waiting) = (handle.key(), vitals.waiting());
                        tracing::warn!(%conversation, %tenant, waiting, "actor is stuck: messages wait and none is handled");
                    }
                    still.insert(handle.key(), Seen { handled, looks });
                } else if !handle.is_running()
                    && now.saturating_sub(handle.touched()) >= self.rest_after(&handle).as_secs()
                {
                    // Also one that somebody seems to listen to: it looks whether they still do.
                    handle.ask_to_rest();
                }
            }
            // A shard at a time, so that others on this thread get their turn.
            tokio::task::yield_now().await;
        }
        *seen = still;
        metrics::gauge!(CONVERSATIONS_WAITING).set(waiting as f64);
        metrics::gauge!(ACTOR_STUCK).set(f64::from(stuck));
    }
}
