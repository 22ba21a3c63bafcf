//! Every scenario from end to end against the bare server, and every check against its defects.

mod idle;
mod link;
mod scenarios;
mod stub;
mod support;
