//! The protocol `tertulia.v1` on the socket of the real program.

mod frames;
mod lives;
mod resume;
