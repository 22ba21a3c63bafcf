//! Tables of a passage read as records: each cell under its column's heading, beside its row's.
//! Invariant: cells are the passage's own words.

/// A table as Markdown gives it.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Table {
    /// Headings of the columns; all empty where the rows are keys and values.
    pub(super) heads: Vec<String>,
    pub(super) rows: Vec<Vec<String>>,
}

impl Table {
    /// Reads lines of a pipe table, the second of which is the rule.
    pub(super) fn read(text: &str) -> Self {
        let mut lines = text.lines();
        let heads = lines.next().map(cells).unwrap_or_default();
        let rows = lines.skip(1).map(cells).filter(|row| row.iter().any(|cell| !cell.is_empty())).collect();
        Self { heads, rows }
    }

    /// A column's heading, empty where it has none.
    pub(super) fn head(&self, column: usize) -> &str {
        self.heads.get(column).map_or("", String::as_str)
    }

    /// Some of a row's cells as one line: its first cell, then each under its heading.
    pub(super) fn line(&self, row: &[String], columns: &[usize]) -> String {
        let label = row.first().map_or("", String::as_str);
        let mut line = label.to_string();
        let mut told: Vec<&str> = Vec::new();
        for column in columns.iter().copied().filter(|column| *column > 0) {
            let Some(cell) = row.get(column).filter(|cell| !cell.is_empty()) else { continue };
            // A spanned cell stands in each column that it covers, and is told once.
            if told.contains(&cell.as_str()) && columns.len() > 1 && row.get(column - 1) == Some(cell) {
                continue;
            }
            line.push_str(match (line.is_empty(), told.is_empty()) {
                (true, _) => "",
                (false, true) => ": ",
                (false, false) => "; ",
            });
            let head = self.head(column);
            let spans = row.get(column + 1) == Some(cell) && columns.contains(&(column + 1));
            if !head.is_empty() && !spans && head != label {
                line.push_str(&format!("{head} {cell}"));
            } else {
                line.push_str(cell);
            }
            told.push(cell);
        }
        line
    }
}

/// The cells of a line, unescaped.
fn cells(line: &str) -> Vec<String> {
    let line = line.trim();
    let line = line.strip_prefix('|').unwrap_or(line);
    let mut cells = vec![String::new()];
    let mut escaped = false;
    for c in line.chars() {
        match (c, escaped) {
            ('\\', false) => escaped = true,
            ('|', false) => cells.push(String::new()),
            (c, was) => {
                if let Some(cell) = cells.last_mut() {
                    if was && c != '|' {
                        cell.push('\\');
                    }
                    cell.push(c);
                }
                escaped = false;
            }
        }
    }
    if cells.last().is_some_and(|cell| cell.trim().is_empty()) {
        cells.pop();
    }
    cells.iter().map(|cell| cell.trim().to_string()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_keep_their_headings() {
        let table = Table::read(
            "| Beer | Half | Pint |\n|---|---|---|\n| Bitter \\| mild | £2.80 | £5.40 |\n| Cider | £3 | £3 |",
        );
        assert_eq!(table.line(&table.rows[0], &[1, 2]), "Bitter | mild: Half £2.80; Pint £5.40");
        assert_eq!(table.line(&table.rows[0], &[2]), "Bitter | mild: Pint £5.40");
        assert_eq!(table.line(&table.rows[1], &[1, 2]), "Cider: £3");
        let pairs = Table::read("| | |\n|---|---|\n| Monday | closed |");
        assert_eq!(pairs.line(&pairs.rows[0], &[1]), "Monday: closed");
    }
}
