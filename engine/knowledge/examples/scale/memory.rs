//! How much memory this process has, at a moment and at most.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// In KiB: what the process has made, and what it has mapped of files, which the system may take back.
#[derive(Clone, Copy, Default)]
pub(crate) struct Memory {
    pub(crate) own: u64,
    pub(crate) mapped: u64,
}

/// Zero where the system does not say.
pub(crate) fn now() -> Memory {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let of = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name));
        line.and_then(|line| line.split_whitespace().nth(1)?.parse().ok()).unwrap_or(0)
    };
    Memory { own: of("RssAnon"), mapped: of("RssFile") }
}

/// Looks again and again.
pub(crate) struct Peak {
    most: Arc<AtomicU64>,
    stop: Arc<AtomicBool>,
    thread: JoinHandle<()>,
}

impl Peak {
    pub(crate) fn watch() -> Self {
        let (most, stop) = (Arc::new(AtomicU64::new(now().own)), Arc::new(AtomicBool::new(false)));
        let thread = thread::spawn({
            let (most, stop) = (most.clone(), stop.clone());
            move || {
                while !stop.load(Ordering::Relaxed) {
                    most.fetch_max(now().own, Ordering::Relaxed);
                    thread::sleep(Duration::from_millis(10));
                }
            }
        });
        Self { most, stop, thread }
    }

    /// The most that the process had made.
    pub(crate) fn end(self) -> u64 {
        self.stop.store(true, Ordering::Relaxed);
        let _ = self.thread.join();
        self.most.load(Ordering::Relaxed)
    }
}
