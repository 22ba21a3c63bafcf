//! All links of one node: it listens for those that others begin, dials those that are its own to begin, and gives up
//! those to nodes that live no more.
//! Invariant: to each node that lives there is one link or somebody who tries to make one.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use actors::System;
use engine_cluster::Living;
use schema::NodeId;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};
use tokio_tungstenite::WebSocketStream;

use super::accept::accept;
use super::carry::{CarryError, carry};
use super::dial::dial;
use super::pace::Pace;
use super::places::Places;
use super::proof::PeerSecret;
use super::tls::Ends;
use crate::metrics::{LINKS_ENDED, LINKS_REFUSED};

/// How long the node with the greater id leaves the dialling to the other one. One that owns nothing can do nothing
/// without a link, and does not wait.
const OTHER_DIALS_WITHIN: Duration = Duration::from_secs(2);
/// A link that has stood for so long was a good one.
const STOOD_AFTER: Duration = Duration::from_secs(5);
/// A failure of the listener is mostly one of too many open files, which passes.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// What makes and carries the links.
pub(crate) struct Transport {
    me: NodeId,
    system: Arc<System>,
    ends: Ends,
    secret: PeerSecret,
    jitter: fn() -> f64,
    /// How many links stand to each node: two for a moment, when both have dialled.
    standing: RefCell<BTreeMap<NodeId, usize>>,
}

impl Transport {
    /// For the node `me`. `jitter` gives numbers from 0 to 1 that spread pauses.
    #[must_use]
    pub(crate) fn new(me: NodeId, system: Arc<System>, ends: Ends, secret: PeerSecret, jitter: fn() -> f64) -> Self {
        Self { me, system, ends, secret, jitter, standing: RefCell::default() }
    }

    /// Makes links for as long as it is polled; they end with it. On an actix thread, which then is the one that works
    /// at what comes over links.
    pub(crate) async fn run(self, listener: TcpListener, living: watch::Receiver<Arc<Living>>) {
        let this = Rc::new(self);
        tokio::join!(Rc::clone(&this).listen(listener), this.follow(living));
    }

    async fn listen(self: Rc<Self>, listener: TcpListener) {
        let places = Places::default();
        let mut taken = Tasks::default();
        loop {
            let (stream, from) = match listener.accept().await {
                Ok(accepted) => accepted,
                Err(error) => {
                    tracing::warn!(%error, "the internal listener takes no connection; it tries again");
                    sleep(ACCEPT_PAUSE).await;
                    continue;
                }
            };
            let Some(place) = places.enter(from.ip().to_canonical()) else {
                metrics::counter!(LINKS_REFUSED, "why" => "crowded").increment(1);
                continue;
            };
            let this = Rc::clone(&self);
            taken.spawn(async move {
                let accepted = accept(this.me, stream, &this.ends, &this.secret).await;
                match accepted {
                    Ok((socket, node)) => {
                        place.proven();
                        this.carry(socket, node).await;
                    }
                    Err(error) => {
                        metrics::counter!(LINKS_REFUSED, "why" => error.name()).increment(1);
                        // Whoever can reach the listener can have it refuse as often as it likes.
                        tracing::debug!(%error, "a connection at the internal listener was refused");
                    }
                }
            });
        }
    }

    async fn follow(self: Rc<Self>, mut living: watch::Receiver<Arc<Living>>) {
        let mut dialers: BTreeMap<NodeId, (String, Task)> = BTreeMap::new();
        loop {
            let now = living.borrow_and_update().clone();
            dialers.retain(|node, (address, _)| now.get(*node).is_some_and(|member| member.address == *address));
            let owns = now.get(self.me).is_none_or(|me| me.owns);
            for member in now.members.values().filter(|member| member.id != self.me) {
                dialers.entry(member.id).or_insert_with(|| {
                    let (this, node, address) = (Rc::clone(&self), member.id, member.address.clone());
                    let waits = owns && self.me > node;
                    (member.address.clone(), Task::spawn(async move { this.keep(node, address, waits).await }))
                });
            }
            if living.changed().await.is_err() {
                // Membership ends with its node: what links there are end with the polling.
                return std::future::pending().await;
            }
        }
    }

    /// Sees to a link to one node for as long as it lives.
    async fn keep(self: Rc<Self>, node: NodeId, address: String, waits: bool) {
        let mut pace = Pace::new(self.jitter);
        let mut told = false;
        loop {
            if waits {
                sleep(OTHER_DIALS_WITHIN).await;
            }
            if self.standing.borrow().contains_key(&node) {
                sleep(pace.pause()).await;
                continue;
            }
            match dial(self.me, node, &address, &self.ends, &self.secret).await {
                Ok(socket) => {
                    let began = Instant::now();
                    self.carry(socket, node).await;
                    // One that ends at once will end at once again.
                    if began.elapsed() >= STOOD_AFTER {
                        told = false;
                        pace.reset();
                    }
                }
                Err(error) => {
                    metrics::counter!(LINKS_REFUSED, "why" => error.name()).increment(1);
                    if !told {
                        // Once: a node that has died is dialled until that is known.
                        tracing::warn!(%node, address, %error, "no link to another node; it is tried on");
                        told = true;
                    }
                }
            }
            sleep(pace.pause()).await;
        }
    }

    async fn carry<S: AsyncRead + AsyncWrite + Unpin>(&self, socket: WebSocketStream<S>, node: NodeId) {
        let Some(link) = self.system.linked(node) else { return };
        tracing::info!(%node, "linked");
        let standing = Carried::begin(&self.standing, node);
        let ended = carry(socket, &link).await;
        drop((link, standing));
        let why = match &ended {
            Ok(()) | Err(CarryError::Ended) => "ended",
            Err(CarryError::Silent) => "silent",
            Err(CarryError::Frame(_)) => "frame",
            Err(CarryError::Lost(_)) => "lost",
        };
        metrics::counter!(LINKS_ENDED, "why" => why).increment(1);
        match ended {
            Ok(()) | Err(CarryError::Ended) => tracing::info!(%node, "a link has ended"),
            Err(error) => tracing::warn!(%node, %error, "a link has ended"),
        }
    }
}

/// One link of those that stand; it counts until it is dropped, however its task ends.
struct Carried<'a> {
    all: &'a RefCell<BTreeMap<NodeId, usize>>,
    node: NodeId,
}

impl<'a> Carried<'a> {
    fn begin(all: &'a RefCell<BTreeMap<NodeId, usize>>, node: NodeId) -> Self {
        *all.borrow_mut().entry(node).or_default() += 1;
        Self { all, node }
    }
}

impl Drop for Carried<'_> {
    fn drop(&mut self) {
        let mut all = self.all.borrow_mut();
        match all.get_mut(&self.node) {
            Some(links) if *links > 1 => *links -= 1,
            _ => drop(all.remove(&self.node)),
        }
    }
}

/// A task of this thread that ends when it is dropped.
struct Task(JoinHandle<()>);

impl Task {
    fn spawn(work: impl Future<Output = ()> + 'static) -> Self {
        Self(actix_web::rt::spawn(work))
    }
}

impl Drop for Task {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Tasks that end with their owner.
#[derive(Default)]
struct Tasks(Vec<Task>);

impl Tasks {
    fn spawn(&mut self, work: impl Future<Output = ()> + 'static) {
        self.0.retain(|task| !task.0.is_finished());
        self.0.push(Task::spawn(work));
    }
}
