//! How the world reaches the engine: HTTP, sockets, auth, the command line.

pub mod auth;
pub mod cli;
pub mod datadir;
pub mod node;
