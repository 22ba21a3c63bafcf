//! The conversation's actor: it stamps the time, calls the machine, and performs the effects.
//!
//! It dispatches between parts that own what they stand for: the writer ([`writer`]) makes durable, the listeners
//! ([`listeners`]) are told, the turns ([`turns`]) report. [`host`] says what it is given, and whom it tells how it ends.

mod active_turn;
mod actor;
mod alarm;
mod catch_up;
mod durable_event;
mod ends;
mod entry;
mod follow;
mod gate;
mod gated;
mod handle;
mod heard;
mod held_joins;
mod host;
mod listener;
mod listeners;
mod load;
mod mail;
mod place;
mod prepared;
mod pulse;
mod questions;
mod relay;
mod relay_mail;
mod ring;
mod snapshots;
mod subscriber;
mod subscribers;
mod turns;
mod view;
mod writer;

pub(crate) use follow::command;
pub use handle::ConversationHandle;
pub(crate) use host::{Host, Keeper};
pub use listener::{Audience, JoinFrom, Joined, Listener};
pub(crate) use load::{WakeFailure, Waking, open, wake};
pub(crate) use prepared::Prepared;
pub(crate) use pulse::Pulse;
pub(crate) use subscribers::Subscribers;
