//! A host and its port, as they stand in an address.
//! Invariant: what was read can be looked up, and a complaint says of the text no more than is given here.

use std::net::Ipv6Addr;

/// A host, an IPv6 address in its brackets, and its port, or the usual one where none is named.
///
/// # Errors
/// What is wrong with it, in words.
pub(super) fn host_and_port(text: &str, usual: u16) -> Result<(String, u16), String> {
    let text = text.trim();
    if text.is_empty() {
        return Err("a host is missing".into());
    }
    let (host, port) = match text.strip_prefix('[') {
        Some(rest) => {
            let split = rest.split_once(']').filter(|(address, _)| address.parse::<Ipv6Addr>().is_ok());
            let Some((address, port)) = split else {
                return Err(format!("{text:?} is no IPv6 address in brackets"));
            };
            let port = match port {
                "" => None,
                port => Some(port.strip_prefix(':').unwrap_or_default()),
            };
            (format!("[{address}]"), port)
        }
        None if text.matches(':').count() > 1 => {
            return Err(format!("the IPv6 address {text:?} stands in brackets, as in `[::1]:{usual}`"));
        }
        None => match text.split_once(':') {
            Some((host, port)) => (host.to_owned(), Some(port)),
            None => (text.to_owned(), None),
        },
    };
    let is_named = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    if !host.starts_with('[') && (host.is_empty() || !host.chars().all(is_named)) {
        return Err(format!("{text:?} is no host"));
    }
    match port.map(str::parse::<u16>) {
        None => Ok((host, usual)),
        Some(Ok(port)) if port > 0 => Ok((host, port)),
        Some(_) => Err(format!("the port of {text:?} is not 1 to 65535")),
    }
}
