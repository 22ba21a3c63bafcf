//! What nodes tell each other of things that are kept in memory, so that nobody goes on with what has changed.
//! Invariant: it is a short cut. Whatever may have been missed is told as `Everything`; without Redis nothing comes, and
//! whoever keeps something has to read it anew by itself in any case.

use std::time::Duration;

use fred::interfaces::{ClientLike, EventInterface, PubsubInterface};
use schema::{NodeId, TenantId};
use serde::{Deserialize, Serialize};
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::broadcast::{Receiver, Sender};
use tokio::time::{MissedTickBehavior, interval, timeout};
use tracing::{info, warn};

use crate::metrics::TOLD;
use crate::redis::{OWN_CALL_WITHIN, Redis, RedisError, of_driver};

/// Characters of an id at most.
pub const CHANGED_ID_MAX: usize = 256;
/// Changes that a listener may be behind; one that is further behind reads everything.
const BEHIND_MAX: usize = 1_024;
/// How long a change may take to reach Redis.
const TELL_WITHIN: Duration = Duration::from_millis(250);
/// How often a connection on which nothing came is asked whether it lives.
const CHECK_EVERY: Duration = Duration::from_secs(3);
/// No message of the form that changes have, so that it is one that is not understood.
const EVERYTHING: &str = "everything";
/// A message that is longer is none of ours.
const MESSAGE_BYTES_MAX: usize = 4_096;

/// What kind of thing has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ChangeKind {
    /// A tenant's profile.
    Profile,
    /// An API key: made, changed or revoked.
    Key,
    /// A tenant's documents.
    Knowledge,
    /// A visitor or a person is to be logged out.
    Logout,
    /// A tenant's plan, and with it its limits.
    Plan,
    /// A contact's record.
    Contact,
    /// Questions that the assistant could not answer.
    Unanswered,
}

/// Something that may be kept in memory has changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// This one.
    One {
        /// Its kind.
        kind: ChangeKind,
        /// Whose it is.
        tenant: TenantId,
        /// Which one; empty where a tenant has but one.
        id: String,
    },
    /// Any of them, or all: changes may have been missed.
    Everything,
}

/// A change as it is sent.
#[derive(Serialize, Deserialize)]
struct Message {
    from: NodeId,
    kind: ChangeKind,
    tenant: TenantId,
    id: String,
}

/// Tells other nodes of changes, and hears of theirs.
pub struct Changes {
    me: NodeId,
    redis: Option<Redis>,
    listeners: Sender<Change>,
}

impl Changes {
    /// Where there is Redis, this listens to it over a connection of its own.
    pub(crate) fn new(me: NodeId, redis: Option<Redis>, own: Option<Redis>) -> Self {
        let (listeners, _) = tokio::sync::broadcast::channel(BEHIND_MAX);
        if let Some(own) = own {
            tokio::spawn(attend(own, me, listeners.clone()));
        }
        Self { me, redis, listeners }
    }

    /// Tells all other nodes that something has changed: after the change is kept. Whether it has reached Redis; if not,
    /// they come to it when they read it by themselves.
    pub async fn tell(&self, kind: ChangeKind, tenant: TenantId, id: &str) -> bool {
        let id: String = id.chars().take(CHANGED_ID_MAX).collect();
        match serde_json::to_string(&Message { from: self.me, kind, tenant, id }) {
            Ok(message) => self.send(message).await,
            Err(_) => false,
        }
    }

    /// Tells other nodes that anything may have changed.
    pub async fn tell_everything(&self) -> bool {
        self.send(EVERYTHING.to_owned()).await
    }

    async fn send(&self, message: String) -> bool {
        let Some(redis) = &self.redis else { return false };
        let channel = channel(redis);
        let sent = redis.call("tell", TELL_WITHIN, async |client| client.publish::<i64, _, _>(channel, message).await);
        sent.await.is_ok()
    }

    /// All that others change from now on. Listen first, then read what you keep.
    #[must_use]
    pub fn hear(&self) -> Hearing {
        Hearing(self.listeners.subscribe())
    }
}

/// Hears of changes.
pub struct Hearing(Receiver<Change>);

impl Hearing {
    /// The next one; none when the node ends.
    pub async fn next(&mut self) -> Option<Change> {
        match self.0.recv().await {
            Ok(change) => Some(change),
            Err(RecvError::Lagged(_)) => Some(Change::Everything),
            Err(RecvError::Closed) => None,
        }
    }
}

fn channel(redis: &Redis) -> String {
    redis.key(format_args!("changes"))
}

/// Hears what other nodes tell, for as long as the runtime goes on.
async fn attend(redis: Redis, me: NodeId, listeners: Sender<Change>) {
    let client = redis.client();
    let channel = channel(&redis);
    let mut messages = client.message_rx();
    let mut connected = client.reconnect_rx();
    let mut checks = interval(CHECK_EVERY);
    checks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let (mut is_subscribed, mut is_told) = (false, false);
    loop {
        tokio::select! {
            message = messages.recv() => {
                let change = match message {
                    Ok(message) if message.channel == channel => {
                        let text = message.value.as_bytes().unwrap_or_default();
                        match of_message(text, me) {
                            Some(change) => change,
                            None => continue,
                        }
                    }
                    Ok(_) => continue,
                    Err(RecvError::Lagged(_)) => Change::Everything,
                    Err(RecvError::Closed) => return,
                };
                pass_on(&listeners, change);
                continue;
            }
            again = connected.recv() => {
                if matches!(again, Err(RecvError::Closed)) {
                    return;
                }
                // A new connection knows nothing of what was subscribed on the one before it.
                is_subscribed = false;
            }
            _ = checks.tick() => {}
        }
        // It says nothing by itself: one that is dead without a word is found by asking for the same once more.
        let answer = timeout(OWN_CALL_WITHIN, client.subscribe(channel.as_str())).await;
        let is_answered = matches!(answer, Ok(Ok(())));
        // Of one that cannot be reached its connection tells why.
        let is_refused = matches!(&answer, Ok(Err(error)) if matches!(of_driver(error), RedisError::Refused(_)));
        match (is_subscribed, is_answered) {
            (false, true) => {
                info!("changes of other nodes are heard");
                // What was told before this is not known.
                pass_on(&listeners, Change::Everything);
            }
            (true, false) => {
                warn!("changes of other nodes may not be heard");
                // One that cannot be made anew now is made anew by the driver.
                let _ = timeout(OWN_CALL_WITHIN, client.force_reconnection()).await;
            }
            (false, false) if is_refused && !std::mem::replace(&mut is_told, true) => {
                warn!("changes of other nodes are not heard: Redis does not let this node subscribe");
            }
            (true, true) | (false, false) => {}
        }
        is_subscribed = is_answered;
        is_told &= !is_answered;
    }
}

fn pass_on(listeners: &Sender<Change>, change: Change) {
    let kind = if change == Change::Everything { "everything" } else { "one" };
    metrics::counter!(TOLD, "kind" => kind).increment(1);
    // Without listeners nobody has to hear of it.
    let _ = listeners.send(change);
}

/// What a message says; none for one of this node's own, which knows.
fn of_message(text: &[u8], me: NodeId) -> Option<Change> {
    if text.len() > MESSAGE_BYTES_MAX {
        return Some(Change::Everything);
    }
    match serde_json::from_slice::<Message>(text) {
        Ok(message) if message.from == me => None,
        Ok(Message { kind, tenant, id, .. }) => Some(Change::One { kind, tenant, id }),
        // A later version may tell of things that are not known here.
        Err(_) => Some(Change::Everything),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_understood_may_be_anything() {
        let (me, other, tenant) = (NodeId::generate(), NodeId::generate(), TenantId::generate());
        let message = |from: NodeId, kind: &str| {
            format!(r#"{{"from":"{from}","kind":"{kind}","tenant":"{tenant}","id":"x","later":1}}"#)
        };
        let one = Change::One { kind: ChangeKind::Key, tenant, id: "x".into() };
        for (text, expected) in [
            (message(other, "key"), Some(one)),
            (message(me, "key"), None),
            (message(other, "something_new"), Some(Change::Everything)),
            ("words".into(), Some(Change::Everything)),
            (EVERYTHING.into(), Some(Change::Everything)),
            (format!("{}{}", message(me, "key"), " ".repeat(MESSAGE_BYTES_MAX)), Some(Change::Everything)),
        ] {
            assert_eq!(of_message(text.as_bytes(), me), expected, "{text}");
        }
    }

    #[tokio::test]
    async fn a_listener_that_is_behind_reads_everything() {
        let changes = Changes::new(NodeId::generate(), None, None);
        let tenant = TenantId::generate();
        assert!(!changes.tell(ChangeKind::Profile, tenant, "without Redis").await);
        let mut listener = changes.hear();
        for n in 0..=BEHIND_MAX {
            pass_on(&changes.listeners, Change::One { kind: ChangeKind::Profile, tenant, id: n.to_string() });
        }
        assert_eq!(listener.next().await, Some(Change::Everything));
        let next = Change::One { kind: ChangeKind::Profile, tenant, id: "1".into() };
        assert_eq!(listener.next().await, Some(next));
        drop(changes);
        while listener.next().await.is_some() {}
    }
}
