//! placeholder

pub mod socket;
