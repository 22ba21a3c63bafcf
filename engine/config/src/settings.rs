//! The settings as types. Invariant: secrets are never printed, not even by `Debug`.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::num::{NonZeroU32, NonZeroUsize};
use std::path::PathBuf;
use std::time::Duration;

use ipnet::IpNet;
use schema::{Origin, OutputLimit, Price};
use secrecy::SecretString;
use serde::Deserialize;

use super::model_name::{ModelName, Provider};
use super::values;

/// Everything an operator decides. `default.toml` says what each key does.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Where to listen.
    #[serde(deserialize_with = "values::listen")]
    pub listen: SocketAddr,
    /// Where browsers reach the node, when not where it listens.
    #[serde(deserialize_with = "values::origin")]
    pub public_url: Option<Origin>,
    /// Where metrics are answered, when not at the main address.
    #[serde(deserialize_with = "values::listen_or_none")]
    pub metrics_listen: Option<SocketAddr>,
    /// Where everything is kept.
    #[serde(deserialize_with = "values::path")]
    pub data: PathBuf,
    /// The demo tenant's key, when it is not to be generated.
    #[serde(deserialize_with = "values::secret")]
    pub api_key: Option<SecretString>,
    /// Models in the order they are tried; never empty.
    #[serde(rename = "model", deserialize_with = "values::models")]
    pub model_list: Vec<ModelName>,
    /// How to reach them.
    pub providers: Providers,
    /// Connections and threads.
    pub server: Server,
    /// Log lines.
    pub log: Log,
    /// How long models may take.
    pub models: Models,
    /// What models cost; a model that is not listed has no known cost.
    #[serde(deserialize_with = "values::prices")]
    pub prices: BTreeMap<ModelName, Price>,
    /// Conversations in memory.
    pub conversations: Conversations,
    /// What one client may do.
    pub limits: Limits,
    /// The embedded store.
    pub store: Store,
    /// What assistants have learned.
    pub knowledge: Knowledge,
    /// How sites are learned.
    pub learning: Learning,
}

/// How to reach each provider.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Providers {
    pub openai: OpenAiSettings,
    pub anthropic: ProviderSettings,
    pub gemini: ProviderSettings,
}

/// How to reach one provider.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProviderSettings {
    /// Its key, if it wants one.
    #[serde(deserialize_with = "values::secret")]
    pub key: Option<SecretString>,
    /// Where it is, without a slash at the end.
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
    /// The key, if it wants one.
    #[serde(deserialize_with = "values::secret")]
    pub key: Option<SecretString>,
    /// Where it is, without a slash at the end.
    #[serde(deserialize_with = "values::base_url")]
    pub base_url: String,
    /// Tokens that prompt and reply have together with its models, when they are not to be learned.
    #[serde(deserialize_with = "values::context_tokens")]
    pub context_tokens: Option<u64>,
    /// How the limit of a reply's length is named.
    #[serde(deserialize_with = "values::output_limit")]
    pub output_limit: OutputLimit,
    /// Whether a count of tokens is asked for.
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

/// Connections and threads.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Server {
    /// Threads; 0 for one a core.
    pub workers: usize,
    /// Connections open at once.
    pub connections_max: NonZeroUsize,
    /// Time for a request's head, and for waiting on its body beyond the least rate.
    #[serde(deserialize_with = "values::duration")]
    pub request_timeout: Duration,
    /// Time for a client to take an answer.
    #[serde(deserialize_with = "values::duration")]
    pub answer_timeout: Duration,
    /// Bytes a second that a body has to come with.
    pub body_rate_min: NonZeroU32,
    /// Networks of the proxies whose word about a client's address is believed.
    #[serde(deserialize_with = "values::networks")]
    pub trusted_proxies: Vec<IpNet>,
    /// How they give it.
    pub proxy_header: ProxyHeader,
    /// Time for running replies once the node was told to stop.
    #[serde(deserialize_with = "values::duration")]
    pub drain_timeout: Duration,
}

/// How a trusted proxy tells the client's address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ProxyHeader {
    /// A header of addresses with commas.
    XForwardedFor,
    /// The header of RFC 7239.
    Forwarded,
    /// The first bytes of a connection.
    ProxyProtocol,
}

/// Log lines.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Log {
    /// The least important that are written.
    pub level: LogLevel,
    /// How they look.
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

/// How log lines look.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    Text,
    /// For machines.
    Json,
}

/// How long models may take.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Models {
    /// Until connected.
    #[serde(deserialize_with = "values::duration")]
    pub connect: Duration,
    /// Until the first words, while another model is left.
    #[serde(deserialize_with = "values::duration")]
    pub first_content: Duration,
    /// Until the first words of the last model.
    #[serde(deserialize_with = "values::duration")]
    pub first_content_last: Duration,
    /// Silence within a reply.
    #[serde(deserialize_with = "values::duration")]
    pub between_chunks: Duration,
    /// A whole turn.
    #[serde(deserialize_with = "values::duration")]
    pub total: Duration,
}

/// Conversations in memory.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Conversations {
    /// Idle time before one rests.
    #[serde(deserialize_with = "values::duration")]
    pub rest_after: Duration,
    /// How long an anonymous one is kept in which nobody has said a word.
    #[serde(deserialize_with = "values::duration")]
    pub unspoken_after: Duration,
    /// How many may be woken at the same time.
    pub wakes_at_once: NonZeroUsize,
}

/// What one client may do.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// Requests a second from one address; bursts are twice that.
    pub requests_per_second_per_address: NonZeroU32,
    /// Requests a second on one connection; bursts are twice that.
    pub requests_per_second_per_connection: NonZeroU32,
    /// Connections from one address.
    pub connections_per_address: NonZeroU32,
    /// Requests a second with one API key; bursts are twice that.
    pub requests_per_second_per_key: NonZeroU32,
    /// Sockets and streams from one address.
    pub sockets_per_address: NonZeroU32,
    /// Sockets and streams of one visitor.
    pub sockets_per_visitor: NonZeroU32,
    /// Requests and frames a second from one visitor.
    pub messages_per_second: NonZeroU32,
    /// How many of them at once.
    pub messages_burst: NonZeroU32,
    /// New visitors in an hour from one address, whom no server has announced.
    pub new_visitors_per_hour_per_address: NonZeroU32,
    /// Replies and messages in progress that the node takes on however busy it is.
    pub work_min: NonZeroUsize,
    /// How long a visitor's token holds when its maker does not say.
    #[serde(deserialize_with = "values::duration")]
    pub visitor_token_ttl: Duration,
    /// How long it may be renewed, from the first one on.
    #[serde(deserialize_with = "values::duration")]
    pub visitor_session_max: Duration,
}

/// The embedded store.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Store {
    /// Connections that read.
    pub readers: NonZeroUsize,
    /// Writes that may wait.
    pub queue: NonZeroUsize,
}

/// What assistants have learned.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Knowledge {
    /// Whether the demo tenant learns this project's documentation.
    pub demo_documents: bool,
    /// Indexes kept open.
    pub indexes_open_max: NonZeroUsize,
}

/// How sites are learned.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Learning {
    /// Whether sites may be in private networks.
    pub private_hosts: bool,
}
