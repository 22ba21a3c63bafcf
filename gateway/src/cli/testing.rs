//! Shared by the tests of this folder: a node that answers by script, over real HTTP.

use std::collections::HashMap;
use std::ffi::OsString;
use std::path::Path;
use std::sync::{Arc, Mutex};

use engine_config::{Config, Sources};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// Answers by `METHOD /path`, and remembers what it was asked.
pub(super) struct ScriptedNode {
    pub(super) config: Config,
    pub(super) asked: Arc<Mutex<Vec<String>>>,
}

impl ScriptedNode {
    /// Every request must be in the script; others are answered 404 with a body that is no JSON.
    pub(super) async fn start(data: &Path, script: &[(&str, u16, &str)]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let config = config(&listener.local_addr().unwrap().to_string(), data);
        let script: HashMap<String, (u16, String)> = script
            .iter()
            .map(|(request, status, body)| ((*request).to_string(), (*status, (*body).to_string())))
            .collect();
        let asked = Arc::<Mutex<Vec<String>>>::default();
        let seen = asked.clone();
        tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                answer(socket, &script, &seen).await;
            }
        });
        Self { config, asked }
    }
}

/// Settings for a node there, with the API key `my-own-key-0123456`.
pub(super) fn config(listen: &str, data: &Path) -> Config {
    let variables = [
        ("TERTULIA_LISTEN", OsString::from(listen)),
        ("TERTULIA_DATA", data.into()),
        ("TERTULIA_API_KEY", OsString::from("my-own-key-0123456")),
    ];
    let variables = variables.map(|(name, value)| (OsString::from(name), value));
    Sources::read(None, variables).unwrap().config().unwrap()
}

/// One request a connection: the client makes another.
async fn answer(mut socket: TcpStream, script: &HashMap<String, (u16, String)>, asked: &Mutex<Vec<String>>) {
    let mut bytes = Vec::new();
    let (head, body_at) = loop {
        if socket.read_buf(&mut bytes).await.unwrap() == 0 {
            return;
        }
        if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            break (String::from_utf8(bytes[..end].to_vec()).unwrap(), end + 4);
        }
    };
    let header = |name: &str| {
        let lines = head.lines().filter_map(|line| line.split_once(": "));
        lines.filter(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.to_string()).next()
    };
    let length: usize = header("content-length").map_or(0, |length| length.parse().unwrap());
    while bytes.len() < body_at + length {
        assert!(socket.read_buf(&mut bytes).await.unwrap() > 0, "the body breaks off");
    }
    let request = head.lines().next().unwrap().rsplit_once(' ').unwrap().0.to_string();
    let key = header("authorization").unwrap_or_default();
    let body = String::from_utf8_lossy(&bytes[body_at..]);
    asked.lock().unwrap().push(format!("{request} [{key}] {body}").trim().to_string());
    let (status, body) = script.get(&request).cloned().unwrap_or((404, "no such page".into()));
    let answer = format!(
        "HTTP/1.1 {status} X\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
        body.len()
    );
    socket.write_all(answer.as_bytes()).await.unwrap();
}
