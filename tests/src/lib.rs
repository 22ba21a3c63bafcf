//! placeholder

pub mod rawsocket;
