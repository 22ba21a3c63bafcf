//! Server-sent events to chunks, without I/O.
//! Invariant: the chunks depend on the bytes alone, never on where the network cut them.

use std::num::NonZeroUsize;
use std::time::Duration;

use bytes::Buf;
use schema::limits::MODEL_FRAME_BYTES_MAX;
use sse_core::{SseDecoder, SseEvent};

use super::mend::{Halves, mend};
use super::thoughts::{Begins, Thoughts};
use super::{Chunk, ModelError, Stop};

/// Bytes of all tool arguments of one reply; past it the stream is refused.
pub(super) const TOOL_BYTES_MAX: usize = 64 * 1024;
/// How long a server may take for the count and the mark behind its model's last word.
pub(super) const GRACE: Duration = Duration::from_secs(1);
/// Tool calls of one reply; past it the stream is refused.
pub(super) const TOOL_CALLS_MAX: usize = 64;

/// One provider's stream grammar: a pure fold of events into chunks.
pub(super) trait Dialect: Send + 'static {
    /// One event: its name (`message` when it has none) and its data.
    ///
    /// # Errors
    /// When it is not what the dialect says, or reports an error.
    fn event(&mut self, name: &str, data: &str, out: &mut Vec<Chunk>) -> Result<(), ModelError>;

    /// The body ended cleanly without a mark that the dialect calls terminal.
    ///
    /// # Errors
    /// When that makes the reply incomplete.
    fn body_ended(&mut self, out: &mut Vec<Chunk>) -> Result<(), ModelError>;

    /// Whether the model has said that it is done; then how long its server may take for its last words, after
    /// which the body counts as ended.
    fn grace(&self) -> Option<Duration>;

    /// The answer as one document, which servers that cannot stream give.
    ///
    /// # Errors
    /// When the dialect does not read it.
    fn whole(&mut self, _json: &str, _out: &mut Vec<Chunk>) -> Result<(), ModelError> {
        Err(ModelError::protocol("the answer is one JSON document, not a stream of events"))
    }
}

/// Decodes one reply's body, without the thoughts in it. After [`Chunk::End`] or an error it takes
/// nothing more.
pub(super) struct Decoder<D> {
    sse: SseDecoder,
    dialect: D,
    halves: Halves,
    thoughts: Thoughts,
    /// What an event brought, thoughts included.
    fresh: Vec<Chunk>,
    over: bool,
}

impl<D: Dialect> Decoder<D> {
    /// A decoder at the beginning of a body whose text begins in this way.
    pub(super) fn new(dialect: D, begins: Begins) -> Self {
        let limit = NonZeroUsize::new(MODEL_FRAME_BYTES_MAX).unwrap_or(NonZeroUsize::MIN);
        let sse = SseDecoder::with_limit(limit);
        let (halves, thoughts) = (Halves::default(), Thoughts::new(begins));
        Self { sse, dialect, halves, thoughts, fresh: Vec::new(), over: false }
    }

    /// That its text begins so is known, and no guess.
    pub(super) fn sure(mut self, sure: bool) -> Self {
        self.thoughts.is_sure(sure);
        self
    }

    /// What the reply has taught so far about how its model begins.
    pub(super) fn lesson(&self) -> Option<Begins> {
        self.thoughts.lesson()
    }

    /// How long the last words may take, once the model has said that it is done.
    pub(super) fn grace(&self) -> Option<Duration> {
        self.dialect.grace()
    }

    /// Whether the reply has ended, well or badly.
    pub(super) fn is_over(&self) -> bool {
        self.over
    }

    /// The next bytes of the body. Chunks decoded before an error are in `out` when it is given.
    ///
    /// # Errors
    /// When an event is too large, or the dialect refuses it.
    pub(super) fn feed(&mut self, mut bytes: impl Buf, out: &mut Vec<Chunk>) -> Result<(), ModelError> {
        while !self.over {
            let Some(event) = self.sse.next(&mut bytes) else { break };
            let result = match event {
                Ok(SseEvent::Message(message)) => {
                    self.dialect.event(&message.event, &mend(&message.data), &mut self.fresh)
                }
                Ok(SseEvent::Retry(_)) => Ok(()), // We never reconnect: a second POST is a second bill.
                Err(_) => Err(ModelError::protocol(format!("an event is larger than {MODEL_FRAME_BYTES_MAX} bytes"))),
            };
            self.sift(out);
            self.over = result.is_err() || matches!(out.last(), Some(Chunk::End(_)));
            if result.is_err() {
                self.thoughts.finish(None, out);
                return result;
            }
        }
        Ok(())
    }

    /// Passes on what may be shown.
    fn sift(&mut self, out: &mut Vec<Chunk>) {
        for chunk in self.fresh.drain(..) {
            match chunk {
                Chunk::Text(text) => self.thoughts.feed(&self.halves.join(text), out),
                Chunk::Thinking => {
                    self.thoughts.thinks_apart(out);
                    out.push(Chunk::Thinking);
                }
                Chunk::End(stop) => {
                    if let Some(half) = self.halves.end() {
                        self.thoughts.feed(half.encode_utf8(&mut [0; 4]), out);
                    }
                    self.thoughts.finish(Some(stop), out);
                    out.push(Chunk::End(stop));
                }
                chunk => out.push(chunk),
            }
        }
    }

    /// The body ended cleanly. A last event without its blank line still counts if it is whole.
    ///
    /// # Errors
    /// When the dialect's terminal mark was not seen.
    pub(super) fn finish(&mut self, out: &mut Vec<Chunk>) -> Result<(), ModelError> {
        if self.over {
            return Ok(());
        }
        let before = out.len();
        if let Err(error) = self.feed(&b"\n\n"[..], out) {
            out.truncate(before);
            return Err(if error.code == schema::ErrorCode::ModelProtocol {
                ModelError::truncated("the body ended inside an event")
            } else {
                error
            });
        }
        if self.over {
            return Ok(());
        }
        self.close(out)
    }

    /// Nothing more is waited for.
    ///
    /// # Errors
    /// As [`Decoder::finish`].
    pub(super) fn close(&mut self, out: &mut Vec<Chunk>) -> Result<(), ModelError> {
        let result = self.dialect.body_ended(&mut self.fresh);
        self.end(result, out)
    }

    /// The whole answer as one document.
    ///
    /// # Errors
    /// When the dialect does not read it.
    pub(super) fn whole(&mut self, json: &str, out: &mut Vec<Chunk>) -> Result<(), ModelError> {
        let result = self.dialect.whole(&mend(json), &mut self.fresh);
        self.end(result, out)
    }

    fn end(&mut self, result: Result<(), ModelError>, out: &mut Vec<Chunk>) -> Result<(), ModelError> {
        self.over = true;
        self.sift(out);
        if result.is_err() {
            self.thoughts.finish(None, out);
        }
        result
    }
}

/// Tool calls as their fragments arrive.
#[derive(Debug, Default)]
pub(super) struct ToolCalls {
    calls: Vec<(u64, String, String)>,
    bytes: usize,
}

impl ToolCalls {
    /// A fragment of the call with this index; the name may come once or in every fragment.
    ///
    /// # Errors
    /// When there are too many calls or arguments.
    pub(super) fn add(&mut self, index: u64, name: Option<&str>, arguments: &str) -> Result<(), ModelError> {
        self.bytes += arguments.len() + name.map_or(0, str::len);
        if self.bytes > TOOL_BYTES_MAX || self.calls.len() > TOOL_CALLS_MAX {
            return Err(ModelError::protocol("tool calls are larger than the limit"));
        }
        let at = match self.calls.iter().position(|call| call.0 == index) {
            Some(at) => at,
            None => {
                self.calls.push((index, String::new(), String::new()));
                self.calls.len() - 1
            }
        };
        if let Some(call) = self.calls.get_mut(at) {
            if let Some(name) = name.filter(|name| !name.is_empty()) {
                name.clone_into(&mut call.1);
            }
            call.2.push_str(arguments);
        }
        Ok(())
    }

    /// The index for a call that brings none.
    pub(super) fn next_index(&self) -> u64 {
        self.calls.iter().map(|call| call.0 + 1).max().unwrap_or(0)
    }

    /// The index of the call begun last.
    pub(super) fn last_index(&self) -> u64 {
        self.calls.last().map_or(0, |call| call.0)
    }

    /// Whether there are none.
    pub(super) fn is_empty(&self) -> bool {
        self.calls.is_empty()
    }

    /// All of them, whole, and then the end.
    pub(super) fn end(&mut self, stop: Stop, out: &mut Vec<Chunk>) {
        let calls = std::mem::take(&mut self.calls);
        out.extend(calls.into_iter().map(|(_, name, arguments)| Chunk::ToolCall { name, arguments }));
        out.push(Chunk::End(stop));
    }
}

#[cfg(test)]
#[path = "sse_tests.rs"]
pub(super) mod tests;
