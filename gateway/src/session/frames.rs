//! Handles each frame of a client.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use actors::{Booking, ConversationHandle, Failure, Format, Listener, ReplyTo, error_frame, reply_frame};
use engine_conversation::{Command, Outcome};
use schema::wire::{ClientFrame, Close, SignalKind};
use schema::{ConversationId, ConversationKey, ErrorCode, Locale, Position, Ref, limits};
use serde::Deserialize;
use serde_json::{Value, json};

use super::peer::{Identified, Inner};
use super::refusal;
use crate::auth::Action;
use crate::commands;
use crate::metrics::{FRAME_ERRORS, FRAMES_IN};

/// When to come back, where the refusal itself does not say.
const NOT_NOW_RETRY: Duration = Duration::from_secs(2);

impl Inner {
    /// Deals with one text frame.
    pub(super) fn take(self: &Rc<Self>, text: &str) -> Result<(), Close> {
        // It is being closed, perhaps because it has no right to ask any more.
        if !self.outbox.is_open() {
            return Ok(());
        }
        // Counted before it is read, and whether or not it can be.
        let allowed = self.allowed();
        if self.floods() {
            return Err(Close::FLOOD);
        }
        let frame = match schema::read_json::<ClientFrame>(text.as_bytes()) {
            Ok(frame) => frame,
            Err(error) => {
                self.refuse_unreadable(text, &error, allowed);
                return Ok(());
            }
        };
        let (name, r#ref) = outline(&frame);
        metrics::counter!(FRAMES_IN, "type" => name).increment(1);
        if let Err(failure) = allowed {
            self.refuse(r#ref.as_ref(), failure);
            return Ok(());
        }
        match (frame, self.speaking()) {
            (ClientFrame::Ping { r#ref }, _) => self.answer(&r#ref, json!({})),
            (ClientFrame::Auth { r#ref, token }, _) => {
                let inner = Rc::clone(self);
                self.wait_for(async move { inner.authenticate(r#ref, token).await });
            }
            (_, None) => {
                let failure = Failure::new(ErrorCode::Unauthorized, "say who you are first: send an `auth` frame");
                self.refuse(r#ref.as_ref(), failure);
            }
            (_, Some(who)) if who.tenant.is_disabled() => return Err(Close::TENANT_DISABLED),
            (frame, Some(who)) => self.dispatch(frame, &who),
        }
        Ok(())
    }

    fn dispatch(self: &Rc<Self>, frame: ClientFrame, who: &Rc<Identified>) {
        match frame {
            ClientFrame::Auth { .. } | ClientFrame::Ping { .. } => {}
            ClientFrame::Join { r#ref, conversation, after, locale } => {
                let (inner, who) = (Rc::clone(self), Rc::clone(who));
                self.wait_for(async move {
                    if let Err(failure) = inner.join(&who, &r#ref, conversation, after, locale).await {
                        inner.refuse(Some(&r#ref), failure);
                    }
                });
            }
            ClientFrame::Leave { r#ref, conversation } => match self.forget(conversation) {
                Some(handle) => {
                    self.leave(&handle);
                    self.answer(&r#ref, json!({}));
                }
                None => self.refuse(Some(&r#ref), not_joined()),
            },
            ClientFrame::Say { r#ref, conversation, text, agent } => {
                let bytes = text.stored_bytes();
                let checked = commands::say(&who.principal, agent, r#ref.clone(), text).and_then(|command| {
                    let visit = who.visit.as_ref().filter(|_| self.joined(conversation).is_some());
                    Ok((command, visit.map(|visit| visit.says(bytes)).transpose()?))
                });
                match checked {
                    Ok((command, booking)) => self.command(conversation, r#ref, command, booking),
                    Err(failure) => self.refuse(Some(&r#ref), failure),
                }
            }
            ClientFrame::Cancel { r#ref, conversation, turn } => {
                self.wish(conversation, r#ref, commands::cancel(&who.principal, turn));
            }
            ClientFrame::Take { r#ref, conversation, agent } => {
                self.wish(conversation, r#ref, commands::take(&who.principal, agent));
            }
            ClientFrame::HandBack { r#ref, conversation, agent } => {
                self.wish(conversation, r#ref, commands::hand_back(&who.principal, agent));
            }
            ClientFrame::Close { r#ref, conversation } => {
                self.wish(conversation, r#ref, commands::close(&who.principal));
            }
            ClientFrame::Typing { conversation, on } => self.signal(conversation, who, SignalKind::Typing { on }),
            ClientFrame::Read { conversation, seq } => self.signal(conversation, who, SignalKind::Read { seq }),
        }
    }

    async fn authenticate(&self, r#ref: Ref, token: String) {
        let now = self.worker.system().clock().now();
        let shown = self.access.principal(&token, self.neighbour, now).await;
        let checked = match shown.and_then(|principal| Ok(principal.holder()?)) {
            Ok(holder) => self.identify(holder).await,
            Err(failure) => Err(failure),
        };
        match checked {
            Ok(()) => self.answer(&r#ref, json!({})),
            Err(mut failure) => {
                let close = refusal::close(failure.code);
                // One that is known goes on with the token it has, as far as that goes.
                let ends = self.speaking().is_none()
                    || matches!(failure.code, ErrorCode::OriginRefused | ErrorCode::TenantDisabled);
                if ends && close == Close::NOT_NOW {
                    failure.retry_after.get_or_insert(NOT_NOW_RETRY);
                }
                self.refuse(Some(&r#ref), failure);
                if ends {
                    self.outbox.close(close);
                }
            }
        }
    }

    async fn join(
        &self,
        who: &Identified,
        r#ref: &Ref,
        conversation: Option<ConversationId>,
        after: Position,
        locale: Option<Locale>,
    ) -> Result<(), Failure> {
        let again = conversation.is_some_and(|conversation| self.joined(conversation).is_some());
        if self.joins() >= limits::JOINS_MAX && !again {
            // Not a matter of time: waiting does not help, leaving does.
            let message = format!("a socket joins at most {} conversations: leave one first", limits::JOINS_MAX);
            return Err(Failure::new(ErrorCode::WrongState, message));
        }
        let handle = match conversation {
            Some(conversation) => {
                let key = ConversationKey { tenant: who.tenant.id(), conversation };
                let handle = self.worker.find_here(key).await?;
                let mut sees = who.principal.may_see(conversation, handle.contact());
                if !sees {
                    // It may be with a contact that was merged into the visitor's.
                    let contacts = self.worker.system().contacts();
                    let whom = contacts.standing(key.tenant, handle.contact()).await?;
                    sees = who.principal.may_see(conversation, whom.id);
                }
                if !sees {
                    return Err(Failure::new(ErrorCode::UnknownConversation, "there is no such conversation"));
                }
                handle
            }
            None => {
                let contact = who
                    .principal
                    .opens_as(None)
                    .ok_or_else(|| Failure::new(ErrorCode::Forbidden, "this token does not open conversations"))?;
                let (key, _) = match &who.visit {
                    Some(visit) => self.worker.open_for(visit, locale).await?,
                    None => self.worker.open(who.tenant.id(), contact, locale).await?,
                };
                self.worker.find_here(key).await?
            }
        };
        let handle = self.remember(handle);
        let (outbox, audience) = (Arc::clone(&self.outbox), who.principal.audience());
        let listener = Listener { session: self.id, outbox, format: Format::Socket, audience };
        handle.join(listener, after, ReplyTo::frame(Arc::clone(&self.outbox), r#ref.clone()));
        Ok(())
    }

    fn wish(self: &Rc<Self>, conversation: ConversationId, r#ref: Ref, command: Result<Command, Failure>) {
        match command {
            Ok(command) => self.command(conversation, r#ref, command, None),
            Err(failure) => self.refuse(Some(&r#ref), failure),
        }
    }

    fn command(self: &Rc<Self>, conversation: ConversationId, r#ref: Ref, command: Command, booking: Option<Booking>) {
        let reply: ReplyTo<Outcome> = ReplyTo::frame(Arc::clone(&self.outbox), r#ref).paid_with(booking);
        self.with(conversation, move |handle| match handle {
            Ok(handle) => handle.command(command, reply),
            Err(failure) => reply.send(Err(failure)),
        });
    }

    fn signal(self: &Rc<Self>, conversation: ConversationId, who: &Identified, kind: SignalKind) {
        // Nobody waits for an answer to a sign of life.
        if !who.principal.may(Action::Signal) {
            return;
        }
        if let SignalKind::Typing { on } = kind {
            self.note_typing(conversation, on);
        }
        let (author, session) = (who.principal.author(), self.id);
        self.with(conversation, move |handle| match handle {
            Ok(handle) => handle.signal(session, author, kind),
            Err(failure) => drop(failure),
        });
    }

    /// Gives `act` the joined conversation; one that has restarted is found again first.
    fn with(
        self: &Rc<Self>,
        conversation: ConversationId,
        act: impl FnOnce(Result<ConversationHandle, Failure>) + 'static,
    ) {
        match self.joined(conversation) {
            None => act(Err(not_joined())),
            Some(handle) if handle.is_open() => act(Ok(handle)),
            Some(handle) => {
                let inner = Rc::clone(self);
                self.wait_for(async move {
                    let found = inner.worker.find(handle.key()).await;
                    act(found.map(|found| inner.remember(found)));
                });
            }
        }
    }

    fn answer(&self, r#ref: &Ref, ok: Value) {
        self.outbox.push(reply_frame(r#ref, Ok(ok)));
    }

    fn refuse(&self, r#ref: Option<&Ref>, failure: Failure) {
        metrics::counter!(FRAME_ERRORS, "code" => failure.code.name()).increment(1);
        self.outbox.push(match r#ref {
            Some(r#ref) => reply_frame(r#ref, Err(failure)),
            None => error_frame(&failure),
        });
    }

    /// Answers a frame that is none, by its ref if it has one.
    fn refuse_unreadable(&self, text: &str, error: &serde_json::Error, allowed: Result<(), Failure>) {
        #[derive(Deserialize)]
        struct HasRef {
            r#ref: Ref,
        }
        let code = if error.is_data() { ErrorCode::BadFrame } else { ErrorCode::BadJson };
        let failure = allowed.err().unwrap_or_else(|| Failure::new(code, format!("not a frame: {error}")));
        let r#ref = schema::read_json::<HasRef>(text.as_bytes()).ok().map(|has| has.r#ref);
        self.refuse(r#ref.as_ref(), failure);
    }
}

fn not_joined() -> Failure {
    Failure::new(ErrorCode::NotJoined, "join the conversation on this socket first")
}

/// A frame's name, and its ref if it wants an answer.
fn outline(frame: &ClientFrame) -> (&'static str, Option<Ref>) {
    match frame {
        ClientFrame::Auth { r#ref, .. } => ("auth", Some(r#ref.clone())),
        ClientFrame::Join { r#ref, .. } => ("join", Some(r#ref.clone())),
        ClientFrame::Leave { r#ref, .. } => ("leave", Some(r#ref.clone())),
        ClientFrame::Say { r#ref, .. } => ("say", Some(r#ref.clone())),
        ClientFrame::Cancel { r#ref, .. } => ("cancel", Some(r#ref.clone())),
        ClientFrame::Take { r#ref, .. } => ("take", Some(r#ref.clone())),
        ClientFrame::HandBack { r#ref, .. } => ("hand_back", Some(r#ref.clone())),
        ClientFrame::Close { r#ref, .. } => ("close", Some(r#ref.clone())),
        ClientFrame::Ping { r#ref } => ("ping", Some(r#ref.clone())),
        ClientFrame::Typing { .. } => ("typing", None),
        ClientFrame::Read { .. } => ("read", None),
    }
}
