//! The language in which somebody writes, where their words show it for sure.

use schema::Locale;
use whatlang::{Detector, Lang, Script};

/// The likelihood from which on a language is sure. In questions as visitors ask them, those that were taken
/// for another language had less than a third.
const SURE: f64 = 0.5;
/// Letters from which on a text says something about its language …
const LETTERS_MIN: usize = 8;
/// … and signs, where each is a word or nearly so.
const SIGNS_MIN: usize = 6;
/// What is looked at of a text, in characters: more would say the same.
const CHARS_MAX: usize = 600;

/// Languages that are told apart, each with its English name and its tag. Each further one makes all others less
/// sure.
const KNOWN: &[(Lang, &str, &str)] = &[
    (Lang::Eng, "English", "en"),
    (Lang::Spa, "Spanish", "es"),
    (Lang::Por, "Portuguese", "pt"),
    (Lang::Fra, "French", "fr"),
    (Lang::Deu, "German", "de"),
    (Lang::Ita, "Italian", "it"),
    (Lang::Nld, "Dutch", "nl"),
    (Lang::Pol, "Polish", "pl"),
    (Lang::Ces, "Czech", "cs"),
    (Lang::Slk, "Slovak", "sk"),
    (Lang::Swe, "Swedish", "sv"),
    (Lang::Dan, "Danish", "da"),
    (Lang::Nob, "Norwegian", "nb"),
    (Lang::Fin, "Finnish", "fi"),
    (Lang::Hun, "Hungarian", "hu"),
    (Lang::Ron, "Romanian", "ro"),
    (Lang::Hrv, "Croatian", "hr"),
    (Lang::Cat, "Catalan", "ca"),
    (Lang::Tur, "Turkish", "tr"),
    (Lang::Vie, "Vietnamese", "vi"),
    (Lang::Ind, "Indonesian", "id"),
    (Lang::Rus, "Russian", "ru"),
    (Lang::Ukr, "Ukrainian", "uk"),
    (Lang::Bul, "Bulgarian", "bg"),
    (Lang::Ell, "Greek", "el"),
    (Lang::Heb, "Hebrew", "he"),
    (Lang::Ara, "Arabic", "ar"),
    (Lang::Pes, "Persian", "fa"),
    (Lang::Hin, "Hindi", "hi"),
    (Lang::Cmn, "Chinese", "zh"),
    (Lang::Jpn, "Japanese", "ja"),
    (Lang::Kor, "Korean", "ko"),
    (Lang::Tha, "Thai", "th"),
];

/// Tags that name a known language in another way: older ones, and forms of it.
const ALIASES: &[(&str, &str)] =
    &[("no", "nb"), ("nn", "nb"), ("iw", "he"), ("in", "id"), ("cmn", "zh"), ("yue", "zh")];

/// The English name of the language of a page or app, if it is one of those that are told apart.
pub(super) fn name_of(locale: &Locale) -> Option<&'static str> {
    let said = locale.language();
    let tag = ALIASES.iter().find(|(alias, _)| said.eq_ignore_ascii_case(alias)).map_or(said, |(_, tag)| tag);
    KNOWN.iter().find(|(_, _, known)| tag.eq_ignore_ascii_case(known)).map(|(_, name, _)| *name)
}

/// What a text says of its language.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Heard {
    /// It is this one, by its English name. A wrong one would be worse than none: a model sees the text too.
    Sure(&'static str),
    /// It may be this one.
    Maybe(&'static str),
    /// It says nothing: a number, a name, a short word.
    Nothing,
}

impl Heard {
    pub(super) fn of(text: &str) -> Self {
        // Addresses are in no language.
        let words = text.split_whitespace().filter(|word| !word.contains("://") && !word.contains('@'));
        let text: String = words.flat_map(|word| word.chars().chain([' '])).take(CHARS_MAX).collect();
        let detector = Detector::with_allowlist(KNOWN.iter().map(|(language, ..)| *language).collect());
        let Some(found) = detector.detect(&text) else { return Self::Nothing };
        let Some((_, name, _)) = KNOWN.iter().find(|(language, ..)| *language == found.lang()) else {
            return Self::Nothing;
        };
        let letters = text.chars().filter(|c| c.is_alphabetic()).count();
        let enough = match found.script() {
            // No other language has these.
            Script::Hangul | Script::Hiragana | Script::Katakana | Script::Thai | Script::Greek => 1,
            Script::Mandarin => SIGNS_MIN,
            _ => LETTERS_MIN,
        };
        match found.confidence() {
            _ if letters < enough => Self::Nothing,
            sure if sure >= SURE => Self::Sure(name),
            _ => Self::Maybe(name),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_language_is_named_where_it_is_sure() {
        use Heard::{Maybe, Nothing, Sure};
        for (text, heard) in [
            ("¿Cuánto cuesta el envío?", Sure("Spanish")),
            ("Wie kann ich einen Mantel zurückgeben?", Sure("German")),
            ("Can I return a coat I bought last week in the shop?", Sure("English")),
            ("Combien coûte la livraison ?", Sure("French")),
            ("Ik wil graag weten of jullie een grotere maat hebben", Sure("Dutch")),
            ("Скільки коштує доставка?", Sure("Ukrainian")),
            ("保修期是多久?", Sure("Chinese")),
            ("送料はいくらですか", Sure("Japanese")),
            ("배송비 얼마예요?", Sure("Korean")),
            ("ช่วยด้วย", Sure("Thai")),
            ("כמה עולה המשלוח?", Sure("Hebrew")),
            ("How long is its warranty?", Maybe("English")),
            ("Do you ship to Portugal?", Maybe("Portuguese")),
            ("返品", Nothing),
            ("Hola", Nothing),
            ("ok", Nothing),
            ("E04", Nothing),
            ("https://shop.example/envio?producto=cafetera", Nothing),
            ("", Nothing),
        ] {
            assert_eq!(Heard::of(text), heard, "{text}");
        }
    }

    #[test]
    fn a_page_s_language_has_its_name() {
        for (tag, name) in [
            ("es-MX", Some("Spanish")),
            ("EN", Some("English")),
            ("zh-Hant-TW", Some("Chinese")),
            ("nn", Some("Norwegian")),
            ("iw", Some("Hebrew")),
            ("fil", None),
            ("tlh", None),
        ] {
            assert_eq!(name_of(&tag.parse().unwrap()), name, "{tag}");
        }
    }

    #[test]
    fn no_name_of_a_thing_makes_a_language() {
        for text in [
            "Do you sell the Bialetti Moka Express in red?",
            "Is the La Marzocco Linea Mini in stock?",
            "Does the Château Margaux 2015 ship?",
            "Vera Garcia Lopez Madrid",
            "Tagliatelle al ragù recipe",
            "Do you speak Spanish?",
        ] {
            assert!(!matches!(Heard::of(text), Heard::Sure(_)), "{text}");
        }
    }
}
