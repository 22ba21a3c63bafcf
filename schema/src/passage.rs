//! A piece of a document that stood before a model, and how a reply cites it.

use std::borrow::Cow;
use std::collections::BTreeSet;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Serialize, Serializer};

use crate::{Text, limits};

/// Stands between two headings of a path.
const PATH: &str = " › ";

/// How the sources of typed answers begin, and those of no other document.
pub const TYPED_SOURCE: &str = "answer:";

/// A piece of a tenant's document. Its `Debug` shows how long it is and not what it says.
///
/// As JSON it also has a `title` and, where the source is one, an `address`: they are made from the rest.
#[derive(Clone, PartialEq, Eq, Deserialize)]
pub struct Passage {
    /// Its number in the reply's text: `[1]`.
    pub n: u32,
    /// The document's name or address.
    pub source: String,
    /// The headings above it, outermost first, joined with ` › `.
    #[serde(default)]
    pub heading: String,
    /// The passage's text.
    pub text: Text,
}

/// A piece of a tenant's document.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Passage")]
struct Shown<'a> {
    /// Its number in the reply's text: `[1]`.
    n: u32,
    /// The document's name or address.
    source: &'a str,
    /// The document's title as people see it: its outermost heading, or its name without path and ending.
    title: &'a str,
    /// Where it can be read; absent when the source is no address of the web.
    #[serde(skip_serializing_if = "Option::is_none")]
    address: Option<&'a str>,
    /// The headings above it, outermost first, joined with ` › `.
    #[serde(skip_serializing_if = "str::is_empty")]
    #[schemars(default)]
    heading: &'a str,
    /// The passage's text.
    text: &'a Text,
}

impl Passage {
    /// The document's title as people see it.
    #[must_use]
    pub fn title(&self) -> &str {
        let outermost = self.heading.split(PATH).map(str::trim).find(|part| !part.is_empty());
        let title = outermost.unwrap_or_else(|| file_name(&self.source));
        let end = title.char_indices().nth(limits::TITLE_CHARS_MAX).map_or(title.len(), |(at, _)| at);
        title.get(..end).unwrap_or_default()
    }

    /// Where the document can be read, if its source says so.
    #[must_use]
    pub fn address(&self) -> Option<&str> {
        on_the_web(&self.source).map(|_| self.source.as_str())
    }
}

/// What follows the scheme of an address of the web.
fn on_the_web(source: &str) -> Option<&str> {
    let scheme = ["https://", "http://"]
        .into_iter()
        .find(|scheme| source.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme)))?;
    source.get(scheme.len()..).filter(|rest| !rest.is_empty())
}

/// A source's name without path and ending; of an address without a path, its host.
fn file_name(source: &str) -> &str {
    let web = on_the_web(source);
    let path = match web {
        Some(rest) => rest.split(['?', '#']).next().unwrap_or(rest),
        None => source,
    };
    let parts = || path.split(['/', '\\']).filter(|part| !part.is_empty());
    let name = parts().next_back().unwrap_or(source);
    if web.is_some() && parts().nth(1).is_none() {
        return name;
    }
    match name.rsplit_once('.') {
        Some((stem, ending)) if !stem.is_empty() && (1..=5).contains(&ending.len()) => stem,
        _ => name,
    }
}

/// Which of the numbers `known` a text cites: as `[1]`, or several as `[1, 2]`. Costs time in proportion to the
/// text's length.
#[must_use]
pub fn cited(text: &str, known: impl IntoIterator<Item = u32>) -> BTreeSet<u32> {
    let known: BTreeSet<u32> = known.into_iter().collect();
    let mut cited = BTreeSet::new();
    if known.is_empty() {
        return cited;
    }
    // What stands before the first bracket is no citation.
    for rest in text.split('[').skip(1) {
        let Some((inside, _)) = rest.split_once(']') else { continue };
        let numbers: Option<Vec<u32>> = inside.split([',', ';']).map(|number| number.trim().parse().ok()).collect();
        cited.extend(numbers.unwrap_or_default().into_iter().filter(|number| known.contains(number)));
    }
    cited
}

impl Serialize for Passage {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self { n, source, heading, text } = self;
        let shown = Shown { n: *n, source, title: self.title(), address: self.address(), heading, text };
        shown.serialize(serializer)
    }
}

impl JsonSchema for Passage {
    fn schema_name() -> Cow<'static, str> {
        Shown::schema_name()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        Shown::json_schema(generator)
    }
}

impl std::fmt::Debug for Passage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { n, source, heading, text } = self;
        write!(f, "Passage({n}: {} + {} + {} bytes)", source.len(), heading.len(), text.bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn people_get_a_title_and_an_address_where_there_is_one() {
        for (source, heading, title, address) in [
            ("docs/returns.md", "Returns › Within 30 days", "Returns", false),
            ("docs/returns.md", "", "returns", false),
            ("C:\\texts\\Price list.2026.pdf", "", "Price list.2026", false),
            ("https://shop.example/help/returns.html?lang=en#top", "", "returns", true),
            ("https://shop.example/", "", "shop.example", true),
            ("HTTPS://shop.example", " › ", "shop.example", true),
            ("http://shop.example/a/v2.0-notes", "Notes", "Notes", true),
            ("https://", "", "https:", false),
            ("javascript:alert(1)", "", "javascript:alert(1)", false),
            ("answer:opening-hours", "When do you open?", "When do you open?", false),
            (".env", "", ".env", false),
            ("", "", "", false),
        ] {
            let passage = Passage { n: 1, source: source.into(), heading: heading.into(), text: "x".into() };
            assert_eq!((passage.title(), passage.address()), (title, address.then_some(source)), "{source}");
            let json = serde_json::to_value(&passage).unwrap_or_default();
            let said = json.get("address").and_then(serde_json::Value::as_str);
            assert_eq!((json["title"].as_str(), said), (Some(title), address.then_some(source)));
            assert_eq!(serde_json::from_value::<Passage>(json).ok(), Some(passage), "{source}");
        }
        let long = Passage { n: 1, source: "x".into(), heading: "é".repeat(5_000), text: "x".into() };
        assert_eq!(long.title().chars().count(), limits::TITLE_CHARS_MAX);
    }

    #[test]
    fn what_a_text_cites() {
        for (text, numbers) in [
            ("", &[][..]),
            ("We open at nine [1].", &[1]),
            ("Both [1][3], and [ 2 ].", &[1, 2, 3]),
            ("All [1, 2; 3]", &[1, 2, 3]),
            ("Not [9], not [x], not [1", &[]),
            ("[[2]]", &[2]),
            ("[1, x]", &[]),
            ("[4294967296] [-1] []", &[]),
        ] {
            assert_eq!(cited(text, 1..=3).into_iter().collect::<Vec<_>>(), numbers, "{text}");
        }
        assert!(cited("[1]", []).is_empty());
    }
}
