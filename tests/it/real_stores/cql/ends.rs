//! Where a log ends while nobody has opened its next segment, or its first one: an owner that was stopped between two
//! statements leaves it so, and nothing of it is lost.

use std::sync::Arc;

use anyhow::ensure;
use engine_store::cql::CqlStore;
use engine_store::{
    Append, Claim, DueChange, DueIndex, DueQuery, Hasten, Log, PageBounds, Projection, Projections, Reschedule,
    SharedStore, Snapshots, StoreError, UnspokenQuery,
};
use schema::{ContactId, ConversationKey, Timestamp};
use scylla::client::session::Session;
use tests::servers::{Cassandra, keyspace_name};
use tests::store::{Outcome, append, bring_on, fresh_key, opening, texts};

use super::{beside, log_of, open};

const LIST: Projection = Projection::Conversations;
/// A moment that nobody lives to see.
const FAR: i64 = 4_000_000_000_000;

const fn at(millis: i64) -> Timestamp {
    Timestamp::from_millis(millis)
}

/// A conversation of two events, due far in the future, of which the segment is sealed and the next one is not open.
async fn sealed(store: &CqlStore, session: &Session) -> anyhow::Result<(ConversationKey, Claim)> {
    let key = fresh_key();
    let claim = store.claim(key, opening(ContactId::generate(), 0)).await?;
    store.append(Append { due: DueChange::At(at(FAR)), ..append(key, claim, &["one", "two"]) }).await?;
    let seal = "UPDATE log SET next = 1 WHERE log = ? AND segment = 0 IF epoch = 1 AND head = 2 AND next = null";
    session.query_unpaged(seal, (log_of(session, key).await?,)).await?;
    Ok((key, Claim { head: 2, ..claim }))
}

async fn due(store: &CqlStore, key: ConversationKey) -> anyhow::Result<Option<i64>> {
    let found = store.due(DueQuery { before: at(i64::MAX), after: None, limit: 1_000 }).await?;
    Ok(found.into_iter().find(|entry| entry.key == key).map(|entry| entry.at.as_millis()))
}

/// What is asked of it.
#[derive(Clone, Copy, Debug)]
enum Asked {
    Append,
    Reschedule,
    Hasten,
    Snapshot,
    Row,
    Behind,
    Erase,
    EraseAnother,
}

impl Asked {
    async fn ask(self, store: &Arc<CqlStore>, key: ConversationKey, claim: Claim) -> anyhow::Result<()> {
        let shared: SharedStore = Arc::clone(store) as SharedStore;
        let Claim { epoch, head, .. } = claim;
        match self {
            Self::Append => {
                store.append(append(key, claim, &["three"])).await?;
                ensure!(texts(&shared, key).await? == ["one", "two", "three"], "the log goes on");
            }
            Self::Reschedule => {
                store.reschedule(Reschedule { key, epoch, head, at: Some(at(FAR + 5)) }).await?;
                ensure!(due(store, key).await? == Some(FAR + 5), "it is moved");
                store.reschedule(Reschedule { key, epoch, head, at: None }).await?;
                ensure!(due(store, key).await?.is_none(), "it is taken away");
            }
            Self::Hasten => {
                let from = at(FAR - 5);
                let step = std::time::Duration::ZERO;
                let hasten = Hasten { tenant: key.tenant, after: None, limit: 9, from, step, missing: false };
                let hastened = store.hasten(hasten).await?;
                ensure!(hastened.is_some_and(|hastened| hastened.moved == 1), "one is moved: {hastened:?}");
                ensure!(due(store, key).await? == Some(FAR - 5), "it is brought forward");
            }
            Self::Snapshot => {
                ensure!(store.set_snapshot(key, epoch, head, b"folded".to_vec()).await?, "it is kept");
                let early = store.set_snapshot(key, epoch, head + 1, b"folded".to_vec()).await;
                ensure!(early == Err(StoreError::Fenced), "one that overtakes its log: {early:?}");
            }
            Self::Row => {
                bring_on(&shared, key).await?;
                ensure!(store.row(key).await?.is_some_and(|row| row.head == 2), "its row is written");
            }
            Self::Behind => {
                let mut cursor = engine_store::LogCursor::default();
                loop {
                    let look = store.behind(LIST, cursor, 1_000).await?;
                    if look.keys.contains(&key) {
                        break;
                    }
                    ensure!(!look.is_all, "its row is not found to be behind");
                    cursor = look.cursor;
                }
            }
            Self::Erase => {
                store.erase(key, Some(2)).await?;
                let late = store.append(append(key, claim, &["late"])).await;
                ensure!(late == Err(StoreError::NotFound), "{late:?}");
                ensure!(store.claim(key, None).await == Err(StoreError::NotFound), "it is gone");
            }
            Self::EraseAnother => {
                let refused = store.erase(key, Some(1)).await;
                ensure!(refused == Err(StoreError::Fenced), "{refused:?}");
                store.append(append(key, claim, &["three"])).await?;
            }
        }
        Ok(())
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_log_whose_next_segment_is_not_open_is_there_for_all() -> Outcome {
    let (folder, keyspace, contact_point) = (tempfile::tempdir()?, keyspace_name(), Cassandra::shared()?);
    let owner = open(contact_point, &keyspace, folder.path()).await?;
    let session = beside(contact_point, &keyspace).await?;
    let mut failed = Vec::new();
    for asked in [
        Asked::Append,
        Asked::Reschedule,
        Asked::Hasten,
        Asked::Snapshot,
        Asked::Row,
        Asked::Behind,
        Asked::Erase,
        Asked::EraseAnother,
    ] {
        // One remembers where it ends, and one has never heard of it.
        for is_remembered in [true, false] {
            let store =
                if is_remembered { Arc::clone(&owner) } else { open(contact_point, &keyspace, folder.path()).await? };
            let (key, claim) = sealed(&owner, &session).await?;
            let told = async {
                ensure!(due(&store, key).await? == Some(FAR), "it is due as before");
                asked.ask(&store, key, claim).await
            };
            if let Err(error) = told.await {
                failed.push(format!("{asked:?}, remembered: {is_remembered}: {error:#}"));
            }
        }
    }
    ensure!(failed.is_empty(), "{}", failed.join("\n"));
    Ok(())
}

/// A conversation whose first segment was never opened has said nothing: it is found as such, and can be taken over,
/// or erased.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_conversation_without_a_log_is_unspoken() -> Outcome {
    let (folder, keyspace, contact_point) = (tempfile::tempdir()?, keyspace_name(), Cassandra::shared()?);
    let first = open(contact_point, &keyspace, folder.path()).await?;
    let session = beside(contact_point, &keyspace).await?;
    for is_erased in [false, true] {
        let key = fresh_key();
        first.claim(key, opening(ContactId::generate(), 1_000)).await?;
        let log = log_of(&session, key).await?;
        session.query_unpaged("DELETE FROM log WHERE log = ? AND segment = 0", (log,)).await?;
        let store = open(contact_point, &keyspace, folder.path()).await?;
        for _ in 0..2 {
            let query = UnspokenQuery { before: at(2_000), after: None, limit: 100 };
            let found = store.unspoken(query).await?;
            let found = found.into_iter().find(|found| found.key == key);
            ensure!(found.is_some_and(|found| found.head == 0 && found.last_at == at(1_000)), "{found:?}");
        }
        ensure!(store.read(key, 0, PageBounds::FULL).await?.head == 0, "nothing was said in it");
        if is_erased {
            ensure!(store.erase(key, Some(1)).await == Err(StoreError::Fenced), "it has no event");
            store.erase(key, Some(0)).await?;
            ensure!(store.claim(key, None).await == Err(StoreError::NotFound), "it is gone");
            continue;
        }
        let claim = store.claim(key, None).await?;
        ensure!((claim.epoch, claim.head) == (2, 0), "{claim:?}");
        store.append(append(key, claim, &["one"])).await?;
    }
    Ok(())
}
