//! Tests that stand alone where others have company are named by the beginnings of their names: each of them has to be the
//! beginning of one, or a test that was named anew would have company that it does not stand.

use std::collections::BTreeSet;

use tests::node::company::{ALONE, ALONE_OF_OWNER};
use tests::source::{self, File};

/// The names of the tests under `tests/it`, as they are run.
fn tests(files: &[File]) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for file in files {
        let Some(path) = file.path.strip_prefix("tests/it/").and_then(|path| path.strip_suffix(".rs")) else {
            continue;
        };
        let code = source::code(&file.text);
        let mut is_test = false;
        for line in code.lines().map(str::trim) {
            let Some(attribute) = line.strip_prefix("#[") else {
                let name = line.split_once("fn ").and_then(|(_, rest)| rest.split(['(', '<']).next());
                if let (true, Some(name)) = (is_test, name) {
                    names.insert(format!("{}::{name}", path.replace('/', "::")));
                    is_test = false;
                }
                continue;
            };
            let attribute = attribute.split(['(', ']']).next().unwrap_or_default();
            is_test |= attribute == "test" || attribute.ends_with("::test");
        }
    }
    names
}

/// Those that are the beginning of no test's name.
fn lost<'a>(names: &BTreeSet<String>, beginnings: impl IntoIterator<Item = &'a str>) -> Vec<&'a str> {
    let begins = |beginning: &&str| names.iter().any(|name| name.starts_with(*beginning));
    beginnings.into_iter().filter(|beginning| !begins(beginning)).collect()
}

#[test]
fn whoever_stands_alone_is_a_test() {
    let names = tests(&source::files().unwrap());
    let own = "house::alone::whoever_stands_alone_is_a_test";
    assert!(names.len() > 300 && names.contains(own), "{} tests", names.len());
    let listed = ALONE.iter().chain(ALONE_OF_OWNER).map(|(beginning, _)| *beginning);
    assert_eq!(lost(&names, listed), Vec::<&str>::new());
    assert_eq!(
        lost(&names, [own, "house::alone::nobody", "house::alone::tests"]),
        ["house::alone::nobody", "house::alone::tests"]
    );
}
