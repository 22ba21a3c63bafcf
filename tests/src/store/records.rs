//! Records: compare-and-set, and apart from each other.

use engine_store::{Record, RecordName, Scope, SharedStore, StoreError};
use futures_util::future::join_all;
use schema::TenantId;

use super::Outcome;
use super::words::{refused, same};

const KIND: &str = "conformance";

pub(super) async fn a_record_is_created_changed_and_removed(store: SharedStore) -> Outcome {
    let name = fresh("a");
    same("before", &store.get(name.clone()).await?, &None)?;
    same("created at", &store.put(name.clone(), 0, b"one".to_vec()).await?, &1)?;
    same("changed to", &store.put(name.clone(), 1, b"two".to_vec()).await?, &2)?;
    let found = store.get(name.clone()).await?;
    same("it says", &found, &Some(Record { id: "a".into(), version: 2, body: b"two".to_vec() }))?;
    store.delete(name.clone(), 2).await?;
    same("after", &store.get(name).await?, &None)
}

pub(super) async fn a_stale_change_conflicts_with_the_version_found(store: SharedStore) -> Outcome {
    let name = fresh("a");
    let conflict = |found| StoreError::Conflict { found };
    refused("changing none", store.put(name.clone(), 3, vec![]).await, &conflict(0))?;
    refused("removing none", store.delete(name.clone(), 3).await, &conflict(0))?;
    store.delete(name.clone(), 0).await?;
    store.put(name.clone(), 0, b"one".to_vec()).await?;
    refused("creating twice", store.put(name.clone(), 0, b"again".to_vec()).await, &conflict(1))?;
    store.put(name.clone(), 1, b"two".to_vec()).await?;
    for expected in [0, 1, 3, u64::MAX] {
        refused("a change", store.put(name.clone(), expected, b"stale".to_vec()).await, &conflict(2))?;
        refused("a removal", store.delete(name.clone(), expected).await, &conflict(2))?;
    }
    same("it still says", &store.get(name).await?.map(|record| record.body), &Some(b"two".to_vec()))
}

pub(super) async fn a_removed_record_begins_anew(store: SharedStore) -> Outcome {
    let name = fresh("a");
    store.put(name.clone(), 0, b"one".to_vec()).await?;
    store.put(name.clone(), 1, b"two".to_vec()).await?;
    store.delete(name.clone(), 2).await?;
    refused("a change", store.put(name.clone(), 2, vec![]).await, &StoreError::Conflict { found: 0 })?;
    same("created at", &store.put(name, 0, b"new".to_vec()).await?, &1)
}

pub(super) async fn records_are_scanned_by_id_in_pages(store: SharedStore) -> Outcome {
    let scope = Scope::Tenant(TenantId::generate());
    let mut ids: Vec<String> = ["b", "a", "aa", "", "Z", "é", "日", "a\0", "10", "9"].map(String::from).to_vec();
    for id in &ids {
        store.put(RecordName { scope, kind: KIND, id: id.clone() }, 0, id.clone().into_bytes()).await?;
    }
    ids.sort_unstable();
    for limit in 1..=ids.len() + 1 {
        let (mut found, mut after) = (Vec::new(), None);
        loop {
            let page = store.scan(scope, KIND, after, limit).await?;
            let Some(last) = page.last() else { break };
            after = Some(last.id.clone());
            found.extend(page);
        }
        same("bodies belong to their ids", &found.iter().all(|one| one.body == one.id.as_bytes()), &true)?;
        let found: Vec<String> = found.into_iter().map(|record| record.id).collect();
        same(&format!("pages of {limit}"), &found, &ids)?;
    }
    same("after one that is not there", &store.scan(scope, KIND, Some("ab".into()), 1).await?[0].id, &"b".into())?;
    same("a page of none", &store.scan(scope, KIND, None, 0).await?, &vec![])
}

pub(super) async fn the_node_and_tenants_have_records_apart(store: SharedStore) -> Outcome {
    // The node's own ids are shared with whoever used this store before: this one is new.
    let id = TenantId::generate().to_string();
    let scopes = [
        Scope::Node,
        Scope::Tenant(TenantId::generate()),
        Scope::Tenant(TenantId::from_bytes([0; 16])),
        Scope::Tenant(TenantId::generate()),
    ];
    let name = |scope| RecordName { scope, kind: KIND, id: id.clone() };
    for (n, scope) in (0_u8..).zip(scopes) {
        same("not there yet", &store.get(name(scope)).await?, &None)?;
        same("created at", &store.put(name(scope), 0, vec![n]).await?, &1)?;
    }
    store.delete(name(scopes[3]), 1).await?;
    for (n, scope) in (0_u8..).zip(&scopes[..3]) {
        let wanted = Record { id: id.clone(), version: 1, body: vec![n] };
        same("its own", &store.get(name(*scope)).await?, &Some(wanted.clone()))?;
        let found = store.scan(*scope, KIND, None, 10_000).await?;
        let mine: Vec<_> = found.into_iter().filter(|record| record.id == id).collect();
        same("listed once", &mine, &vec![wanted])?;
    }
    same("the removed one", &store.scan(scopes[3], KIND, None, 10).await?, &vec![])
}

pub(super) async fn kinds_are_apart(store: SharedStore) -> Outcome {
    let scope = Scope::Tenant(TenantId::generate());
    for (kind, body) in [("kind", 1), ("kind2", 2), ("", 3)] {
        store.put(RecordName { scope, kind, id: "x".into() }, 0, vec![body]).await?;
    }
    for (kind, body) in [("kind", 1), ("kind2", 2), ("", 3)] {
        let found = store.scan(scope, kind, None, 10).await?;
        same(kind, &found, &vec![Record { id: "x".into(), version: 1, body: vec![body] }])?;
    }
    Ok(())
}

pub(super) async fn large_and_odd_records_read_back(store: SharedStore) -> Outcome {
    let scope = Scope::Tenant(TenantId::generate());
    let large: Vec<u8> = (0..schema::limits::DOCUMENT_BYTES_MAX).map(|n| u8::try_from(n % 251).unwrap_or(0)).collect();
    for (id, body) in [("empty", vec![]), ("zeros", vec![0; 16]), ("not utf-8", vec![0xff, 0xfe]), ("large", large)] {
        let name = RecordName { scope, kind: KIND, id: id.into() };
        store.put(name.clone(), 0, body.clone()).await?;
        let found = store.get(name).await?.map(|record| record.body);
        same(id, &(found.as_ref() == Some(&body)), &true)?;
    }
    Ok(())
}

pub(super) async fn of_many_who_create_one_wins(store: SharedStore) -> Outcome {
    let name = fresh("contested");
    let tries = join_all((0..16_u8).map(|n| store.put(name.clone(), 0, vec![n]))).await;
    let winners: Vec<usize> = (0..tries.len()).filter(|n| tries[*n] == Ok(1)).collect();
    same("winners", &winners.len(), &1)?;
    for lost in tries.into_iter().filter(|answer| answer.is_err()) {
        refused("a loser", lost, &StoreError::Conflict { found: 1 })?;
    }
    let found = store.get(name).await?.map(|record| usize::from(record.body[0]));
    same("what it says is the winner's", &found, &Some(winners[0]))
}

fn fresh(id: &str) -> RecordName {
    RecordName { scope: Scope::Tenant(TenantId::generate()), kind: KIND, id: id.into() }
}
