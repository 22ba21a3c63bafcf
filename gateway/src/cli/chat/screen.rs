//! Writes to the terminal. Invariant: nothing that was said can move the cursor or hide what is
//! there: control characters are left out.

use std::io::{self, Write};

use schema::{ConversationId, End, Passage};

use super::super::plain::plain;
use super::talk::Show;
use crate::invocation;

/// The terminal, or whatever standard output is.
pub(super) struct Screen<W> {
    out: W,
    interactive: bool,
    /// Whether the cursor stands behind something on its line.
    in_line: bool,
    /// Whether that something is the prompt.
    prompted: bool,
}

impl<W: Write> Screen<W> {
    pub(super) const fn new(out: W, interactive: bool) -> Self {
        Self { out, interactive, in_line: false, prompted: false }
    }

    pub(super) fn begin(&mut self, conversation: ConversationId) -> io::Result<()> {
        if self.interactive {
            self.note(&format!("{conversation}; Ctrl-C stops a reply, /quit ends, /help lists more"))?;
        }
        Ok(())
    }

    pub(super) fn end(&mut self, conversation: ConversationId) -> io::Result<()> {
        self.new_line()?;
        if self.interactive {
            let again = invocation::command(&format!("chat --conversation {conversation}"));
            self.note(&format!("go on with: {again}"))?;
        }
        Ok(())
    }

    /// It is the person's turn.
    pub(super) fn prompt(&mut self) -> io::Result<()> {
        if self.interactive {
            self.new_line()?;
            self.out.write_all(b"> ")?;
            (self.in_line, self.prompted) = (true, true);
        }
        self.out.flush()
    }

    /// The person ended a line: the terminal shows it, and the cursor is on the next one.
    pub(super) const fn entered(&mut self) {
        (self.in_line, self.prompted) = (false, false);
    }

    pub(super) fn note(&mut self, text: &str) -> io::Result<()> {
        self.new_line()?;
        writeln!(self.out, "[{}]", plain(text))?;
        self.out.flush()
    }

    pub(super) fn show(&mut self, show: &Show) -> io::Result<()> {
        match show {
            Show::Message { from, text } => {
                self.new_line()?;
                writeln!(self.out, "{}: {}", plain(from), plain(text.as_str()))?;
            }
            Show::Piece(piece) => {
                if self.prompted {
                    self.new_line()?;
                }
                let piece = plain(piece);
                self.out.write_all(piece.as_bytes())?;
                self.in_line = !piece.ends_with('\n');
            }
            Show::Over { end, error, passages } => {
                self.new_line()?;
                if *end != End::Completed {
                    let error = error.as_deref().map(|error| format!(": {error}")).unwrap_or_default();
                    self.note(&format!("{}{error}", end.name()))?;
                }
                for passage in passages {
                    writeln!(self.out, "  [{}] {}", passage.n, plain(&source_line(passage)))?;
                }
            }
            Show::Note(text) => self.note(text)?,
        }
        self.out.flush()
    }

    fn new_line(&mut self) -> io::Result<()> {
        if self.in_line {
            self.in_line = false;
            self.prompted = false;
            self.out.write_all(b"\n")?;
        }
        Ok(())
    }
}

/// A passage's place: its document, and the headings above it.
pub(in crate::cli) fn source_line(passage: &Passage) -> String {
    if passage.heading.is_empty() {
        passage.source.clone()
    } else {
        format!("{} › {}", passage.source, passage.heading)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_said_cannot_steer_the_terminal() {
        let mut out = Vec::new();
        let mut screen = Screen::new(&mut out, false);
        screen.show(&Show::Piece("a\u{1b}[2Jb\r\u{9b}c\n\td\u{7}".into())).unwrap();
        screen.show(&Show::Message { from: "Eve\u{1b}]0;".into(), text: "x\u{8}y".into() }).unwrap();
        assert_eq!(String::from_utf8(out).unwrap(), "a[2Jbc\n\td\nEve]0;: xy\n");
    }
}
