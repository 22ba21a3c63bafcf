//! How a node comes among others, and how it leaves them.
//! Invariant: it leaves membership only when it owns nothing any more, as others take what a node that left has had.

use std::io;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use actix_rt::Arbiter;
use actors::{Peers, System};
use engine_cluster::{Cluster, ClusterError, ClusterOptions, RedisOptions};
use engine_config::{Config, Redis};
use engine_store::Member;
use secrecy::{ExposeSecret, SecretString};
use tokio::net::TcpListener;
use tokio::sync::oneshot;

use super::membership::Members;
use super::news::Teller;
use super::seat::Seat;
use crate::learning;
use crate::peers::{Ends, PeerSecret, SecretFrom, TlsSetupError, Transport};
use crate::stores::{Shared, TlsError, trusting_system};

/// How long the first look at other nodes may take.
const LOOK_ROUND_MAX: Duration = Duration::from_secs(10);
/// How long the thread of the links has for its last words.
const LAST_WORDS: Duration = Duration::from_millis(100);
/// How long it is waited for that thread to end.
const LINKS_END_MAX: Duration = Duration::from_secs(2);

/// Why a node could not join the others.
#[derive(Debug, thiserror::Error)]
pub enum JoinError {
    #[error(transparent)]
    Cluster(#[from] ClusterError),
    #[error(transparent)]
    Tls(#[from] TlsSetupError),
    #[error("the authorities that Redis is checked by: {0}")]
    Redis(#[from] TlsError),
    #[error("{0}")]
    Io(#[from] io::Error),
}

/// A node's place among others, from before it has conversations until it has none any more.
pub(crate) struct Joined {
    cluster: Arc<Cluster>,
    listener: std::net::TcpListener,
    secret: PeerSecret,
    ends: Ends,
    teller: Teller,
}

/// The links of a node that serves.
pub(crate) struct Linked {
    cluster: Arc<Cluster>,
    links: Arbiter,
}

/// Sees whether the configuration has what [`join`] needs, where the store is shared. Redis may be away for a while: that
/// keeps nobody from joining.
///
/// # Errors
/// What it has wrong.
pub(crate) fn see(config: &Config) -> Result<(), JoinError> {
    redis(&config.redis)?;
    Ok(())
}

/// Begins to beat, and to tell the others what this node writes that they may remember.
///
/// # Errors
/// What the configuration has wrong, or the system refuses.
pub(crate) fn join(config: &Config, seat: Seat, shared: Shared) -> Result<Joined, JoinError> {
    let version = env!("CARGO_PKG_VERSION").into();
    let me = Member { id: shared.node, address: seat.address, version, owns: config.conversations.own };
    let redis = redis(&config.redis)?;
    let shown = config.peer.secret.as_ref().map_or(SecretFrom::Derived(shared.secret), chosen);
    let secret = PeerSecret::new(&shared.installation, shown, config.peer.secret_also.as_ref().map(chosen));
    let (before, installation, sign_key) = (shared.before, shared.installation, shared.sign_key);
    let options = ClusterOptions { me, before, installation, redis, sign_key };
    let cluster = Arc::new(Cluster::start(options, Some(shared.nodes))?);
    let (teller, telling) = Teller::new(Arc::clone(&cluster));
    actix_web::rt::spawn(telling);
    let told = teller.clone();
    // Nobody else is told in this process.
    let _ = (shared.on_record)(Arc::new(move |name, over| told.wrote(name, over)));
    Ok(Joined { cluster, listener: seat.listener, secret, ends: Ends::new()?, teller })
}

impl Joined {
    /// Waits until it is known who else lives, or that nobody can be asked: whoever is not known yet must not be taken
    /// for dead.
    pub(crate) async fn look_round(&self) {
        if tokio::time::timeout(LOOK_ROUND_MAX, self.cluster.looked_round()).await.is_err() {
            tracing::warn!("it is not known yet which other nodes live");
        }
    }

    /// What conversations need of it.
    pub(crate) fn peers(&self) -> Arc<dyn Peers> {
        Arc::new(Members(Arc::clone(&self.cluster)))
    }

    /// What the learning of sites needs of it.
    pub(crate) fn nodes(&self) -> Arc<dyn learning::Others> {
        Arc::new(Members(Arc::clone(&self.cluster)))
    }

    /// What the node knows of others.
    pub(crate) const fn cluster(&self) -> &Arc<Cluster> {
        &self.cluster
    }

    /// Where it is left that a tenant's documents have changed.
    pub(crate) const fn teller(&self) -> &Teller {
        &self.teller
    }

    /// Begins to make links to others, on a thread of their own.
    pub(crate) fn link(self, system: Arc<System>, jitter: fn() -> f64) -> Linked {
        let Self { cluster, listener, secret, ends, teller: _ } = self;
        let (me, living) = (cluster.me().id, cluster.living());
        let (links, threads) = (Arbiter::new(), cluster.threads().clone());
        links.spawn_fn(move || {
            actix_web::rt::spawn(threads.turn("links"));
            actix_web::rt::spawn(async move {
                match TcpListener::from_std(listener) {
                    Ok(listener) => Transport::new(me, system, ends, secret, jitter).run(listener, living).await,
                    Err(error) => tracing::error!(%error, "the internal listener cannot be used"),
                }
            });
        });
        Linked { cluster, links }
    }
}

impl Linked {
    /// Leaves the others: when the node has no conversation any more.
    pub(crate) async fn leave(self) {
        self.cluster.goodbye().await;
        // What is under way over links was answered when conversations ended.
        tokio::time::sleep(LAST_WORDS).await;
        self.links.stop();
        let (ended, has_ended) = oneshot::channel();
        // On a thread that nobody waits for: one that hangs must not keep the node from ending.
        let waiting = thread::Builder::new().name("links-end".into()).spawn(move || {
            let joined = self.links.join();
            // Whoever waited has given up.
            let _ = ended.send(joined.is_ok());
        });
        let in_order = waiting.is_ok() && matches!(tokio::time::timeout(LINKS_END_MAX, has_ended).await, Ok(Ok(true)));
        if !in_order {
            tracing::warn!("the links to other nodes did not end in good order");
        }
        self.cluster.close();
    }
}

fn chosen(words: &SecretString) -> SecretFrom<'_> {
    SecretFrom::Chosen(words.expose_secret())
}

fn redis(settings: &Redis) -> Result<Option<RedisOptions>, TlsError> {
    let Some(url) = &settings.url else { return Ok(None) };
    let tls = if url.tls { Some(trusting_system()?) } else { None };
    Ok(Some(RedisOptions {
        host: url.host.clone(),
        port: url.port,
        user: url.user.clone().or_else(|| settings.user.clone()),
        password: url.password.clone().or_else(|| settings.password.clone()),
        database: url.database,
        tls,
    }))
}
