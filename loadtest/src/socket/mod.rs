//! A lean web socket client. tokio-tungstenite was left aside here, and serves in the tests as
//! the other side: it reserves 128 KiB to read per connection, and hides when bytes arrived, how
//! many frames came at once, and the socket itself. This one stamps each read, answers many
//! frames with one write, can be given a tiny receive buffer, and can simply stop reading.

mod frame;
mod link;

pub use frame::{Decoder, Frame, FrameError, Opcode, Role, encode};
pub use link::{ACCEPT, Incoming, KEY, Link, LinkError, Opening};
