//! Tables set with spaces: cells stand one below the other.

use super::lines::{Line, ends_sentence, is_rule};
use super::tables::{finish, merge};
use crate::grid::{Grid, Row};

/// A line longer than this is no row of a table set with spaces.
const ROW_CHARS_MAX: usize = 400;

/// Rows that decide whether lines are a table: lines that are none are not gone through again and again.
const DECIDING_ROWS: usize = 48;

/// A cell with the columns of characters it stands in.
#[derive(Clone, Debug)]
struct Cell {
    from: usize,
    to: usize,
    words: String,
}

/// The table that begins at a line, and the line after it.
pub(super) fn at(lines: &[Line<'_>], from: usize) -> Option<(Grid, usize)> {
    let some = within(lines, from, DECIDING_ROWS)?;
    if some.1 - from < DECIDING_ROWS { Some(some) } else { within(lines, from, usize::MAX).or(Some(some)) }
}

/// The table among so many lines.
fn within(lines: &[Line<'_>], from: usize, most: usize) -> Option<(Grid, usize)> {
    if !has_gap(&lines[from]) {
        return None;
    }
    let lines = &lines[..from.saturating_add(most).min(lines.len())];
    let mut second = None;
    let mut body: Vec<Option<Vec<Cell>>> = Vec::new();
    let mut ruled_at = None;
    let (mut at, mut end) = (from, from);
    while let Some(line) = lines.get(at) {
        let next = lines.get(at + 1);
        if line.is_blank() {
            // Rows set apart, when the cells stand as in the row before.
            let before = body.last().and_then(Option::as_ref).map(Vec::as_slice).unwrap_or_default();
            if !next.is_some_and(|next| has_gap(next) && stands_as(before, &cells(next))) {
                break;
            }
            if body.len() == 1 {
                ruled_at = ruled_at.or(Some(1));
            }
        } else if is_columns_rule(line.text) {
            ruled_at = ruled_at.or(Some(body.len()));
            body.push(None);
            end = at + 1;
        } else if has_gap(line) || is_within(line, next, second) {
            let cells = cells(line);
            second = cells.get(1).map(|cell| cell.from).into_iter().chain(second).min();
            body.push(Some(cells));
            end = at + 1;
        } else {
            break;
        }
        at += 1;
    }
    while matches!(body.last(), Some(None)) {
        body.pop();
    }
    let rows: Vec<&Vec<Cell>> = body.iter().flatten().collect();
    let gapped = rows.iter().filter(|row| row.len() > 1).count();
    if gapped < 2 {
        return None;
    }
    let columns = columns(&rows).filter(|columns| is_table(&rows, columns));
    let head_rows = ruled_at.map(|at| body.iter().take(at).flatten().count());
    match columns {
        Some(columns) => {
            let base = rows.iter().filter_map(|row| row.first()).map(|cell| cell.from).min().unwrap_or(0);
            let placed: Vec<(usize, Vec<String>)> =
                rows.iter().enumerate().map(|(n, row)| (row[0].from - base, place(row, &columns, n == 0))).collect();
            Some((assemble(&placed, head_rows), end))
        }
        // Not one below the other, but alike in number: set for letters of unlike widths.
        None => {
            let count = rows[0].len();
            let alike = rows.iter().all(|row| row.len() == count);
            let are_short = rows.iter().flat_map(|row| row.iter()).all(|cell| cell.words.chars().count() <= 60);
            let fits = alike && are_short && count > 1 && (rows.len() >= 3 || count >= 3);
            let rows = rows.iter().map(|row| row.iter().map(|cell| cell.words.clone()).collect()).collect();
            fits.then(|| (finish(rows, head_rows.map(|rows| rows == 1).filter(|has| *has)), end))
        }
    }
}

/// Whether white space within the line parts it into cells.
fn has_gap(line: &Line<'_>) -> bool {
    line.raw.len() <= ROW_CHARS_MAX * 4
        && !line.text.contains('\t')
        && line.chars() <= ROW_CHARS_MAX
        && cells(line).len() > 1
}

/// Cells are parted by two spaces, after the end of a sentence by three.
fn cells(line: &Line<'_>) -> Vec<Cell> {
    let mut cells: Vec<Cell> = Vec::new();
    let (mut spaces, mut at) = (0, 0);
    for c in line.raw.chars() {
        at += if c == '\t' { 4 } else { 1 };
        if c == ' ' || c == '\t' {
            spaces += 1;
            continue;
        }
        match cells.last_mut() {
            Some(last)
                if spaces < 2
                    || (spaces == 2 && ends_sentence(&last.words))
                    || (spaces == 2 && last.words.ends_with(':') && last.words.len() < 3) =>
            {
                if spaces > 0 {
                    last.words.push(' ');
                }
                last.words.push(c);
                last.to = at;
            }
            _ => cells.push(Cell { from: at - 1, to: at, words: c.to_string() }),
        }
        spaces = 0;
    }
    cells
}

fn is_columns_rule(text: &str) -> bool {
    let parts: Vec<&str> = text.split_whitespace().collect();
    !parts.is_empty() && text.len() >= 3 && parts.iter().all(|part| is_rule(part) || *part == "--" || *part == "==")
}

fn stands_as(before: &[Cell], cells: &[Cell]) -> bool {
    let overlaps = |one: &Cell, other: &Cell| one.from == other.from || one.to == other.to;
    before.len() > 1
        && cells.len() > 1
        && before.iter().skip(1).any(|one| cells.iter().skip(1).any(|other| overlaps(one, other)))
}

/// A line of one cell that belongs to the table around it: a title, or the rest of a cell.
fn is_within(line: &Line<'_>, next: Option<&Line<'_>>, second: Option<usize>) -> bool {
    let Some(second) = second else { return false };
    let end = line.raw.chars().count();
    if line.indent + 2 >= second {
        return true;
    }
    end < second && next.is_some_and(has_gap) && next.is_some_and(|next| cells(next)[0].from + 1 < second)
}

/// The spans of the columns: between them no row has a letter.
fn columns(rows: &[&Vec<Cell>]) -> Option<Vec<(usize, usize)>> {
    let gapped: Vec<&Vec<Cell>> = rows.iter().copied().filter(|row| row.len() > 1).collect();
    let all = spans(&gapped);
    // A head over several columns hides what is between them.
    let below = if gapped.len() > 2 { spans(&gapped[1..]) } else { Vec::new() };
    let found = if below.len() > all.len() { below } else { all };
    (found.len() > 1).then_some(found)
}

fn spans(rows: &[&Vec<Cell>]) -> Vec<(usize, usize)> {
    let width = rows.iter().flat_map(|row| row.iter()).map(|cell| cell.to).max().unwrap_or(0);
    let mut filled = vec![false; width.min(8 * ROW_CHARS_MAX)];
    for cell in rows.iter().flat_map(|row| row.iter()) {
        filled.iter_mut().take(cell.to).skip(cell.from).for_each(|place| *place = true);
    }
    let mut spans: Vec<(usize, usize)> = Vec::new();
    for (at, _) in filled.iter().enumerate().filter(|(_, filled)| **filled) {
        match spans.last_mut() {
            Some(last) if last.1 == at => last.1 = at + 1,
            _ => spans.push((at, at + 1)),
        }
    }
    spans
}

fn is_table(rows: &[&Vec<Cell>], columns: &[(usize, usize)]) -> bool {
    let filled = rows.iter().filter(|row| row.len() > 1).map(|row| place(row, columns, false));
    let (mut whole, mut count) = (0, 0);
    for row in filled {
        count += 1;
        whole += usize::from(row.iter().filter(|cell| !cell.is_empty()).count() > 1);
    }
    whole >= 2 && whole * 3 >= count * 2
}

/// The words of a row in their columns; those of a head over several stand in each.
fn place(row: &[Cell], columns: &[(usize, usize)], is_head: bool) -> Vec<String> {
    let mut placed = vec![String::new(); columns.len()];
    for cell in row {
        let mut any = false;
        for (words, (from, to)) in placed.iter_mut().zip(columns) {
            if cell.from < *to && cell.to > *from && (is_head || !any) {
                if !words.is_empty() {
                    words.push(' ');
                }
                words.push_str(&cell.words);
                any = true;
            }
        }
        if !any {
            let near = columns.iter().position(|(from, _)| *from >= cell.to).unwrap_or(columns.len() - 1);
            if !placed[near].is_empty() {
                placed[near].push(' ');
            }
            placed[near].push_str(&cell.words);
        }
    }
    placed
}

/// Rows joined from their lines, and titles told from rows.
fn assemble(placed: &[(usize, Vec<String>)], head_rows: Option<usize>) -> Grid {
    let mut head: Option<Vec<String>> = None;
    let mut rows: Vec<Row> = Vec::new();
    let mut from = 0;
    if let Some(count) = head_rows.filter(|count| (1..placed.len()).contains(count)) {
        let mut whole = placed[0].1.clone();
        placed[1..count].iter().for_each(|(_, row)| merge(&mut whole, row));
        head = Some(whole);
        from = count;
    }
    if let [(_, over), (_, under), (_, third), ..] = placed
        && head.is_none()
        && let Some(two_lines) = head_of_two_lines(over, under, third)
    {
        head = Some(two_lines);
        from = 2;
    }
    for (n, (indent, row)) in placed.iter().enumerate().skip(from) {
        let filled = row.iter().filter(|cell| !cell.is_empty()).count();
        let next_indent = placed.get(n + 1).map(|(indent, _)| *indent);
        let first = row[0].as_str();
        if filled == 1 && !first.is_empty() {
            let opens = first.starts_with(|c: char| !c.is_lowercase() && c != '(') && next_indent.is_some();
            let is_apart = first.ends_with(':')
                || next_indent.is_some_and(|next| next > *indent)
                || super::headings::is_capitals(first)
                || (n == from && (head.is_some() || n > 0))
                || n == 1 && head.is_none();
            if opens && is_apart {
                rows.push(Row::Section(row[0].clone()));
                continue;
            }
        }
        let last = rows.last_mut().and_then(|last| if let Row::Cells(cells) = last { Some(cells) } else { None });
        match last {
            Some(last) if goes_on(last, row) => merge(last, row),
            // A name that stands for several rows is written once.
            Some(last) if first.is_empty() && filled + 1 == row.len() => {
                let mut row = row.clone();
                row[0].clone_from(&last[0]);
                rows.push(Row::Cells(row));
            }
            _ => rows.push(Row::Cells(row.clone())),
        }
    }
    match head {
        Some(_) => Grid { head, rows },
        None => Grid::guessed(rows),
    }
}

/// A head whose first line stands over several columns each: `Standard` over `Price` and `Days`.
fn head_of_two_lines(over: &[String], under: &[String], third: &[String]) -> Option<Vec<String>> {
    let filled = |row: &[String]| row.iter().filter(|cell| !cell.is_empty()).count();
    let has_digit = |cell: &String| cell.bytes().any(|b| b.is_ascii_digit());
    let fits = over[0].is_empty()
        && filled(over) > 0
        && filled(over) < filled(under)
        && filled(under) + 1 >= under.len()
        && !under.iter().any(has_digit)
        && third.iter().any(has_digit);
    let mut last = "";
    let whole = over.iter().zip(under).map(|(over, under)| {
        if !over.is_empty() {
            last = over;
        }
        [last, under].into_iter().filter(|words| !words.is_empty()).collect::<Vec<_>>().join(" ")
    });
    fits.then(|| whole.collect())
}

/// Whether a line is the rest of the row before.
fn goes_on(last: &[String], row: &[String]) -> bool {
    let filled: Vec<&String> = row.iter().filter(|cell| !cell.is_empty()).collect();
    if filled.len() == row.len() && row.len() > 1 {
        return false;
    }
    let is_rest = |cell: &&String| cell.starts_with(|c: char| c.is_lowercase() || c == '(' || c == '&');
    if row[0].is_empty() {
        let is_row = row.len() > 2
            && filled.len() + 1 == row.len()
            && !filled.iter().any(is_rest)
            && last.last().is_some_and(|cell| !cell.is_empty())
            && filled.last().is_some_and(|cell| cell.bytes().any(|b| b.is_ascii_digit()));
        return !is_row;
    }
    filled.iter().all(is_rest) || filled.len() == 1
}
