//! Widths of the letters of composite fonts, written so that the library reads them.
//! A font may say "from letter to letter, all so wide". The library takes the first letter's number for the
//! width, and so misses these: with widths of nothing, every word falls apart. So every width is written for
//! its letter.

use std::collections::BTreeMap;

use pdf_extract::{Dictionary, Document, Object};

/// Resources lie no deeper within an object.
const DEPTH_MAX: usize = 6;
/// Letters that one range may name before its width is taken as that of all others.
const RANGE_MAX: i64 = 4_096;
/// Widths that may be written out of any document, however small it is …
const ROOM_FREE: usize = 65_536;
/// … and beyond that one for so many of its bytes.
const BYTES_PER_WIDTH: usize = 16;
/// The width of letters whose font names none.
const WIDTH_USUAL: i64 = 1_000;

/// Writes the widths of every composite font of a document of so many bytes.
pub(super) fn write_out(document: &mut Document, bytes: usize) {
    let mut room = ROOM_FREE + bytes / BYTES_PER_WIDTH;
    let ids: Vec<_> = document.objects.keys().copied().collect();
    for id in ids {
        let Some(mut object) = document.objects.remove(&id) else { continue };
        visit(&mut object, 0, document, &mut room);
        document.objects.insert(id, object);
    }
}

fn visit(object: &mut Object, depth: usize, document: &Document, room: &mut usize) {
    let dictionary = match object {
        Object::Dictionary(dictionary) => dictionary,
        Object::Stream(stream) => &mut stream.dict,
        Object::Array(inner) if depth < DEPTH_MAX => {
            inner.iter_mut().for_each(|inner| visit(inner, depth + 1, document, room));
            return;
        }
        _ => return,
    };
    if matches!(dictionary.get(b"Subtype"), Ok(Object::Name(name)) if name.starts_with(b"CIDFontType")) {
        write_font(dictionary, document, room);
    } else if depth < DEPTH_MAX {
        dictionary.iter_mut().for_each(|(_, inner)| visit(inner, depth + 1, document, room));
    }
}

fn write_font(font: &mut Dictionary, document: &Document, room: &mut usize) {
    let number = |object: &Object| document.dereference(object).ok().and_then(|(_, object)| object.as_float().ok());
    let said = font.get(b"DW").ok().and_then(number);
    let mut usual = said.map(|width| width.round() as i64);
    let mut widths: BTreeMap<i64, f32> = BTreeMap::new();
    if let Ok((_, Object::Array(items))) = font.get(b"W").and_then(|list| document.dereference(list)) {
        let mut at = 0;
        while let (Some(first), Some(next)) = (items.get(at).and_then(number), items.get(at + 1)) {
            let first = first as i64;
            if let Ok((_, Object::Array(list))) = document.dereference(next) {
                at += 2;
                for (letter, width) in (first..).zip(list.iter().filter_map(number)).take(*room) {
                    *room -= 1;
                    widths.insert(letter, width);
                }
                continue;
            }
            at += 3;
            let (Some(last), Some(width)) = (number(next), items.get(at - 1).and_then(number)) else { continue };
            let last = last as i64;
            if last.saturating_sub(first) >= RANGE_MAX {
                usual = Some(width.round() as i64);
                continue;
            }
            for letter in (first..=last).take(*room) {
                *room -= 1;
                widths.insert(letter, width);
            }
        }
    }
    let mut written: Vec<Object> = Vec::new();
    let mut next = None;
    for (letter, width) in widths {
        match written.last_mut() {
            Some(Object::Array(list)) if next == Some(letter) => list.push(Object::Real(width)),
            _ => written.extend([Object::Integer(letter), Object::Array(vec![Object::Real(width)])]),
        }
        next = letter.checked_add(1);
    }
    font.set("DW", usual.unwrap_or(WIDTH_USUAL));
    font.set("W", written);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The widths that the library will read, by letter.
    fn read(font: &Dictionary) -> BTreeMap<i64, f32> {
        let list = font.get(b"W").unwrap().as_array().unwrap();
        let pairs = list.chunks(2).flat_map(|pair| {
            let widths = pair[1].as_array().unwrap().iter().map(|width| width.as_float().unwrap());
            (pair[0].as_i64().unwrap()..).zip(widths).collect::<Vec<_>>()
        });
        pairs.collect()
    }

    #[test]
    fn ranges_are_widths_of_each_letter() {
        let n = Object::Integer;
        let list = |widths: &[i64]| Object::Array(widths.iter().map(|width| n(*width)).collect());
        for (widths, expected, usual) in [
            (vec![n(3), n(5), n(317)], vec![(3, 317.0), (4, 317.0), (5, 317.0)], 250),
            (vec![n(1), list(&[10, 20]), n(7), n(7), n(30)], vec![(1, 10.0), (2, 20.0), (7, 30.0)], 250),
            (vec![n(0), n(65_535), n(600), n(4), list(&[9])], vec![(4, 9.0)], 600),
            // Not whole, the wrong way round, no number: what is right beside it is read.
            (vec![n(8), list(&[5]), n(3)], vec![(8, 5.0)], 250),
            (vec![n(9), n(2), n(5), n(8), list(&[5])], vec![(8, 5.0)], 250),
            (vec![n(9), Object::Null, n(5), n(8), list(&[5])], vec![(8, 5.0)], 250),
        ] {
            let mut document = Document::new();
            let mut font = Dictionary::new();
            font.set("Subtype", Object::Name(b"CIDFontType2".to_vec()));
            font.set("DW", 250);
            font.set("W", widths.clone());
            let id = document.add_object(font);
            write_out(&mut document, 0);
            let font = document.get_dictionary(id).unwrap();
            assert_eq!(read(font), expected.into_iter().collect(), "{widths:?}");
            assert_eq!(font.get(b"DW").unwrap().as_i64().unwrap(), usual, "{widths:?}");
        }
    }

    #[test]
    fn ranges_cost_no_more_than_the_document_is_worth() {
        let mut document = Document::new();
        let ranges: Vec<Object> =
            (0..1_000).flat_map(|at| [at * 4_000, at * 4_000 + 3_999, 500]).map(Object::Integer).collect();
        let mut font = Dictionary::new();
        font.set("Subtype", Object::Name(b"CIDFontType0".to_vec()));
        font.set("W", ranges);
        let ids = [document.add_object(font.clone()), document.add_object(font)];
        write_out(&mut document, 160);
        let written: usize = ids.iter().map(|id| read(document.get_dictionary(*id).unwrap()).len()).sum();
        assert_eq!(written, ROOM_FREE + 10);
    }
}
