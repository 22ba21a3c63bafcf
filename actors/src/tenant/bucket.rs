//! A rate: so many in a period, and as many at once. Pure: the moment comes as an argument, and one number is all
//! that is kept, so that a plan's change holds at once and a visitor costs little.
//! It is the generic cell rate algorithm (ITU-T I.371).

use std::num::NonZeroU32;
use std::time::Duration;

use schema::Timestamp;

/// When the last of what was taken has flowed in again, in microseconds since 1970.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Bucket {
    full_at: i64,
}

/// How fast a bucket fills, and how much it holds.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rate {
    /// So many …
    pub(super) count: NonZeroU32,
    /// … in this while.
    pub(super) per: Duration,
}

impl Rate {
    fn per_micros(self) -> i64 {
        i64::try_from(self.per.as_micros()).unwrap_or(i64::MAX)
    }

    /// The while in which one flows in.
    fn each(self) -> i64 {
        self.per_micros() / i64::from(self.count.get())
    }
}

impl Bucket {
    /// Takes one out, or says how long there will be none.
    pub(super) fn take(&mut self, rate: Rate, now: Timestamp) -> Result<(), Duration> {
        let now = now.as_millis().saturating_mul(1000);
        let (per, each) = (rate.per_micros(), rate.each());
        // A clock that was set back, or a plan that was slower, must not keep anybody out for longer than
        // an empty bucket would.
        let full_at = self.full_at.clamp(now, now.saturating_add(per));
        let wait = full_at - now - (per - each);
        if wait > 0 {
            return Err(Duration::from_micros(wait.unsigned_abs()));
        }
        self.full_at = full_at + each;
        Ok(())
    }

    /// Puts one back that was taken and not used.
    pub(super) fn give_back(&mut self, rate: Rate) {
        self.full_at = self.full_at.saturating_sub(rate.each());
    }

    /// Whether it holds as much as it can.
    pub(super) const fn is_full(&self, now: Timestamp) -> bool {
        self.full_at <= now.as_millis().saturating_mul(1000)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rate(count: u32, seconds: u64) -> Rate {
        Rate { count: NonZeroU32::new(count).unwrap(), per: Duration::from_secs(seconds) }
    }

    #[test]
    fn it_gives_what_it_holds_and_then_what_flows_in() {
        let at = |millis: i64| Timestamp::from_millis(1_700_000_000_000 + millis);
        let mut bucket = Bucket::default();
        let six = rate(6, 60);
        assert!(bucket.is_full(at(0)));
        for n in 0..6 {
            assert_eq!(bucket.take(six, at(0)), Ok(()), "{n}");
        }
        assert_eq!(bucket.take(six, at(0)), Err(Duration::from_secs(10)));
        bucket.give_back(six);
        assert_eq!(bucket.take(six, at(0)), Ok(()));
        assert_eq!(bucket.take(six, at(0)), Err(Duration::from_secs(10)));
        assert_eq!(bucket.take(six, at(9_000)), Err(Duration::from_secs(1)));
        assert_eq!(bucket.take(six, at(10_000)), Ok(()));
        assert_eq!(bucket.take(six, at(10_000)), Err(Duration::from_secs(10)));
        assert!(!bucket.is_full(at(69_999)) && bucket.is_full(at(70_000)));
        let taken = (0..100_000).filter(|n| bucket.take(six, at(70_000 + n * 10)).is_ok()).count();
        assert_eq!(taken, 6 + 99, "1000 s at one in 10 s, after a full bucket");
    }

    #[test]
    fn neither_a_clock_set_back_nor_another_rate_locks_anybody_out() {
        let at = |millis: i64| Timestamp::from_millis(1_700_000_000_000 + millis);
        let mut bucket = Bucket::default();
        while bucket.take(rate(2, 3_600), at(0)).is_ok() {}
        assert_eq!(bucket.take(rate(2, 60), at(0)), Err(Duration::from_secs(30)));
        assert_eq!(bucket.take(rate(2, 3_600), at(-9_000_000)), Err(Duration::from_secs(1_800)));
    }
}
