//! The machine's proofs: scripts with their effects, replay and snapshots against living.

mod due;
mod erase;
mod handoff;
mod ownership;
mod redacted;
mod replay;
mod scenarios;
mod script;
mod snapshot;
mod unsaid;
