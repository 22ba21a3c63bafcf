//! Tokens and money: an estimate for streams that brought no count, and cost in whole numbers.

use schema::Usage;

use super::{Price, Prompt};

/// Tokens that framing adds to each line of a prompt, in the usual chat templates.
const TOKENS_PER_LINE: u64 = 4;

/// About how many tokens a text has, without a tokenizer.
///
/// Common tokenizers spend one token on about four ASCII characters of prose, about two letters
/// of other alphabets, and one or more on each CJK character or emoji. Measured against real
/// counts this is within a third for prose, and rather too high than too low for short texts:
/// good enough to book a cancelled turn, which is then marked as estimated.
#[must_use]
pub fn estimate_tokens(text: &str) -> u64 {
    let mut quarters: u64 = 0;
    for c in text.chars() {
        quarters += match c as u32 {
            ..0x80 => 1,
            0x80..0x2E80 => 2,
            _ => 4,
        };
    }
    quarters.div_ceil(4)
}

/// About how many tokens a prompt has, its framing included.
#[must_use]
pub fn estimate_prompt_tokens(prompt: &Prompt) -> u64 {
    let lines = prompt.lines.iter().map(|line| estimate_tokens(line.text.as_str()) + TOKENS_PER_LINE).sum::<u64>();
    estimate_tokens(&prompt.system) + TOKENS_PER_LINE + lines
}

/// What tokens cost, in millionths of a US dollar. The parts are added exactly and the sum is
/// rounded up once, so that nothing that was used is booked as free. Input that was written to
/// the provider's cache counts as input that was not cached.
#[must_use]
pub fn cost_microusd(price: Price, usage: Usage) -> u64 {
    let cached = usage.cached_tokens.min(usage.input_tokens);
    let part = |tokens: u64, per_million: u64| u128::from(tokens) * u128::from(per_million);
    let sum = part(usage.input_tokens - cached, price.input_microusd_per_million)
        .saturating_add(part(cached, price.cached_microusd_per_million))
        .saturating_add(part(usage.output_tokens, price.output_microusd_per_million));
    u64::try_from(sum.div_ceil(1_000_000)).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn estimates_follow_the_script() {
        for (text, tokens) in
            [("", 0), ("a", 1), ("four", 1), ("The quick brown fox.", 5), ("Привет", 3), ("こんにちは", 5), ("🙂", 1)]
        {
            assert_eq!(estimate_tokens(text), tokens, "{text}");
        }
    }

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
        for (used, cost) in [
            (usage(0, 0, 0), 0),
            (usage(1000, 0, 100), 2_800),
            (usage(1000, 800, 100), 1_600),
            (usage(1, 1, 0), 1), // half a micro-dollar
            (usage(3, 3, 0), 2), // one and a half: rounded once, not three times
            (usage(1, 9, 0), 1), // a provider that counts cached tokens apart does not go below zero
            (usage(u64::MAX, 0, u64::MAX), u64::MAX),
        ] {
            assert_eq!(cost_microusd(price, used), cost, "{used:?}");
        }
    }
}
