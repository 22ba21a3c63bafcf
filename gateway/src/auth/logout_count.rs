//! A tenant's clock of log-outs: what came before what, whatever the time of day is said to be.
//! Invariant: what the count cannot place came before every log-out.

use schema::SessionId;
use serde::{Deserialize, Serialize};

use super::records::FORMAT;

/// So many runs are told apart; what was made in an earlier one is ended by any log-out of whom it was made for.
const RUNS_MAX: usize = 512;

/// One life of a program that counts, drawn when it starts: what two lives count from the same backup is told apart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct Run(u64);

impl Run {
    pub(super) fn draw() -> Self {
        // The half of an id that is all chance; 0 is no such half.
        let [.., a, b, c, d, e, f, g, h] = *SessionId::generate().as_bytes();
        Self(u64::from_be_bytes([a, b, c, d, e, f, g, h]))
    }
}

/// How many log-outs a tenant has had, and in which run the last one was counted. What is made says at which number it
/// was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Written", into = "Written")]
pub struct LogoutNumber {
    pub(super) number: u64,
    pub(super) run: Run,
}

#[cfg(test)]
impl LogoutNumber {
    /// One that takes the most room.
    pub(super) const LONGEST: Self = Self { number: u64::MAX, run: Run(u64::MAX) };
}

/// A [`LogoutNumber`] as it is stored and sealed.
#[derive(Clone, Copy, Serialize, Deserialize)]
#[serde(untagged)]
enum Written {
    /// Before the first log-out, and by programs that did not tell runs apart.
    Number(u64),
    InRun(u64, Run),
}

impl From<Written> for LogoutNumber {
    fn from(written: Written) -> Self {
        match written {
            Written::Number(number) => Self { number, run: Run::default() },
            Written::InRun(number, run) => Self { number, run },
        }
    }
}

impl From<LogoutNumber> for Written {
    fn from(LogoutNumber { number, run }: LogoutNumber) -> Self {
        if run == Run::default() { Self::Number(number) } else { Self::InRun(number, run) }
    }
}

/// A tenant's count, as stored.
///
/// A log-out raises it by one. A number alone does not say what came before what: after a restore of older data the
/// count goes through the same numbers again, while what was made in between still shows its own. So each run marks
/// the numbers that it counted, and a number is *of this count* if the run that it shows has counted it here. What
/// shows another one is from a future that was taken back, or from a run long forgotten: no log-out is known to have
/// come before it, so that each one ends it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Count {
    format: u32,
    number: u64,
    /// The runs with their first numbers, oldest first; none before the first log-out, and by programs that did not
    /// tell runs apart.
    #[serde(default)]
    runs: Vec<(Run, u64)>,
}

impl Default for Count {
    fn default() -> Self {
        Self { format: FORMAT, number: 0, runs: Vec::new() }
    }
}

impl Count {
    /// Where it stands.
    pub(super) fn now(&self) -> LogoutNumber {
        LogoutNumber { number: self.number, run: self.runs.last().map_or_else(Run::default, |(run, _)| *run) }
    }

    /// After one more log-out, counted in the run of the last one.
    pub(super) fn next(self) -> Self {
        let run = self.now().run;
        self.next_in(run)
    }

    /// After one more log-out, counted in `run`.
    pub(super) fn next_in(mut self, run: Run) -> Self {
        if self.runs.is_empty() {
            self.runs.push((Run::default(), 0));
        }
        self.number = self.number.saturating_add(1);
        if self.now().run != run {
            self.runs.push((run, self.number));
        }
        let forgotten = self.runs.len().saturating_sub(RUNS_MAX);
        self.runs.drain(..forgotten);
        self
    }

    /// Whether the number is of this count.
    pub(super) fn has(&self, shown: LogoutNumber) -> bool {
        let runs = if self.runs.is_empty() { &[(Run::default(), 0)][..] } else { &self.runs };
        let ends = runs.iter().skip(1).map(|(_, next)| next.saturating_sub(1)).chain([self.number]);
        runs.iter().zip(ends).any(|((run, first), last)| *run == shown.run && (*first..=last).contains(&shown.number))
    }

    /// Whether a log-out with this number came at least `many` before the newest.
    pub(super) const fn is_past(&self, number: u64, many: u64) -> bool {
        number.saturating_add(many) <= self.number
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(number: u64, run: u64) -> LogoutNumber {
        LogoutNumber { number, run: Run(run) }
    }

    #[test]
    fn a_number_is_of_the_count_whose_run_has_counted_it() {
        let backup = (0..3).fold(Count::default(), |count, _| count.next_in(Run(7)));
        let taken_back = (0..4).fold(backup.clone(), |count, _| count.next_in(Run(8)));
        let restored = (0..9).fold(backup.clone(), |count, _| count.next_in(Run(9)));
        for (what, count, has, has_not) in [
            ("none yet", Count::default(), vec![at(0, 0)], vec![at(1, 0), at(0, 7), at(1, 7)]),
            ("the backup", backup, vec![at(0, 0), at(1, 7), at(3, 7)], vec![at(1, 0), at(0, 7), at(4, 7), at(4, 8)]),
            ("what came", taken_back.clone(), vec![at(0, 0), at(3, 7), at(4, 8), at(7, 8)], vec![at(4, 7), at(3, 8)]),
            ("what came anew", restored, vec![at(0, 0), at(3, 7), at(4, 9), at(12, 9)], vec![at(4, 7), at(5, 8)]),
        ] {
            assert!(count.has(count.now()), "{what}");
            for number in has {
                assert!(count.has(number), "{what} {number:?}");
            }
            for number in has_not {
                assert!(!count.has(number), "{what} {number:?}");
            }
        }
        // The oldest runs are forgotten, never more than the bound.
        let count = (10..10 + 2 * RUNS_MAX as u64).fold(taken_back, |count, run| count.next_in(Run(run)));
        assert_eq!((count.runs.len(), count.has(at(7, 8)), count.has(count.now())), (RUNS_MAX, false, true));
    }

    #[test]
    fn what_earlier_programs_counted_is_of_the_count() {
        let count: Count = serde_json::from_str(r#"{"format":1,"number":5}"#).unwrap();
        assert_eq!(serde_json::from_str::<LogoutNumber>("5").unwrap(), count.now());
        let next = count.clone().next_in(Run(7));
        for (number, of_both, of_next) in [(at(0, 0), true, true), (at(5, 0), true, true), (at(6, 0), false, false)] {
            assert_eq!((count.has(number), next.has(number)), (of_both, of_next), "{number:?}");
        }
        assert_eq!((next.now(), next.has(at(6, 7)), next.has(at(5, 7))), (at(6, 7), true, false));
        let stored = serde_json::to_string(&next).unwrap();
        assert_eq!(stored, r#"{"format":1,"number":6,"runs":[[0,0],[7,6]]}"#);
        assert_eq!(serde_json::from_str::<Count>(&stored).unwrap(), next);
        for (number, written) in [(at(5, 0), "5"), (at(6, 7), "[6,7]"), (at(u64::MAX, u64::MAX), "")] {
            let text = serde_json::to_string(&number).unwrap();
            assert!(written.is_empty() || text == written, "{text}");
            assert_eq!(serde_json::from_str::<LogoutNumber>(&text).unwrap(), number);
        }
        assert_ne!(Run::draw(), Run::draw());
    }
}
