//! How a link that another node begins is taken: put under TLS, proven both ways, at the internal listener.
//! Invariant: who has not proven itself yet is one of few, and has little time and few bytes.

use schema::NodeId;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tokio_tungstenite::tungstenite::handshake::server::{Callback, ErrorResponse, Request, Response};
use tokio_tungstenite::tungstenite::{self, http::StatusCode};
use tokio_tungstenite::{WebSocketStream, accept_hdr_async_with_config};

use super::PATH;
use super::carry::config;
use super::dial::PROVE_MAX;
use super::proof::{EXPORTER, Material, PeerSecret, Side};
use super::tls::Ends;

/// Why a connection became no link.
#[derive(Debug, thiserror::Error)]
pub(super) enum AcceptError {
    #[error("it was too slow")]
    Slow,
    #[error("it does not know this installation's secret")]
    Stranger,
    #[error("it says that it is this node itself")]
    Myself,
    #[error("it does not speak as nodes do: {0}")]
    Malformed(String),
}

impl AcceptError {
    /// Its label in the metric.
    pub(super) const fn name(&self) -> &'static str {
        match self {
            Self::Slow => "slow",
            Self::Stranger | Self::Myself => "stranger",
            Self::Malformed(_) => "malformed",
        }
    }
}

/// The web socket that another node begins on a connection, and who it is.
pub(super) async fn accept(
    me: NodeId,
    stream: TcpStream,
    ends: &Ends,
    secret: &PeerSecret,
) -> Result<(WebSocketStream<TlsStream<TcpStream>>, NodeId), AcceptError> {
    let proven = timeout(PROVE_MAX, prove(me, stream, ends, secret));
    proven.await.map_err(|_| AcceptError::Slow)?
}

async fn prove(
    me: NodeId,
    stream: TcpStream,
    ends: &Ends,
    secret: &PeerSecret,
) -> Result<(WebSocketStream<TlsStream<TcpStream>>, NodeId), AcceptError> {
    let malformed = |error: String| AcceptError::Malformed(error);
    stream.set_nodelay(true).map_err(|error| malformed(error.to_string()))?;
    let stream = TlsAcceptor::from(ends.server.clone()).accept(stream).await;
    let stream = stream.map_err(|error| malformed(error.to_string()))?;
    let material = stream.get_ref().1.export_keying_material([0; 32], EXPORTER, None);
    let material = material.map_err(|error| malformed(error.to_string()))?;
    let mut shown = None;
    let look = Look { me, secret, material: &material, shown: &mut shown };
    let socket = accept_hdr_async_with_config(stream, look, Some(config())).await;
    match (socket, shown) {
        (Ok(socket), Some(node)) if node != me => Ok((socket, node)),
        (Ok(_), Some(_)) => Err(AcceptError::Myself),
        (Err(tungstenite::Error::Http(_)), None) | (Ok(_), None) => Err(AcceptError::Stranger),
        (Err(error), _) => Err(malformed(error.to_string())),
    }
}

/// Looks at the head of an upgrade before it is answered.
struct Look<'a> {
    me: NodeId,
    secret: &'a PeerSecret,
    material: &'a Material,
    shown: &'a mut Option<NodeId>,
}

impl Callback for Look<'_> {
    #[expect(clippy::result_large_err, reason = "the library's own signature")]
    fn on_request(self, request: &Request, mut response: Response) -> Result<Response, ErrorResponse> {
        let refuse = |status| {
            let mut refusal = ErrorResponse::new(None);
            *refusal.status_mut() = status;
            Err(refusal)
        };
        if request.uri().path() != PATH {
            return refuse(StatusCode::NOT_FOUND);
        }
        let Some(node) = self.secret.shown(request.headers(), Side::Dialer, self.material) else {
            return refuse(StatusCode::UNAUTHORIZED);
        };
        *self.shown = Some(node);
        let (header, proof) = self.secret.header(Side::Acceptor, self.me, self.material);
        response.headers_mut().insert(header, proof);
        Ok(response)
    }
}
