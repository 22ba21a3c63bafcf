//! Tables on their way to Markdown: a head, rows, and rows that are titles of those below them.
//! Invariant: every row is written, each below the head that tells what its cells are.

use super::heads::{contrasts, fill_groups};
use super::markdown::Writer;

/// A row of a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Row {
    Cells(Vec<String>),
    /// Words over the full width: a title of the rows below.
    Section(String),
}

/// A table that was found in a document.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Grid {
    /// What the columns are called, where the document says so.
    pub head: Option<Vec<String>>,
    pub rows: Vec<Row>,
}

/// Words in the last cell of a head of two columns: nothing else tells it from a first row.
const HEAD_WORDS: &[&str] = &[
    "amount",
    "basis",
    "charge",
    "charges",
    "cost",
    "costs",
    "days",
    "deadline",
    "description",
    "details",
    "duration",
    "fee",
    "fees",
    "hours",
    "limit",
    "meaning",
    "period",
    "price",
    "prices",
    "purpose",
    "rate",
    "rates",
    "reason",
    "retention",
    "time",
    "value",
    "betrag",
    "bedeutung",
    "beschreibung",
    "dauer",
    "frist",
    "gebühr",
    "gebühren",
    "kosten",
    "preis",
    "preise",
    "rechtsgrundlage",
    "speicherdauer",
    "zweck",
    "coste",
    "descripción",
    "duración",
    "finalidad",
    "importe",
    "plazo",
    "precio",
    "precios",
    "tarifa",
    "valor",
    "coût",
    "durée",
    "délai",
    "montant",
    "prix",
    "tarif",
    "tarifs",
    "costo",
    "prezzo",
    "durata",
    "importo",
    "preço",
    "prazo",
    "custo",
];

impl Grid {
    /// A table of these rows, of which the first is the head if it looks like one.
    pub fn guessed(mut rows: Vec<Row>) -> Self {
        let is_head = match rows.first() {
            Some(Row::Cells(first)) => {
                let others: Vec<&[String]> = rows.iter().skip(1).filter_map(Row::cells).collect();
                looks_like_head(first, &others) || contrasts(first, &others)
            }
            _ => false,
        };
        let head = if is_head && let Row::Cells(cells) = rows.remove(0) { Some(cells) } else { None };
        Self { head, rows }
    }

    /// Says in each row of a group what stands in its first alone.
    fn fill_groups(&mut self) {
        for run in self.rows.chunk_by_mut(|one, next| one.cells().is_some() && next.cells().is_some()) {
            let cells = |row: &mut Row| match row {
                Row::Cells(cells) => std::mem::take(cells),
                Row::Section(_) => Vec::new(),
            };
            if matches!(run, [Row::Section(_)]) {
                continue;
            }
            let mut rows: Vec<Vec<String>> = run.iter_mut().map(cells).collect();
            fill_groups(&mut rows);
            run.iter_mut().zip(rows).for_each(|(row, cells)| *row = Row::Cells(cells));
        }
    }

    /// Columns of the widest row.
    pub fn columns(&self) -> usize {
        let rows = self.rows.iter().filter_map(Row::cells).map(<[String]>::len);
        rows.chain(self.head.as_ref().map(Vec::len)).max().unwrap_or(0)
    }

    /// Writes it; its title stands before it as a paragraph that leads in.
    pub fn write(&self, writer: &mut Writer, caption: Option<&str>) {
        writer.end_paragraph();
        if let Some(caption) = caption {
            lead(writer, caption);
        }
        let columns = self.columns();
        let empty = vec![String::new(); columns];
        let head = self.head.as_ref().unwrap_or(&empty);
        let mut rows: Vec<Vec<String>> = Vec::new();
        let mut written = false;
        for row in &self.rows {
            match row {
                Row::Cells(cells) => rows.push(cells.clone()),
                Row::Section(words) => {
                    if !rows.is_empty() {
                        written = true;
                        writer.table_under(head, &std::mem::take(&mut rows));
                    }
                    lead(writer, words);
                }
            }
        }
        if !rows.is_empty() || (!written && self.head.is_some()) {
            writer.table_under(head, &rows);
        }
    }
}

impl Row {
    /// Its cells; none of a title.
    pub fn cells(&self) -> Option<&[String]> {
        match self {
            Self::Cells(cells) => Some(cells),
            Self::Section(_) => None,
        }
    }
}

/// A cell in its place, when others may cover several.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Placed {
    pub words: String,
    /// It is the cell to its left again, or the one above.
    pub from_left: bool,
    pub from_above: bool,
}

/// A table of cells that may cover several places, and the title over its full width. `heads` rows are said to
/// be its head; with none it is told from the rows.
pub fn merged(rows: Vec<Vec<Placed>>, heads: usize) -> (Option<String>, Grid) {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let is_empty = |row: &[Placed]| row.iter().all(|cell| cell.words.trim().is_empty());
    let is_title =
        |row: &[Placed]| columns > 1 && row.len() == columns && row.iter().skip(1).all(|cell| cell.from_left);
    let mut caption: Option<String> = None;
    let mut heads = heads;
    let mut rest: Vec<Vec<Placed>> = Vec::new();
    for row in rows {
        if is_empty(&row) || (rest.is_empty() && is_title(&row)) {
            heads = heads.saturating_sub(1);
            if let Some(words) = row.into_iter().next().map(|cell| cell.words).filter(|words| !words.trim().is_empty())
            {
                match &mut caption {
                    Some(caption) => *caption = format!("{caption} {words}"),
                    None => caption = Some(words),
                }
            }
        } else {
            rest.push(row);
        }
    }
    // A head of two rows: the first has cells over several columns, and the second has no values yet.
    let is_double = |over: &[Placed], under: &[Placed]| {
        over.iter().any(|cell| cell.from_left) && !under.iter().any(|cell| has_digit(&cell.words)) && !is_title(under)
    };
    if heads == 0 && rest.len() > 2 && is_double(&rest[0], &rest[1]) {
        heads = 2;
    }
    // A row over the full width is a title of those below it, whoever calls it a head.
    let titled = rest.iter().position(|row| is_title(row)).unwrap_or(rest.len());
    let heads = heads.min(rest.len().saturating_sub(1)).min(titled);
    let body: Vec<Row> = rest[heads..]
        .iter()
        .enumerate()
        .map(|(n, row)| {
            let filled = row.iter().filter(|cell| !cell.words.trim().is_empty()).count();
            let stands_alone = columns > 2 && filled == 1 && n + heads > 0 && n + heads + 1 < rest.len();
            match row.first() {
                Some(first) if is_title(row) || (stands_alone && !first.words.trim().is_empty()) => {
                    Row::Section(first.words.clone())
                }
                _ => Row::Cells(row.iter().map(|cell| cell.words.clone()).collect()),
            }
        })
        .collect();
    if heads == 0 {
        let mut grid = Grid::guessed(body);
        grid.fill_groups();
        return (caption, grid);
    }
    let mut head = vec![String::new(); columns];
    for (column, whole) in head.iter_mut().enumerate() {
        let parts = rest[..heads].iter().filter_map(|row| row.get(column)).filter(|cell| !cell.from_above);
        *whole = parts.map(|cell| cell.words.trim()).filter(|words| !words.is_empty()).collect::<Vec<_>>().join(" ");
    }
    let mut grid = Grid { head: Some(head), rows: body };
    grid.fill_groups();
    (caption, grid)
}

/// A paragraph that leads into what follows.
fn lead(writer: &mut Writer, words: &str) {
    let words = words.trim();
    if words.is_empty() {
        return;
    }
    writer.text(words);
    if !words.ends_with([':', '?', '!', '.', '：']) {
        writer.text(":");
    }
    writer.end_paragraph();
}

/// Whether a first row says what the columns below it are.
pub fn looks_like_head(first: &[String], others: &[&[String]]) -> bool {
    if others.is_empty() || first.iter().skip(1).all(|cell| cell.trim().is_empty()) {
        return false;
    }
    let is_short = first.iter().all(|cell| cell.chars().count() <= 60);
    if !is_short || first.iter().any(|cell| is_value(cell)) {
        return false;
    }
    // Below it a column of values, such as prices or periods.
    let of_values = (0..first.len().min(64)).any(|column| {
        let below: Vec<&String> = others.iter().filter_map(|row| row.get(column)).filter(|c| !c.is_empty()).collect();
        let values = below.iter().filter(|cell| has_digit(cell)).count();
        column > 0 && !has_digit(&first[column]) && values > 0 && values * 3 >= below.len() * 2
    });
    if of_values || first.len() > 2 {
        return first.iter().filter(|cell| has_digit(cell)).count() * 2 <= first.len();
    }
    let last = first.last().map(|cell| cell.to_lowercase()).unwrap_or_default();
    let words: Vec<&str> = last.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).collect();
    words.len() <= 4 && words.iter().any(|word| HEAD_WORDS.contains(word))
}

fn has_digit(cell: &str) -> bool {
    cell.bytes().any(|b| b.is_ascii_digit())
}

/// A number, a price, an address: nothing that names a column.
fn is_value(cell: &str) -> bool {
    let digits = cell.bytes().filter(u8::is_ascii_digit).count();
    cell.contains('@') || (digits > 0 && digits * 2 >= cell.chars().filter(|c| c.is_alphanumeric()).count())
}
