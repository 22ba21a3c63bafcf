//! Every setting that a file of deploy/ names is one, and takes the value that it is given there.

use std::collections::BTreeSet;
use std::ffi::OsString;

use engine_config::{Config, ConfigError, Sources};

use super::{files, text};

/// Beside the drain's own time: to make durable what was decided, to end connections, and to close the store.
const AFTER_THE_DRAIN_S: u64 = 5 + 2 + 5;
/// Sockets that a node closes in a second, when it goes.
const CLOSES_PER_SECOND: u64 = 5_000;

/// The settings of a node with these variables, which it takes.
pub(crate) fn settings(variables: &[(String, String)]) -> Config {
    let pairs = || variables.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    assert_eq!(refused(pairs()), None, "{variables:?}");
    let drain = pairs().filter(|(name, _)| name.starts_with("TERTULIA_SERVER__"));
    let drain = drain.map(|(name, value)| (name.into(), value.into()));
    Sources::read(None, drain).unwrap().config().unwrap()
}

/// The longest time from the signal to the end, in seconds.
pub(crate) fn drain_s(config: &Config) -> u64 {
    let sockets = u64::try_from(config.server.connections_max.get()).unwrap();
    config.server.drain_timeout.as_secs() + sockets.div_ceil(CLOSES_PER_SECOND) + AFTER_THE_DRAIN_S
}

/// Why a node would not start with these variables; none when it would.
pub(crate) fn refused<'a>(variables: impl IntoIterator<Item = (&'a str, &'a str)>) -> Option<String> {
    let ours: Vec<(OsString, OsString)> =
        variables.into_iter().map(|(name, value)| (name.into(), value.into())).collect();
    let read = Sources::read(None, ours).and_then(|sources| sources.config());
    read.err().map(|error| error.to_string())
}

fn is_known(name: &str) -> bool {
    // What no setting takes, so that one that is known says so.
    let read = Sources::read(None, [(name.into(), "\u{1}".into())]);
    !matches!(read, Err(ConfigError::UnknownKey { .. }))
}

/// The variables of the program that a text names.
fn named(text: &str) -> BTreeSet<&str> {
    let words = text.split(|c: char| !(c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_'));
    words.filter(|word| word.len() > "TERTULIA_".len() && word.starts_with("TERTULIA_")).collect()
}

#[test]
fn every_variable_is_a_setting() {
    for file in files() {
        for name in named(&file.text) {
            assert!(is_known(name), "{}: there is no setting {name}", file.path);
        }
    }
    assert!(!is_known("TERTULIA_LISTN") && is_known("TERTULIA_CONFIG") && is_known("TERTULIA_STORE"));
}

/// The unit's and the image's are not read by any of their own tools.
#[test]
fn the_units_settings_are_taken() {
    let unit = text("deploy/systemd/tertulia.service");
    let set = unit.lines().filter_map(|line| line.strip_prefix("Environment=")?.split_once('='));
    let set: Vec<_> = set.collect();
    assert!(set.len() >= 5, "{set:?}");
    assert_eq!(refused(set.iter().copied()), None);
    let wrong = set.iter().map(|(name, value)| (*name, if *name == "TERTULIA_LISTEN" { "somewhere" } else { *value }));
    assert!(refused(wrong).is_some_and(|why| why.contains("TERTULIA_LISTEN")));
}

/// A node that drains is left to end, and has the files that its connections need.
#[test]
fn the_unit_leaves_a_node_its_time_and_its_files() {
    let unit = text("deploy/systemd/tertulia.service");
    let of = |name: &str| unit.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('=')).unwrap();
    let set = unit.lines().filter_map(|line| line.strip_prefix("Environment=")?.split_once('='));
    let set: Vec<_> = set.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    let config = settings(&set);
    assert!(of("TimeoutStopSec").strip_suffix('s').unwrap().parse::<u64>().unwrap() > drain_s(&config));
    assert!(of("LimitNOFILE").parse::<usize>().unwrap() > 2 * config.server.connections_max.get());
}

/// A node refuses a socket at an address that it does not name.
#[test]
fn the_socket_unit_listens_where_the_unit_says() {
    let (unit, socket) = (text("deploy/systemd/tertulia.service"), text("deploy/systemd/tertulia.socket"));
    let of = |name: &str| unit.lines().find_map(|line| line.strip_prefix("Environment=")?.strip_prefix(name)).unwrap();
    let named = ["TERTULIA_LISTEN=", "TERTULIA_METRICS_LISTEN="].map(of);
    let listens: Vec<_> = socket.lines().filter_map(|line| line.strip_prefix("ListenStream=")).collect();
    assert_eq!(listens, named);
}

/// Nothing is a secret here: what stands for one says so.
#[test]
fn no_secret_stands_in_a_file() {
    for file in files().iter().filter(|file| !file.path.ends_with(".md")) {
        for line in file.text.lines() {
            let Some((key, value)) = line.trim().trim_start_matches("- ").split_once([':', '=']) else { continue };
            let key = key.trim().to_ascii_lowercase();
            let value = value.trim().trim_matches('"');
            let secret = ["password", "key", "secret", "token"].iter().any(|end| key.ends_with(end));
            let is_plain = ["", "CHANGE-ME", "false"].contains(&value) || value.starts_with(['{', '$', '/']);
            // Settings of others that take the name of a file, and names of keys in lists.
            let is_name = key.ends_with("__file") || key == "topologykey" || key.starts_with("{key") || key == "- {key";
            assert!(!secret || is_plain || is_name || key.contains(' '), "{}: {line}", file.path);
        }
    }
}
