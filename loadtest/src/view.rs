//! The few fields of a server frame that load scenarios look at, read without copying the rest.
//! The full frames are `schema::wire::ServerFrame`; a test holds the two together.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

/// A server frame, as far as it matters here.
#[derive(Debug, Deserialize)]
pub struct View<'a> {
    /// `hello`, `reply`, `event`, `delta` …
    #[serde(rename = "type")]
    pub kind: &'a str,
    /// Whose reply: the ref a client gave.
    #[serde(rename = "ref", default, borrow)]
    pub re: Option<&'a str>,
    /// What came of it.
    #[serde(default, borrow)]
    pub ok: Option<&'a RawValue>,
    /// Why nothing came of it.
    #[serde(default)]
    pub error: Option<schema::wire::ErrorFace>,
    /// A stored event.
    #[serde(default, borrow)]
    pub event: Option<EventView<'a>>,
    /// Where a delta begins, in characters.
    #[serde(default)]
    pub offset: Option<usize>,
    /// The words of a delta.
    #[serde(default, borrow)]
    pub text: Option<Words<'a>>,
}

/// An event, as far as it matters here.
#[derive(Debug, Deserialize)]
pub struct EventView<'a> {
    /// Its number.
    pub seq: u64,
    /// `message`, `turn_started` …
    #[serde(rename = "type")]
    pub kind: &'a str,
    /// Whose.
    pub author: &'a str,
    /// The words of a message.
    #[serde(default, borrow)]
    pub text: Option<Words<'a>>,
    /// How a reply ended.
    #[serde(default, borrow)]
    pub end: Option<&'a str>,
}

/// Words, borrowed unless JSON escaped something in them.
#[derive(Debug, Deserialize)]
#[serde(transparent)]
pub struct Words<'a>(#[serde(borrow)] pub Cow<'a, str>);

/// What is said of the contact's own number of a stored message, in a reply's `ok`.
#[derive(Debug, Deserialize)]
pub struct SaidView {
    /// Its number in the log.
    pub seq: u64,
}

impl View<'_> {
    /// Whether this event is a finished reply of the assistant.
    #[must_use]
    pub fn finished_reply(&self) -> Option<&EventView<'_>> {
        self.event.as_ref().filter(|event| event.kind == "message" && event.author == "assistant")
    }
}

#[cfg(test)]
mod tests {
    use schema::wire::{Delta, ErrorFace, ServerFrame};
    use schema::{Author, ConversationId, End, ErrorCode, Event, Fact, Made, Reply, Timestamp};

    use super::*;

    fn json(frame: &ServerFrame) -> String {
        serde_json::to_string(frame).unwrap()
    }

    #[test]
    fn it_reads_what_the_protocol_writes() {
        let conversation = ConversationId::generate();
        let text = json(&ServerFrame::Delta(Delta { conversation, turn: 3, offset: 120, text: "a\"b".into() }));
        let view: View<'_> = serde_json::from_str(&text).unwrap();
        assert_eq!((view.kind, view.offset, &*view.text.unwrap().0), ("delta", Some(120), "a\"b"));

        let ok = serde_json::json!({ "seq": 7 });
        let text = json(&ServerFrame::Reply { r#ref: "r1".parse().unwrap(), ok: Some(ok), error: None });
        let view: View<'_> = serde_json::from_str(&text).unwrap();
        assert_eq!((view.kind, view.re), ("reply", Some("r1")));
        assert_eq!(serde_json::from_str::<SaidView>(view.ok.unwrap().get()).unwrap().seq, 7);

        let error = ErrorFace { code: ErrorCode::Busy, message: "later".into(), retry_after: Some(1) };
        let text = json(&ServerFrame::Reply { r#ref: "r1".parse().unwrap(), ok: None, error: Some(error) });
        let view: View<'_> = serde_json::from_str(&text).unwrap();
        assert_eq!(view.error.unwrap().code, ErrorCode::Busy);
    }

    #[test]
    fn a_finished_reply_is_told_from_everything_else() {
        let at: Timestamp = serde_json::from_str("\"2026-01-01T00:00:00Z\"").unwrap();
        let reply = Reply { turn: 1, end: End::Completed, answers: 2, made: Made::default() };
        for (author, reply, finished) in
            [(Author::Assistant, Some(Box::new(reply)), true), (Author::Contact, None, false)]
        {
            let fact = Fact::Message { text: "words".into(), r#ref: None, agent: None, reply };
            let event = Event { seq: 4, at, author, fact };
            let text = json(&ServerFrame::Event { conversation: ConversationId::generate(), event });
            let view: View<'_> = serde_json::from_str(&text).unwrap();
            let found = view.finished_reply();
            assert_eq!(found.is_some(), finished, "{text}");
            if let Some(event) = found {
                assert_eq!((event.end, &*event.text.as_ref().unwrap().0), (Some("completed"), "words"));
            }
        }
    }
}
