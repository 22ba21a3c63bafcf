//! Percentiles of many values, and the spread of a few repetitions.

use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};

/// Longest time that is told apart, in nanoseconds.
const HIGHEST_NS: u64 = 120 * crate::clock::SECOND;

/// Many durations, to three digits.
#[derive(Clone, Debug)]
pub struct Durations(Histogram<u64>);

/// A distribution of durations, in microseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Percentiles {
    /// How many there were.
    pub count: u64,
    /// Half were at most this.
    pub p50_us: f64,
    /// 99 in 100 were at most this.
    pub p99_us: f64,
    /// 999 in 1,000 were at most this.
    pub p999_us: f64,
    /// The longest.
    pub max_us: f64,
}

/// The same figure from several windows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Spread {
    /// The smallest.
    pub min: f64,
    /// The middle one.
    pub median: f64,
    /// The largest.
    pub max: f64,
}

impl Durations {
    /// None yet.
    ///
    /// # Errors
    /// The histogram cannot be made; its bounds are constants, so this does not happen.
    pub fn new() -> anyhow::Result<Self> {
        Ok(Self(Histogram::new_with_bounds(1, HIGHEST_NS, 3)?))
    }

    /// Counts one duration in nanoseconds; longer ones than two minutes count as two minutes.
    pub fn record(&mut self, ns: u64) {
        self.0.saturating_record(ns.max(1));
    }

    /// Counts all of `other` too.
    ///
    /// # Errors
    /// The two have different bounds; all of ours have the same.
    pub fn merge(&mut self, other: &Self) -> anyhow::Result<()> {
        Ok(self.0.add(&other.0)?)
    }

    /// The distribution.
    #[must_use]
    pub fn percentiles(&self) -> Percentiles {
        let at = |quantile| if self.0.is_empty() { 0.0 } else { self.0.value_at_quantile(quantile) as f64 / 1e3 };
        Percentiles { count: self.0.len(), p50_us: at(0.5), p99_us: at(0.99), p999_us: at(0.999), max_us: at(1.0) }
    }
}

impl Spread {
    /// Of the given figures; zeros when there are none.
    #[must_use]
    pub fn of(figures: impl IntoIterator<Item = f64>) -> Self {
        let mut figures: Vec<f64> = figures.into_iter().collect();
        figures.sort_by(f64::total_cmp);
        let (Some(&min), Some(&max)) = (figures.first(), figures.last()) else { return Self::default() };
        let middle = figures.len() / 2;
        let median = match figures.len() % 2 {
            0 => f64::midpoint(figures[middle - 1], figures[middle]),
            _ => figures[middle],
        };
        Self { min, median, max }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_of_a_known_series() {
        let mut durations = Durations::new().unwrap();
        for us in 1..=1_000_u64 {
            durations.record(us * 1_000);
        }
        let found = durations.percentiles();
        for (what, found, expected) in [
            ("p50", found.p50_us, 500.0),
            ("p99", found.p99_us, 990.0),
            ("p99.9", found.p999_us, 999.0),
            ("max", found.max_us, 1_000.0),
        ] {
            assert!((found - expected).abs() <= expected / 500.0, "{what}: {found} for {expected}");
        }
        assert_eq!(found.count, 1_000);
    }

    #[test]
    fn one_slow_one_in_a_thousand_shows_in_the_tail_only() {
        let mut durations = Durations::new().unwrap();
        (0..998).for_each(|_| durations.record(10_000));
        (0..2).for_each(|_| durations.record(90_000_000));
        let found = durations.percentiles();
        assert!(found.p99_us < 11.0 && found.p999_us > 80_000.0, "{found:?}");
        assert_eq!(Durations::new().unwrap().percentiles(), Percentiles::default());
    }

    #[test]
    fn merged_durations_are_all_there() {
        let (mut a, mut b) = (Durations::new().unwrap(), Durations::new().unwrap());
        a.record(1_000);
        b.record(HIGHEST_NS * 2);
        a.merge(&b).unwrap();
        let found = a.percentiles();
        assert_eq!(found.count, 2);
        assert!(found.max_us >= 119e6, "{found:?}");
    }

    #[test]
    fn a_spread_sorts_first() {
        assert_eq!(Spread::of([3.0, 1.0, 2.0]), Spread { min: 1.0, median: 2.0, max: 3.0 });
        assert_eq!(Spread::of([4.0, 1.0]), Spread { min: 1.0, median: 2.5, max: 4.0 });
        assert_eq!(Spread::of([]), Spread::default());
    }
}
