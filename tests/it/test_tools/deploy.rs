//! What those who will read the files of deploy/ say of them: the loaders and schemas of Kubernetes and of compose,
//! HAProxy, Prometheus, systemd. Each is shown a fault, too. None of them runs anything here.

mod compose;
mod kubernetes;

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use engine_config::Sources;
use engine_privacy::RootKey;
use serde_json::Value;
use tests::source;

use super::named;
use crate::deploy::{drain_s, settings};

fn folder(path: &str) -> PathBuf {
    source::root().join("deploy").join(path)
}

fn text(path: &str) -> String {
    std::fs::read_to_string(folder(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn tool(name: &str) -> Command {
    Command::new(named("TERTULIA_TEST_DEPLOY").join("bin").join(name))
}

/// What a command says; the error is what it says where it fails.
fn said(command: &mut Command, input: &str) -> Result<String, String> {
    let piped = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = piped.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}: ./tests/run installs it"));
    // What is piped here is small, and read whole before anything is answered.
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let ended = child.wait_with_output().unwrap();
    let [out, err] = [ended.stdout, ended.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    if ended.status.success() { Ok(out) } else { Err(out + &err) }
}

/// The variables in a map of JSON.
fn variables(map: &Value) -> Vec<(String, String)> {
    let pairs = map.as_object().into_iter().flatten();
    pairs.map(|(name, value)| (name.clone(), value.as_str().unwrap_or_default().to_owned())).collect()
}

/// YAML as JSON, one value for each document.
fn documents(yaml: &str) -> Vec<Value> {
    let script = "import json, sys, yaml; json.dump(list(yaml.safe_load_all(sys.stdin)), sys.stdout)";
    let mut python = Command::new(named("TERTULIA_TEST_PYTHON"));
    serde_json::from_str(&said(python.args(["-c", script]), yaml).unwrap()).unwrap()
}

#[test]
fn haproxy_and_prometheus_read_their_files() {
    let scratch = tempfile::tempdir().unwrap();
    let file = scratch.path().join("file");
    let haproxy = if Path::new("/usr/sbin/haproxy").is_file() { "/usr/sbin/haproxy" } else { "haproxy" };
    let balancer = text("compose/haproxy/haproxy.cfg");
    let prometheus = text("compose/prometheus/prometheus.yml");
    let check = |text: &str, program: &str, arguments: &[&str]| {
        std::fs::write(&file, text).unwrap();
        said(Command::new(program).args(arguments).arg(&file), "")
    };
    for (text, good, bad) in
        [(&balancer, "leastconn", "mostconn"), (&balancer, "default_backend tertulia", "default_backend x")]
    {
        assert!(text.contains(good));
        check(text, haproxy, &["-c", "-f"]).unwrap();
        assert!(check(&text.replace(good, bad), haproxy, &["-c", "-f"]).is_err(), "{bad}");
    }
    check(&prometheus, "promtool", &["check", "config"]).unwrap();
    let wrong = prometheus.replace("static_configs", "static_config");
    assert!(check(&wrong, "promtool", &["check", "config"]).is_err());
}

/// Where there is no systemd, nobody can say what it thinks. What the unit promises needs none: see `deploy::settings`.
#[test]
fn systemd_takes_the_unit_and_finds_it_closed() {
    if Command::new("systemd-analyze").arg("--version").output().is_err() {
        eprintln!("not tried: what systemd says of its unit, as there is no systemd-analyze");
        return;
    }
    let scratch = tempfile::tempdir().unwrap();
    let file = scratch.path().join("tertulia.service");
    let unit = text("systemd/tertulia.service");
    let program = "ExecStart=/usr/local/bin/tertulia serve";
    let analyze = |text: &str, arguments: &[&str]| {
        assert!(text.contains(program));
        // It is looked for, and this machine may have none.
        std::fs::write(&file, text.replace(program, "ExecStart=/bin/true serve")).unwrap();
        said(Command::new("systemd-analyze").args(arguments).arg("--no-pager").arg(&file), "")
    };
    let verify = |text: &str| {
        let mut command = Command::new("systemd-analyze");
        std::fs::write(&file, text.replace(program, "ExecStart=/bin/true serve")).unwrap();
        let ran = command.arg("verify").arg(&file).output().unwrap();
        String::from_utf8_lossy(&ran.stderr).into_owned()
    };
    let about_it = |said: &str| said.lines().filter(|line| line.contains("tertulia.service")).count();
    let clean = verify(&unit);
    assert_eq!(about_it(&clean), 0, "{clean}");
    assert_ne!(about_it(&verify(&unit.replace("Restart=on-failure", "Restart=sometimes"))), 0);
    // Exposure, in tenths: at most 2.0.
    let security = ["security", "--offline=true", "--threshold=20"];
    analyze(&unit, &security).unwrap();
    let open: String =
        unit.lines().filter(|line| !line.starts_with("Protect")).map(|line| format!("{line}\n")).collect();
    assert!(analyze(&open, &security).is_err());
}

/// The script makes what the node reads, for one user alone, and never replaces it.
#[test]
fn secrets_are_made_once_and_taken() {
    let scratch = tempfile::tempdir().unwrap();
    std::fs::create_dir(scratch.path().join("secrets")).unwrap();
    let script = scratch.path().join("make-secrets");
    std::fs::write(&script, text("compose/make-secrets")).unwrap();
    let read = |name: &str| std::fs::read_to_string(scratch.path().join("secrets").join(name)).unwrap();
    let mut made = Vec::new();
    for _ in 0..2 {
        said(Command::new("sh").arg(&script), "").unwrap();
        made.push(["root", "tertulia.toml", "grafana"].map(read));
    }
    assert_eq!(made[0], made[1], "a second run replaces nothing");
    assert!(RootKey::read(&scratch.path().join("secrets/root")).unwrap().is_some());
    assert!(made[0][2].len() >= 32);
    let file = scratch.path().join("secrets/tertulia.toml");
    Sources::read(Some(&file), []).unwrap().config().unwrap();
}
