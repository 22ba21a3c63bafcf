//! How the world reaches the engine: HTTP, sockets, auth, the command line.

pub mod access;
pub mod answers;
pub mod auth;
mod banner;
pub mod cli;
mod cluster;
mod commands;
mod connection;
pub mod datadir;
pub mod docs;
pub mod error;
mod fields;
pub mod http;
mod invocation;
pub mod learning;
mod metrics;
mod models;
pub mod node;
mod peers;
mod private_file;
pub mod secret;
mod session;
mod signals;
pub mod socket;
pub mod stores;
pub mod telemetry;
mod web;
