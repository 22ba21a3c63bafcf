//! Tables of plain text: drawn with pipes and boxes, set with tabs, dots or spaces.

use super::aligned;
use super::lines::Line;
use crate::grid::{Grid, Row};

/// The table that begins at a line, and the line after it.
pub(super) fn at(lines: &[Line<'_>], from: usize) -> Option<(Grid, usize)> {
    let first = lines.get(from).filter(|line| !line.is_blank())?;
    drawn(lines, from)
        .or_else(|| piped(lines, from))
        .or_else(|| tabbed(lines, from))
        .or_else(|| led(lines, from))
        .or_else(|| if super::items::item(first.text).is_some() { None } else { aligned::at(lines, from) })
}

const DRAWN: &[char] = &['│', '║', '┃', '|'];

fn is_drawn_rule(text: &str) -> bool {
    let is_part = |c: char| matches!(c, '+' | '-' | '=' | '|' | ':' | ' ' | '\u{2500}'..='\u{257f}');
    let lines = text.chars().filter(|c| matches!(c, '-' | '=' | '─' | '━' | '═')).count();
    lines >= 2 && text.chars().all(is_part) && text.contains(|c: char| matches!(c, '+' | '|' | '\u{2500}'..='\u{257f}'))
}

/// A table in a drawn box.
fn drawn(lines: &[Line<'_>], from: usize) -> Option<(Grid, usize)> {
    let opens = |c: char| matches!(c, '+' | '┌' | '╔' | '╭' | '┏' | '├' | '╒' | '╓');
    let first = lines[from].text;
    if !(first.starts_with(opens) && is_drawn_rule(first)) {
        return None;
    }
    let starts = |line: &&Line<'_>| {
        line.text.starts_with(|c: char| {
            DRAWN.contains(&c)
                || opens(c)
                || matches!(c, '└' | '╚' | '╰' | '┗' | '╠' | '┣' | '╞' | '╟' | '╘' | '╙' | '┠' | '┝')
        })
    };
    let count = lines[from..].iter().take_while(starts).count();
    let body = &lines[from..from + count];
    // Bands between rules; with a rule below every row, a band is one row of several lines.
    let mut bands: Vec<Vec<Vec<String>>> = vec![Vec::new()];
    let mut head_ends = None;
    for line in body {
        if is_drawn_rule(line.text) && !line.text.contains(char::is_alphanumeric) {
            if line.text.contains(['=', '═', '╪']) && bands.len() > 1 && line.text.starts_with(['+', '╠', '╞'])
            {
                head_ends = head_ends.or(Some(bands.len()));
            }
            bands.push(Vec::new());
        } else if let Some(band) = bands.last_mut() {
            band.push(cells(line.text));
        }
    }
    bands.retain(|band| !band.is_empty());
    if bands.is_empty() {
        // Nothing but rules: there is nothing to say, and nobody need look at them again.
        return Some((Grid::default(), from + count));
    }
    let is_ruled = bands.len() > 2;
    let has_head = bands.len() > 1 || head_ends.is_some();
    let mut rows: Vec<Vec<String>> = Vec::new();
    for (n, band) in bands.iter().enumerate() {
        for (m, row) in band.iter().enumerate() {
            let goes_on = m > 0 && (is_ruled || n == 0 && has_head || row.first().is_some_and(String::is_empty));
            match rows.last_mut().filter(|_| goes_on) {
                Some(last) => merge(last, row),
                None => rows.push(row.clone()),
            }
        }
    }
    Some((finish(rows, has_head.then_some(true)), from + count))
}

/// Lines of cells between pipes, with or without a rule.
fn piped(lines: &[Line<'_>], from: usize) -> Option<(Grid, usize)> {
    // The first two lines decide, so that lines that are no table are not gone through again and again.
    let [first, second] = lines.get(from..from + 2)? else { return None };
    let columns = cells(first.text).len();
    let fits = has_pipe(first)
        && has_pipe(second)
        && !is_drawn_rule(first.text)
        && columns >= 2
        && (is_drawn_rule(second.text) || cells(second.text).len() == columns);
    if !fits {
        return None;
    }
    let count = lines[from..].iter().take_while(|line| has_pipe(line)).count();
    let mut rows = Vec::new();
    let mut ruled_at = None;
    for line in &lines[from..from + count] {
        if is_drawn_rule(line.text) {
            ruled_at = ruled_at.or(Some(rows.len()));
        } else {
            rows.push(cells(line.text));
        }
    }
    let has_head = ruled_at.map(|at| at == 1);
    if has_head == Some(true) && rows[0].iter().all(String::is_empty) {
        rows.remove(0);
        return Some((Grid { head: None, rows: rows.into_iter().map(section_or_cells).collect() }, from + count));
    }
    Some((finish(rows, has_head.filter(|has| *has)), from + count))
}

fn has_pipe(line: &Line<'_>) -> bool {
    line.text.contains(['|', '│', '║', '┃', '¦'])
}

/// Cells parted by tabs.
fn tabbed(lines: &[Line<'_>], from: usize) -> Option<(Grid, usize)> {
    let has_tab = |line: &Line<'_>| line.text.contains('\t');
    if !lines.get(from..from + 2).is_some_and(|two| two.iter().all(has_tab)) {
        return None;
    }
    let is_listed = |line: &&Line<'_>| {
        let first = line.text.split('\t').next().unwrap_or_default().trim();
        let is_marker = first.chars().count() <= 5 && !first.contains(char::is_alphabetic);
        (is_marker || super::items::item(&format!("{first} x")).is_some()) && line.text.matches('\t').count() == 1
    };
    if lines[from..].iter().take(4).filter(is_listed).count() > 1 {
        return None;
    }
    let count = lines[from..].iter().take_while(|line| has_tab(line)).count();
    let body = &lines[from..from + count];
    // Counted before they are kept: cells of a few letters take many times their length in memory.
    let filled = |line: &Line<'_>| line.text.split('\t').filter(|cell| !cell.trim().is_empty()).count();
    let alike = |cells: &dyn Fn(&Line<'_>) -> usize| body.windows(2).all(|pair| cells(&pair[0]) == cells(&pair[1]));
    let one_each = alike(&|line| line.text.split('\t').count()) || !alike(&filled);
    let rows = body
        .iter()
        .map(|line| split(line.text.split('\t').filter(|cell| one_each || !cell.trim().is_empty())))
        .collect();
    Some((finish(rows, None), from + count))
}

/// Names and values with dots or lines between them: `Delivery ........ 4.90 EUR`.
fn led(lines: &[Line<'_>], from: usize) -> Option<(Grid, usize)> {
    let rows: Vec<Vec<String>> = lines[from..].iter().map_while(|line| leaders(line.text)).collect();
    let count = rows.len();
    (count >= 2).then(|| (Grid { head: None, rows: rows.into_iter().map(Row::Cells).collect() }, from + count))
}

fn leaders(text: &str) -> Option<Vec<String>> {
    let mut cells = Vec::new();
    let (mut cell, mut run, mut rest) = (String::new(), String::new(), text.chars().peekable());
    while let Some(c) = rest.next() {
        if matches!(c, '.' | '_' | '…' | '·')
            || (c == ' ' && !run.is_empty() && rest.peek().is_some_and(|c| matches!(c, '.' | '_')))
        {
            run.push(c);
            continue;
        }
        if run.chars().filter(|c| *c != ' ').count() >= 4 || run.contains('…') && run.chars().count() > 1 {
            cells.push(std::mem::take(&mut cell));
        } else {
            cell.push_str(&run);
        }
        run.clear();
        cell.push(c);
    }
    cells.push(cell + if run.len() < 4 { &run } else { "" });
    let cells = split(cells.iter().map(String::as_str));
    (cells.len() == 2 && cells.iter().all(|cell| !cell.is_empty())).then_some(cells)
}

fn split<'a>(cells: impl Iterator<Item = &'a str>) -> Vec<String> {
    let mut cells: Vec<String> = cells
        .map(|cell| {
            let mut words = cell.split_whitespace();
            let mut joined = String::from(words.next().unwrap_or_default());
            words.for_each(|word| joined.extend([" ", word]));
            joined
        })
        .collect();
    cells.shrink_to_fit();
    cells
}

/// The cells of a line of pipes; one after a backslash is a word's.
fn cells(text: &str) -> Vec<String> {
    let mut cells = vec![String::new()];
    let mut chars = text.trim().chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\\' if chars.next_if_eq(&'|').is_some() => cells.last_mut().into_iter().for_each(|cell| cell.push('|')),
            '|' | '│' | '║' | '┃' | '¦' => cells.push(String::new()),
            c => cells.last_mut().into_iter().for_each(|cell| cell.push(c)),
        }
    }
    let outer = |c: Option<char>| c.is_some_and(|c| DRAWN.contains(&c));
    // One after a backslash is a word's at the end as well.
    let closes = outer(text.chars().next_back()) && !text.ends_with("\\|");
    let (first, last) = (outer(text.chars().next()), cells.len() > 1 && closes);
    if last {
        cells.pop();
    }
    if first && !cells.is_empty() {
        cells.remove(0);
    }
    split(cells.iter().map(String::as_str))
}

pub(super) fn merge(row: &mut Vec<String>, more: &[String]) {
    if row.len() < more.len() {
        row.resize(more.len(), String::new());
    }
    for (cell, more) in row.iter_mut().zip(more).filter(|(_, more)| !more.is_empty()) {
        if cell.is_empty() {
            cell.clone_from(more);
        } else {
            super::lines::join(cell, more);
        }
    }
}

fn section_or_cells(row: Vec<String>) -> Row {
    if row.len() == 1 { row.into_iter().next().map_or(Row::Cells(Vec::new()), Row::Section) } else { Row::Cells(row) }
}

/// A table of rows, of which the first is the head, or looks like it.
pub(super) fn finish(rows: Vec<Vec<String>>, has_head: Option<bool>) -> Grid {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let rows: Vec<Row> = rows
        .into_iter()
        .filter(|row| row.iter().any(|cell| !cell.is_empty()))
        .enumerate()
        .map(|(n, row)| {
            let filled = row.iter().filter(|cell| !cell.is_empty()).count();
            let is_title = n > 0 && columns > 1 && filled == 1 && !row[0].is_empty() && row[0].ends_with(':');
            if is_title {
                Row::Section(row[0].clone())
            } else if columns > 1 && n > 0 {
                section_or_cells(row)
            } else {
                Row::Cells(row)
            }
        })
        .collect();
    match has_head {
        Some(true) if rows.len() > 1 => {
            let mut rows = rows;
            let head = if let Row::Cells(cells) = rows.remove(0) { Some(cells) } else { None };
            Grid { head, rows }
        }
        _ => Grid::guessed(rows),
    }
}
