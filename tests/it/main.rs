//! The black-box tests: one binary, one module a subject.

mod api;
mod house;
mod policy;
mod real_model;
mod socket;
mod socket_protocol;
mod store;
