//! Records: compare-and-set, and apart from each other.

use anyhow::{Context, ensure};
use engine_store::{Record, RecordName, Scope, SharedStore, StoreError};
use futures_util::future::{join, join_all, try_join_all};
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

/// Several read it and put the next version, until each has done so some times.
pub(super) async fn of_many_who_change_one_each_version_is_written_once(store: SharedStore) -> Outcome {
    const WRITERS: u8 = 6;
    const TIMES: u8 = 5;
    let name = fresh("counted");
    store.put(name.clone(), 0, vec![]).await?;
    let writer = async |who: u8| -> anyhow::Result<Vec<u64>> {
        let mut written = Vec::new();
        while written.len() < usize::from(TIMES) {
            let found = store.get(name.clone()).await?.context("it is gone")?;
            let mut body = found.body;
            body.push(who);
            match store.put(name.clone(), found.version, body).await {
                Ok(version) => written.push(version),
                Err(StoreError::Conflict { found: now }) => ensure!(now > found.version, "it went back to {now}"),
                Err(error) => return Err(error.into()),
            }
        }
        Ok(written)
    };
    let mut versions =
        join_all((0..WRITERS).map(writer)).await.into_iter().collect::<anyhow::Result<Vec<_>>>()?.concat();
    versions.sort_unstable();
    let last = 1 + u64::from(WRITERS * TIMES);
    same("versions", &versions, &(2..=last).collect())?;
    let mut body = store.get(name).await?.context("it is gone")?.body;
    body.sort_unstable();
    let wanted: Vec<u8> = (0..WRITERS).flat_map(|who| [who; TIMES as usize]).collect();
    same("each has written so often", &body, &wanted)
}

pub(super) async fn of_many_who_remove_one_and_create_it_anew_each_is_told_what_it_did(store: SharedStore) -> Outcome {
    let name = fresh("short-lived");
    // Each creates it where there is none and removes it where there is one; there are as many of both, in turns.
    let writer = async |who: u8| -> anyhow::Result<(i32, i32)> {
        let (mut created, mut removed) = (0, 0);
        for _ in 0..8 {
            if store.get(name.clone()).await?.is_some() {
                match store.delete(name.clone(), 1).await {
                    Ok(()) => removed += 1,
                    Err(StoreError::Conflict { found: 0 }) => {}
                    Err(error) => return Err(error.into()),
                }
            } else {
                match store.put(name.clone(), 0, vec![who]).await {
                    Ok(version) => {
                        same("created at", &version, &1)?;
                        created += 1;
                    }
                    Err(StoreError::Conflict { found: 1 }) => {}
                    Err(error) => return Err(error.into()),
                }
            }
        }
        Ok((created, removed))
    };
    let done = join_all((0..4).map(writer)).await.into_iter().collect::<anyhow::Result<Vec<_>>>()?;
    let (created, removed) = done.into_iter().fold((0, 0), |sum, (a, b)| (sum.0 + a, sum.1 + b));
    ensure!(created > 0 && removed > 0, "nothing came of it: {created} created, {removed} removed");
    let left = store.scan(name.scope, KIND, None, 9).await?;
    same("what is there", &i32::try_from(left.len())?, &(created - removed))?;
    same("by its name", &store.get(name).await?.is_some(), &(left.len() == 1))
}

pub(super) async fn a_scan_sees_what_was_there_while_others_create_and_remove(store: SharedStore) -> Outcome {
    let scope = Scope::Tenant(TenantId::generate());
    let name = |id: String| RecordName { scope, kind: KIND, id };
    let stays: Vec<String> = (0..24).map(|n| format!("s{n:02}")).collect();
    try_join_all(stays.iter().map(|id| store.put(name(id.clone()), 0, vec![1]))).await?;
    let others = async {
        for n in 0..24 {
            let id = format!("s{n:02}+");
            store.put(name(id.clone()), 0, vec![2]).await?;
            if n % 2 == 0 {
                store.delete(name(id), 1).await?;
            }
        }
        anyhow::Ok(())
    };
    let scans = async {
        for limit in [1, 3, 7, 100, 2, 100] {
            let (mut found, mut after) = (Vec::new(), None);
            loop {
                let page = store.scan(scope, KIND, after, limit).await?;
                ensure!(page.len() <= limit, "a page of {} where {limit} were asked for", page.len());
                let is_last = page.len() < limit;
                found.extend(page.into_iter().map(|record| record.id));
                after = found.last().cloned();
                if is_last {
                    break;
                }
            }
            ensure!(found.is_sorted_by(|a, b| a < b), "not in order, each once: {found:?}");
            found.retain(|id| !id.ends_with('+'));
            same(&format!("pages of {limit}"), &found, &stays)?;
        }
        anyhow::Ok(())
    };
    let (others, scans) = join(others, scans).await;
    others.and(scans)?;
    same("in the end", &store.scan(scope, KIND, None, 99).await?.len(), &36)
}

fn fresh(id: &str) -> RecordName {
    RecordName { scope: Scope::Tenant(TenantId::generate()), kind: KIND, id: id.into() }
}
