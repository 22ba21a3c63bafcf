//! Clause numbers that are glued to their words (`3.2At a counter`), as copies of set text have them.
//! Invariant: a number is told apart only where its neighbours number lines as well: versions, sizes and dates stay.

use std::borrow::Cow;
use std::collections::HashSet;

/// Digits of one part of a number, and parts.
const DIGITS_MAX: usize = 2;
const PARTS_MAX: usize = 5;

/// A text with a blank between each clause's number and its words.
pub(super) fn told_apart(text: &str) -> Cow<'_, str> {
    let numbered = || text.split('\n').filter_map(|line| Some((line, numbered(line)?)));
    if !numbered().any(|(line, number)| is_glued(line, &number)) {
        return text.into();
    }
    let known: HashSet<String> = numbered().map(|(_, number)| number.spelled()).collect();
    let mut apart = String::with_capacity(text.len() + 64);
    for (n, line) in text.split('\n').enumerate() {
        if n > 0 {
            apart.push('\n');
        }
        match self::numbered(line).filter(|number| is_glued(line, number) && number.has_neighbour(&known)) {
            Some(number) => {
                let (label, words) = line.split_at(number.end);
                apart.push_str(label);
                apart.push(' ');
                apart.push_str(words);
            }
            None => apart.push_str(line),
        }
    }
    apart.into()
}

/// The number that a line begins with.
struct Number {
    parts: Vec<u32>,
    /// Where it ends in its line, its stop included.
    end: usize,
    is_stopped: bool,
}

impl Number {
    fn spelled(&self) -> String {
        spelled(&self.parts)
    }

    /// Whether the number before or after it, or the one it is a part of, begins a line too.
    fn has_neighbour(&self, known: &HashSet<String>) -> bool {
        let Some((last, head)) = self.parts.split_last() else { return false };
        let with = |last: u32| spelled(&[head, &[last]].concat());
        let is_first = *last <= 1 && !head.is_empty() && known.contains(&spelled(head));
        known.contains(&with(last + 1))
            || last.checked_sub(1).is_some_and(|last| known.contains(&with(last)))
            || is_first
    }
}

fn spelled(parts: &[u32]) -> String {
    parts.iter().map(u32::to_string).collect::<Vec<_>>().join(".")
}

fn numbered(line: &str) -> Option<Number> {
    let text = line.trim_start();
    let before = line.len() - text.len();
    let length =
        text.bytes().take(PARTS_MAX * (DIGITS_MAX + 1)).take_while(|b| b.is_ascii_digit() || *b == b'.').count();
    let number = &text[..length];
    let bare = number.strip_suffix('.').unwrap_or(number);
    let closes = usize::from(text[length..].starts_with(')'));
    let parts = bare.split('.').map(|part| {
        let fits = (1..=DIGITS_MAX).contains(&part.len());
        part.parse().ok().filter(|_| fits)
    });
    let parts = parts.collect::<Option<Vec<u32>>>()?;
    let is_stopped = bare.len() < number.len() || closes > 0;
    Some(Number { parts, end: before + length + closes, is_stopped })
}

/// Whether words begin right behind the number, as a sentence or a title does.
fn is_glued(line: &str, number: &Number) -> bool {
    let words = &line[number.end..];
    let mut chars = words.chars();
    let begins =
        chars.next().is_some_and(char::is_uppercase) && chars.next().is_some_and(|c| c.is_lowercase() || c == ' ');
    begins && (number.parts.len() > 1 || number.is_stopped)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_told_apart_where_their_neighbours_are_numbers_too() {
        for (text, expected) in [
            ("3.1By post you wait.\n3.2At a counter", "3.1 By post you wait.\n3.2 At a counter"),
            ("3.1 By post\n  3.2At a counter", "3.1 By post\n  3.2 At a counter"),
            ("3. Returns\n3.1A counter", "3. Returns\n3.1 A counter"),
            ("1.We send it.\n2.You pay it.", "1. We send it.\n2. You pay it."),
            ("1)We send it.\n2)You pay it.", "1) We send it.\n2) You pay it."),
            ("4.1.2You may ask\n4.1.3You may go", "4.1.2 You may ask\n4.1.3 You may go"),
            ("2.4Ghz is the band.", "2.4Ghz is the band."),
            ("3.2At a counter", "3.2At a counter"),
            ("2.2Weighing\n2.3Packing", "2.2 Weighing\n2.3 Packing"),
            ("1.0General\n1.1Who we are", "1.0 General\n1.1 Who we are"),
            ("1.Word\n2.Word", "1. Word\n2. Word"),
            ("1.5kg of it\n1.6kg of it", "1.5kg of it\n1.6kg of it"),
            ("3D prints are made.\n4D prints are not.", "3D prints are made.\n4D prints are not."),
            ("24.Dezember ist ein Tag.", "24.Dezember ist ein Tag."),
            ("123.4At once\n123.5At all", "123.4At once\n123.5At all"),
        ] {
            assert_eq!(told_apart(text), expected, "{text}");
        }
    }
}
