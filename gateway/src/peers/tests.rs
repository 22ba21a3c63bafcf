//! Both ends of a link over real connections: who is let in, and who is not.

use std::net::SocketAddr;
use std::sync::Arc;

use futures_util::{SinkExt, StreamExt};
use rustls::pki_types::ServerName;
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_rustls::{TlsAcceptor, TlsConnector};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;

use super::accept::{AcceptError, accept};
use super::dial::{DialError, dial};
use super::proof::{PeerSecret, SecretFrom};
use super::tls::Ends;
use schema::NodeId;

/// The acceptor's side of one connection: who came, with what it said first.
type Accepted = JoinHandle<Result<(NodeId, String), AcceptError>>;

fn secret(words: &str) -> PeerSecret {
    PeerSecret::new("here", SecretFrom::Chosen(words), None)
}

async fn acceptor(me: NodeId, words: &'static str) -> (SocketAddr, Accepted) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let accepted = tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        let ends = Ends::new().unwrap();
        let (mut socket, node) = accept(me, stream, &ends, &secret(words)).await?;
        let said: Option<Message> = socket.next().await.and_then(Result::ok);
        Ok((node, said.map(|said| said.to_string()).unwrap_or_default()))
    });
    (address, accepted)
}

async fn dialled<S>(socket: Result<WebSocketStream<S>, DialError>) -> Result<(), DialError>
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
{
    socket?.send(Message::text("hello")).await.unwrap();
    Ok(())
}

#[tokio::test]
async fn who_knows_the_secret_is_known_and_nobody_else() {
    let ends = Ends::new().unwrap();
    for (theirs, ours, known) in [("one", "one", true), ("one", "two", false)] {
        let [me, node] = [NodeId::generate(), NodeId::generate()];
        let (address, accepted) = acceptor(node, theirs).await;
        let socket = dial(me, node, &address.to_string(), &ends, &secret(ours)).await;
        let dialled = dialled(socket).await;
        let accepted = accepted.await.unwrap();
        if known {
            dialled.unwrap();
            assert_eq!(accepted.unwrap(), (me, "hello".to_owned()));
        } else {
            assert!(matches!(dialled, Err(DialError::Stranger)), "{dialled:?}");
            assert!(matches!(accepted, Err(AcceptError::Stranger)), "{accepted:?}");
        }
    }
}

#[tokio::test]
async fn another_node_at_the_same_address_is_not_taken_for_the_one_that_was_there() {
    let ends = Ends::new().unwrap();
    let [me, gone, there] = [NodeId::generate(), NodeId::generate(), NodeId::generate()];
    let (address, _accepted) = acceptor(there, "one").await;
    let socket = dial(me, gone, &address.to_string(), &ends, &secret("one")).await;
    assert!(matches!(socket, Err(DialError::Another(node)) if node == there));
    let (address, accepted) = acceptor(me, "one").await;
    let _socket = dial(me, me, &address.to_string(), &ends, &secret("one")).await;
    assert!(matches!(accepted.await.unwrap(), Err(AcceptError::Myself)), "a node that dials itself");
}

/// Takes TLS from one side and makes it anew to the other, as somebody who owns the wire may.
async fn between(target: SocketAddr) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        let ends = Ends::new().unwrap();
        let mut near = TlsAcceptor::from(Arc::clone(&ends.server)).accept(stream).await.unwrap();
        let far = TcpStream::connect(target).await.unwrap();
        let name = ServerName::try_from("peer").unwrap();
        let mut far = TlsConnector::from(Arc::clone(&ends.client)).connect(name, far).await.unwrap();
        let _ = copy_bidirectional(&mut near, &mut far).await;
    });
    address
}

#[tokio::test]
async fn whoever_stands_between_two_nodes_gets_nowhere() {
    let ends = Ends::new().unwrap();
    let [me, node] = [NodeId::generate(), NodeId::generate()];
    let (address, accepted) = acceptor(node, "one").await;
    let address = between(address).await;
    let socket = dial(me, node, &address.to_string(), &ends, &secret("one")).await;
    assert!(matches!(socket, Err(DialError::Stranger)));
    assert!(matches!(accepted.await.unwrap(), Err(AcceptError::Stranger)));
}

#[tokio::test]
async fn what_is_no_node_is_turned_away() {
    for said in ["GET /peer HTTP/1.1\r\nhost: peer\r\n\r\n", "\u{16}\u{3}\u{1}", "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"] {
        let (address, accepted) = acceptor(NodeId::generate(), "one").await;
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(said.as_bytes()).await.unwrap();
        stream.shutdown().await.unwrap();
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer).await;
        assert!(matches!(accepted.await.unwrap(), Err(AcceptError::Malformed(_))), "{said}");
        assert!(!String::from_utf8_lossy(&answer).contains("HTTP"), "{answer:?}");
    }
    let nobody = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let [me, node] = [NodeId::generate(), NodeId::generate()];
    let socket = dial(me, node, &nobody.to_string(), &Ends::new().unwrap(), &secret("one")).await;
    assert!(matches!(socket, Err(DialError::Unreachable(_))));
}

#[tokio::test(start_paused = true)]
async fn who_says_nothing_is_not_waited_for() {
    let (address, accepted) = acceptor(NodeId::generate(), "one").await;
    let _silent = TcpStream::connect(address).await.unwrap();
    assert!(matches!(accepted.await.unwrap(), Err(AcceptError::Slow)));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let [me, node] = [NodeId::generate(), NodeId::generate()];
    let socket = dial(me, node, &address.to_string(), &Ends::new().unwrap(), &secret("one")).await;
    assert!(matches!(socket, Err(DialError::Slow)));
}
