//! Names of things: typed, prefixed, sortable by age; a conversation is never named without its tenant.

use std::fmt;
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use uuid::Uuid;

use crate::{VisibleError, limits, visible};

/// Why a string is not an id.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
pub enum IdError {
    #[error("expected an id that starts with `{0}` and has 32 lower-case hexadecimal digits")]
    Shape(&'static str),
    #[error("a {what} has 1 to {max} visible characters")]
    Name { what: &'static str, max: usize },
}

macro_rules! id {
    ($(#[$doc:meta])* $name:ident, $prefix:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(Uuid);

        impl $name {
            /// What every such id begins with.
            pub const PREFIX: &'static str = $prefix;

            /// A new id; ids made later sort later (UUID version 7).
            #[must_use]
            pub fn generate() -> Self {
                Self(Uuid::now_v7())
            }

            /// The 16 bytes under the text, for stores and keys.
            #[must_use]
            pub fn as_bytes(&self) -> &[u8; 16] {
                self.0.as_bytes()
            }

            /// The id whose 16 bytes these are.
            #[must_use]
            pub fn from_bytes(bytes: [u8; 16]) -> Self {
                Self(Uuid::from_bytes(bytes))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!($prefix, "{}"), self.0.as_simple())
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl FromStr for $name {
            type Err = IdError;

            fn from_str(text: &str) -> Result<Self, IdError> {
                let hex = text.strip_prefix($prefix).ok_or(IdError::Shape($prefix))?;
                // `Uuid` also accepts dashes, braces and capitals; one id has one spelling here.
                let plain = hex.len() == 32
                    && hex.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
                if !plain {
                    return Err(IdError::Shape($prefix));
                }
                Uuid::try_parse(hex).map(Self).map_err(|_| IdError::Shape($prefix))
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }

        impl JsonSchema for $name {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!({ "type": "string", "pattern": concat!("^", $prefix, "[0-9a-f]{32}$") })
            }
        }
    };
}

id!(
    /// A tenant: a business whose data and limits are apart from all others. The first part of every key.
    TenantId, "ten_"
);
id!(
    /// A conversation: one long-lived thread with one log and one owner.
    ConversationId, "conv_"
);
id!(
    /// A node: one process that serves, from its start to its end. Started again it is another one.
    NodeId, "node_"
);
id!(
    /// A session: one open socket or stream of one participant.
    SessionId, "ses_"
);
id!(
    /// A job: one learning of one site.
    JobId, "job_"
);
id!(
    /// A contact: a person whom a tenant serves. It says nothing of the person, who may be known by a record under it
    /// or by nothing at all; logs, budgets and lists name contacts by it alone.
    ContactId, "ct_"
);

/// A conversation's full name.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ConversationKey {
    /// The tenant to which it belongs.
    pub tenant: TenantId,
    /// The conversation's id.
    pub conversation: ConversationId,
}

impl fmt::Display for ConversationKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.tenant, self.conversation)
    }
}

impl fmt::Debug for ConversationKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

macro_rules! name {
    ($(#[$doc:meta])* $name:ident, $what:literal, $max:expr) => {
        $(#[$doc])*
        ///
        /// Its `Debug` shows the length only: people may have put anything into it.
        #[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, JsonSchema)]
        #[serde(transparent)]
        pub struct $name(#[schemars(length(min = 1, max = $max), regex(pattern = limits::LINE_PATTERN))] Box<str>);

        impl $name {
            /// The text as the client wrote it.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = IdError;

            fn from_str(text: &str) -> Result<Self, IdError> {
                let count = text.chars().take($max + 1).count();
                if count == 0 || count > $max || text.chars().any(char::is_control) {
                    return Err(IdError::Name { what: $what, max: $max });
                }
                Ok(Self(text.into()))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({} bytes)"), self.0.len())
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}

name!(
    /// The client's own id for a frame or request. Kept across reconnects, so that a message sent
    /// twice is stored once.
    Ref, "ref", limits::REF_CHARS_MAX
);
name!(
    /// How a request names a contact: by the tenant's own name for them (their identity of the kind `external`), or by
    /// the text of a [`ContactId`]. Answers name contacts in the same way.
    Contact, "contact", limits::CONTACT_CHARS_MAX
);
name!(
    /// What a person is called.
    PersonName, "name", limits::PERSON_NAME_CHARS_MAX
);
name!(
    /// Which of a contact's attributes.
    AttributeName, "name of an attribute", limits::ATTRIBUTE_NAME_CHARS_MAX
);
name!(
    /// What one of a contact's attributes says.
    AttributeValue, "value of an attribute", limits::ATTRIBUTE_VALUE_CHARS_MAX
);
name!(
    /// For what somebody has agreed to be written to, or has not.
    Purpose, "purpose", limits::PURPOSE_CHARS_MAX
);
name!(
    /// In which way a consent was given or withdrawn, in the tenant's words.
    ConsentMeans, "way of a consent", limits::CONSENT_MEANS_CHARS_MAX
);
name!(
    /// Who changed a contact's record: `system`, or a key by its id, which is no secret.
    ChangedBy, "author of a change", limits::CHANGED_BY_CHARS_MAX
);

/// How the names of anonymous contacts began before contacts had ids. What follows is the id's own number.
const ANONYMOUS: &str = "anon_";

impl Contact {
    /// The contact whose id this is, also in the spelling that anonymous contacts had before ids; none: it is a
    /// tenant's own name for somebody.
    #[must_use]
    pub fn id(&self) -> Option<ContactId> {
        let number = self.0.strip_prefix(ANONYMOUS).or_else(|| self.0.strip_prefix(ContactId::PREFIX))?;
        format!("{}{number}", ContactId::PREFIX).parse().ok()
    }
}

impl From<ContactId> for Contact {
    fn from(id: ContactId) -> Self {
        Self(id.to_string().into())
    }
}

impl PersonName {
    /// The name in its one spelling, as somebody is called from now on; what is stored stays as it is.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn checked(&self) -> Result<Self, VisibleError> {
        visible(&self.0, limits::PERSON_NAME_CHARS_MAX).map(|name| Self(name.into()))
    }
}

impl AttributeName {
    /// The name in its one spelling, as an attribute gets it from now on; what is stored stays as it is.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn checked(&self) -> Result<Self, VisibleError> {
        visible(&self.0, limits::ATTRIBUTE_NAME_CHARS_MAX).map(|name| Self(name.into()))
    }
}

impl Purpose {
    /// The purpose in its one spelling, as it is agreed to or refused from now on; what is stored stays as it is.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn checked(&self) -> Result<Self, VisibleError> {
        visible(&self.0, limits::PURPOSE_CHARS_MAX).map(|purpose| Self(purpose.into()))
    }
}

impl ChangedBy {
    /// The program itself.
    #[must_use]
    pub fn system() -> Self {
        Self("system".into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_has_one_spelling() {
        let id = ConversationId::generate();
        assert_eq!(id.to_string().parse(), Ok(id));
        let hex = &id.to_string()[5..];
        for bad in [
            hex.to_string(),
            format!("ten_{hex}"),
            format!("conv_{}", hex.to_uppercase().replace('0', "A")),
            format!("conv_{hex}0"),
            format!("conv_{{{hex}}}"),
            "conv_".into(),
        ] {
            assert!(bad.parse::<ConversationId>().is_err(), "{bad}");
        }
    }

    #[test]
    fn names_are_bounded_and_printable() {
        assert!("a".repeat(limits::REF_CHARS_MAX).parse::<Ref>().is_ok());
        assert!("a".repeat(limits::REF_CHARS_MAX + 1).parse::<Ref>().is_err());
        assert!("".parse::<Ref>().is_err());
        assert!("a\nb".parse::<Ref>().is_err());
    }

    #[test]
    fn a_contact_is_named_by_its_id_in_two_spellings_and_otherwise_by_its_tenant() {
        let id = ContactId::generate();
        let hex = &id.to_string()[3..];
        for (name, named) in [
            (format!("ct_{hex}"), Some(id)),
            (format!("anon_{hex}"), Some(id)),
            (format!("ct_{}", hex.to_uppercase().replace('0', "A")), None),
            (format!("anon_{hex}0"), None),
            ("anon_ymous".into(), None),
            ("ana".into(), None),
        ] {
            assert_eq!(name.parse::<Contact>().unwrap().id(), named, "{name}");
        }
        assert_eq!(Contact::from(id).id(), Some(id));
    }
}
