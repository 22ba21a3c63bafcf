//! Holds every dependency against `deny.toml`: licences, banned crates, sources. Needs no network.
//! The rules are read from that file, so that there is one truth; `cargo deny` reads the same.

use std::process::Command;

use serde::Deserialize;
use tests::source;

/// The part of `deny.toml` that is checked here.
#[derive(Debug, Deserialize)]
struct Policy {
    licenses: Licences,
    bans: Bans,
    sources: Sources,
}

#[derive(Debug, Deserialize)]
struct Licences {
    allow: Vec<String>,
}

#[derive(Debug, Deserialize)]
struct Bans {
    deny: Vec<Ban>,
}

#[derive(Debug, Deserialize)]
struct Ban {
    /// `name`, or `name:<VERSION`.
    #[serde(rename = "crate")]
    spec: String,
    reason: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Sources {
    allow_registry: Vec<String>,
}

/// What `cargo metadata` tells, as far as it matters here.
#[derive(Debug, Deserialize)]
struct Metadata {
    packages: Vec<Package>,
}

#[derive(Debug, Deserialize)]
struct Package {
    name: String,
    version: String,
    license: Option<String>,
    /// None for a crate of this workspace.
    source: Option<String>,
}

#[test]
fn every_dependency_is_allowed() {
    let metadata: Metadata = serde_json::from_slice(&metadata()).unwrap();
    assert!(metadata.packages.len() > 100, "cargo told of {} packages only", metadata.packages.len());
    let complaints = complaints(&policy(), &metadata);
    assert!(complaints.is_empty(), "\n{}\n", complaints.join("\n"));
}

fn policy() -> Policy {
    toml::from_str(&std::fs::read_to_string(source::root().join("deny.toml")).unwrap()).unwrap()
}

fn metadata() -> Vec<u8> {
    let told = Command::new(env!("CARGO"))
        .args(["metadata", "--locked", "--offline", "--all-features", "--format-version", "1"])
        .current_dir(source::root())
        .output()
        .unwrap();
    let error = String::from_utf8_lossy(&told.stderr);
    assert!(told.status.success(), "`cargo fetch --locked` first: the check reads every platform's crates\n{error}");
    told.stdout
}

fn complaints(policy: &Policy, metadata: &Metadata) -> Vec<String> {
    let mut complaints = Vec::new();
    for package in &metadata.packages {
        let name = format!("{} {}", package.name, package.version);
        let licence = package.license.as_deref().unwrap_or_default();
        if !satisfied(licence, &policy.licenses.allow) {
            complaints.push(format!("{name}: licence `{licence}` is not allowed"));
        }
        for ban in policy.bans.deny.iter().filter(|ban| bans(&ban.spec, package)) {
            complaints.push(format!("{name}: banned: {}", ban.reason));
        }
        if let Some(source) = &package.source {
            let known = |registry: &String| *source == format!("registry+{registry}");
            if !policy.sources.allow_registry.iter().any(known) {
                complaints.push(format!("{name}: comes from {source}"));
            }
        }
    }
    complaints
}

fn bans(spec: &str, package: &Package) -> bool {
    let Some((name, versions)) = spec.split_once(':') else { return spec == package.name };
    let Some(bound) = versions.strip_prefix('<') else {
        panic!("deny.toml: this check does not know the versions `{versions}` of {name}: teach it, or ban them all");
    };
    name == package.name && numbers(&package.version) < numbers(bound)
}

/// The numbers of a version, compared as such: `0.10` comes after `0.9`.
fn numbers(version: &str) -> Vec<u64> {
    version.split(['.', '-', '+']).map_while(|part| part.parse().ok()).collect()
}

/// Whether the allowed licences are enough to use what is under this SPDX expression. `/` is the
/// old spelling of OR. What cannot be read is not satisfied.
fn satisfied(expression: &str, allowed: &[String]) -> bool {
    let spaced = expression.replace('/', " OR ").replace('(', " ( ").replace(')', " ) ");
    let tokens: Vec<&str> = spaced.split_whitespace().collect();
    let mut rest = tokens.as_slice();
    any(&mut rest, allowed) == Some(true) && rest.is_empty()
}

fn any(rest: &mut &[&str], allowed: &[String]) -> Option<bool> {
    let mut holds = all(rest, allowed)?;
    while let ["OR", after @ ..] = *rest {
        *rest = after;
        holds |= all(rest, allowed)?;
    }
    Some(holds)
}

fn all(rest: &mut &[&str], allowed: &[String]) -> Option<bool> {
    let mut holds = one(rest, allowed)?;
    while let ["AND", after @ ..] = *rest {
        *rest = after;
        holds &= one(rest, allowed)?;
    }
    Some(holds)
}

fn one(rest: &mut &[&str], allowed: &[String]) -> Option<bool> {
    match *rest {
        ["(", after @ ..] => {
            *rest = after;
            let holds = any(rest, allowed)?;
            let [")", after @ ..] = *rest else { return None };
            *rest = after;
            Some(holds)
        }
        // A licence with an exception is another licence, allowed by its whole name only.
        [name, "WITH", exception, after @ ..] => {
            *rest = after;
            Some(allowed.contains(&format!("{name} WITH {exception}")))
        }
        ["OR" | "AND" | "WITH" | ")", ..] | [] => None,
        [name, after @ ..] => {
            *rest = after;
            Some(allowed.iter().any(|one| one == name))
        }
    }
}

#[cfg(test)]
mod tests_of_the_check {
    use super::*;

    #[test]
    fn expressions_are_read() {
        let allowed = ["MIT", "ISC"].map(str::to_owned);
        let rows = [
            ("MIT", true),
            ("MIT OR GPL-3.0", true),
            ("GPL-3.0/MIT", true),
            ("MIT AND ISC", true),
            ("MIT AND GPL-3.0", false),
            ("GPL-3.0 OR MIT AND ISC", true),
            ("(GPL-3.0 OR MIT) AND AGPL-3.0", false),
            ("(GPL-3.0 OR MIT) AND ISC", true),
            ("MIT WITH some-exception", false),
            ("GPL-3.0 WITH some-exception OR ISC", true),
            ("", false),
            ("MIT OR", false),
            ("MIT ISC", false),
            ("(MIT", false),
        ];
        for (expression, expected) in rows {
            assert_eq!(satisfied(expression, &allowed), expected, "{expression}");
        }
    }

    #[test]
    fn a_planted_package_is_caught() {
        let registry = Some("registry+https://github.com/rust-lang/crates.io-index");
        let rows = [
            ("good", "1.0.0", Some("MIT OR Apache-2.0"), registry, ""),
            ("good", "1.0.0", Some("Apache-2.0"), None, ""),
            ("copyleft", "1.0.0", Some("GPL-3.0-only"), registry, "GPL-3.0-only"),
            ("silent", "1.0.0", None, registry, "not allowed"),
            ("openssl", "0.10.0", Some("Apache-2.0"), registry, "banned"),
            ("rsa", "0.9.0", Some("MIT"), registry, "banned"),
            ("openssl-sys", "0.9.0", Some("MIT"), registry, "banned"),
            ("h2", "0.3.27", Some("MIT"), registry, "banned"),
            ("h2", "0.4.0", Some("MIT"), registry, ""),
            ("h2", "0.10.1", Some("MIT"), registry, ""),
            ("strayed", "1.0.0", Some("MIT"), Some("git+https://example.org/strayed"), "comes from"),
            ("other", "1.0.0", Some("MIT"), Some("registry+https://example.org/index"), "comes from"),
        ];
        let policy = policy();
        for (name, version, license, source, expected) in rows {
            let package = Package {
                name: name.to_owned(),
                version: version.to_owned(),
                license: license.map(str::to_owned),
                source: source.map(str::to_owned),
            };
            let got = complaints(&policy, &Metadata { packages: vec![package] });
            match expected {
                "" => assert!(got.is_empty(), "{name} {version}: {got:?}"),
                part => assert!(got.iter().any(|line| line.contains(part)), "{name} {version}: {got:?}"),
            }
        }
    }
}
