//! `tertulia.d.ts` under the strict type checker: it is right in itself, takes a page that is right, and finds
//! the mistakes of one that is not.

use std::collections::BTreeSet;
use std::fs;
use std::process::Command;

use serde_json::json;
use tests::source;

use super::named;

/// What the checker says of one file beside the types: whether it is content, and all it said.
fn check(file: &str) -> (bool, String) {
    let folder = source::root().join("tests/types");
    let project = tempfile::tempdir().unwrap();
    let settings = json!({"extends": folder.join("tsconfig.json"), "files": [folder.join(file)]});
    let project = project.path().join("tsconfig.json");
    fs::write(&project, settings.to_string()).unwrap();
    let checker = named("TERTULIA_TEST_TYPESCRIPT");
    let mut command = Command::new("node");
    command.arg(checker).args(["--pretty", "false", "--project"]).arg(&project).current_dir(&folder);
    let ran = command.output().expect("node can be started");
    let said = String::from_utf8(ran.stdout).unwrap() + std::str::from_utf8(&ran.stderr).unwrap();
    (ran.status.success(), said)
}

#[test]
fn a_page_that_is_right_compiles() {
    let (content, said) = check("client.ts");
    assert!(content && said.is_empty(), "{said}");
}

#[test]
fn each_mistake_of_a_page_is_found_and_nothing_else() {
    let (content, said) = check("wrong.ts");
    assert!(!content);
    let place = |line: &str| -> usize {
        let (_, rest) = line.split_once("wrong.ts(").unwrap_or_else(|| panic!("elsewhere: {line}\n{said}"));
        rest.split(',').next().unwrap().parse().unwrap()
    };
    // What belongs to the complaint above is indented.
    let found: BTreeSet<usize> = said.lines().filter(|line| !line.starts_with(' ')).map(place).collect();
    let text = fs::read_to_string(source::root().join("tests/types/wrong.ts")).unwrap();
    let marked = text.lines().enumerate().filter(|(_, line)| line.contains("// wrong: ")).map(|(at, _)| at + 1);
    assert_eq!(found, marked.collect(), "{said}");
}
