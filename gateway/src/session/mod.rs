//! The protocol `tertulia.v1` on a web socket, and the register of all open sessions.

mod follow;
mod frames;
mod peer;
mod presence;
mod refusal;
mod register;
mod span;

pub(crate) use follow::follow;
pub(crate) use peer::Session;
pub(crate) use presence::Presence;
pub(crate) use register::{Registration, Sessions};
pub(crate) use span::session as session_span;
