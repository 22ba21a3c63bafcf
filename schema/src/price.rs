//! What tokens cost.

use crate::Usage;

/// What a million tokens cost, in millionths of a US dollar.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Price {
    /// Input that was not served from the provider's cache.
    pub input_microusd_per_million: u64,
    /// Input that was.
    pub cached_microusd_per_million: u64,
    /// Output.
    pub output_microusd_per_million: u64,
}

impl Price {
    /// The cost of a usage in millionths of a US dollar, rounded to the nearest.
    #[must_use]
    pub fn cost_microusd(&self, usage: &Usage) -> u64 {
        let fresh = u128::from(usage.input_tokens.saturating_sub(usage.cached_tokens));
        let cached = u128::from(usage.cached_tokens.min(usage.input_tokens));
        let total = fresh * u128::from(self.input_microusd_per_million)
            + cached * u128::from(self.cached_microusd_per_million)
            + u128::from(usage.output_tokens) * u128::from(self.output_microusd_per_million);
        u64::try_from((total + 500_000) / 1_000_000).unwrap_or(u64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cached_input_has_its_own_price_and_halves_round_up() {
        let price = Price {
            input_microusd_per_million: 2_000_000,
            cached_microusd_per_million: 500_000,
            output_microusd_per_million: 8_000_000,
        };
        let usage = |input_tokens, cached_tokens, output_tokens| Usage {
            input_tokens,
            cached_tokens,
            output_tokens,
            ..Usage::default()
        };
        for (usage, cost) in
            [(usage(0, 0, 0), 0), (usage(100, 0, 10), 280), (usage(100, 80, 10), 160), (usage(1, 1, 0), 1)]
        {
            assert_eq!(price.cost_microusd(&usage), cost, "{usage:?}");
        }
    }
}
