//! One token of the stub's text: its number, when it was meant to leave and how late it left.
//! Invariant: exactly [`CHARS`] characters that JSON never escapes, so token `n` of a reply stands
//! at character `n * CHARS` however its pieces were joined or cut on the way.

/// Characters, and bytes, of one token.
pub const CHARS: usize = 12;
/// Tokens that can be numbered; more than fit one reply.
pub const TOKENS_MAX: u32 = 1 << SEQ_BITS;

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
const SEQ_BITS: u32 = 18;
const STAMP_BITS: u32 = 30;
const LATE_BITS: u32 = 24;
/// Stamps count these nanoseconds; they wrap after 68 s, which is longer than any answer waits.
const UNIT_NS: u64 = 64;
const STAMP_MASK: u64 = (1 << STAMP_BITS) - 1;
const LATE_MAX: u64 = (1 << LATE_BITS) - 1;
const _: () = assert!((SEQ_BITS + STAMP_BITS + LATE_BITS) as usize == CHARS * 6, "six bits a character");

/// A token as it was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Token {
    /// Its number in the reply, from 0.
    pub seq: u32,
    stamp: u64,
    late: u64,
}

/// Why twelve characters are not a token.
#[derive(Clone, Copy, Debug, thiserror::Error, PartialEq, Eq)]
#[error("these are not the stub's words")]
pub struct NotAToken;

/// Writes token `seq`, meant for `intended_ns` and written at `sent_ns`.
#[must_use]
pub fn encode(seq: u32, intended_ns: u64, sent_ns: u64) -> [u8; CHARS] {
    let stamp = (intended_ns / UNIT_NS) & STAMP_MASK;
    let late = (sent_ns.saturating_sub(intended_ns) / UNIT_NS).min(LATE_MAX);
    let seq = u128::from(seq & (TOKENS_MAX - 1));
    let bits = (seq << (STAMP_BITS + LATE_BITS)) | u128::from(stamp << LATE_BITS) | u128::from(late);
    std::array::from_fn(|at| ALPHABET[(bits >> (6 * (CHARS - 1 - at))) as usize & 63])
}

impl Token {
    /// Reads one token.
    ///
    /// # Errors
    /// The characters are none.
    pub fn decode(text: &[u8]) -> Result<Self, NotAToken> {
        if text.len() != CHARS {
            return Err(NotAToken);
        }
        let mut bits = 0_u128;
        for &byte in text {
            let value = match byte {
                b'A'..=b'Z' => byte - b'A',
                b'a'..=b'z' => byte - b'a' + 26,
                b'0'..=b'9' => byte - b'0' + 52,
                b'-' => 62,
                b'_' => 63,
                _ => return Err(NotAToken),
            };
            bits = (bits << 6) | u128::from(value);
        }
        let low = (bits & ((1 << (STAMP_BITS + LATE_BITS)) - 1)) as u64;
        Ok(Self { seq: (bits >> (STAMP_BITS + LATE_BITS)) as u32, stamp: low >> LATE_BITS, late: low & LATE_MAX })
    }

    /// Nanoseconds from when it should have left to `now_ns`.
    #[must_use]
    pub fn since_intended(&self, now_ns: u64) -> u64 {
        ((now_ns / UNIT_NS).wrapping_sub(self.stamp) & STAMP_MASK) * UNIT_NS
    }

    /// Nanoseconds from when the stub wrote it to `now_ns`.
    #[must_use]
    pub fn since_sent(&self, now_ns: u64) -> u64 {
        self.since_intended(now_ns).saturating_sub(self.late * UNIT_NS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_reads_back_to_within_its_unit() {
        let wrap = (STAMP_MASK + 1) * UNIT_NS;
        for (seq, intended, late, waited) in [
            (0, 0, 0, 0),
            (1, 1_000_000, 55_000, 100_000),
            (TOKENS_MAX - 1, wrap - 64, 640, 6_400),
            (77, 987_654_321_098_765, 1_000_000_000, 2_000_000_000),
        ] {
            let text = encode(seq, intended, intended + late);
            let token = Token::decode(&text).unwrap();
            assert_eq!(token.seq, seq);
            let now = intended + late + waited;
            assert!(token.since_intended(now).abs_diff(late + waited) <= UNIT_NS, "{token:?}");
            assert!(token.since_sent(now).abs_diff(waited) <= 2 * UNIT_NS, "{token:?}");
            assert_eq!(serde_json::to_string(std::str::from_utf8(&text).unwrap()).unwrap().len(), CHARS + 2);
        }
    }

    #[test]
    fn other_words_are_no_tokens() {
        for bad in ["", "Hello world", "Hello world!", "AAAAAAAAAAAAA", "AAAAAAAAAAA\""] {
            assert_eq!(Token::decode(bad.as_bytes()), Err(NotAToken), "{bad}");
        }
    }
}
