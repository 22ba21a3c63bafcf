//! Blocks of a document of paragraphs and tables, on their way to Markdown.

use engine_text::grid::{Placed, merged};
use engine_text::markdown::Writer;

/// Lists within each other that are told apart.
const LISTS_MAX: usize = 8;

/// Boxes of text within each other.
pub(super) const BOXES_MAX: usize = 16;

/// What stands together.
#[derive(Debug)]
pub(super) enum Block {
    /// What the whole document is called.
    Title(String),
    /// A heading; the outermost are of level 1.
    Heading(usize, String),
    /// An item, and in how many other lists its list stands.
    Item(usize, String),
    Paragraph(String),
    /// Rows of a table, and how many of them say what the columns are.
    Table(Vec<Vec<Placed>>, usize),
}

impl Block {
    /// Its words without what they are, for where no block can stand.
    pub(super) fn flatten(&self, into: &mut String) {
        match self {
            Self::Title(words) | Self::Heading(_, words) | Self::Item(_, words) | Self::Paragraph(words) => {
                into.push_str(words);
                into.push(' ');
            }
            Self::Table(rows, _) => {
                for cell in rows.iter().flatten().filter(|cell| !cell.from_left && !cell.from_above) {
                    into.push_str(&cell.words);
                    into.push(' ');
                }
            }
        }
    }
}

/// The document's own title, and its Markdown.
pub(super) fn write(blocks: Vec<Block>) -> (Option<String>, String) {
    let mut writer = Writer::default();
    let mut title = None;
    let mut lists = 0;
    for block in blocks {
        let depth = if let Block::Item(depth, _) = &block { (*depth).min(LISTS_MAX) + 1 } else { 0 };
        while lists > depth {
            writer.end_list();
            lists -= 1;
        }
        while lists < depth {
            writer.begin_list();
            lists += 1;
        }
        match block {
            Block::Title(words) => {
                title = title.or_else(|| super::pdf_text::title(&words));
                text(&mut writer, &words);
                writer.end_heading(1);
            }
            Block::Heading(level, words) => {
                text(&mut writer, &words);
                writer.end_heading(level + 1);
            }
            Block::Item(_, words) => {
                writer.begin_item();
                text(&mut writer, &words);
                writer.end_paragraph();
            }
            Block::Paragraph(words) => {
                text(&mut writer, &words);
                writer.end_paragraph();
            }
            Block::Table(rows, heads) => {
                let (caption, grid) = merged(rows, heads);
                grid.write(&mut writer, caption.as_deref());
            }
        }
    }
    (title, writer.finish())
}

fn text(writer: &mut Writer, words: &str) {
    for (n, line) in words.trim().lines().enumerate() {
        if n > 0 {
            writer.line_break();
        }
        writer.text(line);
    }
}
