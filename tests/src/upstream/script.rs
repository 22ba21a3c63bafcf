//! The server's script for one request.

use std::time::Duration;

/// An answer: status and headers, then steps. Without [`Step::End`] or [`Step::Cut`] at its end
/// the answer ends cleanly.
#[derive(Clone, Debug)]
pub struct Script {
    pub(super) status: u16,
    pub(super) headers: Vec<(&'static str, String)>,
    pub(super) steps: Vec<Step>,
    pub(super) byte_by_byte: bool,
    pub(super) until_close: bool,
}

/// One thing to do while answering.
#[derive(Clone, Debug)]
pub enum Step {
    /// Writes this in one go.
    Send(String),
    /// Waits.
    Gap(Duration),
    /// Writes nothing more until the client goes away.
    Stall,
    /// Ends the body as HTTP says.
    End,
    /// Resets the connection.
    Cut,
}

impl Script {
    /// A stream of events.
    #[must_use]
    pub fn stream(steps: impl IntoIterator<Item = Step>) -> Self {
        Self {
            status: 200,
            headers: vec![("content-type", "text/event-stream".into())],
            steps: steps.into_iter().collect(),
            byte_by_byte: false,
            until_close: false,
        }
    }

    /// A status with a JSON body.
    #[must_use]
    pub fn status(status: u16, body: &str) -> Self {
        Self {
            status,
            headers: vec![("content-type", "application/json".into())],
            ..Self::stream([Step::Send(body.to_owned())])
        }
    }

    /// With one more header.
    #[must_use]
    pub fn header(mut self, name: &'static str, value: &str) -> Self {
        self.headers.push((name, value.to_owned()));
        self
    }

    /// Every byte is a write of its own.
    #[must_use]
    pub fn byte_by_byte(mut self) -> Self {
        self.byte_by_byte = true;
        self
    }

    /// The body has no length and no chunks: it ends where the connection is closed.
    #[must_use]
    pub fn until_close(mut self) -> Self {
        self.until_close = true;
        self
    }

    /// Nothing is answered, not even a status, until the client goes away.
    #[must_use]
    pub fn silence() -> Self {
        Self { status: 0, ..Self::stream([Step::Stall]) }
    }

    /// The connection is reset instead of an answer.
    #[must_use]
    pub fn cut_at_once() -> Self {
        Self { status: 0, ..Self::stream([Step::Cut]) }
    }

    /// Whether it begins a stream of events, however that ends.
    #[must_use]
    pub fn begins(&self) -> bool {
        self.status == 200 && self.headers.iter().any(|(_, value)| value == "text/event-stream")
    }
}
