//! What an actor may do with its own execution while it handles a message.

use std::future::Future;

use actix::{ActorContext, ActorFutureExt, AsyncContext, SpawnHandle};
use futures_util::Stream;

use super::shell::{Actor, Shell};

/// The running actor's surroundings.
pub(crate) struct Scope<'a, A: Actor> {
    pub(super) context: &'a mut actix::Context<Shell<A>>,
}

/// A stream that feeds an actor, to be detached.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Attached(SpawnHandle);

impl<A: Actor> Scope<'_, A> {
    /// Ends the actor after this message; what waits in its mailbox is dropped, and says so by
    /// being dropped.
    pub(crate) fn stop(&mut self) {
        self.context.stop();
    }

    /// Runs a future beside the mailbox; what it gives is handled like a message.
    pub(crate) fn later(&mut self, future: impl Future<Output = A::Message> + 'static) {
        let future = actix::fut::wrap_future::<_, Shell<A>>(future);
        self.context.spawn(future.map(|message, shell, context| shell.run(message, context)));
    }

    /// Handles each item of a stream like a message. The stream is polled by the actor itself, so
    /// an item changes neither thread nor task, and a busy actor does not read on.
    pub(crate) fn attach(&mut self, stream: impl Stream<Item = A::Message> + 'static) -> Attached {
        Attached(self.context.add_stream(futures_util::StreamExt::map(stream, super::shell::Item)))
    }

    /// Drops an attached stream with all it holds, at once.
    pub(crate) fn detach(&mut self, attached: Attached) {
        self.context.cancel_future(attached.0);
    }
}
