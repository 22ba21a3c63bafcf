//! The scenarios, one a file, and the parts that they share.

pub mod direct;
pub mod durable;
pub mod durable_check;
pub mod floor;
pub mod idle;
pub mod idle_worker;
pub mod latency;
pub mod lengths;
pub mod noisy;
pub mod overload;
pub mod paced;
mod peak;
pub mod resume;
pub mod stalled;
pub mod streams;
mod target;

pub use target::Target;
