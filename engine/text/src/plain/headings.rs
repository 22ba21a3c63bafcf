//! Headings of plain text: numbered, named, in capitals or underlined, and how deep they stand.

/// Of what kind a heading is: those of one kind stand at one depth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Style {
    /// `PART A`, `Schedule 1`: never within anything else.
    Part,
    /// `Section 3`, `Article 5`, `§ 4`.
    Section,
    /// In capital letters.
    Capitals,
    /// Underlined with `=`, or with something else.
    Underlined(bool),
    Roman,
    Letter,
    /// `1.` is of depth 1, `1.2` of depth 2.
    Decimal(usize),
    /// A short line of its own.
    Plain,
}

/// A numbered or named heading.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Labelled<'a> {
    pub(super) style: Style,
    /// Its number as it is written.
    pub(super) label: &'a str,
    /// What stands after it.
    pub(super) title: &'a str,
    /// For numbers without a stop it takes more to be sure.
    pub(super) is_bare: bool,
    pub(super) is_glued: bool,
}

/// Words of a title at most, and their characters.
const TITLE_WORDS_MAX: usize = 14;
const TITLE_CHARS_MAX: usize = 100;

const PARTS: &[&str] = &[
    "part",
    "chapter",
    "schedule",
    "annex",
    "appendix",
    "exhibit",
    "attachment",
    "teil",
    "kapitel",
    "anlage",
    "anhang",
    "parte",
    "capítulo",
    "capitulo",
    "anexo",
    "partie",
    "chapitre",
    "annexe",
    "allegato",
    "capitolo",
    "título",
    "titre",
    "title",
];
const SECTIONS: &[&str] = &[
    "section",
    "sec.",
    "article",
    "art.",
    "clause",
    "paragraph",
    "abschnitt",
    "artikel",
    "paragraf",
    "ziffer",
    "sección",
    "seccion",
    "artículo",
    "articulo",
    "cláusula",
    "clausula",
    "articolo",
    "sezione",
    "artigo",
    "secção",
    "cláusula",
    "rule",
    "step",
    "question",
    "§",
    "§§",
];
const MONTHS: &[&str] = &[
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
    "januar",
    "februar",
    "märz",
    "mai",
    "juni",
    "juli",
    "oktober",
    "dezember",
    "enero",
    "febrero",
    "marzo",
    "abril",
    "mayo",
    "junio",
    "julio",
    "agosto",
    "septiembre",
    "octubre",
    "noviembre",
    "diciembre",
    "janvier",
    "février",
    "mars",
    "avril",
    "juin",
    "juillet",
    "août",
    "septembre",
    "octobre",
    "novembre",
    "décembre",
];
/// What begins a line that only says of when or which version a text is.
const NOTES: &[&str] = &[
    "last updated",
    "last revised",
    "last modified",
    "effective",
    "updated",
    "version",
    "date",
    "as of",
    "stand",
    "valid from",
    "revised",
    "gültig",
    "page",
    "seite",
    "página",
    "dear",
    "yours",
    "kind regards",
    "best regards",
    "regards",
    "sincerely",
    "copyright",
    "©",
    "tel",
    "phone",
    "fax",
    "e-mail",
    "email",
    "www",
    "http",
    "última",
    "dernière",
    "fecha",
];

/// Words that want another one after them.
const LINKING: &[&str] = &[
    "a", "an", "and", "of", "or", "our", "the", "your", "der", "die", "das", "den", "des", "gemäß", "im", "oder",
    "und", "vom", "zum", "zur", "al", "de", "del", "el", "la", "las", "los", "y", "au", "aux", "du", "et", "le", "les",
    "ou",
];

/// The number or name a line begins with, as a heading does.
pub(super) fn labelled(text: &str) -> Option<Labelled<'_>> {
    named(text).or_else(|| decimal(text)).or_else(|| lettered(text)).or_else(|| counted(text))
}

/// `Section 3 – Fees`, `§ 4 Fees`, `ANNEX A`.
fn named(text: &str) -> Option<Labelled<'_>> {
    let (word, after) = match text.strip_prefix("§§").or_else(|| text.strip_prefix('§')) {
        Some(after) => (&text[..text.len() - after.len()], after),
        None => text.split_once(' ')?,
    };
    let lower = word.to_lowercase();
    let style = if PARTS.contains(&lower.as_str()) {
        Style::Part
    } else if SECTIONS.contains(&lower.as_str()) {
        Style::Section
    } else {
        return None;
    };
    if !word.starts_with(|c: char| c.is_uppercase() || c == '§') {
        return None;
    }
    let after = after.trim_start();
    let number = after.split([' ', '\t', ':', '–', '—', ')']).next().unwrap_or_default();
    let bare = number.trim_end_matches(['.', '-']);
    let is_number = !bare.is_empty()
        && bare.len() <= 8
        && (bare.starts_with(|c: char| c.is_ascii_digit())
            || bare.bytes().all(|b| b"IVXLC".contains(&b))
            || (bare.len() == 1 && bare.bytes().all(|b| b.is_ascii_uppercase()))
            || COUNTS.contains(&bare.to_lowercase().as_str()))
        && bare
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || c == '.' || COUNTS.contains(&bare.to_lowercase().as_str()));
    if !is_number {
        return None;
    }
    let end = text.len() - after.len() + number.len();
    let rest = text[end..].trim_start();
    let title = rest.trim_start_matches([':', '–', '—', '-', '.', ')']).trim_start();
    // `Section 3 of these terms …` is a sentence, `Section 3 – of these terms` is not.
    let parted = title.len() < rest.len() || number.ends_with(['.', '-']) || rest.is_empty();
    if !parted && !title.starts_with(|c: char| !c.is_lowercase() && (c.is_alphanumeric() || c == '(')) {
        return None;
    }
    let label = text[..text.len() - title.len()].trim_end();
    Some(Labelled { style, label, title, is_bare: false, is_glued: false })
}

const COUNTS: &[&str] = &["one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"];

/// `1. Fees`, `1.2 Fees`, `1 Fees`, `09Fees`.
fn decimal(text: &str) -> Option<Labelled<'_>> {
    let length = text.bytes().take_while(|b| b.is_ascii_digit() || *b == b'.').count();
    let number = text[..length].trim_end_matches('.');
    let parts: Vec<&str> = number.split('.').collect();
    if number.is_empty() || parts.len() > 5 || parts.iter().any(|part| part.is_empty() || part.len() > 2) {
        return None;
    }
    let rest = &text[length..];
    let closed = rest.strip_prefix([')', ':']).unwrap_or(rest);
    let is_stopped = length > number.len() || closed.len() < rest.len();
    let title = closed.trim_start_matches([' ', '\t']);
    let is_glued = title.len() == closed.len();
    let is_parted = ["– ", "— ", "- "].iter().any(|dash| title.starts_with(dash));
    let title = title.trim_start_matches(['–', '—', '-']).trim_start();
    if title.is_empty() {
        return None;
    }
    if is_glued && !is_stopped {
        // `09Data retention`, not `3D printing`.
        let mut chars = title.chars();
        let fits = chars.next().is_some_and(char::is_uppercase) && chars.next().is_some_and(char::is_lowercase);
        if !fits || parts.len() > 3 {
            return None;
        }
    }
    let label = &text[..text.len() - rest.len() + (rest.len() - closed.len())];
    let is_bare = !is_stopped && !is_parted;
    // `2.0` is what `2.1` is a part of.
    let depth = if parts.len() > 1 && parts.last() == Some(&"0") { parts.len() - 1 } else { parts.len() };
    Some(Labelled { style: Style::Decimal(depth), label, title, is_bare, is_glued })
}

/// `IV. Fees`, `B) Fees`.
fn lettered(text: &str) -> Option<Labelled<'_>> {
    let length = text.bytes().take_while(u8::is_ascii_uppercase).take(6).count();
    let name = &text[..length];
    let rest = text[length..].strip_prefix(['.', ')'])?;
    let title = rest.trim_start();
    if length == 0 || title.len() == rest.len() || title.is_empty() {
        return None;
    }
    let is_roman = name.bytes().all(|b| b"IVXL".contains(&b));
    let style = match length {
        1 if !matches!(name, "I" | "V" | "X") => Style::Letter,
        _ if is_roman => Style::Roman,
        _ => return None,
    };
    Some(Labelled { style, label: &text[..=length], title, is_bare: false, is_glued: false })
}

/// `第3条 料金`.
fn counted(text: &str) -> Option<Labelled<'_>> {
    let rest = text.strip_prefix('第')?;
    let (at, unit) = rest.char_indices().take(7).find(|(_, c)| matches!(c, '条' | '條' | '章' | '节' | '節'))?;
    let end = '第'.len_utf8() + at + unit.len_utf8();
    let title = text[end..].trim_start_matches([' ', '\u{3000}', ':', '：', '、']);
    let style = if matches!(unit, '章') { Style::Part } else { Style::Section };
    Some(Labelled { style, label: &text[..end], title, is_bare: false, is_glued: false })
}

/// Whether words are a title and no sentence or piece of one.
pub(super) fn is_title(text: &str) -> bool {
    let asks = text.ends_with(['?', '？']);
    let words = text.split_whitespace().count();
    let chars = text.chars().count();
    let most = if asks { 2 } else { 1 };
    if words == 0 || words > TITLE_WORDS_MAX * most || chars > TITLE_CHARS_MAX * most || chars < 2 {
        return false;
    }
    let is_uncased = text.chars().filter(|c| c.is_alphabetic() && !c.is_lowercase() && !c.is_uppercase()).count() > 1;
    if is_uncased && chars > 30 && !asks {
        return false;
    }
    if text.ends_with(['.', ',', ';', ':', '!', '。', '、', '，', '：', '；', '-', '…', '|'])
        || text.contains(['@', '|', '\t'])
    {
        return false;
    }
    let Some(first) = text.trim_start_matches(['¿', '¡', '"', '“', '„', '«', '(', '\'']).chars().next() else {
        return false;
    };
    if first.is_lowercase() || !first.is_alphanumeric() || first.is_ascii_digit() {
        return false;
    }
    let letters = text.chars().filter(|c| c.is_alphabetic()).count();
    let digits = text.chars().filter(char::is_ascii_digit).count();
    if letters < 2 || digits * 2 > letters {
        return false;
    }
    let last = text.rsplit(' ').next().unwrap_or_default();
    if words > 1 && LINKING.contains(&last) {
        return false;
    }
    // A sentence ends within it, or it is a name with a value.
    let mut ends =
        text.match_indices(". ").filter(|(at, _)| text[..*at].rsplit(' ').next().is_some_and(|w| w.len() > 3));
    ends.next().is_none() && !text.contains("://") && !text.contains("www.")
}

/// Whether a line without a number may be a title: not a date, a form of address or a name with a value.
pub(super) fn is_plain_title(text: &str) -> bool {
    let lower = text.to_lowercase();
    let is_note = NOTES.iter().any(|note| {
        lower.strip_prefix(note).is_some_and(|rest| !rest.starts_with(|c: char| c.is_alphanumeric() || c == '-'))
    });
    is_title(text) && !is_note && super::items::pair(text).is_none() && !is_date(text)
}

fn is_date(text: &str) -> bool {
    let has_year = text.split(|c: char| !c.is_ascii_digit()).any(|part| part.len() == 4);
    has_year
        && text.split_whitespace().count() <= 5
        && text.to_lowercase().split(|c: char| !c.is_alphabetic()).any(|word| MONTHS.contains(&word))
}

/// Whether a number before these words is a day: `Dezember`, `Dezember: geschlossen`, `March 2026`.
pub(super) fn is_month(title: &str) -> bool {
    let word = title.split(|c: char| !c.is_alphabetic()).next().unwrap_or_default();
    let behind = title[word.len()..].trim_start();
    MONTHS.contains(&word.to_lowercase().as_str())
        && (behind.is_empty() || behind.starts_with(|c: char| c.is_ascii_digit() || matches!(c, ':' | ',')))
}

/// Whether words are in capital letters throughout.
pub(super) fn is_capitals(text: &str) -> bool {
    let letters = text.chars().filter(|c| c.is_uppercase()).count();
    letters >= 3 && !text.chars().any(char::is_lowercase) && text.split_whitespace().count() <= TITLE_WORDS_MAX
}

/// A title and the text that goes on behind it on the same line: `Liability. In no event …`.
pub(super) fn run_in(text: &str) -> Option<(&str, &str)> {
    let (at, mark) = text.char_indices().take(TITLE_CHARS_MAX).find(|(at, c)| {
        let after = &text[at + c.len_utf8()..];
        let is_end = matches!(c, '.' | ':' | '–' | '—') && after.starts_with(' ');
        is_end && after.trim_start().starts_with(|c: char| c.is_uppercase() || c == '(' || c == '"' || c == '“')
    })?;
    let title = text[..at].trim_end();
    let rest = text[at + mark.len_utf8()..].trim_start();
    let words: Vec<&str> = title.split_whitespace().collect();
    let is_name = |word: &&str| word.starts_with(|c: char| !c.is_lowercase()) || word.chars().count() <= 3;
    let fits = (1..=9).contains(&words.len())
        && is_title(title)
        && rest.split_whitespace().count() >= 3
        && (words.iter().all(is_name) || words.len() <= 2)
        && !matches!(words.last().copied(), Some("e.g" | "i.e" | "No" | "Art" | "Nr"));
    fits.then_some((title, rest))
}

/// The headings that are open, from the outermost.
#[derive(Default)]
pub(super) struct Outline {
    open: Vec<Style>,
}

impl Outline {
    /// The level of the next heading of this kind.
    pub(super) fn level(&mut self, style: Style) -> usize {
        if style == Style::Part {
            self.open.clear();
        }
        if style != Style::Plain {
            while self.open.last() == Some(&Style::Plain) {
                self.open.pop();
            }
        }
        if let Some(at) = self.open.iter().position(|open| *open == style) {
            self.open.truncate(at);
        } else if let Style::Decimal(depth) = style {
            let deeper = |open: &Style| matches!(open, Style::Decimal(other) if *other >= depth);
            if let Some(at) = self.open.iter().position(deeper) {
                self.open.truncate(at);
            }
        }
        self.open.push(style);
        (self.open.len() + 1).min(6)
    }
}
