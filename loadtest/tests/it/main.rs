//! Every scenario from end to end against the bare server, and every check against its defects.

#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests fail as tests do")]

mod idle;
mod link;
mod scenarios;
mod stub;
mod support;
