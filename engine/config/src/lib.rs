//! Configuration: one annotated default file, a user's file over it, the environment over both.
//! Invariant: what is read here is checked here; a wrong key or value is one line that says where.

mod annotated;
mod environment;
mod error;
mod keys;
mod merge;
mod model_name;
mod place;
mod redis_url;
mod services;
mod settings;
mod sources;
mod store_url;
mod values;

pub use error::{ConfigError, Place};
pub use model_name::{ModelName, ModelNameError, Provider};
pub use redis_url::{RedisUrl, RedisUrlError};
pub use settings::{
    Config, Conversations, Knowledge, Learning, Limits, Log, LogFormat, LogLevel, Models, Peer, ProviderSettings,
    Providers, ProxyHeader, Redis, Server, Store,
};
pub use sources::Sources;
pub use store_url::{StoreTls, StoreUrl, StoreUrlError};

/// The defaults, with a comment on every key: the manual of the settings.
pub const DEFAULT: &str = include_str!("default.toml");
