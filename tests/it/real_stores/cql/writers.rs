//! Writers, and what they leave to others: nobody is taken to have ended who beats, whatever the clocks say, and what
//! one has left is taken over whole.

use std::time::{Duration, Instant};

use anyhow::ensure;
use engine_store::cql::CqlStore;
use engine_store::{Log, LogCursor, Projection, Projections};
use schema::{ContactId, ConversationKey};
use scylla::client::session::Session;
use scylla::value::CqlTimestamp;
use tests::PATIENCE;
use tests::servers::{Cassandra, keyspace_name};
use tests::store::{Outcome, append, fresh_key, opening};
use uuid::Uuid;

use super::{beside, open};

const LIST: Projection = Projection::Conversations;
const CHUNK: i64 = 4_096;

async fn until(what: &str, mut is_so: impl AsyncFnMut() -> anyhow::Result<bool>) -> anyhow::Result<()> {
    let started = Instant::now();
    while !is_so().await? {
        ensure!(started.elapsed() < PATIENCE, "{what} did not come");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    Ok(())
}

async fn beat(session: &Session, writer: Uuid, at: i64, newest: i64) -> anyhow::Result<()> {
    let beat = "INSERT INTO writer (part, id, beat, done, newest) VALUES (0, ?, ?, 0, ?)";
    session.query_unpaged(beat, (writer, CqlTimestamp(at), newest)).await?;
    Ok(())
}

async fn touch(session: &Session, writer: Uuid, number: i64, key: ConversationKey) -> anyhow::Result<()> {
    let touch = "INSERT INTO touched (writer, chunk, number, tenant, id) VALUES (?, ?, ?, ?, ?)";
    let (tenant, id) = (key.tenant.as_bytes().as_slice(), key.conversation.as_bytes().as_slice());
    session.query_unpaged(touch, (writer, number / CHUNK, number, tenant, id)).await?;
    Ok(())
}

async fn is_touched(session: &Session, writer: Uuid, number: i64) -> anyhow::Result<bool> {
    let select = "SELECT id FROM touched WHERE writer = ? AND chunk = ? AND number = ?";
    let found = session.query_unpaged(select, (writer, number / CHUNK, number)).await?;
    Ok(found.into_rows_result()?.rows_num() == 1)
}

async fn beats(session: &Session) -> anyhow::Result<Vec<(Uuid, i64)>> {
    let answer = session.query_unpaged("SELECT id, beat FROM writer WHERE part = 0", ()).await?.into_rows_result()?;
    let rows = answer.rows::<(Uuid, CqlTimestamp)>()?;
    rows.map(|row| row.map(|(id, beat)| (id, beat.0)).map_err(Into::into)).collect()
}

async fn said(store: &CqlStore) -> anyhow::Result<ConversationKey> {
    let key = fresh_key();
    let claim = store.claim(key, opening(ContactId::generate(), 0)).await?;
    store.append(append(key, claim, &["one"])).await?;
    Ok(key)
}

/// A clock that is an hour behind is no silence.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_writer_that_beats_is_left_alone_whatever_its_clock_says() -> Outcome {
    let (folder, keyspace, contact_point) = (tempfile::tempdir()?, keyspace_name(), Cassandra::shared()?);
    let first = open(contact_point, &keyspace, folder.path()).await?;
    let session = beside(contact_point, &keyspace).await?;
    let (key, writer) = (said(&first).await?, Uuid::now_v7());
    touch(&session, writer, 1, key).await?;
    let mut at = beats(&session).await?.iter().map(|(_, beat)| *beat).max().unwrap_or_default() - 3_600_000;
    beat(&session, writer, at, 1).await?;
    // Two looks of the store that is opened now.
    let second = open(contact_point, &keyspace, folder.path()).await?;
    let mut seen: Vec<(Uuid, i64)> = beats(&session).await?;
    let mut changes = 0;
    until("the second beat of all", async || {
        at += 1;
        beat(&session, writer, at, 1).await?;
        let now = beats(&session).await?;
        changes += now.iter().filter(|one| one.0 != writer && !seen.contains(one)).count();
        seen = now;
        Ok(changes >= 4)
    })
    .await?;
    ensure!(is_touched(&session, writer, 1).await?, "what it has left to be looked at is taken from it");
    drop((first, second));
    Ok(())
}

/// Some of what a writer has left may have been taken over before: behind a gap there is more.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_writer_has_left_is_taken_over_to_its_end() -> Outcome {
    let (folder, keyspace, contact_point) = (tempfile::tempdir()?, keyspace_name(), Cassandra::shared()?);
    let store = open(contact_point, &keyspace, folder.path()).await?;
    let session = beside(contact_point, &keyspace).await?;
    let (key, writer, number) = (said(&store).await?, Uuid::now_v7(), 2 * CHUNK + 8);
    let mut cursor = LogCursor::default();
    let looked = async |cursor: &mut LogCursor| -> anyhow::Result<Vec<ConversationKey>> {
        let look = store.behind(LIST, *cursor, 100).await?;
        *cursor = look.cursor;
        Ok(look.keys)
    };
    until("the end of what there is", async || Ok(looked(&mut cursor).await?.is_empty())).await?;
    touch(&session, writer, number, key).await?;
    // It has said that it ends.
    beat(&session, writer, 0, 2 * CHUNK).await?;
    until("what it has left", async || Ok(looked(&mut cursor).await?.contains(&key))).await?;
    until("its end", async || Ok(beats(&session).await?.iter().all(|(id, _)| *id != writer))).await?;
    ensure!(!is_touched(&session, writer, number).await?, "it is forgotten");
    Ok(())
}
