//! Lines of PDF pages run together into paragraphs: a page's end does not end a sentence, and what
//! stands on top or at the bottom of every page is not text.

use std::collections::{HashMap, HashSet};

use engine_text::grid::{Grid, Row};
use engine_text::markdown::Writer;

use super::joining::join;
use super::pdf_page::{Item, Line};

/// A title longer than this is none, in characters.
const TITLE_CHARS_MAX: usize = 200;
/// Lines from the top and from the bottom that may be a page's header or footer.
const EDGE_LINES: usize = 2;
/// Pages from which on a line that comes back is a header or footer.
const REPEATS_MIN: usize = 3;
/// A line shorter than this part of the longest, in percent, may be a paragraph's last.
const SHORT_PERCENT: usize = 60;

/// The pages as Markdown.
pub(super) fn markdown(pages: &[Vec<Item>]) -> String {
    let repeated = repeated_edges(pages);
    let mut blocks: Vec<Block> = Vec::new();
    let body = body_size(pages);
    for (number, page) in pages.iter().enumerate() {
        let is_first_of_two = number == 0 && pages.len() == 2;
        let near = |at: usize| at < EDGE_LINES || at + EDGE_LINES >= page.len();
        let is_edge = |at: usize, item: &Item| match item {
            Item::Line(line) => {
                near(at)
                    && page.len() > 1
                    && (is_page_number(&line.words)
                        || (!is_first_of_two && shapes(&line.words, number).any(|shape| repeated.contains(&shape))))
            }
            Item::Table(_) => false,
        };
        let kept: Vec<&Item> =
            page.iter().enumerate().filter(|(at, item)| !is_edge(*at, item)).map(|(_, item)| item).collect();
        let longest =
            kept.iter().filter_map(|item| item.line()).map(|line| line.words.chars().count()).max().unwrap_or(0);
        let mut of_page = blocks_of(&kept, longest, body);
        join_pages(&mut blocks, &mut of_page);
        blocks.append(&mut of_page);
    }
    write(&blocks)
}

/// What stands together.
#[derive(Debug)]
enum Block {
    Heading(f64, String),
    Paragraph(String),
    Table(Vec<Vec<String>>),
}

/// The first words of a page go on with the last ones of the page before, and so does a table.
fn join_pages(blocks: &mut [Block], of_page: &mut Vec<Block>) {
    let joined = match (blocks.last_mut(), of_page.first_mut()) {
        (Some(Block::Paragraph(last)), Some(Block::Paragraph(first))) if goes_on(last, first) => {
            join(last, first);
            true
        }
        (Some(Block::Table(last)), Some(Block::Table(first))) => {
            let columns = |rows: &[Vec<String>]| rows.iter().map(Vec::len).max();
            let goes_on = columns(last) == columns(first);
            if goes_on {
                // The head stands again on top of the page.
                if first.first() == last.first() {
                    first.remove(0);
                }
                last.append(first);
            }
            goes_on
        }
        _ => false,
    };
    if joined {
        of_page.remove(0);
    }
}

/// The size that most letters have.
fn body_size(pages: &[Vec<Item>]) -> f64 {
    let mut counts: HashMap<i64, usize> = HashMap::new();
    for line in pages.iter().flatten().filter_map(Item::line) {
        *counts.entry((line.size * 2.0).round() as i64).or_default() += line.words.len();
    }
    counts.into_iter().max_by_key(|(size, count)| (*count, *size)).map_or(0.0, |(size, _)| size as f64 / 2.0)
}

fn write(blocks: &[Block]) -> String {
    let mut sizes: Vec<f64> = blocks
        .iter()
        .filter_map(|block| if let Block::Heading(size, _) = block { Some(*size) } else { None })
        .collect();
    sizes.sort_by(|a, b| b.total_cmp(a));
    sizes.dedup_by(|a, b| (*a - *b).abs() < 0.5);
    let mut writer = Writer::default();
    let mut in_list = false;
    for block in blocks {
        let item = if let Block::Paragraph(words) = block { words.strip_prefix(BULLETS) } else { None };
        match (item.is_some(), in_list) {
            (true, false) => writer.begin_list(),
            (false, true) => writer.end_list(),
            _ => {}
        }
        in_list = item.is_some();
        match block {
            Block::Heading(size, words) => {
                let level = sizes.iter().position(|other| *other - *size < 0.5).unwrap_or(0);
                writer.text(words);
                writer.end_heading(level + 2);
            }
            Block::Paragraph(words) => {
                if in_list {
                    writer.begin_item();
                }
                writer.text(item.unwrap_or(words));
                writer.end_paragraph();
            }
            Block::Table(rows) => {
                let row = |cells: &Vec<String>| match cells.as_slice() {
                    [title] => Row::Section(title.clone()),
                    cells => Row::Cells(cells.to_vec()),
                };
                Grid::guessed(rows.iter().map(row).collect()).write(&mut writer, None);
            }
        }
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

/// Lines that stand together, joined; a bullet begins a new one, and so does a heading.
fn blocks_of(items: &[&Item], longest: usize, body: f64) -> Vec<Block> {
    let mut blocks: Vec<Block> = Vec::new();
    let mut open = false;
    for item in items {
        let line = match item {
            Item::Line(line) => line,
            Item::Table(rows) => {
                blocks.push(Block::Table(rows.clone()));
                open = false;
                continue;
            }
        };
        let words = line.words.as_str();
        if is_heading(line, body) {
            match blocks.last_mut() {
                // A heading may take two lines.
                Some(Block::Heading(size, last)) if open && !line.is_apart && (*size - line.size).abs() < 0.5 => {
                    join(last, words);
                }
                _ => blocks.push(Block::Heading(line.size, words.to_owned())),
            }
            open = true;
            continue;
        }
        match blocks.last_mut() {
            Some(Block::Paragraph(last)) if open && !line.is_apart && !words.starts_with(BULLETS) => join(last, words),
            _ => blocks.push(Block::Paragraph(words.to_owned())),
        }
        // A short line that ends a sentence ends its paragraph.
        let short = words.chars().count() * 100 < longest * SHORT_PERCENT;
        open = !(short && ends_sentence(words));
    }
    blocks
}

fn is_heading(line: &Line, body: f64) -> bool {
    let letters = line.words.chars().filter(|c| c.is_alphabetic()).count();
    line.size > body * 1.14
        && body > 0.0
        && letters >= 2
        && line.words.chars().count() <= 160
        && !line.words.starts_with(BULLETS)
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
fn repeated_edges(pages: &[Vec<Item>]) -> HashSet<Shape> {
    let mut counts: HashMap<Shape, usize> = HashMap::new();
    for (number, page) in pages.iter().enumerate() {
        let edges = page.iter().take(EDGE_LINES).chain(page.iter().rev().take(EDGE_LINES)).filter_map(Item::line);
        for shape in edges.flat_map(|line| shapes(&line.words, number)).collect::<HashSet<_>>() {
            *counts.entry(shape).or_default() += 1;
        }
    }
    // Of two pages, the first may keep what both have.
    let enough = if pages.len() == 2 { 2 } else { REPEATS_MIN.max(pages.len() / 2) };
    counts.into_iter().filter(|(_, count)| *count >= enough).map(|(edge, _)| edge).collect()
}

/// A line without the number that counts with the pages, and how far that is from the page's own.
type Shape = (String, Option<i64>);

/// What a line may be on other pages: the same, or the same with another page's number in one place. Prices
/// and names with other figures in them are other lines.
fn shapes(line: &str, page: usize) -> impl Iterator<Item = Shape> {
    let line = line.split_whitespace().collect::<Vec<_>>().join(" ");
    let mut shapes = vec![(line.clone(), None)];
    let mut from = 0;
    while let Some(at) =
        line[from..].find(|c: char| c.is_ascii_digit()).map(|at| from + at).filter(|_| shapes.len() <= 4)
    {
        let end = line[at..].find(|c: char| !c.is_ascii_digit()).map_or(line.len(), |length| at + length);
        if let Ok(number) = line[at..end].parse::<u32>() {
            shapes.push((format!("{}#{}", &line[..at], &line[end..]), Some(i64::from(number) - page as i64)));
        }
        from = end;
    }
    shapes.into_iter()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A page of lines, with white space where an empty one stands.
    fn lines(page: &str) -> Vec<Item> {
        let mut is_apart = false;
        let line = |line: &str| {
            let apart = std::mem::replace(&mut is_apart, line.is_empty());
            (!line.is_empty()).then(|| Item::Line(Line { words: line.to_owned(), size: 10.0, is_apart: apart }))
        };
        page.lines().filter_map(line).collect()
    }

    #[test]
    fn only_page_numbers_make_lines_alike() {
        for (tops, is_kept) in [
            (["Aroma 300: 399 EUR", "Aroma 500: 499 EUR", "Aroma 700: 599 EUR", "Aroma 900: 699 EUR"], true),
            (["Aroma 1: 10 EUR", "Aroma 2: 20 EUR", "Aroma 3: 30 EUR", "Aroma 4: 40 EUR"], true),
            (["Sheet 1 of 4", "Sheet 2 of 4", "Sheet 3 of 4", "Sheet 4 of 4"], false),
            (["Guide 2026 | 7", "Guide 2026 | 8", "Guide 2026 | 9", "Guide 2026 | 10"], false),
            (["Guide 2026", "Guide 2026", "Guide 2026", "Guide 2026"], false),
        ] {
            let pages: Vec<Vec<Item>> = tops
                .iter()
                .map(|top| lines(&format!("{top}\n\nMade of {} words.\n\nAnd an end.", top.len())))
                .collect();
            let made = markdown(&pages);
            assert_eq!(tops.iter().all(|top| made.contains(top)), is_kept, "{made}");
            assert_eq!(tops.iter().any(|top| made.contains(top)), is_kept, "{made}");
        }
    }

    #[test]
    fn tables_go_on_over_pages_and_sizes_are_headings() {
        let row = |cells: &[&str]| cells.iter().map(ToString::to_string).collect::<Vec<_>>();
        let big = |words: &str, size: f64| Item::Line(Line { words: words.into(), size, is_apart: true });
        let head = row(&["Part", "Price"]);
        let pages = vec![
            vec![
                big("Price list", 20.0),
                big("Spare parts", 14.0),
                big("These are all.", 10.0),
                Item::Table(vec![head.clone(), row(&["Lid", "3 EUR"])]),
            ],
            vec![
                Item::Table(vec![head, row(&["Foot", "4 EUR"]), row(&["Repairs"]), row(&["Cable", "9 EUR"])]),
                big("More words stand here.", 10.0),
            ],
        ];
        assert_eq!(
            markdown(&pages),
            "## Price list\n\n### Spare parts\n\nThese are all.\n\n| Part | Price |\n|---|---|\n| Lid | 3 EUR |\n| Foot | 4 EUR |\n\n\
             Repairs:\n\n| Part | Price |\n|---|---|\n| Cable | 9 EUR |\n\nMore words stand here.\n"
        );
    }

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
            assert_eq!(markdown(&pages.iter().map(|page| lines(page)).collect::<Vec<_>>()), expected);
        }
    }

    #[test]
    fn titles_are_said_once() {
        assert_eq!(under("A_b", "A\\_b\n\ntext\n"), "# A\\_b\n\ntext\n");
        assert_eq!(under("A", "text\n"), "# A\n\ntext\n");
        assert_eq!((title(" A  b "), title("untitled"), title("")), (Some("A b".into()), None, None));
    }
}
