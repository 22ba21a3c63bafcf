//! Sheets of cells as Markdown: titles above a table, its head, tables parted by empty rows.

use engine_text::grid::{Placed, merged};
use engine_text::markdown::Writer;

/// Writes the rows of a sheet; empty ones part its tables.
pub(super) fn write(writer: &mut Writer, rows: Vec<Vec<Placed>>) {
    let is_empty = |row: &Vec<Placed>| row.iter().all(|cell| cell.words.trim().is_empty());
    let mut blocks: Vec<Vec<Vec<Placed>>> = vec![Vec::new()];
    for row in rows {
        match blocks.last_mut() {
            Some(block) if is_empty(&row) && block.is_empty() => {}
            Some(_) if is_empty(&row) => blocks.push(Vec::new()),
            Some(block) => block.push(row),
            None => {}
        }
    }
    let mut last_head: Option<Vec<String>> = None;
    for mut block in blocks {
        // Rows that begin further right are shown from where they begin.
        let first = block.iter().filter_map(|row| row.iter().position(|cell| !cell.words.trim().is_empty())).min();
        block.iter_mut().for_each(|row| {
            row.drain(..first.unwrap_or(0).min(row.len()));
            let end = row.iter().rposition(|cell| !cell.words.trim().is_empty()).map_or(0, |at| at + 1);
            row.truncate(end);
        });
        let filled =
            |row: &Vec<Placed>| row.iter().filter(|cell| !cell.words.trim().is_empty() && !cell.from_left).count();
        let titles = if block.iter().any(|row| filled(row) > 1) {
            block.iter().take_while(|row| filled(row) == 1).count()
        } else {
            block.len()
        };
        let table = block.split_off(titles);
        for row in &block {
            writer.text(row.first().map_or("", |cell| cell.words.as_str()));
            writer.end_paragraph();
        }
        if table.is_empty() {
            continue;
        }
        let (caption, mut grid) = merged(table, 0);
        match (&grid.head, &last_head) {
            (Some(head), _) => last_head = Some(head.clone()),
            (None, Some(head)) if head.len() == grid.columns() => grid.head = Some(head.clone()),
            _ => {}
        }
        grid.write(writer, caption.as_deref());
    }
}
