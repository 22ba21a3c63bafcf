//! One socket's session: its principal, the conversations it has joined, its pace.
//! Invariant: its frames are handled in the order in which they came. While one has to wait
//! (for a token to be checked, for a conversation to wake), nothing more is read.

use std::cell::{Cell, RefCell};
use std::future::Future;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use actix_web::web;
use actors::{ConversationHandle, Failure, Outbox, Tenant, Visit};
use bytes::Bytes;
use bytestring::ByteString;
use schema::wire::{Close, ServerFrame};
use schema::{ConversationId, ErrorCode, Neighbour, SessionId, limits};

use super::refusal;
use super::register::Seat;
use super::upgrade::check_page;
use crate::auth::{Kind, Page, Principal};
use crate::http::{ApiError, Edge, Limiter, visit};
use crate::metrics::SESSIONS_CLOSED;
use crate::socket::{Closed, Peer};

/// Frames over the limit, in a row, after which a socket is closed.
const FLOOD_FRAMES: u32 = 200;

/// A socket's session, as the transport sees it.
pub(super) struct Session(Rc<Inner>);

/// The same, shared with what it waits for.
pub(super) struct Inner {
    pub(super) edge: web::Data<Edge>,
    pub(super) id: SessionId,
    pub(super) outbox: Arc<Outbox>,
    pub(super) neighbour: Neighbour,
    page: Option<Page>,
    who: RefCell<Option<Rc<Who>>>,
    joined: RefCell<Vec<ConversationHandle>>,
    seat: RefCell<Option<Seat>>,
    /// Frames that came before it had said who it is.
    unknown_frames: Cell<u32>,
    refused_in_a_row: Cell<u32>,
    busy: Cell<bool>,
    waker: RefCell<Option<Waker>>,
}

/// Who is speaking.
pub(super) struct Who {
    pub(super) principal: Arc<Principal>,
    pub(super) tenant: Arc<Tenant>,
    /// Whose budgets what they do is taken from, if they are a visitor.
    pub(super) visit: Option<Visit>,
}

impl Session {
    pub(super) fn new(
        edge: web::Data<Edge>,
        id: SessionId,
        outbox: Arc<Outbox>,
        neighbour: Neighbour,
        page: Option<Page>,
        seat: Seat,
    ) -> Self {
        Self(Rc::new(Inner {
            edge,
            id,
            outbox,
            neighbour,
            page,
            who: RefCell::default(),
            joined: RefCell::default(),
            seat: RefCell::new(Some(seat)),
            unknown_frames: Cell::new(0),
            refused_in_a_row: Cell::new(0),
            busy: Cell::new(false),
            waker: RefCell::default(),
        }))
    }

    /// Takes a checked credential for this socket.
    pub(super) async fn identify(&self, principal: Principal) -> Result<(), ApiError> {
        self.0.identify(principal).await
    }
}

impl Inner {
    /// Takes a checked credential: the first one, or a newer one of the same visitor.
    pub(super) async fn identify(&self, principal: Principal) -> Result<(), ApiError> {
        let tenant = self.edge.worker.tenant(principal.tenant).await?;
        check_page(&principal, self.page.as_ref(), &tenant)?;
        if self.who().is_some_and(|who| !same_rights(&who.principal, &principal)) {
            let message = "this socket belongs to somebody else; open another one";
            return Err(ApiError::new(ErrorCode::Forbidden, message));
        }
        let principal = Arc::new(principal);
        if let Some(seat) = self.seat.borrow_mut().as_mut() {
            seat.identify(&principal, self.page.as_ref(), &tenant)?;
        }
        // Its right may have ended between the first look and its entry, when nobody would have told it.
        let holds = self.edge.parts.authority.holds(&principal, self.edge.now()).await.map_err(ApiError::from);
        if let Err(error) = holds.and_then(|()| check_page(&principal, self.page.as_ref(), &tenant)) {
            let before = self.who().filter(|_| refusal::passes(error.failure().code));
            // What passes, such as a store that does not answer, says nothing against the token it has.
            if let (Some(before), Some(seat)) = (&before, self.seat.borrow_mut().as_mut()) {
                seat.identify(&before.principal, self.page.as_ref(), &tenant)?;
            }
            *self.who.borrow_mut() = before;
            return Err(error);
        }
        let visit = visit(&principal, &tenant, self.neighbour);
        *self.who.borrow_mut() = Some(Rc::new(Who { principal, tenant, visit }));
        Ok(())
    }

    pub(super) fn who(&self) -> Option<Rc<Who>> {
        self.who.borrow().clone()
    }

    /// Whether one more frame may be dealt with.
    pub(super) fn allowed(&self) -> Result<(), Failure> {
        let checked = self.check_rate(self.who().as_deref());
        self.refused_in_a_row.set(if checked.is_err() { self.refused_in_a_row.get() + 1 } else { 0 });
        checked
    }

    pub(super) fn floods(&self) -> bool {
        self.refused_in_a_row.get() >= FLOOD_FRAMES
    }

    fn check_rate(&self, who: Option<&Who>) -> Result<(), Failure> {
        let limiter = &self.edge.parts.limiter;
        // Before it has said who it is a socket has a few frames, and little time.
        let Some(who) = who else {
            let before = self.unknown_frames.get();
            self.unknown_frames.set(before.saturating_add(1));
            let most = self.edge.parts.config.limits.messages_burst.get();
            return if before < most { Ok(()) } else { Err(Limiter::unknown()) };
        };
        match &who.principal.kind {
            Kind::ApiKey { key, .. } => limiter.key(key)?,
            Kind::Visitor(visitor) => limiter.visitor(who.tenant.id(), &visitor.contact)?,
        }
        limiter.of_tenant(&who.tenant, who.visit.is_some())
    }

    /// The handle of a joined conversation.
    pub(super) fn joined(&self, conversation: ConversationId) -> Option<ConversationHandle> {
        self.joined.borrow().iter().find(|handle| handle.key().conversation == conversation).cloned()
    }

    pub(super) fn joins(&self) -> usize {
        self.joined.borrow().len()
    }

    /// Remembers a conversation's handle in place of an older one.
    pub(super) fn remember(&self, handle: ConversationHandle) {
        let mut joined = self.joined.borrow_mut();
        joined.retain(|other| other.key() != handle.key());
        // One conversation is the rule: room for four would be waste.
        joined.reserve_exact(1);
        joined.push(handle);
    }

    pub(super) fn forget(&self, conversation: ConversationId) -> Option<ConversationHandle> {
        let mut joined = self.joined.borrow_mut();
        let index = joined.iter().position(|handle| handle.key().conversation == conversation)?;
        Some(joined.swap_remove(index))
    }

    /// Deals with a frame that has to wait. Nothing more is read until it is done.
    pub(super) fn wait_for(self: &Rc<Self>, work: impl Future<Output = ()> + 'static) {
        self.busy.set(true);
        let inner = Rc::clone(self);
        actix_web::rt::spawn(async move {
            work.await;
            inner.busy.set(false);
            if let Some(waker) = inner.waker.borrow_mut().take() {
                waker.wake();
            }
        });
    }
}

impl Peer for Session {
    fn opened(&mut self) {
        let ping_ms = u64::try_from(limits::PING_INTERVAL.as_millis()).unwrap_or(u64::MAX);
        if let Ok(hello) = serde_json::to_string(&ServerFrame::Hello { session: self.0.id, ping_ms }) {
            self.0.outbox.push(hello.into());
        }
    }

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<()> {
        if self.0.busy.get() {
            *self.0.waker.borrow_mut() = Some(context.waker().clone());
            return Poll::Pending;
        }
        Poll::Ready(())
    }

    fn text(&mut self, text: ByteString) -> Result<(), Close> {
        self.0.take(&text)
    }

    fn binary(&mut self, _: Bytes) -> Result<(), Close> {
        Err(Close::UNSUPPORTED)
    }

    fn closed(&mut self, how: Closed) {
        let code = match how {
            Closed::ByClient(code) => code.unwrap_or(1005),
            Closed::ByUs(close) => close.code,
            Closed::Abnormal => 1006,
        };
        // A client may send any code; as a label only known ones are bounded.
        let label = if Close::ALL.iter().any(|close| close.code == code) || matches!(code, 1001 | 1005 | 1006) {
            code.to_string()
        } else {
            "other".to_owned()
        };
        metrics::counter!(SESSIONS_CLOSED, "code" => label).increment(1);
        self.leave_all();
    }
}

impl Session {
    fn leave_all(&self) {
        for handle in self.0.joined.borrow_mut().drain(..) {
            self.0.edge.system().leave(handle.key(), self.0.id);
        }
        self.0.seat.borrow_mut().take();
        self.0.outbox.abandon();
    }
}

impl Drop for Session {
    // A request that never became a socket has no `closed`.
    fn drop(&mut self) {
        self.leave_all();
    }
}

/// A newer token may extend the time, not the rights.
fn same_rights(old: &Principal, new: &Principal) -> bool {
    let rights = |principal: &Principal| {
        (principal.tenant, principal.visitor().map(|visitor| (visitor.contact.clone(), visitor.conversation)))
    };
    rights(old) == rights(new)
}
