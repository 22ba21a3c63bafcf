//! Words sealed under a conversation's key.

use anyhow::ensure;
use engine_store::{Note, SharedStore, StoreError};
use schema::{ConversationKey, Seq, TenantId};

use super::Outcome;
use super::words::{append, fresh_key, open, refused, same, sibling};

fn note(seq: Seq, words: &str) -> Note {
    Note { seq, bytes: words.as_bytes().to_vec() }
}

pub(super) async fn what_is_sealed_reads_back_until_its_conversation_is_erased(store: SharedStore) -> Outcome {
    let (key, other) = (fresh_key(), fresh_key());
    open(&store, key).await?;
    let notes = vec![note(3, "two red lanterns"), note(1, ""), note(3, "and a blue one")];
    let sealed = store.seal(key, notes.clone()).await?;
    same("what is sealed", &sealed.len(), &3)?;
    ensure!(!sealed.iter().any(|note| note.bytes.windows(3).any(|part| part == b"red")), "it can be read");
    same("unsealed", &store.unseal(key, sealed.clone()).await?, &Some(notes))?;
    open(&store, other).await?;
    store.erase(key, None).await?;
    same("after the erasure", &store.unseal(key, sealed.clone()).await?, &None)?;
    // The same name again is another conversation.
    open(&store, key).await?;
    let again = store.unseal(key, sealed).await;
    ensure!(matches!(again, Err(StoreError::Corrupt(_))), "{again:?}");
    Ok(())
}

pub(super) async fn what_is_sealed_belongs_to_one_event_of_one_conversation(store: SharedStore) -> Outcome {
    let key = fresh_key();
    let claim = open(&store, key).await?;
    store.append(append(key, claim, &["one", "two"])).await?;
    let sealed = store.seal(key, vec![note(2, "words")]).await?.remove(0);
    let namesake = ConversationKey { tenant: TenantId::generate(), ..key };
    for other in [sibling(key), namesake] {
        open(&store, other).await?;
        let opened = store.unseal(other, vec![sealed.clone()]).await;
        ensure!(matches!(opened, Err(StoreError::Corrupt(_))), "{opened:?}");
    }
    let moved = store.unseal(key, vec![Note { seq: 1, ..sealed.clone() }]).await;
    ensure!(matches!(moved, Err(StoreError::Corrupt(_))), "{moved:?}");
    let mut torn = sealed;
    torn.bytes.truncate(torn.bytes.len() - 1);
    let torn = store.unseal(key, vec![torn]).await;
    ensure!(matches!(torn, Err(StoreError::Corrupt(_))), "{torn:?}");
    Ok(())
}

pub(super) async fn nothing_is_sealed_for_an_unknown_conversation(store: SharedStore) -> Outcome {
    let key = fresh_key();
    refused("sealed", store.seal(key, vec![note(1, "words")]).await, &StoreError::NotFound)?;
    same("unsealed", &store.unseal(key, vec![note(1, "words")]).await?, &None)
}
