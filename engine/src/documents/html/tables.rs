//! Tables of data: spanned cells in every row and column that they cover, heads of several rows in one,
//! groups under their own words.
//! Invariant: what is written of a table is in proportion to what it says, whatever its cells span.

use super::amounts::{has_digit, has_price, has_time};
use super::inline::Gather;
use super::labels::is_day;
use super::tree::Tree;

/// Columns of a table.
const COLUMNS_MAX: usize = 64;
/// Rows of a head.
const HEAD_ROWS_MAX: usize = 3;
/// Copies of a table's words may have so many times its own size, …
const COPIES_TIMES: usize = 3;
/// … and so much whatever that is, in bytes.
const COPIES_FREE: usize = 1_024;
/// A longer cell is not said again, in bytes.
const COPIED_BYTES_MAX: usize = 300;

/// A piece of a table as it is written.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// A sentence before or after.
    Words(String),
    /// Rows under a head.
    Rows { head: Vec<String>, rows: Vec<Vec<String>> },
}

#[derive(Default)]
struct Cell {
    words: String,
    is_head: bool,
    is_bold: bool,
    columns: usize,
    rows: usize,
}

#[derive(Default)]
struct Row {
    cells: Vec<Cell>,
    in_head: bool,
    /// Its cells, with those of rows above that reach into it.
    grid: Vec<String>,
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
    let mut columns = 0;
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
        let mut cells = row.cells.iter();
        loop {
            if let Some((rows, words)) = reaching.get(grid.len()).filter(|(rows, _)| *rows > 0) {
                row.reached = true;
                put(copy(words), *rows, &mut grid);
                continue;
            }
            let Some(cell) = cells.next() else { break };
            for n in 0..cell.columns {
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
        columns = columns.max(grid.len());
        reaching = next;
        row.grid = grid;
    }
    columns
}

impl Row {
    /// Its only words, where one cell is all of it.
    fn all_of_it(&self, columns: usize) -> Option<&str> {
        let mut cells = self.cells.iter().filter(|cell| !cell.words.is_empty());
        let only = cells.next().filter(|_| cells.next().is_none())?;
        let is_wide = self.cells.len() == 1 || only.columns >= columns;
        (columns > 1 && is_wide && !self.reached && only.rows == 1).then_some(only.words.as_str())
    }

    fn is_head(&self) -> bool {
        let filled = || self.cells.iter().filter(|cell| !cell.words.is_empty());
        let heads = filled().filter(|cell| cell.is_head).count();
        heads == filled().count() && (heads > 1 || self.cells.len() > 1 || filled().all(|cell| cell.columns > 1))
    }

    fn is_bold(&self) -> bool {
        let mut filled = self.cells.iter().filter(|cell| !cell.words.is_empty());
        self.cells.len() > 1 && filled.all(|cell| cell.is_bold)
    }
}

fn lay_out(rows: Vec<Row>, columns: usize, caption: Option<String>, mut room: usize) -> Vec<Part> {
    let mut parts = Vec::new();
    let mut rows = rows.into_iter().peekable();
    let mut title = caption;
    // One cell over all columns on top is what the table is called.
    while let Some(words) = rows.peek().and_then(|row| row.all_of_it(columns)) {
        title = Some(title.map_or_else(|| words.to_owned(), |title| format!("{title}, {words}")));
        rows.next();
    }
    let mut heads: Vec<Vec<String>> = Vec::new();
    while heads.len() < HEAD_ROWS_MAX
        && let Some(row) = rows.next_if(|row| row.in_head || row.is_head())
    {
        heads.push(row.grid);
    }
    let rows: Vec<Row> = rows.collect();
    let (head, rows) = if heads.is_empty() { guessed_head(rows, columns) } else { (joined(&heads, columns), rows) };
    let mut group: Vec<Vec<String>> = Vec::new();
    let mut under = title.clone();
    let mut close = |under: &mut Option<String>, group: &mut Vec<Vec<String>>, parts: &mut Vec<Part>| {
        let said = under.take();
        if group.is_empty() {
            // A title without rows is words all the same.
            parts.extend(said.map(Part::Words));
            return;
        }
        parts.extend(said.map(|words| Part::Words(as_title(&words))));
        let size: usize = head.iter().map(|cell| cell.len() + 8).sum();
        let is_first = !parts.iter().any(|part| matches!(part, Part::Rows { .. }));
        let fits = is_first || size <= room;
        room -= if is_first || !fits { 0 } else { size };
        let head = if fits { head.clone() } else { vec![String::new(); 2] };
        parts.push(Part::Rows { head, rows: std::mem::take(group) });
    };
    let last = rows.len();
    for (n, row) in rows.into_iter().enumerate() {
        let Some(words) = row.all_of_it(columns).map(str::to_owned) else {
            group.push(row.grid);
            continue;
        };
        close(&mut under, &mut group, &mut parts);
        if n + 1 == last || words.ends_with('.') {
            parts.push(Part::Words(words));
        } else {
            under = Some(
                title
                    .as_ref()
                    .map_or_else(|| words.clone(), |title| format!("{}, {words}", title.trim_end_matches([':', '.']))),
            );
        }
    }
    if group.is_empty() && parts.is_empty() && head.iter().any(|cell| !cell.is_empty()) {
        // A head alone.
        parts.extend(under.take().map(Part::Words));
        parts.push(Part::Rows { head: head.clone(), rows: Vec::new() });
    }
    close(&mut under, &mut group, &mut parts);
    parts
}

fn as_title(words: &str) -> String {
    format!("{}:", words.trim_end_matches([':', '.', ' ']))
}

/// Rows of a head as one, cell by cell.
fn joined(heads: &[Vec<String>], columns: usize) -> Vec<String> {
    let cell = |column: usize| {
        let mut words: Vec<&str> = heads.iter().filter_map(|row| row.get(column).map(String::as_str)).collect();
        words.retain(|words| !words.is_empty());
        words.dedup();
        words.join(" ")
    };
    (0..columns).map(cell).collect()
}

/// The head of a table that marks none: its first row, or none where that is a row like the others.
fn guessed_head(mut rows: Vec<Row>, columns: usize) -> (Vec<String>, Vec<Row>) {
    let none = || vec![String::new(); columns.max(2)];
    let Some(first) = rows.first() else { return (none(), rows) };
    // Names of rows stand in their first cells: then the first row has one as well.
    let names_rows = rows.iter().all(|row| row.cells.first().is_some_and(|cell| cell.is_head || cell.words.is_empty()))
        && !rows.iter().all(Row::is_head);
    let others = || rows.iter().skip(1).filter(|row| row.grid.len() > 1);
    let has_digits = |row: &Row| row.cells.iter().any(|cell| has_digit(&cell.words));
    let stands_out = first.is_bold() && others().any(|row| !row.is_bold());
    let is_head = if stands_out && !names_rows {
        true
    } else if names_rows || has_digits(first) || first.cells.len() < 2 || others().next().is_none() {
        false
    } else if columns == 2 {
        // A name and its value, row by row, unless the values are all prices or all times.
        let value = |row: &Row| row.grid.get(1).cloned().unwrap_or_default();
        let alike = others().all(|row| has_price(&value(row))) || others().all(|row| has_time(&value(row)));
        alike && !is_day(&first.grid[0])
    } else {
        others().any(has_digits) || !is_day(&first.grid[0])
    };
    if is_head {
        let head = rows.remove(0).grid;
        let columns = columns.max(head.len());
        (joined(&[head], columns), rows)
    } else {
        (none(), rows)
    }
}
