//! How a link is begun: dialled, put under TLS, proven both ways.

use std::time::Duration;

use rustls::pki_types::ServerName;
use schema::NodeId;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::{self, http};
use tokio_tungstenite::{WebSocketStream, client_async_with_config};

use super::PATH;
use super::carry::config;
use super::proof::{EXPORTER, PeerSecret, Side};
use super::tls::Ends;

/// How long a node has for the connection alone.
const CONNECT_MAX: Duration = Duration::from_secs(2);
/// How long it has for all that follows.
pub(super) const PROVE_MAX: Duration = Duration::from_secs(5);

/// Why no link came about.
#[derive(Debug, thiserror::Error)]
pub(super) enum DialError {
    #[error("it cannot be reached: {0}")]
    Unreachable(#[from] std::io::Error),
    #[error("it does not answer in time")]
    Slow,
    #[error("it does not show that it knows this installation's secret: is `peer.secret` the same on all nodes?")]
    Stranger,
    #[error("it is {0}, which was started at the same address")]
    Another(NodeId),
    #[error("it refused: {0}")]
    Refused(String),
}

impl DialError {
    /// Its label in the metric.
    pub(super) const fn name(&self) -> &'static str {
        match self {
            Self::Unreachable(_) => "unreachable",
            Self::Slow => "slow",
            Self::Stranger | Self::Another(_) => "stranger",
            Self::Refused(_) => "refused",
        }
    }
}

/// A web socket to `node`, which is reached at `address` (`host:port`), as `me`.
pub(super) async fn dial(
    me: NodeId,
    node: NodeId,
    address: &str,
    ends: &Ends,
    secret: &PeerSecret,
) -> Result<WebSocketStream<TlsStream<TcpStream>>, DialError> {
    let stream = timeout(CONNECT_MAX, TcpStream::connect(address)).await.map_err(|_| DialError::Slow)??;
    stream.set_nodelay(true)?;
    let proven = timeout(PROVE_MAX, prove(me, stream, ends, secret));
    let (socket, shown) = proven.await.map_err(|_| DialError::Slow)??;
    match shown {
        Some(other) if other == node => Ok(socket),
        Some(other) => Err(DialError::Another(other)),
        None => Err(DialError::Stranger),
    }
}

async fn prove(
    me: NodeId,
    stream: TcpStream,
    ends: &Ends,
    secret: &PeerSecret,
) -> Result<(WebSocketStream<TlsStream<TcpStream>>, Option<NodeId>), DialError> {
    // No name is sent and none is looked at; the library wants one.
    let name = ServerName::try_from("peer").map_err(|error| DialError::Refused(error.to_string()))?;
    let stream = TlsConnector::from(ends.client.clone()).connect(name, stream).await?;
    let material = stream.get_ref().1.export_keying_material([0; 32], EXPORTER, None);
    let material = material.map_err(|error| DialError::Refused(error.to_string()))?;
    let mut request = format!("ws://peer{PATH}").into_client_request().map_err(refused)?;
    let (header, proof) = secret.header(Side::Dialer, me, &material);
    request.headers_mut().insert(header, proof);
    let (socket, answer) = client_async_with_config(request, stream, Some(config())).await.map_err(refused)?;
    let shown = secret.shown(answer.headers(), Side::Acceptor, &material);
    Ok((socket, shown))
}

fn refused(error: tungstenite::Error) -> DialError {
    match error {
        tungstenite::Error::Io(error) => DialError::Unreachable(error),
        tungstenite::Error::Http(answer) if answer.status() == http::StatusCode::UNAUTHORIZED => DialError::Stranger,
        other => DialError::Refused(other.to_string()),
    }
}
