//! A new process takes over the listening sockets of the node that runs on the same data directory.
//! Invariant: until the new one says `go` the old one serves as ever, and from then on it is on its way out. A
//! connection that comes when neither takes any waits in the socket, which is never closed.
//!
//! They speak over `takeover.sock` in the data directory, a line of JSON at a time, each with the version of what is
//! spoken. The new one says `hello`, and is given the sockets (`SCM_RIGHTS`) with what each is for; it looks at their
//! addresses and says `go`; the old one says `draining`, drains, gives back the data directory, and hangs up. That is
//! when the new one opens the store. Whatever can be wrong with the new one is found before it says `hello`.

mod offer;
mod take;
mod wire;

pub(crate) use offer::{Offer, Taker};
pub(crate) use take::TakeOverError;
pub(crate) use take::take_over;
