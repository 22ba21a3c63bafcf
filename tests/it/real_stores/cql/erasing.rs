//! Erasures that meet each other, clocks that differ, and notes that are left: every key ends, and no note holds up
//! another one.

use actors::{Clock as _, SystemClock};
use anyhow::ensure;
use engine_store::{Log, PageBounds, StoreError};
use schema::{ConversationId, ConversationKey, TenantId};
use scylla::client::session::Session;
use tests::servers::{Cassandra, keyspace_name};
use tests::store::{Outcome, fresh_key};
use uuid::{NoContext, Timestamp, Uuid};

use super::{beside, count, fresh, log_of, open, said, until};

const NOTES: &str = "SELECT count(*) FROM ending WHERE log = ? ALLOW FILTERING";

/// Notes an ending as another eraser does.
async fn note(session: &Session, key: ConversationKey, log: Uuid, eraser: Uuid) -> anyhow::Result<()> {
    let part = i8::try_from(key.conversation.as_bytes()[15] % 8)?;
    let (tenant, id) = (key.tenant.as_bytes().as_slice(), key.conversation.as_bytes().as_slice());
    let note = "INSERT INTO ending (part, tenant, id, log, eraser, contact) VALUES (?, ?, ?, ?, ?, ?)";
    session.query_unpaged(note, (part, tenant, id, log, eraser, [7_u8; 16].as_slice())).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_erasure_that_is_refused_leaves_what_another_one_has_noted() -> Outcome {
    let (store, session, _folder) = fresh().await?;
    let key = fresh_key();
    said(&store, key, &["one"]).await?;
    let log = log_of(&session, key).await?;
    note(&session, key, log, Uuid::now_v7()).await?;
    ensure!(store.erase(key, Some(7)).await == Err(StoreError::Fenced), "it ends elsewhere");
    ensure!(count(&session, NOTES, log).await? == 1, "the other one's note stays, and its own goes");
    store.erase(key, Some(1)).await?;
    until("the end of all notes", async || Ok(count(&session, NOTES, log).await? == 0)).await?;
    Ok(())
}

/// What was written by a clock that is an hour ahead goes as well.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_erased_is_gone_whatever_clock_it_was_written_by() -> Outcome {
    let (folder, keyspace, contact_point) = (tempfile::tempdir()?, keyspace_name(), Cassandra::shared()?);
    let store = open(contact_point, &keyspace, folder.path()).await?;
    let session = beside(contact_point, &keyspace).await?;
    let key = fresh_key();
    said(&store, key, &["one"]).await?;
    let log = log_of(&session, key).await?;
    let ahead = (SystemClock.now().as_millis() + 3_600_000) * 1_000;
    let (tenant, id) = (key.tenant.as_bytes().as_slice(), key.conversation.as_bytes().as_slice());
    let shard = i8::try_from(key.conversation.as_bytes()[15] % 8)?;
    let made = format!(
        "INSERT INTO {keyspace}_keys.conversation_key (log, wrapped) VALUES (?, 0x0102) USING TIMESTAMP {ahead}"
    );
    session.query_unpaged(made, (log,)).await?;
    let noted = format!("INSERT INTO of_tenant (tenant, shard, id, log) VALUES (?, ?, ?, ?) USING TIMESTAMP {ahead}");
    session.query_unpaged(noted, (tenant, shard, id, log)).await?;
    store.erase(key, None).await?;
    let wrapped = format!("SELECT count(wrapped) FROM {keyspace}_keys.conversation_key WHERE log = ?");
    ensure!(count(&session, &wrapped, log).await? == 0, "the wrapped key is gone");
    let answer = session.query_unpaged("SELECT id FROM of_tenant WHERE tenant = ? AND shard = ?", (tenant, shard));
    ensure!(answer.await?.into_rows_result()?.rows_num() == 0, "the tenant has it no more");
    Ok(())
}

/// Hundreds of notes of a conversation that goes on: one behind them is reached, and theirs go when they are old.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_note_holds_up_another_one() -> Outcome {
    let (store, session, _folder) = fresh().await?;
    let of = |tenant: u8| {
        let mut id = *ConversationId::generate().as_bytes();
        id[15] = 5;
        ConversationKey { tenant: TenantId::from_bytes([tenant; 16]), conversation: ConversationId::from_bytes(id) }
    };
    let (first, last) = (of(1), of(200));
    said(&store, first, &["one"]).await?;
    said(&store, last, &["one"]).await?;
    let (alive, ended) = (log_of(&session, first).await?, log_of(&session, last).await?);
    let now = u64::try_from(SystemClock.now().as_millis())? / 1_000;
    for n in 0..300 {
        let age = if n % 2 == 0 { 60 } else { 2 * 24 * 3_600 };
        note(&session, first, alive, Uuid::new_v7(Timestamp::from_unix(NoContext, now - age, n))).await?;
    }
    note(&session, last, ended, Uuid::now_v7()).await?;
    let retire = "UPDATE log SET epoch = 9223372036854775807 WHERE log = ? AND segment = 0 IF epoch = 1";
    session.query_unpaged(retire, (ended,)).await?;
    until("the end of the last one", async || Ok(count(&session, NOTES, ended).await? == 0)).await?;
    ensure!(store.erase(last, None).await == Err(StoreError::NotFound), "it is gone");
    until("the end of old notes", async || Ok(count(&session, NOTES, alive).await? == 150)).await?;
    ensure!(store.read(first, 0, PageBounds::FULL).await?.head == 1, "nobody has erased it");
    Ok(())
}
