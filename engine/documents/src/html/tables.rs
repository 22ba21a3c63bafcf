//! Tables of data: spanned cells in every row and column that they cover.
//! Invariant: what is written of a table is in proportion to what it says, whatever its cells span.

use super::inline::Gather;
use super::table_layout::lay_out;
use super::tree::Tree;

/// Columns of a table.
const COLUMNS_MAX: usize = 64;
/// Copies of a table's words may have so many times its own size, …
const COPIES_TIMES: usize = 3;
/// … and so much whatever that is, in bytes.
const COPIES_FREE: usize = 1_024;
/// A longer cell is not said again, in bytes.
pub(super) const COPIED_BYTES_MAX: usize = 300;

/// A piece of a table as it is written.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// A sentence before or after.
    Words(String),
    /// Rows under a head.
    Rows { head: Vec<String>, rows: Vec<Vec<String>> },
}

/// A cell as it is written in the page.
#[derive(Default)]
pub(super) struct Cell {
    pub(super) words: String,
    pub(super) is_head: bool,
    pub(super) is_bold: bool,
    columns: usize,
    rows: usize,
}

/// A row as it is written in the page.
#[derive(Default)]
pub(super) struct Row {
    pub(super) cells: Vec<Cell>,
    pub(super) in_head: bool,
    /// Its cells, with those of rows above that reach into it.
    pub(super) grid: Vec<String>,
    /// Cells of rows above reach into it.
    reached: bool,
}

/// The pieces of a table.
pub(super) fn parts(tree: &Tree, gather: Gather<'_>, at: usize) -> Vec<Part> {
    let (mut rows, caption) = read(tree, gather, at);
    rows.retain(|row| row.cells.iter().any(|cell| !cell.words.is_empty()));
    let own: usize = rows.iter().flat_map(|row| &row.cells).map(|cell| cell.words.len()).sum();
    let mut room = own * COPIES_TIMES + COPIES_FREE;
    let columns = spread(&mut rows, &mut room);
    lay_out(rows, columns, caption, room)
}

fn read(tree: &Tree, gather: Gather<'_>, table: usize) -> (Vec<Row>, Option<String>) {
    let (mut rows, mut caption) = (Vec::new(), None);
    let mut at = table + 1;
    while at < tree.under(table).end {
        let node = &tree.nodes[at];
        if gather.skipped[at] {
            at = tree.under(at).end;
            continue;
        }
        match node.name() {
            "caption" => {
                caption = Some(gather.line(at, ", ")).filter(|words| !words.is_empty());
                at = tree.under(at).end;
            }
            "tr" => {
                let in_head = tree.nodes[node.parent].name() == "thead";
                rows.push(Row { in_head, ..Row::default() });
                at += 1;
            }
            "td" | "th" => {
                let span = |name: &str, most: usize| {
                    node.attribute(name).and_then(|n| n.trim().parse().ok()).unwrap_or(1_usize).clamp(1, most)
                };
                let paragraph = gather.paragraph(at);
                let is_bold = paragraph.is_bold();
                let rows_spanned = match node.attribute("rowspan").map(str::trim) {
                    Some("0") => usize::MAX,
                    _ => span("rowspan", usize::MAX),
                };
                let is_row_head = matches!(node.attribute("scope"), Some("row" | "rowgroup"));
                let cell = Cell {
                    words: paragraph.joined(", "),
                    is_head: node.name() == "th" && !is_row_head,
                    is_bold,
                    columns: span("colspan", COLUMNS_MAX),
                    rows: rows_spanned,
                };
                if let Some(row) = rows.last_mut() {
                    row.cells.push(cell);
                }
                at = tree.under(at).end;
            }
            _ => at += 1,
        }
    }
    (rows, caption)
}

/// Fills each row's grid; gives the number of columns.
fn spread(rows: &mut [Row], room: &mut usize) -> usize {
    let mut reaching: Vec<(usize, String)> = Vec::new();
    for row in rows.iter_mut() {
        let mut grid: Vec<String> = Vec::new();
        let mut next: Vec<(usize, String)> = Vec::new();
        let mut put = |words: String, rows: usize, grid: &mut Vec<String>| {
            next.push((rows.saturating_sub(1), if rows > 1 { words.clone() } else { String::new() }));
            grid.push(words);
        };
        let mut copy = |words: &str| {
            let fits = words.len() <= COPIED_BYTES_MAX && words.len() <= *room;
            *room -= if fits { words.len() } else { 0 };
            if fits { words.to_owned() } else { String::new() }
        };
        // One cell alone covers the row; it need not say so in every column.
        let is_alone = row.cells.len() == 1 && reaching.iter().all(|(rows, _)| *rows == 0);
        let mut cells = row.cells.iter();
        loop {
            if let Some((rows, words)) = reaching.get(grid.len()).filter(|(rows, _)| *rows > 0) {
                row.reached = true;
                put(copy(words), *rows, &mut grid);
                continue;
            }
            let Some(cell) = cells.next() else { break };
            let columns = if is_alone { 1 } else { cell.columns };
            for n in 0..columns {
                if grid.len() >= COLUMNS_MAX {
                    break;
                }
                // Where a cell of a row above reaches into what this one spans, both are there: that is the page's fault.
                let words = if n == 0 { cell.words.clone() } else { copy(&cell.words) };
                put(words, cell.rows, &mut grid);
            }
            if grid.len() >= COLUMNS_MAX {
                // Further cells are joined to the last.
                for cell in cells.by_ref() {
                    if let Some(last) = grid.last_mut() {
                        last.push(' ');
                        last.push_str(&cell.words);
                    }
                }
                break;
            }
        }
        // What reaches down behind the last cell of this row.
        while grid.len() < reaching.len().min(COLUMNS_MAX) {
            let (rows, words) = reaching[grid.len()].clone();
            put(if rows > 0 { copy(&words) } else { String::new() }, rows.max(1), &mut grid);
        }
        while grid.last().is_some_and(String::is_empty) && grid.len() > 1 {
            grid.pop();
        }
        reaching = next;
        row.grid = grid;
    }
    // What one cell alone covers says nothing of how many columns there are: many write a hundred.
    let width = |is_one: &dyn Fn(&Row) -> bool| rows.iter().filter(|row| is_one(row)).map(|row| row.grid.len()).max();
    width(&|row| row.reached || row.filled().nth(1).is_some())
        .or_else(|| width(&|row| row.cells.len() > 1))
        .unwrap_or(1)
}

impl Row {
    /// Cells that say something.
    pub(super) fn filled(&self) -> impl Iterator<Item = &Cell> {
        self.cells.iter().filter(|cell| !cell.words.is_empty())
    }

    /// Its only words, where one cell is all of it.
    pub(super) fn all_of_it(&self, columns: usize) -> Option<&str> {
        let mut cells = self.filled();
        let only = cells.next().filter(|_| cells.next().is_none())?;
        let is_wide = self.cells.len() == 1 || only.columns >= columns;
        (columns > 1 && is_wide && !self.reached && only.rows == 1).then_some(only.words.as_str())
    }

    /// Its only words, where they are marked as a name and the cells behind them are empty.
    pub(super) fn only_name(&self) -> Option<&str> {
        let first = self.cells.first().filter(|first| first.is_head || first.is_bold)?;
        let is_alone = self.cells.len() > 1 && self.filled().count() == 1;
        (is_alone && !self.reached && first.rows == 1 && !first.words.is_empty()).then_some(first.words.as_str())
    }

    pub(super) fn is_head(&self) -> bool {
        let heads = self.filled().filter(|cell| cell.is_head).count();
        heads == self.filled().count()
            && (heads > 1 || self.cells.len() > 1 || self.filled().all(|cell| cell.columns > 1))
    }

    pub(super) fn is_bold(&self) -> bool {
        self.cells.len() > 1 && self.filled().all(|cell| cell.is_bold)
    }
}
