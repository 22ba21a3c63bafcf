//! One slide of a presentation, or the notes on it, walked through once.
//! Invariant: words that are struck or hidden, page numbers, dates and footers are left out, all others are kept
//! in the slide's own order and once; the number of shapes is bounded.

use engine_text::raised::{Shift, shifted};
use quick_xml::events::BytesStart;

use super::Unreadable;
use super::blocks::Block;
use super::cells::Cells;
use super::package::{Step, value};

/// Shapes of a document: a crowded slide has some hundreds.
pub(super) const SHAPES_MAX: usize = 100_000;
/// Levels of a list.
const LEVEL_MAX: usize = 8;
/// A longer text is no title of a slide that has none, in characters.
const TITLE_CHARS_MAX: usize = 80;

/// What a shape is for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Role {
    /// The title; of the whole presentation where it stands in the middle.
    Title { is_central: bool },
    /// What the slide is there for: its lines are a list unless it has one only.
    Body,
    /// A box of text.
    #[default]
    Text,
    /// Page numbers, dates, footers: the same on every slide.
    Furniture,
}

/// A line of a shape.
#[derive(Debug, Default)]
struct Line {
    words: String,
    level: usize,
    /// Whether it has a bullet, where the slide says so itself.
    is_item: Option<bool>,
}

/// What a slide shows, in its order.
pub(super) enum Shape {
    Text(Role, Vec<Block>),
    Table(Block),
    /// Words in another part, by the id of the relation to it.
    Diagram(String),
}

/// A slide while it is walked through.
pub(super) struct Slide<'a> {
    shapes: Vec<Shape>,
    /// The presenter does not show it.
    is_hidden: bool,
    /// Lines of its body are a list, unless they say that they are none.
    has_lists: bool,
    role: Role,
    lines: Vec<Line>,
    line: Line,
    table: Cells,
    tables: usize,
    in_text: bool,
    is_struck: bool,
    /// Where the run's words stand to their line.
    shift: Option<Shift>,
    /// Elements open within one that is not shown.
    skipped: usize,
    /// Words so far, in bytes, and how many there were before each choice between ways to show the same.
    read: usize,
    choices: Vec<usize>,
    /// Shapes, and bytes of repeated cells, that the document may still have.
    shapes_left: &'a mut usize,
    copies: &'a mut usize,
    is_crowded: bool,
}

impl<'a> Slide<'a> {
    pub(super) fn new(has_lists: bool, shapes_left: &'a mut usize, copies: &'a mut usize) -> Self {
        Self {
            shapes: Vec::new(),
            is_hidden: false,
            has_lists,
            role: Role::default(),
            lines: Vec::new(),
            line: Line::default(),
            table: Cells::default(),
            tables: 0,
            in_text: false,
            is_struck: false,
            shift: None,
            skipped: 0,
            read: 0,
            choices: Vec::new(),
            shapes_left,
            copies,
            is_crowded: false,
        }
    }

    pub(super) fn step(&mut self, step: Step<'_>) {
        match step {
            Step::Open(_) if self.skipped > 0 => self.skipped += 1,
            Step::Close(_) if self.skipped > 0 => self.skipped -= 1,
            Step::Open(start) => self.open(start),
            Step::Close(name) => self.close(name),
            Step::Words(words) if self.in_text && self.skipped == 0 && !self.is_struck => {
                self.read += words.len();
                let line = &mut self.line.words;
                match self.shift {
                    Some(shift) => line.push_str(&shifted(line, words, shift, false)),
                    None => line.push_str(words),
                }
            }
            Step::Words(_) => {}
        }
    }

    /// What it shows.
    pub(super) fn finish(self) -> Result<(Vec<Shape>, bool), Unreadable> {
        if self.is_crowded { Err(Unreadable::Costly) } else { Ok((self.shapes, self.is_hidden)) }
    }

    fn open(&mut self, start: &BytesStart<'_>) {
        let is_on = |name: &str| matches!(value(start, name).as_deref(), Some("1" | "true" | "on"));
        let number = |name: &str| value(start, name).and_then(|n| n.parse::<usize>().ok());
        match start.local_name().into_inner() {
            "sld" => self.is_hidden = matches!(value(start, "show").as_deref(), Some("0" | "false")),
            "AlternateContent" => self.choices.push(self.read),
            // The same again for other programs, unless there was nothing yet.
            "Choice" | "Fallback" => {
                self.skipped = usize::from(self.choices.last().is_some_and(|before| self.read > *before));
            }
            "sp" | "graphicFrame" | "cxnSp" => {
                match self.shapes_left.checked_sub(1) {
                    Some(left) => *self.shapes_left = left,
                    None => self.is_crowded = true,
                }
                // What a shape holds is not read any more once there are too many.
                self.skipped = usize::from(self.is_crowded);
                self.role = Role::Text;
                self.lines.clear();
            }
            "cNvPr" if is_on("hidden") => self.role = Role::Furniture,
            "ph" if self.role != Role::Furniture => self.role = role_of(value(start, "type").as_deref()),
            "p" => self.line = Line::default(),
            "pPr" => self.line.level = number("lvl").unwrap_or(0).min(LEVEL_MAX),
            "buNone" => self.line.is_item = Some(false),
            "buChar" | "buAutoNum" | "buBlip" => self.line.is_item = Some(true),
            "r" => (self.is_struck, self.shift) = (false, None),
            "rPr" => {
                self.is_struck = value(start, "strike").is_some_and(|how| how != "noStrike");
                let offset = value(start, "baseline").and_then(|by| by.trim_end_matches('%').parse::<i64>().ok());
                self.shift = match offset.unwrap_or(0) {
                    1.. => Some(Shift::Raised),
                    0 => None,
                    _ => Some(Shift::Lowered),
                };
            }
            "br" => self.line.words.push('\n'),
            // The number of the slide, or the day on which it is shown.
            "fld" => {
                let kind = value(start, "type").unwrap_or_default();
                self.skipped = usize::from(kind == "slidenum" || kind.starts_with("datetime"));
            }
            "t" => self.in_text = true,
            "relIds" => {
                if let Some(id) = value(start, "dm").filter(|_| self.role != Role::Furniture) {
                    self.shapes.push(Shape::Diagram(id));
                }
            }
            "tbl" => {
                self.tables += 1;
                if self.tables == 1 {
                    self.table = Cells::default();
                }
            }
            "tr" if self.tables == 1 => self.table.begin_row(),
            "tc" if self.tables == 1 => {
                self.table.begin_cell();
                self.table.cell.from_left = is_on("hMerge");
                self.table.cell.from_above = is_on("vMerge");
            }
            _ => {}
        }
    }

    fn close(&mut self, name: &str) {
        match name {
            "AlternateContent" => {
                self.choices.pop();
            }
            "t" => self.in_text = false,
            "r" => (self.is_struck, self.shift) = (false, None),
            "p" => self.end_line(),
            "tc" if self.tables == 1 => self.table.end_cell(self.copies),
            "tr" if self.tables == 1 => self.table.end_row(),
            "tbl" => {
                self.tables = self.tables.saturating_sub(1);
                if self.tables == 0 && self.role != Role::Furniture {
                    self.shapes.push(Shape::Table(std::mem::take(&mut self.table).finish()));
                }
            }
            "sp" | "cxnSp" => self.end_shape(),
            _ => {}
        }
    }

    fn end_line(&mut self) {
        let line = std::mem::take(&mut self.line);
        if self.tables > 0 {
            let cell = &mut self.table.cell.words;
            cell.push_str(&line.words);
            cell.push(' ');
        } else if !line.words.trim().is_empty() {
            self.lines.push(line);
        }
    }

    fn end_shape(&mut self) {
        let lines = std::mem::take(&mut self.lines);
        if lines.is_empty() || self.role == Role::Furniture {
            return;
        }
        let has_list = self.has_lists && self.role == Role::Body && lines.len() > 1;
        let block = |line: Line| {
            let is_item = line.is_item.unwrap_or(has_list || line.level > 0);
            if is_item { Block::Item(line.level, line.words) } else { Block::Paragraph(line.words) }
        };
        self.shapes.push(Shape::Text(self.role, lines.into_iter().map(block).collect()));
    }
}

fn role_of(kind: Option<&str>) -> Role {
    match kind {
        Some("title") => Role::Title { is_central: false },
        Some("ctrTitle") => Role::Title { is_central: true },
        Some("dt" | "ftr" | "hdr" | "sldNum" | "sldImg") => Role::Furniture,
        Some("subTitle") => Role::Text,
        _ => Role::Body,
    }
}

/// The words of a title, and whether it is the whole presentation's; taken from the shapes. A slide without one
/// is called what its first words are, where they may be a title.
pub(super) fn title(shapes: &mut Vec<Shape>) -> Option<(String, bool)> {
    let central = |shape: &Shape| match shape {
        Shape::Text(Role::Title { is_central }, _) => Some(*is_central),
        _ => None,
    };
    let at = shapes.iter().position(|shape| central(shape).is_some()).or_else(|| {
        let first = shapes.iter().position(|shape| matches!(shape, Shape::Text(..)))?;
        let Shape::Text(_, blocks) = &shapes[first] else { return None };
        let [Block::Paragraph(words)] = blocks.as_slice() else { return None };
        let fits = words.chars().count() <= TITLE_CHARS_MAX && !words.trim().ends_with(['.', ',', ';', ':', '!']);
        (fits && shapes.len() > 1 && words.chars().any(char::is_alphabetic)).then_some(first)
    })?;
    let is_central = central(&shapes[at]).unwrap_or(false);
    let mut words = String::new();
    if let Shape::Text(_, blocks) = shapes.remove(at) {
        blocks.iter().for_each(|block| block.flatten(&mut words));
    }
    let words = words.split_whitespace().collect::<Vec<_>>().join(" ");
    Some((words, is_central))
}
