//! As much HTTP/1.1 as the load suite speaks: heads, chunked bodies, one request at a time.

mod chunked;
mod client;
mod head;

pub use chunked::Dechunker;
pub use client::{Answer, Client};
pub use head::{Body, Head, HttpError, read_head};
