//! Notes on the cells of a sheet, and its drawings, which are not read.

use std::collections::HashMap;

use super::package::{Relation, Step, each, value};
use super::xlsx_place::place_of;
use super::{Kind, LeftOut, Unreadable, WhyLeftOut};

/// A longer note is cut, in characters.
const NOTE_CHARS_MAX: usize = 1_000;
/// Parts left out that are told of one document.
const LEFT_OUT_MAX: usize = 20;

/// Notes by row (from 1) and column (from 0), without the names of those who wrote them.
pub(super) fn notes(xml: &str) -> Result<HashMap<(usize, usize), String>, Unreadable> {
    let (mut notes, mut authors) = (HashMap::new(), Vec::<String>::new());
    let (mut place, mut author, mut words, mut in_text, mut in_author) = (None, None, String::new(), false, false);
    each(Kind::Xlsx, xml, |step| match step {
        Step::Open(start) => match start.local_name().into_inner() {
            "author" => {
                in_author = true;
                authors.push(String::new());
            }
            "comment" => {
                place = value(start, "ref").and_then(|place| place_of(&place));
                author = value(start, "authorId").and_then(|n| n.parse::<usize>().ok());
                words.clear();
            }
            "t" => in_text = true,
            _ => {}
        },
        Step::Close("author") => in_author = false,
        Step::Close("t") => in_text = false,
        Step::Close("comment") => {
            let by = author.and_then(|at| authors.get(at)).map_or("", String::as_str);
            if let (Some(place), Some(note)) = (place.take(), said(&words, by)) {
                notes.insert(place, note);
            }
        }
        Step::Words(more) if in_text => words.push_str(more),
        Step::Words(more) if in_author => {
            if let Some(last) = authors.last_mut() {
                last.push_str(more);
            }
        }
        Step::Close(_) | Step::Words(_) => {}
    })?;
    Ok(notes)
}

/// What a note says itself.
fn said(words: &str, author: &str) -> Option<String> {
    // Newer programs write a note for older ones to show, with what it says behind a sentence on that.
    let words = match words.trim_start().strip_prefix("[Threaded comment]") {
        Some(rest) => rest.split_once("Comment:").map_or("", |(_, said)| said),
        None => words,
    };
    let words = words.split_whitespace().collect::<Vec<_>>().join(" ");
    let own = words.strip_prefix(author.trim()).and_then(|rest| rest.strip_prefix(':')).unwrap_or(&words).trim();
    let own: String = own.chars().take(NOTE_CHARS_MAX).collect();
    (!own.is_empty()).then_some(own)
}

/// Tells of a sheet's drawings: charts, boxes and pictures.
pub(super) fn unread(relations: &HashMap<String, Relation>, sheet: &str, left_out: &mut Vec<LeftOut>) {
    if relations.values().any(|relation| relation.kind == "drawing") && left_out.len() < LEFT_OUT_MAX {
        let what = format!("drawings on sheet {}", sheet.chars().take(40).collect::<String>());
        left_out.push(LeftOut { what, why: WhyLeftOut::Unread, chars: 0 });
    }
}
