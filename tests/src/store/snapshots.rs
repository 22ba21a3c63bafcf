//! Snapshots: one a conversation, its owner's, never ahead of the log.

use engine_store::{Claim, SharedStore, Snapshot, StoreError};
use schema::{ConversationKey, TenantId, limits};

use super::Outcome;
use super::words::{append, fresh_key, open, refused, same, sibling, texts};

/// A new conversation with `events` events.
async fn spoken(store: &SharedStore, key: ConversationKey, events: usize) -> anyhow::Result<Claim> {
    let claim = open(store, key).await?;
    for head in (0..events).step_by(200) {
        let words = vec!["words"; 200.min(events - head)];
        store.append(append(key, Claim { head: head as u64, ..claim }, &words)).await?;
    }
    Ok(Claim { head: events as u64, ..claim })
}

fn of(head: u64, bytes: &[u8]) -> Option<Snapshot> {
    Some(Snapshot { head, bytes: bytes.to_vec() })
}

pub(super) async fn a_snapshot_reads_back_until_a_newer_one_comes(store: SharedStore) -> Outcome {
    let key = fresh_key();
    let claim = spoken(&store, key, 5).await?;
    same("before", &store.snapshot(key).await?, &None)?;
    let every_byte: Vec<u8> = (0..=255).collect();
    let rows: [(u64, &[u8]); 5] = [(0, &every_byte), (2, b""), (4, b"four"), (4, b"four again"), (5, b"\0five\0")];
    for (head, bytes) in rows {
        same("kept", &store.set_snapshot(key, claim.epoch, head, bytes.to_vec()).await?, &true)?;
        same("read", &store.snapshot(key).await?, &of(head, bytes))?;
    }
    same("the log", &texts(&store, key).await?.len(), &5)?;
    store.append(append(key, claim, &["six"])).await?;
    same("after an append", &store.snapshot(key).await?, &of(5, b"\0five\0"))
}

pub(super) async fn an_older_snapshot_changes_nothing(store: SharedStore) -> Outcome {
    let key = fresh_key();
    let claim = spoken(&store, key, 5).await?;
    store.set_snapshot(key, claim.epoch, 4, b"four".to_vec()).await?;
    for head in 0..4 {
        same("kept", &store.set_snapshot(key, claim.epoch, head, b"older".to_vec()).await?, &false)?;
    }
    same("read", &store.snapshot(key).await?, &of(4, b"four"))
}

pub(super) async fn a_snapshot_does_not_overtake_its_events(store: SharedStore) -> Outcome {
    let key = fresh_key();
    let claim = spoken(&store, key, 2).await?;
    for head in [3, 4, u64::MAX] {
        let early = store.set_snapshot(key, claim.epoch, head, b"early".to_vec()).await;
        refused("ahead of its events", early, &StoreError::Fenced)?;
    }
    same("read", &store.snapshot(key).await?, &None)?;
    store.append(append(key, claim, &["three"])).await?;
    same("with its events", &store.set_snapshot(key, claim.epoch, 3, b"three".to_vec()).await?, &true)
}

pub(super) async fn only_the_owner_keeps_a_snapshot(store: SharedStore) -> Outcome {
    let key = fresh_key();
    let old = spoken(&store, key, 3).await?;
    store.set_snapshot(key, old.epoch, 1, b"the old owner's".to_vec()).await?;
    let new = store.claim(key, None).await?;
    for epoch in [0, old.epoch, new.epoch + 1, u64::MAX] {
        refused("a stranger's", store.set_snapshot(key, epoch, 3, b"late".to_vec()).await, &StoreError::Fenced)?;
    }
    same("read", &store.snapshot(key).await?, &of(1, b"the old owner's"))?;
    same("the owner's", &store.set_snapshot(key, new.epoch, 2, b"new".to_vec()).await?, &true)?;
    same("read again", &store.snapshot(key).await?, &of(2, b"new"))
}

pub(super) async fn a_claim_leaves_the_snapshot(store: SharedStore) -> Outcome {
    let key = fresh_key();
    let claim = spoken(&store, key, 3).await?;
    store.set_snapshot(key, claim.epoch, 3, b"three".to_vec()).await?;
    store.claim(key, None).await?;
    same("read", &store.snapshot(key).await?, &of(3, b"three"))
}

pub(super) async fn an_unknown_conversation_has_no_snapshot(store: SharedStore) -> Outcome {
    let key = fresh_key();
    same("read", &store.snapshot(key).await?, &None)?;
    refused("kept", store.set_snapshot(key, 1, 0, b"x".to_vec()).await, &StoreError::NotFound)?;
    refused("and it was not made by that", store.claim(key, None).await, &StoreError::NotFound)
}

pub(super) async fn a_snapshot_too_large_is_not_kept(store: SharedStore) -> Outcome {
    let key = fresh_key();
    let claim = spoken(&store, key, 3).await?;
    let most = vec![7; limits::SNAPSHOT_BYTES];
    same("the largest", &store.set_snapshot(key, claim.epoch, 2, most.clone()).await?, &true)?;
    let more = vec![8; limits::SNAPSHOT_BYTES + 1];
    same("one larger", &store.set_snapshot(key, claim.epoch, 3, more).await?, &false)?;
    same("read", &(store.snapshot(key).await? == of(2, &most)), &true)
}

pub(super) async fn snapshots_of_tenants_are_apart(store: SharedStore) -> Outcome {
    let key = fresh_key();
    let others = [ConversationKey { tenant: TenantId::generate(), ..key }, sibling(key)];
    let claim = spoken(&store, key, 1).await?;
    for other in others {
        spoken(&store, other, 1).await?;
    }
    store.set_snapshot(key, claim.epoch, 1, b"its own".to_vec()).await?;
    for other in others {
        same("another's", &store.snapshot(other).await?, &None)?;
    }
    same("its own", &store.snapshot(key).await?, &of(1, b"its own"))
}

pub(super) async fn a_snapshot_goes_with_its_conversation(store: SharedStore) -> Outcome {
    // A short log and a long one: an adapter may erase them in different ways.
    for events in [3, 1_000] {
        let key = fresh_key();
        let other = sibling(key);
        let (claim, kept) = (spoken(&store, key, events).await?, spoken(&store, other, 1).await?);
        store.set_snapshot(key, claim.epoch, claim.head, b"gone".to_vec()).await?;
        store.set_snapshot(other, kept.epoch, 1, b"kept".to_vec()).await?;
        store.erase(key, None).await?;
        same("erased", &store.snapshot(key).await?, &None)?;
        let late = store.set_snapshot(key, claim.epoch, claim.head, b"late".to_vec()).await;
        refused("written back", late, &StoreError::NotFound)?;
        // Whatever places of the erased one are used again, nobody finds its snapshot there.
        for n in 0..8 {
            let next = if n == 0 { key } else { sibling(key) };
            spoken(&store, next, 1).await?;
            same("a new one", &store.snapshot(next).await?, &None)?;
        }
        same("another's", &store.snapshot(other).await?, &of(1, b"kept"))?;
    }
    Ok(())
}
