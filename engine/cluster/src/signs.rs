//! Signs of life in Redis: a key for each node, which goes by itself, and a set that says which keys there are.
//! Invariant: one reading costs as much as there are nodes, and a Redis that has forgotten everything has it again
//! when each node has beaten once.

use std::time::Duration;

use engine_store::{BEATS_MAX, Beat, GOODBYE_STANDS, Member, Nodes, Pending, StoreError};
use serde::{Deserialize, Serialize};

use crate::redis::{Redis, RedisOptions, Script};

/// Leaves a sign, and notes that there is one. Arguments: the sign, how long its key stands, the node.
static LEAVE: Script = Script::new(
    "local t = redis.call('TIME')
     redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
     redis.call('ZADD', KEYS[2], t[1], ARGV[3])
     redis.call('PEXPIRE', KEYS[2], 3600000)
     return 1",
);

/// The signs that there are, each with the milliseconds that are left of it. Arguments: how the keys begin, how many at
/// most, seconds after which a node is no longer looked for.
static FIND: Script = Script::new(
    "local t = redis.call('TIME')
     redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', t[1] - ARGV[3])
     local found = {}
     for _, node in ipairs(redis.call('ZREVRANGE', KEYS[1], 0, ARGV[2] - 1)) do
       local key = ARGV[1] .. node
       local sign = redis.call('GET', key)
       if sign then
         found[#found + 1] = sign
         found[#found + 1] = tostring(redis.call('PTTL', key))
       end
     end
     return found",
);

/// A node is looked for as long as its last key may stand, and some more.
const LOOKED_FOR: Duration = Duration::from_secs(2 * GOODBYE_STANDS.as_secs());
/// A sign that is longer is none of ours.
const SIGN_BYTES_MAX: usize = 1_024;

/// A sign as it stands there.
#[derive(Serialize, Deserialize)]
struct Sign {
    #[serde(flatten)]
    member: Member,
    count: u64,
    lasts_ms: u64,
}

/// Redis as a place for signs of life.
pub struct RedisSigns(pub(crate) Redis);

impl RedisSigns {
    /// One over a connection of its own, that is kept for as long as the runtime of the caller goes on.
    #[must_use]
    pub fn connect(options: &RedisOptions, installation: &str) -> Self {
        Self(Redis::connect(options, installation))
    }
}

impl Nodes for RedisSigns {
    fn beat(&self, beat: Beat) -> Pending<()> {
        let redis = self.0.clone();
        Box::pin(async move {
            let stands = if beat.is_goodbye() { GOODBYE_STANDS } else { beat.lasts };
            let node = beat.member.id.to_string();
            let keys = vec![redis.key(format_args!("node:{node}")), redis.key(format_args!("nodes"))];
            let sign = Sign { member: beat.member, count: beat.count, lasts_ms: millis(beat.lasts) };
            let sign = serde_json::to_string(&sign).map_err(|error| StoreError::Unavailable(error.to_string()))?;
            let arguments = vec![sign, millis(stands).to_string(), node];
            let left = redis.probe("beat", async |client| LEAVE.run::<i64>(&client, keys, arguments).await).await;
            left.map(drop).map_err(|error| StoreError::Unavailable(error.to_string()))
        })
    }

    fn beats(&self) -> Pending<Vec<Beat>> {
        let redis = self.0.clone();
        Box::pin(async move {
            let keys = vec![redis.key(format_args!("nodes"))];
            let arguments =
                vec![redis.key(format_args!("node:")), BEATS_MAX.to_string(), LOOKED_FOR.as_secs().to_string()];
            let found =
                redis.probe("beats", async |client| FIND.run::<Vec<String>>(&client, keys, arguments).await).await;
            let found = found.map_err(|error| StoreError::Unavailable(error.to_string()))?;
            Ok(found.chunks_exact(2).filter_map(|pair| beat_of(&pair[0], &pair[1])).collect())
        })
    }
}

/// What cannot be read is no sign: a later version may write others.
fn beat_of(sign: &str, left_ms: &str) -> Option<Beat> {
    if sign.len() > SIGN_BYTES_MAX {
        return None;
    }
    let Sign { member, count, lasts_ms } = serde_json::from_str(sign).ok()?;
    // What is left counts: whoever reads a key that is about to go has not seen a sign of this moment.
    let lasts = Duration::from_millis(lasts_ms.min(left_ms.parse().ok()?));
    if lasts.is_zero() && lasts_ms != 0 {
        return None;
    }
    Some(Beat { member, count, lasts })
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use schema::NodeId;

    use super::*;

    #[test]
    fn what_is_no_sign_is_passed_over() {
        let member = Member { id: NodeId::generate(), address: "h:1".into(), version: "1".into() };
        let sign = |lasts_ms| serde_json::to_string(&Sign { member: member.clone(), count: 7, lasts_ms }).unwrap();
        for (sign, left, lasts) in [
            (sign(10_000), "9000", Some(9_000)),
            (sign(5_000), "9000", Some(5_000)),
            (sign(0), "59000", Some(0)),
            // About to go, which is no goodbye.
            (sign(10_000), "0", None),
            (sign(10_000), "-1", None),
            (format!("{}{}", sign(10_000), " ".repeat(SIGN_BYTES_MAX)), "9000", None),
            ("{}".into(), "9000", None),
            ("\"words\"".into(), "9000", None),
        ] {
            let beat = beat_of(&sign, left);
            let expected = lasts.map(|lasts| (&member, 7, Duration::from_millis(lasts)));
            assert_eq!(beat.as_ref().map(|beat| (&beat.member, beat.count, beat.lasts)), expected, "{sign} {left}");
        }
    }
}
