//! The least server that speaks enough of the protocol for every scenario: one thread, in memory,
//! no durability, no supervision, no limits. It is no node. It shows what this machine and this
//! client allow at best, and with a [`Defect`] it shows that the checks can fail.

mod conversation;
mod server;
mod session;

pub use conversation::Defect;
pub use server::Server;
