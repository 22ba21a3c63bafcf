//! Openings of conversations that come late, and what is left of those that nobody finished.

use anyhow::{Context, ensure};
use engine_store::{Log, Opening, StoreError};
use schema::{ContactId, Timestamp};
use tests::servers::{Cassandra, keyspace_name};
use tests::store::{Outcome, append, fresh_key, opening};

use super::{beside, late, log_of, open, unknown};

/// Nobody knew whether it would be done, and then it was: its id is as good as any other.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_opening_that_comes_late_is_a_conversation() -> Outcome {
    let (store, mut proxy, _folder) = unknown::open_in(&keyspace_name()).await?;
    let (key, contact) = (fresh_key(), ContactId::generate());
    let at = Timestamp::from_millis(1_234_567_890_123);
    let opening = Opening { contact, is_anonymous: true, at };
    let (rule, mut late) = late::keep(&[contact.as_bytes(), &at.as_millis().to_be_bytes()], 100);
    proxy.running_nodes.first_mut().context("the proxy has a node")?.change_request_rules(Some(vec![rule]));
    let told = store.claim(key, Some(opening.clone())).await;
    ensure!(matches!(told, Err(StoreError::Unknown(_))), "{told:?}");
    proxy.turn_off_rules();
    ensure!(late.arrive().await? > 0, "none was kept");
    let claim = store.claim(key, Some(opening)).await?;
    ensure!(claim.head == 0, "{claim:?}");
    store.append(append(key, claim, &["one"])).await?;
    ensure!(store.read(key, 0, engine_store::PageBounds::FULL).await?.events.len() == 1, "it is read");
    unknown::end(proxy).await;
    Ok(())
}

/// A conversation of which the key has ended is nobody's: whoever wants its id gets a new one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_id_is_not_dead_for_good() -> Outcome {
    let (folder, keyspace, contact_point) = (tempfile::tempdir()?, keyspace_name(), Cassandra::shared()?);
    let session = beside(contact_point, "system").await?;
    let first = open(contact_point, &keyspace, folder.path()).await?;
    session.use_keyspace(&keyspace, false).await?;
    let key = fresh_key();
    first.claim(key, opening(ContactId::generate(), 0)).await?;
    let log = log_of(&session, key).await?;
    let end = format!("INSERT INTO {keyspace}_keys.conversation_key (log, wrapped, ended) VALUES (?, null, true)");
    session.query_unpaged(end, (log,)).await?;
    let second = open(contact_point, &keyspace, folder.path()).await?;
    ensure!(second.claim(key, None).await == Err(StoreError::NotFound), "its key has ended");
    let claim = second.claim(key, opening(ContactId::generate(), 0)).await?;
    ensure!((claim.epoch, claim.head) == (1, 0), "{claim:?}");
    ensure!(log_of(&session, key).await? != log, "it has another log");
    second.append(append(key, claim, &["one"])).await?;
    Ok(())
}
