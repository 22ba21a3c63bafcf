//! The numbers of a list's items: as they were written, or counted where all have the same.
//! Invariant: a number that was written at an item is the one that is shown, unless its list has one number only.

use std::ops::Range;

use pulldown_cmark::{Event, Tag, TagEnd};

/// For each list in the order in which they begin its first number, where its items are to be counted from it.
pub(super) fn counted(events: &[(Event<'_>, Range<usize>)], text: &str) -> Vec<Option<u64>> {
    let mut lists: Vec<Option<u64>> = Vec::new();
    // Open lists, and what number all of their items so far have.
    let mut open: Vec<(usize, Option<&str>)> = Vec::new();
    for (event, range) in events {
        match event {
            Event::Start(Tag::List(first)) => {
                open.push((lists.len(), None));
                lists.push(*first);
            }
            Event::End(TagEnd::List(_)) => {
                open.pop();
            }
            Event::Start(Tag::Item) => {
                let Some((list, same)) = open.last_mut() else { continue };
                let number = written(&text[range.clone()]).map(|(digits, _)| digits);
                if same.is_some_and(|same| Some(same) != number) {
                    lists[*list] = None;
                }
                *same = number;
            }
            _ => {}
        }
    }
    lists
}

/// The digits that an item begins with, and the sign behind them.
pub(super) fn written(item: &str) -> Option<(&str, char)> {
    let item = item.trim_start();
    let digits = item.bytes().take_while(u8::is_ascii_digit).count();
    let sign = item[digits..].chars().next().filter(|sign| matches!(sign, '.' | ')'))?;
    (digits > 0).then(|| (&item[..digits], sign))
}

#[cfg(test)]
mod tests {
    use pulldown_cmark::Parser;

    use super::*;

    #[test]
    fn only_a_list_of_one_number_is_counted() {
        for (text, expected) in [
            ("1. a\n1. b\n1. c", &[Some(1)][..]),
            ("5. a", &[Some(5)]),
            ("24. a\n26. b\n1. c", &[None]),
            ("1. a\n2. b\n2. c", &[None]),
            ("01. a\n1. b", &[None]),
            ("- a\n- b", &[None]),
            ("1. a\n   1. x\n   3. y\n1. b", &[Some(1), None]),
            ("> 2. a\n> 4. b\n\n1) a\n1) b", &[None, Some(1)]),
        ] {
            let events: Vec<_> = Parser::new(text).into_offset_iter().collect();
            assert_eq!(counted(&events, text), expected, "{text}");
        }
    }
}
