//! The store: every adapter keeps the port's promises; SQLite keeps a few more.

mod crash;
mod disk;

use std::path::Path;
use std::sync::Arc;

use anyhow::ensure;
use engine_store::memory::{Fate, MemoryStore, Scripted};
use engine_store::sqlite::{SqliteOptions, SqliteStore};
use engine_store::{
    Claim, ConversationRow, ListQuery, Log, LogCursor, Opening, PageBounds, Projection, Projections, RecordName,
    Records, Scope, SharedStore, StoreError,
};
use futures_util::future::{join_all, try_join_all};
use schema::{ContactId, ConversationId, ConversationKey, Timestamp};
use tests::store::{Burst, Outcome, append, bring_on, compare, conform, fresh_key, opening, seed, texts};

#[tokio::test]
async fn the_model_conforms() -> Outcome {
    conform(async |_| Ok(Arc::new(MemoryStore::default()) as SharedStore)).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sqlite_conforms() -> Outcome {
    let directory = tempfile::tempdir()?;
    conform(async |case| Ok(sqlite(&directory.path().join(case))? as SharedStore)).await
}

#[tokio::test]
async fn a_row_is_behind_the_events_that_are_looked_at() -> Outcome {
    let directory = tempfile::tempdir()?;
    let list = Projection::Conversations;
    for store in [Arc::new(MemoryStore::default()) as SharedStore, sqlite(&directory.path().join("store"))?] {
        let key = fresh_key();
        let claim = store.claim(key, opening(ContactId::generate(), 0)).await?;
        store.append(append(key, claim, &["one", "two", "three"])).await?;
        let mut row = ConversationRow::default();
        row.fold(&store.read(key, 0, PageBounds::events(1)).await?.events);
        store.project(key, 0, row).await?;
        let first = store.behind(list, LogCursor::default(), 1).await?;
        assert_eq!((first.keys, first.is_all), (vec![], false), "its row tells of the first");
        let next = store.behind(list, first.cursor, 1).await?;
        assert_eq!((next.keys, next.is_all), (vec![key], false), "and not of the second");
    }
    Ok(())
}

#[tokio::test]
async fn sqlite_does_what_the_model_does_in_bursts() -> Outcome {
    let directory = tempfile::tempdir()?;
    let first = seed();
    for n in 0..6 {
        let seed = first.wrapping_add(n);
        let store = sqlite(&directory.path().join(seed.to_string()))? as SharedStore;
        compare(&store, seed, 400, Burst(40)).await?;
    }
    Ok(())
}

#[tokio::test]
async fn claim_and_appends_in_one_breath_are_done_in_order() -> Outcome {
    let directory = tempfile::tempdir()?;
    let store = sqlite(&directory.path().join("store"))?;
    let key = fresh_key();
    let claim = Claim { epoch: 1, head: 0, due: None };
    let claimed = store.claim(key, opening(ContactId::generate(), 0));
    let stranger = store.append(append(key, Claim { epoch: 9, head: 0, due: None }, &["not mine"]));
    let appends: Vec<_> =
        (0..20).map(|head| store.append(append(key, Claim { head, ..claim }, &[&head.to_string()]))).collect();
    let taken = store.claim(key, None);
    let late = store.append(append(key, Claim { head: 20, ..claim }, &["late"]));
    assert_eq!(claimed.await, Ok(claim));
    assert_eq!(stranger.await, Err(StoreError::Fenced));
    try_join_all(appends).await?;
    assert_eq!(taken.await, Ok(Claim { epoch: 2, head: 20, due: None }));
    assert_eq!(late.await, Err(StoreError::Fenced));
    let store: SharedStore = store;
    assert_eq!(texts(&store, key).await?, (0..20).map(|head| head.to_string()).collect::<Vec<_>>());
    Ok(())
}

#[tokio::test]
async fn a_reopened_file_keeps_everything() -> Outcome {
    let directory = tempfile::tempdir()?;
    let path = directory.path().join("store");
    let key = fresh_key();
    let name = RecordName { scope: Scope::Node, kind: "kept", id: "x".into() };
    let store = sqlite(&path)?;
    let claim = store.claim(key, opening(ContactId::generate(), 7)).await?;
    store.append(append(key, claim, &["one", "two"])).await?;
    bring_on(&(Arc::clone(&store) as SharedStore), key).await?;
    store.advance(Projection::Conversations, LogCursor(2)).await?;
    store.put(name.clone(), 0, b"body".to_vec()).await?;
    // Nobody waits for the last one: it was asked for, so it is done before the file is closed.
    drop(store.append(append(key, Claim { head: 2, ..claim }, &["three"])));
    drop(store);
    assert!(!directory.path().join("store-wal").exists(), "a closed store is one file");

    let store: SharedStore = sqlite(&path)?;
    assert_eq!(texts(&store, key).await?, ["one", "two", "three"]);
    assert_eq!(store.get(name).await?.map(|record| (record.version, record.body)), Some((1, b"body".to_vec())));
    let query = ListQuery { tenant: key.tenant, contacts: None, before: None, limit: 9 };
    assert_eq!(store.list(query).await?[0].head, 2, "the list is behind, as it was");
    let cursor = store.cursor(Projection::Conversations).await?;
    assert_eq!((cursor, store.behind(Projection::Conversations, cursor, 9).await?.keys), (LogCursor(2), vec![key]));
    let old = append(key, Claim { head: 3, ..claim }, &["four"]);
    assert_eq!(store.claim(key, None).await?, Claim { epoch: 2, head: 3, due: None });
    assert_eq!(store.append(old).await, Err(StoreError::Fenced));
    Ok(())
}

#[tokio::test]
async fn many_appends_share_a_commit() -> Outcome {
    let directory = tempfile::tempdir()?;
    let store = sqlite(&directory.path().join("store"))?;
    let keys: Vec<ConversationKey> = (0..200).map(|_| fresh_key()).collect();
    let claims = try_join_all(keys.iter().map(|key| store.claim(*key, opening(ContactId::generate(), 0)))).await?;
    let before = store.stats();
    try_join_all(keys.iter().zip(claims).map(|(key, claim)| store.append(append(*key, claim, &["hello"])))).await?;
    let after = store.stats();
    assert_eq!(after.writes - before.writes, 200);
    let commits = after.commits - before.commits;
    assert!((1..=100).contains(&commits), "200 appends took {commits} commits");
    assert!(after.batch_max > 2 && after.batch_max <= 256, "{after:?}");
    Ok(())
}

#[tokio::test]
async fn a_full_queue_is_busy_and_what_it_took_is_done() -> Outcome {
    let directory = tempfile::tempdir()?;
    let options = SqliteOptions { writer_queue_max: 4, ..SqliteOptions::default() };
    let store = SqliteStore::open(&directory.path().join("store"), options)?;
    let name = |n: u32| RecordName { scope: Scope::Node, kind: "busy", id: format!("{n:04}") };
    let answers = join_all((0..1_000).map(|n| store.put(name(n), 0, vec![]))).await;
    let taken: Vec<_> = (0..).zip(&answers).filter(|(_, answer)| **answer == Ok(1)).map(|(n, _)| name(n).id).collect();
    let busy = answers.iter().filter(|answer| **answer == Err(StoreError::Busy)).count();
    assert!(busy > 0 && !taken.is_empty(), "{busy} busy, {} taken", taken.len());
    assert_eq!(taken.len() + busy, 1_000, "there is no third answer");
    let kept = store.scan(Scope::Node, "busy", None, 1_000).await?;
    assert_eq!(kept.into_iter().map(|record| record.id).collect::<Vec<_>>(), taken);
    Ok(())
}

#[tokio::test]
async fn the_model_fails_as_scripted() -> Outcome {
    let store = Arc::new(MemoryStore::default());
    let key = fresh_key();
    let opening = Opening { contact: ContactId::generate(), is_anonymous: true, at: Timestamp::from_millis(0) };
    let claim = store.claim(key, Some(opening)).await?;
    let unknown = Err(StoreError::Unknown("scripted".into()));
    for (fate, wanted, head) in [
        (Fate::AsAsked, Ok(()), 1),
        (Fate::LostUnknown, unknown.clone(), 1),
        (Fate::DoneUnknown, unknown, 2),
        (Fate::Unavailable, Err(StoreError::Unavailable("scripted".into())), 2),
        (Fate::Busy, Err(StoreError::Busy), 2),
    ] {
        let before = store.read(key, 0, PageBounds::HEAD).await?.head;
        let delay = std::time::Duration::from_millis(20);
        store.script([Scripted { delay, fate }]);
        let asked = tokio::time::Instant::now();
        let slow = store.append(append(key, Claim { head: before, ..claim }, &["words"]));
        let next = store.claim(fresh_key(), None);
        assert_eq!(next.await, Err(StoreError::NotFound));
        assert!(asked.elapsed() >= delay, "answers come in the order of the calls");
        assert_eq!(slow.await, wanted, "{fate:?}");
        assert_eq!(store.read(key, 0, PageBounds::HEAD).await?.head, head, "{fate:?}");
    }
    assert_eq!(store.script_left(), 0);
    Ok(())
}

#[test]
fn a_path_that_cannot_hold_a_store_is_refused_in_one_line() -> Outcome {
    let directory = tempfile::tempdir()?;
    let foreign = directory.path().join("notes.txt");
    std::fs::write(&foreign, "dear diary, ".repeat(1_000))?;
    for (path, words) in [
        (directory.path().join("no/such/directory/store"), "No such file or directory"),
        (directory.path().to_path_buf(), "is a directory"),
        (foreign.join("store"), "Not a directory"),
        (foreign.clone(), "is not a Tertulia database"),
    ] {
        let Err(StoreError::Unavailable(line)) = SqliteStore::open(&path, SqliteOptions::default()) else {
            anyhow::bail!("{} was taken", path.display());
        };
        let named = line.contains(&*directory.path().to_string_lossy());
        ensure!(line.contains(words) && named && !line.contains('\n'), "{line}");
    }
    ensure!(std::fs::read_to_string(&foreign)?.starts_with("dear diary"), "the foreign file is as it was");
    Ok(())
}

fn sqlite(path: &Path) -> anyhow::Result<Arc<SqliteStore>> {
    Ok(Arc::new(SqliteStore::open(path, SqliteOptions::default())?))
}

/// The conversation that a child process and its parent both know.
fn agreed_key(n: u8) -> ConversationKey {
    let tenant = schema::TenantId::from_bytes([1; 16]);
    ConversationKey { tenant, conversation: ConversationId::from_bytes([n; 16]) }
}
