//! Heads of tables with figures in them, and first cells that stand for the rows below: both are told by what
//! the other rows have in the same columns.

/// Columns that are looked at.
const COLUMNS_MAX: usize = 64;
/// A longer cell names no column, in characters.
const HEAD_CHARS_MAX: usize = 60;
/// Signs and names of money.
const MONEY: &[&str] = &["€", "$", "£", "¥", "eur", "usd", "gbp", "chf", "kr", "zł", "pln", "sek", "euro", "euros"];
/// What first cells may say again in all, in bytes, besides as much as the table has.
const COPIES_FREE: usize = 1_024;

/// Whether a first row has names, years or ranges where the rows below it have values of another kind:
/// `Plan, 2025, 2026` above `Basic, 9 EUR, 11 EUR`.
pub fn contrasts(first: &[String], others: &[&[String]]) -> bool {
    let Some((corner, names)) = first.split_first() else { return false };
    let fits = |cell: &String| cell.chars().count() <= HEAD_CHARS_MAX && !cell.contains('@');
    if has_digit(corner) || !first.iter().all(fits) || names.iter().any(|name| name.trim().is_empty() || is_money(name))
    {
        return false;
    }
    if !names.iter().any(|name| has_digit(name)) || !names.iter().all(|name| is_name(name)) {
        return false;
    }
    let years: Vec<i64> = names.iter().filter_map(|name| year(name)).collect();
    let is_series = years.windows(2).all(|pair| (1..=10).contains(&(pair[1] - pair[0]).abs()));
    if !is_series {
        return false;
    }
    let mut against = 0;
    for (column, name) in first.iter().enumerate().take(COLUMNS_MAX).skip(1) {
        let below: Vec<&String> =
            others.iter().filter_map(|row| row.get(column)).filter(|cell| !cell.trim().is_empty()).collect();
        let values = below.iter().filter(|cell| has_digit(cell)).count();
        let is_like = below.iter().any(|cell| has_digit(cell) && alike(name, cell));
        if has_digit(name) && is_like {
            return false;
        }
        // One row alone must say what its values are.
        let is_clear = others.len() > 1 || below.iter().any(|cell| is_money(cell)) || is_number(below.first());
        against += usize::from(values > 0 && values * 2 >= below.len() && !is_like && is_clear);
    }
    against * 2 > names.len()
}

/// Whether a cell may name a column: words, a year, a range.
fn is_name(cell: &str) -> bool {
    let is_range = || cell.contains(['-', '–', '/', '<', '>', '≤', '≥', '+']) && !cell.contains([':', '(']);
    cell.chars().any(char::is_alphabetic) || year(cell).is_some() || (is_range() && cell.len() <= 12)
}

fn year(cell: &str) -> Option<i64> {
    let cell = cell.trim();
    let is_one = cell.len() == 4 && cell.bytes().all(|byte| byte.is_ascii_digit());
    cell.parse().ok().filter(|year| is_one && (1950..=2100).contains(year))
}

/// Whether two cells with digits have values of one kind: years, or what is told in the same words.
fn alike(one: &str, other: &str) -> bool {
    if year(one).is_some() || year(other).is_some() {
        return year(one).is_some() == year(other).is_some();
    }
    let words = |cell: &str| -> String {
        cell.chars()
            .filter(|c| c.is_alphabetic() || matches!(c, '%' | '€' | '$' | '£'))
            .flat_map(char::to_lowercase)
            .collect()
    };
    let (one, other) = (words(one), words(other));
    // `person` and `persons`; a unit with another word before it is no such.
    one == other || (one.len().min(other.len()) > 2 && (one.starts_with(&other) || other.starts_with(&one)))
}

fn is_money(cell: &str) -> bool {
    let cell = cell.to_lowercase();
    let mut words = cell.split(|c: char| c.is_whitespace() || c.is_ascii_digit() || matches!(c, '.' | ','));
    has_digit(&cell) && words.any(|word| MONEY.contains(&word))
}

fn is_number(cell: Option<&&String>) -> bool {
    cell.is_some_and(|cell| {
        has_digit(cell) && cell.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'.' | b',' | b' '))
    })
}

fn has_digit(cell: &str) -> bool {
    cell.bytes().any(|byte| byte.is_ascii_digit())
}

/// Fills empty first cells with the one above where the table leaves it out in a whole group: `Starters, Soup` and
/// then `, Salad`.
pub fn fill_groups(rows: &mut [Vec<String>]) {
    let is_open = |row: &[String]| row.first().is_some_and(|first| first.trim().is_empty());
    let filled = |row: &[String]| row.iter().skip(1).map(|cell| !cell.trim().is_empty()).collect::<Vec<_>>();
    let named = || rows.iter().filter(|row| !is_open(row));
    let (groups, open) = (named().count(), rows.len() - named().count());
    let starts = rows.windows(2).filter(|pair| !is_open(&pair[0]) && is_open(&pair[1])).count();
    let is_value = |cell: &String| !cell.chars().any(char::is_alphabetic) || cell.chars().count() > HEAD_CHARS_MAX;
    // One row without a name may be a total or go on with the one above.
    if groups < 2 || open < 2 || starts < 2 || named().any(|row| row.first().is_some_and(is_value)) {
        return;
    }
    let mut shape: Vec<bool> = Vec::new();
    for row in rows.iter() {
        let own = filled(row);
        if is_open(row) && (shape.is_empty() || own != shape) {
            return;
        }
        shape = own;
    }
    let mut room = COPIES_FREE + rows.iter().flatten().map(String::len).sum::<usize>();
    let mut above = String::new();
    for row in rows {
        if !is_open(row) {
            above.clone_from(&row[0]);
        } else if let (Some(first), Some(left)) = (row.first_mut(), room.checked_sub(above.len())) {
            room = left;
            first.clone_from(&above);
        }
    }
}

#[cfg(test)]
mod tests {
    fn table(text: &str) -> Vec<Vec<String>> {
        text.lines().map(|line| line.split(',').map(|cell| cell.trim().to_owned()).collect()).collect()
    }

    #[test]
    fn a_head_with_figures_stands_out_from_its_rows() {
        for (text, is_head) in [
            ("Plan,2025,2026\nBasic,9 EUR,11 EUR", true),
            ("Plan,2025,2026\nBasic,9,11\nPro,19,22", true),
            ("Zone,Up to 5 kg,Over 5 kg\nCity,3,4\nCountry,5,9", true),
            ("Zone,Up to 5 kg,Over 5 kg\nCity,free,4\nCountry,5,9", true),
            ("Room,1 person,2 persons\nGarden,€80,€110\nSea,€95,€130", true),
            ("Room,Beds,1 person,2 persons\nGarden,2,€80,€110\nSea,3,€95,€130", true),
            ("Age,0-5,6-12\nEntry,€2,€4\nTour,€3,€6", true),
            ("Mug,8.50\nPot,21.00\nLid,3.00", false),
            ("Basic,1 GB,9 EUR\nPro,5 GB,19 EUR\nMax,9 GB,29 EUR", false),
            ("Room A,1 person,large\nRoom B,2 persons,small\nRoom C,3 persons,small", false),
            ("Mitte,10115 Berlin,030 1234\nOrt,12345 Ort,040 99\nKiel,24103 Kiel,0431 12", false),
            ("Lid,12 cm,blue\nPot,3 l,red\nCan,2 l,green", false),
            ("Opened,1999\nMoved,2004\nRebuilt,2019", false),
            ("Monday,9 am,5 pm\nSunday,10 am,4 pm", false),
            ("Founded,1999,Berlin\nMoved,2004,Hamburg", false),
        ] {
            let rows = table(text);
            let others: Vec<&[String]> = rows[1..].iter().map(Vec::as_slice).collect();
            assert_eq!(super::contrasts(&rows[0], &others), is_head, "{text}");
        }
    }

    #[test]
    fn a_group_stands_in_each_of_its_rows() {
        for (text, expected) in [
            (
                "Starters,Soup,5\n,Salad,6\nMains,Pasta,11\n,Steak,19",
                "Starters,Soup,5\nStarters,Salad,6\nMains,Pasta,11\nMains,Steak,19",
            ),
            ("Starters,soup\n,salad\nMains,pasta\n,steak", "Starters,soup\nStarters,salad\nMains,pasta\nMains,steak"),
            ("Soup,5\nSalad,6\n,11", ""),
            ("A,x,5\n,,6\nB,y,7\n,,8", ""),
            ("1,x\n,y\n2,z\n,w", ""),
            (",x\nA,y\n,z\nB,w\n,v", ""),
        ] {
            let mut rows = table(text);
            super::fill_groups(&mut rows);
            assert_eq!(rows, table(if expected.is_empty() { text } else { expected }), "{text}");
        }
    }
}
