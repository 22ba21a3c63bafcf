//! The stream that is asked of the stub, carried inside the messages to the node, so that one
//! node under test serves every scenario.

use std::fmt;

use crate::token;

/// A stream to be: how many tokens, how fast, from when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Plan {
    /// How many tokens.
    pub tokens: u32,
    /// Tokens a second; 0 for as fast as the reader takes them.
    pub rate: u32,
    /// When the first one leaves, on the shared clock; 0 for at once.
    pub start_ns: u64,
}

const MARK: &str = "tertulia-load";

impl Plan {
    /// Longest plan whose reply stays inside the protocol's bound for one.
    pub const TOKENS_MAX: u32 = {
        let fit = schema::limits::REPLY_BYTES_MAX / token::CHARS;
        assert!(fit < token::TOKENS_MAX as usize, "every token has a number");
        fit as u32
    };

    /// When token `seq` should leave, in nanoseconds; the start for an unpaced stream.
    #[must_use]
    pub fn intended(&self, seq: u32) -> u64 {
        match self.rate {
            0 => self.start_ns,
            rate => self.start_ns + u64::from(seq) * crate::clock::SECOND / u64::from(rate),
        }
    }

    /// The newest plan in a model request: earlier ones are the conversation's past.
    #[must_use]
    pub fn find(request: &[u8]) -> Option<Self> {
        String::from_utf8_lossy(request).rsplit(MARK).find_map(Self::read)
    }

    fn read(text: &str) -> Option<Self> {
        let mut words = text.split_once(';')?.0.split_ascii_whitespace();
        let mut number = |name: &str| words.next()?.strip_prefix(name)?.strip_prefix('=')?.parse::<u64>().ok();
        let (tokens, rate, start_ns) = (number("tokens")?, number("rate")?, number("start")?);
        Some(Self { tokens: u32::try_from(tokens).ok()?, rate: u32::try_from(rate).ok()?, start_ns })
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{MARK} tokens={} rate={} start={};", self.tokens, self.rate, self.start_ns)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_plan_in_a_request_counts() {
        let plan = Plan { tokens: 500, rate: 50, start_ns: 123_456_789_012 };
        let old = Plan { tokens: 1, rate: 2, start_ns: 3 };
        for (request, found) in [
            (plan.to_string(), Some(plan)),
            (format!(r#"{{"messages":[{{"content":"{old}"}},{{"content":"{plan}\n\nSources: none"}}]}}"#), Some(plan)),
            (format!("{old} {plan} and what {MARK} means is another story; really"), Some(plan)),
            ("hello".into(), None),
            (format!("{MARK} tokens=1 rate=x start=0;"), None),
            (format!("{MARK} rate=1 tokens=1 start=0;"), None),
        ] {
            assert_eq!(Plan::find(request.as_bytes()), found, "{request}");
        }
    }

    #[test]
    fn tokens_are_evenly_spaced() {
        let plan = Plan { tokens: 3, rate: 50, start_ns: 1_000 };
        assert_eq!([0, 1, 2].map(|seq| plan.intended(seq)), [1_000, 20_001_000, 40_001_000]);
        assert_eq!(Plan { rate: 0, ..plan }.intended(2), 1_000);
    }
}
