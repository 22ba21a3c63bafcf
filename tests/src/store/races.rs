//! Several at once: one winner for every append, and an order for every conversation.

use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::Context;
use engine_store::{Claim, SharedStore, StoreError};
use futures_util::future::try_join_all;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use schema::{ConversationKey, Seq};

use super::Outcome;
use super::random::seed;
use super::words::{append, fresh_key, open, same, sibling, texts};

/// Two owners who take the conversation from each other at random moments. What one of them was
/// told is stored is what everybody reads; and nothing else is there.
pub(super) async fn of_two_owners_one_wins_every_append(store: SharedStore) -> Outcome {
    let seed = seed();
    let key = fresh_key();
    open(&store, key).await?;
    let owners = (0..2).map(|n| tokio::spawn(owner(Arc::clone(&store), key, n, seed)));
    let mut acknowledged = BTreeMap::new();
    for owner in try_join_all(owners).await? {
        for (seq, text) in owner.with_context(|| format!("seed {seed}"))? {
            let other = acknowledged.insert(seq, text);
            same(&format!("both were told that {seq} is theirs, seed {seed}"), &other, &None)?;
        }
    }
    let found: BTreeMap<Seq, String> = (1..).zip(texts(&store, key).await?).collect();
    same(&format!("the log, seed {seed}"), &found, &acknowledged)
}

async fn owner(store: SharedStore, key: ConversationKey, who: u64, seed: u64) -> anyhow::Result<Vec<(Seq, String)>> {
    let mut random = StdRng::seed_from_u64(seed.wrapping_add(who));
    let mut acknowledged = Vec::new();
    let mut claim = store.claim(key, None).await?;
    for step in 0..60 {
        if random.random_bool(0.5) {
            tokio::task::yield_now().await;
        }
        if random.random_bool(0.1) {
            claim = store.claim(key, None).await?;
        }
        let texts: Vec<String> = (0..random.random_range(1..4)).map(|n| format!("{who}.{step}.{n}")).collect();
        let batch = append(key, claim, &texts.iter().map(String::as_str).collect::<Vec<_>>());
        match store.append(batch).await {
            Ok(()) => {
                acknowledged.extend((claim.head + 1..).zip(texts));
                claim.head = acknowledged.last().map_or(claim.head, |(seq, _)| *seq);
            }
            // Sometimes the old number is tried once more: it must not work later either.
            Err(StoreError::Fenced) if random.random_bool(0.5) => {}
            Err(StoreError::Fenced) => claim = store.claim(key, None).await?,
            Err(error) => return Err(error.into()),
        }
    }
    Ok(acknowledged)
}

pub(super) async fn many_conversations_at_once_keep_their_order(store: SharedStore) -> Outcome {
    const WRITERS: u64 = 16;
    const APPENDS: u64 = 12;
    let tenant = fresh_key();
    let writers = (0..WRITERS).map(|_| {
        let (store, key) = (Arc::clone(&store), sibling(tenant));
        tokio::spawn(async move {
            let claim = open(&store, key).await?;
            for head in 0..APPENDS {
                store.append(append(key, Claim { head, ..claim }, &[&format!("{key} {head}")])).await?;
            }
            anyhow::Ok(key)
        })
    });
    for key in try_join_all(writers).await? {
        let key = key?;
        let wanted = (0..APPENDS).map(|head| format!("{key} {head}")).collect();
        same("a log", &texts(&store, key).await?, &wanted)?;
    }
    Ok(())
}
