//! The black-box tests once more, with nodes that own nothing: each answers as one that owns does.

use std::process::Command;

use tests::node::company::{ACCOMPANIED, COMPANY};
use tests::servers::Cassandra;

/// Some of each kind: over HTTP, sockets and streams, with a model that is slow, and across kills. All of them run in
/// `tests/run long`.
const SOME: [&str; 4] = ["stream::", "isolation::", "turns::", "socket_protocol::resume::"];
const SOME_MIN: usize = 20;

#[test]
fn a_node_that_owns_nothing_passes_the_tests_of_one_that_does() {
    let mut again = Command::new(std::env::current_exe().unwrap());
    again.args(SOME).args(["--skip", "real_", "--skip", "test_tools"]);
    again.env(COMPANY, "relay").env("TERTULIA_TEST_SCYLLA", Cassandra::shared().unwrap());
    let ran = again.output().unwrap();
    let (out, err) = (String::from_utf8_lossy(&ran.stdout), String::from_utf8_lossy(&ran.stderr));
    assert!(ran.status.success(), "{out}\n{err}");
    let passed = out.lines().filter(|line| line.starts_with("test ") && line.ends_with("... ok")).count();
    assert!(passed >= SOME_MIN, "{passed} have run:\n{out}");
    let counts = err.lines().filter_map(|line| line.split_once(ACCOMPANIED)?.1.trim().parse::<usize>().ok());
    let accompanied = counts.max().unwrap_or_default();
    println!("{passed} have passed, with {accompanied} nodes that owned nothing");
    assert!(accompanied >= SOME_MIN, "{accompanied} nodes had an owner beside them:\n{err}");
}
