//! Answers that leave it open whether something was done: before it was, and after. Nothing that was acknowledged is
//! lost, and nothing is there twice.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::{Context, ensure};
use engine_store::cql::{CqlOptions, CqlStore};
use engine_store::{Claim, Log, SharedStore, StoreError};
use futures_util::future::try_join_all;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use schema::{ContactId, ConversationKey, Seq};
use scylla_proxy::example_db_errors::write_timeout;
use scylla_proxy::{Condition, Node, Proxy, RequestOpcode, RequestReaction, RequestRule, RunningProxy, ShardAwareness};
use tests::faults::{after, before};
use tests::servers::{Cassandra, keyspace_name};
use tests::store::{Outcome, append, fresh_key, opening, seed, texts};

use super::options;

/// A store whose way to the cluster goes through a proxy.
pub(super) async fn open() -> anyhow::Result<(Arc<CqlStore>, RunningProxy, tempfile::TempDir)> {
    open_in(&keyspace_name()).await
}

/// Ends a proxy. It may panic at its own end, when a worker of its ends sooner than it looks: that says nothing of a test.
pub(super) async fn end(proxy: RunningProxy) {
    drop(tokio::spawn(proxy.finish()).await);
}

/// The same as [`open`], in a keyspace.
pub(super) async fn open_in(keyspace: &str) -> anyhow::Result<(Arc<CqlStore>, RunningProxy, tempfile::TempDir)> {
    let folder = tempfile::tempdir()?;
    let real: SocketAddr = Cassandra::shared()?.parse()?;
    // The driver takes the port of all nodes to be that of the one that it asks first.
    let at = SocketAddr::new(scylla_proxy::get_exclusive_local_address(), real.port());
    let node = Node::builder().real_address(real).proxy_address(at);
    let node = node.shard_awareness(ShardAwareness::Unaware).build();
    let proxy = Proxy::builder().with_node(node).build();
    let addresses = proxy.translation_map();
    let proxy = proxy.run().await?;
    let through = CqlOptions { addresses, ..options(&at.to_string(), keyspace, folder.path()) };
    Ok((Arc::new(CqlStore::open(through, 2).await?), proxy, folder))
}

/// Statements with these bytes among their values are not passed on, and answered with a time-out.
pub(super) fn without(bytes: &[u8]) -> RequestRule {
    let with = Condition::RequestOpcode(RequestOpcode::Execute).and(Condition::BodyContainsCaseSensitive(bytes.into()));
    RequestRule(with, RequestReaction::forge_with_error(write_timeout()))
}

/// Appends as an owner does, which asks again after what surely was not done and looks after what may have been; gives
/// what it was told is stored.
async fn owner(
    store: Arc<CqlStore>,
    key: ConversationKey,
    who: u64,
    seed: u64,
) -> anyhow::Result<BTreeMap<Seq, String>> {
    let shared: SharedStore = Arc::clone(&store) as SharedStore;
    let mut random = StdRng::seed_from_u64(seed.wrapping_add(who));
    let mut acknowledged = BTreeMap::new();
    let mut claim: Option<Claim> = None;
    for step in 0..40 {
        let words: Vec<String> = (0..random.random_range(1..4)).map(|n| format!("{who}.{step}.{n}")).collect();
        let owned = match claim.filter(|_| !random.random_bool(0.05)) {
            Some(claim) => claim,
            None => match store.claim(key, None).await {
                Ok(claim) => claim,
                Err(StoreError::Unavailable(_) | StoreError::Unknown(_) | StoreError::Busy) => continue,
                Err(error) => return Err(error.into()),
            },
        };
        let batch = append(key, owned, &words.iter().map(String::as_str).collect::<Vec<_>>());
        let stored = loop {
            match store.append(batch.clone()).await {
                Ok(()) => break true,
                Err(StoreError::Fenced) => break false,
                Err(StoreError::Unavailable(_) | StoreError::Busy) => {}
                Err(StoreError::Unknown(_)) => {
                    // What stands there decides; while that cannot be read it is open.
                    if let Ok(found) = texts(&shared, key).await {
                        let from = usize::try_from(owned.head)?;
                        match found.get(from..) {
                            Some(rest) if rest.starts_with(&words) => break true,
                            Some([]) | None => {}
                            Some(_) => break false,
                        }
                    }
                }
                Err(error) => return Err(error.into()),
            }
        };
        if stored {
            acknowledged.extend((owned.head + 1..).zip(words.iter().cloned()));
            claim = Some(Claim { head: owned.head + words.len() as Seq, ..owned });
        } else {
            claim = None;
        }
    }
    Ok(acknowledged)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_left_open_is_settled() -> Outcome {
    let seed = seed();
    let (store, mut proxy, _folder) = open().await?;
    let keys: Vec<ConversationKey> = (0..4).map(|_| fresh_key()).collect();
    for key in &keys {
        store.claim(*key, opening(ContactId::generate(), 0)).await?;
    }
    let node = proxy.running_nodes.first_mut().context("the proxy has a node")?;
    node.change_request_rules(Some(vec![before(0.03)]));
    node.change_response_rules(Some(vec![after(0.15)]));
    let owners = keys.iter().flat_map(|key| (0..2).map(|who| (*key, who)));
    let owners = owners.map(|(key, who)| {
        let store = Arc::clone(&store);
        tokio::spawn(async move { owner(store, key, who, seed).await.map(|told| (key, told)) })
    });
    let owners = try_join_all(owners).await?;
    proxy.turn_off_rules();
    let mut acknowledged: BTreeMap<ConversationKey, BTreeMap<Seq, String>> = BTreeMap::new();
    for told in owners {
        let (key, told) = told.with_context(|| format!("seed {seed}"))?;
        for (seq, text) in told {
            let other = acknowledged.entry(key).or_default().insert(seq, text);
            ensure!(other.is_none(), "two were told that {seq} is theirs, seed {seed}");
        }
    }
    let shared: SharedStore = store as SharedStore;
    for key in keys {
        let found = texts(&shared, key).await?;
        let told = acknowledged.remove(&key).unwrap_or_default();
        ensure!(told.len() >= 20, "{} were stored, seed {seed}", told.len());
        for (seq, text) in &told {
            let stands = found.get(usize::try_from(*seq - 1)?);
            ensure!(stands == Some(text), "{seq} is {stands:?} and was told to be {text:?}, seed {seed}");
        }
        let mut once = found.clone();
        once.sort_unstable();
        once.dedup();
        ensure!(once.len() == found.len(), "some are there twice, seed {seed}");
    }
    Ok(())
}
