//! The stems of words: what is left of them without their language's endings.
//! Invariant: the same word has the same stem, whatever is remembered; what is remembered is bounded in bytes.

use std::cell::RefCell;
use std::hash::BuildHasher;

use frostem::{Algorithm, Stemmer};
use rustc_hash::FxBuildHasher;

use super::language::Language;
use super::words::folded;

/// Words of which a thread remembers the stems: most words of a text are among few. A power of two.
const REMEMBERED: usize = 1_024;

/// One word of a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Word {
    /// As it stands, in small letters and without accents.
    pub(super) exact: String,
    /// Without the endings of its text's language.
    pub(super) stem: String,
}

/// The words of a text in order. Scripts written without spaces give pairs of characters.
pub(super) fn words(text: &str, language: Language) -> Vec<Word> {
    let word = |exact: String| Word { stem: stem_of(&exact, language), exact };
    folded(text).into_iter().map(word).collect()
}

/// The stem of a folded word in a language; of a word for a number, the number.
pub(super) fn stem_of(exact: &str, language: Language) -> String {
    if exact.bytes().any(|byte| byte.is_ascii_digit()) {
        return exact.to_string();
    }
    KNOWN.with_borrow_mut(|known| {
        let slot = FxBuildHasher.hash_one((exact, language)) as usize % REMEMBERED;
        match &known[slot] {
            Some(known) if known.language == language && known.exact == exact => known.stem.clone(),
            _ => {
                let stem = work_out(exact, language);
                known[slot] = Some(Known { language, exact: exact.to_string(), stem: stem.clone() });
                stem
            }
        }
    })
}

/// A word and its stem.
struct Known {
    language: Language,
    exact: String,
    stem: String,
}

thread_local! {
    static KNOWN: RefCell<Vec<Option<Known>>> = RefCell::new((0..REMEMBERED).map(|_| None).collect());
}

fn work_out(exact: &str, language: Language) -> String {
    if let Some(number) = language.number(exact).filter(|_| !has_no_endings(language)) {
        return number.to_string();
    }
    let algorithm = match language {
        Language::English => Algorithm::English,
        Language::Spanish => Algorithm::Spanish,
        Language::French => Algorithm::French,
        Language::German => Algorithm::German,
        Language::Italian => Algorithm::Italian,
        Language::Portuguese => Algorithm::Portuguese,
        Language::Dutch => Algorithm::Dutch,
        Language::Polish => Algorithm::Polish,
        Language::Russian => Algorithm::Russian,
        Language::Arabic => return Stemmer::new(Algorithm::Arabic).stem(without_article(exact)).into_owned(),
        Language::Swedish => Algorithm::Swedish,
        Language::Danish => Algorithm::Danish,
        Language::Norwegian => Algorithm::Norwegian,
        Language::Turkish => Algorithm::Turkish,
        Language::Chinese | Language::Japanese | Language::Korean => return exact.to_string(),
    };
    Stemmer::new(algorithm).stem(exact).into_owned()
}

/// Written without spaces, or with particles that stand apart.
const fn has_no_endings(language: Language) -> bool {
    matches!(language, Language::Chinese | Language::Japanese | Language::Korean)
}

/// Arabic writes the article, and prepositions with it, as the beginning of the word.
fn without_article(word: &str) -> &str {
    const ARTICLES: &[&str] = &["وال", "بال", "كال", "فال", "لل", "ال"];
    let rest = ARTICLES.iter().find_map(|article| word.strip_prefix(article));
    rest.filter(|rest| rest.chars().count() >= 3).unwrap_or(word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stem_is_the_same_when_it_is_remembered_and_when_it_was_pushed_out() {
        let letter = |n: usize| char::from(b'a' + (n % 26) as u8);
        let ending = ["ings", "ed", "ness", "en"];
        let word =
            |n: usize| format!("p{}{}r{}{}", letter(n / 676), letter(n / 26), letter(n), ending[n % ending.len()]);
        let words: Vec<String> = (0..3 * REMEMBERED).map(word).collect();
        for language in [Language::English, Language::German, Language::Turkish] {
            for word in &words {
                assert_eq!(stem_of(word, language), work_out(word, language), "{word}");
                assert_eq!(stem_of(word, language), work_out(word, language), "{word} again");
            }
        }
        assert_eq!(stem_of("parcels", Language::English), "parcel");
        assert_eq!(stem_of("parcels", Language::Japanese), "parcels");
    }

    #[test]
    fn words_are_cut_folded_and_stemmed() {
        for (text, language, exact, stems) in [
            ("Returning the Parcels", Language::English, "returning the parcels", "return the parcel"),
            ("Don't! The shop’s l'eau", Language::English, "dont the shop l eau", "dont the shop l eau"),
            ("Café Größe", Language::German, "cafe grosse", "caf gross"),
            ("Gutscheine Gutscheinen", Language::German, "gutscheine gutscheinen", "gutschein gutschein"),
            ("wi-fi E04 rate_limited", Language::English, "wi fi wifi e04 rate limited", "wi fi wifi e04 rate limit"),
            ("返品方法", Language::Japanese, "返品 品方 方法", "返品 品方 方法"),
            (
                "£7.20, 1.000,50 and 1,000 or 37,00",
                Language::English,
                "7.20 1000.50 and 1000 or 37",
                "7.20 1000.50 and 1000 or 37",
            ),
            (
                "5.30pm at 10:30 on 1.2.2026",
                Language::English,
                "5.30 pm at 10:30 on 1 2 2026",
                "5.30 pm at 10:30 on 1 2 2026",
            ),
            (
                "75¹ euros, 250 m², H₂O, note¹ and 10⁶ from €75¹.",
                Language::English,
                "75 euros 250 m2 h2o note and 10 from 75",
                "75 euro 250 m2 h2o note and 10 from 75",
            ),
            ("10 by 8", Language::English, "10 by 8 10x8", "10 by 8 10x8"),
            ("满500元", Language::Chinese, "满 500 元", "满 500 元"),
            ("الشَّحْن والشحن", Language::Arabic, "الشحن والشحن", "شحن شحن"),
            ("… — !", Language::English, "", ""),
        ] {
            let found = words(text, language);
            assert_eq!(found.iter().map(|w| w.exact.as_str()).collect::<Vec<_>>().join(" "), exact);
            assert_eq!(found.iter().map(|w| w.stem.as_str()).collect::<Vec<_>>().join(" "), stems);
        }
    }
}
