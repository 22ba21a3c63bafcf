//! What the demo tenant knows from the start: this project's own pages, compiled in.

use super::Document;

/// Each page by the name it has in the repository.
const PAGES: &[(&str, &str)] = &[("schema/ERRORS.md", include_str!("../../../schema/ERRORS.md"))];

/// The pages to learn at start. Learning them again costs nothing unless they changed.
#[must_use]
pub fn documents() -> Vec<Document> {
    PAGES.iter().map(|(source, text)| Document { source: (*source).into(), text: (*text).into() }).collect()
}

#[cfg(test)]
mod tests {
    use super::documents;
    use crate::knowledge::chunk::pieces;

    #[test]
    fn every_page_gives_passages() {
        for document in documents() {
            assert!(!pieces(&document.source, document.text.as_str()).is_empty(), "{}", document.source);
        }
    }
}
