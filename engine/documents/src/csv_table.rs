//! CSV and its kin: values separated by commas, semicolons, tabs or pipes.

use engine_text::grid::Placed;
use engine_text::markdown::Writer;

use super::{Kind, ReadDocument, Unreadable, sheet};

/// Lines that tell what parts the values.
const DECIDING_LINES: usize = 20;

pub(super) fn read(text: &str) -> Result<ReadDocument, Unreadable> {
    let text = text.trim_start_matches('\u{feff}');
    // A line some programs write for each other.
    let (said, text) = match text.split_once('\n') {
        Some((first, rest)) if first.trim_end().len() == 5 && first.starts_with("sep=") => {
            (first.as_bytes().get(4).copied(), rest)
        }
        _ => (None, text),
    };
    let mut reader = csv::ReaderBuilder::new()
        .delimiter(said.unwrap_or_else(|| delimiter(text)))
        .has_headers(false)
        .flexible(true)
        .trim(csv::Trim::All)
        .from_reader(text.as_bytes());
    let mut rows = Vec::new();
    for record in reader.records() {
        let record = record.map_err(|_| Unreadable::Malformed(Kind::Csv))?;
        rows.push(record.iter().map(|words| Placed { words: words.to_owned(), ..Placed::default() }).collect());
    }
    let mut writer = Writer::default();
    sheet::write(&mut writer, rows);
    Ok(ReadDocument { markdown: writer.finish(), ..ReadDocument::default() })
}

/// What parts the values: of the usual signs the one that stands as often in every line.
fn delimiter(text: &str) -> u8 {
    let score = |sign: u8| {
        let counts: Vec<usize> = text
            .lines()
            .filter(|line| !line.trim().is_empty())
            .take(DECIDING_LINES)
            .map(|line| unquoted(line, sign))
            .collect();
        let usual = counts
            .iter()
            .copied()
            .max_by_key(|count| counts.iter().filter(|other| *other == count).count() * usize::from(*count > 0));
        usual
            .filter(|usual| *usual > 0)
            .map_or(0, |usual| counts.iter().filter(|count| **count == usual).count() * 100 + usual.min(50))
    };
    [b'\t', b';', b',', b'|']
        .into_iter()
        .max_by_key(|sign| score(*sign))
        .filter(|sign| score(*sign) > 0)
        .unwrap_or(b',')
}

fn unquoted(line: &str, sign: u8) -> usize {
    let mut quoted = false;
    line.bytes()
        .filter(|b| {
            quoted ^= *b == b'"';
            !quoted && *b == sign
        })
        .count()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Kind;

    #[test]
    fn values_are_rows_of_a_table() {
        let fees = "| Service | Fee |\n|---|---|\n| Copy | 5,00 EUR |\n| Courier | 20 EUR |\n";
        for (text, expected) in [
            ("Service;Fee\nCopy;5,00 EUR\nCourier;20 EUR\n", fees.to_owned()),
            ("Service\tFee\r\nCopy\t5,00 EUR\r\nCourier\t20 EUR\r\n", fees.to_owned()),
            ("Service,Fee\nCopy,\"5,00 EUR\"\nCourier,20 EUR", fees.to_owned()),
            ("sep=;\nService;Fee\nCopy;5,00 EUR\nCourier;20 EUR", fees.to_owned()),
            (
                "Our fees\n\nService;Fee\nCopy;5,00 EUR\n\nCourier;20 EUR",
                "Our fees\n\n| Service | Fee |\n|---|---|\n| Copy | 5,00 EUR |\n| Courier | 20 EUR |\n".into(),
            ),
            ("a,\"two\nlines | b\"\n1,2\n", "| a | two lines \\| b |\n|---|---|\n| 1 | 2 |\n".into()),
            ("one\ntwo\n", "one\n\ntwo\n".into()),
        ] {
            assert_eq!(read(text).unwrap().markdown, expected, "{text}");
        }
    }

    #[test]
    fn a_head_with_figures_is_one_in_a_csv_file_and_in_a_page() {
        let csv = "Plan,2025,2026\nBasic,9 EUR,11 EUR\nPro,19 EUR,22 EUR\n";
        let made = "| Plan | 2025 | 2026 |\n|---|---|---|\n| Basic | 9 EUR | 11 EUR |\n| Pro | 19 EUR | 22 EUR |\n";
        assert_eq!(crate::read(Kind::Csv, None, csv.as_bytes()).unwrap().markdown, made);
        let cells = |line: &str| line.split(',').map(|cell| format!("<td>{cell}")).collect::<String>();
        let html: String = csv.lines().map(|line| format!("<tr>{}", cells(line))).collect();
        assert_eq!(crate::read(Kind::Html, None, format!("<table>{html}</table>").as_bytes()).unwrap().markdown, made);
    }

    #[test]
    fn a_first_cell_stands_for_the_rows_below_in_a_csv_file_and_in_a_page() {
        let csv = "Category,Dish,Price\nStarters,Soup,€5.50\n,Salad,€6.00\nMains,Pasta,€11.00\n,Steak,€19.00\n";
        let made = crate::read(Kind::Csv, None, csv.as_bytes()).unwrap().markdown;
        assert!(made.contains("| Starters | Salad | €6.00 |") && made.contains("| Mains | Steak | €19.00 |"), "{made}");
        let cells = |line: &str| line.split(',').map(|cell| format!("<td>{cell}")).collect::<String>();
        let html: String = csv.lines().map(|line| format!("<tr>{}", cells(line))).collect();
        let made = crate::read(Kind::Html, None, format!("<table>{html}</table>").as_bytes()).unwrap().markdown;
        assert!(made.contains("| Starters | Salad | €6.00 |") && made.contains("| Mains | Steak | €19.00 |"), "{made}");
    }
}
