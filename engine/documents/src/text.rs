//! Decodes text: UTF-8, UTF-16 with its mark, the charset that a server names, else Windows' Latin.

use std::borrow::Cow;

use encoding_rs::{Encoding, UTF_8, WINDOWS_1252};

use super::Unreadable;

/// The letters of a text or Markdown file.
pub(super) fn decode<'a>(bytes: &'a [u8], charset: Option<&str>) -> Result<Cow<'a, str>, Unreadable> {
    let text = letters(bytes, charset.and_then(named));
    if text.trim().is_empty() { Err(Unreadable::Empty) } else { Ok(text) }
}

/// Control characters that no text needs; some would be six bytes each on the way to the node.
pub(super) fn is_stray(c: char) -> bool {
    (c.is_control() && !matches!(c, '\n' | '\t')) || matches!(c, '\u{fffe}' | '\u{ffff}')
}

fn letters<'a>(bytes: &'a [u8], said: Option<&'static Encoding>) -> Cow<'a, str> {
    if let Some((encoding, mark)) = Encoding::for_bom(bytes) {
        return encoding.decode_without_bom_handling(&bytes[mark..]).0;
    }
    // What reads as UTF-8 nearly always is, whatever is said of it.
    if let Ok(text) = std::str::from_utf8(bytes) {
        return text.into();
    }
    said.filter(|said| *said != UTF_8).unwrap_or(WINDOWS_1252).decode_without_bom_handling(bytes).0
}

fn named(label: &str) -> Option<&'static Encoding> {
    Encoding::for_label(label.trim().as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_are_found() {
        for (bytes, charset, expected) in [
            (&b"Gr\xc3\xbc\xc3\x9fe"[..], None, "Grüße"),
            (b"\xef\xbb\xbfGr\xc3\xbc\xc3\x9fe", None, "Grüße"),
            (b"\xff\xfeG\0r\0\xfc\0", None, "Grü"),
            (b"\xfe\xff\0G\0r\0\xfc", None, "Grü"),
            (b"Gr\xfc\xdfe", None, "Grüße"),
            (b"\x93so\x94", Some("utf-8"), "“so”"),
            (b"\xd0\xcf", Some("koi8-r"), "по"),
            (b"Gr\xc3\xbc", Some("latin1"), "Grü"),
        ] {
            assert_eq!(decode(bytes, charset).unwrap(), expected, "{bytes:?}");
        }
        assert_eq!(decode(b" \n", None), Err(Unreadable::Empty));
    }
}
