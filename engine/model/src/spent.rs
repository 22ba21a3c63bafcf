//! What a turn has used, as its attempts add up.

use schema::Usage;

/// Tokens and money of a turn, all attempts together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Spent {
    /// The providers' counts, or estimates where none came.
    pub usage: Usage,
    /// Millionths of a US dollar, by each model's own price; absent when none of them has one.
    pub cost_microusd: Option<u64>,
}

impl Spent {
    pub(super) fn add(&mut self, other: Self) {
        let sum = &mut self.usage;
        sum.input_tokens = sum.input_tokens.saturating_add(other.usage.input_tokens);
        sum.output_tokens = sum.output_tokens.saturating_add(other.usage.output_tokens);
        sum.cached_tokens = sum.cached_tokens.saturating_add(other.usage.cached_tokens);
        sum.cache_write_tokens = sum.cache_write_tokens.saturating_add(other.usage.cache_write_tokens);
        sum.estimated |= other.usage.estimated;
        self.cost_microusd = match (self.cost_microusd, other.cost_microusd) {
            (Some(a), Some(b)) => Some(a.saturating_add(b)),
            (a, b) => a.or(b),
        };
    }
}
