//! The actix actor around each of ours. actix neither restarts an actor that panicked nor tells
//! anyone; the shell catches the panic, measures each message, and reports the end.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Instant;

use actix::{ActorContext, StreamHandler};
use metrics::Histogram;

use super::execution::Execution;
use super::mailbox::{Bounds, Envelope, Message, Sender, mailbox};
use crate::metrics::{ACTOR_HANDLING, ACTOR_QUEUE_WAIT};

/// One of our actors: a mailbox and a handler, no framework.
pub(crate) trait Actor: Sized + Unpin + 'static {
    /// What it is told.
    type Message: Message;
    /// Its kind, as a metric label.
    const KIND: &'static str;

    /// Deals with one message, quickly: its thread has others to serve.
    fn handle(&mut self, message: Self::Message, execution: &mut Execution<'_, Self>);

    /// A handler panicked, or what it had begun; this is what is left. The panic hook has logged where.
    fn crashed(self);
}

/// Starts an actor on the current thread. `build` gets the way in to the new actor.
pub(crate) fn spawn<A: Actor>(bounds: Bounds, build: impl FnOnce(Sender<A::Message>) -> A) -> Sender<A::Message> {
    let (sender, inbox) = mailbox(bounds);
    let shell = Shell {
        actor: Some(build(sender.clone())),
        sender: sender.clone(),
        queue_wait: metrics::histogram!(ACTOR_QUEUE_WAIT, "actor" => A::KIND),
        handling: metrics::histogram!(ACTOR_HANDLING, "actor" => A::KIND),
    };
    actix::Actor::create(|context: &mut actix::Context<Shell<A>>| {
        <Shell<A> as StreamHandler<Envelope<A::Message>>>::add_stream(inbox, context);
        shell
    });
    sender
}

/// Runs a future on the current worker thread. For short waits (timers, back-off) that end by
/// themselves.
pub(crate) fn spawn_local(future: impl Future<Output = ()> + 'static) {
    actix_rt::spawn(future);
}

/// Does what goes on when whoever asked has gone, on the current worker thread. Nothing when it panicked, or when its
/// thread has ended.
pub(crate) async fn to_the_end<T: 'static>(work: impl Future<Output = T> + 'static) -> Option<T> {
    actix_rt::spawn(work).await.ok()
}

/// The actix side of an actor. Its mailbox is a stream that it polls beside the others, sixteen messages at
/// a time, so that neither a flood of messages nor one of tokens starves the other or a timer.
pub(crate) struct Shell<A: Actor> {
    actor: Option<A>,
    sender: Sender<A::Message>,
    queue_wait: Histogram,
    handling: Histogram,
}

/// What a future or a stream of the actor gives; nothing when it panicked.
pub(super) struct Item<M>(pub(super) Option<M>);

impl<A: Actor> actix::Actor for Shell<A> {
    type Context = actix::Context<Self>;
}

impl<A: Actor> StreamHandler<Envelope<A::Message>> for Shell<A> {
    fn handle(&mut self, envelope: Envelope<A::Message>, context: &mut Self::Context) {
        self.queue_wait.record(envelope.sent_at.elapsed());
        self.run(envelope.message, context);
        self.sender.vitals().handled();
    }
}

impl<A: Actor> StreamHandler<Item<A::Message>> for Shell<A> {
    fn handle(&mut self, item: Item<A::Message>, context: &mut Self::Context) {
        self.on(item, context);
    }

    // The default would end the actor with its stream.
    fn finished(&mut self, _: &mut Self::Context) {}
}

impl<A: Actor> Shell<A> {
    pub(super) fn on(&mut self, Item(message): Item<A::Message>, context: &mut actix::Context<Self>) {
        match message {
            Some(message) => self.run(message, context),
            None => self.crash(context),
        }
    }

    fn run(&mut self, message: A::Message, context: &mut actix::Context<Self>) {
        let Some(actor) = &mut self.actor else { return };
        let started = Instant::now();
        let handled = catch_unwind(AssertUnwindSafe(|| actor.handle(message, &mut Execution { context })));
        self.handling.record(started.elapsed());
        if handled.is_err() {
            self.crash(context);
        }
    }

    fn crash(&mut self, context: &mut actix::Context<Self>) {
        context.stop();
        if let Some(actor) = self.actor.take() {
            actor.crashed();
        }
    }
}
