//! Writers, and what they leave to others: nobody is taken to have ended who beats, whatever the clocks say, and what
//! one has left is taken over whole.

use anyhow::{Context, ensure};
use engine_store::{LogCursor, Projection, Projections};
use schema::ConversationKey;
use scylla::client::session::Session;
use scylla::value::CqlTimestamp;
use tests::servers::{Cassandra, keyspace_name};
use tests::store::{Outcome, fresh_key};
use uuid::Uuid;

use super::{beside, fresh, open, opened, unknown, until};

const LIST: Projection = Projection::Conversations;
const CHUNK: i64 = 4_096;

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

/// A clock that is an hour behind is no silence.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_writer_that_beats_is_left_alone_whatever_its_clock_says() -> Outcome {
    let (folder, keyspace, contact_point) = (tempfile::tempdir()?, keyspace_name(), Cassandra::shared()?);
    let first = open(contact_point, &keyspace, folder.path()).await?;
    let session = beside(contact_point, &keyspace).await?;
    let ((key, _), writer) = (opened(&first, &["one"]).await?, Uuid::now_v7());
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
    let (store, session, _folder) = fresh().await?;
    let ((key, _), writer, number) = (opened(&store, &["one"]).await?, Uuid::now_v7(), 2 * CHUNK + 8);
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

/// A conversation that cannot be read is passed over; where one cannot be written to, other writers are gone on with.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_one_writer_has_left_holds_up_nobody_elses() -> Outcome {
    let keyspace = keyspace_name();
    let (store, mut proxy, _folder) = unknown::open_in(&keyspace).await?;
    let session = beside(Cassandra::shared()?, &keyspace).await?;
    let mut keys = Vec::new();
    for _ in 0..3 {
        keys.push(opened(&store, &["one"]).await?.0);
    }
    let (good, far, near, bad) = (keys[0], keys[1], keys[2], fresh_key());
    let (tenant, id) = (bad.tenant.as_bytes().as_slice(), bad.conversation.as_bytes().as_slice());
    let broken = "INSERT INTO conversation (tenant, id, log, epoch) VALUES (?, ?, uuid(), 1) IF NOT EXISTS";
    session.query_unpaged(broken, (tenant, id)).await?;
    let mut cursor = LogCursor::default();
    let mut found: Vec<ConversationKey> = Vec::new();
    let mut looked = async |found: &mut Vec<ConversationKey>| -> anyhow::Result<bool> {
        let look = store.behind(LIST, cursor, 100).await?;
        cursor = look.cursor;
        found.extend(look.keys);
        Ok(look.is_all)
    };
    until("the end of what there is", async || looked(&mut found).await).await?;
    found.clear();
    let node = proxy.running_nodes.first_mut().context("the proxy has a node")?;
    node.change_request_rules(Some(vec![unknown::without(far.conversation.as_bytes())]));
    // In the order in which they are met.
    let (first, second, third) = (Uuid::from_u128(1), Uuid::from_u128(2), Uuid::from_u128(3));
    for (writer, number, key) in [(first, 1, bad), (first, 2, good), (second, 1, far), (third, 1, near)] {
        touch(&session, writer, number, key).await?;
    }
    for writer in [first, second, third] {
        // It has said that it ends.
        beat(&session, writer, 0, 2).await?;
    }
    until("what can be looked at", async || {
        looked(&mut found).await?;
        Ok(found.contains(&good) && found.contains(&near))
    })
    .await?;
    until("the end of the two", async || Ok(beats(&session).await?.len() == 2)).await?;
    ensure!(is_touched(&session, second, 1).await? && !found.contains(&far), "what is left to be done stays");
    proxy.turn_off_rules();
    until("the last one", async || {
        looked(&mut found).await?;
        Ok(found.contains(&far))
    })
    .await?;
    until("the end of its writer", async || Ok(beats(&session).await?.len() == 1)).await?;
    unknown::end(proxy).await;
    Ok(())
}
