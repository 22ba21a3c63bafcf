//! Which questions count as the same.

use sha2::{Digest, Sha256};

/// Letters that a word has at least to count, unless no word of the question has so many.
const WORD_CHARS_MIN: usize = 4;

/// A text that is equal for like questions: small letters, no punctuation, each word once and in order, without
/// the small words.
#[must_use]
pub fn likeness(question: &str) -> String {
    let folded = question.to_lowercase();
    let mut words: Vec<&str> = folded.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).collect();
    let large = |word: &&str| word.chars().nth(WORD_CHARS_MIN - 1).is_some() || word.chars().any(char::is_numeric);
    if words.iter().any(large) {
        words.retain(large);
    }
    words.sort_unstable();
    words.dedup();
    words.join(" ")
}

/// The name of a question's group, fit for a path: it does not say the words.
#[must_use]
pub fn key_of(question: &str) -> String {
    let digest = Sha256::digest(likeness(question).as_bytes());
    digest.iter().take(12).map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn like_questions_have_one_key() {
        for (one, other, like) in [
            ("Do you ship to Norway?", "do you SHIP to norway", true),
            ("Ship to Norway?", "Do you ship to Norway, to Norway?", true),
            ("Do you ship to Norway?", "Do you ship to Sweden?", false),
            ("Room 12", "Room 13", false),
            ("¿Qué?", "¿que?", false),
            ("why", "WHY??", true),
            ("日本に送れますか", "日本に送れますか？", true),
            ("?", "!", true),
        ] {
            assert_eq!(key_of(one) == key_of(other), like, "{one} / {other}");
        }
        assert_eq!(likeness("Is there parking, at the shop, for 2 cars?"), "2 cars parking shop there");
        assert!(key_of("x").len() == 24 && key_of("x").bytes().all(|byte| byte.is_ascii_hexdigit()));
    }
}
