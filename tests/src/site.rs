//! A web site of the tests' own, which may be as hostile as it likes.
//! Invariant: it says what it was asked for, and a page may be changed at any time.

#![allow(clippy::expect_used, reason = "a tool of tests")]

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::AbortHandle;

/// What a path answers.
#[derive(Clone, Debug)]
pub enum Page {
    /// A page of HTML.
    Html(String),
    /// A body of some type, with further headers.
    Body { media_type: &'static str, headers: String, bytes: Vec<u8> },
    /// A status without a body.
    Status(u16),
    /// A way to another address.
    Redirect(String),
    /// Bytes that never end.
    Endless,
    /// A head, and then a byte now and then.
    Drip,
    /// The page after a while.
    Slow(Duration, String),
}

/// A running site.
pub struct Site {
    /// Where it is.
    pub address: SocketAddr,
    pages: Arc<Mutex<HashMap<String, Page>>>,
    asked: Arc<Mutex<Vec<String>>>,
    task: AbortHandle,
}

impl Site {
    /// Starts one; paths that are not given answer 404.
    ///
    /// # Panics
    /// When there is no port.
    pub async fn start(pages: impl IntoIterator<Item = (&str, Page)>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("its address");
        let pages: HashMap<String, Page> = pages.into_iter().map(|(path, page)| (path.to_owned(), page)).collect();
        let (pages, asked) = (Arc::new(Mutex::new(pages)), Arc::<Mutex<Vec<String>>>::default());
        let (of_task, seen) = (Arc::clone(&pages), Arc::clone(&asked));
        let task = tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                tokio::spawn(answer(socket, Arc::clone(&of_task), Arc::clone(&seen)));
            }
        });
        Self { address, pages, asked, task: task.abort_handle() }
    }

    /// The address of a path.
    #[must_use]
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Changes a page, or adds it.
    pub fn put(&self, path: &str, page: Page) {
        self.pages.lock().unwrap_or_else(PoisonError::into_inner).insert(path.to_owned(), page);
    }

    /// Takes a page away.
    pub fn remove(&self, path: &str) {
        self.pages.lock().unwrap_or_else(PoisonError::into_inner).remove(path);
    }

    /// The paths that were asked for, in order.
    #[must_use]
    pub fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// One request a connection.
async fn answer(mut socket: TcpStream, pages: Arc<Mutex<HashMap<String, Page>>>, asked: Arc<Mutex<Vec<String>>>) {
    let mut head = Vec::new();
    while !head.windows(4).any(|window| window == b"\r\n\r\n") {
        if !matches!(socket.read_buf(&mut head).await, Ok(1..)) {
            return;
        }
    }
    let head = String::from_utf8_lossy(&head);
    let path = head.split_whitespace().nth(1).unwrap_or_default().to_owned();
    asked.lock().unwrap_or_else(PoisonError::into_inner).push(path.clone());
    let page = pages.lock().unwrap_or_else(PoisonError::into_inner).get(&path).cloned().unwrap_or(Page::Status(404));
    // Whoever asked may have gone.
    let _ = send(&mut socket, page).await;
    let _ = socket.shutdown().await;
}

async fn send(socket: &mut TcpStream, page: Page) -> std::io::Result<()> {
    match page {
        Page::Html(html) => whole(socket, "text/html; charset=utf-8", "", html.as_bytes()).await,
        Page::Body { media_type, headers, bytes } => whole(socket, media_type, &headers, &bytes).await,
        Page::Status(status) => {
            let head = format!("HTTP/1.1 {status} X\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
            socket.write_all(head.as_bytes()).await
        }
        Page::Redirect(to) => {
            let head = format!("HTTP/1.1 302 X\r\nlocation: {to}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
            socket.write_all(head.as_bytes()).await
        }
        Page::Endless => {
            socket.write_all(b"HTTP/1.1 200 X\r\ncontent-type: text/html\r\nconnection: close\r\n\r\n").await?;
            loop {
                socket.write_all(&[b'x'; 64 * 1024]).await?;
            }
        }
        Page::Drip => {
            socket.write_all(b"HTTP/1.1 200 X\r\ncontent-type: text/html\r\nconnection: close\r\n\r\n").await?;
            loop {
                socket.write_all(b"x").await?;
                tokio::time::sleep(Duration::from_millis(500)).await;
            }
        }
        Page::Slow(pause, html) => {
            tokio::time::sleep(pause).await;
            whole(socket, "text/html", "", html.as_bytes()).await
        }
    }
}

async fn whole(socket: &mut TcpStream, media_type: &str, headers: &str, body: &[u8]) -> std::io::Result<()> {
    let length = body.len();
    let head = format!(
        "HTTP/1.1 200 X\r\ncontent-type: {media_type}\r\ncontent-length: {length}\r\nconnection: close\r\n{headers}\r\n"
    );
    socket.write_all(head.as_bytes()).await?;
    socket.write_all(body).await
}
