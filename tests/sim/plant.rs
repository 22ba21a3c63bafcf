//! Faults that a simulation must find, or it is worth nothing.

use std::str::FromStr;

/// What is done wrong on purpose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Plant {
    /// The store appends without looking at epoch and head.
    NoCondition,
    /// A claim does not raise the epoch, and an append looks at nothing else.
    NoFence,
    /// The store acknowledges an append and makes it durable later.
    EarlyAcknowledgement,
    /// A client that comes back in mid-reply is sent on one character too late.
    CharacterSkipped,
    /// A client that comes back is sent on one event too early.
    EventRepeated,
}

impl Plant {
    /// Every one of them.
    pub const ALL: [Self; 5] =
        [Self::NoCondition, Self::NoFence, Self::EarlyAcknowledgement, Self::CharacterSkipped, Self::EventRepeated];
}

impl FromStr for Plant {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|plant| format!("{plant:?}").eq_ignore_ascii_case(text));
        found.ok_or_else(|| format!("`{text}` is none of {:?}", Self::ALL))
    }
}
