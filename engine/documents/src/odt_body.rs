//! The body of an ODT document, walked through once.
//! Invariant: words that are hidden, struck or deleted, comments and indexes are left out, all others are kept in
//! order and once; what an attribute repeats is bounded.

use engine_text::raised::{Shift, shifted};
use quick_xml::events::BytesStart;

use super::blocks::{BOXES_MAX, Block, write};
use super::cells::{COPIES_FREE, Cells, SPAN_MAX};
use super::odt_styles::{Role, Styles};
use super::package::{Step, value};

/// What is no text of the document, or says again what it says.
const SKIPPED: &[&str] = &[
    "tracked-changes",
    "annotation",
    "forms",
    "note-citation",
    "ruby-text",
    "table-of-content",
    "alphabetical-index",
    "illustration-index",
    "table-index",
    "object-index",
    "user-index",
    "scripts",
    "event-listeners",
    "binary-data",
    "page-number",
    "page-count",
];

/// What has paragraphs of its own within a paragraph.
const BOXES: &[&str] = &[
    "text-box",
    "custom-shape",
    "rect",
    "ellipse",
    "circle",
    "line",
    "polyline",
    "polygon",
    "regular-polygon",
    "path",
    "connector",
    "caption",
    "measure",
];

fn is_box(name: &str) -> bool {
    name == "note-body" || BOXES.contains(&name)
}

/// A paragraph being read.
#[derive(Default)]
struct Paragraph {
    words: String,
    role: Option<Role>,
    is_hidden: bool,
    /// For each open run of words whether it is out of sight, and where it stands to its line.
    spans: Vec<(bool, Option<Shift>)>,
    /// What stands in boxes and notes within it.
    boxes: Vec<Block>,
}

/// A list or an item that is open.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Listed {
    List,
    /// An item, and whether its first words were written.
    Item(bool),
}

/// A text that is read by itself: the document, a box in it, a note.
#[derive(Default)]
struct Flow {
    blocks: Vec<Block>,
    paragraph: Option<Paragraph>,
    lists: Vec<Listed>,
    table: Cells,
    /// Tables that are open; only the outermost is one in the answer.
    tables: usize,
    in_head: bool,
    /// Places that the cell before covers to its right.
    covers: usize,
}

/// The document's body while it is walked through.
pub(super) struct Body {
    styles: Styles,
    flows: Vec<Flow>,
    in_styles: bool,
    /// Elements open within one that is no text.
    skipped: usize,
    /// Bytes that cells over several places may still be repeated with.
    copies: usize,
}

impl Body {
    pub(super) fn new(styles: Styles, copies: usize) -> Self {
        let copies = copies.max(COPIES_FREE);
        Self { styles, flows: vec![Flow::default()], in_styles: false, skipped: 0, copies }
    }

    pub(super) fn step(&mut self, step: Step<'_>) {
        match step {
            Step::Open(_) if self.skipped > 0 => self.skipped += 1,
            Step::Close(_) if self.skipped > 0 => self.skipped -= 1,
            Step::Close("automatic-styles") => self.in_styles = false,
            step if self.in_styles => self.styles.step(step),
            Step::Open(start) => self.open(start),
            Step::Close(name) => self.close(name),
            Step::Words(words) if self.skipped == 0 => self.words(words),
            Step::Words(_) => {}
        }
    }

    /// The document's own title, and its text.
    pub(super) fn finish(mut self) -> (Option<String>, String) {
        while self.flows.len() > 1 {
            self.end_box();
        }
        write(self.flows.pop().map(|flow| flow.blocks).unwrap_or_default())
    }

    fn flow(&mut self) -> Option<&mut Flow> {
        self.flows.last_mut()
    }

    /// Words of a paragraph; between paragraphs there is only white space.
    fn words(&mut self, words: &str) {
        if let Some(paragraph) = self.flow().and_then(|flow| flow.paragraph.as_mut())
            && !paragraph.is_hidden
        {
            match paragraph.spans.last() {
                Some((true, _)) => {}
                Some((_, Some(shift))) => {
                    let words = shifted(&paragraph.words, words, *shift, false);
                    paragraph.words.push_str(&words);
                }
                _ => paragraph.words.push_str(words),
            }
        }
    }

    fn open(&mut self, start: &BytesStart<'_>) {
        let name = start.local_name();
        let is = |attribute: &str, wanted: &str| value(start, attribute).as_deref() == Some(wanted);
        match name.into_inner() {
            "automatic-styles" => self.in_styles = true,
            name if SKIPPED.contains(&name) => self.skipped = 1,
            // What a picture shows in words; a field for the document's title has this name as well.
            "title" | "desc" if start.name().prefix().is_some_and(|prefix| prefix.into_inner() == "svg") => {
                self.skipped = 1;
            }
            "section" if is("display", "none") => self.skipped = 1,
            "hidden-text" if is("is-hidden", "true") => self.skipped = 1,
            "hidden-paragraph" if is("is-hidden", "true") => {
                if let Some(paragraph) = self.flow().and_then(|flow| flow.paragraph.as_mut()) {
                    paragraph.is_hidden = true;
                }
            }
            name @ ("p" | "h") => {
                let style = value(start, "style-name");
                let (role, is_hidden) = self.styles.of_paragraph(style.as_deref());
                let level = value(start, "outline-level").and_then(|level| level.parse::<usize>().ok());
                let role = if name == "h" { Some(Role::Heading(level.unwrap_or(1).max(1))) } else { role };
                if let Some(flow) = self.flow() {
                    flow.paragraph = Some(Paragraph { role, is_hidden, ..Paragraph::default() });
                }
            }
            "span" => {
                let style = value(start, "style-name").unwrap_or_default();
                let (hides, shift) = (self.styles.hides(&style), self.styles.shift(&style));
                if let Some(paragraph) = self.flow().and_then(|flow| flow.paragraph.as_mut()) {
                    let (is_out, outer) = paragraph.spans.last().copied().unwrap_or_default();
                    paragraph.spans.push((hides || is_out, shift.or(outer)));
                }
            }
            "s" => self.words(" "),
            "tab" => self.words("\t"),
            "line-break" => self.words("\n"),
            // What lies deeper is nothing that anybody drew.
            name if is_box(name) && self.flows.len() > BOXES_MAX => self.skipped = 1,
            name if is_box(name) => self.flows.push(Flow::default()),
            "list" => self.listed(Listed::List),
            "list-item" | "list-header" => self.listed(Listed::Item(false)),
            name => self.open_in_table(name, start),
        }
    }

    fn listed(&mut self, listed: Listed) {
        if let Some(flow) = self.flow() {
            flow.lists.push(listed);
        }
    }

    fn open_in_table(&mut self, name: &str, start: &BytesStart<'_>) {
        let number = |attribute: &str| {
            value(start, attribute).and_then(|n| n.parse::<usize>().ok()).unwrap_or(1).clamp(1, SPAN_MAX)
        };
        let copies = &mut self.copies;
        let Some(flow) = self.flows.last_mut() else { return };
        if name == "table" {
            flow.tables += 1;
            if flow.tables == 1 {
                flow.table = Cells::default();
                flow.in_head = false;
            }
        }
        if flow.tables != 1 {
            return;
        }
        let table = &mut flow.table;
        match name {
            "table-header-rows" => flow.in_head = true,
            "table-row" => {
                table.begin_row();
                table.is_head = flow.in_head;
                flow.covers = 0;
                table.is_deleted = matches!(value(start, "visibility").as_deref(), Some("collapse" | "filter"));
            }
            "table-cell" => {
                table.begin_cell();
                flow.covers = number("number-columns-spanned") - 1;
                table.cell.times = number("number-columns-repeated");
            }
            "covered-table-cell" => {
                for _ in 0..number("number-columns-repeated") {
                    table.begin_cell();
                    table.cell.from_left = flow.covers > 0;
                    table.cell.from_above = flow.covers == 0;
                    flow.covers = flow.covers.saturating_sub(1);
                    table.end_cell(copies);
                }
            }
            _ => {}
        }
    }

    fn close(&mut self, name: &str) {
        let copies = &mut self.copies;
        let Some(flow) = self.flows.last_mut() else { return };
        match name {
            "p" | "h" => self.end_paragraph(),
            "span" => {
                if let Some(paragraph) = &mut flow.paragraph {
                    paragraph.spans.pop();
                }
            }
            name if is_box(name) => self.end_box(),
            "list" | "list-item" | "list-header" => {
                flow.lists.pop();
            }
            "table-header-rows" => flow.in_head = false,
            "table-cell" if flow.tables == 1 => flow.table.end_cell(copies),
            "table-row" if flow.tables == 1 => flow.table.end_row(),
            "table" if flow.tables > 0 => {
                flow.tables -= 1;
                if flow.tables == 0 {
                    let table = std::mem::take(&mut flow.table);
                    flow.blocks.push(table.finish());
                }
            }
            _ => {}
        }
    }

    fn end_paragraph(&mut self) {
        let Some(flow) = self.flow() else { return };
        let Some(Paragraph { words, role, boxes, .. }) = flow.paragraph.take() else { return };
        if flow.tables > 0 {
            let cell = &mut flow.table.cell.words;
            cell.push_str(&words);
            cell.push(' ');
            boxes.iter().for_each(|block| block.flatten(cell));
            return;
        }
        if !words.trim().is_empty() {
            flow.put(role, words);
        }
        // What stands beside the paragraph must not part its sentence.
        flow.blocks.extend(boxes);
    }

    fn end_box(&mut self) {
        if self.flows.len() < 2 {
            return;
        }
        if let Some(flow) = self.flows.pop()
            && let Some(outer) = self.flows.last_mut()
        {
            match &mut outer.paragraph {
                Some(paragraph) => paragraph.boxes.extend(flow.blocks),
                None => outer.blocks.extend(flow.blocks),
            }
        }
    }
}

impl Flow {
    /// A paragraph is whole.
    fn put(&mut self, role: Option<Role>, words: String) {
        let depth = self.lists.iter().filter(|one| **one == Listed::List).count();
        let block = match (role, self.lists.last_mut()) {
            (Some(Role::Title), _) => Block::Title(words),
            // Numbered headings stand in lists.
            (Some(Role::Heading(level)), _) => Block::Heading(level, words),
            (None, Some(Listed::Item(is_written @ false))) => {
                *is_written = true;
                Block::Item(depth.saturating_sub(1), words)
            }
            (None, Some(Listed::Item(true))) if matches!(self.blocks.last(), Some(Block::Item(..))) => {
                // A further paragraph of the item.
                if let Some(Block::Item(_, before)) = self.blocks.last_mut() {
                    before.push('\n');
                    before.push_str(&words);
                }
                return;
            }
            (None, Some(_)) => Block::Item(depth.saturating_sub(1), words),
            (None, None) => Block::Paragraph(words),
        };
        self.blocks.push(block);
    }
}
