//! The settings as types. Invariant: secrets are never printed, not even by `Debug`.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::num::{NonZeroU8, NonZeroU32, NonZeroUsize};
use std::path::PathBuf;
use std::time::Duration;

use ipnet::IpNet;
use schema::{Origin, OutputLimit, Price};
use secrecy::SecretString;
use serde::Deserialize;

use super::model_name::{ModelName, Provider};
use super::redis_url::RedisUrl;
use super::store_url::{StoreTls, StoreUrl};
use super::values;

/// Everything an operator decides. `default.toml` says what each key does.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Address and port on which the node listens.
    #[serde(deserialize_with = "values::listen")]
    pub listen: SocketAddr,
    /// Address at which browsers reach the node; none: those it listens on, and this machine's own names.
    #[serde(deserialize_with = "values::origin")]
    pub public_url: Option<Origin>,
    /// Address and port of `/metrics` alone; none: the main address answers it, to this machine only.
    #[serde(deserialize_with = "values::listen_or_none")]
    pub metrics_listen: Option<SocketAddr>,
    /// The data directory; a relative path starts where the node was started.
    #[serde(deserialize_with = "values::path")]
    pub data: PathBuf,
    /// The demo tenant's API key; none: the node generates one at its first start.
    #[serde(deserialize_with = "values::secret")]
    pub api_key: Option<SecretString>,
    /// Models in the order they are tried; never empty.
    #[serde(rename = "model", deserialize_with = "values::models")]
    pub model_list: Vec<ModelName>,
    /// Address and key of each provider.
    pub providers: Providers,
    /// Threads, connections, proxies and the time that requests may take.
    pub server: Server,
    /// Level and format of log lines.
    pub log: Log,
    /// How long the node waits for models.
    pub models: Models,
    /// What models cost; a model that is not listed has no known cost.
    #[serde(deserialize_with = "values::prices")]
    pub prices: BTreeMap<ModelName, Price>,
    /// When conversations rest, wake and are erased unspoken.
    pub conversations: Conversations,
    /// What one client, visitor, address or key may do.
    pub limits: Limits,
    /// Where everything is kept, and how that is reached.
    pub store: Store,
    /// What the nodes of an installation share besides.
    pub redis: Redis,
    /// How the nodes of an installation reach each other.
    pub peer: Peer,
    /// Documents and their indexes.
    pub knowledge: Knowledge,
    /// Sites that may be learned.
    pub learning: Learning,
}

/// Address and key of each provider.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Providers {
    pub openai: OpenAiSettings,
    pub anthropic: ProviderSettings,
    pub gemini: ProviderSettings,
}

/// Address and key of one provider.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProviderSettings {
    /// The provider's key; none: requests carry no key.
    #[serde(deserialize_with = "values::secret")]
    pub key: Option<SecretString>,
    /// The server's address, without a slash at the end.
    #[serde(deserialize_with = "values::base_url")]
    pub base_url: String,
    /// Tokens that prompt and reply have together with its models, when they are not to be learned.
    #[serde(deserialize_with = "values::context_tokens")]
    pub context_tokens: Option<u64>,
}

/// How to reach servers that speak chat completions, which differ in what they take.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OpenAiSettings {
    /// The server's key; none: requests carry no key.
    #[serde(deserialize_with = "values::secret")]
    pub key: Option<SecretString>,
    /// The server's address with its version, without a slash at the end.
    #[serde(deserialize_with = "values::base_url")]
    pub base_url: String,
    /// Tokens that prompt and reply have together with its models, when they are not to be learned.
    #[serde(deserialize_with = "values::context_tokens")]
    pub context_tokens: Option<u64>,
    /// The name of the parameter that limits a reply's length.
    #[serde(deserialize_with = "values::output_limit")]
    pub output_limit: OutputLimit,
    /// Whether the server is asked to count a stream's tokens.
    pub stream_options: bool,
    /// Its models whose replies begin in the middle of a thought, as it calls them.
    #[serde(deserialize_with = "values::names")]
    pub begin_in_thought: Vec<String>,
}

impl Providers {
    /// The key of one of them, if there is one.
    #[must_use]
    pub const fn key(&self, provider: Provider) -> Option<&SecretString> {
        match provider {
            Provider::Openai => self.openai.key.as_ref(),
            Provider::Anthropic => self.anthropic.key.as_ref(),
            Provider::Gemini => self.gemini.key.as_ref(),
        }
    }
}

/// Threads, connections, proxies and the time that requests may take.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Server {
    /// Threads that serve sockets and requests; 0 for one on each core.
    pub workers: usize,
    /// Connections open at once, over all addresses; further ones wait to be accepted.
    pub connections_max: NonZeroUsize,
    /// Longest wait for a request's head, and for its body beyond what `body_rate_min` grants.
    #[serde(deserialize_with = "values::duration")]
    pub request_timeout: Duration,
    /// Longest time in which a client takes one answer; then the connection ends.
    #[serde(deserialize_with = "values::duration")]
    pub answer_timeout: Duration,
    /// Bytes a second at which a request's body has to come once `request_timeout` is used up.
    pub body_rate_min: NonZeroU32,
    /// Networks of the proxies that are believed about a client's address.
    #[serde(deserialize_with = "values::networks")]
    pub trusted_proxies: Vec<IpNet>,
    /// How the trusted proxies tell the client's address.
    pub proxy_header: ProxyHeader,
    /// How long running replies may take to finish once the node was told to stop.
    #[serde(deserialize_with = "values::duration")]
    pub drain_timeout: Duration,
}

/// How a trusted proxy tells the client's address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ProxyHeader {
    /// `X-Forwarded-For`: addresses with commas, read from the right.
    XForwardedFor,
    /// `Forwarded`, the header of RFC 7239, read from the right.
    Forwarded,
    /// The PROXY protocol, version 1 or 2: the first bytes of a connection.
    ProxyProtocol,
}

/// Level and format of log lines.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Log {
    /// The least important level that is written.
    pub level: LogLevel,
    /// Text or JSON.
    pub format: LogFormat,
}

/// How important a log line is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogLevel {
    Error,
    Warn,
    Info,
    Debug,
    Trace,
}

/// The format of log lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// Text for people.
    Text,
    /// One JSON object on each line, for machines.
    Json,
}

/// How long the node waits for models.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Models {
    /// Longest wait for a connection to a model's server.
    #[serde(deserialize_with = "values::duration")]
    pub connect: Duration,
    /// Longest wait for a reply's first words while another model is left to try.
    #[serde(deserialize_with = "values::duration")]
    pub first_content: Duration,
    /// Longest wait for the first words of the last model in the list.
    #[serde(deserialize_with = "values::duration")]
    pub first_content_last: Duration,
    /// Longest silence within a reply.
    #[serde(deserialize_with = "values::duration")]
    pub between_chunks: Duration,
    /// Longest turn in all, from the question to the last word.
    #[serde(deserialize_with = "values::duration")]
    pub total: Duration,
}

/// When conversations rest, wake and are erased unspoken, and whether this node has any.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Conversations {
    /// Whether the node takes conversations, or serves those of other nodes alone.
    pub own: bool,
    /// Time without a listener or a word after which a conversation rests.
    #[serde(deserialize_with = "values::duration")]
    pub rest_after: Duration,
    /// Age at which a conversation of an anonymous contact without a word is erased.
    #[serde(deserialize_with = "values::duration")]
    pub unspoken_after: Duration,
    /// Conversations that may wake at the same time.
    pub wakes_at_once: NonZeroUsize,
}

/// What one client, visitor, address or key may do.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// Requests a second from one address; bursts are twice that.
    pub requests_per_second_per_address: NonZeroU32,
    /// Requests a second on one connection; bursts are twice that.
    pub requests_per_second_per_connection: NonZeroU32,
    /// Connections from one address at once.
    pub connections_per_address: NonZeroU32,
    /// Requests a second with one API key; bursts are twice that.
    pub requests_per_second_per_key: NonZeroU32,
    /// Sockets and streams from one address at once.
    pub sockets_per_address: NonZeroU32,
    /// Sockets and streams of one visitor at once.
    pub sockets_per_visitor: NonZeroU32,
    /// Requests and frames a second from one visitor.
    pub messages_per_second: NonZeroU32,
    /// Requests and frames that may come at once before the rate a second is in force.
    pub messages_burst: NonZeroU32,
    /// New anonymous visitors in an hour from one address.
    pub new_visitors_per_hour_per_address: NonZeroU32,
    /// Replies and messages in progress that the node admits however busy it is.
    pub work_min: NonZeroUsize,
    /// How long a visitor's token is valid when its maker does not say.
    #[serde(deserialize_with = "values::duration")]
    pub visitor_token_ttl: Duration,
    /// How long a visitor may renew a token, counted from the first token.
    #[serde(deserialize_with = "values::duration")]
    pub visitor_session_max: Duration,
}

/// Where everything is kept, and how that is reached.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Store {
    /// The embedded store, or a cluster.
    #[serde(deserialize_with = "values::store_url")]
    pub url: StoreUrl,
    /// The name that the cluster knows the node by; none, as the password, where it asks nobody.
    #[serde(deserialize_with = "values::text_or_none")]
    pub user: Option<String>,
    /// The password of that name.
    #[serde(deserialize_with = "values::secret")]
    pub password: Option<SecretString>,
    /// How connections to the cluster are secured.
    #[serde(deserialize_with = "values::store_tls")]
    pub tls: StoreTls,
    /// The certificate, and those between it and its authority, that the node shows the cluster.
    #[serde(deserialize_with = "values::file_or_none")]
    pub tls_certificate: Option<PathBuf>,
    /// The private key of that certificate.
    #[serde(deserialize_with = "values::file_or_none")]
    pub tls_key: Option<PathBuf>,
    /// The data centre of the cluster that is the node's own; none: that of the host that answers first.
    #[serde(deserialize_with = "values::text_or_none")]
    pub datacenter: Option<String>,
    /// Copies that the cluster keeps in that data centre.
    pub replicas: NonZeroU8,
    /// Threads of the connections to the cluster; 0 for one on every second core.
    pub threads: usize,
    /// Connections of the embedded store that read, beside the one writer.
    pub readers: NonZeroUsize,
    /// Writes that may wait for the embedded store; further ones are answered `busy`.
    pub queue: NonZeroUsize,
    /// The folder of the keys under which texts are sealed; none: `keys` in the data directory.
    #[serde(deserialize_with = "values::folder_or_none")]
    pub keys: Option<PathBuf>,
}

/// Where the Redis is that the nodes of an installation share.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Redis {
    /// Its address; none: there is none.
    #[serde(deserialize_with = "values::redis_url")]
    pub url: Option<RedisUrl>,
    /// The name by which it knows the node, where the address has none.
    #[serde(deserialize_with = "values::text_or_none")]
    pub user: Option<String>,
    /// The password, where the address has none.
    #[serde(deserialize_with = "values::secret")]
    pub password: Option<SecretString>,
}

/// How the nodes of an installation reach each other.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Peer {
    /// Address and port at which the node listens to other nodes; none: it has nothing to do with others.
    #[serde(deserialize_with = "values::listen_or_none")]
    pub listen: Option<SocketAddr>,
    /// What all nodes of the installation know, and nobody else.
    #[serde(deserialize_with = "values::secret")]
    pub secret: Option<SecretString>,
    /// Another one by which nodes may show themselves, while it is changed.
    #[serde(deserialize_with = "values::secret")]
    pub secret_also: Option<SecretString>,
    /// Host and port at which other nodes reach this one, where that is not what it listens at.
    #[serde(deserialize_with = "values::place_or_none")]
    pub address: Option<String>,
}

impl Peer {
    /// Host and port at which other nodes reach this one; none without a listener for them.
    #[must_use]
    pub fn reached_at(&self) -> Option<String> {
        let listen = self.listen?;
        self.address.clone().or_else(|| (!listen.ip().is_unspecified()).then(|| listen.to_string()))
    }
}

/// Documents and their indexes.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Knowledge {
    /// Whether the demo tenant learns this project's documentation at the first start.
    pub demo_documents: bool,
    /// Tenants' indexes that are kept open at once.
    pub indexes_open_max: NonZeroUsize,
}

/// Sites that may be learned.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Learning {
    /// Whether sites on this machine and in private networks may be learned.
    pub private_hosts: bool,
}
