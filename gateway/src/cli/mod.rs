//! The command line: `serve`, and commands that talk to a node or to its data directory.
//! Invariant: a failure is one line on standard error; exit code 2 is for how it was called or
//! configured, 1 for the rest.

mod arguments;
mod backend;
mod chat;
mod client;
mod error;
mod export;
mod health;
mod learn;
mod offline;
mod online;
mod plain;
mod plan;
mod rebuild;
mod run;
mod tenant;

pub use run::main;

#[cfg(test)]
mod testing;
