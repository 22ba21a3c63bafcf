//! Reads the sources of a configuration, merges them and checks the result.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use schema::limits::{API_KEY_BYTES_MAX, API_KEY_BYTES_MIN};
use schema::{Objects, Plain};
use secrecy::ExposeSecret;
use serde::Deserialize;
use toml::Spanned;
use toml::de::Deserializer;

use super::environment::{self, Variable};
use super::error::ConfigError;
use super::merge::Merged;
use super::model_name::ModelName;
use super::settings::{Config, Peer, Redis, Store};
use super::store_url::StoreTls;
use super::{annotated, keys};

/// How long a visitor's token may be valid.
const VISITOR_TOKEN_TTL: std::ops::RangeInclusive<Duration> = Duration::from_secs(30)..=Duration::from_secs(3600);

/// What nobody guesses has at least so much in it.
const PEER_SECRET_BYTES_MIN: usize = 32;

/// More copies than this are surely mistyped.
const STORE_REPLICAS_MAX: u8 = 9;

/// The sources of settings beside the defaults: at most one file, and the environment.
pub struct Sources {
    file: Option<(PathBuf, String)>,
    variables: Vec<Variable>,
}

impl Sources {
    /// Reads a file, if one is named, and the environment, which wins over it.
    ///
    /// # Errors
    /// When the file cannot be read, or a variable that begins with `TERTULIA_` is no setting.
    pub fn read(
        file: Option<&Path>,
        environment: impl IntoIterator<Item = (OsString, OsString)>,
    ) -> Result<Self, ConfigError> {
        let file = match file {
            Some(path) => {
                let unreadable = |problem| ConfigError::Unreadable { path: path.into(), problem };
                Some((path.to_path_buf(), fs::read_to_string(path).map_err(unreadable)?))
            }
            None => None,
        };
        let variables = environment::read(environment, &Merged::defaults()?.keys)?;
        Ok(Self { file, variables })
    }

    /// The settings of all sources together, checked.
    ///
    /// # Errors
    /// The first key that is unknown, or value that makes no sense, and where it stands.
    pub fn config(&self) -> Result<Config, ConfigError> {
        let merged = self.merged()?;
        let document = Deserializer::from(Spanned::new(0..0, merged.table.clone()));
        let config = Config::deserialize(Objects(document)).map_err(|Plain(error)| {
            let at = error.span().map_or(0, |span| span.start);
            merged.complain(at, error.message())
        })?;
        check(&config, &merged)?;
        Ok(config)
    }

    /// The annotated default file with what holds now in the place of what was changed. Secrets are
    /// left out.
    ///
    /// # Errors
    /// As [`Self::config`].
    pub fn annotated(&self) -> Result<String, ConfigError> {
        let config = self.config()?;
        Ok(annotated::write(&self.merged()?, &config))
    }

    fn merged(&self) -> Result<Merged<'_>, ConfigError> {
        let mut merged = Merged::defaults()?;
        if let Some((path, text)) = &self.file {
            merged.file(path, text)?;
        }
        for variable in &self.variables {
            merged.variable(variable)?;
        }
        Ok(merged)
    }
}

/// How visitors' tokens begin: PASETO's mark of a local token of its fourth version.
const VISITOR_TOKEN: &str = "v4.local.";

/// Checks what types alone cannot.
fn check(config: &Config, merged: &Merged<'_>) -> Result<(), ConfigError> {
    if let Some(key) = &config.api_key {
        let key = key.expose_secret();
        let length = API_KEY_BYTES_MIN..=API_KEY_BYTES_MAX;
        if !length.contains(&key.len()) || !key.bytes().all(|b| b.is_ascii_graphic()) {
            let (least, most) = length.into_inner();
            let problem = format!("expected {least} to {most} letters, digits and signs, without spaces");
            return Err(merged.bad_value(&["api_key"], problem));
        }
        if key.starts_with(VISITOR_TOKEN) {
            let problem = format!(
                "a key that begins with `{VISITOR_TOKEN}` is read as a visitor's token, and would open nothing"
            );
            return Err(merged.bad_value(&["api_key"], problem));
        }
    }
    for name in &config.model_list {
        check_reachable(name, config, merged)?;
    }
    if config.models.first_content_last > config.models.total {
        return Err(merged.bad_value(&["models", "first_content_last"], "is longer than `models.total`"));
    }
    if config.models.first_content > config.models.total {
        return Err(merged.bad_value(&["models", "first_content"], "is longer than `models.total`"));
    }
    if config.limits.messages_burst < config.limits.messages_per_second {
        let problem = "expected at least as many as `limits.messages_per_second`";
        return Err(merged.bad_value(&["limits", "messages_burst"], problem));
    }
    if !VISITOR_TOKEN_TTL.contains(&config.limits.visitor_token_ttl) {
        return Err(merged.bad_value(&["limits", "visitor_token_ttl"], "expected \"30s\" to \"1h\""));
    }
    if config.limits.visitor_session_max < config.limits.visitor_token_ttl {
        let problem = "is shorter than `limits.visitor_token_ttl`";
        return Err(merged.bad_value(&["limits", "visitor_session_max"], problem));
    }
    check_store(&config.store, merged)?;
    check_redis(&config.redis, merged)?;
    check_peer(&config.peer, merged)
}

/// A name and a password stand in one place.
fn check_redis(redis: &Redis, merged: &Merged<'_>) -> Result<(), ConfigError> {
    let bad = |key, problem: &str| Err(merged.bad_value(&["redis", key], problem));
    let Some(url) = &redis.url else {
        return match (&redis.user, &redis.password) {
            (None, None) => Ok(()),
            (Some(_), _) => bad("user", "is for a Redis, and `redis.url` names none: write `redis://HOST:PORT` there"),
            (None, Some(_)) => {
                bad("password", "is for a Redis, and `redis.url` names none: write `redis://HOST:PORT` there")
            }
        };
    };
    if redis.user.is_some() && redis.password.is_none() {
        return bad("user", "needs `redis.password` beside it");
    }
    if url.password.is_some() && redis.password.is_some() {
        return bad("password", "stands in `redis.url`, too: write it in one of them");
    }
    Ok(())
}

/// Others can reach the node, and are asked for the secret.
fn check_peer(peer: &Peer, merged: &Merged<'_>) -> Result<(), ConfigError> {
    let bad = |key, problem: String| Err(merged.bad_value(&["peer", key], problem));
    for (key, secret) in [("secret", &peer.secret), ("secret_also", &peer.secret_also)] {
        let Some(secret) = secret.as_ref().map(ExposeSecret::expose_secret) else { continue };
        if secret.len() < PEER_SECRET_BYTES_MIN || !secret.bytes().all(|b| b.is_ascii_graphic()) {
            let problem =
                format!("expected at least {PEER_SECRET_BYTES_MIN} letters, digits and signs, without spaces");
            return bad(key, problem);
        }
    }
    if peer.secret_also.is_some() && peer.secret.is_none() {
        return bad("secret_also", "needs `peer.secret` beside it".into());
    }
    let Some(listen) = peer.listen else {
        return match (&peer.secret, &peer.address) {
            (None, None) => Ok(()),
            (Some(_), _) => bad("secret", "needs `peer.listen` beside it, such as \"10.0.0.7:8081\"".into()),
            (None, Some(_)) => bad("address", "needs `peer.listen` beside it, such as \"10.0.0.7:8081\"".into()),
        };
    };
    if peer.reached_at().is_none() {
        let problem = format!(
            "nobody can reach the node at {}: set `peer.address` to a host and a port, such as \"10.0.0.7:8081\"",
            listen.ip()
        );
        return bad("listen", problem);
    }
    Ok(())
}

/// What belongs together is all there.
fn check_store(store: &Store, merged: &Merged<'_>) -> Result<(), ConfigError> {
    let alone = |key, other| {
        let problem = format!("needs `store.{other}` beside it: set both, or none");
        Err(merged.bad_value(&["store", key], problem))
    };
    match (&store.user, &store.password) {
        (Some(_), None) => return alone("user", "password"),
        (None, Some(_)) => return alone("password", "user"),
        _ => {}
    }
    match (&store.tls_certificate, &store.tls_key) {
        (Some(_), None) => return alone("tls_certificate", "tls_key"),
        (None, Some(_)) => return alone("tls_key", "tls_certificate"),
        (Some(_), Some(_)) if store.tls == StoreTls::Off => {
            return Err(
                merged.bad_value(&["store", "tls_certificate"], "is shown by TLS alone, and `store.tls` is off")
            );
        }
        _ => {}
    }
    if store.replicas.get() > STORE_REPLICAS_MAX {
        let problem = format!("expected 1 to {STORE_REPLICAS_MAX} copies");
        return Err(merged.bad_value(&["store", "replicas"], problem));
    }
    Ok(())
}

/// A provider's own server needs a key; an operator's own server may need none.
fn check_reachable(name: &ModelName, config: &Config, merged: &Merged<'_>) -> Result<(), ConfigError> {
    let ModelName::Remote { provider, .. } = name else { return Ok(()) };
    let key_path = ["providers", provider.name(), "key"].map(String::from);
    let url_path = ["providers", provider.name(), "base_url"].map(String::from);
    if config.providers.key(*provider).is_some() || merged.changed(&url_path).is_some() {
        return Ok(());
    }
    let problem = format!(
        "`{name}` needs a key: set `{}` or {}_API_KEY, or the `base_url` of a server that needs none",
        keys::dotted(&key_path),
        provider.name().to_uppercase()
    );
    Err(merged.bad_value(&["model"], problem))
}

#[cfg(test)]
mod tests;
