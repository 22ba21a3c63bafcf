//! PDF: the text of its pages, run together into paragraphs.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};

use pdf_extract::{Document, MediaBox, Object, ObjectId, OutputDev, OutputError, Transform, output_doc_page};

use super::pdf_fonts::{Letters, prepare};
use super::pdf_order::{is_leftward, is_leftward_mark};
use super::pdf_page::{CELL_GAP, Cut, Item, Run, SPACE, items};
use super::pdf_shown::{self, Shown};
use super::{Kind, LeftOut, ReadDocument, Unreadable, WhyLeftOut, pdf_text, pdf_widths};

/// Pages read of one document.
const PAGES_MAX: usize = 5_000;
/// Text that is taken of any document, however small it is …
const TEXT_BYTES_FREE: usize = 1024 * 1024;
/// … and beyond that times its size: what is drawn once may be shown on every page, but a text is packed
/// to no less than a tenth.
const TEXT_TIMES_MAX: usize = 20;
/// Twice what can be learned: headers and footers are still in it.
const TEXT_BYTES_MAX: usize = 2 * schema::limits::DOCUMENT_BYTES_MAX;

pub(super) fn read(bytes: &[u8]) -> Result<ReadDocument, Unreadable> {
    let mut document =
        catch_unwind(|| Document::load_mem(bytes).ok()).ok().flatten().ok_or(Unreadable::Malformed(Kind::Pdf))?;
    // Many are encrypted only so that they cannot be changed, and open without a password.
    if document.is_encrypted() && document.decrypt("").is_err() {
        return Err(Unreadable::Encrypted);
    }
    let has_unread_fonts = prepare(&mut document);
    pdf_widths::write_out(&mut document, bytes.len());
    let numbers: Vec<(u32, ObjectId)> = document.get_pages().into_iter().take(PAGES_MAX).collect();
    let mut room = bytes.len().saturating_mul(TEXT_TIMES_MAX).saturating_add(TEXT_BYTES_FREE);
    let is_scarce = room < TEXT_BYTES_MAX;
    room = room.min(TEXT_BYTES_MAX);
    let mut pages: Vec<Vec<Item>> = Vec::new();
    let mut failed = 0;
    let (mut unseen, mut slanted) = (0, 0);
    for (number, id) in &numbers {
        let shown = catch_unwind(AssertUnwindSafe(|| pdf_shown::pieces(&document, *id))).ok().flatten();
        let mut words = Words { room, shown, ..Words::default() };
        let mut read = page(&document, *number, &mut words);
        if !words.is_told_of_all() && !words.is_full {
            words = Words { room, ..Words::default() };
            read = page(&document, *number, &mut words);
        }
        if words.is_full {
            return Err(if is_scarce { Unreadable::Costly } else { Unreadable::TooLong });
        }
        room = words.room;
        match read {
            Some(()) => {
                unseen += words.unseen;
                slanted += words.slanted;
                pages.push(words.items());
            }
            None => failed += 1,
        }
    }
    if failed == numbers.len() {
        return Err(Unreadable::Malformed(Kind::Pdf));
    }
    let markdown = pdf_text::markdown(&pages);
    if markdown.trim().is_empty() {
        return Err(if has_unread_fonts { Unreadable::Letters } else { Unreadable::Scanned });
    }
    let title = title(&document);
    let markdown = match &title {
        Some(title) => pdf_text::under(title, &markdown),
        None => markdown,
    };
    let parts = [("invisible text", WhyLeftOut::Hidden, unseen), ("slanted text", WhyLeftOut::Outside, slanted)];
    let part = |(what, why, chars): (&str, WhyLeftOut, usize)| LeftOut { what: what.to_owned(), why, chars };
    let left_out = parts.into_iter().filter(|part| part.2 > 0).map(part).collect();
    Ok(ReadDocument { title, markdown, left_out, ..ReadDocument::default() })
}

/// One page; the library panics on some fonts, which must not take the other pages.
fn page(document: &Document, number: u32, words: &mut Words) -> Option<()> {
    let read = catch_unwind(AssertUnwindSafe(|| output_doc_page(document, words, number).ok()));
    read.ok().flatten()
}

/// A page's words in their places. It ends the reading of the page when there is too much: a page may show the
/// same again and again.
#[derive(Default)]
struct Words {
    /// What runs from left to right, and what is turned.
    level: Vec<Run>,
    turned: Vec<Run>,
    letters: Letters,
    top: f64,
    /// A space was written after the last letter.
    space: bool,
    last_is_turned: bool,
    /// How each piece of words is shown, and whether the page is a scan; None when all is seen.
    shown: Option<(Vec<Shown>, bool)>,
    /// Pieces that have begun.
    piece: usize,
    /// Letters that nobody sees, and those of marks over a page.
    unseen: usize,
    slanted: usize,
    /// Bytes that may still come, on this page and those after it.
    room: usize,
    is_full: bool,
}

impl Words {
    /// Whether the pieces that were told of are those that came.
    fn is_told_of_all(&self) -> bool {
        self.shown.as_ref().is_none_or(|(pieces, _)| pieces.len() == self.piece)
    }

    fn items(self) -> Vec<Item> {
        // A landscape page is turned as a whole.
        let (first, second) =
            if self.turned.len() > self.level.len() { (self.turned, self.level) } else { (self.level, self.turned) };
        let mut all = items(first);
        all.extend(items(second));
        all
    }

    fn letter(&mut self, place: &Transform, width: f64, font_size: f64, letter: &str, signs: usize) {
        let size = font_size.abs() * place.m21.hypot(place.m22);
        let is_turned = place.m12.abs() > place.m11.abs();
        let (from, y) = match (is_turned, place.m12 > 0.0) {
            (false, _) => (place.m31, self.top - place.m32),
            (true, true) => (place.m32, place.m31),
            (true, false) => (-place.m32, -place.m31),
        };
        if letter.trim().is_empty() {
            self.space = true;
            return;
        }
        let is_slanted = place.m12.abs().min(place.m11.abs()) > 0.15 * place.m11.hypot(place.m12);
        let shown = self.shown.as_ref().map_or(Shown::Seen, |(pieces, is_scan)| {
            // The words under the picture of a scanned page are its text.
            let shown = self.piece.checked_sub(1).and_then(|at| pieces.get(at)).copied().unwrap_or(Shown::Seen);
            if shown == Shown::Inkless && *is_scan { Shown::Seen } else { shown }
        });
        if shown != Shown::Seen || is_slanted {
            let count = if shown == Shown::Seen { &mut self.slanted } else { &mut self.unseen };
            *count += letter.chars().count();
            return;
        }
        let wide = width * font_size.abs() * place.m11.hypot(place.m12);
        let (from, to) = (from - wide * (signs - 1) as f64, from + wide);
        // Letters drawn as one are in the order in which they are read; all others are as they stand.
        let turned_round: String;
        let letter = if letter.chars().nth(1).is_some() && letter.contains(is_leftward) {
            turned_round = letter.chars().rev().collect();
            turned_round.as_str()
        } else {
            letter
        };
        let space = std::mem::take(&mut self.space);
        let same_way = self.last_is_turned == is_turned;
        self.last_is_turned = is_turned;
        let runs = if is_turned { &mut self.turned } else { &mut self.level };
        if let Some(last) = runs.last_mut().filter(|_| same_way) {
            let gap = from - last.to;
            let goes_on = (y - last.y).abs() < 0.05 * size && (size - last.size).abs() < 0.1 * size;
            if goes_on && gap > -0.4 * size && gap < 0.9 * size {
                // A mark is drawn before the letter that it belongs to, wherever over it.
                let is_of_mark = !space && last.words.ends_with(is_leftward_mark);
                if !is_of_mark && (gap > SPACE * size || (space && gap > -0.05 * size)) {
                    if !space && gap > CELL_GAP * size {
                        last.cuts.push(Cut { at: last.words.len(), to: last.to, from });
                    }
                    last.words.push(' ');
                }
                last.words.push_str(letter);
                last.to = to;
                return;
            }
        }
        runs.push(Run { from, to, y, size, words: letter.to_owned(), cuts: Vec::new() });
    }
}

impl OutputDev for Words {
    fn begin_page(&mut self, _: u32, media_box: &MediaBox, _: Option<(f64, f64, f64, f64)>) -> Result<(), OutputError> {
        self.top = media_box.ury;
        Ok(())
    }

    fn end_page(&mut self) -> Result<(), OutputError> {
        Ok(())
    }

    fn output_character(
        &mut self,
        place: &Transform,
        width: f64,
        _: f64,
        font_size: f64,
        signs: &str,
    ) -> Result<(), OutputError> {
        // A place costs more than a letter.
        let Some(room) = self.room.checked_sub(signs.len().max(1)) else {
            self.is_full = true;
            return Err(fmt::Error.into());
        };
        self.room = room;
        if let Some((letter, signs)) = self.letters.read(signs) {
            self.letter(place, width, font_size, &letter, signs);
        }
        Ok(())
    }

    fn begin_word(&mut self) -> Result<(), OutputError> {
        self.piece += 1;
        Ok(())
    }

    fn end_word(&mut self) -> Result<(), OutputError> {
        Ok(())
    }

    fn end_line(&mut self) -> Result<(), OutputError> {
        Ok(())
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

#[cfg(test)]
#[path = "pdf_tests.rs"]
mod tests;
