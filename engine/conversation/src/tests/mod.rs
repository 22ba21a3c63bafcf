//! The machine's proofs: scripts with their effects, and replay against living.

mod due;
mod handoff;
mod redacted;
mod replay;
mod scenarios;
mod script;
mod unsaid;
