//! PDF: the text of its pages, run together into paragraphs.

use std::panic::{AssertUnwindSafe, catch_unwind};

use pdf_extract::{Document, Object, PlainTextOutput, output_doc_page};

use super::{Kind, Page, Unreadable, pdf_text};

/// Pages read of one document.
const PAGES_MAX: usize = 5_000;

pub(super) fn read(bytes: &[u8]) -> Result<Page, Unreadable> {
    let mut document =
        catch_unwind(|| Document::load_mem(bytes).ok()).ok().flatten().ok_or(Unreadable::Malformed(Kind::Pdf))?;
    // Many are encrypted only so that they cannot be changed, and open without a password.
    if document.is_encrypted() && document.decrypt("").is_err() {
        return Err(Unreadable::Encrypted);
    }
    let numbers: Vec<u32> = document.get_pages().into_keys().take(PAGES_MAX).collect();
    let mut pages = Vec::new();
    let mut failed = 0;
    let mut length = 0;
    for number in &numbers {
        match page(&document, *number) {
            Some(text) => {
                length += text.len();
                // Twice what can be learned: headers and footers are still in it.
                if length > 2 * schema::limits::DOCUMENT_BYTES_MAX {
                    return Err(Unreadable::TooLong);
                }
                pages.push(text);
            }
            None => failed += 1,
        }
    }
    if failed == numbers.len() {
        return Err(Unreadable::Malformed(Kind::Pdf));
    }
    let markdown = pdf_text::markdown(&pages);
    if markdown.trim().is_empty() {
        return Err(Unreadable::Scanned);
    }
    let title = title(&document);
    let markdown = match &title {
        Some(title) => pdf_text::under(title, &markdown),
        None => markdown,
    };
    Ok(Page { title, markdown, ..Page::default() })
}

/// One page; the library panics on some fonts, which must not take the other pages.
fn page(document: &Document, number: u32) -> Option<String> {
    let read = catch_unwind(AssertUnwindSafe(|| {
        let mut text = String::new();
        let mut output = PlainTextOutput::new(&mut text);
        output_doc_page(document, &mut output, number).ok().map(|()| text)
    }));
    read.ok().flatten()
}

fn title(document: &Document) -> Option<String> {
    let info = document.trailer.get(b"Info").ok()?;
    let (_, info) = document.dereference(info).ok()?;
    let (_, title) = document.dereference(info.as_dict().ok()?.get(b"Title").ok()?).ok()?;
    let Object::String(bytes, _) = title else { return None };
    let text = match bytes.as_slice() {
        [0xfe, 0xff, rest @ ..] => encoding_rs::UTF_16BE.decode_without_bom_handling(rest).0.into_owned(),
        bytes => super::text::decode(bytes, None).ok()?.into_owned(),
    };
    pdf_text::title(&text)
}
