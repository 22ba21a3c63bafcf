//! Where a page comes from, spelled as browsers send it.
//! Invariant: what people write otherwise (a port that goes without saying, capitals, letters of other
//! scripts) is put into that spelling when it comes in, so that origins are compared letter for letter.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};
use url::Url;

/// The longest origin, in bytes: as long as names can be.
const BYTES_MAX: usize = 253;
/// One as people write it may be longer; this is what is looked at, in bytes.
const WRITTEN_BYTES_MAX: usize = 1024;

/// A page's origin, spelled as browsers send it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, JsonSchema)]
#[serde(transparent)]
pub struct Origin(
    #[schemars(regex(pattern = r"^[Hh][Tt][Tt][Pp][Ss]?://[^/?#\s]+/?$"))]
    String,
);

/// Why a text is no origin.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
#[error(
    "`{0}` is not an origin: write http or https, the host, a port if it is unusual, and nothing after it, for example `https://shop.example`"
)]
pub struct OriginError(String);

impl Origin {
    /// The origin as browsers send it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether a browser may send it. Profiles of earlier programs hold some that none does.
    ///
    /// # Errors
    /// It is not an origin that a browser sends.
    pub fn check(&self) -> Result<(), OriginError> {
        self.0.parse::<Self>().map(|_| ())
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for Origin {
    type Err = OriginError;

    fn from_str(text: &str) -> Result<Self, OriginError> {
        spelled(text).map(Self).ok_or_else(|| OriginError(text.chars().take(80).collect()))
    }
}

impl<'de> Deserialize<'de> for Origin {
    // What was taken before must still be read, or a tenant's whole profile could not be: it matches no
    // page, as before, and `check` refuses it when it is written again.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<str>::deserialize(deserializer)?;
        match text.parse() {
            Err(_) if taken_before(&text) => Ok(Self(text.into_owned())),
            parsed => parsed.map_err(serde::de::Error::custom),
        }
    }
}

/// The spelling of browsers: the URL standard's origin, in ASCII.
fn spelled(text: &str) -> Option<String> {
    if text.len() > WRITTEN_BYTES_MAX || text.contains(|c: char| c.is_whitespace() || c.is_control()) {
        return None;
    }
    let (scheme, rest) = text.split_once("://")?;
    if !["http", "https"].iter().any(|known| scheme.eq_ignore_ascii_case(known)) {
        return None;
    }
    // The parser would overlook some of these.
    if rest.strip_suffix('/').unwrap_or(rest).contains(['/', '\\', '?', '#', '@']) {
        return None;
    }
    let origin = Url::parse(text).ok()?.origin().ascii_serialization();
    let (_, authority) = origin.split_once("://")?;
    (origin.len() <= BYTES_MAX && plain(authority)).then_some(origin)
}

fn taken_before(text: &str) -> bool {
    let host = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    text.len() <= BYTES_MAX && host.is_some_and(plain)
}

fn plain(authority: &str) -> bool {
    let known = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'.' | b'-' | b':' | b'[' | b']');
    !authority.is_empty() && authority.bytes().all(known)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_kept_as_browsers_send_it() {
        for (written, kept) in [
            ("https://shop.example", "https://shop.example"),
            ("https://shop.example:443", "https://shop.example"),
            ("http://shop.example:80/", "http://shop.example"),
            ("http://shop.example:443", "http://shop.example:443"),
            ("https://shop.example:08443", "https://shop.example:8443"),
            ("HTTPS://Shop.Example/", "https://shop.example"),
            ("https://bücher.example", "https://xn--bcher-kva.example"),
            ("https://BÜCHER.example:443", "https://xn--bcher-kva.example"),
            ("https://xn--bcher-kva.example", "https://xn--bcher-kva.example"),
            ("https://ドメイン.テスト", "https://xn--eckwd4c7c.xn--zckzah"),
            ("http://localhost:3000", "http://localhost:3000"),
            ("http://[::1]:8080", "http://[::1]:8080"),
            ("http://[2001:DB8:0:0::1]", "http://[2001:db8::1]"),
        ] {
            let origin = written.parse::<Origin>().unwrap_or_else(|error| panic!("{error}"));
            assert_eq!(origin.as_str(), kept, "{written}");
            assert_eq!(origin.check(), Ok(()), "{written}");
        }
        let long = format!("https://{}.example", "a".repeat(250));
        for bad in [
            "",
            "null",
            "*",
            "shop.example",
            "//shop.example",
            "https://",
            "https:///shop.example",
            "https:shop.example",
            "https://a/b",
            "https://a//",
            "https://a\\b",
            "https://a?x",
            "https://a#x",
            "https://u@a",
            "https://a:99999",
            "https://*.example",
            "https://a b",
            " https://a",
            "https://a\n",
            "ftp://a",
            "file:///a",
            &long,
        ] {
            assert!(bad.parse::<Origin>().is_err(), "{bad}");
        }
    }

    #[test]
    fn what_was_taken_before_is_read_and_not_taken_again() {
        for old in ["https://a:99999", "http://a:b", "https://[x]", "https://1.2.3.4.5"] {
            let origin: Origin = serde_json::from_value(old.into()).unwrap();
            assert_eq!(origin.as_str(), old);
            assert!(origin.check().is_err(), "{old}");
        }
        assert!(serde_json::from_str::<Origin>(r#""https://a/b""#).is_err());
        let spelled: Origin = serde_json::from_str(r#""https://a:443""#).unwrap();
        assert_eq!(spelled.as_str(), "https://a");
    }
}
