//! Values in a page's statements about itself: words, numbers, addresses, times.

use serde_json::Value;

/// A longer value is cut, in characters.
const VALUE_CHARS_MAX: usize = 2_000;

/// One value or several.
pub(super) fn each(value: Option<&Value>) -> impl Iterator<Item = &Value> {
    let (one, many) = match value {
        Some(Value::Array(values)) => (None, values.as_slice()),
        Some(Value::Null) | None => (None, &[][..]),
        one => (one, &[][..]),
    };
    one.into_iter().chain(many)
}

/// A word, number, or the name of a thing.
pub(super) fn text(value: Option<&Value>) -> Option<String> {
    let words = match value? {
        Value::String(words) => unmarked(words),
        Value::Number(number) => number.to_string(),
        Value::Array(values) => return text(values.first()),
        Value::Object(fields) => {
            return fields.get("@value").or_else(|| fields.get("name")).and_then(|value| match value {
                Value::String(words) => Some(unmarked(words)),
                _ => None,
            });
        }
        _ => return None,
    };
    Some(cut(words.trim(), VALUE_CHARS_MAX)).filter(|words| !words.is_empty())
}

/// Words of one value or several.
pub(super) fn words_of(value: Option<&Value>) -> Vec<String> {
    each(value).take(50).filter_map(|value| text(Some(value))).collect()
}

/// An address in one line.
pub(super) fn address(value: &Value) -> Option<String> {
    if value.is_string() {
        return text(Some(value));
    }
    let get = |field: &str| text(value.get(field));
    let town = [get("postalCode"), get("addressLocality")].into_iter().flatten().collect::<Vec<_>>().join(" ");
    let parts = [get("streetAddress"), Some(town), get("addressRegion"), get("addressCountry")];
    let parts: Vec<String> = parts.into_iter().flatten().filter(|part| !part.is_empty()).collect();
    (!parts.is_empty()).then(|| parts.join(", "))
}

/// `09:00:00` and `T09:00+01:00` as `09:00`.
pub(super) fn clock(time: &str) -> String {
    let time = time.trim_start_matches('T');
    let end = time.find(|c: char| !c.is_ascii_digit() && c != ':').unwrap_or(time.len());
    let parts: Vec<&str> = time[..end].split(':').take(2).collect();
    parts.join(":")
}

/// Answers have tags in them, often escaped.
fn unmarked(words: &str) -> String {
    let words = words.replace("&lt;", "<").replace("&gt;", ">").replace("&nbsp;", " ").replace("&quot;", "\"");
    let words = words.replace("&#39;", "'").replace("&amp;", "&");
    let mut out = String::new();
    let mut rest = words.as_str();
    while let Some((before, after)) = rest.split_once('<') {
        out.push_str(before);
        let is_tag = after.starts_with(|c: char| c.is_ascii_alphabetic() || c == '/');
        match after.split_once('>').filter(|_| is_tag) {
            Some((_, behind)) => {
                out.push(' ');
                rest = behind;
            }
            None => {
                out.push('<');
                rest = after;
            }
        }
    }
    out.push_str(rest);
    out
}

/// The first characters of words, without what is none.
pub(super) fn cut(words: &str, most: usize) -> String {
    words.chars().filter(|c| !c.is_control() || c.is_whitespace()).take(most).collect()
}
