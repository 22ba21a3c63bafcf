//! Records of replies that are still to be noted or forgotten: they name places and hold no text.

use engine_store::{Pending, Record, RecordName, Scope, SharedStore, StoreError};
use schema::{ConversationKey, Seq};

const KIND: &str = "unanswered_due";
/// Instead of a reply's number: the conversation is about to be erased.
pub(super) const ERASED: Seq = 0;

/// Sends a due record on its way. In the queue of the store it stands before whatever is sent after it.
pub(super) fn put(store: &SharedStore, key: ConversationKey, seq: Seq) -> Pending<u64> {
    store.put(name(key, seq), 0, Vec::new())
}

/// Takes away the note of a reply that was seen to; one that is gone already is no error.
pub(super) async fn delete(store: &SharedStore, key: ConversationKey, seq: Seq) -> Result<(), StoreError> {
    match store.delete(name(key, seq), 1).await {
        // It had not been written, or somebody else has done it.
        Err(StoreError::Conflict { .. }) => Ok(()),
        done => done,
    }
}

/// What is due, by name, behind `after`.
pub(super) fn scan(store: &SharedStore, after: Option<String>, limit: usize) -> Pending<Vec<Record>> {
    store.scan(Scope::Node, KIND, after, limit)
}

/// What a due record names.
pub(super) fn read(id: &str) -> Option<(ConversationKey, Seq)> {
    let mut parts = id.splitn(3, ':');
    let tenant = parts.next()?.parse().ok()?;
    let conversation = parts.next()?.parse().ok()?;
    Some((ConversationKey { tenant, conversation }, parts.next()?.parse().ok()?))
}

fn name(key: ConversationKey, seq: Seq) -> RecordName {
    let id = format!("{}:{}:{seq}", key.tenant, key.conversation);
    RecordName { scope: Scope::Node, kind: KIND, id }
}

#[cfg(test)]
mod tests {
    use schema::{ConversationId, TenantId};

    use super::*;

    #[test]
    fn a_due_record_names_its_place() {
        let key = ConversationKey { tenant: TenantId::generate(), conversation: ConversationId::generate() };
        assert_eq!(read(&name(key, 17).id), Some((key, 17)));
        for broken in ["", "x", "a:b:c", &format!("{}:{}", key.tenant, key.conversation)] {
            assert_eq!(read(broken), None, "{broken}");
        }
    }
}
