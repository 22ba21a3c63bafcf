//! A table of a document while it is read, cell by cell: some cover several places.
//! Invariant: what covered places repeat is bounded, in words and in places.

use engine_text::grid::Placed;

use super::blocks::Block;

/// Columns or rows that one cell may cover.
pub(super) const SPAN_MAX: usize = 64;

/// What a repeated place costs besides its words, in bytes.
const PLACE_BYTES: usize = 16;
/// What covered places may repeat of a small document, in bytes.
pub(super) const COPIES_FREE: usize = 64 * 1024;

/// The table.
#[derive(Default)]
pub(super) struct Cells {
    rows: Vec<Vec<Placed>>,
    /// Rows on top that say what the columns are.
    heads: usize,
    row: Vec<Placed>,
    /// The row being read says what the columns are.
    pub(super) is_head: bool,
    /// The row being read is not shown.
    pub(super) is_deleted: bool,
    pub(super) cell: Cell,
}

/// The cell being read.
#[derive(Default)]
pub(super) struct Cell {
    pub(super) words: String,
    /// Places that it covers to its right, its own among them.
    pub(super) across: usize,
    /// How often it stands there, side by side.
    pub(super) times: usize,
    /// It goes on with the cell above, or with the one to its left.
    pub(super) from_above: bool,
    pub(super) from_left: bool,
    pub(super) is_deleted: bool,
}

impl Cells {
    pub(super) fn begin_row(&mut self) {
        self.row.clear();
        self.is_head = false;
        self.is_deleted = false;
    }

    /// Places before the first cell, or between two, that no cell is in.
    pub(super) fn skip(&mut self, places: usize) {
        let room = (2 * SPAN_MAX).saturating_sub(self.row.len());
        self.row.extend((0..places.min(room)).map(|_| Placed::default()));
    }

    pub(super) fn begin_cell(&mut self) {
        self.cell = Cell { across: 1, times: 1, ..Cell::default() };
    }

    /// Puts the cell into its places. `copies` are the bytes that may still be said again.
    pub(super) fn end_cell(&mut self, copies: &mut usize) {
        let cell = std::mem::take(&mut self.cell);
        if cell.is_deleted {
            return;
        }
        let repeats = cell.from_above || cell.from_left;
        let room = (2 * SPAN_MAX).saturating_sub(self.row.len());
        for n in 0..cell.across.saturating_mul(cell.times).min(room) {
            let is_left = cell.from_left || n % cell.across > 0;
            let said = match (cell.from_above, is_left) {
                (true, _) => self.rows.last().and_then(|row| row.get(self.row.len())).map(|above| &above.words),
                (false, true) => self.row.last().map(|left| &left.words),
                _ => None,
            };
            let said = said.map_or(cell.words.trim(), String::as_str);
            let words = if repeats || n > 0 {
                // Without room for the place there is none, without room for the words it is empty.
                let Some(left) = copies.checked_sub(PLACE_BYTES) else { return };
                *copies = left.checked_sub(said.len()).unwrap_or(left);
                if left >= said.len() { said.to_owned() } else { String::new() }
            } else {
                said.to_owned()
            };
            self.row.push(Placed { words, from_left: is_left, from_above: cell.from_above });
        }
    }

    pub(super) fn end_row(&mut self) {
        if self.is_deleted {
            return;
        }
        if self.is_head && self.heads == self.rows.len() {
            self.heads += 1;
        }
        self.rows.push(std::mem::take(&mut self.row));
    }

    /// The table is whole.
    pub(super) fn finish(self) -> Block {
        Block::Table(self.rows, self.heads)
    }
}
