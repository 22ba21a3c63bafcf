//! A page of a PDF as it is laid out: which words stand in one line, one column, one table.
//! Invariant: every word of a page is in one item, once; the time taken grows with the words only (and their
//! sorting).

use super::pdf_order;

/// Words written without a gap.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Run {
    pub(super) from: f64,
    pub(super) to: f64,
    /// From the top.
    pub(super) y: f64,
    pub(super) size: f64,
    pub(super) words: String,
    /// Where it may be of two cells that nearly touch.
    pub(super) cuts: Vec<Cut>,
}

/// A gap within a run that is wider than one between words.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Cut {
    /// Bytes of words before it.
    pub(super) at: usize,
    pub(super) to: f64,
    pub(super) from: f64,
}

/// A line of text.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Line {
    pub(super) words: String,
    pub(super) size: f64,
    /// White space stands before it.
    pub(super) is_apart: bool,
}

/// What is on a page.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Item {
    Line(Line),
    /// Rows of cells; one of a single cell is a title of those below.
    Table(Vec<Vec<String>>),
}

impl Item {
    /// It, if it is a line.
    pub(super) fn line(&self) -> Option<&Line> {
        if let Self::Line(line) = self { Some(line) } else { None }
    }
}

/// Baselines that are nearer than this part of the letters' size are one line.
const ONE_LINE: f64 = 0.5;
/// Gaps at least so many times the letters' size part columns.
const GUTTER: f64 = 0.9;
/// A gap wider than this part of the letters' size is a space.
pub(super) const SPACE: f64 = 0.12;
/// A gap wider than this part of the letters' size may part two cells.
pub(super) const CELL_GAP: f64 = 0.33;
/// Columns of running text on a page, at most.
const TEXT_COLUMNS_MAX: usize = 4;

/// The items of a page, from what was written on it in whatever order.
pub(super) fn items(mut runs: Vec<Run>) -> Vec<Item> {
    runs.retain(|run| run.y.is_finite() && run.from.is_finite() && run.to.is_finite() && !run.words.trim().is_empty());
    runs.sort_by(|a, b| a.y.total_cmp(&b.y));
    let mut rows: Vec<Vec<Run>> = Vec::new();
    for run in runs {
        match rows.last_mut() {
            Some(row) if run.y - row[0].y < ONE_LINE * run.size.max(row[0].size) => row.push(run),
            _ => rows.push(vec![run]),
        }
    }
    let mut rows: Vec<Vec<Run>> = rows.into_iter().map(joined).collect();
    part_cells(&mut rows);
    in_reading_order(&mut rows);
    let leading = leading(&rows);
    let mut page = PageLines { items: Vec::new(), leading, last: None };
    let mut at = 0;
    while at < rows.len() {
        let (end, spans) = band(&rows, at);
        if end - at > 1 && spans.len() > 1 {
            page.band(&rows[at..end], &spans);
            at = end;
        } else {
            page.line(&rows[at]);
            at += 1;
        }
    }
    page.items
}

/// A row's runs from left to right, those without a gap as one.
fn joined(mut row: Vec<Run>) -> Vec<Run> {
    row.sort_by(|a, b| a.from.total_cmp(&b.from));
    let mut joined: Vec<Run> = Vec::new();
    for run in row {
        match joined.last_mut() {
            Some(last) if is_mark(last, &run) => {
                last.words.extend(run.words.trim().chars().map(raised));
                last.to = last.to.max(run.to);
            }
            Some(last) if run.from - last.to < GUTTER * run.size.min(last.size) => {
                let at = last.words.len();
                let is_of_mark = last.words.ends_with(pdf_order::is_leftward_mark);
                if run.from - last.to > CELL_GAP * run.size && !is_of_mark {
                    last.cuts.push(Cut { at, to: last.to, from: run.from });
                }
                if run.from - last.to > SPACE * run.size && !is_of_mark {
                    last.words.push(' ');
                }
                let moved = last.words.len();
                last.cuts.extend(run.cuts.into_iter().map(|cut| Cut { at: cut.at + moved, ..cut }));
                last.words.push_str(&run.words);
                last.to = last.to.max(run.to);
                last.size = last.size.max(run.size);
            }
            _ => joined.push(run),
        }
    }
    joined
}

/// Parts cells that nearly touch, where the row above or below has a cell's edge.
fn part_cells(rows: &mut [Vec<Run>]) {
    let pairs = |n: usize| (1..n).map(|at| (at, at - 1)).chain((1..n).rev().map(|at| (at - 1, at)));
    for (at, other) in pairs(rows.len()) {
        if rows[other].len() < 2 || rows[at].iter().all(|run| run.cuts.is_empty()) {
            continue;
        }
        if (rows[at][0].y - rows[other][0].y).abs() > 5.0 * rows[at][0].size {
            continue;
        }
        let row = std::mem::take(&mut rows[at]);
        rows[at] = row.into_iter().flat_map(|run| parted(run, &rows[other])).collect();
    }
}

fn parted(mut run: Run, other: &[Run]) -> Vec<Run> {
    let near = 0.1 * run.size;
    let ends_alike = |to: f64| {
        let at = other.partition_point(|cell| cell.to < to - near);
        other.get(at).filter(|cell| at > 0 && cell.to < to + near).map(|_| at)
    };
    let begins_alike = |from: f64| {
        let at = other.partition_point(|cell| cell.from < from - near);
        other.get(at).filter(|cell| at > 0 && cell.from < from + near).map(|_| at)
    };
    let last_cell = ends_alike(run.to);
    let cuts = std::mem::take(&mut run.cuts);
    let count = cuts.len();
    let mut parts: Vec<Run> = Vec::new();
    let mut kept = Vec::new();
    let mut from_byte = 0;
    let mut from = run.from;
    for (n, cut) in cuts.into_iter().enumerate() {
        let cell = begins_alike(cut.from).or(last_cell.filter(|_| n + 1 == count));
        let fits = cell.is_some_and(|at| other[at - 1].to < cut.from && cut.to < other[at].from.max(cut.from));
        match (fits, run.words.get(from_byte..cut.at)) {
            (true, Some(words)) => {
                let cuts = std::mem::take(&mut kept);
                parts.push(Run { from, to: cut.to, words: words.to_owned(), cuts, ..run });
                (from, from_byte) = (cut.from, cut.at);
            }
            _ => kept.push(Cut { at: cut.at.saturating_sub(from_byte), ..cut }),
        }
    }
    let words = run.words.get(from_byte..).unwrap_or_default().to_owned();
    parts.push(Run { from, words, cuts: kept, ..run });
    parts
}

/// Words as they are read; the first column of a page that runs to the left is its right one.
fn in_reading_order(rows: &mut [Vec<Run>]) {
    let leftward = pdf_order::runs_leftward(rows.iter().flatten().map(|run| run.words.as_str()));
    for row in rows {
        for run in row.iter_mut() {
            run.words = pdf_order::as_read(&run.words, leftward);
            if leftward {
                (run.from, run.to) = (-run.to, -run.from);
            }
        }
        if leftward {
            row.reverse();
        }
    }
}

/// Whether a run is the mark of a footnote behind another one: as a figure it would change an amount.
fn is_mark(last: &Run, run: &Run) -> bool {
    let words = run.words.trim();
    let is_small =
        run.size < 0.85 * last.size && run.y < last.y + 0.05 * last.size && run.from - last.to < 0.5 * last.size;
    is_small && words.len() <= 2 && words.bytes().all(|b| b.is_ascii_digit())
}

fn raised(digit: char) -> char {
    const RAISED: [char; 10] = ['⁰', '¹', '²', '³', '⁴', '⁵', '⁶', '⁷', '⁸', '⁹'];
    digit.to_digit(10).map_or(digit, |digit| RAISED[digit as usize])
}

/// The usual distance from line to line.
fn leading(rows: &[Vec<Run>]) -> f64 {
    let mut gaps: Vec<f64> = rows.windows(2).map(|two| two[1][0].y - two[0][0].y).collect();
    gaps.sort_by(f64::total_cmp);
    gaps.get(gaps.len() / 2).copied().unwrap_or(0.0)
}

type Span = (f64, f64);

/// The spans of columns when a row is added to them.
fn with(spans: &[Span], row: &[Run]) -> Vec<Span> {
    let mut all: Vec<Span> = spans.iter().copied().chain(row.iter().map(|run| (run.from, run.to))).collect();
    all.sort_by(|a, b| a.0.total_cmp(&b.0));
    let size = row.iter().map(|run| run.size).fold(0.0, f64::max);
    let mut merged: Vec<Span> = Vec::new();
    for span in all {
        match merged.last_mut() {
            Some(last) if span.0 < last.1 + 0.3 * size => last.1 = last.1.max(span.1),
            _ => merged.push(span),
        }
    }
    merged
}

/// The rows from one on that share columns, and where these are.
fn band(rows: &[Vec<Run>], from: usize) -> (usize, Vec<Span>) {
    let mut spans = with(&[], &rows[from]);
    // A column may begin a little above the others.
    let near = |at: usize| at + 1 < rows.len() && rows[at + 1][0].y - rows[at][0].y < 1.1 * rows[at][0].size;
    if spans.len() < 2 && !near(from) {
        return (from + 1, spans);
    }
    let mut end = from + 1;
    // Rows of one cell that would hide a column, and may be titles of what follows.
    let mut titles = 0;
    let mut several = usize::from(rows[from].len() > 1);
    while end + titles < rows.len() {
        let at = end + titles;
        let row = &rows[at];
        let gap = row[0].y - rows[at - 1][0].y;
        if gap > 5.0 * row[0].size {
            break;
        }
        let more = with(&spans, row);
        if more.len() >= spans.len().max(2) || (more.len() >= 2 && end - from < 2) {
            spans = more;
            end = at + 1;
            titles = 0;
            several += usize::from(row.len() > 1);
        } else if row.len() == 1 && titles == 0 && spans.len() > 1 {
            titles = 1;
        } else {
            break;
        }
    }
    // Lines of one cell at its end are text below.
    while end > from + 1
        && rows[end - 1].len() == 1
        && (rows[end - 1][0].from - spans[0].0).abs() < 1.0
        && several * 2 > end - from
        && spans.len() > 2
    {
        end -= 1;
    }
    if several < 2 && !(spans.len() > 1 && end - from > 5) {
        return (from + 1, spans);
    }
    (end, spans)
}

struct PageLines {
    items: Vec<Item>,
    leading: f64,
    /// Baseline of the line before.
    last: Option<f64>,
}

impl PageLines {
    fn line(&mut self, row: &[Run]) {
        let words = row.iter().map(|run| run.words.trim()).collect::<Vec<_>>().join(" ");
        self.push_line(words, row[0].y, row.iter().map(|run| run.size).fold(0.0, f64::max));
    }

    fn push_line(&mut self, words: String, y: f64, size: f64) {
        let gap = self.last.map_or(0.0, |last| y - last);
        let is_apart = gap < 0.0 || gap > (1.5 * size).max(1.3 * self.leading.min(2.2 * size));
        self.last = Some(y);
        self.items.push(Item::Line(Line { words, size, is_apart }));
    }

    fn band(&mut self, rows: &[Vec<Run>], spans: &[Span]) {
        let column = |run: &Run| spans.iter().rposition(|span| span.0 <= run.from + 0.5).unwrap_or(0);
        if is_running_text(rows, spans, column) {
            for at in 0..spans.len() {
                // The first line of a column does not go on with the last of the one before by its place.
                self.last = None;
                for run in rows.iter().flatten().filter(|run| column(run) == at) {
                    self.push_line(run.words.trim().to_owned(), run.y, run.size);
                }
            }
            return;
        }
        let mut table: Vec<Vec<String>> = Vec::new();
        let mut last_y: Option<f64> = None;
        let usual = row_gap(rows, spans.len());
        for (n, row) in rows.iter().enumerate() {
            let crosses =
                row.len() == 1 && spans.iter().filter(|span| row[0].from < span.1 && row[0].to > span.0).count() > 1;
            if crosses {
                table.push(vec![row[0].words.trim().to_owned()]);
                last_y = None;
                continue;
            }
            let mut cells = vec![String::new(); spans.len()];
            for run in row {
                let cell = &mut cells[column(run)];
                if !cell.is_empty() {
                    cell.push(' ');
                }
                cell.push_str(run.words.trim());
            }
            // Lines nearer than rows stand are of one row, whichever of them has the other cells.
            let is_near = |gap: f64, size: f64| gap < 1.45 * size && gap < 0.8 * usual;
            let is_close = last_y.is_some_and(|last| is_near(row[0].y - last, row[0].size));
            let next_is_close = rows.get(n + 1).is_some_and(|next| is_near(next[0].y - row[0].y, row[0].size));
            last_y = Some(row[0].y);
            let filled = cells.iter().filter(|cell| !cell.is_empty()).count();
            let is_alone = filled == 1 && !cells[0].is_empty() && !is_close && !next_is_close;
            if is_alone && spans.len() > 2 && n > 0 && n + 1 < rows.len() {
                table.push(vec![cells.swap_remove(0)]);
                continue;
            }
            let joins = |last: &[String]| {
                let last_filled = last.iter().filter(|cell| !cell.is_empty()).count();
                let is_part = filled < cells.len() || last_filled < last.len();
                (is_close && is_part)
                    || (cells[0].is_empty() && filled < cells.len() && !next_is_close)
                    || is_rest(&cells)
            };
            match table.last_mut() {
                Some(last) if last.len() == cells.len() && joins(last) => {
                    for (cell, more) in last.iter_mut().zip(cells).filter(|(_, more)| !more.is_empty()) {
                        if cell.is_empty() { *cell = more } else { super::joining::join(cell, &more) }
                    }
                }
                _ => table.push(cells),
            }
        }
        self.items.push(Item::Table(table));
        self.last = rows.last().map(|row| row[0].y);
    }
}

/// The usual distance between a table's rows.
fn row_gap(rows: &[Vec<Run>], columns: usize) -> f64 {
    let gaps = |full: bool| {
        let two = rows.windows(2).filter(move |two| !full || two.iter().all(|row| row.len() == columns));
        let mut gaps: Vec<f64> = two.map(|two| two[1][0].y - two[0][0].y).collect();
        gaps.sort_by(f64::total_cmp);
        gaps
    };
    let between = gaps(true);
    between.get(between.len() / 2).copied().or_else(|| gaps(false).last().copied()).unwrap_or(0.0)
}

/// Whether no cell of a row begins as a cell does.
fn is_rest(cells: &[String]) -> bool {
    let mut filled = cells.iter().filter(|cell| !cell.is_empty()).peekable();
    filled.peek().is_some()
        && filled.all(|cell| cell.starts_with(char::is_lowercase))
        && cells.iter().any(String::is_empty)
}

/// Whether columns are of text that runs on from line to line, and not of a table's cells.
fn is_running_text(rows: &[Vec<Run>], spans: &[Span], column: impl Fn(&Run) -> usize) -> bool {
    if spans.len() > TEXT_COLUMNS_MAX || rows.len() < 3 {
        return false;
    }
    let mut of_columns = vec![(0usize, 0usize, 0usize); spans.len()];
    for run in rows.iter().flatten() {
        let (lines, chars, rests) = &mut of_columns[column(run)];
        *lines += 1;
        *chars += run.words.chars().count();
        let first = run.words.trim_start().chars().next();
        let is_cased = first.is_some_and(|c| c.is_lowercase() || c.is_uppercase() || !c.is_alphabetic());
        *rests += usize::from(first.is_some_and(char::is_lowercase) || !is_cased);
    }
    let texts = of_columns
        .iter()
        .filter(|(lines, chars, rests)| *lines >= 2 && *chars >= 14 * *lines && *rests * 10 >= *lines * 3);
    let count = texts.count();
    count == spans.len()
        || (count + 1 == spans.len() && count > 1 && of_columns.iter().all(|(lines, chars, _)| *chars >= 14 * *lines))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(from: f64, y: f64, words: &str) -> Run {
        Run {
            from,
            to: from + 5.0 * words.chars().count() as f64,
            y,
            size: 10.0,
            words: words.into(),
            cuts: Vec::new(),
        }
    }

    /// What is on a page, a line each; cells are parted by `|`.
    fn shown(runs: Vec<Run>) -> Vec<String> {
        let lines = items(runs).into_iter().flat_map(|item| match item {
            Item::Line(line) => vec![line.words],
            Item::Table(rows) => rows.iter().map(|row| row.join("|")).collect(),
        });
        lines.collect()
    }

    #[test]
    fn tables_keep_their_rows_and_columns_their_sentences() {
        let rows = |rows: &[(f64, &[(f64, &str)])]| {
            rows.iter().flat_map(|(y, row)| row.iter().map(|(x, words)| run(*x, *y, words))).collect::<Vec<_>>()
        };
        for (page, expected) in [
            (
                rows(&[
                    (10.0, &[(0.0, "Part"), (90.0, "Price")]),
                    (30.0, &[(0.0, "Lid"), (90.0, "3 EUR")]),
                    (50.0, &[(0.0, "Foot"), (90.0, "4 EUR")]),
                ]),
                &["Part|Price", "Lid|3 EUR", "Foot|4 EUR"][..],
            ),
            (
                rows(&[
                    (10.0, &[(0.0, "Part"), (90.0, "Days"), (150.0, "Price")]),
                    (30.0, &[(0.0, "Lid of the"), (90.0, "2"), (150.0, "3 EUR")]),
                    (42.0, &[(0.0, "large pot")]),
                    (62.0, &[(0.0, "Foot"), (90.0, "5"), (150.0, "4 EUR")]),
                    (82.0, &[(0.0, "Repairs")]),
                    (102.0, &[(0.0, "Cable"), (90.0, "6"), (150.0, "9 EUR")]),
                ]),
                &["Part|Days|Price", "Lid of the large pot|2|3 EUR", "Foot|5|4 EUR", "Repairs", "Cable|6|9 EUR"],
            ),
            (
                rows(&[
                    (5.0, &[(0.0, "A heading that goes over both of the columns below it")]),
                    (30.0, &[(0.0, "Delivery takes four days"), (160.0, "You may return what you")]),
                    (42.0, &[(0.0, "and costs six euros in"), (160.0, "bought for thirty days, and")]),
                    (54.0, &[(0.0, "all of the country."), (160.0, "we pay the way back.")]),
                ]),
                &[
                    "A heading that goes over both of the columns below it",
                    "Delivery takes four days",
                    "and costs six euros in",
                    "all of the country.",
                    "You may return what you",
                    "bought for thirty days, and",
                    "we pay the way back.",
                ],
            ),
            (
                // "Beard trim" nearly touches its price; the words of a note do not stand below a cell.
                rows(&[
                    (10.0, &[(0.0, "Service"), (54.0, "Price")]),
                    (30.0, &[(0.0, "Haircut"), (54.0, "25 EUR")]),
                    (50.0, &[(0.0, "Beard trim"), (54.0, "12 EUR")]),
                    (70.0, &[(0.0, "Colour"), (54.0, "48 EUR")]),
                ]),
                &["Service|Price", "Haircut|25 EUR", "Beard trim|12 EUR", "Colour|48 EUR"],
            ),
            (
                rows(&[
                    (10.0, &[(0.0, "מחיר"), (90.0, "שירות")]),
                    (30.0, &[(0.0, "90"), (90.0, "תרופסת")]),
                    (50.0, &[(0.0, "120"), (90.0, "עבצ")]),
                ]),
                &["תוריש|ריחמ", "תספורת|90", "צבע|120"],
            ),
            (rows(&[(10.0, &[(0.0, "One line")]), (22.0, &[(0.0, "and one more")])]), &["One line", "and one more"]),
            (vec![run(0.0, 10.0, "19 EUR"), Run { size: 6.0, to: 34.0, ..run(30.5, 7.0, "1") }], &["19 EUR¹"]),
        ] {
            assert_eq!(shown(page), expected);
        }
    }

    #[test]
    fn a_page_of_many_words_takes_time_in_proportion() {
        for of in [
            |n: usize| run((n % 50) as f64 * 40.0, (n / 50) as f64 * 12.0, "word"),
            |n: usize| run(n as f64 * 40.0, 5.0, "word"),
        ] {
            let begun = std::time::Instant::now();
            assert!(!items((0..100_000).map(of).collect()).is_empty());
            assert!(begun.elapsed() < std::time::Duration::from_secs(10), "{:?}", begun.elapsed());
        }
    }
}
