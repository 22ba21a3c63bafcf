//! The conversation's timer, for what may be lost with memory.
//! Invariant: one runs at a time, and only the newest means something.

use std::time::Duration;

use engine_conversation::Timer;

use super::mail::Mail;
use crate::runtime::{Actor, Attached, Execution};

/// The timer that runs, if one does.
#[derive(Default)]
pub(super) struct Alarm(Option<Attached>);

impl Alarm {
    /// Sets it, in place of the one that runs.
    pub(super) fn arm<A: Actor<Message = Mail>>(
        &mut self,
        timer: Timer,
        after: Duration,
        execution: &mut Execution<'_, A>,
    ) {
        let elapsed = async move {
            tokio::time::sleep(after).await;
            Mail::Elapsed(timer)
        };
        if let Some(older) = self.0.replace(execution.later(elapsed)) {
            execution.detach(older);
        }
    }
}
