//! Which language a question is in, and which of its words ask and do not say about what.

use std::collections::HashSet;
use std::sync::LazyLock;

use super::words::Word;

/// A language in which the built-in answerer speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Language {
    English,
    Spanish,
    German,
}

impl Language {
    /// The language whose small words a text has most of; English when there are none.
    pub(super) fn of(words: &[Word]) -> Self {
        let count = |language: Self| words.iter().filter(|word| language.is_small(&word.exact)).count();
        let english = count(Self::English);
        [Self::Spanish, Self::German]
            .into_iter()
            .map(|language| (count(language), language))
            .filter(|(hits, _)| *hits > english)
            .max_by_key(|(hits, _)| *hits)
            .map_or(Self::English, |(_, language)| language)
    }

    /// Whether a folded word carries no subject in this language.
    pub(super) fn is_small(self, word: &str) -> bool {
        match self {
            Self::English => &ENGLISH,
            Self::Spanish => &SPANISH,
            Self::German => &GERMAN,
        }
        .contains(word)
    }
}

type Words = LazyLock<HashSet<&'static str>>;

static ENGLISH: Words = LazyLock::new(|| {
    "a an the and or but nor if so as at by for from in into of off on onto out over to up upon with about than then \
     after again all also am any anyone anything anybody are arent be been being both can cannot cant could couldnt did \
     didnt do does doesnt doing done dont each ever few had has hasnt have havent having he her here hers him his how \
     hows i id ill im ive is isnt it its itself just may me might mine more most must my myself no not now of once \
     only other our ours own same shall she should shouldnt some somebody someone something such that thats the their \
     theirs them there theres these they theyre this those through too until us very was wasnt we were what whats when \
     where wheres which while who whom whose why will wont would wouldnt yes yet you your youre yours yourself \
     please pls hi hello hey hiya ok okay thanks thank tell know knows need needs want wants wanted like get gets got \
     getting lets let explain describe maybe sorry well really actually anyway someone possible exactly question \
     wonder wondering regarding concerning much many often kind sort else lot soon bye goodbye cheers dear sir madam"
        .split_whitespace()
        .collect()
});

static SPANISH: Words = LazyLock::new(|| {
    "a al algo algun alguna algunas alguno algunos ante aqui asi aun aunque cada como con contra cual cuales cuando \
     cuanta cuantas cuanto cuantos de del desde donde dos el ella ellas ellos en entre era eran es esa esas ese eso \
     esos esta estan estar estas este esto estos estoy fue gracias ha hace hacer hacia han hasta hay he hola la las le \
     les lo los mas me mi mis mucha muchas mucho muchos muy nada ni no nos nosotros o os otra otro para pero por \
     porque puede pueden puedo que quien quiere quiero quisiera saber se sea ser si sin sobre son soy su sus tal \
     tambien tan te tengo tiene tienen todo toda todos todas tu tus un una unas uno unos usted ustedes va vale y ya yo \
     favor necesito podria podrian dime digame buenos buenas dias tardes noches adios"
        .split_whitespace()
        .collect()
});

static GERMAN: Words = LazyLock::new(|| {
    "ab aber alle allem allen aller alles als also am an auch auf aus bei beim bin bis bist bitte da damit danke dann \
     das dass dein deine dem den denn der des dich die dies diese diesem diesen dieser dieses dir doch du durch ein \
     eine einem einen einer eines er es euch euer eure fur gegen gern gerne gibt hab habe haben hallo hat hatte hier \
     ich ihm ihn ihnen ihr ihre ihrem ihren ihrer im in ins ist ja jede jedem jeden jeder jedes kann kannst kein keine \
     keinen konnen konnte konnten lasst man mein meine meinem meinen meiner mich mir mit mochte muss mussen nach nicht \
     nichts noch nun nur ob oder ohne sehr sein seine sich sie sind so soll sollte um und uns unser unsere unter viel \
     viele vom von vor wann warum was weiss welche welchem welchen welcher welches wenn wer werden wie wieviel will \
     wir wird wo wohin wollen wurde wurden zu zum zur guten tag morgen abend tschuss"
        .split_whitespace()
        .collect()
});

#[cfg(test)]
mod tests {
    use super::*;
    use crate::knowledge::words::words;

    #[test]
    fn a_question_tells_its_language() {
        for (text, language) in [
            ("how do I return a coat?", Language::English),
            ("¿Cómo puedo devolver un abrigo?", Language::Spanish),
            ("Wie kann ich einen Mantel zurückgeben?", Language::German),
            ("hola", Language::Spanish),
            ("E04", Language::English),
            ("", Language::English),
        ] {
            assert_eq!(Language::of(&words(text)), language, "{text}");
        }
    }
}
