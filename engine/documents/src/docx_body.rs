//! The body of a DOCX document, walked through once.
//! Invariant: words that are hidden, struck or deleted are left out, all others are kept in order and once.

use std::collections::HashMap;

use engine_text::raised::{Shift, shifted};
use quick_xml::events::BytesStart;

use super::blocks::{BOXES_MAX, Block, write};
use super::cells::{COPIES_FREE, Cells, SPAN_MAX};
use super::docx_styles::{Marks, Role, Styles, is_on, shift_of};
use super::package::{Step, value};

/// Where a note stands on paper.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Note {
    Foot,
    End,
}

/// A paragraph being read.
#[derive(Default)]
struct Paragraph {
    words: String,
    role: Option<Role>,
    marks: Marks,
    /// How deep it stands in lists, when it is an item.
    item: Option<usize>,
    /// Its end was deleted: the next one goes on with it.
    goes_on: bool,
    /// What stands in boxes within it, and in notes on it.
    boxes: Vec<Block>,
}

/// A text that is read by itself: the document, or a box in it.
#[derive(Default)]
struct Flow {
    blocks: Vec<Block>,
    paragraph: Paragraph,
    /// The outermost table being read.
    table: Cells,
    /// Tables that are open; only the outermost is one in the answer.
    tables: usize,
}

/// The document's body while it is walked through.
pub(super) struct Body<'a> {
    styles: &'a Styles,
    flows: Vec<Flow>,
    in_text: bool,
    /// Within the properties of a run, a paragraph, a row.
    in_run_marks: bool,
    in_paragraph_marks: bool,
    in_row_marks: bool,
    run: Marks,
    run_style: Marks,
    /// Where the run's words stand to their line.
    shift: Option<Shift>,
    /// Elements open within one that repeats or was deleted.
    skipped: usize,
    /// Bytes of words so far, and how many there were before each choice between ways to show the same.
    read: usize,
    choices: Vec<usize>,
    /// Bytes that cells over several rows and columns may still be repeated with.
    copies: usize,
    /// Notes that no sentence has led to yet.
    notes: HashMap<(Note, String), Vec<Block>>,
    /// Notes read in this part, and the id of the one being read.
    read_notes: Vec<(String, Vec<Block>)>,
    note: Option<String>,
}

impl<'a> Body<'a> {
    pub(super) fn new(styles: &'a Styles, copies: usize) -> Self {
        Self {
            styles,
            flows: vec![Flow::default()],
            in_text: false,
            in_run_marks: false,
            in_paragraph_marks: false,
            in_row_marks: false,
            run: Marks::default(),
            run_style: Marks::default(),
            shift: None,
            skipped: 0,
            read: 0,
            choices: Vec::new(),
            copies: copies.max(COPIES_FREE),
            notes: HashMap::new(),
            read_notes: Vec::new(),
            note: None,
        }
    }

    pub(super) fn step(&mut self, step: Step<'_>) {
        match step {
            Step::Open(_) if self.skipped > 0 => self.skipped += 1,
            Step::Close(_) if self.skipped > 0 => self.skipped -= 1,
            Step::Open(start) => self.open(start),
            Step::Close(name) => self.close(name),
            Step::Words(words) if self.in_text && self.skipped == 0 => self.words(words),
            Step::Words(_) => {}
        }
    }

    /// The document's own title, and its text.
    pub(super) fn finish(mut self) -> (Option<String>, String) {
        while self.flows.len() > 1 {
            self.end_box();
        }
        let blocks = self.flows.pop().map(|flow| flow.blocks).unwrap_or_default();
        write(blocks)
    }

    /// The notes of a part that has nothing else, by their ids.
    pub(super) fn into_notes(self) -> Vec<(String, Vec<Block>)> {
        self.read_notes
    }

    /// The notes that the document's sentences may lead to.
    pub(super) fn put_notes(&mut self, notes: HashMap<(Note, String), Vec<Block>>) {
        self.notes = notes;
    }

    /// A sentence leads to a note: it stands beside the sentence's paragraph.
    fn leads_to(&mut self, kind: Note, id: Option<String>) {
        let Some(flow) = self.flows.last_mut() else { return };
        if !self.run.hide(self.run_style, flow.paragraph.marks)
            && let Some(note) = id.and_then(|id| self.notes.remove(&(kind, id)))
        {
            flow.paragraph.boxes.extend(note);
        }
    }

    fn flow(&mut self) -> Option<&mut Flow> {
        self.flows.last_mut()
    }

    fn words(&mut self, words: &str) {
        let (run, style) = (self.run, self.run_style);
        let Some(flow) = self.flows.last_mut() else { return };
        if run.hide(style, flow.paragraph.marks) {
            return;
        }
        self.read += words.len();
        let paragraph = &mut flow.paragraph.words;
        match self.shift {
            Some(shift) => paragraph.push_str(&shifted(paragraph, words, shift, false)),
            None => paragraph.push_str(words),
        }
    }

    fn open(&mut self, start: &BytesStart<'_>) {
        match start.local_name().into_inner() {
            "AlternateContent" => self.choices.push(self.read),
            // The same again for other programs, unless there was nothing yet.
            "Choice" | "Fallback" => {
                self.skipped = usize::from(self.choices.last().is_some_and(|before| self.read > *before));
            }
            // How it looked before somebody changed it.
            "rPrChange" | "pPrChange" | "tcPrChange" | "trPrChange" | "tblPrChange" => self.skipped = 1,
            "rPr" if self.in_paragraph_marks => {}
            "rPr" => self.in_run_marks = true,
            "pPr" => self.in_paragraph_marks = true,
            "trPr" | "tcPr" => self.in_row_marks = true,
            "del" | "moveFrom" if self.in_paragraph_marks => {
                if let Some(flow) = self.flow() {
                    flow.paragraph.goes_on = true;
                }
            }
            "del" | "hidden" if self.in_row_marks => {
                let is_on = is_on(start);
                if let Some(flow) = self.flow().filter(|flow| flow.tables == 1) {
                    flow.table.is_deleted |= is_on;
                }
            }
            "cellDel" => {
                if let Some(flow) = self.flow().filter(|flow| flow.tables == 1) {
                    flow.table.cell.is_deleted = true;
                }
            }
            // Words that were deleted or moved away.
            "del" | "moveFrom" => self.skipped = 1,
            "r" => {
                self.run = Marks::default();
                self.run_style = Marks::default();
                self.shift = None;
            }
            "rStyle" => {
                let style = value(start, "val").unwrap_or_default();
                self.run_style = self.styles.of(Some(&style)).1;
                self.shift = self.shift.or_else(|| self.styles.shift(&style));
            }
            "vertAlign" if self.in_run_marks => self.shift = shift_of(start),
            "vanish" | "strike" | "dstrike" if self.in_run_marks => self.run.note(start),
            // Lines that part notes from the text are notes as well.
            "footnote" | "endnote" if value(start, "type").is_some_and(|kind| kind != "normal") => self.skipped = 1,
            "footnote" | "endnote" => {
                self.note = value(start, "id");
                self.flows.push(Flow::default());
            }
            "footnoteReference" => self.leads_to(Note::Foot, value(start, "id")),
            "endnoteReference" => self.leads_to(Note::End, value(start, "id")),
            "t" => self.in_text = true,
            "tab" if !self.in_paragraph_marks => self.words("\t"),
            "br" | "cr" => self.words("\n"),
            "noBreakHyphen" => self.words("-"),
            // What lies deeper is nothing that anybody drew.
            "txbxContent" if self.flows.len() > BOXES_MAX => self.skipped = 1,
            "txbxContent" => self.flows.push(Flow::default()),
            "p" => self.begin_paragraph(),
            "pStyle" => {
                let (role, marks) = self.styles.of(value(start, "val").as_deref());
                if let Some(flow) = self.flow() {
                    flow.paragraph.role = role;
                    flow.paragraph.marks = marks;
                }
            }
            "ilvl" => self.item(value(start, "val").and_then(|level| level.parse().ok()).or(Some(0))),
            // Number 0 takes an item out of the list its style puts it in.
            "numId" if value(start, "val").as_deref() == Some("0") => self.item(None),
            "numId" => {
                let item = self.flow().and_then(|flow| flow.paragraph.item);
                self.item(item.or(Some(0)));
            }
            name => self.open_in_table(name, start),
        }
    }

    fn item(&mut self, depth: Option<usize>) {
        if let Some(flow) = self.flow() {
            flow.paragraph.item = depth;
        }
    }

    fn open_in_table(&mut self, name: &str, start: &BytesStart<'_>) {
        let number =
            |most: usize| value(start, "val").and_then(|n| n.parse::<usize>().ok()).unwrap_or(1).clamp(1, most);
        let Some(flow) = self.flows.last_mut() else { return };
        if name == "tbl" {
            flow.tables += 1;
            if flow.tables == 1 {
                flow.table = Cells::default();
            }
        }
        if flow.tables != 1 {
            return;
        }
        let table = &mut flow.table;
        let goes_on = || !matches!(value(start, "val").as_deref(), Some("restart"));
        match name {
            "tr" => table.begin_row(),
            "tblHeader" => table.is_head = is_on(start),
            "gridBefore" => table.skip(number(SPAN_MAX)),
            "tc" => table.begin_cell(),
            "gridSpan" => table.cell.across = number(SPAN_MAX),
            "vMerge" => table.cell.from_above = goes_on(),
            "hMerge" => table.cell.from_left = goes_on(),
            _ => {}
        }
    }

    fn begin_paragraph(&mut self) {
        let marks = self.styles.of(None).1;
        let Some(flow) = self.flow() else { return };
        if std::mem::take(&mut flow.paragraph.goes_on) {
            return;
        }
        flow.paragraph = Paragraph { marks, ..Paragraph::default() };
    }

    fn close(&mut self, name: &str) {
        match name {
            "AlternateContent" => {
                self.choices.pop();
            }
            "rPr" => self.in_run_marks = false,
            "pPr" => self.in_paragraph_marks = false,
            "trPr" | "tcPr" => self.in_row_marks = false,
            "r" => {
                self.run = Marks::default();
                self.run_style = Marks::default();
                self.shift = None;
            }
            "t" => self.in_text = false,
            "p" => self.end_paragraph(),
            "txbxContent" => self.end_box(),
            "footnote" | "endnote" if self.flows.len() > 1 => {
                if let (Some(flow), Some(id)) = (self.flows.pop(), self.note.take()) {
                    self.read_notes.push((id, flow.blocks));
                }
            }
            "tc" => self.end_cell(),
            "tr" => {
                if let Some(flow) = self.flow().filter(|flow| flow.tables == 1) {
                    flow.table.end_row();
                }
            }
            "tbl" => {
                if let Some(flow) = self.flow() {
                    flow.tables = flow.tables.saturating_sub(1);
                    if flow.tables == 0 {
                        let table = std::mem::take(&mut flow.table);
                        flow.blocks.push(table.finish());
                        flow.paragraph = Paragraph::default();
                    }
                }
            }
            _ => {}
        }
    }

    fn end_paragraph(&mut self) {
        let Some(flow) = self.flow() else { return };
        if flow.paragraph.goes_on {
            return;
        }
        let paragraph = std::mem::take(&mut flow.paragraph);
        if flow.tables > 0 {
            let cell = &mut flow.table.cell.words;
            cell.push_str(&paragraph.words);
            cell.push(' ');
            paragraph.boxes.iter().for_each(|block| block.flatten(cell));
            return;
        }
        let words = paragraph.words;
        let item = paragraph.item.or((paragraph.role == Some(Role::ListItem)).then_some(0));
        if !words.trim().is_empty() {
            flow.blocks.push(match (paragraph.role, item) {
                (Some(Role::Title), _) => Block::Title(words),
                (Some(Role::Heading(level)), _) => Block::Heading(level, words),
                (_, Some(depth)) => Block::Item(depth, words),
                _ => Block::Paragraph(words),
            });
        }
        // What stands beside the paragraph must not part its sentence.
        flow.blocks.extend(paragraph.boxes);
    }

    fn end_box(&mut self) {
        if self.flows.len() < 2 {
            return;
        }
        if let Some(flow) = self.flows.pop()
            && let Some(outer) = self.flows.last_mut()
        {
            outer.paragraph.boxes.extend(flow.blocks);
        }
    }

    fn end_cell(&mut self) {
        let copies = &mut self.copies;
        if let Some(flow) = self.flows.last_mut().filter(|flow| flow.tables == 1) {
            flow.table.end_cell(copies);
        }
    }
}
