//! What `tests/install-tools` says of a machine that lacks what the tests need: all of it at once, and what is of a wrong
//! version before anything is installed. Nothing is installed here: the machine is a folder of programs that pretend.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::PathBuf;
use std::process::Command;

use tests::source;

/// A program that pretends, and what it says to the shell.
type Pretends<'a> = (&'a str, &'a str);
/// Programs and settings of a machine, what is told of it, and what is not.
type Row<'a> = (&'a [Pretends<'a>], &'a [(&'a str, &'a str)], &'a [&'a str], &'a [&'a str]);

/// Where this machine has a program.
fn found(program: &str) -> PathBuf {
    let path = std::env::var_os("PATH").unwrap();
    std::env::split_paths(&path).map(|folder| folder.join(program)).find(|file| file.is_file()).unwrap()
}

/// What the script says of a machine that has these and nothing else; it always fails here.
fn said(programs: &[Pretends<'_>], settings: &[(&str, &str)]) -> String {
    let machine = tempfile::tempdir().unwrap();
    let put = |name: &str, script: &str| {
        let file = machine.path().join(name);
        fs::write(&file, format!("#!/bin/sh\n{script}\n")).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).unwrap();
    };
    for tool in ["dirname", "sed", "head", "ls"] {
        symlink(found(tool), machine.path().join(tool)).unwrap();
    }
    programs.iter().for_each(|(name, script)| put(name, script));
    let mut script = Command::new(found("bash"));
    script.arg(source::root().join("tests/install-tools")).env_clear().env("PATH", machine.path());
    let ran = script.envs(settings.iter().copied()).output().unwrap();
    let said = String::from_utf8_lossy(&ran.stderr).into_owned();
    assert_eq!((ran.status.code(), ran.stdout.is_empty()), (Some(1), true), "{said}");
    said
}

#[test]
fn all_that_is_missing_is_told_at_once_and_a_wrong_java_first() {
    let (user, root) = (("id", "echo 1000"), ("id", "echo 0"));
    let java = |version: &'static str| ("java", version);
    let (right, newer) = (java("echo 'openjdk version \"17.0.9\"' >&2"), java("echo 'openjdk version \"21.0.1\"' >&2"));
    let install = ("apt-get", "[ $2 = update ]");
    let without_both = ("apt-cache", "case $2 in openjdk*|maven) ;; *) echo Package: $2 ;; esac");
    let old_python = ("python3", "[ $1 = --version ] && echo Python 3.9.2");
    let all = ["gcc", "make", "python3-venv", "chromium", "npm", "maven", "redis-server", "prometheus"];
    let without_java = [&all[..], &["openjdk-17-jre-headless", "TERTULIA_TEST_JAVA"]].concat();
    let rows: &[Row<'_>] = &[
        (&[user], &[], &without_java, &[]),
        (&[user, right], &[], &all, &["openjdk"]),
        (
            &[user, right, ("mvn", "")],
            &[("TERTULIA_TEST_CHROMIUM", "sed")],
            &["gcc", "prometheus"],
            &["maven", "chromium"],
        ),
        // Whatever else is missing, and whoever asks.
        (&[user, newer], &[], &["Java 17", "java is 21", "TERTULIA_TEST_JAVA"], &["maven"]),
        (&[root, newer, install, without_both], &[], &["java is 21"], &["maven"]),
        (&[user, right], &[("TERTULIA_TEST_JAVA", "java-17")], &["java-17, which is not there"], &["maven"]),
        (&[user, right, old_python], &[], &["Python 3.11 or later is needed, this is Python 3.9.2"], &["maven"]),
        (
            &[root, install, without_both],
            &[],
            &["this system has no openjdk-17-jre-headless maven", "TERTULIA_TEST_JAVA"],
            &["gcc"],
        ),
    ];
    for (programs, settings, told, not) in rows {
        let said = said(programs, settings);
        for part in *told {
            assert!(said.contains(part), "{part} is not in {said}");
        }
        for part in *not {
            assert!(!said.contains(part), "{part} is in {said}");
        }
    }
}
