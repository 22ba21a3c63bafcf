//! What tests share: suites that run against every adapter of a port, and what they are made of.

pub mod llm;
pub mod rawsocket;
pub mod source;
pub mod store;
