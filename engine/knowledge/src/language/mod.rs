//! Languages, and the words of each that carry no subject or say what kind of answer is asked for. Which one a
//! text is in: see `telling`.
//! Invariant: the lists are data (`*.tsv`), folded as [`words`](super::words) folds.

mod list;

use std::sync::LazyLock;

use rustc_hash::FxHashMap;
use schema::Locale;

use super::words::fold;
use list::LISTS;
pub(super) use list::{List, Lists};

/// A language that documents are read in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Language {
    English,
    Spanish,
    French,
    German,
    Italian,
    Portuguese,
    Dutch,
    Polish,
    Russian,
    Arabic,
    Chinese,
    Japanese,
    Korean,
    Swedish,
    Danish,
    Norwegian,
    Turkish,
}

use Language::{
    Arabic, Chinese, Danish, Dutch, English, French, German, Italian, Japanese, Korean, Norwegian, Polish, Portuguese,
    Russian, Spanish, Swedish, Turkish,
};

/// How many there are.
const LANGUAGES: usize = 17;

/// One language's lists. Hashed by what is quick and may be guessed: they are constants, and no text adds to them.
struct Table {
    /// Which lists have a word or phrase.
    lists: FxHashMap<String, Lists>,
    /// How many words the longest phrase has that begins with a word.
    longest: FxHashMap<String, usize>,
    /// The entries of each list.
    entries: Vec<Vec<String>>,
    /// Words for 1, 2, 3 and so on.
    numbers: FxHashMap<String, usize>,
}

impl Table {
    /// Reads a file whose rows are `name TAB entry, entry …`; `#` begins a remark. Rows with a name
    /// that is not known are passed over; a test refuses them.
    fn read(file: &str) -> Self {
        let rows = file.lines().filter(|line| !line.starts_with('#')).filter_map(|line| line.split_once('\t'));
        let mut lists: FxHashMap<String, Lists> = FxHashMap::default();
        let mut longest: FxHashMap<String, usize> = FxHashMap::default();
        let mut by_list = vec![Vec::new(); LISTS.len()];
        let mut numbers = FxHashMap::default();
        for (name, entries) in rows {
            let Some((_, list)) = LISTS.iter().find(|(known, _)| *known == name.trim()) else { continue };
            if *list == List::Numbers {
                numbers.extend(entries.split(',').map(fold).zip(1..));
            }
            for entry in entries.split(',').map(fold).filter(|entry| !entry.is_empty()) {
                let first = entry.split(' ').next().unwrap_or_default().to_string();
                let words = longest.entry(first).or_default();
                *words = entry.split(' ').count().max(*words);
                let known = lists.entry(entry.clone()).or_default();
                if !known.has(*list) {
                    *known = known.and(Lists::of(&[*list]));
                    by_list[list.place()].push(entry);
                }
            }
        }
        Self { lists, longest, entries: by_list, numbers }
    }
}

/// The files, in the order of the languages.
const FILES: [&str; LANGUAGES] = [
    include_str!("en.tsv"),
    include_str!("es.tsv"),
    include_str!("fr.tsv"),
    include_str!("de.tsv"),
    include_str!("it.tsv"),
    include_str!("pt.tsv"),
    include_str!("nl.tsv"),
    include_str!("pl.tsv"),
    include_str!("ru.tsv"),
    include_str!("ar.tsv"),
    include_str!("zh.tsv"),
    include_str!("ja.tsv"),
    include_str!("ko.tsv"),
    include_str!("sv.tsv"),
    include_str!("da.tsv"),
    include_str!("nb.tsv"),
    include_str!("tr.tsv"),
];

static TABLES: LazyLock<[Table; LANGUAGES]> = LazyLock::new(|| FILES.map(Table::read));

impl Language {
    /// All of them.
    pub(super) const ALL: [Self; LANGUAGES] = [
        English, Spanish, French, German, Italian, Portuguese, Dutch, Polish, Russian, Arabic, Chinese, Japanese,
        Korean, Swedish, Danish, Norwegian, Turkish,
    ];

    /// Two letters, ISO 639-1.
    pub(super) const fn code(self) -> &'static str {
        match self {
            English => "en",
            Spanish => "es",
            French => "fr",
            German => "de",
            Italian => "it",
            Portuguese => "pt",
            Dutch => "nl",
            Polish => "pl",
            Russian => "ru",
            Arabic => "ar",
            Chinese => "zh",
            Japanese => "ja",
            Korean => "ko",
            Swedish => "sv",
            Danish => "da",
            Norwegian => "nb",
            Turkish => "tr",
        }
    }

    /// The language that a locale names, if documents are read in it.
    pub(super) fn of_locale(locale: &Locale) -> Option<Self> {
        // Norwegian is written in two forms, and named as a whole, too.
        let said = match locale.language() {
            tag if ["no", "nn"].iter().any(|norwegian| tag.eq_ignore_ascii_case(norwegian)) => Norwegian.code(),
            tag => tag,
        };
        Self::ALL.into_iter().find(|language| said.eq_ignore_ascii_case(language.code()))
    }

    /// Whether a list of this language has a folded word or phrase.
    pub(super) fn has(self, list: List, entry: &str) -> bool {
        self.lists(entry).has(list)
    }

    /// All lists of this language that have a folded word or phrase.
    pub(super) fn lists(self, entry: &str) -> Lists {
        TABLES[self as usize].lists.get(entry).copied().unwrap_or_default()
    }

    /// All lists of this language of which a folded line has an entry as whole words. (Entries in scripts without
    /// spaces stand anywhere in a line: for these, look for [`Self::entries`].)
    pub(super) fn lists_in(self, line: &str) -> Lists {
        let mut found = Lists::default();
        let mut rest = line.trim_start_matches(' ');
        while !rest.is_empty() {
            let ends = rest.match_indices(' ').map(|(end, _)| end).chain([rest.len()]);
            let first = rest.find(' ').unwrap_or(rest.len());
            for end in ends.take(self.longest(&rest[..first])) {
                found = found.and(self.lists(&rest[..end]));
            }
            rest = rest[first..].trim_start_matches(' ');
        }
        found
    }

    /// How many words the longest entry has that begins with a folded word: 0 where none does.
    pub(super) fn longest(self, first: &str) -> usize {
        TABLES[self as usize].longest.get(first).copied().unwrap_or(0)
    }

    /// Whether it is written without spaces, or with words that stand together.
    pub(super) const fn is_spaceless(self) -> bool {
        matches!(self, Chinese | Japanese | Korean)
    }

    /// The number for which a folded word stands: `three` is 3. Not for one, which is an article, too.
    pub(super) fn number(self, word: &str) -> Option<usize> {
        TABLES[self as usize].numbers.get(word).copied().filter(|number| *number > 1)
    }

    /// The entries of a list.
    pub(super) fn entries(self, list: List) -> impl Iterator<Item = &'static str> {
        TABLES[self as usize].entries[list.place()].iter().map(String::as_str)
    }

    /// Whether a folded word carries no subject in this language.
    pub(super) fn is_small(self, word: &str) -> bool {
        self.has(List::Small, word)
    }

    /// Whether its words are often made of several words joined.
    pub(super) const fn joins_words(self) -> bool {
        matches!(self, German | Dutch | Swedish | Danish | Norwegian)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::values::contains;

    #[test]
    fn a_text_tells_its_language() {
        for (text, language) in [
            ("how do I return a coat?", English),
            ("¿Cómo puedo devolver un abrigo?", Spanish),
            ("Wie kann ich einen Mantel zurückgeben?", German),
            ("Combien coûte la livraison ?", French),
            ("Quanto costa la spedizione?", Italian),
            ("Quanto custa a entrega?", Portuguese),
            ("Wat kost de verzending?", Dutch),
            ("Ile kosztuje dostawa?", Polish),
            ("Сколько стоит доставка?", Russian),
            ("كم سعر شحن؟", Arabic),
            ("运费是多少", Chinese),
            ("送料はいくらですか", Japanese),
            ("배송비는 얼마예요?", Korean),
            ("Vad kostar frakten?", Swedish),
            ("Hvad koster fragten?", Danish),
            ("Hvor mye koster frakten?", Norwegian),
            ("Kargo ne kadar?", Turkish),
            ("E04", English),
            ("", English),
        ] {
            assert_eq!(Language::of(text, English), language, "{text}");
        }
        assert_eq!(Language::of("Kasse?", German), German);
    }

    #[test]
    fn every_language_has_its_lists() {
        for language in Language::ALL {
            for (name, list) in LISTS {
                let has_any = language.entries(list).next().is_some();
                let may_lack = matches!(list, List::Measure | List::Leans | List::Pronouns | List::Common);
                assert!(has_any || may_lack, "{}: {name}", language.code());
            }
        }
    }

    #[test]
    fn every_row_has_a_reader() {
        for (file, language) in FILES.iter().zip(Language::ALL) {
            for (name, _) in file.lines().filter(|line| !line.starts_with('#')).filter_map(|line| line.split_once('\t'))
            {
                assert!(LISTS.iter().any(|(known, _)| *known == name.trim()), "{}: {name}", language.code());
            }
        }
    }

    /// Looking each word up finds what looking for each entry finds.
    #[test]
    fn the_lists_of_a_line_are_those_whose_entries_it_has() {
        let mut seed = 0x5eed_usize;
        let mut random = |below: usize| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (seed >> 33) % below
        };
        for language in Language::ALL.into_iter().filter(|language| !language.is_spaceless()) {
            let entries: Vec<&str> = LISTS.iter().flat_map(|(_, list)| language.entries(*list)).collect();
            for _ in 0..200 {
                let pick = |n: usize| entries[n % entries.len()];
                let parts: Vec<&str> = (0..1 + random(6))
                    .map(|_| match random(3) {
                        0 => "heron",
                        // A part of a phrase is not the phrase.
                        1 => pick(random(9_999)).split(' ').next().unwrap(),
                        _ => pick(random(9_999)),
                    })
                    .collect();
                let line = format!(" {} ", parts.join(" "));
                let found = language.lists_in(&line);
                for (name, list) in LISTS {
                    let has = language.entries(list).any(|entry| contains(&line, entry));
                    assert_eq!(found.has(list), has, "{} {name}: {line}", language.code());
                }
            }
        }
    }
}
