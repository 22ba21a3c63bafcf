//! How an event stands in a database: what folds it is in the clear, and what was said is sealed.
//! Invariant: a text is in one of the two, and what is in the clear can be folded without the other.

use std::borrow::Cow;

use engine_privacy::{Cipher, Kind, Label};
use schema::{AgentName, ConversationKey, Event, Fact, Passage, Seq, Text};
use serde::{Deserialize, Serialize};

use crate::StoreError;

/// `body` is the event as JSON.
pub(crate) const FORMAT_JSON: i64 = 1;
/// `body` is the event as JSON without its texts; these are in `sealed`: the length of the whole event as JSON (u32,
/// little-endian), and [`Texts`] as JSON.
pub(crate) const FORMAT_SEALED: i64 = 2;

/// As it stands in what is sealed.
const FORMAT: u8 = 2;
/// Of the whole event's length in front of the texts.
const LENGTH_BYTES: usize = size_of::<u32>();

/// What an event says.
#[derive(Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
struct Texts<'a> {
    #[serde(skip_serializing_if = "has_no_text")]
    text: Cow<'a, Text>,
    #[serde(skip_serializing_if = "Option::is_none")]
    agent: Option<Cow<'a, AgentName>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    passages: Vec<Passage>,
}

/// An event in two: what is stored in the clear, and what is sealed.
struct Parts<'a> {
    clear: Event,
    texts: Texts<'a>,
    /// By how much the two as JSON are longer than the whole event: braces, commas, and fields that stand empty in the
    /// clear.
    longer: usize,
}

impl<'a> Parts<'a> {
    /// Each kind of fact is named: a new one has to say what is to be read after an erasure.
    fn of(event: &'a Event) -> Self {
        let (texts, longer, fact) = match &event.fact {
            Fact::Message { text, r#ref, agent, reply } => {
                let mut reply = reply.clone();
                let passages = reply.as_mut().map(|reply| std::mem::take(&mut reply.made.passages)).unwrap_or_default();
                let texts = Texts { text: Cow::Borrowed(text), agent: agent.as_ref().map(Cow::Borrowed), passages };
                let longer = if text.is_empty() { "{}".len() - ",".len() } else { r#"{}"text":"""#.len() };
                (texts, longer, Fact::Message { text: Text::default(), r#ref: r#ref.clone(), agent: None, reply })
            }
            Fact::Checkpoint { turn, offset, chars, text, unsaid } => {
                let texts = Texts { text: Cow::Borrowed(text), ..Texts::default() };
                let (turn, offset, chars, unsaid) = (*turn, *offset, *chars, *unsaid);
                let clear = Fact::Checkpoint { turn, offset, chars, text: Text::default(), unsaid };
                (texts, "{}".len() - ",".len(), clear)
            }
            Fact::TakenOver { agent, ownership } => {
                let clear = Fact::TakenOver { agent: AgentName::default(), ownership: *ownership };
                (Texts::of_agent(agent), AGENT_LONGER, clear)
            }
            Fact::HandedBack { agent, ownership } => {
                let clear = Fact::HandedBack { agent: AgentName::default(), ownership: *ownership };
                (Texts::of_agent(agent), AGENT_LONGER, clear)
            }
            Fact::Opened { .. }
            | Fact::TurnStarted { .. }
            | Fact::HandoffRequested { .. }
            | Fact::Closed { .. }
            | Fact::Reopened {} => (Texts::default(), 0, event.fact.clone()),
        };
        Self { clear: Event { fact, ..*event }, texts, longer }
    }
}

/// See [`Parts::longer`].
const AGENT_LONGER: usize = r#"{}"agent":"""#.len();

impl<'a> Texts<'a> {
    fn of_agent(agent: &'a AgentName) -> Self {
        Self { agent: Some(Cow::Borrowed(agent)), ..Self::default() }
    }

    fn put_into(self, event: &mut Event) {
        let (said, name) = (self.text.into_owned(), self.agent.map(Cow::into_owned));
        match &mut event.fact {
            Fact::Message { text, agent, reply, .. } => {
                (*text, *agent) = (said, name);
                if let Some(reply) = reply {
                    reply.made.passages = self.passages;
                }
            }
            Fact::Checkpoint { text, .. } => *text = said,
            Fact::TakenOver { agent, .. } | Fact::HandedBack { agent, .. } => *agent = name.unwrap_or_default(),
            _ => {}
        }
    }
}

#[allow(clippy::ptr_arg, reason = "the shape serde asks for")]
fn has_no_text(text: &Cow<'_, Text>) -> bool {
    text.is_empty()
}

/// An event written down, to be sealed and stored.
pub(crate) struct Written {
    pub(crate) clear: String,
    /// What is to be sealed; none where it says nothing.
    pub(crate) texts: Option<Vec<u8>>,
}

impl Written {
    /// Writes an event down as JSON.
    pub(crate) fn of(event: &Event) -> Result<Self, StoreError> {
        let unwritable = |_| StoreError::Corrupt("an event cannot be written as JSON".into());
        let Parts { clear, texts, longer } = Parts::of(event);
        let clear = serde_json::to_string(&clear).map_err(unwritable)?;
        if texts == Texts::default() {
            return Ok(Self { clear, texts: None });
        }
        // Room for the length, which is known once the rest is written.
        let mut text = Vec::with_capacity(LENGTH_BYTES + event.fact.text_bytes() + 64);
        text.extend([0; LENGTH_BYTES]);
        serde_json::to_writer(&mut text, &texts).map_err(unwritable)?;
        let whole = clear.len() + text.len() - LENGTH_BYTES - longer;
        text.splice(..LENGTH_BYTES, u32::try_from(whole).unwrap_or(u32::MAX).to_le_bytes());
        Ok(Self { clear, texts: Some(text) })
    }
}

/// An event as a database has it.
pub(crate) struct Stored<'a> {
    pub(crate) seq: Seq,
    pub(crate) format: i64,
    pub(crate) body: &'a str,
    pub(crate) sealed: Option<&'a [u8]>,
}

/// An event that was read, and its length as JSON, which is what readers count.
pub(crate) struct Whole {
    pub(crate) event: Event,
    pub(crate) bytes: usize,
}

impl Stored<'_> {
    /// Puts the two parts together; without a cipher, because its key has ended, the texts stay empty. Else what is
    /// wrong with the event: it does not quote it.
    pub(crate) fn open(&self, key: ConversationKey, cipher: Option<&Cipher>) -> Result<Whole, &'static str> {
        if !matches!(self.format, FORMAT_JSON | FORMAT_SEALED) {
            return Err("has a format this program does not know");
        }
        // What serde says may quote the event.
        let mut event: Event = serde_json::from_str(self.body).map_err(|_| "is not a readable event")?;
        let (Some(sealed), Some(cipher)) = (self.sealed, cipher) else {
            return Ok(Whole { event, bytes: self.body.len() });
        };
        let text = cipher.open(&label(key, self.seq), sealed).map_err(|_| "cannot be opened with its key")?;
        let (bytes, texts) = text.split_first_chunk().ok_or("is not a readable event")?;
        let texts: Texts<'_> = serde_json::from_slice(texts).map_err(|_| "is not a readable event")?;
        texts.put_into(&mut event);
        Ok(Whole { event, bytes: u32::from_le_bytes(*bytes) as usize })
    }
}

/// Where what an event says belongs.
pub(crate) fn label(key: ConversationKey, seq: Seq) -> Label {
    Label { key, seq, kind: Kind::Event, format: FORMAT }
}

#[cfg(test)]
mod tests {
    use engine_privacy::Key;
    use schema::{ConversationId, Ownership, Reply, TenantId, Timestamp};
    use serde_json::json;

    use super::*;

    fn facts() -> Vec<Fact> {
        let reply = |passages| -> Option<Box<Reply>> {
            let passages = if passages {
                json!([{"n": 1, "source": "s", "title": "A \"title\"", "text": "lines\nof it"}])
            } else {
                json!([])
            };
            let made = json!({"model": "m", "profile_version": 1, "total_ms": 3, "usage": {"input_tokens": 1,
                "output_tokens": 2}, "passages": passages});
            serde_json::from_value(json!({"turn": 1, "end": "completed", "answers": 1, "made": made})).unwrap()
        };
        let mut facts = vec![Fact::Reopened {}];
        for text in ["", "words", "\"quoted\"\n\u{1}ü"] {
            for agent in [None, Some(AgentName::from("Ana \"A\""))] {
                for reply in [None, reply(false), reply(true)] {
                    let r#ref = Some("r1".parse().unwrap());
                    facts.push(Fact::Message { text: text.into(), r#ref, agent: agent.clone(), reply });
                }
            }
            let unsaid = Some(3);
            facts.push(Fact::Checkpoint { turn: 1, offset: 2, chars: None, text: text.into(), unsaid });
            let (agent, ownership) = (AgentName::from(text), Ownership::default());
            facts.push(Fact::TakenOver { agent: agent.clone(), ownership });
            facts.push(Fact::HandedBack { agent, ownership });
        }
        facts
    }

    #[test]
    fn the_parts_of_an_event_are_put_together_and_their_length_is_that_of_the_whole() {
        let cipher = Cipher::new(&Key::new([7; 32])).unwrap();
        let key = ConversationKey { tenant: TenantId::generate(), conversation: ConversationId::generate() };
        for (seq, fact) in (1..).zip(facts()) {
            let event = Event { seq, at: Timestamp::from_millis(5), author: schema::Author::Human, fact };
            let json = serde_json::to_string(&event).unwrap();
            let written = Written::of(&event).unwrap();
            let sealed = written.texts.as_ref().map(|texts| cipher.seal(&label(key, seq), texts).unwrap());
            let stored = Stored { seq, format: FORMAT_SEALED, body: &written.clear, sealed: sealed.as_deref() };
            let whole = stored.open(key, Some(&cipher)).unwrap();
            assert_eq!((&whole.event, whole.bytes), (&event, json.len()), "{json}");
            for word in ["words", "quoted", "Ana", "title", "lines"] {
                assert!(!written.clear.contains(word), "{}", written.clear);
            }
        }
    }
}
