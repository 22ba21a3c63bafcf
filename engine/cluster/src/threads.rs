//! Whether the node's threads still turn over, so that one that hangs is not taken to be well.
//! Invariant: a thread that is watched and does nothing for too long is named until it turns again or has ended.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, sleep};

/// Between two turns of a thread that has time.
const TURN_EVERY: Duration = Duration::from_secs(1);
/// One that has not turned for so long hangs: much longer than anything that a thread does at a stretch.
const HANGS_AFTER: Duration = Duration::from_secs(10);

/// The threads that a node needs to serve. Cloning shares them.
///
/// Each of them runs [`Threads::turn`] beside what else it does. While one hangs, the node leaves no signs of life: what
/// it has is taken over by nodes that serve, as if it were dead.
#[derive(Clone, Debug, Default)]
pub struct Threads(Arc<Mutex<Vec<Thread>>>);

#[derive(Debug)]
struct Thread {
    name: &'static str,
    number: u64,
    turned: Instant,
}

/// Its thread is watched no longer when this is dropped: it has ended.
struct Watched {
    threads: Threads,
    number: u64,
}

impl Threads {
    /// Runs on a thread for as long as that is to be watched.
    pub async fn turn(self, name: &'static str) {
        let number = {
            let mut all = self.all();
            let number = all.iter().map(|thread| thread.number + 1).max().unwrap_or_default();
            all.push(Thread { name, number, turned: Instant::now() });
            number
        };
        let watched = Watched { threads: self, number };
        loop {
            sleep(TURN_EVERY).await;
            if let Some(thread) = watched.threads.all().iter_mut().find(|thread| thread.number == watched.number) {
                thread.turned = Instant::now();
            }
        }
    }

    /// The one that hangs for the longest time.
    pub(crate) fn hanging(&self) -> Option<&'static str> {
        let all = self.all();
        let longest = all.iter().min_by_key(|thread| thread.turned)?;
        (longest.turned.elapsed() >= HANGS_AFTER).then_some(longest.name)
    }

    fn all(&self) -> MutexGuard<'_, Vec<Thread>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        self.threads.all().retain(|thread| thread.number != self.number);
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_thread_that_hangs_is_named_until_it_turns_or_ends() {
        let threads = Threads::default();
        assert_eq!(threads.hanging(), None);
        let well = tokio::spawn(threads.clone().turn("worker"));
        tokio::task::yield_now().await;
        for _ in 0..30 {
            sleep(TURN_EVERY).await;
            assert_eq!(threads.hanging(), None);
        }
        // Nothing else runs while this test goes on without a pause.
        advance(HANGS_AFTER).await;
        threads.all()[0].turned = Instant::now() - HANGS_AFTER;
        assert_eq!(threads.hanging(), Some("worker"));
        sleep(2 * TURN_EVERY).await;
        assert_eq!(threads.hanging(), None, "it turns again");
        threads.all()[0].turned = Instant::now() - HANGS_AFTER;
        well.abort();
        assert!(well.await.is_err());
        assert_eq!(threads.hanging(), None, "it has ended");
    }
}
