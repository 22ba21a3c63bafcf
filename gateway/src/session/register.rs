//! All open sockets and streams of one worker thread. Once a second each is looked at from
//! outside, because a session that its client has stalled cannot look after itself.

use std::cell::RefCell;
use std::collections::HashMap;
use std::hash::{BuildHasher, Hash, RandomState};
use std::net::IpAddr;
use std::rc::Rc;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use actors::{Failure, Outbox, SessionPermit, System, Tenant};
use schema::wire::{Close, ServerFrame};
use schema::{Contact, ErrorCode, SessionId, TenantId, Timestamp, limits};
use tokio::sync::watch;
use tokio::time::Instant;

use crate::auth::Principal;
use crate::metrics::{SESSIONS, SESSIONS_OPENED};

const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Streams have no pings of their own; proxies cut what is silent for a minute.
const STREAM_PING_LOOKS: u32 = 15;

/// How many sessions each address and each visitor has open, over all threads.
pub(crate) struct Presence {
    per_address: u32,
    per_visitor: u32,
    addresses: Mutex<HashMap<IpAddr, u32>>,
    visitors: Mutex<HashMap<(TenantId, Contact), u32>>,
}

/// The sessions of one thread. Cheap to clone.
#[derive(Clone)]
pub struct Sessions(Rc<Shared>);

struct Shared {
    presence: Arc<Presence>,
    system: Arc<System>,
    rows: RefCell<HashMap<SessionId, Row>>,
}

struct Row {
    kind: &'static str,
    outbox: Arc<Outbox>,
    opened_at: Instant,
    who: Option<Who>,
    looks: u32,
}

struct Who {
    tenant: Arc<Tenant>,
    expires_at: Option<Timestamp>,
}

/// A session's place in the register; dropped with the session.
pub(crate) struct Seat {
    sessions: Sessions,
    id: SessionId,
    address: IpAddr,
    visitor: Option<(TenantId, Contact)>,
    permit: Option<SessionPermit>,
}

impl Presence {
    pub(crate) fn new(per_address: u32, per_visitor: u32) -> Arc<Self> {
        Arc::new(Self { per_address, per_visitor, addresses: Mutex::default(), visitors: Mutex::default() })
    }
}

impl Sessions {
    /// An empty register, with the task that looks over it. To be called on the worker's thread.
    /// When `drain` gets a window, all sessions are closed, spread over it.
    pub(crate) fn start(
        presence: Arc<Presence>,
        system: Arc<System>,
        drain: watch::Receiver<Option<Duration>>,
    ) -> Self {
        let shared = Rc::new(Shared { presence, system, rows: RefCell::default() });
        actix_web::rt::spawn(look_over(Rc::clone(&shared), drain));
        Self(shared)
    }

    /// Room for a socket from an address. Who it is may be said later.
    pub(crate) fn socket(&self, id: SessionId, outbox: Arc<Outbox>, address: IpAddr) -> Result<Seat, Failure> {
        self.seat(id, "socket", outbox, address)
    }

    /// Room for a stream of somebody known.
    pub(crate) fn stream(
        &self,
        id: SessionId,
        outbox: Arc<Outbox>,
        principal: &Principal,
        tenant: &Arc<Tenant>,
        address: IpAddr,
        permit: SessionPermit,
    ) -> Result<Seat, Failure> {
        let mut seat = self.seat(id, "stream", outbox, address)?;
        seat.identify(principal, tenant, permit)?;
        Ok(seat)
    }

    fn seat(&self, id: SessionId, kind: &'static str, outbox: Arc<Outbox>, address: IpAddr) -> Result<Seat, Failure> {
        let presence = &self.0.presence;
        if !enter(&presence.addresses, address, presence.per_address) {
            let message = "too many sockets and streams from this address";
            return Err(Failure::later(ErrorCode::RateLimited, message, Duration::from_secs(5)));
        }
        let row = Row { kind, outbox, opened_at: Instant::now(), who: None, looks: 0 };
        self.0.rows.borrow_mut().insert(id, row);
        metrics::gauge!(SESSIONS, "kind" => kind).increment(1);
        metrics::counter!(SESSIONS_OPENED, "kind" => kind).increment(1);
        Ok(Seat { sessions: self.clone(), id, address, visitor: None, permit: None })
    }
}

impl Seat {
    /// Somebody has said who they are, or shown a newer token.
    pub(crate) fn identify(
        &mut self,
        principal: &Principal,
        tenant: &Arc<Tenant>,
        permit: SessionPermit,
    ) -> Result<(), Failure> {
        let presence = &self.sessions.0.presence;
        if let (None, Some(visitor)) = (&self.visitor, principal.visitor()) {
            let who = (principal.tenant, visitor.contact.clone());
            if !enter(&presence.visitors, who.clone(), presence.per_visitor) {
                let message = "this visitor has too many sockets and streams open";
                return Err(Failure::later(ErrorCode::RateLimited, message, Duration::from_secs(5)));
            }
            self.visitor = Some(who);
        }
        self.permit.get_or_insert(permit);
        if let Some(row) = self.sessions.0.rows.borrow_mut().get_mut(&self.id) {
            let expires_at = principal.visitor().map(|visitor| visitor.expires_at);
            row.who = Some(Who { tenant: Arc::clone(tenant), expires_at });
        }
        Ok(())
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let shared = &self.sessions.0;
        if let Some(row) = shared.rows.borrow_mut().remove(&self.id) {
            metrics::gauge!(SESSIONS, "kind" => row.kind).decrement(1);
        }
        leave(&shared.presence.addresses, &self.address);
        if let Some(visitor) = &self.visitor {
            leave(&shared.presence.visitors, visitor);
        }
    }
}

fn enter<K: Eq + Hash>(counts: &Mutex<HashMap<K, u32>>, key: K, max: u32) -> bool {
    let mut counts = counts.lock().unwrap_or_else(PoisonError::into_inner);
    let count = counts.entry(key).or_default();
    if *count >= max {
        return false;
    }
    *count += 1;
    true
}

fn leave<K: Eq + Hash>(counts: &Mutex<HashMap<K, u32>>, key: &K) {
    let mut counts = counts.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(count) = counts.get_mut(key) {
        *count -= 1;
        if *count == 0 {
            counts.remove(key);
        }
    }
}

async fn look_over(shared: Rc<Shared>, mut drain: watch::Receiver<Option<Duration>>) {
    let mut ticks = tokio::time::interval(LOOK_EVERY);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = ticks.tick() => shared.look(),
            changed = drain.changed() => {
                let window = *drain.borrow_and_update();
                match (changed, window) {
                    (Ok(()), Some(window)) => return close_all(&shared, window).await,
                    (Ok(()), None) => {}
                    (Err(_), _) => return,
                }
            }
        }
    }
}

impl Shared {
    fn look(&self) {
        let (now, instant) = (self.system.clock().now(), Instant::now());
        for row in self.rows.borrow_mut().values_mut() {
            row.looks += 1;
            row.outbox.close_if_stalled(instant);
            match &row.who {
                None if instant.duration_since(row.opened_at) >= limits::AUTH_DEADLINE => {
                    row.outbox.close(Close::UNAUTHORIZED);
                }
                Some(who) if who.expires_at.is_some_and(|expires_at| now >= expires_at) => {
                    row.outbox.close(Close::TOKEN_EXPIRED);
                }
                Some(who) if who.tenant.is_disabled() => row.outbox.close(Close::TENANT_DISABLED),
                _ => {}
            }
            if row.kind == "stream" && row.looks % STREAM_PING_LOOKS == 0 {
                row.outbox.ping();
            }
        }
    }
}

/// Tells each session when to come back and closes it, spread over the window, so that a node
/// with many does not send them all to its neighbour at once.
async fn close_all(shared: &Shared, window: Duration) {
    let outboxes: Vec<_> = shared.rows.borrow().values().map(|row| Arc::clone(&row.outbox)).collect();
    let pause = window.checked_div(u32::try_from(outboxes.len()).unwrap_or(u32::MAX)).unwrap_or_default();
    let chance = RandomState::new();
    let began = Instant::now();
    for (index, outbox) in (0u32..).zip(outboxes) {
        let retry_after_ms = 500 + chance.hash_one(index) % 2000;
        if let Ok(frame) = serde_json::to_string(&ServerFrame::GoingAway { retry_after_ms }) {
            outbox.push_notice(frame.into());
        }
        outbox.close(Close::GOING_AWAY);
        tokio::time::sleep_until(began + pause * (index + 1)).await;
    }
}
