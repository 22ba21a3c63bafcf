//! By what a contact is known: the kinds of identities, and the one spelling that each identity has.
//! Invariant: an [`Identity`] is normalised from its making on, so that two are the same person's if they are equal.

use std::fmt;
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

use crate::{Contact, limits};

/// Digits of a telephone number in E.164, without its plus.
const PHONE_DIGITS: std::ops::RangeInclusive<usize> = 7..=15;
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
    #[error("a telephone number is written in E.164: a plus, the country and 7 to 15 digits in all")]
    Phone,
    #[error(
        "an address of e-mail has a name, an at sign and a domain, in at most {} bytes",
        limits::IDENTITY_CHARS_MAX
    )]
    Email,
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
            Self::Phone => *PHONE_DIGITS.end() + 1,
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

    /// The one spelling of a value of this kind.
    fn normalised(self, value: &str) -> Result<String, IdentityError> {
        match self {
            Self::External => external(value),
            Self::Phone => phone(value),
            Self::Email => email(value),
            // A number comes with and without its plus, and is the same one.
            Self::Whatsapp if value.starts_with('+') => phone(value).map(|number| number[1..].to_owned()),
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

    fn try_from(read: Unchecked) -> Result<Self, IdentityError> {
        Self::new(read.kind, &read.value)
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
        let (name, value) = text.split_once(':').ok_or(IdentityError::Kind)?;
        let kind = IdentityKind::ALL.iter().find(|kind| kind.name() == name).ok_or(IdentityError::Kind)?;
        Self::new(*kind, value)
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Identity({}, {} bytes)", self.kind.name(), self.value.len())
    }
}

fn external(value: &str) -> Result<String, IdentityError> {
    let name: Contact = value.parse().map_err(|_| IdentityError::External)?;
    if name.id().is_some() { Err(IdentityError::External) } else { Ok(value.to_owned()) }
}

fn phone(value: &str) -> Result<String, IdentityError> {
    // What people put between the digits, to read them.
    let written = value.trim().chars().filter(|c| !matches!(c, ' ' | '-' | '.' | '(' | ')' | '/' | '\u{a0}'));
    let number: String = written.collect();
    let digits = number.strip_prefix('+').ok_or(IdentityError::Phone)?;
    let is_number = digits.bytes().all(|byte| byte.is_ascii_digit()) && !digits.starts_with('0');
    if is_number && PHONE_DIGITS.contains(&digits.len()) { Ok(number) } else { Err(IdentityError::Phone) }
}

fn email(value: &str) -> Result<String, IdentityError> {
    let address = value.trim().to_lowercase();
    let (name, domain) = address.rsplit_once('@').ok_or(IdentityError::Email)?;
    let is_plain = |part: &str| {
        !part.is_empty() && !part.chars().any(|c| c.is_whitespace() || c.is_control() || matches!(c, '@' | '<' | '>'))
    };
    let labels = domain.split('.').all(|label| !label.is_empty());
    let is_address = is_plain(name) && is_plain(domain) && labels && address.len() <= limits::IDENTITY_CHARS_MAX;
    if is_address { Ok(address) } else { Err(IdentityError::Email) }
}

fn channel_id(value: &str) -> Result<String, IdentityError> {
    let id = value.trim();
    let is_id = id.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-'));
    let fits = (1..=CHANNEL_ID_CHARS_MAX).contains(&id.len());
    if is_id && fits { Ok(id.to_owned()) } else { Err(IdentityError::ChannelId) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_identity_has_one_spelling() {
        let long = format!("external:{}", "é".repeat(limits::CONTACT_CHARS_MAX));
        for (written, found) in [
            ("external:Ana María", Some("external:Ana María")),
            (long.as_str(), Some(long.as_str())),
            (&format!("{long}é"), None),
            ("external:", None),
            ("external:a\nb", None),
            ("external:a:b", Some("external:a:b")),
            ("external:ct_018f00000000700080000000000000c1", None),
            ("external:anon_018f00000000700080000000000000c1", None),
            ("phone:+34 (600) 12-34.56", Some("phone:+34600123456")),
            ("phone:+34600123456", Some("phone:+34600123456")),
            ("phone:0034600123456", None),
            ("phone:+0600123456", None),
            ("phone:+123456", None),
            ("phone:+1234567890123456", None),
            ("phone:+34six", None),
            ("email: Ana@Example.COM ", Some("email:ana@example.com")),
            ("email:ana", None),
            ("email:@example.com", None),
            ("email:ana@", None),
            ("email:a b@example.com", None),
            ("email:ana@bo@example.com", None),
            ("email:ana@example..com", None),
            ("whatsapp:+34 600 123 456", Some("whatsapp:34600123456")),
            ("whatsapp:34600123456", Some("whatsapp:34600123456")),
            ("messenger:1234567890", Some("messenger:1234567890")),
            ("instagram:17841400000000000", Some("instagram:17841400000000000")),
            ("telegram:-100123", Some("telegram:-100123")),
            ("telegram:a b", None),
            ("fax:1", None),
            ("ana", None),
        ] {
            let read = written.parse::<Identity>().ok();
            assert_eq!(read.as_ref().map(Identity::key).as_deref(), found, "{written}");
            if let Some(identity) = read {
                let json = serde_json::to_string(&identity).unwrap();
                assert_eq!(serde_json::from_str::<Identity>(&json).unwrap(), identity, "{json}");
                assert_eq!(identity.key().parse(), Ok(identity.clone()));
                assert!(!format!("{identity:?}").contains(identity.value()));
            }
        }
    }

    #[test]
    fn kinds_are_named_alike_everywhere() {
        for kind in IdentityKind::ALL {
            assert_eq!(serde_json::to_value(kind).unwrap(), kind.name());
            assert!(IdentityKind::NAMES.contains(kind.name()));
        }
    }
}
