//! The black-box tests: one binary, one module a subject.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod api;
mod attacks;
mod cli;
mod contacts;
mod deploy;
mod due;
mod erasing;
mod faults;
mod folder;
mod glossary;
mod hostile;
mod house;
mod installing;
mod isolation;
mod keys;
mod learning;
mod listeners;
mod listing;
mod locale;
mod model_context;
mod model_faults;
mod nodes;
mod plans;
mod policy;
mod principals;
mod process;
mod real_model;
mod real_stores;
mod sealed;
mod socket;
mod socket_protocol;
mod store;
mod stream;
mod supervision;
mod takeover;
mod test_tools;
mod turns;
mod unanswered;
mod unsearched;
mod visitors;
mod waking;
