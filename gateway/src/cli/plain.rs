//! Text for a terminal. Invariant: nothing that was said or sent can move the cursor, hide what is there, or
//! turn the order of letters round.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::io::{self, Write};

/// The text without what steers terminals.
pub(super) fn plain(text: &str) -> Cow<'_, str> {
    if text.contains(steers) { text.replace(steers, "").into() } else { text.into() }
}

/// JSON with the same written as escapes: it says what it said before.
pub(super) fn plain_json(json: &str) -> Cow<'_, str> {
    if !json.contains(steers) {
        return json.into();
    }
    let mut escaped = String::with_capacity(json.len());
    for c in json.chars() {
        if steers(c) && !c.is_ascii_whitespace() {
            // Writing to a `String` cannot fail; what steers is in the first plane.
            let _ = write!(escaped, "\\u{:04x}", u32::from(c));
        } else {
            escaped.push(c);
        }
    }
    escaped.into()
}

/// Writes plain text only; to be given whole pieces of text, as `write!` does.
pub(super) struct Plain<W>(pub(super) W);

impl<W: Write> Write for Plain<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write_all(plain(&String::from_utf8_lossy(bytes)).as_bytes())?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

/// Control characters, and marks that show what follows in another order than it has.
fn steers(c: char) -> bool {
    (c.is_control() && !matches!(c, '\n' | '\t')) || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_steers_a_terminal_goes_and_json_still_says_it() {
        for (text, expected) in [
            ("plain\n\ttext é 👩‍💻", "plain\n\ttext é 👩‍💻"),
            ("a\u{1b}[2Jb\r\u{9b}c\u{7f}\u{8}", "a[2Jbc"),
            ("\u{1b}]0;title\u{7}", "]0;title"),
            ("invoice\u{202e}fdp.exe\u{2066}", "invoicefdp.exe"),
        ] {
            assert_eq!(plain(text), expected);
            let mut out = Plain(Vec::new());
            write!(out, "{text}").unwrap();
            assert_eq!(out.0, expected.as_bytes());
            let json = serde_json::json!({ "text": text }).to_string();
            let safe = plain_json(&json);
            assert!(!safe.contains(steers), "{safe:?}");
            assert_eq!(serde_json::from_str::<serde_json::Value>(&safe).unwrap()["text"], text);
        }
    }
}
