//! The machine's monotonic clock in nanoseconds: every process on it reads the same one.

use std::num::NonZeroU64;

use rustix::time::{ClockId, clock_gettime};

/// Nanoseconds in a second.
pub const SECOND: u64 = 1_000_000_000;

/// Now, in nanoseconds since an arbitrary moment that all processes of this machine share.
#[must_use]
pub fn now() -> u64 {
    let time = clock_gettime(ClockId::Monotonic);
    u64::try_from(time.tv_sec).unwrap_or_default() * SECOND + u64::try_from(time.tv_nsec).unwrap_or_default()
}

/// Lets the calling thread's sleeps end on time. Linux otherwise joins wake-ups within 50 µs,
/// which is as long as what is measured here. Where it cannot be had, sleeps are merely late,
/// and lateness is reported.
pub fn sharpen_sleeps() {
    let _ = rustix::thread::set_current_timer_slack(NonZeroU64::new(1));
}

/// Waits until `at` on this clock.
pub async fn until(at: u64) {
    let wait = at.saturating_sub(now());
    tokio::time::sleep(std::time::Duration::from_nanos(wait)).await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_never_goes_back() {
        let mut last = now();
        for _ in 0..10_000 {
            let next = now();
            assert!(next >= last);
            last = next;
        }
    }
}
