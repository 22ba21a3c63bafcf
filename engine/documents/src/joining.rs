//! Joins what lines, pages and cells have parted.

use engine_text::plain::is_unspaced;

/// Joins two pieces of a sentence; a word that was cut at a line's end is made whole.
pub(super) fn join(text: &mut String, more: &str) {
    let cut = text.ends_with('-') && text.chars().rev().nth(1).is_some_and(char::is_alphabetic);
    if text.ends_with('\u{ad}') || (cut && more.starts_with(char::is_lowercase)) {
        text.pop();
    } else if !(cut || (text.ends_with(is_unspaced) && more.starts_with(is_unspaced))) {
        text.push(' ');
    }
    text.push_str(more);
}
