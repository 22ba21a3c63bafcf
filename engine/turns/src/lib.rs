//! Turns at work that takes its time: what learns and what reads documents share it out evenly between tenants.

mod turns;

pub use turns::{Crowded, Place, Turns};
