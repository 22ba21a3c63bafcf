//! The part of a reply that one reader received: every token once and in order, or the difference.
//! Invariant: a token counts at the moment its last character arrived, by whatever frame.

use crate::token::{self, Token};

/// One token's way, in nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sample {
    /// From when the stub should have written it: hides no waiting of the sender.
    pub since_intended: u64,
    /// From when the stub wrote it.
    pub since_sent: u64,
}

/// The account of one reply.
#[derive(Debug, Default)]
pub struct Ledger {
    /// One entry a token, in order of arrival.
    pub samples: Vec<Sample>,
    /// Frames that brought text.
    pub frames: u64,
    /// Characters that came again although the reader had them.
    pub repeated: u64,
    /// Pieces that began beyond what the reader had; the whole text may still fill the hole.
    pub gaps: u64,
    /// Tokens out of order, or text that is none of the stub's.
    pub wrong: u64,
    /// The reply so far in whole characters.
    chars: usize,
    /// The beginning of a token that is not complete yet.
    tail: Vec<u8>,
}

/// What a finished account says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Account {
    /// Tokens the stub was asked for.
    pub expected: u64,
    /// Tokens that arrived.
    pub delivered: u64,
    /// Tokens out of order or unreadable.
    pub wrong: u64,
    /// Frames that brought them.
    pub frames: u64,
    /// Pieces that began beyond what the reader had.
    pub gaps: u64,
    /// Characters that came twice.
    pub repeated: u64,
    /// Replies that did not end as they should.
    pub unfinished: u64,
}

impl Ledger {
    /// Room for `tokens` samples, so that nothing is allocated while measuring.
    #[must_use]
    pub fn with_room(tokens: usize) -> Self {
        Self { samples: Vec::with_capacity(tokens), ..Self::default() }
    }

    /// A piece of the reply that begins at character `offset`, read at `now_ns`.
    pub fn piece(&mut self, offset: usize, text: &[u8], now_ns: u64) {
        self.frames += 1;
        if offset > self.chars {
            self.gaps += 1;
            return;
        }
        let known = (self.chars - offset).min(text.len());
        self.repeated += known as u64;
        self.take(&text[known..], now_ns);
    }

    /// The whole reply as the finished message has it: whatever was still missing arrives now.
    pub fn whole(&mut self, text: &[u8], now_ns: u64) {
        if text.len() < self.chars {
            self.wrong += 1;
            return;
        }
        let known = self.chars;
        self.take(&text[known..], now_ns);
    }

    /// Whether all of it is there.
    #[must_use]
    pub fn account(&self, expected: u64, ended: bool) -> Account {
        Account {
            expected,
            delivered: self.samples.len() as u64,
            wrong: self.wrong + u64::from(!self.tail.is_empty()),
            frames: self.frames,
            gaps: self.gaps,
            repeated: self.repeated,
            unfinished: u64::from(!ended),
        }
    }

    fn take(&mut self, mut text: &[u8], now_ns: u64) {
        self.chars += text.len();
        if !self.tail.is_empty() {
            let missing = (token::CHARS - self.tail.len()).min(text.len());
            self.tail.extend_from_slice(&text[..missing]);
            text = &text[missing..];
            if self.tail.len() < token::CHARS {
                return;
            }
            let whole = std::mem::take(&mut self.tail);
            self.count(&whole, now_ns);
        }
        let mut pieces = text.chunks_exact(token::CHARS);
        for piece in &mut pieces {
            self.count(piece, now_ns);
        }
        self.tail.extend_from_slice(pieces.remainder());
    }

    fn count(&mut self, piece: &[u8], now_ns: u64) {
        match Token::decode(piece) {
            Ok(token) if u64::from(token.seq) == self.samples.len() as u64 + self.wrong => self
                .samples
                .push(Sample { since_intended: token.since_intended(now_ns), since_sent: token.since_sent(now_ns) }),
            _ => self.wrong += 1,
        }
    }
}

impl Account {
    /// Whether every token came once, in order, and every reply ended.
    #[must_use]
    pub const fn is_whole(&self) -> bool {
        self.delivered == self.expected && self.wrong == 0 && self.unfinished == 0
    }

    /// Of the tokens asked for, those that came as they should; 100 only when all did.
    #[must_use]
    pub fn percent(&self) -> f64 {
        let good = self.delivered.saturating_sub(self.wrong).min(self.expected);
        100.0 * good as f64 / self.expected.max(1) as f64
    }

    /// What is wrong with it, in words.
    #[must_use]
    pub fn fault(&self) -> Option<String> {
        let Self { expected, delivered, wrong, unfinished, .. } = self;
        (!self.is_whole()).then(|| {
            format!("{delivered} of {expected} tokens came, {wrong} of others, {unfinished} replies did not end")
        })
    }

    /// Both together.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self {
            expected: self.expected + other.expected,
            delivered: self.delivered + other.delivered,
            wrong: self.wrong + other.wrong,
            frames: self.frames + other.frames,
            gaps: self.gaps + other.gaps,
            repeated: self.repeated + other.repeated,
            unfinished: self.unfinished + other.unfinished,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reply(tokens: u32) -> Vec<u8> {
        (0..tokens).flat_map(|seq| token::encode(seq, 64_000, 128_000)).collect()
    }

    fn fed(pieces: &[(usize, &[u8])], whole: Option<&[u8]>) -> Account {
        let mut ledger = Ledger::default();
        for &(offset, text) in pieces {
            ledger.piece(offset, text, 256_000);
        }
        if let Some(text) = whole {
            ledger.whole(text, 300_000);
        }
        ledger.account(5, whole.is_some())
    }

    #[test]
    fn any_cutting_of_a_reply_counts_the_same() {
        let text = reply(5);
        for size in 1..=text.len() {
            let pieces: Vec<_> = text.chunks(size).enumerate().map(|(at, piece)| (at * size, piece)).collect();
            let account = fed(&pieces, Some(&text));
            assert!(account.is_whole(), "{size}: {account:?}");
        }
    }

    #[test]
    fn a_hole_is_filled_by_the_whole_text_and_by_nothing_else() {
        let text = reply(5);
        let holed = [(0, &text[..12]), (36, &text[36..])];
        assert!(fed(&holed, Some(&text)).is_whole());
        let account = fed(&holed, None);
        assert_eq!((account.delivered, account.gaps, account.unfinished), (1, 1, 1));
        assert!((account.percent() - 20.0).abs() < 1e-9 && account.fault().is_some());
    }

    #[test]
    fn every_fault_is_seen() {
        let text = reply(5);
        let short = &text[..48];
        let mut swapped = text.clone();
        swapped[12..36].rotate_left(12);
        let mut lost = text.clone();
        lost.drain(12..24);
        let mut doubled = text.clone();
        doubled.extend_from_slice(&text[48..]);
        for (name, faulty) in [("short", short), ("swapped", &swapped), ("lost", &lost), ("doubled", &doubled)] {
            assert!(!fed(&[(0, faulty)], Some(faulty)).is_whole(), "{name}");
        }
        assert!(!fed(&[(0, &text)], Some(short)).is_whole(), "the finished message lacks what was shown");
        assert!(!fed(&[(0, &text)], None).is_whole(), "no end");
    }

    #[test]
    fn a_repeated_piece_is_noticed_and_harmless() {
        let text = reply(5);
        let account = fed(&[(0, &text[..30]), (12, &text[12..])], Some(&text));
        assert!(account.is_whole());
        assert_eq!(account.repeated, 18);
    }

    #[test]
    fn latency_is_taken_at_the_last_character() {
        let text = reply(1);
        let mut ledger = Ledger::default();
        ledger.piece(0, &text[..11], 1_000_000);
        assert!(ledger.samples.is_empty());
        ledger.piece(11, &text[11..], 2_000_000);
        let sample = ledger.samples[0];
        assert!(sample.since_intended.abs_diff(1_936_000) <= 64, "{sample:?}");
        assert!(sample.since_sent.abs_diff(1_872_000) <= 128, "{sample:?}");
    }
}
