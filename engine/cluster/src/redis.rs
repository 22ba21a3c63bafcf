//! The connection to Redis: how it is made, kept and given up, and how calls go over it.
//! Invariant: no call outlives its time, and while Redis does not answer none but the node's own beat is tried, so that
//! nothing waits for it and nothing heaps up before it.

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use fred::clients::{Client, WithOptions};
use fred::error::{Error, ErrorKind};
use fred::interfaces::{ClientLike, EventInterface, LuaInterface};
use fred::types::config::{
    Config, ConnectionConfig, Options, PerformanceConfig, ReconnectPolicy, Server, ServerConfig, TcpConfig, TlsConfig,
    TlsConnector, TlsHostMapping, UnresponsiveConfig,
};
use fred::types::{FromValue, RespVersion};
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::broadcast::error::RecvError;
use tokio::time::{Instant, sleep, timeout};

use crate::metrics::{REDIS_ERRORS, REDIS_SECONDS};
use crate::redis_words::{Told, of_connecting};

/// How long a call of the node itself may take: a beat, or a look at those of others.
pub(crate) const OWN_CALL_WITHIN: Duration = Duration::from_secs(2);
const CONNECT_WITHIN: Duration = Duration::from_secs(2);
/// A connection on which an answer is missing for so long is given up for a new one.
const UNANSWERED_MAX: Duration = Duration::from_secs(3);
const LOOKS_EVERY: Duration = Duration::from_secs(1);
/// Between two tries to connect, in milliseconds: at first, and at most; and what chance adds.
const RECONNECT_FIRST: u32 = 100;
const RECONNECT_MAX: u32 = 2_000;
const RECONNECT_JITTER: u32 = 100;
/// Commands that wait for the connection; further ones are refused.
const QUEUE_MAX: usize = 1_000;
/// Messages that wait to be looked at; when there are more, everything is read anew.
const MESSAGES_MAX: usize = 1_024;
/// Calls in a row that were too late, after which Redis counts as away.
const LATE_MAX: u32 = 8;

/// Where Redis is. One server, or what looks like one: Valkey too, from version 6 on.
#[derive(Clone)]
pub struct RedisOptions {
    /// Its name or address.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// The name by which it knows the node, where it knows names.
    pub user: Option<String>,
    /// The password, where it asks for one.
    pub password: Option<SecretString>,
    /// The number of the database; none is the first one.
    pub database: Option<u8>,
    /// How it is spoken to by TLS; none is not at all.
    pub tls: Option<Arc<rustls::ClientConfig>>,
}

impl fmt::Debug for RedisOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RedisOptions({}:{})", self.host, self.port)
    }
}

/// Why Redis did not do as asked.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
pub(crate) enum RedisError {
    #[error("Redis does not answer")]
    Away,
    #[error("Redis has not answered in time")]
    Late,
    #[error("Redis: {0}")]
    Refused(String),
}

/// A connection, shared by all who call.
#[derive(Clone)]
pub(crate) struct Redis(Arc<Shared>);

struct Shared {
    client: Client,
    /// With what every key of this installation begins.
    prefix: String,
    answers: AtomicBool,
    late: AtomicU32,
}

/// The server as the driver wants it: an IPv6 address stands in brackets where it is connected to, and without where a
/// certificate is checked for it.
fn server(options: &RedisOptions) -> Server {
    let plain = options.host.trim_start_matches('[').trim_end_matches(']');
    Server::new_with_tls(options.host.as_str(), options.port, Some(plain.to_owned()))
}

impl Redis {
    /// A connection that is made, and made again, for as long as the runtime of the caller goes on. It counts as away
    /// until a beat has been answered. Why there is none is told once by all connections that have `told` in common.
    pub(crate) fn connect(options: &RedisOptions, installation: &str, told: &Arc<Told>) -> Self {
        let config = Config {
            // Redis may come later than the node.
            fail_fast: false,
            username: options.user.clone(),
            password: options.password.as_ref().map(|password| password.expose_secret().to_owned()),
            server: ServerConfig::Centralized { server: server(options) },
            // In the third version the driver sends the password in a line of words, where a blank or a quote breaks it.
            version: RespVersion::RESP2,
            database: options.database,
            tls: options.tls.as_ref().map(|tls| TlsConfig {
                connector: TlsConnector::from(rustls::ClientConfig::clone(tls)),
                hostnames: TlsHostMapping::None,
            }),
            ..Config::default()
        };
        let performance = PerformanceConfig {
            default_command_timeout: OWN_CALL_WITHIN,
            broadcast_channel_capacity: MESSAGES_MAX,
            ..PerformanceConfig::default()
        };
        let connection = ConnectionConfig {
            connection_timeout: CONNECT_WITHIN,
            internal_command_timeout: CONNECT_WITHIN,
            // What is asked is worth nothing later; who asks tries again where that makes sense.
            max_command_attempts: 1,
            max_command_buffer_len: QUEUE_MAX,
            reconnect_on_auth_error: true,
            unresponsive: UnresponsiveConfig { max_timeout: Some(UNANSWERED_MAX), interval: LOOKS_EVERY },
            tcp: TcpConfig { nodelay: Some(true), ..TcpConfig::default() },
            ..ConnectionConfig::default()
        };
        let mut policy = ReconnectPolicy::new_exponential(0, RECONNECT_FIRST, RECONNECT_MAX, 2);
        policy.set_jitter(RECONNECT_JITTER);
        let client = Client::new(config, Some(performance), Some(connection), Some(policy));
        tokio::spawn(tell_problems(client.clone(), options.tls.is_some(), Arc::clone(told)));
        tokio::spawn(keep_connected(client.clone()));
        let prefix = format!("tertulia:{installation}");
        let (answers, late) = (AtomicBool::new(false), AtomicU32::new(0));
        Self(Arc::new(Shared { client, prefix, answers, late }))
    }

    /// A key of this installation.
    pub(crate) fn key(&self, of: fmt::Arguments<'_>) -> String {
        format!("{}:{of}", self.0.prefix)
    }

    /// The connection itself, for what is no call.
    pub(crate) fn client(&self) -> &Client {
        &self.0.client
    }

    /// A call, which is refused at once while Redis does not answer.
    pub(crate) async fn call<T>(
        &self,
        command: &'static str,
        within: Duration,
        call: impl AsyncFnOnce(WithOptions<Client>) -> Result<T, Error>,
    ) -> Result<T, RedisError> {
        if !self.0.answers.load(Ordering::Relaxed) {
            return Err(RedisError::Away);
        }
        let answer = self.timed(command, within, call).await;
        match &answer {
            Ok(_) | Err(RedisError::Refused(_)) => self.0.late.store(0, Ordering::Relaxed),
            Err(RedisError::Late) if self.0.late.fetch_add(1, Ordering::Relaxed) + 1 < LATE_MAX => {}
            Err(RedisError::Late | RedisError::Away) => self.0.answers.store(false, Ordering::Relaxed),
        }
        answer
    }

    /// A call of the node itself, which decides whether Redis counts as answering.
    pub(crate) async fn probe<T>(
        &self,
        command: &'static str,
        call: impl AsyncFnOnce(WithOptions<Client>) -> Result<T, Error>,
    ) -> Result<T, RedisError> {
        let answer = self.timed(command, OWN_CALL_WITHIN, call).await;
        self.0.late.store(0, Ordering::Relaxed);
        self.0.answers.store(answer.is_ok(), Ordering::Relaxed);
        answer
    }

    async fn timed<T>(
        &self,
        command: &'static str,
        within: Duration,
        call: impl AsyncFnOnce(WithOptions<Client>) -> Result<T, Error>,
    ) -> Result<T, RedisError> {
        let began = Instant::now();
        let options = Options { fail_fast: true, max_attempts: Some(1), timeout: Some(within), ..Options::default() };
        // The driver's own time begins when a command is sent, so there is one around all of it.
        let answer = match timeout(within, call(self.0.client.with_options(&options))).await {
            Ok(answer) => answer.map_err(|error| of_driver(&error)),
            Err(_) => Err(RedisError::Late),
        };
        metrics::histogram!(REDIS_SECONDS, "command" => command).record(began.elapsed().as_secs_f64());
        if answer.is_err() {
            metrics::counter!(REDIS_ERRORS, "command" => command).increment(1);
        }
        answer
    }
}

/// A program that Redis runs in one step. It is sent once, and called by its digest from then on.
pub(crate) struct Script {
    text: &'static str,
    digest: OnceLock<String>,
}

impl Script {
    pub(crate) const fn new(text: &'static str) -> Self {
        Self { text, digest: OnceLock::new() }
    }

    /// Runs it. A Redis that was started anew has forgotten it, and is sent it again.
    pub(crate) async fn run<T: FromValue>(
        &self,
        client: &WithOptions<Client>,
        keys: Vec<String>,
        arguments: Vec<String>,
    ) -> Result<T, Error> {
        let digest = match self.digest.get() {
            Some(digest) => digest,
            None => {
                let digest = client.script_load::<String, _>(self.text).await?;
                self.digest.get_or_init(|| digest)
            }
        };
        match client.evalsha(digest.as_str(), keys.clone(), arguments.clone()).await {
            Err(error) if error.details().starts_with("NOSCRIPT") => client.eval(self.text, keys, arguments).await,
            answer => answer,
        }
    }
}

/// Says why there is no connection: each reason once, until there is one again.
async fn tell_problems(client: Client, by_tls: bool, told: Arc<Told>) {
    let (mut problems, mut connections) = (client.error_rx(), client.reconnect_rx());
    loop {
        // Of what was missed there is more to come.
        let problem = tokio::select! {
            problem = problems.recv() => match problem {
                Ok((problem, _)) => of_connecting(&problem, by_tls),
                Err(RecvError::Lagged(_)) => continue,
                Err(RecvError::Closed) => return,
            },
            connected = connections.recv() => match connected {
                Err(RecvError::Closed) => return,
                _ => {
                    told.forget();
                    continue;
                }
            },
        };
        if told.is_news(&problem) {
            tracing::warn!(%problem, "Redis cannot be used");
        }
    }
}

/// The driver connects again by itself, but for what it takes to be beyond hope, such as a wrong password; that may be
/// put right over there.
async fn keep_connected(client: Client) {
    loop {
        if let Ok(Err(error)) = client.connect().await {
            tracing::warn!(problem = %error.details(), "the connection to Redis has ended");
        }
        sleep(Duration::from_millis(RECONNECT_MAX.into())).await;
    }
}

pub(crate) fn of_driver(error: &Error) -> RedisError {
    match error.kind() {
        ErrorKind::Timeout => RedisError::Late,
        ErrorKind::IO | ErrorKind::Canceled | ErrorKind::Backpressure | ErrorKind::Routing | ErrorKind::Tls => {
            RedisError::Away
        }
        _ => RedisError::Refused(error.details().to_owned()),
    }
}
