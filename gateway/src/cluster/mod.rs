//! This node among the others that share its store: who lives, the links to them, and what they tell each other.
//! Invariant: a node whose store is its own knows of no others, and pays nothing for them.

mod heard;
mod hearer;
mod join;
mod membership;
mod news;
mod quotas;
mod rates;
mod seat;
mod state;

pub(crate) use hearer::Hearer;
pub(crate) use join::JoinError;
pub(crate) use join::{Joined, Linked, join, see};
pub(crate) use quotas::tell;
pub(crate) use rates::share;
pub(crate) use seat::Seat;
pub(crate) use seat::SeatError;
pub(crate) use state::state;
