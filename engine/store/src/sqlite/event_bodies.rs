//! Events on their way to the file: written down and sealed on the caller's thread.

use engine_privacy::FreshNonce;
use schema::{ConversationKey, Event};

use super::sealing::{Sealable, Sealing, nonces};
use crate::StoreError;
use crate::sealed::event::{Written, label};

/// An event on its way to the file.
pub(super) struct Body {
    pub(super) clear: String,
    pub(super) texts: Option<Sealable>,
}

impl Body {
    /// Writes events of a conversation down as JSON, and seals what they say.
    pub(super) fn all(sealing: &Sealing, key: ConversationKey, events: &[Event]) -> Result<Vec<Self>, StoreError> {
        let nonces = nonces(events.len())?;
        events.iter().zip(nonces).map(|(event, nonce)| Self::new(sealing, key, event, nonce)).collect()
    }

    fn new(sealing: &Sealing, key: ConversationKey, event: &Event, nonce: FreshNonce) -> Result<Self, StoreError> {
        let Written { clear, texts } = Written::of(event)?;
        let seal = |text| Sealable::with(sealing, nonce, label(key, event.seq), text);
        Ok(Self { clear, texts: texts.map(seal).transpose()? })
    }

    /// What it holds on to.
    pub(super) fn bytes(&self) -> usize {
        self.clear.len() + self.texts.as_ref().map_or(0, Sealable::bytes)
    }
}
