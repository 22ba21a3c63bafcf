//! actix at arm's length: bounded mailboxes, panics caught, streams and timers for an actor.
//! Invariant: outside this folder nobody knows that actors are actix's.

mod execution;
mod mailbox;
mod shell;

pub(crate) use execution::{Attached, Execution};
pub(crate) use mailbox::{Bounds, Message, SendFailure, Sender, Vitals};
pub(crate) use shell::{Actor, spawn, spawn_local, to_the_end};
