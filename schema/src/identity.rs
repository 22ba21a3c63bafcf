//! By what a contact is known: the kinds of identities, and the one spelling that each identity has.
//! Invariant: an [`Identity`] is normalised from its making on, so that two are the same person's if they are equal.

mod email;
mod phone;
use std::fmt;
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

use crate::{Contact, VisibleError, is_placeholder, limits, visible};

/// The id that a channel gives a person, in characters.
const CHANNEL_ID_CHARS_MAX: usize = 128;

/// Why something is no identity.
#[derive(Clone, Copy, Debug, thiserror::Error, PartialEq, Eq)]
pub enum IdentityError {
    #[error("an identity is written `kind:value`, with one of the kinds {kinds}", kinds = IdentityKind::NAMES)]
    Kind,
    #[error(
        "an identity of the kind `external` has 1 to {} visible characters and is not itself the id of a contact",
        limits::CONTACT_CHARS_MAX
    )]
    External,
    #[error("an identity of the kind `external` is a name that can be read: {0}")]
    Hidden(VisibleError),
    #[error("that looks like a template that was not filled in: name the contact by what tells them from all others")]
    Placeholder,
    #[error("a telephone number is written in E.164: a plus, the country and 7 to 15 digits in all")]
    Phone,
    #[error(
        "of a zero or another digit in this telephone number nobody can tell whether it is dialled within the country \
         alone: write the number as it is dialled from abroad, such as +39061234567 or +442079460958"
    )]
    PhoneWithin,
    #[error(
        "of a slash or a new line in a telephone number nobody can tell whether another number begins there: write one \
         number, without it, and others as identities of their own"
    )]
    PhoneTwo,
    #[error("the plus of the telephone number has come as a blank: in an address write %2B for it")]
    PhonePlus,
    #[error(
        "an address of e-mail has a name, an at sign and a domain, in at most {} bytes",
        limits::IDENTITY_CHARS_MAX
    )]
    Email,
    #[error("an address of e-mail has no blank; where that was a plus, write %2B for it in an address")]
    EmailPlus,
    #[error("the address after `mailto:` is percent-encoded UTF-8: write %25 for a sign of percent")]
    EmailLink,
    #[error("the address of e-mail cannot be read: {0}")]
    EmailHidden(VisibleError),
    #[error("an id of a channel has 1 to {CHANNEL_ID_CHARS_MAX} letters and digits of ASCII, `.`, `_` and `-`")]
    ChannelId,
}

/// What an identity is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum IdentityKind {
    /// The tenant's own name for the person: what requests give as `contact`.
    External,
    /// A telephone number, in E.164.
    Phone,
    /// An address of e-mail, in lower case.
    Email,
    /// The person's id at WhatsApp: their number in digits alone, or what WhatsApp gives in its place.
    Whatsapp,
    /// The person's id at Messenger, as one page knows them.
    Messenger,
    /// The person's id at Instagram, as one account knows them.
    Instagram,
    /// The person's id at Telegram.
    Telegram,
}

impl IdentityKind {
    /// All kinds there are.
    pub const ALL: &'static [Self] =
        &[Self::External, Self::Phone, Self::Email, Self::Whatsapp, Self::Messenger, Self::Instagram, Self::Telegram];
    const NAMES: &'static str = "`external`, `phone`, `email`, `whatsapp`, `messenger`, `instagram` and `telegram`";

    /// As it is written.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::External => "external",
            Self::Phone => "phone",
            Self::Email => "email",
            Self::Whatsapp => "whatsapp",
            Self::Messenger => "messenger",
            Self::Instagram => "instagram",
            Self::Telegram => "telegram",
        }
    }

    const fn chars_max(self) -> usize {
        match self {
            Self::External => limits::CONTACT_CHARS_MAX,
            Self::Phone => *phone::DIGITS.end() + 1,
            Self::Email => limits::IDENTITY_CHARS_MAX,
            Self::Whatsapp | Self::Messenger | Self::Instagram | Self::Telegram => CHANNEL_ID_CHARS_MAX,
        }
    }

    /// Values of this kind in their one spelling, as a part of a regular expression for descriptions.
    const fn pattern(self) -> &'static str {
        match self {
            Self::External => r"(?!(ct|anon)_[0-9a-f]{32}$)[^\u0000-\u001f\u007f-\u009f]{1,128}",
            Self::Phone => r"\+[1-9][0-9]{6,14}",
            Self::Email => r"[a-z0-9._%+-]{1,64}@[a-z0-9-]{1,63}(\.[a-z0-9-]{1,63}){0,1}",
            Self::Whatsapp | Self::Messenger | Self::Instagram | Self::Telegram => r"[A-Za-z0-9._-]{1,128}",
        }
    }

    /// How earlier programs spelt a value of this kind.
    fn as_before(self, value: &str) -> Option<String> {
        match self {
            Self::External => {
                value.parse::<Contact>().ok().filter(|name| name.id().is_none()).map(|_| value.to_owned())
            }
            Self::Email => email::as_before(value),
            Self::Phone => phone::as_before(value),
            Self::Whatsapp if phone::has_plus(value) => phone::as_before(value).map(|number| number[1..].to_owned()),
            Self::Whatsapp | Self::Messenger | Self::Instagram | Self::Telegram => channel_id(value).ok(),
        }
    }

    /// The one spelling of a value of this kind.
    fn normalised(self, value: &str) -> Result<String, IdentityError> {
        match self {
            Self::External => external(value),
            Self::Phone => phone::normalised(value),
            Self::Email => email::normalised(value),
            // A number comes with and without its plus, and is the same one.
            Self::Whatsapp if phone::has_plus(value) => phone::normalised(value).map(|number| number[1..].to_owned()),
            Self::Whatsapp | Self::Messenger | Self::Instagram | Self::Telegram => channel_id(value),
        }
    }
}

/// What an identity is written as in one word, as a regular expression for descriptions.
#[must_use]
pub fn identity_pattern() -> String {
    let kinds: Vec<String> =
        IdentityKind::ALL.iter().map(|kind| format!("{}:{}", kind.name(), kind.pattern())).collect();
    format!("^({})$", kinds.join("|"))
}

/// By what a contact is known. Its `Debug` shows the kind and the length only: it is a person's.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "Unchecked")]
pub struct Identity {
    kind: IdentityKind,
    value: Box<str>,
}

/// An identity as somebody has written it.
#[derive(Deserialize)]
struct Unchecked {
    kind: IdentityKind,
    value: String,
}

impl JsonSchema for Identity {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Identity".into()
    }

    /// Each kind with its value in the one spelling; others of the same value are taken, too.
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let one = |kind: &IdentityKind| {
            json_schema!({
                "type": "object",
                "properties": {
                    "kind": { "const": kind.name() },
                    "value": { "type": "string", "maxLength": kind.chars_max(), "pattern": format!("^{}$", kind.pattern()) }
                },
                "required": ["kind", "value"]
            })
        };
        let kinds: Vec<Schema> = IdentityKind::ALL.iter().map(one).collect();
        json_schema!({ "oneOf": kinds })
    }
}

impl Identity {
    /// An identity in its one spelling.
    ///
    /// # Errors
    /// What the kind asks for and the value does not have.
    pub fn new(kind: IdentityKind, value: &str) -> Result<Self, IdentityError> {
        Ok(Self { kind, value: kind.normalised(value)?.into() })
    }

    /// The identity as earlier programs took it, from a text that they would have taken: some of those are refused
    /// now, or spelt in another way, and stand in the store as they are.
    #[must_use]
    pub fn as_before(kind: IdentityKind, value: &str) -> Option<Self> {
        Some(Self { kind, value: kind.as_before(value)?.into() })
    }

    /// The same, of `kind:value`.
    #[must_use]
    pub fn read_as_before(text: &str) -> Option<Self> {
        let (kind, value) = split(text).ok()?;
        Self::as_before(kind, value)
    }

    /// The identity in its one spelling, as somebody gets it from now on.
    ///
    /// # Errors
    /// What is wrong with it: some that are stored would be taken no longer.
    pub fn checked(&self) -> Result<Self, IdentityError> {
        Self::new(self.kind, &self.value)
    }

    /// What it is.
    #[must_use]
    pub const fn kind(&self) -> IdentityKind {
        self.kind
    }

    /// What it says, normalised.
    #[must_use]
    pub fn value(&self) -> &str {
        &self.value
    }

    /// The key by which a store finds the contact who has it.
    #[must_use]
    pub fn key(&self) -> String {
        format!("{}:{}", self.kind.name(), self.value)
    }
}

impl TryFrom<Unchecked> for Identity {
    type Error = IdentityError;

    /// What is stored is read as it is. Whoever gives somebody an identity asks for [`Identity::checked`].
    fn try_from(read: Unchecked) -> Result<Self, IdentityError> {
        let stored = Self::as_before(read.kind, &read.value).filter(|stored| *stored.value == *read.value);
        stored.map_or_else(|| Self::new(read.kind, &read.value), Ok)
    }
}

impl Contact {
    /// The contact as a request may name them: a text that stands for nobody would name one contact for everybody,
    /// also where an earlier program stored it. Those are named by their ids.
    ///
    /// # Errors
    /// [`IdentityError::Placeholder`].
    pub fn checked(&self) -> Result<&Self, IdentityError> {
        if is_placeholder(self.as_str()) { Err(IdentityError::Placeholder) } else { Ok(self) }
    }
}

impl TryFrom<&Contact> for Identity {
    type Error = IdentityError;

    /// The tenant's own name for somebody as one of their identities.
    fn try_from(name: &Contact) -> Result<Self, IdentityError> {
        Self::new(IdentityKind::External, name.as_str())
    }
}

impl FromStr for Identity {
    type Err = IdentityError;

    fn from_str(text: &str) -> Result<Self, IdentityError> {
        let (kind, value) = split(text)?;
        Self::new(kind, value)
    }
}

/// `kind:value`.
fn split(text: &str) -> Result<(IdentityKind, &str), IdentityError> {
    let (name, value) = text.split_once(':').ok_or(IdentityError::Kind)?;
    let kind = IdentityKind::ALL.iter().find(|kind| kind.name() == name).ok_or(IdentityError::Kind)?;
    Ok((*kind, value))
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Identity({}, {} bytes)", self.kind.name(), self.value.len())
    }
}

fn external(value: &str) -> Result<String, IdentityError> {
    let name = match visible(value, limits::CONTACT_CHARS_MAX) {
        Ok(name) => name,
        Err(VisibleError::TooLong(_)) => return Err(IdentityError::External),
        Err(error) => return Err(IdentityError::Hidden(error)),
    };
    if is_placeholder(&name) {
        return Err(IdentityError::Placeholder);
    }
    let named: Contact = name.parse().map_err(|_| IdentityError::External)?;
    if named.id().is_some() { Err(IdentityError::External) } else { Ok(name) }
}

fn channel_id(value: &str) -> Result<String, IdentityError> {
    let id = value.trim();
    let is_id = id.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-'));
    let fits = (1..=CHANNEL_ID_CHARS_MAX).contains(&id.len());
    if is_id && fits { Ok(id.to_owned()) } else { Err(IdentityError::ChannelId) }
}

#[cfg(test)]
mod tests;
