//! One socket's session: its principal, the conversations it has joined, its pace.
//! Invariant: its frames are handled in the order in which they came. While one has to wait
//! (for a token to be checked, for a conversation to wake), nothing more is read.

use std::cell::{Cell, RefCell};
use std::future::Future;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use actors::{ConversationHandle, Failure, Outbox, Tenant, Visit, Worker};
use bytes::Bytes;
use bytestring::ByteString;
use schema::wire::{Close, ServerFrame, SignalKind};
use schema::{ConversationId, ErrorCode, Neighbour, SessionId, limits};

use super::register::Registration;
use super::{refusal, span};
use crate::access::{Access, Limiter, check_page, visit};
use crate::auth::{CallingPage, Holder};
use crate::metrics::SESSIONS_CLOSED;
use crate::socket::{Closed, Peer};

/// Frames over the limit, in a row, after which a socket is closed.
const FLOOD_FRAMES: u32 = 200;

/// A socket's session, as the transport sees it.
pub(crate) struct Session(Rc<Inner>);

/// The same, shared with what it waits for.
pub(super) struct Inner {
    pub(super) worker: Rc<Worker>,
    pub(super) access: Arc<Access>,
    pub(super) id: SessionId,
    pub(super) outbox: Arc<Outbox>,
    pub(super) neighbour: Neighbour,
    page: Option<CallingPage>,
    speaking: RefCell<Option<Rc<Identified>>>,
    joined: RefCell<Vec<ConversationHandle>>,
    /// Where the others were told last that somebody types here.
    typing: RefCell<Vec<ConversationId>>,
    registration: RefCell<Option<Registration>>,
    /// Frames that came before it had said who it is.
    unknown_frames: Cell<u32>,
    refused_in_a_row: Cell<u32>,
    busy: Cell<bool>,
    waker: RefCell<Option<Waker>>,
}

/// Who is speaking, once that was said and checked.
pub(super) struct Identified {
    pub(super) principal: Arc<Holder>,
    pub(super) tenant: Arc<Tenant>,
    /// Whose budgets what they do is taken from, if they are a visitor.
    pub(super) visit: Option<Visit>,
}

impl Session {
    pub(crate) fn new(
        worker: Rc<Worker>,
        access: Arc<Access>,
        id: SessionId,
        outbox: Arc<Outbox>,
        neighbour: Neighbour,
        page: Option<CallingPage>,
        registration: Registration,
    ) -> Self {
        Self(Rc::new(Inner {
            worker,
            access,
            id,
            outbox,
            neighbour,
            page,
            speaking: RefCell::default(),
            joined: RefCell::default(),
            typing: RefCell::default(),
            registration: RefCell::new(Some(registration)),
            unknown_frames: Cell::new(0),
            refused_in_a_row: Cell::new(0),
            busy: Cell::new(false),
            waker: RefCell::default(),
        }))
    }

    /// Takes a checked credential for this socket.
    pub(crate) async fn identify(&self, principal: Holder) -> Result<(), Failure> {
        self.0.identify(principal).await
    }
}

impl Inner {
    /// Takes a checked credential: the first one, or a newer one of the same holder.
    pub(super) async fn identify(&self, principal: Holder) -> Result<(), Failure> {
        let tenant = self.worker.tenant(principal.tenant).await?;
        check_page(&principal, self.page.as_ref(), &tenant)?;
        if self.speaking().is_some_and(|who| !who.principal.has_rights_of(&principal)) {
            let message = "this socket belongs to somebody else; open another one";
            return Err(Failure::new(ErrorCode::Forbidden, message));
        }
        let principal = Arc::new(principal);
        if let Some(registration) = self.registration.borrow_mut().as_mut() {
            registration.identify(&principal, self.page.as_ref(), &tenant)?;
        }
        // Its right may have ended between the first look and its entry, when nobody would have told it.
        let now = self.worker.system().clock().now();
        let holds = self.access.authority.holds(&principal, now).await.map_err(Failure::from);
        if let Err(failure) = holds.and_then(|()| check_page(&principal, self.page.as_ref(), &tenant)) {
            let before = self.speaking().filter(|_| refusal::passes(failure.code));
            // What passes, such as a store that does not answer, says nothing against the token it has.
            if let (Some(before), Some(registration)) = (&before, self.registration.borrow_mut().as_mut()) {
                registration.identify(&before.principal, self.page.as_ref(), &tenant)?;
            }
            *self.speaking.borrow_mut() = before;
            return Err(failure);
        }
        let visit = visit(&principal, &tenant, self.neighbour);
        *self.speaking.borrow_mut() = Some(Rc::new(Identified { principal, tenant, visit }));
        Ok(())
    }

    pub(super) fn speaking(&self) -> Option<Rc<Identified>> {
        self.speaking.borrow().clone()
    }

    /// Whether one more frame may be dealt with.
    pub(super) fn allowed(&self) -> Result<(), Failure> {
        let checked = self.check_rate(self.speaking().as_deref());
        self.refused_in_a_row.set(if checked.is_err() { self.refused_in_a_row.get() + 1 } else { 0 });
        checked
    }

    pub(super) fn floods(&self) -> bool {
        self.refused_in_a_row.get() >= FLOOD_FRAMES
    }

    fn check_rate(&self, who: Option<&Identified>) -> Result<(), Failure> {
        let limiter = &self.access.limiter;
        // Before it has said who it is a socket has a few frames, and little time.
        let Some(who) = who else {
            let before = self.unknown_frames.get();
            self.unknown_frames.set(before.saturating_add(1));
            let most = self.access.unknown_frames_max.get();
            return if before < most { Ok(()) } else { Err(Limiter::unknown()) };
        };
        limiter.own(&who.principal)?;
        limiter.of_tenant(&who.tenant, who.visit.is_some())
    }

    /// The handle of a joined conversation.
    pub(super) fn joined(&self, conversation: ConversationId) -> Option<ConversationHandle> {
        self.joined.borrow().iter().find(|handle| handle.key().conversation == conversation).cloned()
    }

    pub(super) fn joins(&self) -> usize {
        self.joined.borrow().len()
    }

    /// Remembers a conversation's handle in place of an older one. Gives it as this session uses it: what is put
    /// through it is told as a part of the session.
    pub(super) fn remember(&self, handle: ConversationHandle) -> ConversationHandle {
        let mut joined = self.joined.borrow_mut();
        let older = joined.iter().find(|older| older.key() == handle.key());
        let span =
            older.map_or_else(|| span::session(Some(self.id), handle.key(), "socket"), ConversationHandle::session);
        let handle = handle.within(span);
        joined.retain(|other| other.key() != handle.key());
        // One conversation is the rule: room for four would be waste.
        joined.reserve_exact(1);
        joined.push(handle.clone());
        handle
    }

    pub(super) fn forget(&self, conversation: ConversationId) -> Option<ConversationHandle> {
        let mut joined = self.joined.borrow_mut();
        let index = joined.iter().position(|handle| handle.key().conversation == conversation)?;
        Some(joined.swap_remove(index))
    }

    /// Notes whether somebody types here.
    pub(super) fn note_typing(&self, conversation: ConversationId, on: bool) {
        let mut typing = self.typing.borrow_mut();
        typing.retain(|other| *other != conversation);
        // No more than are joined: of another nobody was told.
        if on && self.joined(conversation).is_some() {
            typing.push(conversation);
        }
    }

    /// Leaves a conversation that was joined. Who goes in mid-word types no more.
    pub(super) fn leave(&self, handle: &ConversationHandle) {
        let key = handle.key();
        let typed = self.typing.borrow().contains(&key.conversation);
        self.note_typing(key.conversation, false);
        if let Some(who) = self.speaking().filter(|_| typed && handle.is_open()) {
            handle.signal(self.id, who.principal.author(), SignalKind::Typing { on: false });
        }
        self.worker.system().leave(key, self.id);
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
        let joined = self.0.joined.take();
        for handle in &joined {
            self.0.leave(handle);
        }
        self.0.registration.borrow_mut().take();
        self.0.outbox.abandon();
    }
}

impl Drop for Session {
    // A request that never became a socket has no `closed`.
    fn drop(&mut self) {
        self.leave_all();
    }
}
