//! A language and its regional form, as pages and browsers name them.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};

use crate::limits;

/// A tag of BCP 47: `es`, `pt-BR`, `zh-Hant-TW`.
///
/// Its `Debug` shows the length only: who sends it may have put anything into it.
#[derive(Clone, PartialEq, Eq, Hash, Serialize, JsonSchema)]
#[serde(transparent)]
pub struct Locale(
    #[schemars(length(max = limits::LOCALE_CHARS_MAX), regex(pattern = r"^[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*$"))]
    Box<str>,
);

/// The text is no tag of a language.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a language is named by a tag such as `es` or `pt-BR`, of at most {} characters", limits::LOCALE_CHARS_MAX)]
pub struct LocaleError;

impl Locale {
    /// The tag as it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The language alone, without script and region, as it was written: `pt` of `pt-BR`.
    #[must_use]
    pub fn language(&self) -> &str {
        self.0.split('-').next().unwrap_or_default()
    }
}

impl FromStr for Locale {
    type Err = LocaleError;

    fn from_str(text: &str) -> Result<Self, LocaleError> {
        if text.len() > limits::LOCALE_CHARS_MAX {
            return Err(LocaleError);
        }
        let (language, rest) = text.split_once('-').map_or((text, None), |(language, rest)| (language, Some(rest)));
        let named = (2..=8).contains(&language.len()) && language.bytes().all(|byte| byte.is_ascii_alphabetic());
        let part = |part: &str| (1..=8).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_alphanumeric());
        if named && rest.is_none_or(|rest| rest.split('-').all(part)) {
            Ok(Self(text.into()))
        } else {
            Err(LocaleError)
        }
    }
}

impl fmt::Display for Locale {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Locale {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Locale({} bytes)", self.0.len())
    }
}

impl<'de> Deserialize<'de> for Locale {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_names_a_language() {
        let longest = format!("en{}", "-variants".repeat(3) + "-longest");
        assert_eq!(longest.len(), 37);
        for (text, language) in [
            ("es", Some("es")),
            ("pt-BR", Some("pt")),
            ("zh-Hant-TW", Some("zh")),
            ("ES-419", Some("ES")),
            ("gsw", Some("gsw")),
            ("de-DE-u-co-phonebk", Some("de")),
            (&longest[..35], Some("en")),
            (longest.as_str(), None),
            ("", None),
            ("e", None),
            ("x-klingon", None),
            ("419", None),
            ("pt_BR", None),
            ("pt-", None),
            ("-pt", None),
            ("pt--BR", None),
            ("español", None),
            ("english please", None),
            ("englishes", None),
            ("en\n", None),
        ] {
            let read = serde_json::from_value::<Locale>(text.into()).ok();
            assert_eq!(read.as_ref().map(Locale::language), language, "{text}");
            assert_eq!(read.as_ref().map(Locale::as_str), language.map(|_| text));
        }
    }
}
