//! All open sockets and streams of one worker thread. Once a second each is looked at from
//! outside, because a session that its client has stalled cannot look after itself.

use std::cell::RefCell;
use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use actors::{Failure, Format, Outbox, SessionPermit, System, Tenant};
use schema::wire::Close;
use schema::{Neighbour, SessionId, Timestamp, limits};
use tokio::sync::watch;
use tokio::time::Instant;

use super::presence::{Member, Presence, send_away};
use crate::auth::{CallingPage, Holder};
use crate::metrics::{SESSIONS, SESSIONS_OPENED};

const LOOK_EVERY: Duration = Duration::from_secs(1);
/// When one that did not say in time who it is may come back.
const SLOW_RETRY: Duration = Duration::from_secs(1);
/// Streams have no pings of their own; proxies cut what is silent for a minute.
const STREAM_PING_LOOKS: u32 = 15;

/// The sessions of one worker thread. Cheap to clone.
///
/// A session is *registered* when it opens, *identified* once it has said who it is, and gone when its
/// [`Registration`] is dropped. Once a second each is looked at here, on its own thread but not by itself: one that
/// does not say in time who it is, whose token has ended or whose client has stalled is closed from outside.
#[derive(Clone)]
pub struct Sessions(Rc<Shared>);

struct Shared {
    presence: Arc<Presence>,
    system: Arc<System>,
    rows: RefCell<HashMap<SessionId, Row>>,
}

struct Row {
    format: Format,
    outbox: Arc<Outbox>,
    opened_at: Instant,
    owner: Option<Owner>,
    looks: u32,
}

struct Owner {
    principal: Arc<Holder>,
    /// Since when its visitor has had more sessions than it may keep, because of this one.
    surplus_since: Option<Instant>,
}

/// A session's entry in the register, and with it the place it takes of its address, its tenant and its visitor. All
/// of that is given back when it is dropped with the session, however that ends.
pub(crate) struct Registration {
    sessions: Sessions,
    id: SessionId,
    address: Neighbour,
    known: Option<Known>,
}

/// What a session holds from when its owner is known until its end, however often a token is renewed.
struct Known {
    principal: Arc<Holder>,
    _permit: SessionPermit,
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

    /// Room for a socket or stream from an address. Who it is is said later.
    pub(crate) fn register(
        &self,
        id: SessionId,
        format: Format,
        outbox: Arc<Outbox>,
        address: Neighbour,
    ) -> Result<Registration, Failure> {
        self.0.presence.enter_from(address)?;
        let row = Row { format, outbox, opened_at: Instant::now(), owner: None, looks: 0 };
        self.0.rows.borrow_mut().insert(id, row);
        metrics::gauge!(SESSIONS, "kind" => kind(format)).increment(1);
        metrics::counter!(SESSIONS_OPENED, "kind" => kind(format)).increment(1);
        Ok(Registration { sessions: self.clone(), id, address, known: None })
    }

    /// Who has what open, over all threads.
    pub(crate) fn presence(&self) -> &Presence {
        &self.0.presence
    }
}

impl Registration {
    /// Somebody has said who they are, or shown a newer token; then they keep the place they have. Whether
    /// they still may be here is to be looked at after this: from here on, changes are told.
    pub(crate) fn identify(
        &mut self,
        principal: &Arc<Holder>,
        page: Option<&CallingPage>,
        tenant: &Tenant,
    ) -> Result<(), Failure> {
        let shared = &self.sessions.0;
        let mut rows = shared.rows.borrow_mut();
        let Some(row) = rows.get_mut(&self.id) else { return Ok(()) };
        if let (Some(known), Some(owner)) = (&mut self.known, &mut row.owner) {
            shared.presence.renew(self.id, Arc::clone(principal));
            known.principal = Arc::clone(principal);
            owner.principal = Arc::clone(principal);
            return Ok(());
        }
        let permit = tenant.begin_session()?;
        let member = Member {
            principal: Arc::clone(principal),
            page: page.cloned(),
            outbox: Arc::clone(&row.outbox),
            format: row.format,
        };
        let surplus = shared.presence.enter(self.id, member)?;
        self.known = Some(Known { principal: Arc::clone(principal), _permit: permit });
        let surplus_since = surplus.then(Instant::now);
        row.owner = Some(Owner { principal: Arc::clone(principal), surplus_since });
        Ok(())
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        let shared = &self.sessions.0;
        if let Some(row) = shared.rows.borrow_mut().remove(&self.id) {
            metrics::gauge!(SESSIONS, "kind" => kind(row.format)).decrement(1);
        }
        shared.presence.leave_from(self.address);
        if let Some(known) = &self.known {
            shared.presence.leave(known.principal.tenant, self.id);
        }
    }
}

const fn kind(format: Format) -> &'static str {
    match format {
        Format::Socket => "socket",
        Format::Sse => "stream",
        Format::Peer => "peer",
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
    /// What ends by time alone; what ends by a change is told by whoever changes it.
    fn look(&self) {
        let (now, instant) = (self.system.clock().now(), Instant::now());
        for row in self.rows.borrow_mut().values_mut() {
            row.looks += 1;
            row.outbox.close_if_stalled(instant);
            match &mut row.owner {
                // It may be a slow line, or a store that does not answer: nothing is wrong with its key.
                None if instant.duration_since(row.opened_at) >= limits::AUTH_DEADLINE => {
                    send_away(&row.outbox, row.format, SLOW_RETRY, Close::NOT_NOW);
                }
                None => {}
                Some(owner) => owner.look(&self.presence, &row.outbox, now, instant),
            }
            if row.format == Format::Sse && row.looks % STREAM_PING_LOOKS == 0 {
                row.outbox.ping();
            }
        }
    }
}

impl Owner {
    fn look(&mut self, presence: &Presence, outbox: &Outbox, now: Timestamp, instant: Instant) {
        if self.principal.expires_at().is_some_and(|end| now >= end) {
            outbox.close(Close::TOKEN_EXPIRED);
        }
        let Some(visitor) = self.principal.visitor() else { return };
        let too_long = |since| instant.duration_since(since) >= limits::SURPLUS_GRACE;
        if self.surplus_since.is_some_and(too_long) {
            self.surplus_since = None;
            presence.make_room(self.principal.tenant, visitor.contact);
        }
    }
}

/// Tells each session when to come back and closes it, spread over the window, so that a node
/// with many does not send them all to its neighbour at once.
async fn close_all(shared: &Shared, window: Duration) {
    let all: Vec<_> = shared.rows.borrow().values().map(|row| (Arc::clone(&row.outbox), row.format)).collect();
    let pause = window.checked_div(u32::try_from(all.len()).unwrap_or(u32::MAX)).unwrap_or_default();
    let chance = RandomState::new();
    let began = Instant::now();
    for (index, (outbox, format)) in (0u32..).zip(all) {
        let wait = Duration::from_millis(500 + chance.hash_one(index) % 2000);
        send_away(&outbox, format, wait, Close::GOING_AWAY);
        tokio::time::sleep_until(began + pause * (index + 1)).await;
    }
}
