//! How a model is named: `provider/model`, or `builtin`.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer};

/// One entry of a list of models.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ModelName {
    /// The answerer that needs nothing: it quotes the tenant's documents.
    Builtin,
    /// A model behind a provider's endpoint.
    Remote {
        /// The provider whose dialect its server speaks.
        provider: Provider,
        /// The model's name at that provider.
        model: String,
    },
}

/// The dialect that a server speaks, named after its provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Provider {
    /// Chat completions, as OpenAI and many other servers speak them.
    Openai,
    /// Anthropic's Messages.
    Anthropic,
    /// Gemini's `streamGenerateContent`.
    Gemini,
}

/// Why a text names no model.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
pub enum ModelNameError {
    #[error("`{found}` is not a model: write `openai/NAME`, `anthropic/NAME`, `gemini/NAME` or `builtin`")]
    Shape {
        /// The start of what was written.
        found: String,
    },
    #[error("`{found}` is not a provider: there are openai, anthropic and gemini")]
    Provider {
        /// The start of what was written.
        found: String,
    },
}

impl Provider {
    /// Every provider.
    pub const ALL: [Self; 3] = [Self::Openai, Self::Anthropic, Self::Gemini];

    /// The name before the slash.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Openai => "openai",
            Self::Anthropic => "anthropic",
            Self::Gemini => "gemini",
        }
    }
}

impl fmt::Display for ModelName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Builtin => f.write_str("builtin"),
            Self::Remote { provider, model } => write!(f, "{}/{model}", provider.name()),
        }
    }
}

impl FromStr for ModelName {
    type Err = ModelNameError;

    fn from_str(text: &str) -> Result<Self, ModelNameError> {
        let short = |text: &str| text.chars().take(80).collect::<String>();
        if text == "builtin" {
            return Ok(Self::Builtin);
        }
        // Models of hubs have slashes of their own: only the first one ends the provider.
        let (provider, model) = text.split_once('/').ok_or_else(|| ModelNameError::Shape { found: short(text) })?;
        let provider = Provider::ALL
            .into_iter()
            .find(|known| known.name() == provider)
            .ok_or_else(|| ModelNameError::Provider { found: short(provider) })?;
        let visible = model.chars().all(|c| !c.is_control() && !c.is_whitespace());
        if model.is_empty() || model.len() > 200 || !visible {
            return Err(ModelNameError::Shape { found: short(text) });
        }
        Ok(Self::Remote { provider, model: model.into() })
    }
}

impl<'de> Deserialize<'de> for ModelName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_read_back_and_nothing_else_is_one() {
        for good in ["builtin", "openai/gpt-x", "anthropic/claude-y", "gemini/g", "openai/org/model:tag"] {
            assert_eq!(good.parse::<ModelName>().unwrap().to_string(), good);
        }
        for bad in ["", "gpt-x", "Builtin", "openai/", "opnai/gpt", "/x", "openai/a b", "openai/a\n"] {
            assert!(bad.parse::<ModelName>().is_err(), "{bad}");
        }
    }
}
