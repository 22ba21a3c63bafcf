//! Which questions count as the same.

use engine_knowledge::gist;
use sha2::{Digest, Sha256};

/// A text that is equal for like questions: what they are about and what they ask for, without the small words of
/// their language.
#[must_use]
pub fn likeness(question: &str) -> String {
    gist(question).join(" ")
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
            ("¿Qué?", "¿que?", true),
            ("Is the gym open?", "Is the spa open?", false),
            ("Is the gym open?", "is your GYM open", true),
            ("Is the gym open?", "Is the gym open on Sunday?", false),
            ("Can I bring my dog?", "Can I bring my cat?", false),
            ("Can I bring my dog?", "can we bring a dog please", true),
            ("Can I bring my dog?", "Can I come without my dog?", false),
            ("How much is the gym?", "Where is the gym?", false),
            ("How much is the gym?", "how much is your gym", true),
            ("Who runs the spa?", "Why the spa?", false),
            ("Ist das Bad offen?", "Ist der Hof offen?", false),
            ("Ist das Bad offen?", "ist denn das bad offen", true),
            ("¿Tienen pan sin sal?", "¿Tienen té sin sal?", false),
            ("Y a-t-il du thé ?", "Y a-t-il du vin ?", false),
            ("why", "WHY??", true),
            ("日本に送れますか", "日本に送れますか？", true),
            ("?", "!", true),
        ] {
            assert_eq!(key_of(one) == key_of(other), like, "{one} / {other}");
        }
        assert_eq!(likeness("Is there parking, at the shop, for 2 cars?"), "2 cars parking shop");
        assert!(key_of("x").len() == 24 && key_of("x").bytes().all(|byte| byte.is_ascii_hexdigit()));
    }
}
