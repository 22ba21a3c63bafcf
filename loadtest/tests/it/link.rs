//! The lean web socket client against a complete implementation on the other side.

use std::net::SocketAddr;

use futures_util::{SinkExt, StreamExt};
use loadtest::socket::{Incoming, Link, Opening};
use tokio::net::TcpListener;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::server::{Request, Response};
use tokio_tungstenite::tungstenite::http::HeaderValue;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Data, OpCode};
use tokio_tungstenite::tungstenite::protocol::frame::{CloseFrame, Frame};

fn opening(server: SocketAddr) -> Opening<'static> {
    Opening { server, key: "secret", source: Some("127.0.0.9".parse().unwrap()), receive_buffer: Some(8192) }
}

#[tokio::test]
async fn messages_pieces_pings_and_the_close_are_understood() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let server = tokio::spawn(async move {
        let (stream, from) = listener.accept().await.unwrap();
        assert_eq!(from.ip().to_string(), "127.0.0.9");
        #[allow(clippy::result_large_err, reason = "the signature that tungstenite asks for")]
        let check = |request: &Request, mut response: Response| {
            assert_eq!(request.uri().path(), "/v1/ws");
            assert_eq!(request.headers()["authorization"], "Bearer secret");
            assert_eq!(request.headers()["sec-websocket-protocol"], "tertulia.v1");
            response.headers_mut().insert("sec-websocket-protocol", HeaderValue::from_static("tertulia.v1"));
            Ok(response)
        };
        let mut socket = tokio_tungstenite::accept_hdr_async(stream, check).await.unwrap();
        for size in [5, 300, 70_000] {
            assert_eq!(socket.next().await.unwrap().unwrap(), Message::text("x".repeat(size)));
        }
        socket.send(Message::text("y".repeat(70_000))).await.unwrap();
        let piece = |text: &'static str, code, last| Message::Frame(Frame::message(text, OpCode::Data(code), last));
        socket.send(piece("one ", Data::Text, false)).await.unwrap();
        socket.send(Message::Ping("life?".into())).await.unwrap();
        socket.send(piece("two ", Data::Continue, false)).await.unwrap();
        socket.send(piece("three", Data::Continue, true)).await.unwrap();
        socket.send(Message::Close(Some(CloseFrame { code: 4008.into(), reason: "slow".into() }))).await.unwrap();
        assert_eq!(socket.next().await.unwrap().unwrap(), Message::Pong("life?".into()));
    });

    let mut link = Link::open(opening(address)).await.unwrap();
    for size in [5, 300, 70_000] {
        link.queue("x".repeat(size).as_bytes());
    }
    link.flush().await.unwrap();
    let mut message = async || match link.next().await.unwrap().0 {
        Incoming::Message(message) => String::from_utf8(message.to_vec()).unwrap(),
        Incoming::Close(code) => format!("closed {code:?}"),
    };
    assert_eq!(message().await.len(), 70_000);
    assert_eq!(message().await, "one two three");
    assert_eq!(message().await, "closed Some(4008)");
    link.flush().await.unwrap();
    server.await.unwrap();
}

#[tokio::test]
async fn a_server_that_does_not_upgrade_is_an_error() {
    for answer in [
        "HTTP/1.1 401 Unauthorized\r\ncontent-length: 0\r\n\r\n",
        "HTTP/1.1 101 Switching\r\nsec-websocket-accept: wrong\r\n\r\n",
        "SSH-2.0-x\r\n\r\n",
    ] {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            tokio::io::AsyncWriteExt::write_all(&mut stream, answer.as_bytes()).await.unwrap();
            std::future::pending::<()>().await;
        });
        let opened = Link::open(Opening { source: None, ..opening(address) }).await;
        assert!(opened.is_err(), "{answer}");
    }
}
