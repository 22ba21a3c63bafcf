//! Where a node keeps what it must not lose: in a file of its own, or in a cluster.
//! Invariant: one that was read can be used as it is, and no complaint repeats what may be a password.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use super::place::host_and_port;

/// The port at which ScyllaDB and Cassandra listen, where none is named.
const PORT: u16 = 9042;
const SCHEME: &str = "cql://";
const KEYSPACE_CHARS_MAX: usize = 40;
const CONTACT_POINTS_MAX: usize = 32;

/// A store, as a setting names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StoreUrl {
    /// The embedded one, in the data directory.
    Sqlite,
    /// A cluster of ScyllaDB or Cassandra, which several nodes share.
    Cql {
        /// Nodes to ask first, each as `host:port`; never empty.
        contact_points: Vec<String>,
        /// The keyspace.
        keyspace: String,
    },
}

/// How connections to a cluster are secured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StoreTls {
    /// Not at all.
    Off,
    /// By TLS; the cluster shows a certificate of an authority that the system trusts.
    On,
    /// By TLS; the cluster shows a certificate of an authority in this file (PEM).
    By(PathBuf),
}

/// Why a text names no store.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what}: write `sqlite`, or `cql://HOST:PORT,HOST:PORT/KEYSPACE`")]
pub struct StoreUrlError {
    what: String,
}

impl FromStr for StoreUrl {
    type Err = StoreUrlError;

    fn from_str(text: &str) -> Result<Self, StoreUrlError> {
        let text = text.trim();
        if text == "sqlite" {
            return Ok(Self::Sqlite);
        }
        let Some(rest) = text.strip_prefix(SCHEME) else {
            return Err(wrong("it is no store"));
        };
        if rest.contains('@') {
            return Err(wrong("a name and a password stand in `store.user` and `store.password`"));
        }
        let Some((points, keyspace)) = rest.split_once('/') else {
            return Err(wrong("no keyspace is named"));
        };
        if keyspace.is_empty() {
            return Err(wrong("no keyspace is named"));
        }
        let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
        let begins = keyspace.starts_with(|first: char| first.is_ascii_lowercase());
        if !begins || keyspace.len() > KEYSPACE_CHARS_MAX || !keyspace.bytes().all(is_plain) {
            return Err(wrong(&format!(
                "a keyspace has 1 to {KEYSPACE_CHARS_MAX} of a-z, 0-9 and _, a letter first, and {keyspace:?} has not"
            )));
        }
        let contact_points = points.split(',').map(contact_point).collect::<Result<Vec<_>, _>>()?;
        if contact_points.len() > CONTACT_POINTS_MAX {
            return Err(wrong(&format!("there are more than {CONTACT_POINTS_MAX} hosts; a few are enough")));
        }
        Ok(Self::Cql { contact_points, keyspace: keyspace.into() })
    }
}

impl fmt::Display for StoreUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite => f.write_str("sqlite"),
            Self::Cql { contact_points, keyspace } => write!(f, "{SCHEME}{}/{keyspace}", contact_points.join(",")),
        }
    }
}

/// One host with its port, as it can be looked up.
fn contact_point(text: &str) -> Result<String, StoreUrlError> {
    let (host, port) = host_and_port(text, PORT).map_err(|what| wrong(&what))?;
    Ok(format!("{host}:{port}"))
}

fn wrong(what: &str) -> StoreUrlError {
    StoreUrlError { what: what.into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stores_are_read_with_the_usual_port_where_none_is_named() {
        for (text, points, keyspace) in [
            ("cql://db1:9043/tertulia", &["db1:9043"][..], "tertulia"),
            ("cql://db1,10.0.0.2:19042, db-3.example/t_2", &["db1:9042", "10.0.0.2:19042", "db-3.example:9042"], "t_2"),
            ("cql://[::1],[2001:db8::2]:9043/t", &["[::1]:9042", "[2001:db8::2]:9043"], "t"),
        ] {
            let read: StoreUrl = text.parse().unwrap();
            let contact_points: Vec<String> = points.iter().map(ToString::to_string).collect();
            assert_eq!(read, StoreUrl::Cql { contact_points, keyspace: keyspace.into() }, "{text}");
            assert_eq!(read.to_string().parse(), Ok(read));
        }
        assert_eq!("sqlite".parse(), Ok(StoreUrl::Sqlite));
    }

    #[test]
    fn what_is_wrong_is_said_with_the_right_form() {
        for (text, complaint) in [
            ("", "it is no store"),
            ("postgres://db/t", "it is no store"),
            ("cql:/db/t", "it is no store"),
            ("SQLITE", "it is no store"),
            ("cql://db1", "no keyspace is named"),
            ("cql://db1/", "no keyspace is named"),
            ("cql:///t", "a host is missing"),
            ("cql://db1,,db2/t", "a host is missing"),
            ("cql://me:canary@db1/t", "a name and a password stand in `store.user` and `store.password`"),
            (
                "cql://db1/Tertulia",
                "a keyspace has 1 to 40 of a-z, 0-9 and _, a letter first, and \"Tertulia\" has not",
            ),
            ("cql://db1/1t", "a keyspace has 1 to 40"),
            ("cql://db1/t/u", "a keyspace has 1 to 40"),
            ("cql://db1/t?x=1", "a keyspace has 1 to 40"),
            ("cql://::1/t", "the IPv6 address \"::1\" stands in brackets, as in `[::1]:9042`"),
            ("cql://[::1/t", "\"[::1\" is no IPv6 address in brackets"),
            ("cql://[db1]/t", "\"[db1]\" is no IPv6 address in brackets"),
            ("cql://[::1]9042/t", "the port of \"[::1]9042\" is not 1 to 65535"),
            ("cql://db1:cql/t", "the port of \"db1:cql\" is not 1 to 65535"),
            ("cql://db1:0/t", "the port of \"db1:0\" is not 1 to 65535"),
            ("cql://db 1/t", "\"db 1\" is no host"),
            ("cql://:9042/t", "\":9042\" is no host"),
        ] {
            let error = text.parse::<StoreUrl>().expect_err(text).to_string();
            assert!(error.starts_with(complaint), "{text}: {error}");
            assert!(error.ends_with(": write `sqlite`, or `cql://HOST:PORT,HOST:PORT/KEYSPACE`"), "{error}");
            assert!(!error.contains("canary"), "{error}");
        }
        let many = vec!["db"; CONTACT_POINTS_MAX + 1].join(",");
        assert!(format!("cql://{many}/t").parse::<StoreUrl>().is_err());
        assert!(format!("cql://db/{}", "t".repeat(KEYSPACE_CHARS_MAX + 1)).parse::<StoreUrl>().is_err());
    }
}
