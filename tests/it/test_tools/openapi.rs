//! The API tried by its own description: what the description allows is taken, what it does not is refused, and
//! every answer is as described. The inputs are made up anew from one seed, the same each time.

use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use tests::node::Node;
use tests::source;

use super::named;

/// Longest run; it takes a fraction of this.
const TIME_MAX: Duration = Duration::from_secs(400);

/// What takes a caller's own rights or allowances away, and is tried at a node of its own: after it little is
/// answered but refusals.
const LOCKS_OUT: [&str; 5] = [
    "PUT /v1/tenant",
    "PUT /v1/admin/plans/{name}",
    "PUT /v1/admin/tenants/{id}/plan",
    "POST /v1/admin/tenants/{id}/rotate-key",
    "POST /v1/admin/tenants/{id}/disable",
];

/// What does not end by itself: a stream and a socket. Both have tests of their own.
const ENDLESS: [&str; 2] = ["GET /v1/conversations/{id}/stream", "GET /v1/ws"];

#[test]
fn the_api_is_as_it_is_described() {
    let left_out = LOCKS_OUT.iter().chain(&ENDLESS);
    try_api(&left_out.flat_map(|name| ["--exclude-name", name]).collect::<Vec<_>>());
}

#[test]
fn what_takes_rights_away_is_as_it_is_described() {
    try_api(&LOCKS_OUT.iter().flat_map(|name| ["--include-name", name]).collect::<Vec<_>>());
}

/// Tries the operations that `filters` leave, at a node of their own.
fn try_api(filters: &[&str]) {
    let node = Node::start(&[
        ("TERTULIA_LIMITS__REQUESTS_PER_SECOND_PER_KEY", "100000"),
        ("TERTULIA_LIMITS__REQUESTS_PER_SECOND_PER_ADDRESS", "100000"),
        ("TERTULIA_LIMITS__REQUESTS_PER_SECOND_PER_CONNECTION", "100000"),
    ]);
    let fuzzer = named("TERTULIA_TEST_PYTHON").with_file_name("schemathesis");
    let scratch = tempfile::tempdir().unwrap();
    let fuzzing = Command::new(&fuzzer)
        .arg("--config-file")
        .arg(source::root().join("tests/openapi/schemathesis.toml"))
        .args(["run", &format!("http://{}/openapi.json", node.address)])
        .args(filters)
        .env("TERTULIA_TENANT_KEY", node.demo_key())
        .env("TERTULIA_OPERATOR_KEY", node.admin_key())
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .current_dir(scratch.path())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("{}: {error}", fuzzer.display()));
    let pid = fuzzing.id().to_string();
    let (to_test, ended) = mpsc::channel();
    thread::spawn(move || to_test.send(fuzzing.wait_with_output()));
    let ran = ended.recv_timeout(TIME_MAX).unwrap_or_else(|_| {
        let _ = Command::new("kill").arg(&pid).status();
        ended.recv().unwrap()
    });
    let ran = ran.unwrap();
    let said = String::from_utf8_lossy(&[ran.stdout, ran.stderr].concat()).into_owned();
    assert!(ran.status.success(), "{}\n{said}", ran.status);
    // What tried nothing has found nothing.
    assert!(said.contains("passed"), "{said}");
}
