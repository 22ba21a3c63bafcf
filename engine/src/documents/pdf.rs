//! PDF: the text of its pages, run together into paragraphs.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};

use pdf_extract::{ConvertToFmt, Document, Object, PlainTextOutput, output_doc_page};

use super::{Kind, Page, Unreadable, pdf_text};

/// Pages read of one document.
const PAGES_MAX: usize = 5_000;
/// Text that is taken of any document, however small it is …
const TEXT_BYTES_FREE: usize = 1024 * 1024;
/// … and beyond that times its size: what is drawn once may be shown on every page, but a text is packed
/// to no less than a tenth.
const TEXT_TIMES_MAX: usize = 20;
/// Twice what can be learned: headers and footers are still in it.
const TEXT_BYTES_MAX: usize = 2 * schema::limits::DOCUMENT_BYTES_MAX;

pub(super) fn read(bytes: &[u8]) -> Result<Page, Unreadable> {
    let mut document =
        catch_unwind(|| Document::load_mem(bytes).ok()).ok().flatten().ok_or(Unreadable::Malformed(Kind::Pdf))?;
    // Many are encrypted only so that they cannot be changed, and open without a password.
    if document.is_encrypted() && document.decrypt("").is_err() {
        return Err(Unreadable::Encrypted);
    }
    let numbers: Vec<u32> = document.get_pages().into_keys().take(PAGES_MAX).collect();
    let mut room = bytes.len().saturating_mul(TEXT_TIMES_MAX).saturating_add(TEXT_BYTES_FREE);
    let is_scarce = room < TEXT_BYTES_MAX;
    room = room.min(TEXT_BYTES_MAX);
    let mut pages = Vec::new();
    let mut failed = 0;
    for number in &numbers {
        let mut words = Words { text: String::new(), room, is_full: false };
        let read = page(&document, *number, &mut words);
        if words.is_full {
            return Err(if is_scarce { Unreadable::Costly } else { Unreadable::TooLong });
        }
        room = words.room;
        match read {
            Some(()) => pages.push(words.text),
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
fn page(document: &Document, number: u32, words: &mut Words) -> Option<()> {
    let read = catch_unwind(AssertUnwindSafe(|| {
        let mut output = PlainTextOutput::new(words);
        output_doc_page(document, &mut output, number).ok()
    }));
    read.ok().flatten()
}

/// A page's text, which ends the reading of it when there is too much: a page may show the same again and
/// again.
struct Words {
    text: String,
    /// Bytes that may still come, on this page and those after it.
    room: usize,
    is_full: bool,
}

impl fmt::Write for Words {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let Some(room) = self.room.checked_sub(text.len()) else {
            self.is_full = true;
            return Err(fmt::Error);
        };
        self.room = room;
        self.text.push_str(text);
        Ok(())
    }
}

impl<'a> ConvertToFmt for &'a mut Words {
    type Writer = &'a mut Words;

    fn convert(self) -> Self::Writer {
        self
    }
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
