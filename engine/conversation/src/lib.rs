//! The conversation machine: commands in, effects out, state folded from events.
//! Invariant: no clock, no I/O, no actix; it imports `schema` and what snapshots are encoded with. The same commands
//! at the same times give the same effects, and folding the log gives the state that lived it.

mod cancel;
mod command;
mod due;
mod effect;
mod erase;
mod floor;
mod machine;
mod ownership;
mod progress;
mod refs;
mod said;
mod say;
mod snapshot;
mod state;
mod transcript;
mod turn;
mod wake;

#[cfg(test)]
mod tests;

pub use command::{Command, Policy, Progress, Speaker};
pub use effect::{Effect, Outcome, Refusal, Timer};
pub use floor::{Floor, Running};
pub use machine::Conversation;
pub use said::Said;
pub use snapshot::SNAPSHOT_VERSION;
pub use state::{Owner, State, Unfinished};
pub use transcript::{Exchange, Line, Transcript};
