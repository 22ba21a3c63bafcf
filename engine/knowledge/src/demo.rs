//! The demo tenant's first documents: this project's own pages, compiled in.

use super::Document;

/// Each page by the name it has in the repository.
const PAGES: &[(&str, &str)] = &[
    ("README.md", include_str!("../../../README.md")),
    ("schema/PROTOCOL.md", include_str!("../../../schema/PROTOCOL.md")),
    ("schema/ERRORS.md", include_str!("../../../schema/ERRORS.md")),
];

/// The annotated settings, which are a page once their comments are prose.
const SETTINGS: (&str, &str) = ("engine/config/src/default.toml", include_str!("../../config/src/default.toml"));

/// The pages to learn at start. Learning them again costs nothing unless they changed.
#[must_use]
pub fn documents() -> Vec<Document> {
    let pages = PAGES.iter().map(|(source, text)| Document::new(*source, *text));
    let settings = Document::new(SETTINGS.0, settings_page(SETTINGS.1));
    pages.chain([settings]).collect()
}

/// The settings as Markdown: a heading for each key, with its comment and its default under it.
fn settings_page(toml: &str) -> String {
    let mut page = String::from("# Settings\n\n");
    let (mut table, mut comment) = (String::new(), String::new());
    for line in toml.lines() {
        if let Some(words) = line.strip_prefix('#') {
            let words = words.strip_prefix(' ').unwrap_or(words);
            comment.push_str(words);
            comment.push('\n');
        } else if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            table = format!("{name}.");
            if !comment.trim().is_empty() {
                page.push_str(&format!("## `{name}`\n\n{comment}\n"));
            }
            comment.clear();
        } else if let Some((key, _)) = line.split_once(" = ") {
            page.push_str(&format!("## `{table}{key}`\n\n{comment}\nDefault: `{line}`\n\n"));
            comment.clear();
        } else {
            // A comment that stands alone is about the file.
            page.push_str(&comment);
            page.push('\n');
            comment.clear();
        }
    }
    page
}

#[cfg(test)]
mod tests {
    use super::{SETTINGS, documents, settings_page};
    use crate::chunk::pieces;

    #[test]
    fn every_page_gives_passages() {
        for document in documents() {
            assert!(!pieces(&document.source, document.text.as_str()).is_empty(), "{}", document.source);
        }
    }

    #[test]
    fn every_setting_is_found_under_its_own_name() {
        let passages = pieces(SETTINGS.0, &settings_page(SETTINGS.1));
        for (heading, says) in [
            ("listen", "Env: TERTULIA_LISTEN"),
            ("providers.openai.base_url", "OPENAI_BASE_URL"),
            ("limits.messages_per_second", "messages_per_second = 20"),
        ] {
            let found = passages.iter().any(|piece| piece.heading.contains(heading) && piece.text.contains(says));
            assert!(found, "{heading}: {passages:#?}");
        }
    }
}
