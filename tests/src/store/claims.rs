//! Becoming owner.

use engine_store::{Claim, Owner, SharedStore, StoreError, UnspokenQuery};
use schema::{NodeId, Timestamp};

use super::Outcome;
use super::words::{append, contact, fresh_key, open, opening, refused, same, sibling, texts};

pub(super) async fn claim_of_an_unknown_conversation_is_not_found(store: SharedStore) -> Outcome {
    let key = fresh_key();
    refused("claim", store.claim(key, None).await, &StoreError::NotFound)?;
    refused("and it was not made by asking", store.claim(key, None).await, &StoreError::NotFound)
}

pub(super) async fn claim_opens_a_conversation(store: SharedStore) -> Outcome {
    let key = fresh_key();
    same("first claim", &open(&store, key).await?, &Claim { epoch: 1, head: 0, due: None })?;
    same("its log", &texts(&store, key).await?, &vec![])
}

pub(super) async fn claim_raises_the_epoch_and_keeps_the_log(store: SharedStore) -> Outcome {
    let key = fresh_key();
    let first = open(&store, key).await?;
    store.append(append(key, first, &["one", "two"])).await?;
    for epoch in 2..5 {
        same("claim", &store.claim(key, None).await?, &Claim { epoch, head: 2, due: None })?;
    }
    same("the log", &texts(&store, key).await?, &vec!["one".into(), "two".into()])
}

pub(super) async fn an_opening_of_what_exists_changes_nothing_but_the_epoch(store: SharedStore) -> Outcome {
    let key = fresh_key();
    let (ana, bo) = (contact("ana"), contact("bo"));
    store.claim(key, opening(ana, 1_000)).await?;
    same("second claim", &store.claim(key, opening(bo, 9_000)).await?, &Claim { epoch: 2, head: 0, due: None })?;
    let old = UnspokenQuery { before: Timestamp::from_millis(9_001), after: None, limit: 1_000 };
    let found = store.unspoken(old).await?;
    let since: Vec<_> = found.iter().filter(|one| one.key == key).map(|one| one.last_at.as_millis()).collect();
    same("it stands since", &since, &vec![1_000])
}

pub(super) async fn of_two_who_follow_one_owner_one_does(store: SharedStore) -> Outcome {
    let key = fresh_key();
    refused("unknown", store.owner(key).await, &StoreError::NotFound)?;
    open(&store, key).await?;
    let owner = store.owner(key).await?;
    same("the first claim", &owner.epoch, &1)?;
    refused("unknown", store.claim_from(sibling(key), owner).await, &StoreError::NotFound)?;
    let (one, other) = futures_util::join!(store.claim_from(key, owner), store.claim_from(key, owner));
    let mut told = [one.map(|claim| claim.epoch), other.map(|claim| claim.epoch)];
    told.sort_unstable_by_key(Result::is_err);
    same("one of two", &told, &[Ok(2), Err(StoreError::Fenced)])?;
    refused("late", store.claim_from(key, owner).await, &StoreError::Fenced)?;
    let now = store.owner(key).await?;
    same("its successor", &now.epoch, &2)?;
    // Of another life of it, which came to the same epoch.
    let other = Owner { node: Some(NodeId::generate()), ..now };
    refused("another owner", store.claim_from(key, other).await, &StoreError::Fenced)?;
    same("and the next one", &store.claim_from(key, now).await?.epoch, &3)
}

pub(super) async fn an_old_epoch_is_fenced(store: SharedStore) -> Outcome {
    let key = fresh_key();
    let old = open(&store, key).await?;
    store.append(append(key, old, &["one"])).await?;
    let new = store.claim(key, None).await?;
    let late = append(key, Claim { head: 1, ..old }, &["too late"]);
    refused("the old owner", store.append(late.clone()).await, &StoreError::Fenced)?;
    store.append(append(key, new, &["two"])).await?;
    refused("once more", store.append(late).await, &StoreError::Fenced)?;
    same("the log", &texts(&store, key).await?, &vec!["one".into(), "two".into()])
}

pub(super) async fn an_epoch_not_yet_given_is_fenced(store: SharedStore) -> Outcome {
    let key = fresh_key();
    let claim = open(&store, key).await?;
    for epoch in [0, claim.epoch + 1, u64::MAX] {
        let early = append(key, Claim { epoch, ..claim }, &["early"]);
        refused("an append", store.append(early).await, &StoreError::Fenced)?;
    }
    same("the log", &texts(&store, key).await?, &vec![])
}
