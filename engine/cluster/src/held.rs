//! What each node holds of something at this moment, as the others need to know it.
//! Invariant: what a node has told is believed for [`HELD_LASTS`] at most, and only while it lives; nobody waits for it.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use schema::NodeId;
use tokio::sync::watch;

use crate::living::Living;
use crate::redis::{Redis, RedisError, Script};

/// How long it stands what a node holds. It tells it anew before that is over.
pub const HELD_LASTS: Duration = Duration::from_secs(15);
/// How long the answer may be waited for.
const CALL_WITHIN: Duration = Duration::from_millis(200);
/// Things that are counted of each name.
pub(crate) const COUNTS: usize = 2;

/// Notes what a node holds, and answers what all do. Arguments: the node, for how many milliseconds it stands, what it
/// holds. Answers a node, and what it holds, for each. Those whose time is over go.
static TELL: Script = Script::new(
    "local t = redis.call('TIME')
     local now = t[1] * 1000 + math.floor(t[2] / 1000)
     if ARGV[3] == '0' and ARGV[4] == '0' then
         redis.call('HDEL', KEYS[1], ARGV[1])
     else
         local ends = string.format('%.0f', now + ARGV[2])
         redis.call('HSET', KEYS[1], ARGV[1], ARGV[3] .. ' ' .. ARGV[4] .. ' ' .. ends)
         redis.call('PEXPIRE', KEYS[1], ARGV[2])
     end
     local all, answer = redis.call('HGETALL', KEYS[1]), {}
     for i = 1, #all, 2 do
         local one, two, ends = string.match(all[i + 1], '^(%d+) (%d+) (%d+)$')
         if ends and tonumber(ends) > now then
             table.insert(answer, all[i])
             table.insert(answer, one)
             table.insert(answer, two)
         else
             redis.call('HDEL', KEYS[1], all[i])
         end
     end
     return answer",
);

/// Tells the others what this node holds, and hears what they do.
pub struct Held {
    me: NodeId,
    redis: Option<Redis>,
    living: watch::Receiver<Arc<Living>>,
}

impl Held {
    pub(crate) const fn new(me: NodeId, redis: Option<Redis>, living: watch::Receiver<Arc<Living>>) -> Self {
        Self { me, redis, living }
    }

    /// Tells how much of something this node holds now, and says how much all others do together. None where nobody
    /// knows that: each goes by what it holds itself then.
    pub async fn tell(&self, name: &str, own: [u32; 2]) -> Option<[u32; 2]> {
        let redis = self.redis.as_ref()?;
        let keys = vec![redis.key(format_args!("held:{name}"))];
        let [one, two] = own.map(|count| count.to_string());
        let arguments = vec![self.me.to_string(), HELD_LASTS.as_millis().to_string(), one, two];
        let told: Result<Vec<String>, RedisError> =
            redis.call("held", CALL_WITHIN, async |client| TELL.run(&client, keys, arguments).await).await;
        Some(self.others(&told.ok()?))
    }

    /// What those hold who live, of what all have told.
    fn others(&self, told: &[String]) -> [u32; COUNTS] {
        let living = Arc::clone(&self.living.borrow());
        let (all, _) = told.as_chunks::<{ 1 + COUNTS }>();
        let theirs: HashMap<NodeId, [u32; COUNTS]> = all
            .iter()
            .filter_map(|[node, one, two]| Some((node.parse().ok()?, [one.parse().ok()?, two.parse().ok()?])))
            .filter(|(node, _)| *node != self.me && living.get(*node).is_some())
            .collect();
        theirs.into_values().fold([0; COUNTS], |sum, held| std::array::from_fn(|at| sum[at].saturating_add(held[at])))
    }
}
