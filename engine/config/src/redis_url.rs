//! Where the nodes of an installation find the Redis that they share.
//! Invariant: neither a complaint nor `Debug` repeats a password.

use std::fmt;
use std::str::FromStr;

use percent_encoding::percent_decode_str;
use secrecy::SecretString;

use super::place::host_and_port;

/// The port at which Redis listens, where none is named.
const PORT: u16 = 6379;
const PLAIN: &str = "redis://";
const BY_TLS: &str = "rediss://";

/// A Redis, as a setting names it.
#[derive(Clone)]
pub struct RedisUrl {
    /// Whether it is spoken to by TLS.
    pub tls: bool,
    /// Its name or address; an IPv6 address stands in brackets.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// The name by which it knows the node, where the address has one.
    pub user: Option<String>,
    /// The password, where the address has one.
    pub password: Option<SecretString>,
    /// The database, where the address names one.
    pub database: Option<u8>,
}

impl fmt::Debug for RedisUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.tls { BY_TLS } else { PLAIN })?;
        if self.user.is_some() || self.password.is_some() {
            f.write_str("…@")?;
        }
        write!(f, "{}:{}", self.host, self.port)?;
        self.database.map_or(Ok(()), |database| write!(f, "/{database}"))
    }
}

/// Why a text names no Redis.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what}: write `redis://HOST:PORT`, or `rediss://HOST:PORT` for TLS")]
pub struct RedisUrlError {
    what: String,
}

impl FromStr for RedisUrl {
    type Err = RedisUrlError;

    fn from_str(text: &str) -> Result<Self, RedisUrlError> {
        let text = text.trim();
        let (tls, rest) = match (text.strip_prefix(PLAIN), text.strip_prefix(BY_TLS)) {
            (Some(rest), _) => (false, rest),
            (_, Some(rest)) => (true, rest),
            _ => return Err(wrong("it is no Redis")),
        };
        // A password may have any sign in it that the parts of an address begin with.
        let (known_as, place) = rest.rsplit_once('@').map_or((None, rest), |(known_as, place)| (Some(known_as), place));
        let (user, password) = match known_as.map(|known_as| known_as.split_once(':').unwrap_or((known_as, ""))) {
            Some((user, password)) => (decoded(user)?, decoded(password)?),
            None => (None, None),
        };
        if user.is_some() && password.is_none() {
            return Err(wrong("a name is there without its password"));
        }
        let (place, database) = place.split_once('/').map_or((place, ""), |(place, database)| (place, database));
        let database = match database {
            "" => None,
            number => {
                Some(number.parse().map_err(|_| wrong("after the host stands the number of a database, or nothing"))?)
            }
        };
        let (host, port) = host_and_port(place, PORT).map_err(|what| wrong(&what))?;
        Ok(Self { tls, host, port, user, password: password.map(Into::into), database })
    }
}

/// A part of an address, in which signs may be written as `%40`; an empty one is none.
fn decoded(part: &str) -> Result<Option<String>, RedisUrlError> {
    let decoded = percent_decode_str(part).decode_utf8().map_err(|_| wrong("name or password are not UTF-8"))?;
    Ok(Some(decoded.into_owned()).filter(|part| !part.is_empty()))
}

fn wrong(what: &str) -> RedisUrlError {
    RedisUrlError { what: what.into() }
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use super::*;

    #[test]
    fn what_is_written_is_read() {
        for (text, tls, host, port, user, password, database) in [
            ("redis://cache", false, "cache", 6379, None, None, None),
            ("rediss://cache.example:7000/3", true, "cache.example", 7000, None, None, Some(3)),
            ("redis://[::1]:6380", false, "[::1]", 6380, None, None, None),
            ("redis://:canary@cache", false, "cache", 6379, None, Some("canary"), None),
            ("rediss://me:can:ary/%40@x@cache:1/", true, "cache", 1, Some("me"), Some("can:ary/@@x"), None),
        ] {
            let read: RedisUrl = text.parse().unwrap();
            let found = read.password.as_ref().map(|password| password.expose_secret());
            let facts = (read.tls, read.host.as_str(), read.port, read.user.as_deref(), found, read.database);
            assert_eq!(facts, (tls, host, port, user, password, database), "{text}");
            assert!(!format!("{read:?}").contains("can"), "{read:?}");
        }
        let shown: RedisUrl = "rediss://me:canary@cache/2".parse().unwrap();
        assert_eq!(format!("{shown:?}"), "rediss://…@cache:6379/2");
    }

    #[test]
    fn what_is_wrong_is_told_without_the_password() {
        for (text, complaint) in [
            ("cache:6379", "it is no Redis"),
            ("http://me:canary@cache", "it is no Redis"),
            ("redis://", "a host is missing"),
            ("redis://me:canary@", "a host is missing"),
            ("redis://me@cache", "a name is there without its password"),
            ("redis://:canary@cache:port", "the port of \"cache:port\" is not 1 to 65535"),
            ("redis://:canary@cache/first", "after the host stands the number of a database"),
            ("redis://cache/256", "after the host stands the number of a database"),
            ("redis://:%ffcanary@cache", "name or password are not UTF-8"),
            ("redis://::1", "the IPv6 address \"::1\" stands in brackets, as in `[::1]:6379`"),
            ("redis://one,two", "\"one,two\" is no host"),
        ] {
            let error = text.parse::<RedisUrl>().expect_err(text).to_string();
            assert!(error.starts_with(complaint), "{text}: {error}");
            assert!(error.ends_with(": write `redis://HOST:PORT`, or `rediss://HOST:PORT` for TLS"), "{error}");
            assert!(!error.contains("canary"), "{error}");
        }
    }
}
