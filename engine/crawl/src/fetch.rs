//! Gets one page over HTTP: from allowed addresses only, in bounded time and size.
//! Invariant: redirects are told, not followed; the address connected to is one that was checked.

use std::io::{self, Read};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use flate2::read::MultiGzDecoder;
use futures_util::StreamExt;
use futures_util::future::BoxFuture;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::header::{ACCEPT, ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_TYPE, HeaderMap, LOCATION};
use reqwest::{Client, Response};
use url::{Host, Url};

use super::USER_AGENT;
use super::address::is_allowed;

const CONNECT_TIME_MAX: Duration = Duration::from_secs(5);
/// One page in all: the name, the connection, the answer and its whole body.
const PAGE_TIME_MAX: Duration = Duration::from_secs(10);
/// One page, as sent and as unpacked.
pub(super) const PAGE_BYTES_MAX: usize = 5 * 1024 * 1024;

/// Gets pages.
pub trait Fetch: Send + Sync {
    /// One request for one address.
    fn get<'a>(&'a self, url: &'a Url) -> BoxFuture<'a, Result<Fetched, FetchError>>;
}

/// What a server answered.
#[derive(Debug)]
pub enum Fetched {
    /// It is elsewhere.
    Redirect(Url),
    /// It is here.
    Page(Body),
    /// Neither.
    Status(u16),
}

/// A page as it came.
#[derive(Debug, Default)]
pub struct Body {
    /// What the server calls it.
    pub media_type: Option<String>,
    /// In which letters the server says it is.
    pub charset: Option<String>,
    /// What the server says to robots of this page.
    pub robots: Option<String>,
    /// The page.
    pub bytes: Bytes,
}

/// Why a page did not come.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
pub enum FetchError {
    #[error("its address leads into a private network; `learning.private_hosts` allows that")]
    Private,
    #[error("only ports 80 and 443 are used; `learning.private_hosts` allows others")]
    Port,
    #[error("only http and https are used")]
    Scheme,
    #[error("its host is not known")]
    UnknownHost,
    #[error("its host cannot be reached")]
    Unreachable,
    #[error("it took longer than {} s", PAGE_TIME_MAX.as_secs())]
    TooSlow,
    #[error("it is larger than {} MiB", PAGE_BYTES_MAX >> 20)]
    TooLarge,
    #[error("it is compressed in a way that was not asked for")]
    Encoding,
    #[error("the answer breaks off")]
    Broken,
    #[error("it redirects to nowhere")]
    Location,
}

impl FetchError {
    /// Whether nothing was heard of its host: it says nothing of the page that was asked for.
    #[must_use]
    pub const fn is_of_the_way(&self) -> bool {
        matches!(self, Self::Private | Self::Port | Self::Scheme | Self::UnknownHost | Self::Unreachable)
    }

    /// Whether it may be there another time.
    #[must_use]
    pub const fn may_pass(&self) -> bool {
        matches!(self, Self::UnknownHost | Self::Unreachable | Self::TooSlow | Self::Broken)
    }
}

/// The web, or with the operator's word also this machine's networks.
pub struct Web {
    client: Client,
    private: bool,
}

impl Web {
    /// `private` also allows private addresses and any port.
    ///
    /// # Errors
    /// When HTTP cannot be set up, in words for the operator.
    pub fn new(private: bool) -> Result<Self, String> {
        // An error says that rustls has a provider already, which is all that a client needs.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let builder = || {
            Client::builder()
                .user_agent(USER_AGENT)
                .no_proxy()
                .redirect(reqwest::redirect::Policy::none())
                .retry(reqwest::retry::never())
                .referer(false)
                .http1_only()
                .connect_timeout(CONNECT_TIME_MAX)
                .timeout(PAGE_TIME_MAX)
                .dns_resolver(Arc::new(Checked { private }))
        };
        // A machine without root certificates can still read sites without TLS.
        let client = builder().build().or_else(|_| builder().tls_certs_only([]).build());
        Ok(Self { client: client.map_err(|error| error.to_string())?, private })
    }

    /// What can be said of an address before a name is looked up.
    ///
    /// # Errors
    /// Why nothing is fetched from it.
    pub fn check(url: &Url, private: bool) -> Result<(), FetchError> {
        if !matches!(url.scheme(), "http" | "https") {
            return Err(FetchError::Scheme);
        }
        if !private && !matches!(url.port_or_known_default(), Some(80 | 443)) {
            return Err(FetchError::Port);
        }
        // The library does not look up what is an address already.
        let literal = match url.host() {
            Some(Host::Ipv4(address)) => Some(IpAddr::V4(address)),
            Some(Host::Ipv6(address)) => Some(IpAddr::V6(address)),
            Some(Host::Domain(_)) => None,
            None => return Err(FetchError::Scheme),
        };
        if literal.is_some_and(|address| !is_allowed(address, private)) {
            return Err(FetchError::Private);
        }
        Ok(())
    }

    async fn get_now(&self, url: &Url) -> Result<Fetched, FetchError> {
        Self::check(url, self.private)?;
        let request = self
            .client
            .get(url.clone())
            .header(
                ACCEPT,
                "text/html, application/xhtml+xml, application/pdf, text/markdown, text/plain;q=0.9, */*;q=0.5",
            )
            .header(ACCEPT_ENCODING, "gzip");
        let response = request.send().await.map_err(|error| why(&error))?;
        let from = response.remote_addr().map(|address| address.ip());
        if from.is_some_and(|address| !is_allowed(address, self.private)) {
            return Err(FetchError::Private);
        }
        let status = response.status();
        if matches!(status.as_u16(), 301 | 302 | 303 | 307 | 308) {
            let location = header(response.headers(), LOCATION.as_str()).ok_or(FetchError::Location)?;
            return url.join(&location).map(Fetched::Redirect).map_err(|_| FetchError::Location);
        }
        if !status.is_success() {
            return Ok(Fetched::Status(status.as_u16()));
        }
        read(response).await.map(Fetched::Page)
    }
}

impl Fetch for Web {
    fn get<'a>(&'a self, url: &'a Url) -> BoxFuture<'a, Result<Fetched, FetchError>> {
        Box::pin(async move {
            // The client's own limit begins anew with each piece it waits for.
            let got = tokio::time::timeout(PAGE_TIME_MAX, self.get_now(url)).await;
            got.unwrap_or(Err(FetchError::TooSlow))
        })
    }
}

async fn read(response: Response) -> Result<Body, FetchError> {
    let headers = response.headers();
    let content_type = header(headers, CONTENT_TYPE.as_str());
    let charset = content_type.as_deref().and_then(charset_of);
    let robots = header(headers, "x-robots-tag");
    let is_packed = match header(headers, CONTENT_ENCODING.as_str()).map(|text| text.to_ascii_lowercase()).as_deref() {
        None | Some("" | "identity") => false,
        Some("gzip" | "x-gzip") => true,
        Some(_) => return Err(FetchError::Encoding),
    };
    if response.content_length().is_some_and(|length| length > PAGE_BYTES_MAX as u64) {
        return Err(FetchError::TooLarge);
    }
    let mut bytes = Vec::new();
    let mut pieces = response.bytes_stream();
    while let Some(piece) = pieces.next().await {
        let piece = piece.map_err(|error| why(&error))?;
        if bytes.len() + piece.len() > PAGE_BYTES_MAX {
            return Err(FetchError::TooLarge);
        }
        bytes.extend_from_slice(&piece);
    }
    let bytes = if is_packed { unpack(&bytes)? } else { bytes };
    Ok(Body { media_type: content_type, charset, robots, bytes: bytes.into() })
}

/// The letters that a `Content-Type` names: the first parameter of that name, however it is spelled and quoted.
fn charset_of(content_type: &str) -> Option<String> {
    let quotes = |c: char| matches!(c, '"' | '\'') || c.is_whitespace();
    let mut parameters = content_type.split(';').skip(1).filter_map(|parameter| parameter.split_once('='));
    let (_, value) = parameters.find(|(name, _)| name.trim().eq_ignore_ascii_case("charset"))?;
    Some(value.trim_matches(quotes)).filter(|value| !value.is_empty()).map(str::to_owned)
}

/// Unpacks gzip, up to the same bound.
pub(super) fn unpack(packed: &[u8]) -> Result<Vec<u8>, FetchError> {
    let mut bytes = Vec::new();
    let mut bounded = MultiGzDecoder::new(packed).take(PAGE_BYTES_MAX as u64 + 1);
    bounded.read_to_end(&mut bytes).map_err(|_| FetchError::Broken)?;
    if bytes.len() > PAGE_BYTES_MAX { Err(FetchError::TooLarge) } else { Ok(bytes) }
}

fn header(headers: &HeaderMap, name: &str) -> Option<String> {
    let value = headers.get(name)?;
    Some(String::from_utf8_lossy(value.as_bytes()).trim().to_owned())
}

/// The library's error by its kind; ours lies at the bottom of it, where the resolver refused.
fn why(error: &reqwest::Error) -> FetchError {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(one) = cause {
        if let Some(own) = one.downcast_ref::<FetchError>() {
            return own.clone();
        }
        cause = one.source();
    }
    // A connection that does not come in time is none; that comes first, as it is a time-out too.
    if error.is_connect() {
        FetchError::Unreachable
    } else if error.is_timeout() {
        FetchError::TooSlow
    } else {
        FetchError::Broken
    }
}

/// Looks names up, and gives only addresses that may be connected to.
struct Checked {
    private: bool,
}

impl Resolve for Checked {
    fn resolve(&self, name: Name) -> Resolving {
        let private = self.private;
        Box::pin(async move {
            let found: Vec<SocketAddr> = tokio::net::lookup_host((name.as_str(), 0))
                .await
                .map_err(|_: io::Error| FetchError::UnknownHost)?
                .collect();
            Ok(Box::new(allowed(found, private)?.into_iter()) as Addrs)
        })
    }
}

fn allowed(found: Vec<SocketAddr>, private: bool) -> Result<Vec<SocketAddr>, FetchError> {
    if found.is_empty() {
        return Err(FetchError::UnknownHost);
    }
    // A name with one inner address among outer ones is a trap, not a site.
    if found.iter().any(|address| !is_allowed(address.ip(), private)) {
        return Err(FetchError::Private);
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    #[test]
    fn addresses_are_checked_in_any_spelling() {
        for (url, public, private) in [
            ("https://93.184.216.34/", Ok(()), Ok(())),
            ("https://shop.example/", Ok(()), Ok(())),
            ("http://127.0.0.1/", Err(FetchError::Private), Ok(())),
            ("http://127.1/", Err(FetchError::Private), Ok(())),
            ("http://2130706433/", Err(FetchError::Private), Ok(())),
            ("http://0x7f.0.0.1/", Err(FetchError::Private), Ok(())),
            ("http://0177.0.0.1/", Err(FetchError::Private), Ok(())),
            ("http://[::ffff:127.0.0.1]/", Err(FetchError::Private), Ok(())),
            ("http://[::ffff:a9fe:a9fe]/", Err(FetchError::Private), Err(FetchError::Private)),
            ("http://2852039166/", Err(FetchError::Private), Err(FetchError::Private)),
            ("http://169.254.169.254/latest", Err(FetchError::Private), Err(FetchError::Private)),
            ("http://shop.example:22/", Err(FetchError::Port), Ok(())),
            ("ftp://shop.example/", Err(FetchError::Scheme), Err(FetchError::Scheme)),
        ] {
            let url = Url::parse(url).unwrap();
            assert_eq!((Web::check(&url, false), Web::check(&url, true)), (public, private), "{url}");
        }
    }

    #[test]
    fn a_name_with_an_inner_address_is_refused_whole() {
        let addresses = |texts: &[&str]| texts.iter().map(|text| SocketAddr::new(text.parse().unwrap(), 0)).collect();
        for (found, private, good) in [
            (addresses(&["93.184.216.34", "2606:2800:220:1::1"]), false, true),
            (addresses(&["93.184.216.34", "127.0.0.1"]), false, false),
            (addresses(&["127.0.0.1"]), true, true),
            (addresses(&["169.254.169.254"]), true, false),
            (Vec::new(), true, false),
        ] {
            assert_eq!(allowed(found, private).is_ok(), good);
        }
    }

    #[tokio::test]
    async fn a_name_of_this_machine_is_refused_where_it_is_looked_up() {
        let web = Web::new(false).unwrap();
        let url = Url::parse("http://localhost/").unwrap();
        assert_eq!(web.get(&url).await.unwrap_err(), FetchError::Private);
    }

    #[test]
    fn letters_are_known_however_the_server_spells_their_name() {
        for (content_type, expected) in [
            ("text/html; charset=koi8-r", Some("koi8-r")),
            ("text/html;charset=koi8-r;x=1", Some("koi8-r")),
            ("text/html; Charset=\"KOI8-R\"", Some("KOI8-R")),
            ("text/html; CHARSET = 'koi8-r'", Some("koi8-r")),
            ("text/html; charset=\" koi8-r \" ; version=2", Some("koi8-r")),
            ("text/html; level=1; charset =\tkoi8-r", Some("koi8-r")),
            ("text/html; charset=koi8-r; charset=utf-8", Some("koi8-r")),
            ("text/html; x-charset=koi8-r", None),
            ("text/html; note=charset=koi8-r", None),
            ("text/html; charset=", None),
            ("text/html; charset=\"\"", None),
            ("text/html; charset", None),
            ("charset=koi8-r", None),
            ("text/html", None),
            ("", None),
        ] {
            assert_eq!(charset_of(content_type).as_deref(), expected, "{content_type}");
        }
    }

    #[test]
    fn what_is_packed_too_tightly_is_not_unpacked() {
        let packed = |bytes: &[u8]| {
            let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
            encoder.write_all(bytes).unwrap();
            encoder.finish().unwrap()
        };
        assert_eq!(unpack(&packed(b"words")).unwrap(), b"words");
        assert_eq!(unpack(&packed(&vec![0; PAGE_BYTES_MAX + 1])), Err(FetchError::TooLarge));
        assert_eq!(unpack(&packed(b"words")[..9]), Err(FetchError::Broken));
    }
}
