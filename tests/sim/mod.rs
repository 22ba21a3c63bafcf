//! A whole world under one seed: nodes with their actors, a store that delays, loses and crashes,
//! clients on lines that are cut, under virtual time. What comes out is judged by the checker that
//! every fault test uses; the same seed gives the same run, step by step.
//!
//! In most worlds of several nodes these know each other: each conversation is one's, the others follow it over cables
//! that are slow, cut or silent one way; nodes die, drain, and are held for dead though they live; news of all that
//! comes late. To the end all nodes stay, and what clients were told on any of them is held against the log; that a
//! conversation goes to and fro between nodes is a fault as well.
//!
//! `cargo sim --seeds N` runs N of them, `cargo sim --seed S --trace` one, with its story.

mod brain;
mod chance;
mod client;
mod disk;
mod faults;
mod held;
mod line;
mod net;
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
mod settled;
mod sizes;
mod snapshots;
mod unattended;
mod world;

pub use plan::Plan;
pub use plant::Plant;
pub use sizes::Sizes;
pub use world::{Report, run};
