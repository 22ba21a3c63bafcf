//! The store on real clusters: it keeps every promise that the other adapters keep, and those of many nodes.

mod dues;
mod ends;
mod erasing;
mod late;
mod listing;
mod lost;
mod nodes;
mod openings;
mod records;
mod segments;
mod unknown;
mod writers;

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use anyhow::ensure;
use engine_store::cql::{CqlOptions, CqlStore};
use engine_store::{Claim, Log, SharedStore};
use schema::{ContactId, ConversationKey, NodeId};
use scylla::client::session::Session;
use scylla::client::session_builder::SessionBuilder;
use tempfile::TempDir;
use tests::servers::cassandra::Paxos;
use tests::servers::{Cassandra, keyspace_name};
use tests::store::{Outcome, append, conform, fresh_key, opening};
use tests::{PATIENCE, look_again};
use uuid::Uuid;

/// A store on a cluster of one node, in a keyspace of its own.
async fn open(contact_point: &str, keyspace: &str, folder: &Path) -> anyhow::Result<Arc<CqlStore>> {
    Ok(Arc::new(CqlStore::open(options(contact_point, keyspace, folder), 2).await?))
}

pub(super) fn options(contact_point: &str, keyspace: &str, folder: &Path) -> CqlOptions {
    CqlOptions {
        node: NodeId::generate(),
        contact_points: vec![contact_point.into()],
        addresses: HashMap::new(),
        keyspace: keyspace.into(),
        user: None,
        tls: None,
        datacenter: None,
        replicas: 1,
        root_key: folder.join("root"),
    }
}

/// A session beside the store, to look at its tables and to leave things in them as a node would that was killed.
async fn beside(contact_point: &str, keyspace: &str) -> anyhow::Result<Session> {
    let session = SessionBuilder::new().known_node(contact_point).use_keyspace(keyspace, false).build().await?;
    Ok(session)
}

/// A store in a new keyspace, a session beside it, and the folder with its root key.
async fn fresh() -> anyhow::Result<(Arc<CqlStore>, Session, TempDir)> {
    let (folder, keyspace, contact_point) = (tempfile::tempdir()?, keyspace_name(), Cassandra::shared()?);
    let store = open(contact_point, &keyspace, folder.path()).await?;
    Ok((store, beside(contact_point, &keyspace).await?, folder))
}

/// The log of a conversation.
async fn log_of(session: &Session, key: ConversationKey) -> anyhow::Result<Uuid> {
    let values = (key.tenant.as_bytes().as_slice(), key.conversation.as_bytes().as_slice());
    let answer = session.query_unpaged("SELECT log FROM conversation WHERE tenant = ? AND id = ?", values).await?;
    Ok(answer.into_rows_result()?.first_row::<(Uuid,)>()?.0)
}

/// Rows that a statement gives.
async fn count(session: &Session, statement: &str, log: Uuid) -> anyhow::Result<i64> {
    let answer = session.query_unpaged(statement, (log,)).await?;
    Ok(answer.into_rows_result()?.first_row::<(i64,)>()?.0)
}

/// Looks again and again whether something is so.
async fn until(what: &str, mut is_so: impl AsyncFnMut() -> anyhow::Result<bool>) -> anyhow::Result<()> {
    let started = Instant::now();
    while !is_so().await? {
        ensure!(started.elapsed() < PATIENCE, "{what} did not come");
        look_again().await;
    }
    Ok(())
}

/// Opens a conversation with somebody, in which these words are said.
async fn said(store: &CqlStore, key: ConversationKey, words: &[&str]) -> anyhow::Result<Claim> {
    let claim = store.claim(key, opening(ContactId::generate(), 0)).await?;
    store.append(append(key, claim, words)).await?;
    Ok(Claim { head: words.len() as u64, ..claim })
}

/// A new conversation with these words.
async fn opened(store: &CqlStore, words: &[&str]) -> anyhow::Result<(ConversationKey, Claim)> {
    let key = fresh_key();
    Ok((key, said(store, key, words).await?))
}

/// Every case, most of them on one store; one that compares all that a store has gets a keyspace of its own.
async fn conforms(contact_point: &str) -> Outcome {
    let folder = tempfile::tempdir()?;
    let shared = open(contact_point, &keyspace_name(), folder.path()).await? as SharedStore;
    conform(async |case| {
        if case.starts_with("random") {
            return Ok(open(contact_point, &keyspace_name(), folder.path()).await? as SharedStore);
        }
        Ok(Arc::clone(&shared))
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_store_conforms() -> Outcome {
    conforms(Cassandra::shared()?).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_store_conforms_with_the_older_paxos() -> Outcome {
    let cassandra = Cassandra::one().paxos(Paxos::V1).start()?;
    conforms(&cassandra.contact_points()[0].to_string()).await
}
