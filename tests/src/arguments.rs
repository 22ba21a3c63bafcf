//! What programs that judge for hours have in common: arguments in pairs, and what they leave when they are done.

use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use serde::Serialize;

/// Reads `--name value` pairs. `take` is given each name with its value, and says whether it knows it. Gives the file of
/// `--record`, which all of them know.
///
/// # Errors
/// An unknown name, one without a value, or a value that `take` refuses.
pub fn read(
    arguments: impl IntoIterator<Item = String>,
    mut take: impl FnMut(&str, &str) -> Result<bool>,
) -> Result<Option<String>> {
    let mut record = None;
    let mut arguments = arguments.into_iter();
    while let Some(name) = arguments.next() {
        let value = arguments.next().with_context(|| format!("{name} needs a value"))?;
        if name == "--record" {
            record = Some(value);
        } else if !take(&name, &value).with_context(|| format!("{name} {value}"))? {
            bail!("unknown argument `{name}`");
        }
    }
    Ok(record)
}

/// Prints a report, keeps it in `record`, and says by the exit code whether anything was found.
///
/// # Errors
/// It cannot be written.
pub fn leave(report: &impl Serialize, record: Option<&str>, findings: &[String]) -> Result<ExitCode> {
    let told = serde_json::to_string_pretty(report)?;
    println!("{told}");
    if let Some(file) = record {
        std::fs::write(file, format!("{told}\n")).with_context(|| file.to_owned())?;
    }
    Ok(if findings.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_are_read_and_what_is_unknown_is_refused() {
        let read = |text: &str| {
            let mut rounds = 1;
            let record = read(text.split_whitespace().map(str::to_owned), |name, value| {
                if name == "--rounds" {
                    rounds = value.parse()?;
                }
                Ok(name == "--rounds")
            });
            record.map(|record| (rounds, record)).map_err(|error| error.to_string())
        };
        assert_eq!(read(""), Ok((1, None)));
        assert_eq!(read("--record file --rounds 7"), Ok((7, Some("file".into()))));
        for (wrong, why) in [
            ("--rounds", "needs a value"),
            ("--record", "needs a value"),
            ("--rounds x", "--rounds x"),
            ("--x 1", "`--x`"),
        ] {
            assert!(read(wrong).is_err_and(|error| error.contains(why)), "{wrong}");
        }
    }

    #[test]
    fn what_was_found_is_in_the_exit_code_and_all_of_it_in_the_record() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("record");
        let file = file.to_str().unwrap();
        let code = |findings: &[String]| format!("{:?}", leave(&findings, Some(file), findings).unwrap());
        assert_eq!(code(&[]), format!("{:?}", ExitCode::SUCCESS));
        assert_eq!(code(&["lost".into()]), format!("{:?}", ExitCode::FAILURE));
        assert_eq!(std::fs::read_to_string(file).unwrap(), "[\n  \"lost\"\n]\n");
    }
}
