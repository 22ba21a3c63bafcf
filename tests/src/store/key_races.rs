//! Keys of records, when many want them, and after many changes.

use std::collections::BTreeMap;

use anyhow::{Context, ensure};
use engine_store::memory::MemoryStore;
use engine_store::{Pending, RecordKeys, Records, Scope, SharedStore, StoreError};
use futures_util::future::join_all;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use schema::TenantId;

use super::Outcome;
use super::keys::{KIND, found, name, put};
use super::random::seed;
use super::words::same;

/// Each writer has a record of its own, and wants some of a few keys for it, gives them up again, or removes it. What a
/// record says is the keys that it was written with.
pub(super) async fn of_many_who_want_overlapping_keys_each_has_all_of_its_own_or_none(store: SharedStore) -> Outcome {
    const KEYS: [&str; 5] = ["a", "b", "c", "d", "e"];
    let (seed, scope) = (seed(), Scope::Tenant(TenantId::generate()));
    let writer = async |who: u64| -> anyhow::Result<usize> {
        let mut random = StdRng::seed_from_u64(seed.wrapping_add(who));
        let (id, mut version, mut held) = (format!("r{who}"), 0, 0);
        for _ in 0..8 {
            if random.random_bool(0.2) {
                store.delete(name(scope, &id), version).await?;
                version = 0;
                continue;
            }
            let keys: Vec<String> = KEYS.iter().filter(|_| random.random_bool(0.4)).map(ToString::to_string).collect();
            let body = keys.join(",").into_bytes();
            let keys = RecordKeys { keys, taken_from: None };
            match store.put_with_keys(name(scope, &id), version, body, keys).await {
                Ok(now) => version = now,
                Err(StoreError::Held { by }) => {
                    ensure!(by != id, "it is held up by itself");
                    held += 1;
                }
                Err(error) => return Err(error.into()),
            }
        }
        Ok(held)
    };
    let held = join_all((0..6).map(writer)).await.into_iter().collect::<anyhow::Result<Vec<_>>>();
    let held: usize = held.with_context(|| format!("seed {seed}"))?.into_iter().sum();
    ensure!(held > 0, "seed {seed}: nobody met another one");
    whole(&store, scope, &KEYS).await.with_context(|| format!("seed {seed}"))
}

pub(super) async fn of_many_who_take_a_key_over_one_gets_it(store: SharedStore) -> Outcome {
    let scope = Scope::Tenant(TenantId::generate());
    put(&store, scope, "giver", 0, &["a", "b"], None).await?;
    let ids: Vec<String> = (0..6).map(|n| format!("r{n}")).collect();
    // The one that gives them up is written meanwhile, with the same keys.
    let busy = async {
        let mut written = 0;
        for version in 1..6 {
            match put(&store, scope, "giver", version, &["a", "b"], None).await {
                Ok(_) => written += 1,
                Err(StoreError::Held { .. }) => break,
                Err(error) => return Err(error),
            }
        }
        Ok(written)
    };
    let takers = join_all(ids.iter().map(|id| put(&store, scope, id, 0, &["a", "b"], Some("giver"))));
    let (written, tries) = futures_util::future::join(busy, takers).await;
    written?;
    let winners: Vec<&String> = ids.iter().zip(&tries).filter(|(_, one)| **one == Ok(1)).map(|(id, _)| id).collect();
    same("winners", &winners.len(), &1)?;
    for lost in tries.iter().filter_map(|one| one.as_ref().err()) {
        same("a loser", lost, &StoreError::Held { by: winners[0].clone() })?;
    }
    for key in ["a", "b"] {
        same(key, &found(&store, scope, key).await?.as_ref(), &Some(winners[0]))?;
    }
    Ok(())
}

/// Whether every key that a record of the kind `keyed` says it has finds it, no two have one, and no other of these keys
/// finds any.
///
/// # Errors
/// When it is not so, or cannot be read.
pub async fn whole(store: &SharedStore, scope: Scope, keys: &[&str]) -> Outcome {
    let mut holders: BTreeMap<String, String> = BTreeMap::new();
    for record in store.scan(scope, KIND, None, 99).await? {
        let body = String::from_utf8(record.body)?;
        for key in body.split(',').filter(|key| !key.is_empty()) {
            let other = holders.insert(key.into(), record.id.clone());
            ensure!(other.is_none(), "{key} is that of {other:?} and of {}", record.id);
        }
    }
    for key in keys {
        same(key, &found(store, scope, key).await?, &holders.get(*key).cloned())?;
    }
    Ok(())
}

/// One after the other: every answer, and every finding, is the model's.
pub(super) async fn random_keys_are_whose_the_model_says(store: SharedStore) -> Outcome {
    const KEYS: [&str; 5] = ["a", "b", "c", "d", "e"];
    let (seed, scope, model) = (seed(), Scope::Tenant(TenantId::generate()), MemoryStore::default());
    let mut random = StdRng::seed_from_u64(seed);
    let ids = ["x", "y", "z"];
    for n in 0..120 {
        let name = name(scope, ids[random.random_range(0..ids.len())]);
        let at = model.get(name.clone()).await?.map_or(0, |record| record.version);
        let expected = if random.random_bool(0.05) { at + 1 } else { at };
        let body = format!("{n}").into_bytes();
        let keys: Vec<String> = KEYS.iter().filter(|_| random.random_bool(0.35)).map(ToString::to_string).collect();
        let taken_from = random.random_bool(0.4).then(|| ids[random.random_range(0..ids.len())].to_string());
        let kind = random.random_range(0..10);
        let ask = |store: &dyn Records| -> Pending<u64> {
            let (name, body) = (name.clone(), body.clone());
            match kind {
                0 => {
                    let removed = store.delete(name, expected);
                    Box::pin(async move { removed.await.map(|()| 0) })
                }
                1 => store.put(name, expected, body),
                _ => {
                    let keys = RecordKeys { keys: keys.clone(), taken_from: taken_from.clone() };
                    store.put_with_keys(name, expected, body, keys)
                }
            }
        };
        let wanted = ask(&model).await;
        let what = format!("seed {seed}, {n}: {kind} of {name:?} at {expected} with {keys:?} from {taken_from:?}");
        same(&what, &ask(store.as_ref()).await, &wanted)?;
        for key in KEYS {
            let wanted = model.find(scope, KIND, key.into()).await;
            same(&format!("{key} after {what}"), &store.find(scope, KIND, key.into()).await, &wanted)?;
        }
    }
    Ok(())
}
