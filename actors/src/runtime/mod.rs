//! actix at arm's length: bounded mailboxes, panics caught, streams and timers for an actor.
//! Invariant: outside this folder nobody knows that actors are actix's.

mod scope;
mod sender;
mod shell;

pub(crate) use scope::{Attached, Scope};
pub(crate) use sender::{SendFailure, Sender};
pub(crate) use shell::{Actor, spawn, spawn_local};
