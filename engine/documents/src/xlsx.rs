//! XLSX: every sheet that is shown, a section with its tables, and values as they are shown.
//! Invariant: cells cost work and memory within a bound, however they are merged and wherever they stand.

use std::collections::HashMap;

use engine_text::grid::Placed;
use engine_text::markdown::Writer;
use engine_text::raised::{Shift, shifted};

use super::package::{Package, Step, each, value};
use super::xlsx_format::{Formats, shown};
use super::xlsx_notes::{notes, unread};
use super::xlsx_place::place_of;
use super::{Kind, ReadDocument, Unreadable, sheet};

/// Columns that are read of a sheet.
const COLUMNS_MAX: usize = 64;
/// Cells of a document, those that merged ones cover and empty ones between others among them.
const CELLS_MAX: usize = 2_000_000;

pub(super) fn read(bytes: &[u8]) -> Result<ReadDocument, Unreadable> {
    let mut package = Package::open(Kind::Xlsx, bytes)?;
    let workbook = package.main_part("xl/workbook.xml")?;
    let relations = package.relations("xl/workbook.xml")?;
    let strings = package.part("xl/sharedStrings.xml")?.map(|xml| strings(&xml)).transpose()?.unwrap_or_default();
    let formats = package.part("xl/styles.xml")?.map(|xml| Formats::read(&xml)).transpose()?.unwrap_or_default();
    let title = package.title("docProps/core.xml")?;
    let (sheets, from_1904) = sheets(&workbook)?;
    let mut writer = Writer::default();
    let (mut cells_left, mut left_out) = (CELLS_MAX, Vec::new());
    for (name, id) in sheets {
        let Some(relation) = relations.get(&id) else { continue };
        let Some(xml) = package.part(&relation.part)? else { continue };
        let own = package.relations(&relation.part)?;
        let comments = own.values().find(|own| own.kind == "comments").map(|own| own.part.clone());
        let notes = match comments {
            Some(part) => package.part(&part)?.map(|xml| notes(&xml)).transpose()?.unwrap_or_default(),
            None => HashMap::new(),
        };
        unread(&own, &name, &mut left_out);
        let mut reader = Sheet { from_1904, cells_left, notes, ..Sheet::new(&strings, &formats) };
        each(Kind::Xlsx, &xml, |step| reader.step(step))?;
        let rows = reader.finish().ok_or(Unreadable::Costly)?;
        cells_left = rows.1;
        if !rows.0.is_empty() {
            writer.text(&name);
            writer.end_heading(2);
            sheet::write(&mut writer, rows.0);
        }
    }
    let markdown = writer.finish();
    let markdown = match &title {
        Some(title) if !markdown.trim().is_empty() => super::pdf_text::under(title, &markdown),
        _ => markdown,
    };
    Ok(ReadDocument { title, markdown, left_out, ..ReadDocument::default() })
}

/// Names and ids of the sheets that are shown, and whether days are counted from 1904.
fn sheets(xml: &str) -> Result<(Vec<(String, String)>, bool), Unreadable> {
    let (mut sheets, mut from_1904) = (Vec::new(), false);
    each(Kind::Xlsx, xml, |step| {
        let Step::Open(start) = step else { return };
        match start.local_name().into_inner() {
            "workbookPr" => from_1904 = value(start, "date1904").is_some_and(|on| on == "1" || on == "true"),
            "sheet" if value(start, "state").is_none_or(|state| state == "visible") => {
                if let (Some(name), Some(id)) = (value(start, "name"), value(start, "id")) {
                    sheets.push((name, id));
                }
            }
            _ => {}
        }
    })?;
    Ok((sheets, from_1904))
}

/// Texts that cells share, struck words and readings left out.
fn strings(xml: &str) -> Result<Vec<String>, Unreadable> {
    let mut strings: Vec<String> = Vec::new();
    let mut rich = Rich::default();
    each(Kind::Xlsx, xml, |step| match step {
        Step::Open(start) if start.local_name().into_inner() == "si" => strings.push(String::new()),
        step => {
            if let Some(last) = strings.last_mut() {
                rich.step(step, last);
            }
        }
    })?;
    Ok(strings)
}

/// Words of a text with parts of its own.
#[derive(Default)]
struct Rich {
    in_text: bool,
    in_reading: bool,
    is_struck: bool,
    shift: Option<Shift>,
}

impl Rich {
    /// Adds the words of a step that are shown.
    fn step(&mut self, step: Step<'_>, to: &mut String) {
        match step {
            Step::Open(start) => match start.local_name().into_inner() {
                "t" => self.in_text = true,
                "rPh" => self.in_reading = true,
                "r" => (self.is_struck, self.shift) = (false, None),
                "vertAlign" => self.shift = super::docx_styles::shift_of(start),
                "strike" => self.is_struck = value(start, "val").is_none_or(|on| on != "0" && on != "false"),
                _ => {}
            },
            Step::Close("t") => self.in_text = false,
            Step::Close("rPh") => self.in_reading = false,
            Step::Close("r") => (self.is_struck, self.shift) = (false, None),
            Step::Words(words) if self.in_text && !self.in_reading && !self.is_struck => match self.shift {
                Some(shift) => to.push_str(&shifted(to, words, shift, false)),
                None => to.push_str(words),
            },
            Step::Close(_) | Step::Words(_) => {}
        }
    }
}

/// A sheet being read.
struct Sheet<'a> {
    strings: &'a [String],
    formats: &'a Formats,
    from_1904: bool,
    cells_left: usize,
    is_too_large: bool,
    rows: Vec<(usize, Vec<Placed>)>,
    hidden: Vec<usize>,
    skips_row: bool,
    column: usize,
    next_column: usize,
    kind: String,
    style: usize,
    words: String,
    in_value: bool,
    rich: Rich,
    /// What is noted on cells, by row (from 1) and column (from 0).
    notes: HashMap<(usize, usize), String>,
}

impl<'a> Sheet<'a> {
    fn new(strings: &'a [String], formats: &'a Formats) -> Self {
        Self {
            strings,
            formats,
            from_1904: false,
            cells_left: 0,
            is_too_large: false,
            rows: Vec::new(),
            hidden: Vec::new(),
            skips_row: false,
            column: 0,
            next_column: 0,
            kind: String::new(),
            style: 0,
            words: String::new(),
            in_value: false,
            rich: Rich::default(),
            notes: HashMap::new(),
        }
    }

    fn step(&mut self, step: Step<'_>) {
        match step {
            Step::Open(start) => match start.local_name().into_inner() {
                "col" if value(start, "hidden").is_some_and(|on| on == "1" || on == "true") => {
                    let number = |name| value(start, name).and_then(|n| n.parse::<usize>().ok()).unwrap_or(0);
                    self.hidden
                        .extend((number("min")..=number("max").min(COLUMNS_MAX)).filter_map(|n| n.checked_sub(1)));
                }
                "row" => {
                    let before = self.rows.last().map_or(0, |row| row.0);
                    let number = value(start, "r").and_then(|n| n.parse().ok()).unwrap_or(before + 1);
                    self.skips_row = value(start, "hidden").is_some_and(|on| on == "1" || on == "true");
                    self.next_column = 0;
                    self.rows.push((number, Vec::new()));
                }
                "c" => {
                    self.column =
                        value(start, "r").and_then(|place| place_of(&place)).map_or(self.next_column, |at| at.1);
                    self.next_column = self.column + 1;
                    self.kind = value(start, "t").unwrap_or_default();
                    self.style = value(start, "s").and_then(|n| n.parse().ok()).unwrap_or(0);
                    self.words.clear();
                }
                "v" => self.in_value = true,
                "mergeCell" => {
                    if let Some(area) = value(start, "ref") {
                        self.merge(&area);
                    }
                }
                _ => self.rich.step(step, &mut self.words),
            },
            Step::Close("v") => self.in_value = false,
            Step::Close("c") => self.end_cell(),
            Step::Words(words) if self.in_value => self.words.push_str(words),
            step => self.rich.step(step, &mut self.words),
        }
    }

    fn end_cell(&mut self) {
        let words = std::mem::take(&mut self.words);
        let format = self.formats.of(self.style);
        let row = self.rows.last().map_or(0, |row| row.0);
        let note = self.notes.remove(&(row, self.column));
        let is_empty = words.is_empty() && note.is_none();
        if self.skips_row || is_empty || format.is_struck || self.column >= COLUMNS_MAX {
            return;
        }
        let words = match self.kind.as_str() {
            "s" => words.trim().parse::<usize>().ok().and_then(|at| self.strings.get(at)).cloned().unwrap_or_default(),
            "b" => if words.trim() == "1" { "yes" } else { "no" }.to_owned(),
            "e" => String::new(),
            _ if words.is_empty() => words,
            "str" | "inlineStr" | "d" => words,
            _ => words.trim().parse().map_or(words, |number| shown(number, &format.code, self.from_1904)),
        };
        let words = match note {
            Some(note) if words.is_empty() => note,
            Some(note) => format!("{words} ({note})"),
            None => words,
        };
        let column = self.column;
        if let Some(cell) = self.cell(self.rows.len().saturating_sub(1), column) {
            cell.words = words;
        }
    }

    /// A cell of a row, made if there is room.
    fn cell(&mut self, row: usize, column: usize) -> Option<&mut Placed> {
        let row = &mut self.rows.get_mut(row)?.1;
        let missing = (column + 1).saturating_sub(row.len());
        let Some(left) = self.cells_left.checked_sub(missing.max(1)) else {
            self.is_too_large = true;
            return None;
        };
        self.cells_left = left;
        if missing > 0 {
            row.resize(column + 1, Placed::default());
        }
        row.get_mut(column)
    }

    /// A merged cell stands in every place it covers.
    fn merge(&mut self, area: &str) {
        let Some((from, to)) = area.split_once(':').and_then(|(from, to)| Some((place_of(from)?, place_of(to)?)))
        else {
            return;
        };
        let first = self.rows.partition_point(|row| row.0 < from.0);
        let words = match self.rows.get(first).filter(|row| row.0 == from.0).and_then(|row| row.1.get(from.1)) {
            Some(cell) => cell.words.clone(),
            None => return,
        };
        let end = self.rows.partition_point(|row| row.0 <= to.0);
        for row in first..end {
            for column in from.1..=to.1.min(COLUMNS_MAX - 1) {
                if (row, column) == (first, from.1) {
                    continue;
                }
                // Long words cost as many cells as they are long.
                self.cells_left = self.cells_left.saturating_sub(words.len() / 64);
                let Some(cell) = self.cell(row, column) else { return };
                *cell = Placed { words: words.clone(), from_left: column > from.1, from_above: row > first };
            }
        }
    }

    /// The rows, an empty one where some are missing, and the cells that are left.
    fn finish(self) -> Option<(Vec<Vec<Placed>>, usize)> {
        if self.is_too_large {
            return None;
        }
        let mut rows: Vec<Vec<Placed>> = Vec::new();
        let mut last = 0;
        for (number, row) in self.rows {
            if number > last + 1 && !rows.is_empty() {
                rows.push(Vec::new());
            }
            last = number;
            rows.push(
                row.into_iter().enumerate().filter(|(at, _)| !self.hidden.contains(at)).map(|(_, cell)| cell).collect(),
            );
        }
        Some((rows, self.cells_left))
    }
}

#[cfg(test)]
#[path = "xlsx_tests.rs"]
mod tests;
