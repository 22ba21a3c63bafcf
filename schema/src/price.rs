//! The price of tokens.

use crate::Usage;

/// What a million tokens cost, in millionths of a US dollar.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Price {
    /// Input that was not served from the provider's cache.
    pub input_microusd_per_million: u64,
    /// Input that the provider served from its prefix cache.
    pub cached_microusd_per_million: u64,
    /// Output, in millionths of a US dollar for a million tokens.
    pub output_microusd_per_million: u64,
}

impl Price {
    /// The cost of a usage in millionths of a US dollar. The parts are added exactly and the sum is
    /// rounded up once, so that nothing that was used is booked as free. Input that was written to
    /// the provider's cache counts as input that was not cached.
    #[must_use]
    pub fn cost_microusd(&self, usage: &Usage) -> u64 {
        let cached = usage.cached_tokens.min(usage.input_tokens);
        let part = |tokens: u64, per_million: u64| u128::from(tokens) * u128::from(per_million);
        let sum = part(usage.input_tokens - cached, self.input_microusd_per_million)
            .saturating_add(part(cached, self.cached_microusd_per_million))
            .saturating_add(part(usage.output_tokens, self.output_microusd_per_million));
        u64::try_from(sum.div_ceil(1_000_000)).unwrap_or(u64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cost_is_exact_and_rounds_up_once() {
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
        for (usage, cost) in [
            (usage(0, 0, 0), 0),
            (usage(1000, 0, 100), 2_800),
            (usage(1000, 800, 100), 1_600),
            (usage(1, 1, 0), 1), // half a micro-dollar
            (usage(3, 3, 0), 2), // one and a half: rounded once, not three times
            (usage(1, 9, 0), 1), // a provider that counts cached tokens apart does not go below zero
            (usage(u64::MAX, 0, u64::MAX), u64::MAX),
        ] {
            assert_eq!(price.cost_microusd(&usage), cost, "{usage:?}");
        }
    }
}
