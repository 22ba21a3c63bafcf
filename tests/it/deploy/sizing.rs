//! The arithmetic of deploy/sizing.md: each row of its tables is worked out again from the rows that it names.
//!
//! A row is `| what | name | value | how |`. Where `how` is a formula in backquotes, it is worked out; otherwise it says
//! where the value was measured or that it was assumed, and a link there has to hold the quoted words.

use std::collections::HashMap;

use super::text;
use tests::source;

const PAGE: &str = "deploy/sizing.md";
/// Values are shown with three digits or more.
const TOLERANCE: f64 = 0.006;

struct Row<'a> {
    name: &'a str,
    value: f64,
    how: &'a str,
}

fn rows(page: &str) -> Vec<Row<'_>> {
    let cells = page.lines().filter_map(|line| line.strip_prefix("| ")?.strip_suffix(" |"));
    let cells = cells.map(|line| line.split(" | ").map(str::trim).collect::<Vec<_>>());
    let rows = cells.filter_map(|cells| match cells[..] {
        [_, name, value, how] => {
            Some((name.strip_prefix('`')?.strip_suffix('`')?, value.split(' ').next()?.replace(',', ""), how))
        }
        _ => None,
    });
    rows.map(|(name, value, how)| Row {
        name,
        value: value.parse().unwrap_or_else(|_| panic!("{name}: {value} is no number")),
        how,
    })
    .collect()
}

/// What does not hold.
fn complaints(page: &str) -> Vec<String> {
    let mut known = HashMap::new();
    let mut complaints = Vec::new();
    for Row { name, value, how } in rows(page) {
        if let Some(formula) = how.strip_prefix('`').and_then(|how| how.split('`').next()) {
            match worked_out(formula, &known) {
                Ok(found) if (found - value).abs() <= TOLERANCE * found.abs() => {}
                Ok(found) => complaints.push(format!("{name}: {formula} is {found}, not {value}")),
                Err(why) => complaints.push(format!("{name}: {formula}: {why}")),
            }
        } else if let Some((quoted, file)) = quotation(how) {
            let source = std::fs::read_to_string(source::root().join("deploy").join(file)).unwrap_or_default();
            if !source.contains(quoted) {
                complaints.push(format!("{name}: {file} does not say \"{quoted}\""));
            }
        } else if !how.starts_with("assumed") && !how.starts_with("measured") && !how.starts_with("asked") {
            complaints.push(format!("{name}: nobody says where it comes from"));
        }
        if known.insert(name.to_owned(), value).is_some() {
            complaints.push(format!("{name} stands twice"));
        }
    }
    complaints
}

/// `"words" in [file](file)`.
fn quotation(how: &str) -> Option<(&str, &str)> {
    let (quoted, rest) = how.strip_prefix('"')?.split_once('"')?;
    let link = rest.split_once("](")?.1.split(')').next()?;
    Some((quoted, link.split('#').next()?))
}

/// Sums, products, brackets, names and numbers.
fn worked_out(formula: &str, known: &HashMap<String, f64>) -> Result<f64, String> {
    let spaced = ['+', '-', '*', '/', '(', ')']
        .iter()
        .fold(formula.to_owned(), |text, sign| text.replace(*sign, &format!(" {sign} ")));
    let words: Vec<&str> = spaced.split_whitespace().collect();
    let mut rest = words.as_slice();
    let value = sum(&mut rest, known)?;
    if rest.is_empty() { Ok(value) } else { Err(format!("what is {rest:?}?")) }
}

fn sum(rest: &mut &[&str], known: &HashMap<String, f64>) -> Result<f64, String> {
    let mut value = product(rest, known)?;
    while let [sign @ ("+" | "-"), after @ ..] = *rest {
        *rest = after;
        let next = product(rest, known)?;
        value = if *sign == "+" { value + next } else { value - next };
    }
    Ok(value)
}

fn product(rest: &mut &[&str], known: &HashMap<String, f64>) -> Result<f64, String> {
    let mut value = one(rest, known)?;
    while let [sign @ ("*" | "/"), after @ ..] = *rest {
        *rest = after;
        let next = one(rest, known)?;
        value = if *sign == "*" { value * next } else { value / next };
    }
    Ok(value)
}

fn one(rest: &mut &[&str], known: &HashMap<String, f64>) -> Result<f64, String> {
    match *rest {
        ["(", after @ ..] => {
            *rest = after;
            let value = sum(rest, known)?;
            let [")", after @ ..] = *rest else { return Err("a bracket is open".to_owned()) };
            *rest = after;
            Ok(value)
        }
        [word, after @ ..] => {
            *rest = after;
            let number = word.parse().ok().or_else(|| known.get(*word).copied());
            number.ok_or_else(|| format!("`{word}` is not known above"))
        }
        [] => Err("it breaks off".to_owned()),
    }
}

#[test]
fn the_arithmetic_holds() {
    let page = text(PAGE);
    let found = rows(&page);
    let formulas = found.iter().filter(|row| row.how.starts_with('`')).count();
    assert!(found.len() > 40 && formulas > 20, "{} rows, {formulas} formulas", found.len());
    assert_eq!(complaints(&page), Vec::<String>::new());
}

#[test]
fn an_error_in_it_is_caught() {
    let table = |rows: &str| format!("| what | name | value | how |\n|---|---|---|---|\n{rows}");
    let given = "| nodes | `nodes` | 100 | asked |\n";
    for (row, caught) in [
        ("| links | `links` | 4,950 | `nodes * (nodes - 1) / 2` |", false),
        ("| links | `links` | 4,950 | `nodes * nodes - 1 / 2` |", true),
        ("| links | `links` | 5,000 | `nodes * (nodes - 1) / 2` |", true),
        ("| links | `links` | 4,950 | `node * 99 / 2` |", true),
        ("| links | `links` | 4,950 | `nodes * (99 / 2` |", true),
        ("| links | `links` | 4,950 | guessed |", true),
        ("| more | `nodes` | 100 | asked |", true),
        ("| memory | `memory` | 22.9 KiB | \"22.9 KiB\" in [README](../README.md#x) |", false),
        ("| memory | `memory` | 22.9 KiB | \"11.4 KiB\" in [README](../README.md#x) |", true),
        ("| half | `half` | 0.5 MB | `nodes / 200` MB |", false),
    ] {
        let found = complaints(&table(&format!("{given}{row}")));
        assert_eq!(!found.is_empty(), caught, "{row}: {found:?}");
    }
}
