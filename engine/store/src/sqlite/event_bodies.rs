//! How an event stands in the file: what folds it is in the clear, and what was said is sealed.
//! Invariant: a text is in one of the two, and what is in the clear can be folded without the other.

use engine_privacy::{Cipher, Kind, Label};
use schema::{AgentName, ConversationKey, Event, Fact, Passage, Seq, Text};
use serde::{Deserialize, Serialize};

use super::sealing::{Sealable, Sealing};
use crate::StoreError;

/// `body` is the event as JSON.
pub(super) const FORMAT_JSON: i64 = 1;
/// `body` is the event as JSON without its texts; these are in `sealed`: the length of the whole event as JSON (u32,
/// little-endian), and [`Texts`] as JSON.
pub(super) const FORMAT_SEALED: i64 = 2;

/// As it stands in what is sealed.
const FORMAT: u8 = 2;

/// What an event says.
#[derive(Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
struct Texts {
    #[serde(skip_serializing_if = "Text::is_empty")]
    text: Text,
    #[serde(skip_serializing_if = "Option::is_none")]
    agent: Option<AgentName>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    passages: Vec<Passage>,
}

impl Texts {
    /// Takes them out of an event. Each kind of fact is named: a new one has to say what is to be read after an
    /// erasure.
    fn take(event: &mut Event) -> Self {
        match &mut event.fact {
            Fact::Message { text, agent, reply, r#ref: _ } => {
                let passages = reply.as_mut().map(|reply| std::mem::take(&mut reply.made.passages));
                Self { text: std::mem::take(text), agent: agent.take(), passages: passages.unwrap_or_default() }
            }
            Fact::Checkpoint { text, .. } => Self { text: std::mem::take(text), ..Self::default() },
            Fact::TakenOver { agent, .. } | Fact::HandedBack { agent, .. } => {
                Self { agent: Some(std::mem::take(agent)), ..Self::default() }
            }
            Fact::Opened { .. }
            | Fact::TurnStarted { .. }
            | Fact::HandoffRequested { .. }
            | Fact::Closed { .. }
            | Fact::Reopened {} => Self::default(),
        }
    }

    fn put_into(self, event: &mut Event) {
        let Self { text: said, agent: name, passages } = self;
        match &mut event.fact {
            Fact::Message { text, agent, reply, .. } => {
                (*text, *agent) = (said, name);
                if let Some(reply) = reply {
                    reply.made.passages = passages;
                }
            }
            Fact::Checkpoint { text, .. } => *text = said,
            Fact::TakenOver { agent, .. } | Fact::HandedBack { agent, .. } => *agent = name.unwrap_or_default(),
            _ => {}
        }
    }
}

/// An event on its way to the file.
pub(super) struct Body {
    pub(super) clear: String,
    pub(super) texts: Option<Sealable>,
}

impl Body {
    pub(super) fn new(sealing: &Sealing, key: ConversationKey, event: &Event) -> Result<Self, StoreError> {
        let unwritable = |_| StoreError::Corrupt("an event cannot be written as JSON".into());
        let mut clear = event.clone();
        let texts = Texts::take(&mut clear);
        let clear = serde_json::to_string(&clear).map_err(unwritable)?;
        if texts == Texts::default() {
            return Ok(Self { clear, texts: None });
        }
        let mut whole = Length(0);
        serde_json::to_writer(&mut whole, event).map_err(unwritable)?;
        // As long as it will be, mostly: to grow it step by step costs more than to seal it.
        let mut text = Vec::with_capacity(whole.0);
        text.extend(u32::try_from(whole.0).unwrap_or(u32::MAX).to_le_bytes());
        serde_json::to_writer(&mut text, &texts).map_err(unwritable)?;
        let texts = Some(Sealable::new(sealing, label(key, event.seq), text)?);
        Ok(Self { clear, texts })
    }

    /// What it holds on to.
    pub(super) fn bytes(&self) -> usize {
        self.clear.len() + self.texts.as_ref().map_or(0, Sealable::bytes)
    }
}

/// An event as the file has it.
pub(super) struct Stored<'a> {
    pub(super) seq: Seq,
    pub(super) format: i64,
    pub(super) body: &'a str,
    pub(super) sealed: Option<&'a [u8]>,
}

/// An event that was read, and its length as JSON, which is what readers count.
pub(super) struct Whole {
    pub(super) event: Event,
    pub(super) bytes: usize,
}

impl Stored<'_> {
    /// Puts the two parts together; without a cipher, because its key has ended, the texts stay empty. Else what is
    /// wrong with the event: it does not quote it.
    pub(super) fn open(&self, key: ConversationKey, cipher: Option<&Cipher>) -> Result<Whole, &'static str> {
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
        let texts: Texts = serde_json::from_slice(texts).map_err(|_| "is not a readable event")?;
        texts.put_into(&mut event);
        Ok(Whole { event, bytes: u32::from_le_bytes(*bytes) as usize })
    }
}

fn label(key: ConversationKey, seq: Seq) -> Label {
    Label { key, seq, kind: Kind::Event, format: FORMAT }
}

/// Counts what is written.
struct Length(usize);

impl std::io::Write for Length {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0 += bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
