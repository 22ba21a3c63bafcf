//! Answers that are lost on the way: nothing is said to be sure that is not, and nothing is forgotten.

use std::sync::Arc;

use anyhow::{Context, ensure};
use engine_store::{
    Claim, DueIndex, Log, Projection, Projections, RecordName, Records, Reschedule, Scope, SharedStore, StoreError,
};
use schema::{TenantId, Timestamp};
use scylla_proxy::example_db_errors::{read_timeout, unavailable};
use scylla_proxy::{Condition, Reaction, ResponseFrame, ResponseOpcode, ResponseReaction, ResponseRule};
use tests::faults::after;
use tests::servers::{Cassandra, keyspace_name};
use tests::store::{Outcome, append, bring_on, texts};
use uuid::Uuid;

use super::{beside, late, log_of, opened, unknown};

const LIST: Projection = Projection::Conversations;

/// Answers with these bytes in them, so many of them, that come as another one.
fn instead(bytes: &[u8], times: usize, error: scylla::errors::DbError) -> ResponseRule {
    let some = Condition::ResponseOpcode(ResponseOpcode::Result)
        .and(Condition::BodyContainsCaseSensitive(bytes.into()))
        .and(Condition::TrueForLimitedTimes(times));
    let reaction = ResponseReaction::transform_frame(Arc::new(move |frame: ResponseFrame| {
        ResponseFrame::forged_error(frame.params, error.clone(), None).unwrap_or(frame)
    }));
    ResponseRule(some, reaction)
}

/// An append that was done, and of which its writer never heard, is found to be missing in the list.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_row_is_brought_on_for_an_append_that_nobody_knows_of() -> Outcome {
    let (store, mut proxy, _folder) = unknown::open().await?;
    let shared: SharedStore = Arc::clone(&store) as SharedStore;
    let (key, claim) = opened(&store, &["one"]).await?;
    bring_on(&shared, key).await?;
    let mut cursor = store.cursor(LIST).await?;
    loop {
        let look = store.behind(LIST, cursor, 100).await?;
        store.advance(LIST, look.cursor).await?;
        cursor = look.cursor;
        if look.is_all {
            break;
        }
    }
    let node = proxy.running_nodes.first_mut().context("the proxy has a node")?;
    let lost = vec![after(1.0), instead(b"due_mark", 100, read_timeout())];
    node.change_response_rules(Some(lost));
    let told = store.append(append(key, claim, &["two"])).await;
    ensure!(matches!(told, Err(StoreError::Unknown(_))), "{told:?}");
    proxy.turn_off_rules();
    ensure!(texts(&shared, key).await? == ["one", "two"], "it was done");
    let look = store.behind(LIST, cursor, 100).await?;
    ensure!(look.keys == [key], "its row is behind: {look:?}");
    unknown::end(proxy).await;
    Ok(())
}

/// What was looked at and could not be dropped is dropped when it is tried again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_looked_at_does_not_stay_when_a_drop_fails() -> Outcome {
    let keyspace = keyspace_name();
    let (store, mut proxy, _folder) = unknown::open_in(&keyspace).await?;
    let session = beside(Cassandra::shared()?, &keyspace).await?;
    let touched = async || -> anyhow::Result<Vec<(Uuid,)>> {
        let rows = session.query_unpaged("SELECT writer FROM touched", ()).await?.into_rows_result()?;
        Ok(rows.rows()?.collect::<Result<_, _>>()?)
    };
    let (key, _) = opened(&store, &["one"]).await?;
    bring_on(&(Arc::clone(&store) as SharedStore), key).await?;
    let mut look = store.behind(LIST, store.cursor(LIST).await?, 100).await?;
    while !look.is_all {
        look = store.behind(LIST, look.cursor, 100).await?;
    }
    let writer = touched().await?.first().context("it is told to be touched")?.0;
    let node = proxy.running_nodes.first_mut().context("the proxy has a node")?;
    node.change_request_rules(Some(vec![unknown::without(writer.as_bytes())]));
    ensure!(store.advance(LIST, look.cursor).await.is_err(), "it is told that something stays");
    proxy.turn_off_rules();
    ensure!(!touched().await?.is_empty(), "it stays");
    store.advance(LIST, look.cursor).await?;
    ensure!(touched().await?.is_empty(), "it is dropped");
    unknown::end(proxy).await;
    Ok(())
}

/// A condition that was decided, of which is told that too few replicas can be reached.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn too_few_replicas_does_not_mean_that_nothing_was_done() -> Outcome {
    let (store, mut proxy, _folder) = unknown::open().await?;
    let shared: SharedStore = Arc::clone(&store) as SharedStore;
    let (key, mut claim) = opened(&store, &["one"]).await?;
    let scope = Scope::Tenant(TenantId::generate());
    let name = |id: &str| RecordName { scope, kind: "keyed", id: id.into() };
    let mut rule = |times| -> anyhow::Result<()> {
        let node = proxy.running_nodes.first_mut().context("the proxy has a node")?;
        node.change_response_rules(Some(vec![instead(b"[applied]", times, unavailable())]));
        Ok(())
    };
    rule(1)?;
    store.append(append(key, claim, &["two"])).await?;
    claim.head += 1;
    rule(1)?;
    store.append(append(key, claim, &["three", "four"])).await?;
    ensure!(texts(&shared, key).await? == ["one", "two", "three", "four"], "each is there once");
    rule(1)?;
    ensure!(store.put(name("a"), 0, b"1".to_vec()).await? == 1, "it is created");
    rule(1)?;
    ensure!(store.put(name("a"), 1, b"2".to_vec()).await? == 2, "it is changed");
    ensure!(store.scan(scope, "keyed", None, 9).await?.len() == 1, "it is found");
    rule(1)?;
    store.delete(name("a"), 2).await?;
    ensure!(store.get(name("a")).await?.is_none(), "it is gone");
    unknown::end(proxy).await;
    Ok(())
}

/// What may yet be done is not said to be sure not to be.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_may_yet_come_is_unknown() -> Outcome {
    let keyspace = keyspace_name();
    let (store, mut proxy, _folder) = unknown::open_in(&keyspace).await?;
    let session = beside(Cassandra::shared()?, &keyspace).await?;
    let shared: SharedStore = Arc::clone(&store) as SharedStore;
    let (key, claim) = opened(&store, &["one"]).await?;
    let log = log_of(&session, key).await?;
    let (rule, mut late) = late::keep(&[log.as_bytes(), b"contact"], 100);
    proxy.running_nodes.first_mut().context("the proxy has a node")?.change_request_rules(Some(vec![rule]));
    let told = store.append(append(key, claim, &["two"])).await;
    ensure!(matches!(told, Err(StoreError::Unknown(_))), "an append: {told:?}");
    proxy.turn_off_rules();
    ensure!(texts(&shared, key).await? == ["one"], "it has not come yet");
    ensure!(late.arrive().await? > 0, "none was kept");
    ensure!(texts(&shared, key).await? == ["one", "two"], "it came");

    let (key, claim) = opened(&store, &["one"]).await?;
    let (log, at) = (log_of(&session, key).await?, 4_000_000_000_000_i64);
    let (key_of, Claim { epoch, head, .. }) = (key, claim);
    store.reschedule(Reschedule { key: key_of, epoch, head, at: Some(Timestamp::from_millis(at)) }).await?;
    let (rule, mut late) = late::keep(&[log.as_bytes(), &(at + 7).to_be_bytes()], 100);
    proxy.running_nodes.first_mut().context("the proxy has a node")?.change_request_rules(Some(vec![rule]));
    let told = store.reschedule(Reschedule { key, epoch, head, at: Some(Timestamp::from_millis(at + 7)) }).await;
    ensure!(matches!(told, Err(StoreError::Unknown(_))), "a rescheduling: {told:?}");
    proxy.turn_off_rules();
    ensure!(late.arrive().await? > 0, "none was kept");
    unknown::end(proxy).await;
    Ok(())
}
