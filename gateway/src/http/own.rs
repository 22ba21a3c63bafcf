//! Which pages are the node's own: its chat and its studio, which may speak to every tenant.
//!
//! A request's `Host` is what the browser was told to ask for. A name that its owner points at this
//! machine for a moment makes page and node look like one (DNS rebinding), so only the operator's name
//! counts, and those that nobody can point elsewhere: this machine's own, and addresses it listens on.

use std::net::IpAddr;

use schema::Origin;

use crate::connection::is_this_machine;

/// Whether a page of `origin` that asks us as `host` is ours. `public` is the operator's address for us,
/// `local` our end of the connection.
pub(super) fn is_own(origin: &[u8], host: Option<&[u8]>, public: Option<&Origin>, local: Option<IpAddr>) -> bool {
    if let Some(public) = public {
        return origin == public.as_str().as_bytes();
    }
    let authority = str::from_utf8(origin).ok();
    let authority =
        authority.and_then(|origin| origin.strip_prefix("https://").or_else(|| origin.strip_prefix("http://")));
    authority.is_some_and(|authority| host == Some(authority.as_bytes()) && cannot_be_pointed(authority, local))
}

/// Whether it names this machine, or the address that the connection was opened to.
fn cannot_be_pointed(authority: &str, local: Option<IpAddr>) -> bool {
    let name = match authority.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => authority.split(':').next().unwrap_or_default(),
    };
    match name.parse::<IpAddr>() {
        Ok(address) => {
            is_this_machine(address) || local.map(|local| local.to_canonical()) == Some(address.to_canonical())
        }
        Err(_) => name == "localhost",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_own_pages_are_at_names_that_nobody_can_point_elsewhere() {
        for (origin, host, own) in [
            ("http://127.0.0.1:8080", Some("127.0.0.1:8080"), true),
            ("http://127.9.9.9:8080", Some("127.9.9.9:8080"), true),
            ("http://localhost:8080", Some("localhost:8080"), true),
            ("http://[::1]:8080", Some("[::1]:8080"), true),
            ("http://192.0.2.5:8080", Some("192.0.2.5:8080"), true),
            ("https://192.0.2.5", Some("192.0.2.5"), true),
            // Another machine's page, whatever it is called.
            ("http://192.0.2.6:8080", Some("192.0.2.6:8080"), false),
            ("https://chat.example", Some("chat.example"), false),
            ("http://localhost.evil.example:8080", Some("localhost.evil.example:8080"), false),
            ("http://127.0.0.1.evil.example", Some("127.0.0.1.evil.example"), false),
            ("http://evil.example:8080", Some("127.0.0.1:8080"), false),
            ("http://localhost:3000", Some("localhost:8080"), false),
            ("null", Some("null"), false),
            ("", Some(""), false),
            ("https://", Some(""), false),
            ("http://127.0.0.1:8080", None, false),
        ] {
            let local = Some("192.0.2.5".parse().unwrap());
            assert_eq!(is_own(origin.as_bytes(), host.map(str::as_bytes), None, local), own, "{origin} {host:?}");
        }
    }

    #[test]
    fn with_an_address_of_the_operators_it_is_the_only_one() {
        let public: Origin = "https://chat.example".parse().unwrap();
        for (origin, host, own) in [
            ("https://chat.example", "chat.example", true),
            // Behind a proxy that asks us by another name.
            ("https://chat.example", "node-1:8080", true),
            ("http://chat.example", "chat.example", false),
            ("https://chat.example.evil.example", "chat.example", false),
            ("http://127.0.0.1:8080", "127.0.0.1:8080", false),
        ] {
            let local = Some("127.0.0.1".parse().unwrap());
            assert_eq!(is_own(origin.as_bytes(), Some(host.as_bytes()), Some(&public), local), own, "{origin} {host}");
        }
    }
}
