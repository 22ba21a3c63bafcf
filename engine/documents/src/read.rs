//! Reads a document, of whichever kind it is.

use engine_text::plain;

use super::{FILE_BYTES_MAX, Kind, ReadDocument, Unreadable, csv_table, docx, epub, html, odt, pdf, pptx, text, xlsx};

/// Links kept of a page.
const LINKS_MAX: usize = 2_000;

/// Whether a list of words for robots says `noindex`, and `nofollow`. A list may be for one robot
/// only: `otherbot: noindex`.
#[must_use]
pub fn robots_words(list: &str) -> (bool, bool) {
    match list.split_once(':') {
        Some((name, words)) if name.trim().eq_ignore_ascii_case("tertulia") => html::directives(words),
        Some(_) => (false, false),
        None => html::directives(list),
    }
}

/// Reads a document. `charset` is what a server said of its letters.
///
/// # Errors
/// Why it cannot be learned.
pub fn read(kind: Kind, charset: Option<&str>, bytes: &[u8]) -> Result<ReadDocument, Unreadable> {
    if bytes.len() > FILE_BYTES_MAX {
        return Err(Unreadable::TooLarge);
    }
    let mut page = match kind {
        Kind::Markdown => {
            ReadDocument { markdown: text::decode(bytes, charset)?.into_owned(), ..ReadDocument::default() }
        }
        Kind::Text => {
            ReadDocument { markdown: plain::to_markdown(&text::decode(bytes, charset)?), ..ReadDocument::default() }
        }
        Kind::Html => html::read(&html::decode(bytes, charset))?,
        Kind::Pdf => pdf::read(bytes)?,
        Kind::Docx => docx::read(bytes)?,
        Kind::Pptx => pptx::read(bytes)?,
        Kind::Xlsx => xlsx::read(bytes)?,
        Kind::Odt => odt::read(bytes)?,
        Kind::Epub => epub::read(bytes)?,
        Kind::Csv => csv_table::read(&text::decode(bytes, charset)?)?,
    };
    if page.markdown.contains(text::is_stray) {
        page.markdown.retain(|c| !text::is_stray(c));
    }
    if page.markdown.len() > schema::limits::DOCUMENT_BYTES_MAX {
        return Err(Unreadable::TooLong);
    }
    // A page that asks not to be kept has no text for us, and its links may matter all the same.
    if page.markdown.trim().is_empty() && page.links.is_empty() && !page.noindex {
        return Err(Unreadable::Empty);
    }
    page.links.truncate(LINKS_MAX);
    Ok(page)
}
