//! Builds a node, top to bottom, in the order in which one thing needs another, and runs it until
//! it is told to stop. The one place that names concrete adapters; stores has one of its own.

use std::future::pending;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use actix_server::Server;
use actix_web::middleware::from_fn;
use actix_web::{App, web};
use actors::{Options, System, Worker};
use engine_config::Config;
use engine_documents::Reader;
use engine_knowledge::{Builtin, Knowledge, demo};
use engine_model::{Registry, RegistryError, SharedModel, install_crypto_provider};
use metrics_exporter_prometheus::PrometheusHandle;
use schema::TenantId;
use secrecy::SecretString;
use tokio::sync::watch;

use crate::access::{Access, Limiter, Rates};
use crate::answers::Answers;
use crate::auth::{ApiKeys, Authority, Logouts, TenantError, Tenants, TokenError, Tokens};
use crate::banner::Banner;
use crate::cluster::{self, Hearer, JoinError, Joined, Linked, Seat, SeatError};
use crate::connection::{Door, Ending, Proxies, open_files, serve};
use crate::http::{
    Counting, Edge, EdgeParts, ReadPlaces, Readiness, configure, cors, count, deliver, head, measure, only_metrics,
};
use crate::learning::Learning;
use crate::listening::{GivenError, ListenError, Listening, Use, Wanted};
use crate::session::{Presence, Sessions, follow};
use crate::socket::{Pace, SocketLimits, Sockets, Sweep};
use crate::stores::{self, Closing, Folder, OpenError, Opened};
use crate::takeover::{Offer, TakeOverError, Taker, take_over};
use crate::{drain, models, signals, telemetry};

/// Connections at the metrics' own address.
const METRICS_CONNECTIONS: usize = 64;
/// How often collected samples are folded into their buckets when nobody looks.
const UPKEEP_EVERY: Duration = Duration::from_secs(5);

/// Why a node did not start, in one line for whoever started it.
#[derive(Debug, thiserror::Error)]
pub enum NodeError {
    #[error(transparent)]
    Listen(#[from] ListenError),
    #[error(transparent)]
    Given(#[from] GivenError),
    #[error(transparent)]
    TakeOver(#[from] TakeOverError),
    #[error("the node that ran was told to go, and this one cannot follow it: {0}")]
    Follow(Box<NodeError>),
    #[error(transparent)]
    Open(#[from] OpenError),
    #[error(transparent)]
    Seat(#[from] SeatError),
    #[error("the node cannot join the others: {0}")]
    Join(#[from] JoinError),
    #[error("model: {0}")]
    Model(#[from] RegistryError),
    #[error("the demo tenant cannot be set up: {0}")]
    Tenant(#[from] TenantError),
    #[error("visitors' tokens cannot be sealed: {0}")]
    Token(#[from] TokenError),
    #[error("the metrics cannot be set up: {0}")]
    Metrics(#[from] metrics_exporter_prometheus::BuildError),
    #[error("{0}")]
    Io(#[from] io::Error),
}

/// A node that serves once it is polled.
pub struct Node {
    /// Where it listens.
    pub address: SocketAddr,
    /// Where it answers metrics, when not there.
    pub metrics_address: Option<SocketAddr>,
    /// The demo tenant.
    pub tenant: TenantId,
    /// Its key, if it was generated here; one that was given is not told again.
    pub api_key: Option<SecretString>,
    server: Server,
    ending: Ending,
    metrics_server: Option<(Server, Ending)>,
    system: Arc<System>,
    linked: Option<Linked>,
    learning: Learning,
    // Before the directory is given back: whoever has that puts an offer of its own there.
    offer: Option<Offer>,
    closing: Closing,
    /// Whether somebody keeps the listening sockets.
    is_kept: bool,
    drain: watch::Sender<Option<Duration>>,
    drain_timeout: Duration,
    metrics: PrometheusHandle,
}

/// Serves until the process is told to stop, then drains. Where it is to follow a node that runs on the same data
/// directory, it takes over its listening sockets first.
///
/// # Errors
/// Why it did not start.
pub fn run(config: Config, follows: bool) -> Result<(), NodeError> {
    telemetry::init_logs(&config.log);
    let wanted = Wanted::of(&config)?;
    let given = Listening::given(&wanted)?;
    let taken = if follows { follow_running(&config, &wanted)? } else { None };
    let sockets = taken.unwrap_or(given);
    actix_web::rt::System::new().block_on(async {
        let models = config.model_list.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        let (format, public_url) = (config.log.format, config.public_url.clone());
        signals::pass_over();
        let follows = sockets.follows().is_some();
        let built = Node::build_on(config, Options::default(), sockets).await;
        let node = built.map_err(|error| if follows { NodeError::Follow(Box::new(error)) } else { error })?;
        tracing::info!(address = %node.address, models, version = env!("CARGO_PKG_VERSION"), "listening");
        let stopped = signals::stopped(format);
        let banner = Banner {
            address: node.address,
            metrics_address: node.metrics_address,
            public_url: public_url.as_ref(),
            models: &models,
            api_key: node.api_key.as_ref(),
        };
        banner.write(format, &mut io::stdout().lock())?;
        node.serve(stopped).await
    })
}

impl Node {
    /// Builds everything; serves nothing yet. To be called inside an actix system. `options`
    /// replace the configuration's where tests need it.
    ///
    /// # Errors
    /// The first thing that is missing.
    pub async fn build(config: Config, options: Options) -> Result<Self, NodeError> {
        Self::build_on(config, options, Listening::default()).await
    }

    /// As [`Node::build`], on sockets that are there already.
    async fn build_on(config: Config, options: Options, mut sockets: Listening) -> Result<Self, NodeError> {
        install_crypto_provider();
        let metrics = telemetry::metrics()?;
        let (patience, is_kept) = (sockets.follows().unwrap_or_default(), sockets.is_kept());
        // First, so that a taken port is told before anything is touched.
        let listener = sockets.take_or_bind(Use::Http, config.listen)?;
        let address = listener.local_addr()?;
        let metrics_listener =
            config.metrics_listen.map(|address| sockets.take_or_bind(Use::Metrics, address)).transpose()?;
        let metrics_address = metrics_listener.as_ref().map(TcpListener::local_addr).transpose()?;
        let seat = Seat::take(&config, sockets.take(Use::Internal))?;
        let opened = stores::open_within(&config, Folder::New, patience).await?;
        let all = [
            (Use::Http, Some(&listener)),
            (Use::Metrics, metrics_listener.as_ref()),
            (Use::Internal, seat.as_ref().map(|seat| &seat.listener)),
        ];
        let kept = all.into_iter().filter_map(|(of, socket)| Some(socket?.try_clone().map(|socket| (of, socket))));
        let kept = kept.collect::<io::Result<Vec<_>>>()?;
        let Opened { store, clock, path, demo_file, demo_key, pepper, token_key, admin_key, shared, closing } = opened;
        let joined = match (seat, shared) {
            (Some(seat), Some(shared)) => {
                let joined = cluster::join(&config, seat, shared)?;
                joined.look_round().await;
                Some(joined)
            }
            _ => None,
        };
        let keys = Arc::new(ApiKeys::new(store.clone(), pepper));
        let tenants = Tenants::new(store.clone(), Arc::clone(&keys), demo_file).with_demo_key(demo_key);
        let now = clock.now();
        let demo = tenants.ensure_demo(config.api_key.as_ref(), now).await?;
        // Who gave the key knows it, and a terminal and its history are read by others.
        let shown_key = config.api_key.is_none().then_some(demo.key);
        let open_max = config.knowledge.indexes_open_max.get();
        let knowledge = Knowledge::with_open_max(&path, store.clone(), open_max);
        if config.knowledge.demo_documents
            && let Err(error) = knowledge.learn(demo.tenant, demo::documents(), now).await
        {
            tracing::warn!(tenant = %demo.tenant, %error, "the demo tenant could not learn this project's documentation");
        }
        let private = config.learning.private_hosts;
        let reader = Reader::new(None);
        let learning = Learning::new(knowledge.clone(), store.clone(), reader, clock.clone(), private);
        if let Some(joined) = &joined {
            learning.share(joined.nodes());
        }
        let builtin: SharedModel = Arc::new(Builtin);
        let settings = models::settings(&config);
        // A model that cannot be used is told now, not at the first question.
        Registry::new(settings.clone(), Some(Arc::clone(&builtin)))?;
        let workers = match config.server.workers {
            0 => std::thread::available_parallelism().map_or(1, usize::from),
            workers => workers,
        };
        let options = Options {
            rest_after: config.conversations.rest_after,
            unspoken_after: config.conversations.unspoken_after,
            wakes_at_once: config.conversations.wakes_at_once.get(),
            threads: workers,
            work_min: config.limits.work_min.get(),
            alone: joined.is_none(),
            peers: joined.as_ref().map(Joined::peers),
            ..options
        };
        let jitter = options.jitter;
        let system = System::new(store.clone(), Arc::new(knowledge.clone()), clock, options);
        actix_web::rt::spawn(Arc::clone(&system).sweep());
        let known = joined.as_ref().map(|joined| Arc::clone(joined.cluster()));
        if let Some(joined) = &joined {
            let (teller, followed) = (joined.teller().clone(), knowledge.clone());
            knowledge.on_change(Arc::new(move |tenant| teller.learned(tenant)));
            actix_web::rt::spawn(async move { followed.follow().await });
            actix_web::rt::spawn(joined.cluster().threads().clone().turn("main"));
        }
        let linked = joined.map(|joined| joined.link(Arc::clone(&system), jitter));

        let limits = &config.limits;
        let tokens = Tokens::new(&token_key, limits.visitor_session_max)?;
        let authority = Authority::new(
            Arc::clone(&keys),
            tokens,
            Logouts::new(store.clone()),
            Arc::clone(system.contacts()),
            admin_key,
        );
        let limiter = Arc::new(Limiter::new(Rates {
            address: limits.requests_per_second_per_address,
            key: limits.requests_per_second_per_key,
            visitor: limits.messages_per_second,
            visitor_burst: limits.messages_burst,
            new_visitors: limits.new_visitors_per_hour_per_address,
        }));
        let unknown_frames_max = limits.messages_burst;
        let presence = Presence::new(limits.sockets_per_address.get(), limits.sockets_per_visitor.get());
        let connections = open_files(config.server.connections_max.get());
        let leaves_in = drain::longest(config.server.drain_timeout, connections);
        let (patience, drain_timeout) = (config.server.request_timeout, config.server.drain_timeout);
        let proxies = Arc::new(Proxies::new(config.server.trusted_proxies.clone(), config.server.proxy_header));
        let (per_address, per_second) = (limits.connections_per_address, limits.requests_per_second_per_connection);
        let door = Door::new(Arc::clone(&proxies), per_address, connections, per_second, patience);
        let metrics_server = metrics_listener.map(|listener| {
            serve_metrics(listener, &metrics, |proxies| {
                let door = Door::new(Arc::clone(&proxies), per_address, METRICS_CONNECTIONS, per_second, patience);
                (door, Counting::new(Arc::clone(&limiter), proxies, patience, config.server.body_rate_min))
            })
        });
        let metrics_server = metrics_server.transpose()?;
        let counting = Counting::new(Arc::clone(&limiter), proxies, patience, config.server.body_rate_min);
        let access = Arc::new(Access::new(authority, limiter, unknown_frames_max));
        let tenants = Arc::new(tenants);
        let parts = Arc::new(EdgeParts {
            config,
            access: Arc::clone(&access),
            tenants: Arc::clone(&tenants),
            answers: Answers::new(knowledge.clone(), store),
            knowledge,
            learning: learning.clone(),
            places: ReadPlaces::default(),
            readiness: Readiness::default(),
            cluster: known.clone(),
            metrics: metrics.clone(),
        });
        if let Some(cluster) = known {
            actix_web::rt::spawn(cluster::share(Arc::clone(&access), Arc::clone(&cluster)));
            actix_web::rt::spawn(cluster::tell(Arc::clone(&system), Arc::clone(&cluster)));
            let hearer = Hearer {
                cluster,
                system: Arc::clone(&system),
                access: Arc::clone(&access),
                keys,
                tenants,
                presence: Arc::clone(&presence),
                knowledge: parts.knowledge.clone(),
            };
            actix_web::rt::spawn(hearer.follow());
        }
        let changes = system.tenant_changes();
        actix_web::rt::spawn(follow(Arc::clone(&presence), Arc::clone(&system), access, changes));
        let (scheduler, with) = (learning.clone(), Arc::clone(&parts));
        actix_web::rt::spawn(async move { scheduler.schedule(&with.tenants).await });
        let (drain, draining) = watch::channel(None);
        let shared = Arc::clone(&system);
        let counted = web::Data::new(counting);
        let app = move || {
            // Once in each worker thread: its models' connections and its sockets stay on it.
            let models = Registry::unchecked(settings.clone(), Some(Arc::clone(&builtin)));
            actix_web::rt::spawn(Arc::clone(&shared).watch());
            if let Some(cluster) = &parts.cluster {
                actix_web::rt::spawn(cluster.threads().clone().turn("worker"));
            }
            let worker = Worker::new(Arc::clone(&shared), models);
            actix_web::rt::spawn(Rc::clone(&worker).attend());
            let edge = Edge {
                worker,
                parts: Arc::clone(&parts),
                sockets: Sockets { limits: SocketLimits::default(), sweep: Sweep::start(Pace::default()) },
                sessions: Sessions::start(Arc::clone(&presence), Arc::clone(&shared), draining.clone()),
            };
            App::new()
                .app_data(web::Data::new(edge))
                .app_data(counted.clone())
                .wrap(from_fn(cors))
                .wrap(from_fn(deliver))
                .wrap(from_fn(measure))
                .wrap(from_fn(head))
                .wrap(from_fn(count))
                .configure(configure)
        };
        let server = Server::build()
            .workers(workers)
            .max_concurrent_connections(connections.div_ceil(workers))
            .shutdown_timeout(2)
            .disable_signals();
        let ending = door.ending().clone();
        let server = serve(server, "http", listener, door, app)?.run();
        // Last, so that nobody takes over from a node that will not serve.
        let offer = Offer::open(&path, kept, leaves_in);
        Ok(Self {
            address,
            metrics_address,
            tenant: demo.tenant,
            api_key: shown_key,
            server,
            ending,
            metrics_server,
            system,
            linked,
            learning,
            offer,
            closing,
            is_kept,
            drain,
            drain_timeout,
            metrics,
        })
    }

    /// What all its threads share.
    #[must_use]
    pub const fn system(&self) -> &Arc<System> {
        &self.system
    }

    /// Serves until `stop` completes or another process takes over, then drains: running replies may end, sessions are
    /// told to come back, everything decided becomes durable.
    ///
    /// # Errors
    /// When the server fails.
    pub async fn serve(self, stop: impl Future<Output = ()>) -> Result<(), NodeError> {
        let Self { server, ending, metrics_server, system, linked, learning, closing, mut offer, drain: told, .. } =
            self;
        let (drain_timeout, metrics, is_kept) = (self.drain_timeout, self.metrics, self.is_kept);
        let handle = server.handle();
        let metrics_server =
            metrics_server.map(|(server, ending)| (server.handle(), ending, actix_web::rt::spawn(server)));
        let upkeep = actix_web::rt::spawn(async move {
            loop {
                tokio::time::sleep(UPKEEP_EVERY).await;
                metrics.run_upkeep();
            }
        });
        let (mut server, mut stop) = (pin!(server), pin!(stop));
        let taker = tokio::select! {
            () = &mut stop => None,
            taker = taken(offer.as_ref()) => Some(taker),
            // It ends by itself only when it fails.
            ended = &mut server => return Ok(ended?),
        };
        // Somebody goes on with the sockets.
        let leaves = taker.is_some() || is_kept;
        let drained = async {
            let drained = async {
                drain::drain(&system, &told, drain_timeout).await;
                if leaves {
                    ending.leave(&handle).await;
                } else {
                    ending.close(&handle).await;
                }
                tracing::info!("drained");
            };
            tokio::join!(drained, learning.drain());
        };
        let meanwhile = async {
            let declining = async {
                match &mut offer {
                    Some(offer) => offer.decline().await,
                    None => pending().await,
                }
            };
            // Who tells a node to stop that was taken over hears what any other node says then.
            let told = async {
                if taker.is_some() {
                    stop.await;
                }
                pending::<()>().await;
            };
            tokio::join!(declining, told)
        };
        let leaving = async {
            let (ended, ()) = tokio::join!(server, drained);
            if let Some(linked) = linked {
                linked.leave().await;
            }
            upkeep.abort();
            // The last to go: how the node drains is worth knowing.
            if let Some((handle, ending, ended)) = metrics_server {
                if leaves {
                    ending.leave(&handle).await;
                } else {
                    handle.stop(false).await;
                }
                drop(ended.await);
            }
            ended
        };
        let ended = tokio::select! {
            ended = leaving => ended,
            _ = meanwhile => Ok(()),
        };
        // Before the directory is another one's, which puts its own there.
        drop(offer);
        if tokio::task::spawn_blocking(move || closing.close()).await.is_err() {
            tracing::warn!("the store was not closed in good order");
        }
        drop(taker);
        Ok(ended?)
    }
}

/// A server of its own for the metrics, as nothing at the main address may keep an operator from them: neither
/// that it is full nor how its proxies speak.
fn serve_metrics(
    listener: TcpListener,
    metrics: &PrometheusHandle,
    guard: impl FnOnce(Arc<Proxies>) -> (Door, Counting),
) -> io::Result<(Server, Ending)> {
    let (door, counting) = guard(Arc::new(Proxies::none()));
    let (handle, counting) = (web::Data::new(metrics.clone()), web::Data::new(counting));
    let app = move || {
        let app = App::new().app_data(handle.clone()).app_data(counting.clone());
        app.wrap(from_fn(head)).wrap(from_fn(count)).configure(only_metrics)
    };
    let server = Server::build()
        .workers(1)
        .max_concurrent_connections(METRICS_CONNECTIONS)
        .shutdown_timeout(2)
        .disable_signals();
    let ending = door.ending().clone();
    Ok((serve(server, "metrics", listener, door, app)?.run(), ending))
}

/// Takes over from the node that runs on the same data directory, if one does. Whatever this one can have wrong is
/// found first, while the other one still serves.
fn follow_running(config: &Config, wanted: &Wanted) -> Result<Option<Listening>, NodeError> {
    install_crypto_provider();
    stores::see(config)?;
    cluster::see(config)?;
    Registry::new(models::settings(config), Some(Arc::new(Builtin)))?;
    Ok(take_over(&config.data, wanted)?)
}

/// Completes when another process takes over.
async fn taken(offer: Option<&Offer>) -> Taker {
    match offer {
        Some(offer) => offer.taken().await,
        None => pending().await,
    }
}
