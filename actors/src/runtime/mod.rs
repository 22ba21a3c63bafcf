//! actix at arm's length: bounded mailboxes, panics caught, streams and timers for an actor.
//! Invariant: outside this folder nobody knows that actors are actix's.

mod mailbox;
mod scope;
mod shell;

pub(crate) use mailbox::{Bounds, Message, SendFailure, Sender};
pub(crate) use scope::{Attached, Scope};
pub(crate) use shell::{Actor, spawn, spawn_local};
