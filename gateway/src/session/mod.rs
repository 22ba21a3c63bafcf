//! The protocol `tertulia.v1` on a web socket, and the register of all open sessions.

mod follow;
mod frames;
mod peer;
mod presence;
mod refusal;
mod register;
mod upgrade;

pub(crate) use follow::follow;
pub(crate) use presence::Presence;
pub(crate) use register::{Seat, Sessions};
pub(crate) use upgrade::open;
