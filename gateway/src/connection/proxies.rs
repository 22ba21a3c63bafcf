//! Proxies in front of the node, and whom they say a request comes from.
//! Invariant: nobody but a trusted proxy is believed, and of what one passes on only what it wrote itself.

use std::net::IpAddr;

use actix_web::http::header::{self, HeaderMap, HeaderName};
use engine::config::ProxyHeader;
use ipnet::IpNet;

/// The networks of trusted proxies, and how they tell a client's address.
pub(crate) struct Proxies {
    networks: Vec<IpNet>,
    header: ProxyHeader,
}

impl Proxies {
    pub(crate) const fn new(networks: Vec<IpNet>, header: ProxyHeader) -> Self {
        Self { networks, header }
    }

    /// Whether an address is one of theirs.
    pub(crate) fn trust(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.networks.iter().any(|network| network.contains(&address))
    }

    /// Whether they tell it once for a whole connection.
    pub(super) fn speak_first(&self) -> bool {
        self.header == ProxyHeader::ProxyProtocol
    }

    /// Whom a request comes from that `peer` has sent. Each proxy adds its own peer at the right: so
    /// from there on, what stands left of an address is as true as that address is trusted.
    pub(crate) fn client(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
        if !self.trust(peer) {
            return peer;
        }
        let values = |name: HeaderName| headers.get_all(name).filter_map(|value| value.to_str().ok());
        match self.header {
            ProxyHeader::XForwardedFor => self.last_untrusted(peer, values(header::X_FORWARDED_FOR), node),
            ProxyHeader::Forwarded => self.last_untrusted(peer, values(header::FORWARDED), forwarded_for),
            // Its connection has told, and counts as that client's.
            ProxyHeader::ProxyProtocol => peer,
        }
    }

    fn last_untrusted<'a>(
        &self,
        peer: IpAddr,
        values: impl Iterator<Item = &'a str>,
        read: fn(&str) -> Option<IpAddr>,
    ) -> IpAddr {
        let values: Vec<&str> = values.collect();
        let mut client = peer;
        for element in values.into_iter().rev().flat_map(|value| elements(value).into_iter().rev()) {
            // What cannot be read hides who was before: then it is the proxy that answers for it.
            let Some(address) = read(element) else { break };
            client = address;
            if !self.trust(address) {
                break;
            }
        }
        client
    }
}

/// Whether somebody on the way says that there is a client behind it.
pub(crate) fn passed_on(headers: &HeaderMap) -> bool {
    [header::X_FORWARDED_FOR, header::FORWARDED, header::VIA].iter().any(|name| headers.contains_key(name))
}

/// The elements of a list with commas, which count only outside of quotes.
fn elements(value: &str) -> Vec<&str> {
    split(value, ',')
}

fn split(text: &str, at: char) -> Vec<&str> {
    let (mut quoted, mut escaped) = (false, false);
    text.split(move |c: char| {
        if escaped {
            escaped = false;
            return false;
        }
        escaped = quoted && c == '\\';
        quoted ^= c == '"';
        c == at && !quoted
    })
    .map(str::trim)
    .collect()
}

/// The `for` of one element of `Forwarded`.
fn forwarded_for(element: &str) -> Option<IpAddr> {
    let pairs = split(element, ';').into_iter().filter_map(|pair| pair.split_once('='));
    let mut values = pairs.filter(|(name, _)| name.trim().eq_ignore_ascii_case("for")).map(|(_, value)| value.trim());
    let value = values.next()?;
    node(value.strip_prefix('"').and_then(|value| value.strip_suffix('"')).unwrap_or(value))
}

/// An address, with a port or without, in brackets or without.
fn node(text: &str) -> Option<IpAddr> {
    if let Ok(address) = text.parse::<IpAddr>() {
        return Some(address.to_canonical());
    }
    let (address, port) = match text.strip_prefix('[') {
        Some(rest) => rest.split_once(']').map(|(address, port)| (address, port.strip_prefix(':')))?,
        None => text.rsplit_once(':').map(|(address, port)| (address, Some(port)))?,
    };
    // RFC 7239 lets a proxy hide the port behind a name.
    let named =
        port.is_none_or(|port| !port.is_empty() && port.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_'));
    let address = address.parse::<IpAddr>().ok().filter(|_| named)?;
    Some(address.to_canonical())
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::HeaderValue;

    use super::*;

    fn client(header: ProxyHeader, peer: &str, sent: &[(&'static str, &'static str)]) -> String {
        let networks = ["10.0.0.0/8", "2001:db8:1::/48", "127.0.0.1/32"].map(|network| network.parse().unwrap());
        let mut headers = HeaderMap::new();
        for (name, value) in sent {
            headers.append(HeaderName::from_static(name), HeaderValue::from_static(value));
        }
        Proxies::new(networks.to_vec(), header).client(peer.parse().unwrap(), &headers).to_string()
    }

    #[test]
    fn the_list_is_read_from_the_right_up_to_the_first_that_is_not_ours() {
        const XFF: &str = "x-forwarded-for";
        for (peer, sent, expected) in [
            // Nobody but a proxy is believed.
            ("192.0.2.9", &[(XFF, "198.51.100.1")][..], "192.0.2.9"),
            ("10.0.0.1", &[], "10.0.0.1"),
            ("10.0.0.1", &[(XFF, "198.51.100.1")], "198.51.100.1"),
            ("::ffff:10.0.0.1", &[(XFF, "198.51.100.1")], "198.51.100.1"),
            // What the client wrote itself stands left of what the proxy added.
            ("10.0.0.1", &[(XFF, "203.0.113.7, 198.51.100.1")], "198.51.100.1"),
            ("10.0.0.1", &[(XFF, "203.0.113.7"), (XFF, "198.51.100.1")], "198.51.100.1"),
            ("10.0.0.1", &[(XFF, "10.9.9.9, 198.51.100.1")], "198.51.100.1"),
            // Through two of ours.
            ("10.0.0.1", &[(XFF, "198.51.100.1, 10.2.2.2")], "198.51.100.1"),
            ("10.0.0.1", &[(XFF, "203.0.113.7,198.51.100.1:4711,2001:db8:1::5")], "198.51.100.1"),
            ("10.0.0.1", &[(XFF, "2001:db8:2::7, [2001:db8:1::5]:80")], "2001:db8:2::7"),
            // Nobody but ours on the way: the leftmost asked.
            ("10.0.0.1", &[(XFF, "10.3.3.3, 10.2.2.2")], "10.3.3.3"),
            // Noise hides what is left of it.
            ("10.0.0.1", &[(XFF, "203.0.113.7, unknown")], "10.0.0.1"),
            ("10.0.0.1", &[(XFF, "203.0.113.7, , 10.2.2.2")], "10.2.2.2"),
            ("10.0.0.1", &[(XFF, "198.51.100.1:")], "10.0.0.1"),
            // The other header is the client's own.
            ("10.0.0.1", &[("forwarded", "for=203.0.113.7")], "10.0.0.1"),
        ] {
            assert_eq!(client(ProxyHeader::XForwardedFor, peer, sent), expected, "{peer} {sent:?}");
        }
    }

    #[test]
    fn forwarded_is_read_as_rfc_7239_says() {
        for (value, expected) in [
            ("for=198.51.100.1", "198.51.100.1"),
            ("For=\"198.51.100.1:4711\";proto=https;by=10.0.0.1", "198.51.100.1"),
            ("proto=https ; for=\"[2001:db8:2::7]:4711\"", "2001:db8:2::7"),
            ("for=\"[2001:db8:2::7]\"", "2001:db8:2::7"),
            ("for=203.0.113.7, for=198.51.100.1, for=10.2.2.2", "198.51.100.1"),
            ("for=203.0.113.7, for=\"198.51.100.1:_port\"", "198.51.100.1"),
            ("for=203.0.113.7, for=_hidden", "10.0.0.1"),
            ("for=203.0.113.7, for=unknown", "10.0.0.1"),
            ("for=203.0.113.7, proto=https", "10.0.0.1"),
            // A quoted text ends where its quotes end, whatever stands in it.
            ("host=\"a, for=203.0.113.7\", for=198.51.100.1", "198.51.100.1"),
            ("for=198.51.100.1;host=\"a\\\", for=203.0.113.7\"", "198.51.100.1"),
        ] {
            assert_eq!(client(ProxyHeader::Forwarded, "10.0.0.1", &[("forwarded", value)]), expected, "{value}");
        }
        let both = [("x-forwarded-for", "203.0.113.7"), ("forwarded", "for=198.51.100.1")];
        assert_eq!(client(ProxyHeader::Forwarded, "10.0.0.1", &both), "198.51.100.1");
        assert_eq!(client(ProxyHeader::ProxyProtocol, "10.0.0.1", &both), "10.0.0.1");
    }
}
