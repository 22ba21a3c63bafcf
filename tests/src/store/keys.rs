//! Records that are found by keys: each key is one record's, and moves as a whole or not at all.

use engine_store::{Record, RecordKeys, RecordName, Scope, SharedStore, StoreError};
use futures_util::future::join_all;
use schema::TenantId;

use super::Outcome;
use super::words::{refused, same};

pub(super) const KIND: &str = "keyed";

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

pub(super) async fn keys_that_are_dropped_are_free(store: SharedStore) -> Outcome {
    let scope = Scope::Tenant(TenantId::generate());
    put(&store, scope, "one", 0, &["a", "b"], None).await?;
    put(&store, scope, "one", 1, &["b"], None).await?;
    let gone = put(&store, scope, "two", 0, &["a"], Some("one")).await;
    refused("nobody has it to give up", gone, &StoreError::NotFound)?;
    put(&store, scope, "two", 0, &["a"], None).await?;
    put(&store, scope, "two", 1, &[], None).await?;
    put(&store, scope, "one", 2, &["a", "b"], None).await?;
    put(&store, scope, "one", 3, &[], None).await?;
    for key in ["a", "b"] {
        same(key, &found(&store, scope, key).await?, &None)?;
    }
    // And back to the one that had it before.
    put(&store, scope, "one", 4, &["a"], None).await?;
    same("again", &found(&store, scope, "a").await?, &Some("one".into()))
}

pub(super) async fn two_records_swap_their_keys(store: SharedStore) -> Outcome {
    let scope = Scope::Tenant(TenantId::generate());
    put(&store, scope, "one", 0, &["a"], None).await?;
    put(&store, scope, "two", 0, &["b"], None).await?;
    for (n, (a, b)) in [("two", "one"), ("one", "two")].into_iter().enumerate() {
        let version = 1 + 2 * n as u64;
        // The one takes both, the other one what is left for it.
        put(&store, scope, a, version, &["a", "b"], Some(b)).await?;
        put(&store, scope, b, version, &["b"], Some(a)).await?;
        put(&store, scope, a, version + 1, &["a"], None).await?;
        put(&store, scope, b, version + 1, &["b"], None).await?;
        for (key, whose) in [("a", a), ("b", b)] {
            same(&format!("{key}, time {n}"), &found(&store, scope, key).await?, &Some(whose.into()))?;
        }
    }
    same("and no more", &store.scan(scope, KIND, None, 9).await?, &vec![record("one", 5), record("two", 5)])
}

pub(super) async fn a_removed_record_leaves_its_keys_and_begins_anew_without(store: SharedStore) -> Outcome {
    let scope = Scope::Tenant(TenantId::generate());
    put(&store, scope, "one", 0, &["a", "b"], None).await?;
    refused("a stale one", store.delete(name(scope, "one"), 2).await, &StoreError::Conflict { found: 1 })?;
    same("which leaves them", &found(&store, scope, "a").await?, &Some("one".into()))?;
    store.delete(name(scope, "one"), 1).await?;
    same("created anew", &store.put(name(scope, "one"), 0, b"one 1".to_vec()).await?, &1)?;
    for key in ["a", "b"] {
        same(key, &found(&store, scope, key).await?, &None)?;
    }
    put(&store, scope, "two", 0, &["a"], None).await?;
    let held = StoreError::Held { by: "two".into() };
    refused("what another one has by now", put(&store, scope, "one", 1, &["a", "b"], None).await, &held)?;
    put(&store, scope, "one", 1, &["b"], None).await?;
    for (key, whose) in [("a", "two"), ("b", "one")] {
        same(key, &found(&store, scope, key).await?, &Some(whose.into()))?;
    }
    Ok(())
}

pub(super) async fn put(
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

pub(super) async fn found(store: &SharedStore, scope: Scope, key: &str) -> Result<Option<String>, StoreError> {
    Ok(store.find(scope, KIND, key.into()).await?.map(|record| record.id))
}

pub(super) fn name(scope: Scope, id: &str) -> RecordName {
    RecordName { scope, kind: KIND, id: id.into() }
}

pub(super) fn record(id: &str, version: u64) -> Record {
    Record { id: id.into(), version, body: format!("{id} {version}").into_bytes() }
}
