//! The built-in answerer's own sentences, in each language it speaks, and the lists by
//! which it knows small talk.
//! Invariant: the sentences and lists are data (`*.tsv`).

use std::collections::HashMap;
use std::sync::LazyLock;

use crate::language::Language;
use crate::words::fold;

/// A sentence of the answerer's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phrase {
    Hello,
    HowAreYou,
    Thanks,
    Bye,
    Who,
    Acknowledged,
    /// To what has no words to look for.
    SayMore,
    Unknown,
    /// Of two questions one has no answer; `{}` is its words.
    UnknownPart,
    /// After `Unknown`, before the name of the nearest passage.
    Nearest,
    /// Before quotations that may answer, and may not.
    Unsure,
    Person,
    /// A person was asked for.
    Handoff,
    /// Before the ways to reach one.
    HandoffContact,
    Complaint,
    /// Before the name of the place that is quoted.
    From,
    Also,
}

/// A list of what people say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Talk {
    Hello,
    HowAreYou,
    Thanks,
    Bye,
    Robot,
    Ok,
    Polite,
    Person,
    Complaint,
}

impl Phrase {
    const fn key(self) -> &'static str {
        match self {
            Self::Hello => "hello",
            Self::HowAreYou => "how_are_you",
            Self::Thanks => "thanks",
            Self::Bye => "bye",
            Self::Who => "who",
            Self::Acknowledged => "acknowledged",
            Self::SayMore => "say_more",
            Self::Unknown => "unknown",
            Self::UnknownPart => "unknown_part",
            Self::Nearest => "nearest",
            Self::Unsure => "unsure",
            Self::Person => "person",
            Self::Handoff => "handoff",
            Self::HandoffContact => "handoff_contact",
            Self::Complaint => "complaint",
            Self::From => "from",
            Self::Also => "also",
        }
    }

    /// In a language, or in English where that has no words of its own.
    pub(crate) fn in_language(self, language: Language) -> &'static str {
        let of = |language| TABLES.get(&language).and_then(|table: &Table| table.sentences.get(self.key()).copied());
        of(language).or_else(|| of(Language::English)).unwrap_or_default()
    }
}

impl Talk {
    const fn key(self) -> &'static str {
        match self {
            Self::Hello => "talk_hello",
            Self::HowAreYou => "talk_how_are_you",
            Self::Thanks => "talk_thanks",
            Self::Bye => "talk_bye",
            Self::Robot => "talk_robot",
            Self::Ok => "talk_ok",
            Self::Polite => "talk_polite",
            Self::Person => "person_words",
            Self::Complaint => "complaint_words",
        }
    }

    /// Its folded entries in a language.
    pub(crate) fn entries(self, language: Language) -> &'static [String] {
        TABLES.get(&language).and_then(|table| table.lists.get(self.key())).map_or(&[], Vec::as_slice)
    }
}

/// Languages that it speaks.
pub(crate) fn spoken() -> impl Iterator<Item = Language> {
    FILES.iter().map(|(language, _)| *language)
}

struct Table {
    sentences: HashMap<&'static str, &'static str>,
    lists: HashMap<&'static str, Vec<String>>,
}

const FILES: &[(Language, &str)] = &[
    (Language::English, include_str!("en.tsv")),
    (Language::Spanish, include_str!("es.tsv")),
    (Language::French, include_str!("fr.tsv")),
    (Language::German, include_str!("de.tsv")),
    (Language::Italian, include_str!("it.tsv")),
    (Language::Portuguese, include_str!("pt.tsv")),
    (Language::Dutch, include_str!("nl.tsv")),
    (Language::Polish, include_str!("pl.tsv")),
    (Language::Russian, include_str!("ru.tsv")),
    (Language::Arabic, include_str!("ar.tsv")),
    (Language::Chinese, include_str!("zh.tsv")),
    (Language::Japanese, include_str!("ja.tsv")),
    (Language::Korean, include_str!("ko.tsv")),
    (Language::Swedish, include_str!("sv.tsv")),
    (Language::Danish, include_str!("da.tsv")),
    (Language::Norwegian, include_str!("nb.tsv")),
    (Language::Turkish, include_str!("tr.tsv")),
];

static TABLES: LazyLock<HashMap<Language, Table>> =
    LazyLock::new(|| FILES.iter().map(|(language, file)| (*language, read(file))).collect());

fn read(file: &'static str) -> Table {
    let rows = file.lines().filter(|line| !line.starts_with('#')).filter_map(|line| line.split_once('\t'));
    let mut table = Table { sentences: HashMap::new(), lists: HashMap::new() };
    for (key, text) in rows {
        if key.starts_with("talk_") || key.ends_with("_words") {
            let entries = text.split([',', '、', '،']).map(fold).filter(|entry| !entry.is_empty()).collect();
            table.lists.insert(key, entries);
        } else {
            table.sentences.insert(key, text.trim_end());
        }
    }
    table
}
