//! The highest point of a process's memory while something goes on.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::proc::Process;

const SAMPLE_EVERY: Duration = Duration::from_millis(100);

/// Watches a process's memory for its highest point.
pub(super) struct Peak {
    highest: Arc<AtomicU64>,
    task: tokio::task::JoinHandle<()>,
}

impl Peak {
    pub(super) fn watch(process: Option<Process>) -> Self {
        let highest = Arc::new(AtomicU64::new(0));
        let seen = highest.clone();
        let task = tokio::spawn(async move {
            while let Some(Ok(memory)) = process.map(|process| process.memory()) {
                seen.fetch_max(memory.rss_kib, Ordering::Relaxed);
                tokio::time::sleep(SAMPLE_EVERY).await;
            }
        });
        Self { highest, task }
    }

    /// The highest so far, in KiB.
    pub(super) fn highest(&self) -> u64 {
        self.highest.load(Ordering::Relaxed)
    }
}

impl Drop for Peak {
    fn drop(&mut self) {
        self.task.abort();
    }
}
