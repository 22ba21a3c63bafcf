//! The letters of a page: by its mark, by what its server and the page itself say, by how its bytes read.
//! Invariant: one look at each byte, however often a page names an encoding.

use std::borrow::Cow;

use encoding_rs::{Encoding, ISO_2022_JP, UTF_8, UTF_16BE, UTF_16LE, WINDOWS_1252};

/// How far into a page its own word on its letters is looked for. Browsers have no bound at all.
const LOOK_BYTES: usize = 1024 * 1024;
/// Elements whose contents are no tags.
const RAW: &[&str] = &["script", "style", "title", "textarea", "noscript", "xmp", "iframe", "noembed", "noframes"];
/// Attributes of one tag that are looked at.
const ATTRIBUTES_MAX: usize = 32;

/// Reads a page's letters. `charset` is what a server said of them.
pub(crate) fn decode<'a>(bytes: &'a [u8], charset: Option<&str>) -> Cow<'a, str> {
    if let Some((encoding, mark)) = Encoding::for_bom(bytes) {
        return encoding.decode_without_bom_handling(&bytes[mark..]).0;
    }
    let (told, declared) = (charset.and_then(named), declared(bytes));
    let said = told.or(declared);
    // It is made of ASCII alone, so that it reads as UTF-8 as well.
    if said == Some(ISO_2022_JP) && bytes.contains(&0x1b) {
        return ISO_2022_JP.decode_without_bom_handling(bytes).0;
    }
    // What reads as UTF-8 nearly always is, whatever is said of it.
    if let Ok(text) = std::str::from_utf8(bytes) {
        return text.into();
    }
    let is_said = told == Some(UTF_8) || declared == Some(UTF_8) || said.is_none();
    if is_said && is_damaged_utf8(bytes) {
        return String::from_utf8_lossy(bytes);
    }
    let other = [told, declared].into_iter().flatten().find(|one| *one != UTF_8);
    other.unwrap_or(WINDOWS_1252).decode_without_bom_handling(bytes).0
}

/// Whether bytes that are no UTF-8 are so but for some damage: letters of several bytes outnumber what is
/// broken. In other encodings such letters come about by chance only.
fn is_damaged_utf8(bytes: &[u8]) -> bool {
    let (mut whole, mut broken) = (0_usize, 0_usize);
    for chunk in bytes.utf8_chunks() {
        whole += chunk.valid().chars().filter(|c| !c.is_ascii()).count();
        broken += usize::from(!chunk.invalid().is_empty());
    }
    whole > broken
}

/// What a page says of its own letters, wherever it says so in its head.
fn declared(bytes: &[u8]) -> Option<&'static Encoding> {
    let mut rest = &bytes[..bytes.len().min(LOOK_BYTES)];
    if rest.starts_with(b"<?xml") {
        let end = rest.iter().position(|byte| *byte == b'>').unwrap_or(rest.len());
        let said = after(&rest[..end].to_ascii_lowercase(), b"encoding").and_then(value_after_equals);
        if let Some(encoding) = said.and_then(|name| named(&name)) {
            return Some(as_declared(encoding));
        }
    }
    while let Some(at) = rest.iter().position(|byte| *byte == b'<') {
        rest = &rest[at + 1..];
        if let Some(comment) = rest.strip_prefix(b"!--") {
            rest = after(comment, b"-->").unwrap_or_default();
            continue;
        }
        let name: String = rest
            .iter()
            .take(12)
            .take_while(|byte| byte.is_ascii_alphanumeric())
            .map(|byte| char::from(*byte))
            .collect();
        let name = name.to_ascii_lowercase();
        if name.is_empty() {
            continue;
        }
        let (tag, behind) = tag(&rest[name.len()..]);
        rest = behind;
        match name.as_str() {
            "meta" => {
                if let Some(encoding) = of_meta(&tag) {
                    return Some(as_declared(encoding));
                }
            }
            "body" => return None,
            raw if RAW.contains(&raw) => rest = behind_end_of(rest, raw),
            _ => {}
        }
    }
    None
}

type Attributes = Vec<(String, String)>;

/// The attributes of a tag, and what stands behind it.
fn tag(mut rest: &[u8]) -> (Attributes, &[u8]) {
    let mut attributes = Vec::new();
    loop {
        let start = rest.iter().position(|byte| !(byte.is_ascii_whitespace() || *byte == b'/'));
        rest = start.map(|at| &rest[at..]).unwrap_or_default();
        let end = |byte: &u8| byte.is_ascii_whitespace() || matches!(byte, b'=' | b'>' | b'/');
        match rest.first() {
            None => return (attributes, rest),
            Some(b'>') => return (attributes, &rest[1..]),
            Some(_) => {}
        }
        // An equals sign in front of a name is its first letter.
        let length = 1 + rest[1..].iter().position(end).unwrap_or(rest.len() - 1);
        let name = String::from_utf8_lossy(&rest[..length]).to_ascii_lowercase();
        rest = rest[length..].trim_ascii_start();
        let mut value: &[u8] = &[];
        if let Some(behind) = rest.strip_prefix(b"=") {
            rest = behind.trim_ascii_start();
            (value, rest) = match rest.first() {
                Some(mark @ (b'"' | b'\'')) => cut(&rest[1..], |byte| byte == mark, 1),
                _ => cut(rest, |byte| byte.is_ascii_whitespace() || *byte == b'>', 0),
            };
        }
        if attributes.len() < ATTRIBUTES_MAX {
            attributes.push((name, String::from_utf8_lossy(value).into_owned()));
        }
    }
}

/// Up to what ends it, and the rest behind so many bytes more.
fn cut(bytes: &[u8], is_end: impl Fn(&u8) -> bool, more: usize) -> (&[u8], &[u8]) {
    let at = bytes.iter().position(is_end).unwrap_or(bytes.len());
    (&bytes[..at], bytes.get(at + more..).unwrap_or_default())
}

fn of_meta(attributes: &Attributes) -> Option<&'static Encoding> {
    let get = |wanted: &str| attributes.iter().find(|(name, _)| name == wanted).map(|(_, value)| value.as_str());
    if let Some(name) = get("charset") {
        return named(name);
    }
    get("http-equiv").filter(|name| name.trim().eq_ignore_ascii_case("content-type"))?;
    let content = get("content")?.to_ascii_lowercase();
    value_after_equals(after(content.as_bytes(), b"charset")?).and_then(|name| named(&name))
}

/// `= "name"`, with or without its quotes.
fn value_after_equals(bytes: &[u8]) -> Option<String> {
    let value = bytes.trim_ascii_start().strip_prefix(b"=")?.trim_ascii_start();
    let value = value.strip_prefix(b"\"").or_else(|| value.strip_prefix(b"'")).unwrap_or(value);
    let label = |byte: &&u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b':' | b'.');
    Some(value.iter().take(40).take_while(label).map(|byte| char::from(*byte)).collect())
}

/// What stands behind the first such bytes.
fn after<'a>(bytes: &'a [u8], wanted: &[u8]) -> Option<&'a [u8]> {
    let at = bytes.windows(wanted.len()).position(|window| window == wanted)?;
    Some(&bytes[at + wanted.len()..])
}

/// What stands behind the end of an element whose contents are no tags.
fn behind_end_of<'a>(bytes: &'a [u8], name: &str) -> &'a [u8] {
    let is_end = |window: &[u8]| window.starts_with(b"</") && window[2..].eq_ignore_ascii_case(name.as_bytes());
    let at = bytes.windows(name.len() + 2).position(is_end);
    at.map(|at| &bytes[at + name.len() + 2..]).unwrap_or_default()
}

fn named(label: &str) -> Option<&'static Encoding> {
    Encoding::for_label(label.trim().as_bytes())
}

/// A page that can say what it is in ASCII is not in UTF-16.
fn as_declared(encoding: &'static Encoding) -> &'static Encoding {
    if encoding == UTF_16BE || encoding == UTF_16LE { UTF_8 } else { encoding }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_are_found_as_browsers_find_them() {
        let late = |meta: &str, words: &[u8]| {
            let mut page =
                format!("<html><head><script>/* {} */</script>{meta}</head>", "x".repeat(2_000)).into_bytes();
            page.extend_from_slice(words);
            page
        };
        let early = |meta: &str, words: &[u8]| [meta.as_bytes(), words].concat();
        const KOI: &[u8] = b"\xd0\xcf";
        for (bytes, charset, expected) in [
            (early("<meta charset=\"koi8-r\">", KOI), None, "по"),
            (early("<META CHARSET = koi8-r />", KOI), None, "по"),
            (early("<meta content='text/html; charset = \"koi8-r\"' http-equiv=Content-Type>", KOI), None, "по"),
            (early("<meta name=description content='charset=koi8-r'>", b"\xfc"), None, "ü"),
            (early("<!-- <meta charset=koi8-r> -->", b"\xfc"), None, "ü"),
            (early("<script>'<meta charset=koi8-r>'</script>", b"\xfc"), None, "ü"),
            (early("<?xml version='1.0' encoding='koi8-r'?>", KOI), None, "по"),
            (late("<meta charset=koi8-r>", KOI), None, "по"),
            (late("<meta http-equiv='content-type' content='text/html;charset=Shift_JIS'>", b"\x93\xfa"), None, "日"),
            (late("<meta charset=iso-2022-jp>", b"\x1b$BF|\x1b(B"), None, "日"),
            (late("<body><meta charset=koi8-r>", b"\xfc"), None, "ü"),
            // What a server says goes before what the page says.
            (early("<meta charset=koi8-r>", b"\xfc"), Some("latin1"), "ü"),
            // One letter is damaged: the others hold.
            (early("<meta charset=utf-8>", b"Gr\xc3\xbc\xc3\x9fe Ger\xc3"), None, "Grüße Ger\u{fffd}"),
            (early("", b"Gr\xc3\xbc\xc3\x9fe Ger\xc3"), Some("UTF-8"), "Grüße Ger\u{fffd}"),
            (early("", b"Gr\xc3\xbc\xc3\x9fe Ger\xe2\x82 x"), None, "Grüße Ger\u{fffd} x"),
            (early("<meta charset=utf-8>", b"Gr\xc3\xbc\xc3\x9fe \xff"), Some("latin1"), "Grüße \u{fffd}"),
            // Said to be UTF-8, and is not at all.
            (early("<meta charset=utf-8>", b"Gr\xfc\xdfe \x93so\x94"), None, "Grüße “so”"),
            (early("<meta charset=utf-16>", b"Gr\xc3\xbc\xc3\x9fe \xff"), None, "Grüße \u{fffd}"),
        ] {
            let text = decode(&bytes, charset);
            assert!(text.ends_with(expected), "{charset:?} {text}");
        }
    }

    #[test]
    fn a_page_of_beginnings_is_looked_through_once() {
        for piece in ["<!--", "<script>", "<meta a='", "<meta ", "<meta charset=x>", "<", "<title></titl"] {
            assert_eq!(declared(piece.repeat(LOOK_BYTES / piece.len()).as_bytes()), None, "{piece}");
        }
    }
}
