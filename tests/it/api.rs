//! The HTTP API of the real program, as any client sees it.

mod conversations;
mod documents;
mod errors;
mod knowledge;
mod tenant;
mod visitors;
mod widget;
