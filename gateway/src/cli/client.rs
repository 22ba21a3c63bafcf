//! A client of the node's HTTP API. Invariant: every call has a timeout, and none is repeated.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use bytes::Bytes;
use engine_config::Config;
use reqwest::header::CONTENT_TYPE;
use reqwest::{Method, RequestBuilder};
use schema::ErrorCode;
use schema::wire::{ErrorBody, NodeState};
use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;
use serde::de::{DeserializeOwned, IgnoredAny};
use url::Url;

use super::error::CliError;
use crate::datadir;
use crate::private_file::read_line;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
const PROBE_TIMEOUT: Duration = Duration::from_secs(3);
/// Learning a large document takes a while on a small machine.
const TIMEOUT: Duration = Duration::from_secs(120);

/// Talks to the node that a configuration names.
pub(super) struct Client {
    http: reqwest::Client,
    address: SocketAddr,
    credential: SecretString,
}

impl Client {
    /// As a tenant's server: with the configured API key, or the demo tenant's generated one.
    pub(super) fn for_tenant(config: &Config) -> Result<Self, CliError> {
        Self::new(config, tenant_key(config)?)
    }

    /// As the operator. The key is in the data directory, which says that one may.
    pub(super) fn for_operator(config: &Config) -> Result<Self, CliError> {
        let file = datadir::admin_file(&config.data);
        match read_line(&file) {
            Ok(Some(key)) => Self::new(config, key),
            Ok(None) => {
                Err(CliError::Failed(format!("a node runs, but not on this data: there is no {}", file.display())))
            }
            Err(problem) => Err(CliError::File { path: file, problem }),
        }
    }

    fn new(config: &Config, credential: SecretString) -> Result<Self, CliError> {
        Ok(Self { http: http()?, address: address(config)?, credential })
    }

    /// `host:port` of the node.
    pub(super) const fn address(&self) -> SocketAddr {
        self.address
    }

    /// What the client shows.
    pub(super) const fn credential(&self) -> &SecretString {
        &self.credential
    }

    /// `GET`.
    pub(super) async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, CliError> {
        self.answer(self.request(Method::GET, path)).await
    }

    /// `POST` without a body.
    pub(super) async fn post_empty<T: DeserializeOwned>(&self, path: &str) -> Result<T, CliError> {
        self.answer(self.request(Method::POST, path)).await
    }

    /// `POST`.
    pub(super) async fn post<B: Serialize + Sync, T: DeserializeOwned>(
        &self,
        path: &str,
        body: &B,
    ) -> Result<T, CliError> {
        self.answer(self.request(Method::POST, path).json(body)).await
    }

    /// `PUT`.
    pub(super) async fn put<B: Serialize + Sync, T: DeserializeOwned>(
        &self,
        path: &str,
        body: &B,
    ) -> Result<T, CliError> {
        self.answer(self.request(Method::PUT, path).json(body)).await
    }

    /// `POST` of bytes that are what they are.
    pub(super) async fn post_bytes<T: DeserializeOwned>(&self, path: &str, bytes: Bytes) -> Result<T, CliError> {
        let request = self.request(Method::POST, path).header(CONTENT_TYPE, "application/octet-stream");
        self.answer(request.body(bytes)).await
    }

    /// `DELETE`; false when there was nothing to delete.
    pub(super) async fn delete(&self, path: &str) -> Result<bool, CliError> {
        match self.answer::<IgnoredAny>(self.request(Method::DELETE, path)).await {
            Ok(_) => Ok(true),
            Err(CliError::Refused { code: ErrorCode::NotFound, .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let url = format!("http://{}{path}", self.address);
        self.http.request(method, url).bearer_auth(self.credential.expose_secret()).timeout(TIMEOUT)
    }

    async fn answer<T: DeserializeOwned>(&self, request: RequestBuilder) -> Result<T, CliError> {
        answer(&self.address.to_string(), request).await
    }
}

/// What a node answers, or which failure that is.
async fn answer<T: DeserializeOwned>(address: &str, request: RequestBuilder) -> Result<T, CliError> {
    let failed = |error: reqwest::Error| {
        let address = address.to_owned();
        if error.is_connect() {
            CliError::Unreachable { address }
        } else if error.is_timeout() {
            CliError::Slow { address }
        } else {
            CliError::Strange { address, problem: "the answer breaks off".into() }
        }
    };
    let strange = |problem| CliError::Strange { address: address.to_owned(), problem };
    let response = request.send().await.map_err(failed)?;
    let status = response.status();
    let body = response.bytes().await.map_err(failed)?;
    if status.is_success() {
        let body = if body.is_empty() { b"null" } else { &*body };
        return serde_json::from_slice(body).map_err(|error| strange(error.to_string()));
    }
    match serde_json::from_slice::<ErrorBody>(&body) {
        Ok(ErrorBody { error }) => Err(CliError::Refused { code: error.code, message: error.message }),
        Err(_) => Err(strange(format!("status {status}"))),
    }
}

/// The API key to show: the configured one, or the demo tenant's generated one.
pub(super) fn tenant_key(config: &Config) -> Result<SecretString, CliError> {
    if let Some(key) = &config.api_key {
        return Ok(key.clone());
    }
    let file = datadir::demo_file(&config.data);
    match read_line(&file) {
        Ok(Some(key)) => Ok(key),
        Ok(None) => Err(CliError::Failed(format!(
            "no API key: set TERTULIA_API_KEY, or start a node once, which makes {}",
            file.display()
        ))),
        Err(problem) => Err(CliError::File { path: file, problem }),
    }
}

/// Whether a node answers where the configuration says.
pub(super) async fn answers(config: &Config) -> Result<bool, CliError> {
    let Ok(address) = address(config) else { return Ok(false) };
    let probe = http()?.get(format!("http://{address}/healthz")).timeout(PROBE_TIMEOUT).send().await;
    Ok(probe.is_ok_and(|response| response.status().is_success()))
}

/// What the node says of itself that the configuration names, or the one at `url`: a failure is a node that takes no
/// new work.
pub(super) async fn readiness(config: &Config, url: Option<&Url>) -> Result<NodeState, CliError> {
    let (address, page) = match url {
        None => {
            let address = address(config)?.to_string();
            let page = format!("http://{address}/readyz");
            (address, page)
        }
        Some(url) if url.scheme() == "http" => {
            let page = url.join("/readyz").map_err(|error| CliError::Usage(format!("--url {url}: {error}")))?;
            (url.authority().to_owned(), page.into())
        }
        Some(url) => {
            return Err(CliError::Usage(format!(
                "--url {url}: give the node's own address, such as http://127.0.0.1:8080"
            )));
        }
    };
    answer(&address, http()?.get(page).timeout(PROBE_TIMEOUT)).await
}

/// Where a node that listens there is reached from its own machine.
fn address(config: &Config) -> Result<SocketAddr, CliError> {
    let mut address = config.listen;
    if address.port() == 0 {
        return Err(CliError::Usage("`listen` has port 0, so the node's port is not known".into()));
    }
    if address.ip().is_unspecified() {
        address.set_ip(match address.ip() {
            IpAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
            IpAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
        });
    }
    Ok(address)
}

fn http() -> Result<reqwest::Client, CliError> {
    // The library asks for it even where no address has TLS; a second call changes nothing.
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder()
        .no_proxy()
        .tls_certs_only([])
        .connect_timeout(CONNECT_TIMEOUT)
        .redirect(reqwest::redirect::Policy::none())
        .build()
        .map_err(|error| CliError::Failed(format!("cannot speak HTTP: {error}")))
}
