//! Greetings, thanks and the like: what people say that asks for no document.
//! Invariant: one word that is none of these makes it a question.

use super::language::Language;
use super::phrases::phrases;
use super::words::{Word, words};

/// Longer than this, in words, it is more than small talk.
const WORDS_MAX: usize = 8;

/// The reply to small talk; `None` when it is something else.
pub(super) fn reply(said: &str) -> Option<&'static str> {
    let words = words(said.get(..256).unwrap_or(said));
    if words.is_empty() {
        return Some(phrases(English).say_more);
    }
    if words.len() > WORDS_MAX || said.len() > 256 {
        return None;
    }
    let line = words.iter().map(|word| word.exact.as_str()).collect::<Vec<_>>().join(" ");
    LINES
        .iter()
        .find(|(lines, ..)| lines.contains(&line.as_str()))
        .map(|(_, talk, language)| talk.reply(*language))
        .or_else(|| {
            WORDS
                .iter()
                .find(|(core, polite, ..)| made_of(&words, core, polite))
                .map(|(_, _, talk, language)| talk.reply(*language))
        })
}

/// Every word is one of either list, and at least one carries the meaning.
fn made_of(words: &[Word], core: &str, polite: &str) -> bool {
    let is_in = |list: &str, word: &Word| list.split(' ').any(|other| other == word.exact);
    words.iter().all(|word| is_in(core, word) || is_in(polite, word)) && words.iter().any(|word| is_in(core, word))
}

#[derive(Clone, Copy)]
enum Talk {
    Hello,
    HowAreYou,
    Thanks,
    Bye,
    Who,
    Acknowledged,
}

impl Talk {
    fn reply(self, language: Language) -> &'static str {
        let phrases = phrases(language);
        match self {
            Self::Hello => phrases.hello,
            Self::HowAreYou => phrases.how_are_you,
            Self::Thanks => phrases.thanks,
            Self::Bye => phrases.bye,
            Self::Who => phrases.who,
            Self::Acknowledged => phrases.acknowledged,
        }
    }
}

use Language::{English, German, Spanish};

/// Whole lines, folded.
const LINES: &[(&[&str], Talk, Language)] = &[
    (
        &[
            "how are you",
            "how are you doing",
            "hi how are you",
            "hello how are you",
            "hey how are you",
            "hows it going",
            "how is it going",
            "whats up",
            "how are you today",
        ],
        Talk::HowAreYou,
        English,
    ),
    (
        &[
            "who are you",
            "what are you",
            "what can you do",
            "what do you do",
            "are you a bot",
            "are you a robot",
            "are you human",
            "are you a human",
            "are you real",
            "are you an ai",
            "are you a person",
            "what is this",
            "am i talking to a bot",
            "what can you help with",
            "what can you help me with",
            "how can you help me",
            "help",
            "how does this work",
            "can you help me",
            "can you help",
            "i need help",
            "help me",
            "help please",
        ],
        Talk::Who,
        English,
    ),
    (&["que tal", "como estas", "como esta", "hola que tal", "hola como estas", "como va"], Talk::HowAreYou, Spanish),
    (
        &[
            "quien eres",
            "que eres",
            "que puedes hacer",
            "eres un robot",
            "eres un bot",
            "eres humano",
            "ayuda",
            "me puedes ayudar",
            "puedes ayudarme",
            "eres una persona",
            "quien es usted",
        ],
        Talk::Who,
        Spanish,
    ),
    (&["wie gehts", "wie geht es dir", "wie geht es ihnen", "hallo wie gehts", "wie geht s"], Talk::HowAreYou, German),
    (
        &[
            "wer bist du",
            "was bist du",
            "was kannst du",
            "bist du ein bot",
            "bist du ein mensch",
            "bist du ein roboter",
            "wer sind sie",
            "hilfe",
            "kannst du mir helfen",
            "konnen sie mir helfen",
        ],
        Talk::Who,
        German,
    ),
];

/// Words that carry a meaning, and words that may stand beside them.
const WORDS: &[(&str, &str, Talk, Language)] = &[
    (
        "thanks thank thx ty cheers thankyou",
        "you so very much a lot for your the help ok okay great perfect that this is all was it many hi bye helpful nice again",
        Talk::Thanks,
        English,
    ),
    ("bye goodbye cya farewell", "for now see you later good have a nice day ok thanks soon then", Talk::Bye, English),
    (
        "hi hello hey hiya howdy greetings morning afternoon evening yo",
        "good there everyone all again day team assistant bot sir madam to you",
        Talk::Hello,
        English,
    ),
    (
        "ok okay great perfect nice good cool fine alright understood awesome yes no yep nope sure",
        "thats that is all all very it i see got right then now",
        Talk::Acknowledged,
        English,
    ),
    ("gracias", "muchas muchisimas mil por todo la su tu ayuda vale perfecto ok muy amable", Talk::Thanks, Spanish),
    ("adios chao hasta", "luego pronto manana gracias la vista buen dia", Talk::Bye, Spanish),
    ("hola buenas buenos saludos", "dias tardes noches muy a todos que tal dia", Talk::Hello, Spanish),
    ("vale perfecto bien entendido genial si claro", "muy todo de acuerdo ok", Talk::Acknowledged, Spanish),
    (
        "danke dankeschon",
        "vielen dank schon sehr fur die ihre deine hilfe gut ok super dir ihnen",
        Talk::Thanks,
        German,
    ),
    ("dank", "vielen herzlichen besten", Talk::Thanks, German),
    ("tschuss wiedersehen ciao", "auf bis bald dann danke", Talk::Bye, German),
    ("hallo moin servus gruezi guten", "tag morgen abend zusammen ihr da mal", Talk::Hello, German),
    ("gut super prima verstanden alles ja nein", "klar ok sehr danke", Talk::Acknowledged, German),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_talk_is_told_from_questions() {
        for (said, expected) in [
            ("hi", Some(phrases(English).hello)),
            ("Hello there!", Some(phrases(English).hello)),
            ("Good morning", Some(phrases(English).hello)),
            ("Hola", Some(phrases(Spanish).hello)),
            ("Guten Tag", Some(phrases(German).hello)),
            ("thank you so much!", Some(phrases(English).thanks)),
            ("¡Muchas gracias!", Some(phrases(Spanish).thanks)),
            ("Vielen Dank", Some(phrases(German).thanks)),
            ("ok great", Some(phrases(English).acknowledged)),
            ("Bye!", Some(phrases(English).bye)),
            ("are you a bot?", Some(phrases(English).who)),
            ("👋", Some(phrases(English).say_more)),
            ("", Some(phrases(English).say_more)),
            ("hi, what are your opening hours?", None),
            ("good detergent", None),
            ("thanks, and how do I return it?", None),
            ("no power", None),
            ("morning delivery", None),
            ("returns", None),
        ] {
            assert_eq!(reply(said), expected, "{said}");
        }
        assert_eq!(reply(&"é".repeat(300)), None);
    }
}
