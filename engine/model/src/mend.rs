//! Repairs JSON as some servers write it, before it is read, so that no field can break another.
//! Invariant: what is right already stays as it is, and text loses nothing that is half of a character.

use std::borrow::Cow;

/// Where a half of a character beyond U+FFFF stands until the other half has come: private characters at
/// the end of Unicode, which nobody has a use for in a reply.
const STAND_INS: u32 = 0x10_0000;
const HIGH: std::ops::RangeInclusive<u16> = 0xD800..=0xDBFF;
const LOW: std::ops::RangeInclusive<u16> = 0xDC00..=0xDFFF;

/// Numbers that Python writes and JSON does not know become null, raw control characters in text are
/// escaped, and a half of a character (`"\ud83d"` without its other half) becomes a stand-in.
pub(super) fn mend(json: &str) -> Cow<'_, str> {
    if !is_suspicious(json.as_bytes()) {
        return Cow::Borrowed(json);
    }
    let mut mended = String::with_capacity(json.len() + 16);
    let mut rest = json;
    let mut in_text = false;
    while let Some(c) = rest.chars().next() {
        let mut taken = c.len_utf8();
        match c {
            '"' => {
                in_text = !in_text;
                mended.push(c);
            }
            '\\' if in_text => match half(rest) {
                Some(high)
                    if HIGH.contains(&high) && rest.get(6..).and_then(half).is_some_and(|low| LOW.contains(&low)) =>
                {
                    taken = 12;
                    mended.push_str(rest.get(..taken).unwrap_or_default());
                }
                Some(half) => {
                    taken = 6;
                    mended.extend(char::from_u32(STAND_INS + u32::from(half)));
                }
                None => {
                    taken += rest.get(1..).and_then(|rest| rest.chars().next()).map_or(0, char::len_utf8);
                    mended.push_str(rest.get(..taken).unwrap_or_default());
                }
            },
            c if in_text && c < ' ' => mended.push_str(&format!("\\u{:04x}", u32::from(c))),
            _ if in_text => mended.push(c),
            _ => match ["NaN", "-Infinity", "Infinity"].iter().find(|number| rest.starts_with(**number)) {
                Some(number) => {
                    taken = number.len();
                    mended.push_str("null");
                }
                None => mended.push(c),
            },
        }
        rest = rest.get(taken..).unwrap_or_default();
    }
    Cow::Owned(mended)
}

/// Whether anything in it may have to be mended.
fn is_suspicious(json: &[u8]) -> bool {
    json.iter().enumerate().any(|(at, byte)| match byte {
        b'\\' => matches!(json.get(at + 1..at + 3), Some([b'u', b'd' | b'D'])),
        b'N' => json.get(at + 1) == Some(&b'a'),
        b'I' => json.get(at + 1) == Some(&b'n'),
        byte => *byte < b' ',
    })
}

/// The half of a character that is written here.
fn half(text: &str) -> Option<u16> {
    let half = u16::from_str_radix(text.strip_prefix("\\u")?.get(..4)?, 16).ok()?;
    (0xD800..=0xDFFF).contains(&half).then_some(half)
}

/// Joins halves of characters across the pieces of a text.
#[derive(Debug, Default)]
pub(super) struct Halves {
    high: Option<u16>,
}

impl Halves {
    /// The next piece, without a half at its end.
    pub(super) fn join(&mut self, text: String) -> String {
        if self.high.is_none() && !text.chars().any(|c| stands_for(c).is_some()) {
            return text;
        }
        let mut joined = String::with_capacity(text.len());
        for c in text.chars() {
            match (self.high.take(), stands_for(c)) {
                (Some(high), Some(low)) if LOW.contains(&low) => {
                    joined.extend(char::decode_utf16([high, low]).map(|c| c.unwrap_or(char::REPLACEMENT_CHARACTER)));
                }
                (before, now) => {
                    joined.extend(before.map(|_| char::REPLACEMENT_CHARACTER));
                    match now {
                        Some(high) if HIGH.contains(&high) => self.high = Some(high),
                        Some(_) => joined.push(char::REPLACEMENT_CHARACTER),
                        None => joined.push(c),
                    }
                }
            }
        }
        joined
    }

    /// What is left when no more text comes.
    pub(super) fn end(&mut self) -> Option<char> {
        self.high.take().map(|_| char::REPLACEMENT_CHARACTER)
    }
}

fn stands_for(c: char) -> Option<u16> {
    let half = u16::try_from(u32::from(c).checked_sub(STAND_INS)?).ok()?;
    (0xD800..=0xDFFF).contains(&half).then_some(half)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_json_becomes_json_and_the_rest_stays() {
        for (json, mended) in [
            (r#"{"a":NaN,"b":[-Infinity,Infinity],"c":"NaN"}"#, r#"{"a":null,"b":[null,null],"c":"NaN"}"#),
            ("{\n\t\"a\": \"b\tc\"}", "{\n\t\"a\": \"b\\u0009c\"}"),
            (r#""\ud83d\ude00""#, r#""\ud83d\ude00""#),
            (r#""\\ud83d \" NaN \u00e9""#, r#""\\ud83d \" NaN \u00e9""#),
            ("\"\u{85}é🙂\"", "\"\u{85}é🙂\""),
        ] {
            assert_eq!(mend(json), mended, "{json}");
            assert!(serde_json::from_str::<serde_json::Value>(&mend(json)).is_ok(), "{json}");
        }
    }

    #[test]
    fn halves_are_joined_across_pieces_and_a_lone_one_is_replaced() {
        for (pieces, expected) in [
            (&[r#""a\ud83d""#, r#""\ude00b""#][..], "a😀b"),
            (&[r#""\ud83d\ude00""#], "😀"),
            (&[r#""\ud83d""#, r#""x""#], "\u{fffd}x"),
            (&[r#""\ude00x""#], "\u{fffd}x"),
            (&[r#""\ud83d\ud83d""#, r#""\ude00""#], "\u{fffd}😀"),
            (&[r#""x\ud83d""#], "x\u{fffd}"),
            (&[r#""é""#, r#""🙂""#], "é🙂"),
        ] {
            let mut halves = Halves::default();
            let mut text: String =
                pieces.iter().map(|piece| halves.join(serde_json::from_str(&mend(piece)).unwrap())).collect();
            text.extend(halves.end());
            assert_eq!(text, expected, "{pieces:?}");
        }
    }
}
