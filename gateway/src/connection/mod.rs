//! Connections before anything is read from them: who may open how many, how fast each may ask, how
//! long each may keep us waiting.
//! Invariant: it knows bytes and requests, not what they ask for.
//!
//! actix-http reads a connection as far as it can and answers what it finds in one go, and has a
//! deadline for the first head alone. So each connection goes through a [`Line`], which hands out
//! what was read a little at a time, and is told by the middleware of [`Meter`] where its request stands.

mod ending;
mod line;
mod meter;
mod pace;
mod places;
mod proxies;
mod proxy_protocol;
mod server;
mod share;
mod watch;

pub(crate) use ending::{END_MAX, Ending};
pub(crate) use meter::Meter;
pub(crate) use pace::Paced;
pub(crate) use proxies::{Proxies, passed_on};
pub(crate) use server::{Door, is_this_machine, open_files, serve};
pub(crate) use share::Slots;
