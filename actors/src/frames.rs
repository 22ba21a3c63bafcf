//! Encodes events and deltas once for all subscribers, in the forms that they read.

use std::cell::OnceCell;
use std::fmt::Write as _;

use bytestring::ByteString;
use schema::peer::PeerFrame;
use schema::wire::{ErrorFace, ServerFrame, Signal};
use schema::{ConversationId, ConversationKey, Epoch, Event, Position, Reached, Ref, Seq, Text, Turn};
use serde::Serialize;
use serde_json::Value;

use crate::failure::Failure;

/// How a session reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Frames of a web socket: JSON objects that name their conversation.
    Socket,
    /// Server-sent events of one conversation; `id` is the position.
    Sse,
    /// Frames to another node's relay: JSON objects that name their conversation and its owner's epoch.
    Peer,
}

/// A conversation as its owner speaks for it: what every frame about it names.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Voice {
    pub(crate) key: ConversationKey,
    pub(crate) epoch: Epoch,
}

/// Something pushed, in all forms; each is made when first asked for.
pub struct Frames<'a> {
    what: What<'a>,
    socket: OnceCell<ByteString>,
    sse: OnceCell<ByteString>,
    peer: OnceCell<ByteString>,
}

enum What<'a> {
    /// `reached` says how much of a running reply a listener has that gets it.
    Event {
        voice: Voice,
        json: &'a str,
        seq: Seq,
        reached: Option<Reached>,
    },
    Delta {
        voice: Voice,
        seq: Seq,
        turn: Turn,
        offset: usize,
        chars: usize,
        text: &'a str,
    },
    Signal(Voice, &'a Signal),
}

impl<'a> Frames<'a> {
    pub(crate) fn event(voice: Voice, seq: Seq, json: &'a str) -> Self {
        Self::new(What::Event { voice, json, seq, reached: None })
    }

    /// The event without the text that a listener who has `reached` so far has had as deltas.
    pub(crate) fn event_within(voice: Voice, seq: Seq, json: &'a str, reached: Reached) -> Self {
        Self::new(What::Event { voice, json, seq, reached: Some(reached) })
    }

    /// `seq` is the log's head when the piece was said; `chars` the piece's length.
    pub(crate) fn delta(voice: Voice, seq: Seq, turn: Turn, offset: usize, text: &'a str) -> Self {
        let chars = text.chars().count();
        Self::new(What::Delta { voice, seq, turn, offset, chars, text })
    }

    pub(crate) fn signal(voice: Voice, signal: &'a Signal) -> Self {
        Self::new(What::Signal(voice, signal))
    }

    fn new(what: What<'a>) -> Self {
        Self { what, socket: OnceCell::new(), sse: OnceCell::new(), peer: OnceCell::new() }
    }

    /// The frame in a session's form.
    pub fn get(&self, format: Format) -> &ByteString {
        match format {
            Format::Socket => self.socket.get_or_init(|| self.encode_socket()),
            Format::Sse => self.sse.get_or_init(|| self.encode_sse()),
            Format::Peer => self.peer.get_or_init(|| self.encode_peer()),
        }
    }

    fn encode_socket(&self) -> ByteString {
        match &self.what {
            What::Event { voice, json, .. } => {
                let conversation = voice.key.conversation;
                format!(r#"{{"type":"event","conversation":"{conversation}","event":{json}}}"#).into()
            }
            What::Delta { voice, turn, offset, text, .. } => {
                let conversation = voice.key.conversation;
                let mut frame = String::with_capacity(text.len() + 110);
                // Writing to a string cannot fail.
                let _ = write!(
                    frame,
                    r#"{{"type":"delta","conversation":"{conversation}","turn":{turn},"offset":{offset},"text":"#
                );
                push_json(&mut frame, text);
                frame.push('}');
                frame.into()
            }
            What::Signal(_, signal) => json(&ServerFrame::Signal((*signal).clone())).into(),
        }
    }

    fn encode_peer(&self) -> ByteString {
        match &self.what {
            What::Event { voice: Voice { key, epoch }, json, .. } => {
                let key = self::json(key);
                format!(r#"{{"type":"event","key":{key},"epoch":{epoch},"event":{json}}}"#).into()
            }
            What::Delta { voice: Voice { key, epoch }, turn, offset, text, .. } => {
                let mut frame = String::with_capacity(text.len() + 200);
                let key = json(key);
                let _ = write!(
                    frame,
                    r#"{{"type":"delta","key":{key},"epoch":{epoch},"turn":{turn},"offset":{offset},"text":"#
                );
                push_json(&mut frame, text);
                frame.push('}');
                frame.into()
            }
            What::Signal(Voice { key, epoch }, signal) => {
                let Signal { author, kind, .. } = (*signal).clone();
                peer_frame(&PeerFrame::Signal { key: *key, epoch: *epoch, author, kind })
            }
        }
    }

    fn encode_sse(&self) -> ByteString {
        match &self.what {
            What::Event { json, seq, reached, .. } => {
                let position = Position { seq: *seq, reached: *reached };
                format!("id: {position}\ndata: {json}\n\n").into()
            }
            What::Delta { voice, seq, turn, offset, chars, text } => {
                let conversation = voice.key.conversation;
                let mut frame = String::with_capacity(text.len() + 160);
                let end = offset + chars;
                let _ = write!(
                    frame,
                    "id: {seq}:{turn}:{end}\ndata: {{\"type\":\"delta\",\"conversation\":\"{conversation}\",\"turn\":{turn},\"offset\":{offset},\"text\":"
                );
                push_json(&mut frame, text);
                frame.push_str("}\n\n");
                frame.into()
            }
            What::Signal(_, signal) => format!("data: {}\n\n", json(&ServerFrame::Signal((*signal).clone()))).into(),
        }
    }
}

/// A frame between nodes.
pub(crate) fn peer_frame(frame: &PeerFrame) -> ByteString {
    json(frame).into()
}

/// What came of another node's question; `decided` when something was sent to the store for it.
pub(crate) fn answer_frame(id: u64, result: Result<Value, Failure>, decided: bool) -> ByteString {
    let (ok, error) = match result {
        Ok(value) => (Some(value), None),
        Err(failure) => (None, Some(failure.face())),
    };
    peer_frame(&PeerFrame::Answer { id, ok, error, decided })
}

/// An event as JSON, as it stands in frames and listings.
pub(crate) fn event_json(event: &Event) -> String {
    json(event)
}

/// The `reply` frame for a command that was done or refused.
#[must_use]
pub fn reply_frame(r#ref: &Ref, result: Result<Value, Failure>) -> ByteString {
    let (ok, error) = match result {
        Ok(value) => (Some(value), None),
        Err(failure) => (None, Some(failure.face())),
    };
    json(&ServerFrame::Reply { r#ref: r#ref.clone(), ok, error }).into()
}

/// The `error` frame that says a conversation cannot be heard for now.
pub(crate) fn conversation_error_frame(conversation: ConversationId, failure: &Failure) -> ByteString {
    json(&ServerFrame::Error { error: failure.face(), conversation: Some(conversation) }).into()
}

/// The `error` frame for something without a usable ref.
#[must_use]
pub fn error_frame(failure: &Failure) -> ByteString {
    json(&ServerFrame::Error { error: failure.face(), conversation: None }).into()
}

impl Failure {
    /// How clients see it.
    #[must_use]
    pub fn face(&self) -> ErrorFace {
        let retry_after = self.retry_after.map(|after| after.as_millis().div_ceil(1000).max(1));
        ErrorFace {
            code: self.code,
            message: self.message.clone().into_owned(),
            retry_after: retry_after.and_then(|seconds| u64::try_from(seconds).ok()),
        }
    }
}

/// The characters from `from` up to `to` of a text.
pub(crate) fn chars_between(text: &str, from: usize, to: usize) -> Text {
    let start = text.char_indices().nth(from).map_or(text.len(), |(index, _)| index);
    let rest = text.get(start..).unwrap_or_default();
    let end = rest.char_indices().nth(to.saturating_sub(from)).map_or(rest.len(), |(index, _)| index);
    Text::from(rest.get(..end).unwrap_or_default())
}

fn push_json(out: &mut String, text: &str) {
    out.push_str(&json(text));
}

fn json<T: Serialize + ?Sized>(value: &T) -> String {
    // Only maps with keys that are no strings fail, and the wire has none.
    serde_json::to_string(value).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use schema::wire::Delta;
    use schema::{Author, Fact, TenantId, Timestamp};

    #[test]
    fn the_hand_written_delta_reads_as_the_documented_frame() {
        let conversation = ConversationId::generate();
        let text = "quote \" newline \n ünï";
        let key = ConversationKey { tenant: TenantId::generate(), conversation };
        let frames = Frames::delta(Voice { key, epoch: 5 }, 7, 3, 12, text);
        let read: ServerFrame = serde_json::from_str(frames.get(Format::Socket)).unwrap();
        let delta = Delta { conversation, turn: 3, offset: 12, text: text.into() };
        assert_eq!(read, ServerFrame::Delta(delta.clone()));
        let sse = frames.get(Format::Sse);
        let (id, data) = sse.trim_end().split_once('\n').unwrap();
        assert_eq!(id, format!("id: 7:3:{}", 12 + text.chars().count()));
        let read: ServerFrame = serde_json::from_str(data.strip_prefix("data: ").unwrap()).unwrap();
        assert_eq!(read, ServerFrame::Delta(delta));
        let read: PeerFrame = serde_json::from_str(frames.get(Format::Peer)).unwrap();
        assert_eq!(read, PeerFrame::Delta { key, epoch: 5, turn: 3, offset: 12, text: text.into() });
    }

    #[test]
    fn the_hand_written_event_to_a_relay_reads_as_its_frame() {
        let key = ConversationKey { tenant: TenantId::generate(), conversation: ConversationId::generate() };
        let event = Event { seq: 7, at: Timestamp::default(), author: Author::System, fact: Fact::Reopened {} };
        let json = event_json(&event);
        let frames = Frames::event(Voice { key, epoch: 5 }, 7, &json);
        let read: PeerFrame = serde_json::from_str(frames.get(Format::Peer)).unwrap();
        assert_eq!(read, PeerFrame::Event { key, epoch: 5, event });
    }

    #[test]
    fn a_piece_begins_at_a_character_not_at_a_byte() {
        for (from, to, piece) in
            [(0, 3, "aüb"), (1, 3, "üb"), (1, 2, "ü"), (2, 9, "b"), (3, 3, ""), (9, 12, ""), (2, 1, "")]
        {
            assert_eq!(chars_between("aüb", from, to).as_str(), piece, "{from}..{to}");
        }
    }
}
