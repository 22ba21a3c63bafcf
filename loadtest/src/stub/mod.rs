//! A model that streams on time: an OpenAI chat-completions server whose every token says when it
//! should have left and when it did.

mod chunk;
mod pacer;
mod server;

pub use chunk::Shape;
pub(crate) use server::listen;
pub use server::{Defaults, Done, Stub};
