//! Large texts in parts that are read one after the other: what reading takes grows with a part, not with the text.
//! Invariant: the parts are the text, none is much longer than [`PART_BYTES`], and they end where blocks do as long as
//! there is such a place.

/// A text up to this length is read whole, …
const PART_BYTES: usize = 128 * 1024;
/// … and in the last so many bytes of a part an end is looked for.
const SEARCHED_BYTES: usize = PART_BYTES / 2;

/// The parts of a text.
pub(super) fn parts(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let (part, after) = rest.split_at(end(rest));
        rest = after;
        (!part.is_empty()).then_some(part)
    })
}

/// Where the first part ends.
fn end(text: &str) -> usize {
    if text.len() <= PART_BYTES {
        return text.len();
    }
    let most = text.floor_char_boundary(PART_BYTES);
    let (mut at, mut fence, mut best) = (0, None, (0, most));
    let mut before_is_blank = false;
    for line in text[..most].split_inclusive('\n') {
        let words = line.trim_start();
        let mark = ["```", "~~~"].into_iter().find(|mark| words.starts_with(mark));
        // A line that begins a block: the better, the less it can belong to what is before it.
        let rank = match (fence, before_is_blank) {
            (Some(_), _) => 1,
            (None, true) if line.starts_with('#') => 4,
            (None, true) if line.starts_with(char::is_alphanumeric) => 3,
            (None, _) => 2,
        };
        if at >= most - SEARCHED_BYTES && rank >= best.0 {
            best = (rank, at);
        }
        if mark.is_some() && (fence.is_none() || fence == mark) {
            fence = if fence.is_none() { mark } else { None };
        }
        before_is_blank = words.is_empty();
        at += line.len();
    }
    best.1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_the_text_and_end_where_blocks_do() {
        for (block, begins) in [
            ("Words of a paragraph\non two lines.\n\n", "Words"),
            ("# Title\n\nWords.\n\n- item\n- item\n\n", "# Title"),
            ("Words.\n\n```\na\n\nb\n```\n\n", "Words."),
            ("a\n", "a"),
            (">", ">"),
            ("ä", "ä"),
        ] {
            let text = block.repeat(3 * PART_BYTES / block.len());
            let all: Vec<&str> = parts(&text).collect();
            assert_eq!(all.concat(), text);
            assert!(all.len() >= 3 && all.iter().all(|part| part.len() <= PART_BYTES), "{block:?}");
            assert!(all.iter().all(|part| part.starts_with(begins)), "{block:?}");
        }
        assert_eq!(parts("").count(), 0);
    }
}
