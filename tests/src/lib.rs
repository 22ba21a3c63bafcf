//! What tests share: suites that run against every adapter of a port, and what they are made of.

pub mod rawsocket;
pub mod store;
