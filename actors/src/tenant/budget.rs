//! A tenant's allowance of tokens for a day. Pure: the day comes in as an argument.

use std::time::Duration;

use schema::{Timestamp, Usage};

use super::day::Day;

/// What was used of a day's allowance.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Budget {
    pub(super) day: Day,
    pub(super) tokens: u64,
    pub(super) turns: u64,
    pub(super) cost_microusd: u64,
}

impl Budget {
    /// Whether another turn may begin under an allowance of `tokens_per_day` (0: no bound). If
    /// not, how long until the next day begins.
    pub(super) fn allows(&mut self, tokens_per_day: u64, now: Timestamp) -> Result<(), Duration> {
        self.turn_to(now);
        if tokens_per_day == 0 || self.tokens < tokens_per_day {
            return Ok(());
        }
        Err(self.day.left(now))
    }

    /// Books what a turn has used.
    pub(super) fn spend(&mut self, usage: &Usage, cost_microusd: Option<u64>, now: Timestamp) {
        self.turn_to(now);
        self.tokens = self.tokens.saturating_add(usage.input_tokens).saturating_add(usage.output_tokens);
        self.turns += 1;
        self.cost_microusd = self.cost_microusd.saturating_add(cost_microusd.unwrap_or_default());
    }

    /// What was used on the day of `now`.
    pub(super) fn on(mut self, now: Timestamp) -> Self {
        self.turn_to(now);
        self
    }

    fn turn_to(&mut self, now: Timestamp) {
        let day = Day::of(now);
        if day != self.day {
            *self = Self { day, ..Self::default() };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_has_its_allowance_and_the_next_has_it_anew() {
        const DAY_MS: i64 = 24 * 3_600_000;
        let mut budget = Budget::default();
        let noon = Timestamp::from_millis(DAY_MS * 100 + DAY_MS / 2);
        let usage = Usage { input_tokens: 60, output_tokens: 40, ..Usage::default() };
        assert_eq!(budget.allows(100, noon), Ok(()));
        budget.spend(&usage, Some(7), noon);
        assert_eq!(budget.allows(0, noon), Ok(()), "no bound");
        assert_eq!(budget.allows(100, noon), Err(Duration::from_secs(12 * 3_600)));
        assert_eq!((budget.tokens, budget.turns, budget.cost_microusd), (100, 1, 7));
        let tomorrow = Timestamp::from_millis(DAY_MS * 101);
        assert_eq!(budget.on(tomorrow).tokens, 0);
        assert_eq!(budget.allows(100, tomorrow), Ok(()));
        assert_eq!(budget.tokens, 0);
    }
}
