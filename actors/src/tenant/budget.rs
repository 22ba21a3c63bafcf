//! A tenant's allowance of tokens for a day. Pure: the day comes in as an argument.

use schema::{Timestamp, Usage};

const DAY_MS: i64 = 24 * 60 * 60 * 1000;

/// What was used of a day's allowance.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Budget {
    day: i64,
    pub(super) tokens: u64,
    pub(super) turns: u64,
    pub(super) cost_microusd: u64,
}

impl Budget {
    /// Whether another turn may begin under an allowance of `tokens_per_day` (0: no bound). If
    /// not, in how many seconds the next day begins.
    pub(super) fn allows(&mut self, tokens_per_day: u64, now: Timestamp) -> Result<(), u64> {
        self.turn_to(now);
        if tokens_per_day == 0 || self.tokens < tokens_per_day {
            return Ok(());
        }
        let next_day = (self.day + 1) * DAY_MS;
        Err(u64::try_from((next_day - now.as_millis()) / 1000 + 1).unwrap_or(1))
    }

    /// Books what a turn has used.
    pub(super) fn spend(&mut self, usage: &Usage, cost_microusd: Option<u64>, now: Timestamp) {
        self.turn_to(now);
        self.tokens = self.tokens.saturating_add(usage.input_tokens).saturating_add(usage.output_tokens);
        self.turns += 1;
        self.cost_microusd = self.cost_microusd.saturating_add(cost_microusd.unwrap_or_default());
    }

    fn turn_to(&mut self, now: Timestamp) {
        let day = now.as_millis().div_euclid(DAY_MS);
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
        let mut budget = Budget::default();
        let noon = Timestamp::from_millis(DAY_MS * 100 + DAY_MS / 2);
        let usage = Usage { input_tokens: 60, output_tokens: 40, ..Usage::default() };
        assert_eq!(budget.allows(100, noon), Ok(()));
        budget.spend(&usage, Some(7), noon);
        assert_eq!(budget.allows(0, noon), Ok(()), "no bound");
        assert_eq!(budget.allows(100, noon), Err(DAY_MS.unsigned_abs() / 2000 + 1));
        assert_eq!((budget.tokens, budget.turns, budget.cost_microusd), (100, 1, 7));
        let tomorrow = Timestamp::from_millis(DAY_MS * 101);
        assert_eq!(budget.allows(100, tomorrow), Ok(()));
        assert_eq!(budget.tokens, 0);
    }
}
