//! What a conversation does, and the ports it needs with their adapters.
//! Invariant: nothing here knows actix or HTTP servers; `conversation` knows nothing but `schema`.

pub mod config;
pub mod conversation;
pub mod crawl;
pub mod documents;
pub mod knowledge;
pub mod model;
pub mod store;
mod turns;
pub mod unanswered;
