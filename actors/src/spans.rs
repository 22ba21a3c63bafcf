//! The spans along a message's way: command → append → push, and command → turn → attempt. The session, their
//! parent, is the gateway's.
//! Invariant: their fields are ids, numbers and names that this program or its operator gave; nothing that anybody
//! said. Where nobody listens to them nothing is made, and a delta has none at all.

use std::mem;

use engine_conversation::Command;
use schema::{ConversationKey, Seq, Turn};
use tracing::field::Empty;
use tracing::{Span, debug_span, trace_span};

/// A span that outlives the function that made it: it crosses a mailbox, or waits for what it is the parent of.
/// Whoever makes it holds it, whoever handles the mail enters it, and the span ends with its last holder, so that a
/// crash ends it too. It is one pointer wide, and null where nobody listens: a conversation at rest pays nothing.
#[derive(Clone, Default)]
pub(crate) struct HeldSpan(Option<Box<Span>>);

impl HeldSpan {
    pub(crate) const NONE: Self = Self(None);

    /// Holds a span, if somebody listens to it.
    pub(crate) fn new(span: Span) -> Self {
        Self((!span.is_disabled()).then(|| Box::new(span)))
    }

    /// Whether there is none.
    pub(crate) const fn is_none(&self) -> bool {
        self.0.is_none()
    }

    /// The span, to be entered or to go with a future; a disabled one where there is none.
    pub(crate) fn get(&self) -> Span {
        self.0.as_deref().map_or_else(Span::none, Clone::clone)
    }

    /// The same, held here no longer.
    pub(crate) fn take(&mut self) -> Span {
        mem::take(&mut self.0).map_or_else(Span::none, |span| *span)
    }
}

/// A command: from when it is put until the actor has handled it, and with it all that follows from it.
pub(crate) fn command(key: ConversationKey, command: &Command) -> Span {
    debug_span!("command", conversation = %key.conversation, tenant = %key.tenant, kind = kind(command))
}

/// An append: from the first of its decisions until it is durable, and what waited for it has been let out.
pub(crate) fn append(key: ConversationKey) -> Span {
    debug_span!("append", conversation = %key.conversation, tenant = %key.tenant, head = Empty, events = Empty)
}

/// A durable event on its way to those who listen.
pub(crate) fn push(key: ConversationKey, seq: Seq) -> Span {
    trace_span!("push", conversation = %key.conversation, tenant = %key.tenant, seq)
}

/// A reply that is made; `run` counts how often it was begun.
pub(crate) fn turn(key: ConversationKey, turn: Turn, run: u32) -> Span {
    debug_span!("turn", conversation = %key.conversation, tenant = %key.tenant, turn, run)
}

/// A model that is asked; `end` is how its reply ended, `code` why it failed.
pub(crate) fn attempt(key: ConversationKey, model: &str) -> Span {
    debug_span!("attempt", conversation = %key.conversation, tenant = %key.tenant, model, end = Empty, code = Empty)
}

const fn kind(command: &Command) -> &'static str {
    match command {
        Command::Open { .. } => "open",
        Command::Wake => "wake",
        Command::Due => "due",
        Command::Say { .. } => "say",
        Command::Cancel { .. } => "cancel",
        Command::Take { .. } => "take",
        Command::HandBack { .. } => "hand_back",
        Command::Close => "close",
        Command::Progress { .. } => "progress",
        Command::Elapsed(_) => "elapsed",
        Command::Interrupt => "interrupt",
        Command::Erase => "erase",
    }
}
