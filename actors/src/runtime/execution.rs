//! What an actor may do with its own execution while it handles a message.

use std::future::Future;
use std::panic::AssertUnwindSafe;

use actix::{ActorContext, ActorFuture, ActorFutureExt, AsyncContext, SpawnHandle};
use futures_util::{FutureExt, Stream, StreamExt};

use super::shell::{Actor, Item, Shell};

/// The running actor's surroundings.
pub(crate) struct Execution<'a, A: Actor> {
    pub(super) context: &'a mut actix::Context<Shell<A>>,
}

/// A stream or future that feeds an actor, to be detached.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Attached(SpawnHandle);

impl<A: Actor> Execution<'_, A> {
    /// Ends the actor after this message; what waits in its mailbox is dropped, and says so by
    /// being dropped.
    pub(crate) fn stop(&mut self) {
        self.context.stop();
    }

    /// Runs a future beside the mailbox; what it gives is handled like a message, and its panic like
    /// a handler's.
    pub(crate) fn later(&mut self, future: impl Future<Output = A::Message> + 'static) -> Attached {
        Attached(self.context.spawn(guarded(future)))
    }

    /// Like [`Execution::later`], but nothing else is handled until it is done.
    pub(crate) fn first(&mut self, future: impl Future<Output = A::Message> + 'static) {
        self.context.wait(guarded(future));
    }

    /// Handles each item of a stream like a message. The stream is polled by the actor itself, so
    /// an item changes neither thread nor task, and a busy actor does not read on. Its panic is handled
    /// like a handler's.
    pub(crate) fn attach(&mut self, stream: impl Stream<Item = A::Message> + 'static) -> Attached {
        let items = AssertUnwindSafe(stream).catch_unwind().map(|item| Item(item.ok()));
        Attached(self.context.add_stream(items))
    }

    /// Drops what was attached with all it holds, at once.
    pub(crate) fn detach(&mut self, attached: Attached) {
        self.context.cancel_future(attached.0);
    }
}

/// A future whose panic reaches the actor: left to itself it would end the actor without a word.
fn guarded<A: Actor>(
    future: impl Future<Output = A::Message> + 'static,
) -> impl ActorFuture<Shell<A>, Output = ()> + 'static {
    let future = actix::fut::wrap_future::<_, Shell<A>>(AssertUnwindSafe(future).catch_unwind());
    future.map(|message, shell, context| shell.on(Item(message.ok()), context))
}
