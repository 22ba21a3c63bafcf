//! Real parts for tests to run against.

pub mod upstream;
