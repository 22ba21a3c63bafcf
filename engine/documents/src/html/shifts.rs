//! Words that a page sets above or below their line, written so that they change no figure.
//! Invariant: each node is looked at once; the page is otherwise left as it is.

use engine_text::raised::{Shift, shifted};

use super::tree::{Data, Node, Tree};

/// Letters before such words that are looked at.
const BEFORE_CHARS: usize = 6;

/// Writes all such words of a page.
pub(super) fn write(tree: &mut Tree) {
    let (mut at, mut before) = (0, String::new());
    while at < tree.nodes.len() {
        let node = &tree.nodes[at];
        if let Data::Text(text) = &node.data {
            note(&mut before, text);
        } else if !node.is_inline() || node.name() == "br" {
            before.clear();
        }
        let Some(shift) = shift(node) else {
            at += 1;
            continue;
        };
        let run = tree.under(at);
        let words = tree.words(at);
        let is_mark = run.clone().any(|one| tree.nodes[one].name() == "a")
            || tree.above(at).take(2).any(|one| tree.nodes[one].name() == "a");
        let mut written = Some(shifted(&before, &words, shift, is_mark));
        // What is not changed stays where it is; else all words stand in the first place with words.
        if written.as_deref() != Some(words.as_str()) && !words.contains('\n') {
            for node in &mut tree.nodes[run.clone()] {
                if let Data::Text(text) = &mut node.data {
                    *text = written.take().unwrap_or_default();
                }
            }
        }
        note(&mut before, &words);
        at = run.end;
    }
}

/// Where an element's words stand to their line.
fn shift(node: &Node) -> Option<Shift> {
    let is_note = node.attribute("role") == Some("doc-noteref")
        || node.attribute("epub:type").is_some_and(|kinds| kinds.split_whitespace().any(|kind| kind == "noteref"));
    match node.name() {
        "sup" => Some(Shift::Raised),
        "sub" => Some(Shift::Lowered),
        "a" if is_note => Some(Shift::Raised),
        "span" | "a" | "small" | "font" | "i" | "b" | "em" | "strong" => {
            let style = node.attribute("style")?.to_ascii_lowercase();
            let mut pairs = style.split(';').filter_map(|pair| pair.split_once(':'));
            let (_, place) = pairs.find(|(name, _)| name.trim() == "vertical-align")?;
            match place.trim() {
                "super" => Some(Shift::Raised),
                "sub" => Some(Shift::Lowered),
                _ => None,
            }
        }
        _ => None,
    }
}

/// Keeps the last letters of what was read.
fn note(before: &mut String, text: &str) {
    let from = text.char_indices().rev().nth(BEFORE_CHARS - 1).map_or(0, |(at, _)| at);
    if from > 0 {
        before.clear();
    }
    before.push_str(&text[from..]);
    if let Some((at, _)) = before.char_indices().rev().nth(BEFORE_CHARS) {
        before.drain(..at);
    }
}
