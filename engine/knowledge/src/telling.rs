//! Which language a text is in: by its script, by its small words, and in few words by what they mean.

use super::language::Language::{self, Arabic, Chinese, Japanese, Korean, Russian};
use super::language::{List, Lists};
use super::lexicon;
use super::words;

/// Lists whose words tell a language.
const TELLING: Lists = Lists::of(&[
    List::Small,
    List::Common,
    List::Amount,
    List::Clock,
    List::Phone,
    List::Address,
    List::How,
    List::Can,
]);

impl Language {
    /// The language of a text; of a short one that does not tell, `otherwise`.
    pub(super) fn of(text: &str, otherwise: Self) -> Self {
        let likely = Self::likely(text);
        if likely.is_empty() || likely.contains(&otherwise) {
            return otherwise;
        }
        let other = likely.first().copied().unwrap_or(otherwise);
        let words = words::folded(sample(text));
        if words.len() > TELLS_ITSELF_WORDS_MIN {
            return other;
        }
        // In few words, what they mean tells more than the small ones between: `hire e-bike age`.
        let known = |language: Self| {
            let knows = |word: &&String| language.tells(word) || lexicon::knows(word, language);
            words.iter().filter(knows).map(|word| word.chars().count().min(6)).sum::<usize>()
        };
        if known(otherwise) >= known(other) { otherwise } else { other }
    }

    /// The language that a text tells by itself.
    pub(super) fn told(text: &str) -> Option<Self> {
        match Self::likely(text)[..] {
            [language] => Some(language),
            _ => None,
        }
    }

    /// The languages that a text may be in as likely as any other; none where it does not tell.
    fn likely(text: &str) -> Vec<Self> {
        let text = sample(text);
        if let Some(language) = by_script(text) {
            return vec![language];
        }
        let words = words::folded(text);
        let counts = Self::ALL.map(|language| {
            let weight = |word: &String| if language.tells(word) { word.chars().count().min(4) } else { 0 };
            words.iter().map(weight).sum::<usize>()
        });
        let best = counts.iter().copied().max().unwrap_or(0);
        Self::ALL.into_iter().filter(|language| best > 0 && counts[*language as usize] == best).collect()
    }

    /// Whether a folded word is one of those that tell this language.
    fn tells(self, word: &str) -> bool {
        self.lists(word).has_any(TELLING)
    }
}

/// A longer text tells its language by its small words alone.
const TELLS_ITSELF_WORDS_MIN: usize = 10;

/// Of a text so much is looked at, in bytes.
const SAMPLE_BYTES: usize = 1_536;

fn sample(text: &str) -> &str {
    &text[..text.floor_char_boundary(SAMPLE_BYTES)]
}

/// Scripts that tell a language.
fn by_script(text: &str) -> Option<Language> {
    let (mut letters, mut han, mut kana, mut hangul, mut cyrillic, mut arabic) = (0, 0, 0, 0, 0, 0);
    for c in text.chars().filter(|c| c.is_alphabetic()) {
        letters += 1;
        match u32::from(c) {
            0x3040..=0x30FF => kana += 1,
            0x3400..=0x9FFF | 0xF900..=0xFAFF => han += 1,
            0xAC00..=0xD7AF => hangul += 1,
            0x0400..=0x052F => cyrillic += 1,
            0x0600..=0x06FF | 0x0750..=0x077F => arabic += 1,
            _ => {}
        }
    }
    let most = |count: usize| count * 2 > letters;
    match () {
        () if letters == 0 => None,
        // Chinese and Japanese mix in Latin names; a letter of theirs is worth several of ours.
        () if hangul * 3 > letters => Some(Korean),
        () if kana * 4 > letters => Some(Japanese),
        () if (han + kana) * 3 > letters && kana > 0 => Some(Japanese),
        () if han * 3 > letters => Some(Chinese),
        () if most(cyrillic) => Some(Russian),
        () if most(arabic) => Some(Arabic),
        () => None,
    }
}
