//! Proxies in front of the node, and the client addresses that they report.
//! Invariant: nobody but a trusted proxy is believed, and of what one passes on only what it wrote itself.

use std::net::{IpAddr, Ipv4Addr};

use actix_web::http::header::{self, HeaderMap, HeaderName, HeaderValue};
use engine_config::ProxyHeader;
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

    /// There are none.
    pub(crate) const fn none() -> Self {
        Self::new(Vec::new(), ProxyHeader::XForwardedFor)
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
        match self.header {
            ProxyHeader::XForwardedFor => {
                let elements = elements(headers, header::X_FORWARDED_FOR, |value| end(value, |_, byte| byte == b','));
                self.last_untrusted(peer, elements, node)
            }
            ProxyHeader::Forwarded => {
                self.last_untrusted(peer, elements(headers, header::FORWARDED, unquoted_end), forwarded_for)
            }
            // Its connection has told, and counts as that client's.
            ProxyHeader::ProxyProtocol => peer,
        }
    }

    fn last_untrusted<'a>(
        &self,
        peer: IpAddr,
        elements: impl Iterator<Item = &'a [u8]>,
        read: fn(&str) -> Option<IpAddr>,
    ) -> IpAddr {
        let mut client = peer;
        for element in elements {
            let Some(address) = str::from_utf8(element).ok().and_then(|text| read(text.trim())) else { return HIDDEN };
            client = address;
            if !self.trust(address) {
                break;
            }
        }
        client
    }
}

/// Who is counted where a trusted proxy does not name its client: all of those together, and none of them as
/// the proxy, which asks for itself too.
const HIDDEN: IpAddr = IpAddr::V4(Ipv4Addr::UNSPECIFIED);

/// Whether somebody on the way says that there is a client behind it.
pub(crate) fn passed_on(headers: &HeaderMap) -> bool {
    [header::X_FORWARDED_FOR, header::FORWARDED, header::VIA].iter().any(|name| headers.contains_key(name))
}

/// The elements of all lists under a name, the last first: what a proxy has added, before what it was sent.
fn elements(headers: &HeaderMap, name: HeaderName, end: fn(&[u8]) -> usize) -> impl Iterator<Item = &[u8]> {
    let values: Vec<&[u8]> = headers.get_all(name).map(HeaderValue::as_bytes).collect();
    values.into_iter().rev().flat_map(move |value| {
        let mut left = Some(value);
        std::iter::from_fn(move || {
            let value = left.take()?;
            let begin = end(value);
            left = begin.checked_sub(1).map(|comma| &value[..comma]);
            Some(&value[begin..])
        })
    })
}

/// Where the last element of a list begins: behind the last byte that parts two, or at the beginning.
fn end(value: &[u8], mut parts: impl FnMut(&[u8], u8) -> bool) -> usize {
    let comma = (0..value.len()).rev().find(|at| parts(&value[..*at], value[*at]));
    comma.map_or(0, |comma| comma + 1)
}

/// The same where commas count only outside of quotes. Read from the right, where a trusted proxy has
/// written: a quote that its client has left open stands further left.
fn unquoted_end(value: &[u8]) -> usize {
    let mut quoted = false;
    end(value, |before, byte| {
        let escapes = before.iter().rev().take_while(|byte| **byte == b'\\').count();
        quoted ^= byte == b'"' && escapes % 2 == 0;
        byte == b',' && !quoted
    })
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
    use super::*;

    fn client(header: ProxyHeader, peer: &str, sent: &[(&'static str, &str)]) -> String {
        let networks = ["10.0.0.0/8", "2001:db8:1::/48", "127.0.0.1/32"].map(|network| network.parse().unwrap());
        let mut headers = HeaderMap::new();
        for (name, value) in sent {
            headers.append(HeaderName::from_static(name), HeaderValue::from_bytes(value.as_bytes()).unwrap());
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
            // Noise hides what is left of it; those who hide are not the proxy.
            ("10.0.0.1", &[(XFF, "203.0.113.7, unknown")], "0.0.0.0"),
            ("10.0.0.1", &[(XFF, "203.0.113.7, , 10.2.2.2")], "0.0.0.0"),
            ("10.0.0.1", &[(XFF, "198.51.100.1:")], "0.0.0.0"),
            ("10.0.0.1", &[(XFF, "")], "0.0.0.0"),
            // Noise of the client's own does not hide what the proxy has added.
            ("10.0.0.1", &[(XFF, "\", 198.51.100.1")], "198.51.100.1"),
            ("10.0.0.1", &[(XFF, "\"\\, 198.51.100.1")], "198.51.100.1"),
            ("10.0.0.1", &[(XFF, "\""), (XFF, "198.51.100.1")], "198.51.100.1"),
            ("10.0.0.1", &[(XFF, ", 198.51.100.1")], "198.51.100.1"),
            ("10.0.0.1", &[(XFF, "\u{e9}, 198.51.100.1")], "198.51.100.1"),
            ("10.0.0.1", &[(XFF, "\u{e9}, 198.51.100.1, 10.2.2.2")], "198.51.100.1"),
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
            ("for=203.0.113.7, for=_hidden", "0.0.0.0"),
            ("for=203.0.113.7, for=unknown", "0.0.0.0"),
            ("for=203.0.113.7, proto=https", "0.0.0.0"),
            // A quoted text ends where its quotes end, whatever stands in it.
            ("host=\"a, for=203.0.113.7\", for=198.51.100.1", "198.51.100.1"),
            ("for=198.51.100.1;host=\"a\\\", for=203.0.113.7\"", "198.51.100.1"),
            ("for=198.51.100.1;host=\"a\\\\\", for=10.2.2.2", "198.51.100.1"),
            // One that the client has left open is the client's alone.
            ("for=\", for=198.51.100.1", "198.51.100.1"),
            ("for=\"\\, for=\"198.51.100.1:4711\"", "198.51.100.1"),
            ("\u{e9}\", for=198.51.100.1, for=10.2.2.2", "198.51.100.1"),
        ] {
            assert_eq!(client(ProxyHeader::Forwarded, "10.0.0.1", &[("forwarded", value)]), expected, "{value}");
        }
        let both = [("x-forwarded-for", "203.0.113.7"), ("forwarded", "for=198.51.100.1")];
        assert_eq!(client(ProxyHeader::Forwarded, "10.0.0.1", &both), "198.51.100.1");
        assert_eq!(client(ProxyHeader::ProxyProtocol, "10.0.0.1", &both), "10.0.0.1");
    }
}
