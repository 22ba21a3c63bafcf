//! The conversation's actor: it stamps the time, calls the machine, and performs the effects.

mod active_turn;
mod actor;
mod gate;
mod join;
mod listeners;
mod load;
mod mail;
mod perform;
mod ring;
mod subscriber;
mod subscribers;
mod writer;

pub use join::{Audience, JoinFrom, Joined, Listener};
pub(crate) use load::{Prepared, WakeFailure, open, wake};
pub(crate) use mail::Mail;
pub(crate) use subscribers::Subscribers;
