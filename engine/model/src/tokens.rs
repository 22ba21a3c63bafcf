//! Tokens: an estimate for texts that nobody has counted.

use super::Prompt;

/// Tokens that framing adds to each line of a prompt, in the usual chat templates.
pub(super) const TOKENS_PER_LINE: u64 = 4;

/// About how many tokens a text has, without a tokenizer.
///
/// Common tokenizers spend one token on about four ASCII characters of prose, about two letters
/// of other alphabets, and one or more on each CJK character or emoji. This is a rule of thumb,
/// worst for code and long numbers: good enough to book a cancelled turn, which is then marked as
/// estimated, and to begin with where a prompt has to fit; a model's own counts then correct it
/// ([`Rate`](super::Rate)).
#[must_use]
pub fn estimate_tokens(text: &str) -> u64 {
    text.chars().map(quarters).sum::<u64>().div_ceil(4)
}

/// What a character costs, in quarters of a token.
pub(super) const fn quarters(c: char) -> u64 {
    match c as u32 {
        ..0x80 => 1,
        0x80..0x2E80 => 2,
        _ => 4,
    }
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
