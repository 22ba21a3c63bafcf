//! What the built-in answerer says in its own words, in each language it speaks.

use super::language::Language;

/// One language's phrases.
pub(super) struct Phrases {
    pub(super) hello: &'static str,
    pub(super) how_are_you: &'static str,
    pub(super) thanks: &'static str,
    pub(super) bye: &'static str,
    pub(super) who: &'static str,
    pub(super) acknowledged: &'static str,
    /// To what has no words to look for.
    pub(super) say_more: &'static str,
    pub(super) unknown: &'static str,
    /// After `unknown`, before and after the name of the nearest passage.
    pub(super) nearest: &'static str,
    pub(super) person: &'static str,
    /// Before the name of the place that is quoted.
    pub(super) from: &'static str,
    pub(super) also: &'static str,
}

/// The phrases of a language.
pub(super) fn phrases(language: Language) -> &'static Phrases {
    match language {
        Language::English => &ENGLISH,
        Language::Spanish => &SPANISH,
        Language::German => &GERMAN,
    }
}

static ENGLISH: Phrases = Phrases {
    hello: "Hello! What can I help you with?",
    how_are_you: "All is well here, thank you! What can I help you with?",
    thanks: "You are welcome! Is there anything else you would like to know?",
    bye: "Goodbye, and come back any time.",
    who: "I am an automatic assistant. I answer from the documents I was given, quote them and name the place, \
          and I say so when I do not know. What would you like to know?",
    acknowledged: "Good. Is there anything else you would like to know?",
    say_more: "Could you say in a few more words what you would like to know?",
    unknown: "I don't know: I could not find an answer to that in the documents I have.",
    nearest: "The nearest I found is",
    person: "A person can help you with this.",
    from: "From",
    also: "Also from",
};

static SPANISH: Phrases = Phrases {
    hello: "¡Hola! ¿En qué puedo ayudarle?",
    how_are_you: "Todo bien por aquí, ¡gracias! ¿En qué puedo ayudarle?",
    thanks: "¡De nada! ¿Hay algo más que quiera saber?",
    bye: "¡Hasta pronto! Vuelva cuando quiera.",
    who: "Soy un asistente automático. Respondo con los documentos que me han dado, los cito e indico el lugar, \
          y si no sé algo, lo digo. ¿Qué le gustaría saber?",
    acknowledged: "Muy bien. ¿Hay algo más que quiera saber?",
    say_more: "¿Podría decirme con algunas palabras más qué le gustaría saber?",
    unknown: "No lo sé: no he encontrado una respuesta en los documentos que tengo.",
    nearest: "Lo más cercano que he encontrado es",
    person: "Una persona puede ayudarle con esto.",
    from: "De",
    also: "También de",
};

static GERMAN: Phrases = Phrases {
    hello: "Hallo! Wobei kann ich helfen?",
    how_are_you: "Hier ist alles in Ordnung, danke! Wobei kann ich helfen?",
    thanks: "Gern geschehen! Gibt es noch etwas, das Sie wissen möchten?",
    bye: "Auf Wiedersehen, und kommen Sie gern wieder.",
    who: "Ich bin ein automatischer Assistent. Ich antworte aus den Dokumenten, die ich habe, zitiere sie und nenne \
          die Stelle, und ich sage es, wenn ich etwas nicht weiß. Was möchten Sie wissen?",
    acknowledged: "Gut. Gibt es noch etwas, das Sie wissen möchten?",
    say_more: "Können Sie mit ein paar Worten mehr sagen, was Sie wissen möchten?",
    unknown: "Das weiß ich nicht: In den Dokumenten, die ich habe, habe ich keine Antwort darauf gefunden.",
    nearest: "Am nächsten kommt",
    person: "Ein Mensch kann Ihnen dabei helfen.",
    from: "Aus",
    also: "Auch aus",
};
