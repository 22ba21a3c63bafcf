//! Tokens: an estimate for streams that brought no count.

use super::Prompt;

/// Tokens that framing adds to each line of a prompt, in the usual chat templates.
const TOKENS_PER_LINE: u64 = 4;

/// About how many tokens a text has, without a tokenizer.
///
/// Common tokenizers spend one token on about four ASCII characters of prose, about two letters
/// of other alphabets, and one or more on each CJK character or emoji. This is a rule of thumb,
/// worst for code and long numbers: good enough to book a cancelled turn, which is then marked as
/// estimated, and for nothing finer.
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
}
