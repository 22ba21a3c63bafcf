//! Sealing under one key: AES-256-GCM, and what is sealed is bound to its place.
//! Invariant: what was sealed for one place opens for no other one, and no change to it goes unnoticed.

use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use schema::{ConversationKey, Seq};

use crate::Key;

/// By how many bytes what is sealed is longer than the text: the nonce and the tag.
pub const OVERHEAD_BYTES: usize = NONCE_LEN + 16;

/// What is sealed. The numbers are stored with what was sealed: they never change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The texts of an event.
    Event = 1,
    /// A snapshot of a conversation.
    Snapshot = 2,
    /// The texts of a conversation's row in a list.
    Row = 3,
    /// Words of a conversation in a document that stands apart from it.
    Note = 4,
}

/// The place for which something is sealed: it is authenticated, and not kept in what is sealed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Label {
    /// In which conversation.
    pub key: ConversationKey,
    /// The event, or the last event that is told of.
    pub seq: Seq,
    /// What it is.
    pub kind: Kind,
    /// The form of what was sealed.
    pub format: u8,
}

impl Label {
    fn bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(42);
        bytes.extend(self.key.tenant.as_bytes());
        bytes.extend(self.key.conversation.as_bytes());
        bytes.extend(self.seq.to_le_bytes());
        bytes.extend([self.kind as u8, self.format]);
        bytes
    }
}

/// Why something was not sealed or opened. It says nothing about the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    #[error("the system gives no random numbers")]
    NoRandom,
    #[error("it cannot be sealed")]
    Unsealed,
    #[error("what was sealed is damaged, or stands in another place")]
    Damaged,
}

/// 96 random bits for one sealing, which uses them up.
///
/// It is drawn for what is sealed now, and never kept for later: a copy of the running machine would use it too.
pub struct FreshNonce(Nonce);

impl FreshNonce {
    /// One.
    ///
    /// # Errors
    /// [`SealError::NoRandom`].
    pub fn new() -> Result<Self, SealError> {
        let mut bytes = [0; NONCE_LEN];
        getrandom::fill(&mut bytes).map_err(|_| SealError::NoRandom)?;
        Ok(Self(Nonce::assume_unique_for_key(bytes)))
    }

    /// As many as are needed, for one question to the system: for small texts that costs as much as to seal them.
    ///
    /// # Errors
    /// [`SealError::NoRandom`].
    pub fn draw(count: usize) -> Result<Vec<Self>, SealError> {
        let mut bytes = vec![[0; NONCE_LEN]; count];
        getrandom::fill(bytes.as_flattened_mut()).map_err(|_| SealError::NoRandom)?;
        Ok(bytes.into_iter().map(|bytes| Self(Nonce::assume_unique_for_key(bytes))).collect())
    }
}

/// A key made ready to seal and open.
///
/// Each sealing has a nonce of 96 random bits. A number that is unique by itself, such as the seq of an event, would
/// not do: an owner that is fenced may have sealed another text for the same seq, and two texts under one nonce would
/// tell of each other. With a key for each conversation, the chance that two of its nonces are the same stays below
/// 2⁻³² for the first 2³² of them.
pub struct Cipher(LessSafeKey);

impl Cipher {
    /// Makes a key ready.
    ///
    /// # Errors
    /// [`SealError::Unsealed`] when the library refuses it, which it does not for keys of 256 bits.
    pub fn new(key: &Key) -> Result<Self, SealError> {
        let unbound = UnboundKey::new(&AES_256_GCM, key.bytes()).map_err(|_| SealError::Unsealed)?;
        Ok(Self(LessSafeKey::new(unbound)))
    }

    /// The text as only this key opens it, for this place: [`OVERHEAD_BYTES`] longer.
    ///
    /// # Errors
    /// [`SealError::NoRandom`] when there is no nonce; [`SealError::Unsealed`] past the 64 GiB that one nonce seals.
    pub fn seal(&self, label: &Label, text: &[u8]) -> Result<Vec<u8>, SealError> {
        self.seal_with(FreshNonce::new()?, label, text)
    }

    /// As [`Cipher::seal`], with a nonce that was drawn together with others.
    ///
    /// # Errors
    /// [`SealError::Unsealed`].
    pub fn seal_with(&self, nonce: FreshNonce, label: &Label, text: &[u8]) -> Result<Vec<u8>, SealError> {
        let mut sealed = Vec::with_capacity(text.len() + OVERHEAD_BYTES);
        sealed.extend(nonce.0.as_ref());
        sealed.extend(text);
        let body = sealed.get_mut(NONCE_LEN..).unwrap_or_default();
        let tag = self.0.seal_in_place_separate_tag(nonce.0, Aad::from(label.bytes()), body);
        sealed.extend(tag.map_err(|_| SealError::Unsealed)?.as_ref());
        Ok(sealed)
    }

    /// The text that was sealed for this place.
    ///
    /// # Errors
    /// [`SealError::Damaged`] for anything else, also what another key has sealed.
    pub fn open(&self, label: &Label, sealed: &[u8]) -> Result<Vec<u8>, SealError> {
        let (nonce, body) = sealed.split_at_checked(NONCE_LEN).ok_or(SealError::Damaged)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| SealError::Damaged)?;
        let mut body = body.to_vec();
        let opened = self.0.open_in_place(nonce, Aad::from(label.bytes()), &mut body);
        let text = opened.map_err(|_| SealError::Damaged)?.len();
        body.truncate(text);
        Ok(body)
    }
}

#[cfg(test)]
mod tests {
    use schema::{ConversationId, TenantId};

    use super::*;

    #[test]
    fn what_is_sealed_opens_in_its_place_alone() {
        let cipher = Cipher::new(&Key::new([7; 32])).unwrap();
        let key = ConversationKey { tenant: TenantId::generate(), conversation: ConversationId::generate() };
        let label = Label { key, seq: 3, kind: Kind::Event, format: 2 };
        let sealed = cipher.seal(&label, b"two red lanterns").unwrap();
        assert_eq!(cipher.open(&label, &sealed).unwrap(), b"two red lanterns");
        assert_eq!(sealed.len(), 16 + OVERHEAD_BYTES);
        assert!(!sealed.windows(3).any(|bytes| bytes == b"red"));
        assert_ne!(sealed, cipher.seal(&label, b"two red lanterns").unwrap(), "no nonce comes twice");
        let elsewhere = [
            Label { seq: 4, ..label },
            Label { kind: Kind::Row, ..label },
            Label { format: 3, ..label },
            Label { key: ConversationKey { tenant: TenantId::generate(), ..key }, ..label },
            Label { key: ConversationKey { conversation: ConversationId::generate(), ..key }, ..label },
        ];
        for other in elsewhere {
            assert_eq!(cipher.open(&other, &sealed), Err(SealError::Damaged), "{other:?}");
        }
        for bit in 0..sealed.len() * 8 {
            let mut torn = sealed.clone();
            torn[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(cipher.open(&label, &torn), Err(SealError::Damaged), "bit {bit}");
        }
        for length in 0..sealed.len() {
            assert_eq!(cipher.open(&label, &sealed[..length]), Err(SealError::Damaged), "{length} bytes");
        }
        let other = Cipher::new(&Key::new([8; 32])).unwrap();
        assert_eq!(other.open(&label, &sealed), Err(SealError::Damaged));
    }
}
