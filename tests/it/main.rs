//! The black-box tests: one binary, one module a subject.

mod house;
mod policy;
mod real_model;
mod socket;
mod store;
