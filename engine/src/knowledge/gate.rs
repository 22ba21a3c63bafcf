//! How many may work at once, and how many may wait for it.
//! Invariant: whoever comes when the waiting room is full is told so at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::KnowledgeError;

pub(super) struct Gate {
    inside: Arc<AtomicUsize>,
    inside_max: usize,
    working: Arc<Semaphore>,
}

/// A place in the waiting room or at work; given back when dropped.
pub(super) struct Ticket(Arc<AtomicUsize>);

impl Gate {
    /// `working` at once, `waiting` more behind them.
    pub(super) fn new(working: usize, waiting: usize) -> Self {
        Self {
            inside: Arc::default(),
            inside_max: working.saturating_add(waiting),
            working: Arc::new(Semaphore::new(working)),
        }
    }

    pub(super) fn enter(&self) -> Result<Ticket, KnowledgeError> {
        let ticket = Ticket(self.inside.clone());
        if self.inside.fetch_add(1, Ordering::Relaxed) >= self.inside_max {
            return Err(KnowledgeError::Busy);
        }
        Ok(ticket)
    }

    /// Waits for a turn; the ticket stays with the work.
    pub(super) async fn work(&self, ticket: Ticket) -> Result<(Ticket, OwnedSemaphorePermit), KnowledgeError> {
        let permit = self.working.clone().acquire_owned().await.map_err(|_| KnowledgeError::Busy)?;
        Ok((ticket, permit))
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_room_refuses_and_a_left_place_is_free() {
        let gate = Gate::new(1, 1);
        let first = gate.enter().unwrap();
        let _second = gate.enter().unwrap();
        assert!(matches!(gate.enter(), Err(KnowledgeError::Busy)));
        drop(first);
        assert!(gate.enter().is_ok());
    }
}
