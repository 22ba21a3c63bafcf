//! Lines of PDF pages run together into paragraphs: a page's end does not end a sentence, and what
//! stands on top or at the bottom of every page is not text.

use std::collections::{HashMap, HashSet};

use super::markdown::Writer;

/// A title longer than this is none, in characters.
const TITLE_CHARS_MAX: usize = 200;
/// Lines from the top and from the bottom that may be a page's header or footer.
const EDGE_LINES: usize = 2;
/// Pages from which on a line that comes back is a header or footer.
const REPEATS_MIN: usize = 3;
/// A line shorter than this part of the longest, in percent, may be a paragraph's last.
const SHORT_PERCENT: usize = 60;

/// The pages as Markdown.
pub(super) fn markdown(pages: &[String]) -> String {
    let pages: Vec<Vec<&str>> = pages.iter().map(|page| page.lines().map(str::trim).collect()).collect();
    let edges = repeated_edges(&pages);
    let mut paragraphs: Vec<String> = Vec::new();
    for page in &pages {
        let text_lines: Vec<usize> = (0..page.len()).filter(|at| !page[*at].is_empty()).collect();
        let ends = [text_lines.get(EDGE_LINES), text_lines.len().checked_sub(EDGE_LINES).map(|at| &text_lines[at])];
        let is_edge = |at: usize| {
            let near = ends[0].is_none_or(|first| at < *first) || ends[1].is_none_or(|last| at >= *last);
            near && text_lines.len() > 1 && (edges.contains(&shape(page[at])) || is_page_number(page[at]))
        };
        let longest = text_lines.iter().map(|at| page[*at].chars().count()).max().unwrap_or(0);
        let kept: Vec<&str> = page
            .iter()
            .enumerate()
            .filter(|(at, line)| line.is_empty() || !is_edge(*at))
            .map(|(_, line)| *line)
            .collect();
        let mut of_page = paragraphs_of(&kept, longest);
        // The first words of a page go on with the last ones of the page before.
        if let (Some(last), Some(first)) = (paragraphs.last_mut(), of_page.first())
            && goes_on(last, first)
        {
            join(last, first);
            of_page.remove(0);
        }
        paragraphs.append(&mut of_page);
    }
    let mut writer = Writer::default();
    let mut in_list = false;
    for paragraph in &paragraphs {
        let item = paragraph.strip_prefix(BULLETS);
        match (item.is_some(), in_list) {
            (true, false) => writer.begin_list(None),
            (false, true) => writer.end_list(),
            _ => {}
        }
        in_list = item.is_some();
        if in_list {
            writer.begin_item();
        }
        writer.text(item.unwrap_or(paragraph));
        writer.end_paragraph();
    }
    writer.finish()
}

/// A title's words, if they are any.
pub(super) fn title(text: &str) -> Option<String> {
    let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let is_name = ["untitled", "(anonymous)", "microsoft word"].iter().any(|no| words.to_lowercase().starts_with(no));
    let fits = !words.is_empty() && words.chars().count() <= TITLE_CHARS_MAX && !words.chars().any(char::is_control);
    (fits && !is_name).then_some(words)
}

/// The text under a heading with the title's words, said once.
pub(super) fn under(title: &str, markdown: &str) -> String {
    let mut head = Writer::default();
    head.text(title);
    head.end_heading(1);
    let plain = |text: &str| text.replace('\\', "").trim_start_matches('#').trim().to_lowercase();
    let (first, rest) = markdown.split_once("\n\n").unwrap_or((markdown, ""));
    let body = if plain(first) == title.to_lowercase() && !rest.is_empty() { rest } else { markdown };
    format!("{}\n{body}", head.finish())
}

const BULLETS: [char; 6] = ['•', '‣', '◦', '▪', '●', '\u{f0b7}'];

/// Lines between empty ones, joined; a bullet begins a new one.
fn paragraphs_of(lines: &[&str], longest: usize) -> Vec<String> {
    let mut paragraphs: Vec<String> = Vec::new();
    let mut open = false;
    for line in lines {
        if line.is_empty() {
            open = false;
            continue;
        }
        match paragraphs.last_mut() {
            Some(last) if open && !line.starts_with(BULLETS) => join(last, line),
            _ => paragraphs.push((*line).to_owned()),
        }
        // A short line that ends a sentence ends its paragraph.
        let short = line.chars().count() * 100 < longest * SHORT_PERCENT;
        open = !(short && ends_sentence(line));
    }
    paragraphs
}

/// Joins two pieces of a sentence; a word that was cut at a line's end is made whole.
fn join(text: &mut String, more: &str) {
    let cut = text.ends_with('-') && text.chars().rev().nth(1).is_some_and(char::is_alphabetic);
    if text.ends_with('\u{ad}') || (cut && more.starts_with(char::is_lowercase)) {
        text.pop();
    } else if !cut {
        text.push(' ');
    }
    text.push_str(more);
}

fn goes_on(last: &str, first: &str) -> bool {
    !ends_sentence(last) && !last.starts_with(BULLETS) && first.starts_with(|c: char| c.is_lowercase() || c == '(')
}

fn ends_sentence(text: &str) -> bool {
    text.trim_end_matches(['"', '”', '»', ')', '\'', '’']).ends_with(['.', '!', '?', ':', '…'])
}

fn is_page_number(line: &str) -> bool {
    let words: Vec<&str> = line.split_whitespace().collect();
    let numbers = words.iter().filter(|word| word.bytes().all(|b| b.is_ascii_digit())).count();
    let others = words.iter().filter(|word| !word.bytes().any(|b| b.is_ascii_digit())).count();
    numbers > 0 && words.len() <= 4 && others <= 2 && line.chars().count() <= 20 && {
        let known = ["page", "seite", "página", "pagina", "of", "von", "de", "/", "-", "–", "|"];
        words
            .iter()
            .all(|word| word.bytes().all(|b| b.is_ascii_digit()) || known.contains(&word.to_lowercase().as_str()))
    }
}

/// Lines that stand at the edge of at least half of the pages.
fn repeated_edges(pages: &[Vec<&str>]) -> HashSet<String> {
    let mut counts: HashMap<String, usize> = HashMap::new();
    for page in pages {
        let lines: Vec<&str> = page.iter().copied().filter(|line| !line.is_empty()).collect();
        let edges = lines.iter().take(EDGE_LINES).chain(lines.iter().rev().take(EDGE_LINES));
        for edge in edges.map(|line| shape(line)).collect::<HashSet<_>>() {
            *counts.entry(edge).or_default() += 1;
        }
    }
    let enough = REPEATS_MIN.max(pages.len() / 2);
    counts.into_iter().filter(|(_, count)| *count >= enough).map(|(edge, _)| edge).collect()
}

/// A line without what changes from page to page.
fn shape(line: &str) -> String {
    line.chars().filter(|c| !c.is_ascii_digit()).collect::<String>().split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_break_does_not_break_a_sentence() {
        for (pages, expected) in [
            (
                &["You may return what you have\nnot used within", "thirty days.\n\nNext."][..],
                "You may return what you have not used within thirty days.\n\nNext.\n",
            ),
            (&["An exam-\nple of a well-\nKnown word."], "An example of a well-Known word.\n"),
            (&["One.\n\n1", "Two.\n\n2"], "One.\n\nTwo.\n"),
            (
                &["Guide 2024\nOne is\n\nPage 1", "Guide 2024\nlong.\n\nPage 2", "Guide 2024\nTwo.\n\nPage 3"],
                "One is long.\n\nTwo.\n",
            ),
            (&["• first\n• second\nline", "# no heading"], "-   first\n-   second line\n\n\\# no heading\n"),
            (&["", "\n"], ""),
        ] {
            let pages: Vec<String> = pages.iter().map(ToString::to_string).collect();
            assert_eq!(markdown(&pages), expected);
        }
    }

    #[test]
    fn titles_are_said_once() {
        assert_eq!(under("A_b", "A\\_b\n\ntext\n"), "# A\\_b\n\ntext\n");
        assert_eq!(under("A", "text\n"), "# A\n\ntext\n");
        assert_eq!((title(" A  b "), title("untitled"), title("")), (Some("A b".into()), None, None));
    }
}
