//! The idle scenario, which starts processes of its own, by the real program.

use std::process::Command;

use loadtest::bare::Defect;
use loadtest::report::Report;

use crate::support::{bare, free, row};

fn run(defect: Defect, more: &[&str]) -> (bool, Report) {
    let node = bare(free(), defect);
    let file = tempfile::NamedTempFile::new().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_loadtest"));
    command.args(["idle", "--url", &node.url, "--key", "key", "--connections", "50", "--rounds", "2", "--watch", "0"]);
    command.args(["--pid", &std::process::id().to_string(), "--json"]).arg(file.path()).args(more);
    let output = command.output().unwrap();
    let report = Report::load(file.path());
    (output.status.success(), report.unwrap_or_else(|error| panic!("{error:#}: {output:?}")))
}

#[test]
fn sockets_open_close_and_open_again() {
    for more in [&[][..], &["--arrivals", "500", "--sources", "0"]] {
        let (passed, report) = run(Defect::None, more);
        assert!(passed, "{:?}", report.faults);
        assert_eq!(report.details["rounds"][1]["opened"], 50);
        assert!(row(&report, "sockets opened and joined").measured.min > 1.0);
        assert!(report.rows.iter().any(|row| row.what.starts_with("memory (RSS) per idle")));
    }
}

#[test]
fn sockets_that_end_by_themselves_are_a_fault() {
    let (passed, report) = run(Defect::CutSockets, &[]);
    assert!(!passed && !report.faults.is_empty(), "{report:?}");
}
