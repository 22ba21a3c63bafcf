//! How much a model reads and writes at most, as far as it is known: by the configuration, by its server's
//! answers, by its refusals.
//! Invariant: what is learned is bounded, and a prompt that was once taken is never taken for too long.

use schema::limits::CONTEXT_TOKENS_MIN;

use super::oversize::Oversize;

/// The most that is believed: beyond it a number says no more than that there is room.
const CONTEXT_TOKENS_MAX: u64 = 1 << 32;
/// A server that says a limit of more than so many times what we think we sent speaks of something else.
const LIMIT_TIMES_MAX: u64 = 4;
/// Prompts of fewer tokens say little about how a model counts: its template's own tokens are most of it.
const COUNTED_MIN: u64 = 64;
/// Counts of less than two fifths of the estimate are not of the whole prompt: some servers leave out what they
/// had in a cache.
const COUNTED_PARTS_MIN: (u64, u64) = (2, 5);

/// What an attempt teaches about a model's size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SizeLesson {
    /// It took a prompt and counted it.
    Counted {
        /// The size of the prompt.
        sent: Sent,
        /// Tokens that the provider counted for it.
        tokens: u64,
    },
    /// It refused one for its size.
    Refused {
        /// The size of the prompt.
        sent: Sent,
        /// The sizes that the refusal named.
        by: Oversize,
    },
}

/// The window that a prompt has to fit into.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// Tokens of prompt and reply together; none when nothing is known.
    pub tokens: Option<u64>,
    /// How many tokens the model counts for a token of our estimate.
    pub rate: Rate,
}

impl Window {
    /// Of a model of which nothing is known: a prompt is as long as it gets.
    pub const UNKNOWN: Self = Self { tokens: None, rate: Rate::FIRST };
}

/// A model's tokens for each of our estimate's. It moves in steps, and rather up than down, so that prompts
/// of neighbouring turns are laid out by the same rate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate(u64);

impl Rate {
    const ONE: u64 = 128;
    const STEP: u64 = Self::ONE / 8;
    const MIN: u64 = Self::ONE / 2;
    /// Each byte a token, in a script of four bytes that we count as one.
    const MAX: u64 = 4 * Self::ONE;
    /// Until the model has counted: a quarter more than the estimate, which is meant to be right on average.
    const FIRST: Self = Self(Self::ONE + 2 * Self::STEP);

    /// An estimate in the model's tokens, rounded up.
    #[must_use]
    pub const fn tokens(self, estimate: u64) -> u64 {
        estimate.saturating_mul(self.0).div_ceil(Self::ONE)
    }

    /// The largest estimate that is no more than so many of the model's tokens.
    #[must_use]
    pub const fn estimate(self, tokens: u64) -> u64 {
        tokens.saturating_mul(Self::ONE) / self.0
    }

    /// What the model counted for our estimate. A higher rate holds at once, a lower one comes step by step.
    fn counted(self, estimate: u64, counted: u64) -> Self {
        let (part, of) = COUNTED_PARTS_MIN;
        if estimate < COUNTED_MIN || counted.saturating_mul(of) < estimate.saturating_mul(part) {
            return self;
        }
        // A little above what was counted, because the next prompt is another text.
        let sample = counted.saturating_mul(Self::ONE).saturating_mul(33).div_ceil(estimate.saturating_mul(32));
        let sample = sample.next_multiple_of(Self::STEP).clamp(Self::MIN, Self::MAX);
        match sample {
            above if above > self.0 => Self(above),
            below if below + 2 * Self::STEP <= self.0 => Self(self.0 - Self::STEP),
            _ => self,
        }
    }

    fn higher(self) -> Self {
        Self((self.0 + self.0 / 2).next_multiple_of(Self::STEP).min(Self::MAX))
    }
}

/// What a model has taught about its size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sizes {
    tokens: Option<u64>,
    rate: Rate,
    /// The longest prompt that it has taken, by its own count.
    taken: u64,
    /// Tokens that the operator configured.
    configured: Option<u64>,
}

/// The sizes of a prompt that was sent, in tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sent {
    /// Our estimate of the prompt, in tokens.
    pub estimate: u64,
    /// The longest reply that was asked for with it.
    pub max_output_tokens: u64,
}

impl Default for Sizes {
    fn default() -> Self {
        Self { tokens: None, rate: Rate::FIRST, taken: 0, configured: None }
    }
}

impl Sizes {
    /// With the operator's word on its context. A server that refuses less has the last.
    #[must_use]
    pub fn configured(self, configured: Option<u64>) -> Self {
        Self { configured, ..self }
    }

    /// The window that the next prompt has to fit into.
    #[must_use]
    pub fn window(&self) -> Window {
        let tokens = self.tokens.into_iter().chain(self.configured).min();
        Window { tokens, rate: self.rate }
    }

    /// Takes in what an attempt has taught.
    pub fn learn(&mut self, lesson: SizeLesson) {
        match lesson {
            SizeLesson::Counted { sent, tokens } => self.counted(sent, tokens),
            SizeLesson::Refused { sent, by } => self.refused(sent, by),
        }
    }

    /// The provider counted a prompt that it took.
    fn counted(&mut self, sent: Sent, counted: u64) {
        self.rate = self.rate.counted(sent.estimate, counted);
        self.taken = self.taken.max(counted);
        // It has taken more than it was thought to.
        self.tokens = self.tokens.map(|tokens| tokens.max(counted));
    }

    /// The server has said how much it takes, unasked for by a refusal. A refusal's word is worth more.
    pub fn told(&mut self, tokens: u64) {
        if self.tokens.is_none() && (CONTEXT_TOKENS_MIN..CONTEXT_TOKENS_MAX).contains(&tokens) && tokens >= self.taken {
            self.tokens = Some(tokens);
        }
    }

    /// The provider refused a prompt because of its size: the next one will be shorter.
    fn refused(&mut self, sent: Sent, by: Oversize) {
        let before = *self;
        if let Some(prompt) = by.prompt.filter(|prompt| *prompt < CONTEXT_TOKENS_MAX) {
            self.rate = self.rate.counted(sent.estimate, prompt);
        }
        let whole = self.rate.tokens(sent.estimate).saturating_add(sent.max_output_tokens);
        let most = whole.saturating_mul(LIMIT_TIMES_MAX).max(4 * CONTEXT_TOKENS_MIN);
        let said = by.limit.filter(|limit| (CONTEXT_TOKENS_MIN.max(self.taken)..=most).contains(limit));
        match said {
            Some(limit) => self.tokens = Some(limit),
            None => self.halve(sent),
        }
        if (self.tokens, self.rate) == (before.tokens, before.rate) {
            // It says what was known, and our prompt was longer than we thought.
            self.rate = self.rate.higher();
        }
    }

    /// No more than half of what was sent.
    pub fn halve(&mut self, sent: Sent) {
        let whole = self.rate.tokens(sent.estimate).saturating_add(sent.max_output_tokens);
        let half = self.tokens.map_or(whole, |tokens| tokens.min(whole)) / 2;
        self.tokens = Some(half.max(self.taken).max(CONTEXT_TOKENS_MIN));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_rises_at_once_and_falls_in_steps() {
        let counted = |pairs: &[(u64, u64)]| {
            pairs.iter().fold(Rate::FIRST, |rate, (estimate, counted)| rate.counted(*estimate, *counted)).0
        };
        for (pairs, rate) in [
            (&[][..], 160),
            (&[(1_000, 2_000)], 272),
            (&[(1_000, 1_000)], 160),
            (&[(1_000, 800)], 144),
            (&[(1_000, 800); 9], 128),
            (&[(1_000, 100); 99], 160),
            (&[(1_000, 400); 99], 80),
            (&[(1_000, 999_999)], 512),
            (&[(10, 90)], 160),
            (&[(1_000, 0)], 160),
            (&[(1_000, 2_000), (1_000, 1_900)], 272),
        ] {
            assert_eq!(counted(pairs), rate, "{pairs:?}");
        }
        for tokens in [0, 1, 100, 4_096, 1 << 40] {
            let rate = Rate(272);
            assert!(rate.tokens(rate.estimate(tokens)) <= tokens, "{tokens}");
        }
    }

    #[test]
    fn a_refusal_makes_the_next_prompt_shorter() {
        let oversize = |limit, prompt| Oversize { limit, prompt };
        let sent = Sent { estimate: 3_000, max_output_tokens: 1_000 };
        type Row<'a> = (&'a str, &'a [Oversize], Option<u64>, Option<u64>);
        let rows: &[Row<'_>] = &[
            ("it says both", &[oversize(Some(2_048), Some(3_000))], Some(2_048), Some(160)),
            ("it says its limit", &[oversize(Some(4_096), None)], Some(4_096), Some(160)),
            ("and once more", &[oversize(Some(4_096), None); 2], Some(4_096), Some(240)),
            ("it counts far more than we do", &[oversize(Some(4_096), Some(9_000))], Some(4_096), Some(400)),
            ("it says nothing", &[oversize(None, None)], Some(2_375), Some(160)),
            ("it says nothing again", &[oversize(None, None); 2], Some(1_187), Some(160)),
            ("a limit that nobody has", &[oversize(Some(10), None)], Some(2_375), Some(160)),
            ("a limit far above", &[oversize(Some(10_000_000), None)], Some(2_375), Some(160)),
        ];
        for (name, refusals, tokens, rate) in rows {
            let mut sizes = Sizes::default();
            refusals.iter().for_each(|by| sizes.refused(sent, *by));
            assert_eq!((sizes.tokens, Some(sizes.rate.0)), (*tokens, *rate), "{name}");
        }
    }

    #[test]
    fn what_was_taken_is_not_too_long() {
        let sent = Sent { estimate: 3_000, max_output_tokens: 1_000 };
        let mut sizes = Sizes::default();
        sizes.counted(sent, 3_000);
        sizes.refused(Sent { estimate: 3_100, ..sent }, Oversize { limit: Some(300), prompt: None });
        assert_eq!(sizes.tokens, Some(3_000), "a quoted number does not starve the model");
        sizes.told(100_000);
        assert_eq!(sizes.window().tokens, Some(3_000), "its refusal is worth more");
        assert_eq!(sizes.configured(Some(2_000)).window().tokens, Some(2_000), "the operator may want less");
        sizes.counted(sent, 3_500);
        assert_eq!(sizes.window().tokens, Some(3_500));
        let mut told = Sizes::default();
        told.told(8);
        assert_eq!(told.window(), Window::UNKNOWN);
        told.told(8_192);
        assert_eq!(told.window().tokens, Some(8_192));
    }
}
