//! Signs of life in Redis: a key for each node, which goes by itself, and a set that says which keys there are.
//! Invariant: one reading costs as much as there are nodes, and a Redis that has forgotten everything has it again
//! when each node has beaten once.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use engine_store::{BEATS_MAX, Beat, GOODBYE_STANDS, Member, Nodes, Pending, StoreError};
use hmac::{Hmac, KeyInit, Mac};
use secrecy::{ExposeSecret, SecretBox};
use serde::{Deserialize, Serialize};
use sha2::Sha256;

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

/// What the seal of a sign is over besides it, and how long it is.
const CONTEXT: &[u8] = b"tertulia: sign of a node, version 1";
const SEAL_BYTES: usize = 32;

/// A sign as it stands there, behind its seal.
#[derive(Serialize, Deserialize)]
struct Sign {
    #[serde(flatten)]
    member: Member,
    count: u64,
    lasts_ms: u64,
}

/// What the nodes of an installation know and whoever else writes to its Redis does not. Its `Debug` shows nothing.
#[derive(Clone)]
pub struct SignKey(Arc<SecretBox<[u8; 32]>>);

impl SignKey {
    /// From 32 bytes that all nodes derive alike.
    #[must_use]
    pub fn new(bytes: Box<[u8; 32]>) -> Self {
        Self(Arc::new(SecretBox::new(bytes)))
    }

    fn seal(&self, sign: &str) -> Hmac<Sha256> {
        // As long as the hash's block: HMAC fills a key up to it with zeros.
        let mut block = [0; 64];
        block[..32].copy_from_slice(self.0.expose_secret());
        let mut mac = Hmac::<Sha256>::new((&block).into());
        mac.update(CONTEXT);
        mac.update(sign.as_bytes());
        mac
    }

    /// The sign behind its seal, as it stands in Redis.
    fn sealed(&self, sign: &str) -> String {
        format!("{}{sign}", hex::encode(self.seal(sign).finalize().into_bytes()))
    }

    /// The sign, if it was sealed with this key.
    fn opened<'a>(&self, sealed: &'a str) -> Option<&'a str> {
        let (seal, sign) = sealed.split_at_checked(2 * SEAL_BYTES)?;
        let mut given = [0; SEAL_BYTES];
        hex::decode_to_slice(seal, &mut given).ok()?;
        self.seal(sign).verify_slice(&given).ok().map(|()| sign)
    }
}

impl fmt::Debug for SignKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SignKey(…)")
    }
}

/// Redis as a place for signs of life. Others may write to it: what a node does not know to be of another node of its
/// installation is no sign, neither of life nor of a goodbye.
pub struct RedisSigns {
    redis: Redis,
    key: SignKey,
}

impl RedisSigns {
    /// One over a connection of its own, that is kept for as long as the runtime of the caller goes on.
    #[must_use]
    pub fn connect(options: &RedisOptions, installation: &str, key: SignKey) -> Self {
        Self::new(Redis::connect(options, installation, &Arc::default()), key)
    }

    pub(crate) const fn new(redis: Redis, key: SignKey) -> Self {
        Self { redis, key }
    }
}

impl Nodes for RedisSigns {
    fn beat(&self, beat: Beat) -> Pending<()> {
        let (redis, key) = (self.redis.clone(), self.key.clone());
        Box::pin(async move {
            let stands = if beat.is_goodbye() { GOODBYE_STANDS } else { beat.lasts };
            let node = beat.member.id.to_string();
            let keys = vec![redis.key(format_args!("node:{node}")), redis.key(format_args!("nodes"))];
            let sign = Sign { member: beat.member, count: beat.count, lasts_ms: millis(beat.lasts) };
            let sign = serde_json::to_string(&sign).map_err(|error| StoreError::Unavailable(error.to_string()))?;
            let arguments = vec![key.sealed(&sign), millis(stands).to_string(), node];
            let left = redis.probe("beat", async |client| LEAVE.run::<i64>(&client, keys, arguments).await).await;
            left.map(drop).map_err(|error| StoreError::Unavailable(error.to_string()))
        })
    }

    fn beats(&self) -> Pending<Vec<Beat>> {
        let (redis, key) = (self.redis.clone(), self.key.clone());
        Box::pin(async move {
            let keys = vec![redis.key(format_args!("nodes"))];
            let arguments =
                vec![redis.key(format_args!("node:")), BEATS_MAX.to_string(), LOOKED_FOR.as_secs().to_string()];
            let found =
                redis.probe("beats", async |client| FIND.run::<Vec<String>>(&client, keys, arguments).await).await;
            let found = found.map_err(|error| StoreError::Unavailable(error.to_string()))?;
            Ok(found.chunks_exact(2).filter_map(|pair| beat_of(&key, &pair[0], &pair[1])).collect())
        })
    }
}

/// What cannot be read is no sign: a later version may write others.
fn beat_of(key: &SignKey, sealed: &str, left_ms: &str) -> Option<Beat> {
    if sealed.len() > SIGN_BYTES_MAX {
        return None;
    }
    let Sign { member, count, lasts_ms } = serde_json::from_str(key.opened(sealed)?).ok()?;
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
    fn a_sign_that_does_not_say_whether_its_node_owns_is_of_one_that_does() {
        let id = NodeId::generate();
        for (owns, said) in [("", true), (r#","owns":true"#, true), (r#","owns":false"#, false)] {
            let sign = format!(r#"{{"id":"{id}","address":"h:1","version":"1","count":7,"lasts_ms":9{owns}}}"#);
            let key = SignKey::new(Box::new([1; 32]));
            assert_eq!(beat_of(&key, &key.sealed(&sign), "9000").unwrap().member.owns, said, "{owns}");
        }
    }

    #[test]
    fn what_is_no_sign_is_passed_over() {
        let member = Member { id: NodeId::generate(), address: "h:1".into(), version: "1".into(), owns: false };
        let (key, other) = (SignKey::new(Box::new([1; 32])), SignKey::new(Box::new([2; 32])));
        let plain = |lasts_ms| serde_json::to_string(&Sign { member: member.clone(), count: 7, lasts_ms }).unwrap();
        let sign = |lasts_ms| key.sealed(&plain(lasts_ms));
        for (sign, left, lasts) in [
            (sign(10_000), "9000", Some(9_000)),
            (sign(5_000), "9000", Some(5_000)),
            (sign(0), "59000", Some(0)),
            // About to go, which is no goodbye.
            (sign(10_000), "0", None),
            (sign(10_000), "-1", None),
            (key.sealed(&format!("{}{}", plain(10_000), " ".repeat(SIGN_BYTES_MAX))), "9000", None),
            (key.sealed("{}"), "9000", None),
            (key.sealed("\"words\""), "9000", None),
            (String::new(), "9000", None),
            // Of somebody else who writes to the same Redis: a goodbye would end a node that lives.
            (plain(0), "59000", None),
            (other.sealed(&plain(0)), "59000", None),
            (sign(10_000).replace("10000", "0"), "59000", None),
            (format!("{}{}", "0".repeat(64), plain(0)), "59000", None),
            ("é".repeat(80), "59000", None),
        ] {
            let beat = beat_of(&key, &sign, left);
            let expected = lasts.map(|lasts| (&member, 7, Duration::from_millis(lasts)));
            assert_eq!(beat.as_ref().map(|beat| (&beat.member, beat.count, beat.lasts)), expected, "{sign} {left}");
        }
    }
}
