//! How a table of data is written: heads of several rows in one, groups of rows each under their own words.
//! Invariant: a row stands below the head that tells what its cells are, and below its own group and no other.

use engine_text::heads::{contrasts, fill_groups};

use super::amounts::{has_digit, has_price, has_time};
use super::labels::is_day;
use super::tables::{COPIED_BYTES_MAX, Part, Row};

/// Rows of a head.
const HEAD_ROWS_MAX: usize = 3;

/// What a row is.
enum Sort {
    /// Words over all columns: what the rows below it are, up to the next.
    Group(String),
    /// What the columns below it are.
    Head,
    Data,
}

/// The pieces of a table. `room` is how much may be said again, in bytes.
pub(super) fn lay_out(rows: Vec<Row>, columns: usize, caption: Option<String>, room: usize) -> Vec<Part> {
    let mut rows = rows.into_iter().peekable();
    // Rows of one cell on top: what the table is called, and perhaps its first group.
    let mut above: Vec<String> = Vec::new();
    while let Some(words) = rows.peek().and_then(|row| row.all_of_it(columns)) {
        above.push(words.to_owned());
        rows.next();
    }
    let mut heads: Vec<Vec<String>> = Vec::new();
    while heads.len() < HEAD_ROWS_MAX
        && let Some(row) = rows.next_if(|row| (row.in_head || row.is_head()) && row.all_of_it(columns).is_none())
    {
        heads.push(row.grid);
    }
    let rows: Vec<Row> = rows.collect();
    let (head, rows) = if heads.is_empty() { guessed_head(rows, columns) } else { (joined(&heads, columns), rows) };
    let sorts = sorts(&rows, columns, &head);
    let first_group = sorts.iter().position(|sort| matches!(sort, Sort::Group(_)));
    // Where rows stand between it and another group, the last row on top is a group as well.
    let is_group = first_group.is_some_and(|at| at > 0 && at + 1 < sorts.len()) && ends_as_name(above.last());
    let group = if is_group { above.pop() } else { None };
    let title: Vec<String> = caption.into_iter().chain(above).collect();
    let title = (!title.is_empty()).then(|| title.join(", "));
    let mut layout = Layout { under: None, title, head, rows: Vec::new(), parts: Vec::new(), room };
    layout.under.clone_from(&layout.title);
    if let Some(group) = group {
        layout.begin(&group);
    }
    let last = rows.len();
    for (n, (row, sort)) in rows.into_iter().zip(sorts).enumerate() {
        match sort {
            Sort::Data => layout.rows.push(row.grid),
            Sort::Head => {
                let head = joined(&[row.grid], columns);
                if head != layout.head {
                    if !layout.rows.is_empty() {
                        layout.close();
                    }
                    layout.head = head;
                }
            }
            Sort::Group(words) => {
                if n + 1 == last || !ends_as_name(Some(&words)) {
                    layout.close();
                    layout.parts.push(Part::Words(words));
                } else {
                    layout.begin(&words);
                }
            }
        }
    }
    layout.finish()
}

/// Whether words over all columns may be the name of what is below them: a sentence is a note.
fn ends_as_name(words: Option<&String>) -> bool {
    words.is_some_and(|words| !words.ends_with('.'))
}

fn sorts(rows: &[Row], columns: usize, head: &[String]) -> Vec<Sort> {
    let says_more = |row: &&Row| row.filled().nth(1).is_some();
    // Where every row begins with such a name, one without values is a row without values.
    let names_rows =
        rows.iter().filter(says_more).any(|row| row.cells.first().is_some_and(|one| one.is_head || one.is_bold));
    let has_data = rows.iter().any(|row| says_more(&row) && !row.is_head());
    let is_last = |n: usize| n + 1 == rows.len();
    let sort = |(n, row): (usize, &Row)| {
        let name = || row.only_name().filter(|_| !names_rows && !is_last(n));
        if let Some(words) = row.all_of_it(columns).or_else(name) {
            return Sort::Group(words.to_owned());
        }
        let is_again =
            row.grid.iter().zip(head).all(|(own, head)| own == head) && head.iter().any(|cell| !cell.is_empty());
        let is_new = has_data && row.is_head() && says_more(&row);
        if (is_again || is_new) && !is_last(n) { Sort::Head } else { Sort::Data }
    };
    rows.iter().enumerate().map(sort).collect()
}

/// A table being written.
struct Layout {
    title: Option<String>,
    head: Vec<String>,
    /// What stands above the rows that come.
    under: Option<String>,
    rows: Vec<Vec<String>>,
    parts: Vec<Part>,
    /// Bytes that heads may still be said again with.
    room: usize,
}

impl Layout {
    /// A group begins.
    fn begin(&mut self, words: &str) {
        let title = self.title.as_ref().filter(|title| title.len() <= COPIED_BYTES_MAX.min(self.room));
        let whole = match title.map(|title| title.trim_end_matches([':', '.'])) {
            Some(title) => {
                self.room -= title.len();
                format!("{title}, {words}")
            }
            None => words.to_owned(),
        };
        if title.is_some() && self.rows.is_empty() && self.under == self.title {
            // It is said with the group.
            self.under = None;
        }
        self.close();
        self.under = Some(whole);
    }

    /// Writes the rows so far, below what they stand under.
    fn close(&mut self) {
        let said = self.under.take();
        if self.rows.is_empty() {
            // A title without rows is words all the same.
            self.parts.extend(said.map(Part::Words));
            return;
        }
        self.parts.extend(said.map(|words| Part::Words(as_title(&words))));
        fill_groups(&mut self.rows);
        let size: usize = self.head.iter().map(|cell| cell.len() + 8).sum();
        let is_first = !self.parts.iter().any(|part| matches!(part, Part::Rows { .. }));
        let fits = is_first || size <= self.room;
        self.room -= if is_first || !fits { 0 } else { size };
        let head = if fits { self.head.clone() } else { vec![String::new(); 2] };
        self.parts.push(Part::Rows { head, rows: std::mem::take(&mut self.rows) });
    }

    fn finish(mut self) -> Vec<Part> {
        if self.rows.is_empty() && self.parts.is_empty() && self.head.iter().any(|cell| !cell.is_empty()) {
            // A head alone.
            self.parts.extend(self.under.take().map(Part::Words));
            self.parts.push(Part::Rows { head: self.head.clone(), rows: Vec::new() });
        }
        self.close();
        self.parts
    }
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
    let contrasts = || contrasts(&first.grid, &others().map(|row| row.grid.as_slice()).collect::<Vec<_>>());
    let is_head = if !names_rows && (stands_out || contrasts()) {
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
