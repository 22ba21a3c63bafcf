//! A model provider that misbehaves on command: a real HTTP server on a real socket.
//! Invariant: it does nothing a script did not say, and it counts the connections that are open.

mod dialect;
mod script;
mod serve;

use std::collections::{HashMap, VecDeque};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

pub use dialect::Dialect;
pub use script::{Script, Step};

/// A running server. Dropping it stops it and cuts what is open.
pub struct Upstream {
    address: SocketAddr,
    state: Arc<State>,
    accepting: JoinHandle<()>,
}

/// A request as it arrived.
#[derive(Clone, Debug)]
pub struct Recorded {
    /// Method and target: `POST /v1/messages`.
    pub line: String,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    /// The whole body.
    pub body: String,
}

impl Recorded {
    /// A header's value.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

/// Answers requests by what they say.
type Answerer = Box<dyn Fn(&Recorded) -> Script + Send>;

#[derive(Default)]
struct State {
    scripts: Mutex<VecDeque<Script>>,
    answerer: Mutex<Option<Answerer>>,
    requests: Mutex<Vec<Recorded>>,
    /// What is told of models by path; and what was asked of it.
    pages: Mutex<HashMap<String, String>>,
    read: Mutex<Vec<Recorded>>,
    /// Replies that are being written or stalled, and have not ended.
    replying: watch::Sender<usize>,
    /// Open sockets, idle ones included.
    open: watch::Sender<usize>,
    /// All sockets there ever were.
    accepted: watch::Sender<usize>,
}

impl Upstream {
    /// Listens on a free port of this machine.
    ///
    /// # Errors
    /// When no port can be had.
    pub async fn start() -> std::io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let state = Arc::<State>::default();
        let accepting = tokio::spawn(serve::accept(listener, Arc::clone(&state)));
        Ok(Self { address, state, accepting })
    }

    /// Its address, without a slash at the end.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The script for the next request that has none; a request without a script gets status 500.
    pub fn push(&self, script: Script) {
        lock(&self.state.scripts).push_back(script);
    }

    /// Requests that have no script are answered like this.
    pub fn answer_by(&self, answer: impl Fn(&Recorded) -> Script + Send + 'static) {
        *lock(&self.state.answerer) = Some(Box::new(answer));
    }

    /// What it says about its models under a path; other pages there are none.
    pub fn tell(&self, path: &str, body: &str) {
        lock(&self.state.pages).insert(path.to_owned(), body.to_owned());
    }

    /// All pages that were asked for.
    #[must_use]
    pub fn read(&self) -> Vec<Recorded> {
        lock(&self.state.read).clone()
    }

    /// All requests for replies so far, in order of arrival.
    #[must_use]
    pub fn requests(&self) -> Vec<Recorded> {
        lock(&self.state.requests).clone()
    }

    /// How many sockets were ever accepted.
    #[must_use]
    pub fn accepted(&self) -> usize {
        *self.state.accepted.borrow()
    }

    /// Waits until so many replies are in progress.
    pub async fn replying(&self, count: usize) {
        let _ = self.state.replying.subscribe().wait_for(|now| *now == count).await;
    }

    /// Waits until so many sockets are open.
    pub async fn open(&self, count: usize) {
        let _ = self.state.open.subscribe().wait_for(|now| *now == count).await;
    }
}

impl Drop for Upstream {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
