//! Messages of many lengths: each power of two as often as each other, so that most are short and some as
//! long as there may be. The same message has the same length in every run.

const WORDS: &str = "a word that must not be lost; ";

/// Words to be cut to any length.
#[derive(Clone, Debug)]
pub struct Lengths {
    words: String,
    mixed: bool,
}

impl Lengths {
    /// Every message of `bytes`.
    #[must_use]
    pub fn even(bytes: usize) -> Self {
        Self { words: WORDS.chars().cycle().take(bytes.max(1)).collect(), mixed: false }
    }

    /// Messages from one byte to `bytes`.
    #[must_use]
    pub fn mixed(bytes: usize) -> Self {
        Self { mixed: true, ..Self::even(bytes) }
    }

    /// The words of message `nth`.
    #[must_use]
    pub fn text(&self, nth: usize) -> &str {
        if !self.mixed {
            return &self.words;
        }
        // The words are ASCII: any length is a whole character's.
        let longest = self.words.len();
        let powers = longest.ilog2() as usize + 1;
        let power = 1 << (nth % powers);
        let bytes = power + (nth / powers).wrapping_mul(7_919) % power;
        &self.words[..bytes.min(longest)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_reach_from_one_byte_to_the_longest() {
        for longest in [1, 2, 100, 16 * 1024] {
            let mixed = Lengths::mixed(longest);
            let all: Vec<usize> = (0..20_000).map(|nth| mixed.text(nth).len()).collect();
            let short = all.iter().filter(|bytes| **bytes * 4 <= longest).count();
            assert!(all.iter().all(|bytes| (1..=longest).contains(bytes)), "{longest}");
            assert_eq!((all.iter().min(), all.iter().max()), (Some(&1), Some(&longest)), "{longest}");
            assert!(longest < 100 || short > all.len() / 2, "{longest}: {short} are short");
            assert_eq!(Lengths::even(longest).text(7).len(), longest);
        }
    }
}
