//! A tenant's own settings: one document, versioned, hot-reloaded.

use std::num::NonZeroU32;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::origin::{Origin, OriginError};
use crate::{Locale, limits};

/// A tenant's settings. Every field may be left out; what is written here is what then holds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Profile {
    /// The assistant that answers: name, instructions, tone and the longest reply.
    pub assistant: Assistant,
    /// The business for which the assistant answers.
    pub business: Business,
    /// Models in the order they are tried, each `provider/model` or `builtin`. Empty: the node's list.
    #[schemars(length(max = limits::MODELS_MAX), inner(regex(pattern = limits::MODEL_PATTERN)))]
    pub models: Vec<String>,
    /// When the assistant takes the floor, and when it gives it up.
    pub floor: FloorPolicy,
    /// The tenant's quotas, chosen within those of its plan.
    pub quotas: Quotas,
    /// Pages that may talk to this tenant, each kept as a browser sends it: `https://shop.example`.
    #[schemars(length(max = limits::ORIGINS_MAX))]
    pub allowed_origins: Vec<Origin>,
    /// How the chat looks to visitors.
    pub widget: Widget,
}

/// How the chat looks to visitors; the assistant's name is `assistant.name`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Widget {
    /// What stands in a new conversation before anybody has said anything; may be empty.
    #[schemars(length(max = limits::GREETING_BYTES_MAX))]
    pub greeting: String,
    /// The accent colour, as `#rrggbb`.
    #[schemars(regex(pattern = r"^#[0-9a-fA-F]{6}$"))]
    pub color: String,
    /// The corner in which the button stands.
    pub side: Side,
    /// The language of the chat's own words as a BCP 47 tag, `es`; empty: the visitor's.
    #[schemars(length(max = limits::LOCALE_CHARS_MAX), regex(pattern = r"^([A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*)?$"))]
    pub language: String,
}

/// A corner of the page.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Side {
    /// At the end of a line: right, where people write from left to right.
    #[default]
    Right,
    /// At the start of a line: left, where people write from left to right.
    Left,
}

impl Default for Widget {
    fn default() -> Self {
        Self {
            greeting: "Hello! What would you like to know?".into(),
            color: "#a3411f".into(),
            side: Side::Right,
            language: String::new(),
        }
    }
}

/// The assistant that answers for a tenant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Assistant {
    /// The name that visitors see: 1 to 200 characters on one line.
    #[schemars(length(min = 1, max = 200), regex(pattern = limits::LINE_PATTERN))]
    pub name: String,
    /// What the model is told about the business and its duties.
    #[schemars(length(max = limits::INSTRUCTIONS_BYTES_MAX))]
    pub instructions: String,
    /// How it should sound, in a few words.
    #[schemars(length(min = 1, max = 200), regex(pattern = limits::LINE_PATTERN))]
    pub tone: String,
    /// Longest reply, in tokens.
    pub max_output_tokens: NonZeroU32,
}

impl Default for Assistant {
    fn default() -> Self {
        Self {
            name: "Assistant".into(),
            instructions: "You answer the questions of this business's customers.".into(),
            tone: "friendly, brief, exact".into(),
            max_output_tokens: NonZeroU32::new(1024).unwrap_or(NonZeroU32::MIN),
        }
    }
}

/// What an assistant knows of the business it speaks for, besides its instructions.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Business {
    /// Its name; empty when the instructions say it.
    #[schemars(length(max = 200), regex(pattern = limits::LINE_PATTERN))]
    pub name: String,
    /// The business's time zone by its name in the IANA database, such as `Europe/Madrid`.
    pub time_zone: String,
}

impl Default for Business {
    fn default() -> Self {
        Self { name: String::new(), time_zone: "UTC".into() }
    }
}

impl Business {
    fn check(&self) -> Result<(), ProfileError> {
        if self.name.chars().count() > 200 || self.name.chars().any(char::is_control) {
            return Err(ProfileError::BusinessName);
        }
        jiff::tz::TimeZone::get(&self.time_zone).map(|_| ()).map_err(|_| ProfileError::TimeZone)
    }
}

/// When the assistant takes the floor, and when it gives it up.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct FloorPolicy {
    /// What a message does that arrives while the assistant speaks.
    pub while_speaking: WhileSpeaking,
    /// How long a short message waits for the next one, in milliseconds; 0 answers at once.
    #[schemars(range(max = 2_000))]
    pub burst_window_ms: u32,
    /// What becomes of a reply that a restart of the node cut off.
    pub unfinished_turns: UnfinishedTurns,
    /// Hours without a word after which a conversation counts as closed; 0 never.
    pub close_after_hours: u32,
}

impl Default for FloorPolicy {
    fn default() -> Self {
        Self {
            while_speaking: WhileSpeaking::Queue,
            burst_window_ms: 150,
            unfinished_turns: UnfinishedTurns::Mark,
            close_after_hours: 72,
        }
    }
}

/// What a message does that arrives while the assistant speaks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum WhileSpeaking {
    /// It is answered after the reply that runs.
    #[default]
    Queue,
    /// It ends that reply, which keeps what was said of it.
    Interrupt,
}

/// What becomes of a reply that a restart of the node cut off.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum UnfinishedTurns {
    /// It stays as it is, marked `incomplete`.
    #[default]
    Mark,
    /// It stays, marked, and the question is asked once more.
    Rerun,
}

/// A tenant's allowances on one node, as it chooses them within its [`Plan`](crate::Plan).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Quotas {
    /// Requests and frames a second, over all callers, with a burst of twice that. Visitors have three quarters
    /// of it: the tenant's own server finds some left.
    pub requests_per_second: NonZeroU32,
    /// Replies that may run at once.
    pub running_turns: NonZeroU32,
    /// Sockets and streams that may be open at once.
    pub sessions: NonZeroU32,
    /// Tokens read and written in a day (UTC); 0 for as many as the plan allows.
    pub tokens_per_day: u64,
}

impl Default for Quotas {
    fn default() -> Self {
        let at_least_one = |n| NonZeroU32::new(n).unwrap_or(NonZeroU32::MIN);
        Self {
            requests_per_second: at_least_one(10_000),
            running_turns: at_least_one(1_024),
            sessions: at_least_one(50_000),
            tokens_per_day: 0,
        }
    }
}

/// Why a profile is not accepted.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
pub enum ProfileError {
    #[error(transparent)]
    Origin(#[from] OriginError),
    #[error("`allowed_origins` holds at most {} origins", limits::ORIGINS_MAX)]
    TooManyOrigins,
    #[error("`assistant.instructions` holds at most {} bytes", limits::INSTRUCTIONS_BYTES_MAX)]
    Instructions,
    #[error("`assistant.name` and `assistant.tone` hold 1 to 200 characters on one line")]
    NameOrTone,
    #[error("`business.name` holds at most 200 characters on one line")]
    BusinessName,
    #[error("`business.time_zone` is a time zone of the IANA database, such as `Europe/Madrid` or `UTC`")]
    TimeZone,
    #[error("`floor.burst_window_ms` is at most {}", limits::BURST_WINDOW_MAX.as_millis())]
    BurstWindow,
    #[error("`models` holds at most {} names", limits::MODELS_MAX)]
    Models,
    #[error("`widget.greeting` holds at most {} bytes", limits::GREETING_BYTES_MAX)]
    Greeting,
    #[error("`widget.color` is written `#rrggbb`, for example `#a3411f`")]
    Color,
    #[error("`widget.language` is a language tag such as `es` or `pt-BR`, or empty")]
    Language,
}

impl Profile {
    /// Checks what types alone cannot.
    ///
    /// # Errors
    /// The first rule that is broken, in words for the person who wrote the profile.
    pub fn check(&self) -> Result<(), ProfileError> {
        let one_line = |text: &str| (1..=200).contains(&text.chars().count()) && !text.chars().any(char::is_control);
        if self.allowed_origins.len() > limits::ORIGINS_MAX {
            return Err(ProfileError::TooManyOrigins);
        }
        self.allowed_origins.iter().try_for_each(Origin::check)?;
        if self.assistant.instructions.len() > limits::INSTRUCTIONS_BYTES_MAX {
            return Err(ProfileError::Instructions);
        }
        if !one_line(&self.assistant.name) || !one_line(&self.assistant.tone) {
            return Err(ProfileError::NameOrTone);
        }
        self.business.check()?;
        if u128::from(self.floor.burst_window_ms) > limits::BURST_WINDOW_MAX.as_millis() {
            return Err(ProfileError::BurstWindow);
        }
        if self.models.len() > limits::MODELS_MAX {
            return Err(ProfileError::Models);
        }
        self.widget.check()
    }
}

impl Widget {
    fn check(&self) -> Result<(), ProfileError> {
        if self.greeting.len() > limits::GREETING_BYTES_MAX {
            return Err(ProfileError::Greeting);
        }
        let digits = self.color.strip_prefix('#').unwrap_or_default();
        if digits.len() != 6 || !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
            return Err(ProfileError::Color);
        }
        if !self.language.is_empty() && self.language.parse::<Locale>().is_err() {
            return Err(ProfileError::Language);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_field_is_named() {
        let error = serde_json::from_str::<Profile>(r#"{"asistant":{}}"#).unwrap_err();
        assert!(error.to_string().contains("asistant"), "{error}");
        assert_eq!(serde_json::from_str::<Profile>("{}").unwrap(), Profile::default());
    }

    #[test]
    fn a_business_has_a_clock_that_there_is() {
        let long = "x".repeat(201);
        for (name, time_zone, expected) in [
            ("", "UTC", Ok(())),
            ("Casa Vera", "Europe/Madrid", Ok(())),
            ("", "america/new_york", Ok(())),
            ("", "", Err(ProfileError::TimeZone)),
            ("", "Mars/Olympus", Err(ProfileError::TimeZone)),
            ("a\nb", "UTC", Err(ProfileError::BusinessName)),
            (long.as_str(), "UTC", Err(ProfileError::BusinessName)),
        ] {
            let business = Business { name: name.into(), time_zone: time_zone.into() };
            assert_eq!(Profile { business, ..Profile::default() }.check(), expected, "{time_zone}");
        }
    }
}
