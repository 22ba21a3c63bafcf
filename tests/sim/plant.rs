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
    /// A listener that goes back on its line misses the first event from there.
    EventLost,
    /// Checkpoints are sent without their text, whoever they are for.
    CheckpointUncovered,
    /// Whoever is behind is closed as slow before the first event.
    NoProgress,
    /// Sessions that the node ends are not told with which code.
    CloseLost,
    /// Sessions that have ended listen on.
    NeverLeaves,
    /// What is said in a conversation is kept for every prompt.
    NothingForgotten,
    /// An append leaves the entry in the due index as it found it.
    DueForgotten,
    /// A change of such an entry that comes late is done all the same.
    RescheduledBehind,
    /// A snapshot lacks a message.
    SnapshotForgets,
    /// A profile is read as it was before its last change.
    StaleProfile,
    /// Who claimed a conversation last is not kept: nodes take it from each other.
    OwnerForgotten,
    /// A cable between nodes loses an event now and then, and goes on.
    CableLoses,
}

impl Plant {
    /// Every one of them.
    pub const ALL: [Self; 17] = [
        Self::NoCondition,
        Self::NoFence,
        Self::EarlyAcknowledgement,
        Self::CharacterSkipped,
        Self::EventRepeated,
        Self::EventLost,
        Self::CheckpointUncovered,
        Self::NoProgress,
        Self::CloseLost,
        Self::NeverLeaves,
        Self::NothingForgotten,
        Self::DueForgotten,
        Self::RescheduledBehind,
        Self::SnapshotForgets,
        Self::StaleProfile,
        Self::OwnerForgotten,
        Self::CableLoses,
    ];
}

impl Plant {
    /// A part of the words in which it must be found: another fault may be found by others.
    #[must_use]
    pub const fn is_told_as(self) -> &'static str {
        match self {
            Self::NoCondition => "written over",
            Self::NoFence | Self::EarlyAcknowledgement | Self::SnapshotForgets => "",
            Self::CharacterSkipped => "Character",
            Self::EventRepeated | Self::EventLost => "Complete",
            Self::CheckpointUncovered => "Covered",
            Self::NoProgress => "Progress",
            Self::CloseLost => "without a close",
            Self::NeverLeaves => "never rest",
            Self::NothingForgotten => "Memory",
            Self::OwnerForgotten => "moves:",
            Self::CableLoses => "never settled",
            Self::DueForgotten | Self::RescheduledBehind | Self::StaleProfile => "due:",
        }
    }
}

impl FromStr for Plant {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|plant| format!("{plant:?}").eq_ignore_ascii_case(text));
        found.ok_or_else(|| format!("`{text}` is none of {:?}", Self::ALL))
    }
}
