//! The protocol `tertulia.v1` on a web socket, and the register of all open sessions.

mod frames;
mod peer;
mod register;
mod upgrade;

pub(crate) use register::{Presence, Seat, Sessions};
pub(crate) use upgrade::open;
