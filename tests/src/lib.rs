//! Shared by tests: suites that run against every adapter of a port, and the parts of these suites.

pub mod api;
pub mod arguments;
pub mod bench;
pub mod client;
pub mod crashes;
pub mod faults;
pub mod forward;
pub mod fuzz;
pub mod hostile;
pub mod llm;
pub mod moody;
pub mod node;
pub mod nodes;
mod owners;
pub mod packed;
pub mod patient;
pub mod peers;
pub mod rawhttp;
pub mod rawsocket;
pub mod servers;
#[path = "../sim/mod.rs"]
pub mod sim;
pub mod site;
pub mod source;
pub mod store;
pub mod stream;
pub mod stub;
pub mod upstream;
pub mod within;

use std::time::Duration;

/// Longest wait for a fact. It only ends tests that will fail.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// Between two looks at a fact that nobody announces.
pub async fn look_again() {
    tokio::time::sleep(Duration::from_millis(10)).await;
}
