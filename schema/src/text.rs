//! What people and models said. Invariant: it cannot reach a log by way of `Debug`.

mod placeholder;
mod visible;

use std::fmt;

use bytestring::ByteString;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::limits;

pub use placeholder::is_placeholder;
pub use visible::{VisibleError, is_invisible, visible};

/// A piece of conversation, shared without copying. Its `Debug` shows the length only.
#[derive(Clone, Default, PartialEq, Eq, Hash)]
pub struct Text(ByteString);

impl Text {
    /// The text itself, as it was said.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Length in Unicode characters: the unit of every `offset` on the wire.
    #[must_use]
    pub fn chars(&self) -> usize {
        self.0.chars().count()
    }

    /// Length in UTF-8 bytes: the unit of every limit.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.0.len()
    }

    /// Length in bytes as it is stored, in JSON: what is escaped takes up to six times its length.
    #[must_use]
    pub fn stored_bytes(&self) -> usize {
        let more = |byte: u8| match byte {
            b'"' | b'\\' | b'\n' | b'\r' | b'\t' | 0x08 | 0x0c => 1,
            0..0x20 => 5,
            _ => 0,
        };
        self.0.len() + self.0.bytes().map(more).sum::<usize>()
    }

    /// Whether it has no character.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// The name of a human agent. Its `Debug` shows the length only.
#[derive(Clone, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
#[schemars(inline)]
pub struct AgentName(
    #[schemars(length(min = 1, max = limits::AGENT_CHARS_MAX), regex(pattern = limits::LINE_PATTERN))] String,
);

impl AgentName {
    /// The name in its one spelling, as somebody takes it from now on; what is stored stays as it is.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn checked(&self) -> Result<Self, VisibleError> {
        visible(&self.0, limits::AGENT_CHARS_MAX).map(Self)
    }
}

impl std::ops::Deref for AgentName {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl From<String> for AgentName {
    fn from(name: String) -> Self {
        Self(name)
    }
}

impl From<&str> for AgentName {
    fn from(name: &str) -> Self {
        Self(name.into())
    }
}

impl fmt::Display for AgentName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for AgentName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AgentName({} bytes)", self.0.len())
    }
}

impl From<String> for Text {
    fn from(text: String) -> Self {
        Self(text.into())
    }
}

impl From<&str> for Text {
    fn from(text: &str) -> Self {
        Self(text.into())
    }
}

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Text({} bytes)", self.0.len())
    }
}

impl Serialize for Text {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self::from)
    }
}

impl JsonSchema for Text {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Text".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_stored_of_it_is_counted() {
        for text in ["", "héllo 🙂", "a\"b\\c\n\r\t\u{8}\u{c}", "\u{1}\u{1f}\u{7f}"] {
            let json = serde_json::to_string(&Text::from(text)).unwrap();
            assert_eq!(Text::from(text).stored_bytes() + 2, json.len(), "{text:?}");
        }
    }
}
