//! All of it together, as whoever builds a node sees it.
//! Invariant: it starts at once whatever answers, runs on a thread of its own, so that a node that is busy still beats,
//! and ends without waiting for anything for longer than it says.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use engine_store::{Member, Nodes};
use schema::NodeId;
use tokio::runtime::Runtime;
use tokio::sync::watch;
use tokio::time::timeout;

use crate::changes::Changes;
use crate::counters::Counters;
use crate::held::Held;
use crate::living::{Living, Sight};
use crate::membership::Source;
use crate::redis::{Redis, RedisOptions};
use crate::runner::{self, Own, Place, Told};
use crate::signs::{RedisSigns, SignKey};
use crate::threads::Threads;

/// How long a goodbye may take.
const GOODBYE_WITHIN: Duration = Duration::from_secs(3);

/// What a node says of itself, and where it finds others.
#[derive(Debug)]
pub struct ClusterOptions {
    /// The node as others are to know it.
    pub me: Member,
    /// The node that was here before, if it is dead for certain: as when only one at a time can have its data directory.
    pub before: Option<NodeId>,
    /// What all nodes of this installation call it, and no other one on the same Redis: of a-z, 0-9, `-` and `_`.
    pub installation: String,
    /// Where Redis is, if there is one.
    pub redis: Option<RedisOptions>,
    /// By what signs in Redis are known to be of nodes of this installation.
    pub sign_key: SignKey,
}

/// Why there is no cluster.
#[derive(Debug, thiserror::Error)]
pub enum ClusterError {
    #[error("{0:?} is no name for an installation: take 1 to 80 of a-z, 0-9, - and _")]
    Name(String),
    #[error("the thread of the cluster cannot start: {0}")]
    Thread(std::io::Error),
}

/// What this node knows of the others of its installation, and tells them.
pub struct Cluster {
    me: Member,
    living: watch::Receiver<Arc<Living>>,
    ids: watch::Receiver<Arc<[NodeId]>>,
    doubts: watch::Receiver<u64>,
    looked: watch::Receiver<bool>,
    threads: Threads,
    counters: Counters,
    held: Held,
    changes: Changes,
    leave: watch::Sender<bool>,
    /// Ends when the goodbyes are said.
    stays: watch::Receiver<()>,
    /// None once it is closed.
    runtime: Mutex<Option<Runtime>>,
}

impl Cluster {
    /// Begins to beat, and to look for others: in the store's rows and in Redis, as far as there are any. With neither
    /// the node is a single one.
    ///
    /// # Errors
    /// When the installation has no proper name, or the system gives no thread. That nothing answers is no error.
    pub fn start(options: ClusterOptions, store: Option<Arc<dyn Nodes>>) -> Result<Self, ClusterError> {
        let ClusterOptions { me, before, installation, redis, sign_key } = options;
        let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'_');
        if installation.is_empty() || installation.len() > 80 || !installation.bytes().all(is_plain) {
            return Err(ClusterError::Name(installation));
        }
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("cluster")
            .enable_all()
            .build()
            .map_err(ClusterError::Thread)?;
        let within = runtime.enter();
        let redis = redis.map(|redis| {
            // A connection that is subscribed is one that is flooded, perhaps: nothing else goes over it.
            let told = Arc::default();
            (Redis::connect(&redis, &installation, &told), Redis::connect(&redis, &installation, &told))
        });
        let (redis, of_changes) = redis.unzip();
        let mut places = Vec::new();
        if let Some(redis) = &redis {
            places.push(Place { source: Source::Redis, nodes: Arc::new(RedisSigns::new(redis.clone(), sign_key)) });
        }
        if let Some(nodes) = store {
            places.push(Place { source: Source::Store, nodes });
        }
        let sight = if places.is_empty() { Sight::Single } else { Sight::Blind };
        let alone = Arc::new(Living::alone(me.clone(), sight));
        let (told_living, living) = watch::channel(alone);
        let (told_ids, ids) = watch::channel(Arc::from([me.id]));
        let (told_doubts, doubts) = watch::channel(0);
        let (told_looked, looked) = watch::channel(false);
        let threads = Threads::default();
        let (leave, leaves) = watch::channel(false);
        let (said, stays) = watch::channel(());
        let own = Own { me: me.clone(), before, threads: threads.clone() };
        let all = Told { living: told_living, ids: told_ids, looked: told_looked, doubts: told_doubts };
        let running = runner::run(own, places, all, leaves);
        runtime.spawn(async move {
            running.await;
            drop(said);
        });
        let counters = Counters::new(redis.clone(), living.clone());
        let held = Held::new(me.id, redis.clone(), living.clone());
        let changes = Changes::new(me.id, redis, of_changes);
        drop(within);
        let runtime = Mutex::new(Some(runtime));
        Ok(Self { me, living, ids, doubts, looked, threads, counters, held, changes, leave, stays, runtime })
    }

    /// This node.
    #[must_use]
    pub const fn me(&self) -> &Member {
        &self.me
    }

    /// Who lives, as it changes.
    #[must_use]
    pub fn living(&self) -> watch::Receiver<Arc<Living>> {
        self.living.clone()
    }

    /// Only the ids of those who live, lowest first.
    #[must_use]
    pub fn ids(&self) -> watch::Receiver<Arc<[NodeId]>> {
        self.ids.clone()
    }

    /// Counts the times that others may have held this node for dead, as it left no sign for longer than one surely
    /// lasts: what it has may have been claimed meanwhile.
    #[must_use]
    pub fn doubts(&self) -> watch::Receiver<u64> {
        self.doubts.clone()
    }

    /// Waits until each place of signs was looked into once, or could not be: before that, who is not known may live.
    pub async fn looked_round(&self) {
        // It ends with the cluster, of which nobody asks anything then.
        let _ = self.looked.clone().wait_for(|looked| *looked).await;
    }

    /// The threads that have to turn over for this node to count as alive.
    #[must_use]
    pub const fn threads(&self) -> &Threads {
        &self.threads
    }

    /// Whose chore it is, as this node sees it now: see [`Living::owner_of`].
    #[must_use]
    pub fn owner_of(&self, chore: u64, among: &dyn Fn(NodeId) -> bool) -> Option<NodeId> {
        self.living.borrow().owner_of(chore, among)
    }

    /// By what the node sees others now, for whoever asks whether it is well.
    #[must_use]
    pub fn sight(&self) -> Sight {
        self.living.borrow().sight
    }

    /// What all nodes together use of their limits.
    #[must_use]
    pub const fn counters(&self) -> &Counters {
        &self.counters
    }

    /// What each node holds at this moment.
    #[must_use]
    pub const fn held(&self) -> &Held {
        &self.held
    }

    /// What has changed elsewhere, and where it is told what has changed here.
    #[must_use]
    pub const fn changes(&self) -> &Changes {
        &self.changes
    }

    /// Tells the others that this node leaves, gives back what it holds of budgets, and waits until that is said, three
    /// seconds at most. From then on it has no chores, and nobody asks it for anything; counters and changes work on.
    pub async fn goodbye(&self) {
        self.leave.send_replace(true);
        let mut stays = self.stays.clone();
        let said = async {
            tokio::join!(self.counters.give_back(), async {
                // It ends by being dropped.
                while stays.changed().await.is_ok() {}
            })
        };
        if timeout(GOODBYE_WITHIN, said).await.is_err() {
            tracing::warn!("others could not be told goodbye in time");
        }
    }

    /// Ends it without a word, as a crash would. Does not block.
    pub fn close(&self) {
        let runtime = self.runtime.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(runtime) = runtime {
            runtime.shutdown_background();
        }
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        self.close();
    }
}
