//! Where a reader of a conversation stands: after which event, and how far into a running reply.

use std::fmt;
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::{Seq, Turn};

/// How much of an unfinished reply a reader has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reached {
    /// The turn whose reply runs.
    pub turn: Turn,
    /// Characters of that reply that the reader holds.
    pub offset: usize,
}

/// A reader's position. Written `12`, or `12:3:120` in mid-reply: after event 12, with 120
/// characters of turn 3. It is what server-sent events carry as `id`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Position {
    /// The last event the reader has; 0 for none.
    pub seq: Seq,
    /// Its place in the running reply; none when it was in no reply.
    pub reached: Option<Reached>,
}

/// Why a string is not a position.
#[derive(Clone, Copy, Debug, thiserror::Error, PartialEq, Eq)]
#[error("a position is `seq` or `seq:turn:offset`, for example `12` or `12:3:120`")]
pub struct PositionError;

impl Position {
    /// After event `seq`, in no reply.
    #[must_use]
    pub const fn after(seq: Seq) -> Self {
        Self { seq, reached: None }
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.reached {
            None => write!(f, "{}", self.seq),
            Some(Reached { turn, offset }) => write!(f, "{}:{turn}:{offset}", self.seq),
        }
    }
}

impl FromStr for Position {
    type Err = PositionError;

    fn from_str(text: &str) -> Result<Self, PositionError> {
        fn number<N: FromStr>(part: &str) -> Result<N, PositionError> {
            // `parse` would also take a leading plus sign.
            if part.bytes().all(|b| b.is_ascii_digit()) {
                part.parse().map_err(|_| PositionError)
            } else {
                Err(PositionError)
            }
        }
        let mut parts = text.split(':');
        let seq = number(parts.next().unwrap_or_default())?;
        let reached = match (parts.next(), parts.next(), parts.next()) {
            (None, ..) => None,
            (Some(turn), Some(offset), None) => Some(Reached { turn: number(turn)?, offset: number(offset)? }),
            _ => return Err(PositionError),
        };
        Ok(Self { seq, reached })
    }
}

impl Serialize for Position {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.reached {
            None => serializer.serialize_u64(self.seq),
            Some(_) => serializer.collect_str(self),
        }
    }
}

impl<'de> Deserialize<'de> for Position {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl serde::de::Visitor<'_> for Visitor {
            type Value = Position;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{PositionError}")
            }

            fn visit_u64<E: serde::de::Error>(self, seq: u64) -> Result<Position, E> {
                Ok(Position::after(seq))
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Position, E> {
                text.parse().map_err(E::custom)
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}

impl JsonSchema for Position {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Position".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "After which event, or `seq:turn:offset` in mid-reply",
            "oneOf": [
                { "type": "integer", "minimum": 0 },
                { "type": "string", "pattern": "^[0-9]+(:[0-9]+:[0-9]+)?$" }
            ]
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_read_back_and_nothing_else_is_one() {
        for text in ["0", "12", "12:3:120"] {
            assert_eq!(text.parse::<Position>().unwrap().to_string(), text);
        }
        for bad in ["", "a", "+1", "1:2", "1:2:3:4", "-1", "1:2:x", "99999999999999999999"] {
            assert!(bad.parse::<Position>().is_err(), "{bad}");
        }
        assert_eq!(serde_json::from_str::<Position>("7").unwrap(), Position::after(7));
        assert_eq!(serde_json::from_str::<Position>("\"7:1:2\"").unwrap().to_string(), "7:1:2");
    }
}
