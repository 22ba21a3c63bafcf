//! Letters of East Asian fonts whose codes are those of a usual encoding.
//! The library knows no predefined character maps. So such a font is made one of single bytes, each a private
//! sign that names the encoding and the byte, and [`Letters`] puts bytes together to letters again.

use encoding_rs::{BIG5, EUC_JP, EUC_KR, Encoding, GB18030, SHIFT_JIS, UTF_8, UTF_16BE};
use pdf_extract::{Dictionary, Document, Object, Stream};

/// Where the private signs begin: the last plane of Unicode.
const PRIVATE: u32 = 0x10_0000;
const ENCODINGS: [&Encoding; 7] = [UTF_16BE, UTF_8, SHIFT_JIS, EUC_JP, GB18030, EUC_KR, BIG5];
/// Resources lie no deeper within an object.
const DEPTH_MAX: usize = 6;
/// Half of a letter's usual width: two bytes are one letter.
const BYTE_WIDTH: i64 = 500;

/// Makes every font with a predefined character map one that can be read; whether some cannot.
pub(super) fn prepare(document: &mut Document) -> bool {
    let ids: Vec<_> = document.objects.keys().copied().collect();
    let mut prepared: [Option<(Object, Object)>; ENCODINGS.len()] = Default::default();
    let mut descendants = Vec::new();
    let mut unread = false;
    for id in ids {
        let Some(mut object) = document.objects.remove(&id) else { continue };
        visit(&mut object, 0, &mut |font| {
            let name = match font.get(b"Encoding") {
                Ok(Object::Name(name)) => String::from_utf8_lossy(name).into_owned(),
                Ok(Object::Reference(other)) => match document.objects.get(other) {
                    Some(Object::Name(name)) => String::from_utf8_lossy(name).into_owned(),
                    _ => return,
                },
                _ => return,
            };
            if name.starts_with("Identity") {
                unread |= !font.has(b"ToUnicode");
                return;
            }
            let Some(at) = encoding(&name) else {
                // Its words are left out; the library would break down.
                unread = true;
                font.set("Encoding", Object::Name(b"Identity-H".to_vec()));
                font.remove(b"ToUnicode");
                return;
            };
            let (codes, letters) = prepared[at].get_or_insert_with(|| {
                let mut add =
                    |map: String| Object::Reference(document.add_object(Stream::new(Dictionary::new(), map.into())));
                (add(codes()), add(letters(at)))
            });
            font.set("Encoding", codes.clone());
            font.set("ToUnicode", letters.clone());
            if let Ok(Object::Array(inner)) = font.get_mut(b"DescendantFonts") {
                for inner in inner {
                    match inner {
                        Object::Dictionary(inner) => narrow(inner),
                        Object::Reference(id) => descendants.push(*id),
                        _ => {}
                    }
                }
            }
        });
        document.objects.insert(id, object);
    }
    for id in descendants {
        if let Ok(inner) = document.get_dictionary_mut(id) {
            narrow(inner);
        }
    }
    unread
}

fn visit(object: &mut Object, depth: usize, step: &mut impl FnMut(&mut Dictionary)) {
    if depth > DEPTH_MAX {
        return;
    }
    match object {
        Object::Dictionary(dictionary) => {
            if matches!(dictionary.get(b"Subtype"), Ok(Object::Name(name)) if name == b"Type0") {
                step(dictionary);
                return;
            }
            dictionary.iter_mut().for_each(|(_, inner)| visit(inner, depth + 1, step));
        }
        Object::Stream(stream) => stream.dict.iter_mut().for_each(|(_, inner)| visit(inner, depth + 1, step)),
        _ => {}
    }
}

fn narrow(font: &mut Dictionary) {
    font.remove(b"W");
    font.set("DW", BYTE_WIDTH);
}

/// The encoding a predefined map reads, by its place.
fn encoding(name: &str) -> Option<usize> {
    let found = if name.contains("UCS2") || name.contains("UTF16") {
        UTF_16BE
    } else if name.contains("UTF8") {
        UTF_8
    } else if name.contains("RKSJ") {
        SHIFT_JIS
    } else if name.starts_with("GB") {
        GB18030
    } else if name.starts_with("KSC") && !name.contains("Johab") {
        EUC_KR
    } else if name.contains("B5") {
        BIG5
    } else if name == "EUC-H" || name == "EUC-V" {
        EUC_JP
    } else {
        return None;
    };
    ENCODINGS.iter().position(|encoding| *encoding == found)
}

/// Codes of one byte. The library takes a range's digits for twice as many bytes as they are; the second range
/// says the same to one that does not.
fn codes() -> String {
    "2 begincodespacerange\n<0000> <00FF>\n<00> <FF>\nendcodespacerange\n1 begincidrange\n<00> <FF> 0\nendcidrange\n"
        .into()
}

fn letters(encoding: usize) -> String {
    let mut map = String::from("1 begincodespacerange\n<00> <FF>\nendcodespacerange\n");
    for bytes in [0..100u32, 100..200, 200..256] {
        map.push_str(&format!("{} beginbfchar\n", bytes.len()));
        for byte in bytes {
            let sign = PRIVATE + 256 * encoding as u32 + byte - 0x1_0000;
            map.push_str(&format!("<{byte:02X}> <{:04X}{:04X}>\n", 0xd800 + (sign >> 10), 0xdc00 + (sign & 0x3ff)));
        }
        map.push_str("endbfchar\n");
    }
    map
}

/// Puts private signs together to letters.
#[derive(Default)]
pub(super) struct Letters {
    bytes: Vec<u8>,
}

impl Letters {
    /// The letters that a sign completes, and of how many signs; others stay as they are. None while bytes are
    /// missing.
    pub(super) fn read(&mut self, signs: &str) -> Option<(String, usize)> {
        let code = signs.chars().next().map_or(0, u32::from);
        let at = code.checked_sub(PRIVATE).map(|sign| sign as usize / 256);
        let Some(encoding) = at.and_then(|at| ENCODINGS.get(at)) else {
            self.bytes.clear();
            return Some((signs.to_owned(), 1));
        };
        self.bytes.push((code % 256) as u8);
        match encoding.decode_without_bom_handling_and_without_replacement(&self.bytes) {
            Some(letters) => {
                let read = (letters.into_owned(), self.bytes.len());
                self.bytes.clear();
                Some(read)
            }
            None => {
                if self.bytes.len() >= 4 {
                    self.bytes.clear();
                }
                None
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_letters_again_in_every_encoding() {
        for (name, text) in [
            ("UniJIS-UCS2-H", "送料は500円"),
            ("UniGB-UTF16-V", "运费 𠀀"),
            ("UniKS-UTF8-H", "배송비"),
            ("90ms-RKSJ-H", "送料ｱ1"),
            ("EUC-H", "送料"),
            ("GBK-EUC-H", "运费5元"),
            ("GBK2K-V", "运费"),
            ("KSCms-UHC-H", "배송비"),
            ("ETen-B5-H", "運費"),
        ] {
            let at = encoding(name).unwrap();
            let bytes = if at == 0 {
                text.encode_utf16().flat_map(u16::to_be_bytes).collect()
            } else {
                ENCODINGS[at].encode(text).0.into_owned()
            };
            let mut letters = Letters::default();
            let sign = |byte: &u8| char::from_u32(PRIVATE + 256 * at as u32 + u32::from(*byte)).unwrap().to_string();
            let read: String =
                bytes.iter().filter_map(|byte| letters.read(&sign(byte))).map(|(letter, _)| letter).collect();
            assert_eq!(read, text, "{name}");
        }
        assert_eq!(encoding("KSC-Johab-H").or(encoding("CNS1-H")), None);
        assert_eq!(Letters::default().read("ab"), Some(("ab".into(), 1)));
    }
}
