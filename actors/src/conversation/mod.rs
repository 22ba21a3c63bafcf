//! The conversation's actor: it stamps the time, calls the machine, and performs the effects.

mod actor;
mod gate;
mod join;
mod load;
mod mail;
mod perform;
mod ring;
mod subscribers;

pub(crate) use actor::Conversation;
pub(crate) use load::{wake, WakeFailure};
pub(crate) use mail::Mail;
pub(crate) use subscribers::Subscribers;
pub use join::{JoinFrom, Joined, Listener};
