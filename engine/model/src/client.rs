//! The connections to models' servers, and what every request to them has in common.

use std::time::Duration;

use reqwest::header::{CONNECTION, CONTENT_TYPE, HeaderValue};
use reqwest::{Client, RequestBuilder, Response, Url};
use schema::limits::MODEL_FRAME_BYTES_MAX;
use secrecy::{ExposeSecret, SecretString};

use super::ModelError;

/// How long an idle connection is kept. Providers and balancers close theirs after 30 to 60
/// seconds; a request on a socket that the peer has just closed would fail for nothing.
const POOL_IDLE: Duration = Duration::from_secs(20);
/// Idle connections kept for one host.
const POOL_IDLE_MAX: usize = 32;

/// Makes rustls use ring in this process. To be called before the first [`Http`] is made; calling
/// it again does nothing.
pub fn install_crypto_provider() {
    // An error says that one is installed already, which is all we want.
    let _ = rustls::crypto::ring::default_provider().install_default();
}

/// A connection pool. It belongs to one worker thread: its connections are driven by tasks on the
/// runtime that made them, so adapters are built once for each worker, and a token never changes
/// threads on its way. Clones share the pool.
///
/// HTTP/1.1 only, so that closing the socket is what stops a reply; `tcp_nodelay` is on. Of the
/// environment only `HTTPS_PROXY`, `HTTP_PROXY` and `NO_PROXY` matter, in the usual way, and never
/// for an address of this machine (`localhost`, `127.0.0.0/8`, `::1`).
#[derive(Clone, Debug)]
pub struct Http {
    client: Client,
}

impl Http {
    /// A pool for requests to `base`. Reading the machine's root certificates takes a moment and
    /// fails where there are none, so it is done for `https` only.
    ///
    /// # Errors
    /// When TLS cannot be set up, in words for the operator.
    pub fn new(base: &Url, connect_timeout: Duration) -> Result<Self, String> {
        install_crypto_provider();
        let mut builder = Client::builder()
            .connect_timeout(connect_timeout)
            .tcp_nodelay(true)
            .http1_only()
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .referer(false)
            .pool_idle_timeout(POOL_IDLE)
            .pool_max_idle_per_host(POOL_IDLE_MAX)
            .user_agent(concat!("tertulia/", env!("CARGO_PKG_VERSION")));
        if base.scheme() != "https" {
            builder = builder.tls_certs_only([]);
        }
        if is_local(base) {
            builder = builder.no_proxy();
        }
        let client = builder.build().map_err(|error| chain(&error))?;
        Ok(Self { client })
    }

    /// A POST of a JSON body.
    pub(super) fn post(&self, url: Url, body: Vec<u8>) -> RequestBuilder {
        self.client.post(url).header(CONTENT_TYPE, HeaderValue::from_static("application/json")).body(body)
    }

    /// A GET after which the connection is closed: nothing follows it.
    pub(super) fn get_once(&self, url: Url) -> RequestBuilder {
        self.client.get(url).header(CONNECTION, HeaderValue::from_static("close"))
    }
}

/// A key as a header that no log of the HTTP library prints.
pub(super) fn secret_header(prefix: &str, key: &SecretString) -> Option<HeaderValue> {
    let mut value = HeaderValue::try_from(format!("{prefix}{}", key.expose_secret())).ok()?;
    value.set_sensitive(true);
    Some(value)
}

/// `base` with more path behind it, whether or not it ends in a slash.
pub(super) fn join(base: &Url, more: &[&str]) -> Url {
    let mut url = base.clone();
    if let Ok(mut path) = url.path_segments_mut() {
        path.pop_if_empty().extend(more);
    }
    url
}

/// The body of an answer that went well.
pub(super) async fn document(request: RequestBuilder) -> Option<String> {
    let response = request.send().await.ok()?;
    if response.status() != 200 {
        return None;
    }
    whole(response).await.ok()
}

/// A whole body. How long it may take is the caller's to say.
pub(super) async fn whole(mut response: Response) -> Result<String, ModelError> {
    let mut body = Vec::new();
    loop {
        match response.chunk().await {
            Ok(Some(bytes)) if body.len() + bytes.len() <= MODEL_FRAME_BYTES_MAX => body.extend_from_slice(&bytes),
            Ok(Some(_)) => {
                return Err(ModelError::protocol(format!("the answer is larger than {MODEL_FRAME_BYTES_MAX} bytes")));
            }
            Ok(None) => return Ok(String::from_utf8_lossy(&body).into_owned()),
            Err(error) => return Err(ModelError::truncated(format!("the connection broke: {}", chain(&error)))),
        }
    }
}

fn is_local(base: &Url) -> bool {
    let host = base.host_str().unwrap_or_default().trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// An error with its causes; reqwest's own text stops at the first, and names the URL, which the
/// log need not repeat.
pub(super) fn chain(error: &reqwest::Error) -> String {
    let mut text = if error.is_connect() { "cannot connect" } else { "request failed" }.to_owned();
    let mut cause = std::error::Error::source(error);
    while let Some(inner) = cause {
        text.push_str(": ");
        text.push_str(&inner.to_string());
        cause = inner.source();
    }
    text.chars().take(300).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_join_with_and_without_a_slash() {
        for base in ["http://h/v1", "http://h/v1/"] {
            let url = join(&Url::parse(base).unwrap(), &["chat", "completions"]);
            assert_eq!(url.as_str(), "http://h/v1/chat/completions");
        }
        let url = join(&Url::parse("http://h").unwrap(), &["models", "a/b?c:stream"]);
        assert_eq!(url.as_str(), "http://h/models/a%2Fb%3Fc:stream");
    }

    #[test]
    fn a_key_does_not_show() {
        let value = secret_header("Bearer ", &SecretString::from("sk-123")).unwrap();
        assert!(!format!("{value:?}").contains("sk-123"));
        assert!(secret_header("", &SecretString::from("line\nbreak")).is_none());
    }
}
