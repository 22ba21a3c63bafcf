//! The load suite: scenarios that measure a node from outside, through its public protocol only,
//! each beside what the same machine allows without a node.

pub mod bare;
pub mod checker;
pub mod clock;
pub mod http;
pub mod ledger;
pub mod node;
pub mod plan;
pub mod proc;
pub mod report;
pub mod scenario;
pub mod socket;
pub mod stats;
pub mod stub;
pub mod token;
pub mod view;
