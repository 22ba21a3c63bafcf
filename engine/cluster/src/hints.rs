//! Who has which conversation, as far as Redis remembers: so that a node asks the right one first.
//! Invariant: a hint decides nothing. It may be old, lost or wrong, and nobody waits for it longer than a moment.

use std::time::Duration;

use fred::interfaces::KeysInterface;
use fred::types::Expiration;
use schema::{ConversationKey, NodeId};
use tokio::sync::Semaphore;

use crate::redis::{Redis, Script};

/// How long one stands. Who has a conversation for longer says it again.
pub const HINT_STANDS: Duration = Duration::from_secs(60);
/// The longest wait for Redis.
const WITHIN: Duration = Duration::from_millis(50);
/// Calls at once; further ones are not made.
const IN_FLIGHT_MAX: usize = 128;

/// Removes a hint that names this node. Arguments: the node.
static DROP: Script = Script::new(
    "if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end
     return 0",
);

/// What may be so, and may be wrong: whoever acts on it asks where it is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hint<T>(T);

impl<T> Hint<T> {
    /// What is taken to be so until it is known.
    #[must_use]
    pub fn perhaps(self) -> T {
        self.0
    }
}

/// Says and asks who has a conversation. Without Redis nobody knows.
pub struct Hints {
    me: NodeId,
    redis: Option<Redis>,
    room: Semaphore,
}

impl Hints {
    pub(crate) fn new(me: NodeId, redis: Option<Redis>) -> Self {
        Self { me, redis, room: Semaphore::new(IN_FLIGHT_MAX) }
    }

    /// Who had a conversation last, as far as is remembered.
    pub async fn get(&self, conversation: ConversationKey) -> Option<Hint<NodeId>> {
        let (redis, _room) = self.now()?;
        let key = key(redis, conversation);
        let found =
            redis.call("hint", WITHIN, async |client| client.get::<Option<String>, _>(key).await).await.ok().flatten();
        found.and_then(|node| node.parse().ok()).map(Hint)
    }

    /// Says that this node has a conversation, for [`HINT_STANDS`]. Whether it was heard.
    pub async fn set(&self, conversation: ConversationKey) -> bool {
        let Some((redis, _room)) = self.now() else { return false };
        let (key, node) = (key(redis, conversation), self.me.to_string());
        let stands = i64::try_from(HINT_STANDS.as_millis()).unwrap_or(i64::MAX);
        let set = redis.call("set_hint", WITHIN, async |client| {
            client.set::<(), _, _>(key, node, Some(Expiration::PX(stands)), None, false).await
        });
        set.await.is_ok()
    }

    /// Says that this node has it no more. What another one has said since then stays.
    pub async fn drop(&self, conversation: ConversationKey) -> bool {
        let Some((redis, _room)) = self.now() else { return false };
        let (keys, arguments) = (vec![key(redis, conversation)], vec![self.me.to_string()]);
        let dropped =
            redis.call("drop_hint", WITHIN, async |client| DROP.run::<i64>(&client, keys, arguments).await).await;
        dropped.is_ok_and(|count| count > 0)
    }

    fn now(&self) -> Option<(&Redis, tokio::sync::SemaphorePermit<'_>)> {
        Some((self.redis.as_ref()?, self.room.try_acquire().ok()?))
    }
}

fn key(redis: &Redis, conversation: ConversationKey) -> String {
    redis.key(format_args!("owner:{}:{}", conversation.tenant, conversation.conversation))
}
