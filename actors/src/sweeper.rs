//! Looks over all conversations once a second: idle ones are put to rest, stuck ones reported.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use schema::ConversationKey;
use tokio::time::Instant;

use crate::conversation::Mail;
use crate::metrics::{ACTOR_STUCK, CONVERSATIONS_WAITING};
use crate::system::System;

const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Looks without progress after which an actor with waiting messages counts as stuck.
const STUCK_LOOKS: u32 = 3;

/// An actor with waiting messages, as it was at the last look.
struct Seen {
    handled: u64,
    looks: u32,
}

/// Runs until the system is closed.
pub(crate) async fn sweep(system: Arc<System>) {
    let mut ticks = tokio::time::interval(LOOK_EVERY);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut waiting = HashMap::new();
    while !system.is_closing() {
        ticks.tick().await;
        look(&system, &mut waiting).await;
        system.directory().tidy(Instant::now(), system.options().rest_after);
    }
}

async fn look(system: &System, seen: &mut HashMap<ConversationKey, Seen>) {
    let now = system.uptime_seconds();
    let rest_after = system.options().rest_after.as_secs();
    let (mut waiting, mut stuck) = (0, 0);
    let mut still = HashMap::new();
    for shard in system.directory().awake() {
        for handle in shard {
            let vitals = handle.sender().vitals();
            if vitals.waiting() > 0 {
                waiting += vitals.waiting();
                let handled = vitals.handled_count();
                let looks = match seen.get(&handle.key()) {
                    Some(before) if before.handled == handled => before.looks + 1,
                    _ => 0,
                };
                if looks >= STUCK_LOOKS {
                    stuck += 1;
                    tracing::warn!(conversation = %handle.key().conversation, "actor is stuck: messages wait and none is handled");
                }
                still.insert(handle.key(), Seen { handled, looks });
            } else if !handle.is_running()
                && now.saturating_sub(handle.shared().touched.load(Ordering::Relaxed)) >= rest_after
            {
                // Also one that somebody seems to listen to: it looks whether they still do. A full mailbox
                // would mean that it is not idle at all.
                let _ = handle.sender().try_send(Mail::Rest);
            }
        }
        // A shard at a time, so that others on this thread get their turn.
        tokio::task::yield_now().await;
    }
    *seen = still;
    metrics::gauge!(CONVERSATIONS_WAITING).set(waiting as f64);
    metrics::gauge!(ACTOR_STUCK).set(f64::from(stuck));
}
