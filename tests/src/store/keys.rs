//! Records that are found by keys: each key is one record's, and moves as a whole or not at all.

use engine_store::{Record, RecordKeys, RecordName, Scope, SharedStore, StoreError};
use futures_util::future::join_all;
use schema::TenantId;

use super::Outcome;
use super::words::{refused, same};

const KIND: &str = "keyed";

pub(super) async fn a_record_is_found_by_each_of_its_keys(store: SharedStore) -> Outcome {
    let scope = Scope::Tenant(TenantId::generate());
    same("before", &found(&store, scope, "a").await?, &None)?;
    same("created at", &put(&store, scope, "one", 0, &["a", "b", "ñ 🕯"], None).await?, &1)?;
    for key in ["a", "b", "ñ 🕯"] {
        same(key, &found(&store, scope, key).await?, &Some("one".into()))?;
    }
    same("what it says", &store.find(scope, KIND, "a".into()).await?, &Some(record("one", 1)))?;
    same("another case", &found(&store, scope, "A").await?, &None)?;
    // Other keys take the place of all of them; a change without keys leaves them.
    put(&store, scope, "one", 1, &["b", "c"], None).await?;
    store.put(name(scope, "one"), 2, b"one 3".to_vec()).await?;
    for (key, wanted) in [("a", None), ("b", Some("one".into())), ("c", Some("one".into()))] {
        same(key, &found(&store, scope, key).await?, &wanted)?;
    }
    same("what it says then", &store.find(scope, KIND, "c".into()).await?, &Some(record("one", 3)))?;
    store.delete(name(scope, "one"), 3).await?;
    same("after", &found(&store, scope, "b").await?, &None)?;
    same("free again", &put(&store, scope, "two", 0, &["b", "c"], None).await?, &1)
}

pub(super) async fn a_key_that_another_record_has_is_refused_with_its_id(store: SharedStore) -> Outcome {
    let scope = Scope::Tenant(TenantId::generate());
    put(&store, scope, "one", 0, &["a", "b"], None).await?;
    put(&store, scope, "two", 0, &["c"], None).await?;
    let held = StoreError::Held { by: "one".into() };
    refused("a new record", put(&store, scope, "three", 0, &["d", "b"], None).await, &held)?;
    refused("a change", put(&store, scope, "two", 1, &["c", "a"], None).await, &held)?;
    let conflict = StoreError::Conflict { found: 1 };
    refused("one that is stale, too", put(&store, scope, "two", 0, &["a"], None).await, &conflict)?;
    same("nothing of it is there", &store.get(name(scope, "three")).await?, &None)?;
    same("nor its key", &found(&store, scope, "d").await?, &None)?;
    same("the other is as it was", &store.get(name(scope, "two")).await?, &Some(record("two", 1)))?;
    // Other scopes and kinds have their own.
    for (scope, kind) in [(Scope::Tenant(TenantId::generate()), KIND), (scope, "keyed2")] {
        let name = RecordName { scope, kind, id: "four".into() };
        let keys = RecordKeys { keys: vec!["a".into()], taken_from: None };
        same("apart", &store.put_with_keys(name, 0, vec![], keys).await?, &1)?;
    }
    same("and it is still one's", &found(&store, scope, "a").await?, &Some("one".into()))
}

pub(super) async fn keys_are_taken_over_from_the_record_that_is_named(store: SharedStore) -> Outcome {
    let scope = Scope::Tenant(TenantId::generate());
    put(&store, scope, "one", 0, &["a", "b"], None).await?;
    put(&store, scope, "two", 0, &["c"], None).await?;
    let held = StoreError::Held { by: "two".into() };
    refused("more than it has", put(&store, scope, "new", 0, &["a", "c"], Some("one")).await, &held)?;
    same("so nothing moved", &found(&store, scope, "a").await?, &Some("one".into()))?;
    let gone = put(&store, scope, "new", 0, &["a", "d"], Some("one")).await;
    refused("what nobody has", gone, &StoreError::NotFound)?;
    same("so nothing moved again", &found(&store, scope, "d").await?, &None)?;
    put(&store, scope, "new", 0, &["a"], Some("one")).await?;
    for (key, whose) in [("a", "new"), ("b", "one"), ("c", "two")] {
        same(key, &found(&store, scope, key).await?, &Some(whose.into()))?;
    }
    // Whoever has lost a key does not take it along when it goes on without it, nor when it goes.
    put(&store, scope, "one", 1, &["b"], None).await?;
    same("after a change", &found(&store, scope, "a").await?, &Some("new".into()))?;
    store.delete(name(scope, "one"), 2).await?;
    same("after its end", &found(&store, scope, "a").await?, &Some("new".into()))?;
    same("its own went with it", &found(&store, scope, "b").await?, &None)
}

pub(super) async fn of_many_who_want_a_key_one_gets_it(store: SharedStore) -> Outcome {
    let scope = Scope::Tenant(TenantId::generate());
    let ids: Vec<String> = (0..16).map(|n| format!("r{n:02}")).collect();
    let tries = join_all(ids.iter().map(|id| put(&store, scope, id, 0, &["contested"], None))).await;
    let winners: Vec<&String> =
        ids.iter().zip(&tries).filter(|(_, answer)| **answer == Ok(1)).map(|(id, _)| id).collect();
    same("winners", &winners.len(), &1)?;
    for lost in tries.into_iter().filter(|answer| answer.is_err()) {
        refused("a loser", lost, &StoreError::Held { by: winners[0].clone() })?;
    }
    same("it is the winner's", &found(&store, scope, "contested").await?.as_ref(), &Some(winners[0]))?;
    same("and there is no other", &store.scan(scope, KIND, None, 99).await?.len(), &1)
}

async fn put(
    store: &SharedStore,
    scope: Scope,
    id: &str,
    expected: u64,
    keys: &[&str],
    taken_from: Option<&str>,
) -> Result<u64, StoreError> {
    let body = record(id, expected + 1).body;
    let keys = keys.iter().map(ToString::to_string).collect();
    let keys = RecordKeys { keys, taken_from: taken_from.map(str::to_owned) };
    store.put_with_keys(name(scope, id), expected, body, keys).await
}

async fn found(store: &SharedStore, scope: Scope, key: &str) -> Result<Option<String>, StoreError> {
    Ok(store.find(scope, KIND, key.into()).await?.map(|record| record.id))
}

fn name(scope: Scope, id: &str) -> RecordName {
    RecordName { scope, kind: KIND, id: id.into() }
}

fn record(id: &str, version: u64) -> Record {
    Record { id: id.into(), version, body: format!("{id} {version}").into_bytes() }
}
