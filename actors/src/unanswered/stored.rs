//! How the board's groups and the team's verdicts are written down: whatever quotes a conversation, or speaks of it,
//! is sealed under that conversation's key.
//! Invariant: what was noted of a conversation cannot be read once it is erased, in no copy of the store.

use std::collections::HashMap;

use engine_store::{Note, SharedStore, StoreError};
use engine_unanswered::{Group, Place};
use futures_util::{StreamExt, stream};
use schema::wire::{Verdict, VerdictView};
use schema::{ConversationId, ConversationKey, Seq, TenantId, Timestamp};
use serde::{Deserialize, Serialize};

/// Questions to the store at the same time.
const AT_ONCE: usize = 32;

/// Words as they are written down. Earlier versions have left them in the clear.
#[derive(Clone, Default, Serialize, Deserialize)]
#[serde(default)]
struct Words {
    #[serde(rename = "words", alias = "note", skip_serializing)]
    clear: Option<String>,
    /// In hexadecimal digits.
    #[serde(skip_serializing_if = "String::is_empty")]
    sealed: String,
}

impl Words {
    fn sealed(notes: &[Note]) -> Self {
        let sealed = notes.first().map(|note| hex::encode(&note.bytes)).unwrap_or_default();
        Self { clear: None, sealed }
    }

    fn note(&self, seq: Seq) -> Result<Option<Note>, StoreError> {
        if self.sealed.is_empty() {
            return Ok(None);
        }
        let bytes = hex::decode(&self.sealed).map_err(|_| StoreError::Corrupt("sealed words are damaged".into()))?;
        Ok(Some(Note { seq, bytes }))
    }
}

/// A group as it is written down.
#[derive(Serialize, Deserialize)]
struct StoredGroup {
    count: u64,
    places: Vec<StoredPlace>,
}

#[derive(Serialize, Deserialize)]
struct StoredPlace {
    conversation: ConversationId,
    seq: Seq,
    at: Timestamp,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    wrong: bool,
    #[serde(flatten)]
    words: Words,
}

/// A verdict as it is written down.
#[derive(Serialize, Deserialize)]
struct StoredVerdict {
    seq: Seq,
    verdict: Verdict,
    at: Timestamp,
    #[serde(flatten)]
    note: Words,
}

/// A group's record. A place whose conversation is gone is left out; none when no place is left.
pub(super) async fn write_group(
    store: &SharedStore,
    tenant: TenantId,
    group: &Group,
) -> Result<Option<Vec<u8>>, StoreError> {
    let sealed = group.places.iter().map(|place| {
        let key = ConversationKey { tenant, conversation: place.conversation };
        store.seal(key, vec![Note { seq: place.seq, bytes: place.words.clone().into_bytes() }])
    });
    let sealed: Vec<_> = stream::iter(sealed).buffered(AT_ONCE).collect().await;
    let mut places = Vec::with_capacity(group.places.len());
    for (place, sealed) in group.places.iter().zip(sealed) {
        let sealed = match sealed {
            Ok(notes) => notes,
            Err(StoreError::NotFound) => continue,
            Err(error) => return Err(error),
        };
        let Place { conversation, seq, at, wrong, .. } = *place;
        places.push(StoredPlace { conversation, seq, at, wrong, words: Words::sealed(&sealed) });
    }
    if places.is_empty() {
        return Ok(None);
    }
    let count = group.count;
    serde_json::to_vec(&StoredGroup { count, places }).map(Some).map_err(|error| StoreError::Corrupt(error.to_string()))
}

fn unreadable(tenant: TenantId, conversation: ConversationId, error: &StoreError) {
    tracing::warn!(%conversation, %tenant, %error, "what was noted of an unanswered question cannot be read and is left out");
}

/// What records say of groups, in their order. A place whose conversation was erased is left out. Also says of each
/// whether an earlier version has left words in the clear in it.
pub(super) async fn read_groups(
    store: &SharedStore,
    tenant: TenantId,
    bodies: &[Vec<u8>],
) -> Result<Vec<(Group, bool)>, StoreError> {
    let mut stored = Vec::with_capacity(bodies.len());
    for body in bodies {
        let group: StoredGroup = serde_json::from_slice(body)
            .map_err(|error| StoreError::Corrupt(format!("an unanswered question's record: {error}")))?;
        stored.push(group);
    }
    let mut notes: HashMap<ConversationId, Vec<Note>> = HashMap::new();
    for place in stored.iter().flat_map(|group| &group.places) {
        match place.words.note(place.seq) {
            Ok(Some(note)) => notes.entry(place.conversation).or_default().push(note),
            Ok(None) => {}
            // As one whose key has ended: a damaged place must not take the whole board with it.
            Err(error) => unreadable(tenant, place.conversation, &error),
        }
    }
    let opened = notes.into_iter().map(|(conversation, notes)| {
        let opened = store.unseal(ConversationKey { tenant, conversation }, notes);
        async move { (conversation, opened.await) }
    });
    let mut words: HashMap<(ConversationId, Seq), String> = HashMap::new();
    let mut opened = std::pin::pin!(stream::iter(opened).buffer_unordered(AT_ONCE));
    while let Some((conversation, notes)) = opened.next().await {
        let notes = match notes {
            Err(error @ StoreError::Corrupt(_)) => {
                unreadable(tenant, conversation, &error);
                None
            }
            notes => notes?,
        };
        for Note { seq, bytes } in notes.unwrap_or_default() {
            words.insert((conversation, seq), String::from_utf8_lossy(&bytes).into_owned());
        }
    }
    let groups = stored.into_iter().map(|StoredGroup { mut count, places }| {
        let mut in_the_clear = false;
        let mut read = Vec::with_capacity(places.len());
        for StoredPlace { conversation, seq, at, wrong, words: stored } in places {
            in_the_clear |= stored.clear.is_some();
            match stored.clear.or_else(|| words.get(&(conversation, seq)).cloned()) {
                Some(words) => read.push(Place { conversation, seq, at, words, wrong }),
                None => count = count.saturating_sub(1),
            }
        }
        (Group { count, places: read }, in_the_clear)
    });
    Ok(groups.collect())
}

/// A verdict's record.
pub(super) async fn write_verdict(
    store: &SharedStore,
    key: ConversationKey,
    verdict: &VerdictView,
) -> Result<Vec<u8>, StoreError> {
    let note = match &verdict.note {
        Some(note) => {
            let note = Note { seq: verdict.seq, bytes: note.clone().into_bytes() };
            Words::sealed(&store.seal(key, vec![note]).await?)
        }
        None => Words::default(),
    };
    let VerdictView { seq, verdict, at, .. } = *verdict;
    let stored = StoredVerdict { seq, verdict, at, note };
    serde_json::to_vec(&stored).map_err(|error| StoreError::Corrupt(error.to_string()))
}

/// What records say of verdicts on a conversation's replies, in their order.
pub(super) async fn read_verdicts(
    store: &SharedStore,
    key: ConversationKey,
    bodies: &[Vec<u8>],
) -> Result<Vec<VerdictView>, StoreError> {
    let stored = bodies.iter().map(|body| read_stored(body)).collect::<Result<Vec<_>, _>>()?;
    let mut sealed = Vec::new();
    for verdict in &stored {
        sealed.extend(verdict.note.note(verdict.seq)?);
    }
    let opened = if sealed.is_empty() { None } else { store.unseal(key, sealed).await? };
    let opened: HashMap<Seq, String> = opened
        .into_iter()
        .flatten()
        .map(|note| (note.seq, String::from_utf8_lossy(&note.bytes).into_owned()))
        .collect();
    let read = stored.into_iter().map(|StoredVerdict { seq, verdict, at, note }| {
        let note = note.clear.or_else(|| opened.get(&seq).cloned());
        VerdictView { seq, verdict, note, at }
    });
    Ok(read.collect())
}

/// The judgement alone.
pub(super) fn read_verdict(body: &[u8]) -> Result<Verdict, StoreError> {
    Ok(read_stored(body)?.verdict)
}

/// A verdict that an earlier version has left in the clear, with its note.
pub(super) fn read_clear_verdict(body: &[u8]) -> Result<Option<VerdictView>, StoreError> {
    let StoredVerdict { seq, verdict, at, note } = read_stored(body)?;
    Ok(note.clear.map(|note| VerdictView { seq, verdict, note: Some(note), at }))
}

fn read_stored(body: &[u8]) -> Result<StoredVerdict, StoreError> {
    serde_json::from_slice(body).map_err(|error| StoreError::Corrupt(format!("a verdict's record: {error}")))
}
