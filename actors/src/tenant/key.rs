//! The names of a tenant's API keys, and the generations that they come in.

use std::borrow::Cow;
use std::fmt;

use serde::{Deserialize, Serialize};

/// The name of an API key: the first half of its keyed hash. Who knows it cannot use the key.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct KeyId([u8; 16]);

impl KeyId {
    /// The name of the key with this keyed hash.
    #[must_use]
    pub fn of(digest: &[u8; 32]) -> Self {
        let mut id = [0; 16];
        id.copy_from_slice(&digest[..16]);
        Self(id)
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for KeyId {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for KeyId {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<str>::deserialize(deserializer)?;
        let mut id = [0; 16];
        hex::decode_to_slice(&*text, &mut id)
            .map_err(|_| serde::de::Error::custom("a key's name has 32 hexadecimal digits"))?;
        Ok(Self(id))
    }
}

/// A tenant's API keys from one replacement to the next: a random number, compared for equality only. A count would
/// go back with older data that are restored, and come again to generations whose tokens were to be dead.
///
/// Earlier programs counted from 0, which is the default: what does not name its generation is of that one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Generation(u64);

impl Generation {
    /// The generation of this random number, and none of those that earlier programs have counted.
    #[must_use]
    pub const fn of(random: u64) -> Self {
        Self(random | 1 << 63)
    }
}
