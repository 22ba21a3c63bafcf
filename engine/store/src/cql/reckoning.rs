//! What time it is where many nodes have to agree on it: by the machine's clock, or by the cluster's where that is off.
//! Invariant: whoever sets the machine's clock, forwards or back, is not believed at all, not even until the next
//! reading: what is due in an hour does not come to pass now, and nothing that is over comes back.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};
use schema::Timestamp;
use scylla::value::CqlTimeuuid;
use tokio::time::{MissedTickBehavior, interval};
use uuid::{NoContext, Uuid};

use super::clock;
use super::core::Core;
use super::failure::odd;
use crate::StoreError;
use crate::metrics::CQL_CLOCK_AHEAD_SECONDS;

/// So far may the machine's clock be from the cluster's and still count, as it is the finer one.
const OFF: Duration = Duration::from_secs(5);
/// Readings that are remembered: more than half of them have to agree, as one host of the cluster may be off itself.
const READINGS: usize = 5;
/// A reading that took longer says too little.
const READ_WITHIN: Duration = Duration::from_secs(2);
/// Between two readings.
const EVERY: Duration = Duration::from_secs(5);

/// A node's time, which is that of its cluster.
///
/// Readings of the cluster's time are kept as distances from a clock of this machine that nobody can set. The machine's
/// own clock is what is told for as long as it is near to what they say; else they are.
#[derive(Debug, Default)]
pub struct StoreClock(Mutex<Reckoning>);

/// The time that is reckoned from readings. No I/O and no clock of its own.
#[derive(Debug, Default)]
struct Reckoning {
    /// The cluster's time less the steady clock's, in milliseconds, oldest first.
    readings: VecDeque<i64>,
}

impl Reckoning {
    /// The cluster has told its time between two moments of the steady clock.
    fn read(&mut self, begun: Duration, cluster: Timestamp, ended: Duration) {
        let took = ended.saturating_sub(begun);
        if took > READ_WITHIN {
            return;
        }
        if self.readings.len() >= READINGS {
            self.readings.pop_front();
        }
        self.readings.push_back(cluster.as_millis().saturating_sub(millis(begun + took / 2)));
    }

    /// The cluster's time as its readings have it: the middle one of them, and the earlier one of two.
    fn cluster(&self, steady: Duration) -> Option<Timestamp> {
        let mut readings: Vec<i64> = self.readings.iter().copied().collect();
        readings.sort_unstable();
        let middle = *readings.get(readings.len().checked_sub(1)? / 2)?;
        Some(Timestamp::from_millis(millis(steady).saturating_add(middle)))
    }

    /// How far the machine's clock is ahead, in milliseconds; none before the first reading.
    fn ahead(&self, steady: Duration, machine: Timestamp) -> Option<i64> {
        Some(machine.as_millis().saturating_sub(self.cluster(steady)?.as_millis()))
    }

    fn now(&self, steady: Duration, machine: Timestamp) -> Timestamp {
        match self.ahead(steady, machine) {
            Some(ahead) if is_off(ahead) => Timestamp::from_millis(machine.as_millis().saturating_sub(ahead)),
            _ => machine,
        }
    }
}

impl StoreClock {
    /// The time now, in milliseconds since 1970, as all nodes of the cluster have it within some seconds.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.reckoning().now(steady(), clock::now())
    }

    /// A new name that has the time in it.
    pub(super) fn draw(&self) -> Uuid {
        let millis = u64::try_from(self.now().as_millis()).unwrap_or_default();
        let nanos = (millis % 1_000) * 1_000_000;
        Uuid::new_v7(uuid::Timestamp::from_unix(NoContext, millis / 1_000, u32::try_from(nanos).unwrap_or_default()))
    }

    fn reckoning(&self) -> MutexGuard<'_, Reckoning> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Core {
    /// Asks a host of the cluster what time it is.
    pub(super) async fn read_clock(&self) -> Result<(), StoreError> {
        let begun = steady();
        let (drawn,) = self.link.one(&self.statements.time, ()).await?.ok_or_else(|| odd("the time"))?;
        let since = drawn_at(drawn).ok_or_else(|| odd("the time"))?;
        self.clock.reckoning().read(begun, since, steady());
        Ok(())
    }
}

/// Reads the cluster's time for as long as the store is open, and says so when the machine's is another one.
pub(super) async fn follow(core: Arc<Core>) {
    let mut ticks = interval(EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut was_off = false;
    loop {
        ticks.tick().await;
        if let Err(error) = core.read_clock().await {
            tracing::debug!(%error, "the cluster's time could not be read; it is tried again");
        }
        let Some(ahead) = core.clock.reckoning().ahead(steady(), clock::now()) else { continue };
        let seconds = ahead / 1_000;
        #[allow(clippy::cast_precision_loss, reason = "no clock is off by so much")]
        metrics::gauge!(CQL_CLOCK_AHEAD_SECONDS).set(ahead as f64 / 1_000.0);
        match (std::mem::replace(&mut was_off, is_off(ahead)), was_off) {
            (false, true) => tracing::error!(
                seconds,
                "this machine's clock is ahead of the cluster's, or behind it where that is negative: set it; until then \
                 this node goes by the cluster's"
            ),
            (true, false) => tracing::info!("this machine's clock is right again"),
            _ => {}
        }
    }
}

fn is_off(ahead: i64) -> bool {
    u128::from(ahead.unsigned_abs()) > OFF.as_millis()
}

fn millis(time: Duration) -> i64 {
    i64::try_from(time.as_millis()).unwrap_or(i64::MAX)
}

/// When a time-based UUID was drawn.
fn drawn_at(drawn: CqlTimeuuid) -> Option<Timestamp> {
    let (seconds, nanos) = Uuid::from(drawn).get_timestamp()?.to_unix();
    Some(Timestamp::from_millis(millis(Duration::new(seconds, nanos))))
}

/// A clock that nobody can set, and that goes on while the machine is suspended where the system has such a one.
fn steady() -> Duration {
    #[cfg(target_os = "linux")]
    let clock = ClockId::Boottime;
    #[cfg(not(target_os = "linux"))]
    let clock = ClockId::Monotonic;
    let time = clock_gettime(clock);
    Duration::new(u64::try_from(time.tv_sec).unwrap_or_default(), u32::try_from(time.tv_nsec).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: i64 = 3_600_000;
    const BASE: i64 = 1_700_000_000_000;

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_millis(BASE + millis)
    }

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    /// One that has read a cluster whose hosts are off by so much, a second apart, from one second on.
    fn having_read(off: &[i64]) -> Reckoning {
        let mut reckoning = Reckoning::default();
        for (n, off) in (1..).zip(off) {
            let begun = seconds(n);
            reckoning.read(begun, at(millis(begun) + 10 + off), begun + Duration::from_millis(20));
        }
        reckoning
    }

    #[test]
    fn the_machines_clock_counts_while_it_is_near() {
        for (off, machine, expected) in [
            // Nothing is known yet.
            (&[][..], 9_000 + HOUR, 9_000 + HOUR),
            (&[0], 9_004, 9_004),
            (&[0, 0, 0], 9_000 + 4_999, 9_000 + 4_999),
            (&[0, 0, 0], 9_000 - 5_000, 9_000 - 5_000),
            (&[0, 0, 0], 9_000 + 5_001, 9_000),
            (&[0, 0, 0], 9_000 + HOUR, 9_000),
            (&[0, 0, 0], 9_000 - HOUR, 9_000),
            (&[0], 9_000 + HOUR, 9_000),
            // One host of the cluster is off.
            (&[0, HOUR, 0], 9_000, 9_000),
            (&[0, HOUR, HOUR, 0, 0], 9_000, 9_000),
            (&[HOUR, 0], 9_000, 9_000),
            (&[0, HOUR], 9_000, 9_000),
            // All of them have another time than this machine, and agree.
            (&[HOUR, HOUR, HOUR], 9_000, 9_000 + HOUR),
            // The cluster was set right: what was read before that is forgotten.
            (&[HOUR, HOUR, HOUR, HOUR, HOUR, 0, 0, 0], 9_000, 9_000),
        ] {
            assert_eq!(having_read(off).now(seconds(9), at(machine)), at(expected), "{off:?} {machine}");
        }
    }

    #[test]
    fn time_goes_on_between_readings_whatever_is_set() {
        let reckoning = having_read(&[0]);
        let mut before = reckoning.now(seconds(1), at(1_000));
        for second in 2..600_u64 {
            let set = if second % 7 < 3 { HOUR } else { -HOUR };
            let now = reckoning.now(seconds(second), at(millis(seconds(second)) + set));
            assert_eq!(now.since(before), seconds(1), "{second}");
            before = now;
        }
    }

    #[test]
    fn an_answer_that_was_slow_says_nothing() {
        let mut reckoning = Reckoning::default();
        reckoning.read(seconds(1), at(HOUR), seconds(4));
        assert_eq!(reckoning.now(seconds(5), at(5_000)), at(5_000));
    }

    #[test]
    fn a_time_is_read_out_of_what_was_drawn_at_it() {
        // The epoch of such UUIDs is 1582-10-15; this is that of Unix times.
        let drawn: Uuid = "13814000-1dd2-11b2-8000-000000000000".parse().unwrap();
        assert_eq!(drawn_at(CqlTimeuuid::from(drawn)), Some(Timestamp::from_millis(0)));
        assert_eq!(drawn_at(CqlTimeuuid::from(Uuid::nil())), None);
    }
}
