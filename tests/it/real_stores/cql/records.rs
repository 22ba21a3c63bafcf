//! Records in a cluster: writers that are stopped at any point, and answers that get lost.

use std::future::poll_fn;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Poll;

use anyhow::{Context, ensure};
use engine_store::{Pending, RecordKeys, RecordName, Scope, SharedStore, StoreError};
use futures_util::StreamExt;
use futures_util::future::try_join_all;
use futures_util::stream::iter;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use schema::TenantId;
use tests::faults::{after, before};
use tests::servers::{Cassandra, keyspace_name};
use tests::store::{Outcome, conform_in, seed, whole};

use super::{open, unknown};

const KIND: &str = "keyed";
const KEYS: [&str; 5] = ["a", "b", "c", "d", "e"];
/// Points at which a writer is stopped: more than any writing here has.
const STOPS: usize = 64;
const AT_ONCE: usize = 12;

/// What is done to the record `one`, which has the keys `a` and `b`; `giver` has `c`.
#[derive(Clone, Copy, Debug)]
enum Doing {
    Change,
    TakeOver,
    Create,
    Remove,
}

impl Doing {
    fn ask(self, store: &SharedStore, scope: Scope) -> Pending<u64> {
        match self {
            Self::Change => put(store, scope, "one", 1, &["b", "d", "e"], None),
            Self::TakeOver => put(store, scope, "one", 1, &["b", "c"], Some("giver")),
            Self::Create => put(store, scope, "new", 0, &["d", "e"], None),
            Self::Remove => {
                let removed = store.delete(name(scope, "one"), 1);
                Box::pin(async move { removed.await.map(|()| 0) })
            }
        }
    }

    /// A key that it gives or takes, and by whom it is held once it is done.
    const fn key(self) -> (&'static str, Option<&'static str>) {
        match self {
            Self::Change => ("d", Some("one")),
            Self::TakeOver => ("c", Some("one")),
            Self::Create => ("e", Some("new")),
            Self::Remove => ("a", None),
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn records_and_keys_conform() -> Outcome {
    let folder = tempfile::tempdir()?;
    let store = open(Cassandra::shared()?, &keyspace_name(), folder.path()).await? as SharedStore;
    conform_in(&["records", "keys", "key_races"], async |_| Ok(Arc::clone(&store))).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn wherever_a_writer_is_stopped_others_get_on_and_all_is_whole() -> Outcome {
    let folder = tempfile::tempdir()?;
    let store = open(Cassandra::shared()?, &keyspace_name(), folder.path()).await? as SharedStore;
    for doing in [Doing::Change, Doing::TakeOver, Doing::Create, Doing::Remove] {
        let (stopped, done) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let tries = iter(1..=STOPS).map(|at| {
            let (store, stopped, done) = (&store, &stopped, &done);
            async move {
                let told = stop_at(store, doing, at).await.with_context(|| format!("{doing:?} stopped at {at}"))?;
                stopped.fetch_add(usize::from(told.is_stopped), Ordering::Relaxed);
                done.fetch_add(usize::from(told.is_stopped && told.is_done), Ordering::Relaxed);
                anyhow::Ok(())
            }
        });
        let tries: Vec<anyhow::Result<()>> = tries.buffer_unordered(AT_ONCE).collect().await;
        tries.into_iter().collect::<anyhow::Result<()>>()?;
        let (stopped, done) = (stopped.into_inner(), done.into_inner());
        ensure!(stopped < STOPS, "{doing:?} was never finished");
        ensure!(
            done > 0 && done < stopped,
            "{doing:?} was stopped at {stopped} points, {done} of them after it was done"
        );
    }
    Ok(())
}

/// What became of a writing that was stopped.
struct Told {
    is_stopped: bool,
    is_done: bool,
}

async fn stop_at(store: &SharedStore, doing: Doing, at: usize) -> anyhow::Result<Told> {
    let scope = Scope::Tenant(TenantId::generate());
    put(store, scope, "one", 0, &["a", "b"], None).await?;
    put(store, scope, "giver", 0, &["c"], None).await?;
    let mut asked = doing.ask(store, scope);
    let mut polls = 0;
    let answer = poll_fn(|context| {
        polls += 1;
        match asked.as_mut().poll(context) {
            Poll::Ready(answer) => Poll::Ready(Some(answer)),
            Poll::Pending if polls >= at => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
        }
    });
    let answer = answer.await;
    drop(asked);
    if let Some(answer) = &answer {
        ensure!(answer.is_ok(), "{answer:?}");
    }
    // Somebody else wants what it gives or takes, and learns whether it was done.
    let (key, holder) = doing.key();
    let other = put(store, scope, "other", 0, &[key], None).await;
    let is_done = match (&other, doing) {
        (Ok(1), Doing::Remove) => true,
        (Ok(1), Doing::Change | Doing::Create) => false,
        (Err(StoreError::Held { by }), Doing::Remove) => {
            ensure!(by == "one", "{by} has it");
            false
        }
        (Err(StoreError::Held { by }), _) if Some(by.as_str()) == holder => true,
        (Err(StoreError::Held { by }), Doing::TakeOver) if by == "giver" => false,
        (other, _) => anyhow::bail!("another one is told {other:?}"),
    };
    ensure!(is_done || answer.is_none(), "it was told that it is done, and is not");
    // The removal decides in one place: one that was under way when another looked may come a moment later.
    if !matches!(doing, Doing::Remove) {
        let id = if matches!(doing, Doing::Create) { "new" } else { "one" };
        let version = store.get(name(scope, id)).await?.map_or(0, |record| record.version);
        let wanted = if matches!(doing, Doing::Create) { 0 } else { 1 } + u64::from(is_done);
        // What takes over may be done after the other one was told who has it.
        let is_later = matches!(doing, Doing::TakeOver) && !is_done && version == wanted + 1;
        ensure!(version == wanted || is_later, "{id} is at {version}, wanted {wanted}");
    }
    // Whoever takes up the same record gets on, too. What is still under way at the store comes before or never.
    for id in ["one", "new", "giver"] {
        loop {
            let Some(found) = store.get(name(scope, id)).await? else { break };
            let keys = String::from_utf8(found.body)?;
            let keys: Vec<&str> = keys.split(',').filter(|key| !key.is_empty()).collect();
            match put(store, scope, id, found.version, &keys, None).await {
                Ok(_) => break,
                Err(StoreError::Conflict { found: now }) => ensure!(now != found.version, "no conflict at {now}"),
                // What was taken from it it says no more.
                Err(StoreError::Held { .. }) if id == "giver" => {
                    put(store, scope, id, found.version, &[], None).await?;
                    break;
                }
                Err(error) => return Err(error).with_context(|| format!("taking up {id}")),
            }
        }
    }
    whole(store, scope, &KEYS).await?;
    Ok(Told { is_stopped: answer.is_none(), is_done })
}

/// Writers of records that want the same keys, while one answer in some is lost before or after it was done.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_are_whole_whatever_was_left_open() -> Outcome {
    let seed = seed();
    let (store, mut proxy, _folder) = unknown::open().await?;
    let (store, scope) = (store as SharedStore, Scope::Tenant(TenantId::generate()));
    let node = proxy.running_nodes.first_mut().context("the proxy has a node")?;
    node.change_request_rules(Some(vec![before(0.03)]));
    node.change_response_rules(Some(vec![after(0.1)]));
    let writers = (0..5).map(|who| tokio::spawn(writer(Arc::clone(&store), scope, who, seed.wrapping_add(who))));
    let written = try_join_all(writers).await?;
    proxy.turn_off_rules();
    let written = written.into_iter().collect::<anyhow::Result<Vec<u64>>>().with_context(|| format!("seed {seed}"))?;
    ensure!(written.iter().sum::<u64>() >= 20, "only {written:?} were written, seed {seed}");
    whole(&store, scope, &KEYS).await.with_context(|| format!("seed {seed}"))
}

/// Writes one record, which nobody else does; what it was told stands there. Gives how often it was told that it wrote.
async fn writer(store: SharedStore, scope: Scope, who: u64, seed: u64) -> anyhow::Result<u64> {
    let mut random = StdRng::seed_from_u64(seed);
    let (id, mut written) = (format!("r{who}"), 0);
    // What stands there, where that is known.
    let mut known: Option<(u64, String)> = Some((0, String::new()));
    for step in 0..25 {
        let Some((version, body)) = known.clone() else {
            if let Ok(found) = store.get(name(scope, &id)).await {
                let found = found.map(|record| (record.version, String::from_utf8(record.body)));
                let (version, body) = found.unwrap_or((0, Ok(String::new())));
                known = Some((version, body?));
            }
            continue;
        };
        let keys: Vec<&str> = KEYS.into_iter().filter(|_| random.random_bool(0.3)).collect();
        let told = match random.random_range(0..6) {
            0 => store.delete(name(scope, &id), version).await.map(|()| (0, String::new())),
            1 => {
                let put = store.put(name(scope, &id), version, body.clone().into_bytes()).await;
                put.map(|version| (version, body.clone()))
            }
            _ => put(&store, scope, &id, version, &keys, None).await.map(|version| (version, keys.join(","))),
        };
        known = match told {
            Ok(now) => {
                written += 1;
                ensure!(now.0 == 0 || now.0 == version + 1, "step {step}: {id} went from {version} to {}", now.0);
                Some(now)
            }
            Err(StoreError::Unknown(_)) => None,
            // Surely not done: it stands as it did, whatever comes later.
            Err(StoreError::Held { .. } | StoreError::Unavailable(_) | StoreError::Busy) => Some((version, body)),
            Err(error) => return Err(error).with_context(|| format!("step {step}: {id} at {version}")),
        };
    }
    Ok(written)
}

fn put(
    store: &SharedStore,
    scope: Scope,
    id: &str,
    expected: u64,
    keys: &[&str],
    taken_from: Option<&str>,
) -> Pending<u64> {
    let body = keys.join(",").into_bytes();
    let keys = keys.iter().map(ToString::to_string).collect();
    let keys = RecordKeys { keys, taken_from: taken_from.map(str::to_owned) };
    store.put_with_keys(name(scope, id), expected, body, keys)
}

fn name(scope: Scope, id: &str) -> RecordName {
    RecordName { scope, kind: KIND, id: id.into() }
}
