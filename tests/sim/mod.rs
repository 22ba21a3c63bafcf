//! A whole world under one seed: nodes with their actors, a store that delays, loses and crashes,
//! clients on lines that are cut, under virtual time. What comes out is judged by the checker that
//! every fault test uses; the same seed gives the same run, step by step.
//!
//! `cargo sim --seeds N` runs N of them, `cargo sim --seed S --trace` one, with its story.

mod brain;
mod chance;
mod client;
mod disk;
mod faults;
mod held;
mod line;
mod node;
mod noted;
mod past;
mod plan;
mod plant;
mod projected;
mod records;
mod replay;
mod seals;
mod session;
mod sizes;
mod snapshots;
mod unattended;
mod world;

pub use plan::Plan;
pub use plant::Plant;
pub use sizes::Sizes;
pub use world::{Report, run};
