//! The addresses at which a site may be: public ones and, if the operator allows them, private ones.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Whether a page may be fetched from here. `private` also allows this machine and its networks,
/// yet never the addresses at which clouds tell machines their secrets.
pub(super) fn is_allowed(address: IpAddr, private: bool) -> bool {
    let address = plain(address);
    passes(address, private) && behind(address).is_none_or(|inner| passes(inner.into(), private))
}

fn passes(address: IpAddr, private: bool) -> bool {
    if tells_secrets(address) {
        return false;
    }
    match address {
        IpAddr::V4(address) => is_global_v4(address) || (private && is_private_v4(address)),
        IpAddr::V6(address) => is_global_v6(address) || (private && is_private_v6(address)),
    }
}

/// Where clouds tell machines their secrets, and whatever is on the same link as those. Some of it is in
/// networks that an operator may well have allowed, some of it looks public.
fn tells_secrets(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => {
            address.is_link_local()
                || matches!(
                    address.octets(),
                    // Azure, Alibaba, the older Oracle.
                    [168, 63, 129, 16] | [100, 100, 100, 200] | [192, 0, 0, 192]
                )
        }
        IpAddr::V6(address) => {
            address.is_unicast_link_local()
                || match address.segments() {
                    // Amazon's services to its machines, Google's, Oracle's, Scaleway's.
                    [0xfd00, 0xec2, ..] | [0xfd20, 0xce, ..] | [0xfd00, 0xc1, ..] | [0xfd00, 0x42, ..] => true,
                    // An inner network that translates to outer addresses says itself where in its own they
                    // stand: nobody knows where this leads.
                    [0x64, 0xff9b, 1, ..] => true,
                    _ => false,
                }
        }
    }
}

/// The IPv4 address that an IPv6 address leads to: mapped, compatible, translated, tunnelled.
fn plain(address: IpAddr) -> IpAddr {
    let IpAddr::V6(v6) = address else { return address };
    let parts = v6.segments();
    let v4 = |high: u16, low: u16| Ipv4Addr::from((u32::from(high) << 16) | u32::from(low));
    match parts {
        [0, 0, 0, 0, 0, 0xffff, high, low] => v4(high, low).into(),
        [0, 0, 0, 0, 0xffff, 0, high, low] => v4(high, low).into(),
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] => v4(high, low).into(),
        [0x2002, high, low, ..] => v4(high, low).into(),
        [0x2001, 0, _, _, _, _, high, low] => v4(!high, !low).into(),
        // `::1` and `::` are addresses of their own.
        [0, 0, 0, 0, 0, 0, high, low] if high != 0 => v4(high, low).into(),
        _ => address,
    }
}

/// The IPv4 address behind one whose ending alone says so (ISATAP), in whatever network: that network has to be
/// allowed as well.
fn behind(address: IpAddr) -> Option<Ipv4Addr> {
    let IpAddr::V6(v6) = address else { return None };
    match v6.segments() {
        [_, _, _, _, 0 | 0x200, 0x5efe, high, low] => Some(Ipv4Addr::from((u32::from(high) << 16) | u32::from(low))),
        _ => None,
    }
}

fn is_global_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    let reserved = match a {
        0 | 10 | 127 | 224..=255 => true,
        100 => (64..128).contains(&b),
        169 => b == 254,
        172 => (16..32).contains(&b),
        192 => b == 168 || (b == 0 && (c == 0 || c == 2)) || (b == 88 && c == 99),
        198 => (18..20).contains(&b) || (b == 51 && c == 100),
        203 => b == 0 && c == 113,
        _ => false,
    };
    !reserved
}

fn is_private_v4(address: Ipv4Addr) -> bool {
    let [a, b, ..] = address.octets();
    address.is_loopback() || address.is_private() || (a == 100 && (64..128).contains(&b))
}

fn is_global_v6(address: Ipv6Addr) -> bool {
    let parts = address.segments();
    // Only 2000::/3 is given out, and in it some is for examples, tests and tunnels.
    parts[0] & 0xe000 == 0x2000
        && !(parts[0] == 0x2001 && (parts[1] < 0x200 || parts[1] == 0xdb8))
        && parts[0] != 0x2002
        && !(parts[0] == 0x3fff && parts[1] < 0x1000)
}

fn is_private_v6(address: Ipv6Addr) -> bool {
    address.is_loopback() || address.is_unique_local()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_public_addresses_are_allowed_unless_private_ones_are_asked_for() {
        for (address, public, private) in [
            ("93.184.216.34", true, true),
            ("2606:2800:220:1::1", true, true),
            ("127.0.0.1", false, true),
            ("127.9.9.9", false, true),
            ("10.0.0.1", false, true),
            ("172.16.0.1", false, true),
            ("172.32.0.1", true, true),
            ("192.168.1.1", false, true),
            ("100.64.0.1", false, true),
            ("100.128.0.1", true, true),
            ("169.254.169.254", false, false),
            ("0.0.0.0", false, false),
            ("0.1.2.3", false, false),
            ("255.255.255.255", false, false),
            ("224.0.0.1", false, false),
            ("240.0.0.1", false, false),
            ("192.0.2.1", false, false),
            ("198.18.0.1", false, false),
            ("198.51.100.7", false, false),
            ("203.0.113.9", false, false),
            ("::1", false, true),
            ("::", false, false),
            ("::ffff:127.0.0.1", false, true),
            ("::ffff:169.254.169.254", false, false),
            ("::ffff:93.184.216.34", true, true),
            ("::127.0.0.1", false, true),
            ("64:ff9b::7f00:1", false, true),
            ("64:ff9b::a9fe:a9fe", false, false),
            ("64:ff9b:1::a9fe:a9fe", false, false),
            ("2002:a9fe:a9fe::1", false, false),
            ("2002:7f00:1::", false, true),
            ("2001:0:1:2:3:4:80ff:fffe", false, true),
            ("fe80::1", false, false),
            ("fc00::1", false, true),
            ("fd12:3456::1", false, true),
            ("ff02::1", false, false),
            ("fec0::1", false, false),
            ("2001:db8::1", false, false),
            ("100::1", false, false),
            // Clouds' own, in every spelling.
            ("168.63.129.16", false, false),
            ("168.63.129.17", true, true),
            ("100.100.100.200", false, false),
            ("100.100.100.201", false, true),
            ("192.0.0.192", false, false),
            ("169.254.170.2", false, false),
            ("169.254.0.23", false, false),
            ("::ffff:168.63.129.16", false, false),
            ("::168.63.129.16", false, false),
            ("64:ff9b::a83f:8110", false, false),
            ("64:ff9b::6464:64c8", false, false),
            ("64:ff9b:1:a83f:81:1000::", false, false),
            ("2002:a83f:8110::1", false, false),
            ("2002:6464:64c8::1", false, false),
            ("2001:0:1:2:3:4:57c0:7eef", false, false),
            ("2001:4860:1:2:0:5efe:a83f:8110", false, false),
            ("2001:4860:1:2:200:5efe:a9fe:a9fe", false, false),
            ("fd00:1:1:2:0:5efe:a9fe:a9fe", false, false),
            // What looks public at the end of a private one.
            ("fd00:1:1:2:0:5efe:5db8:d822", false, true),
            ("fe80::5efe:5db8:d822", false, false),
            ("2001:4860:1:2:0:5efe:5db8:d822", true, true),
            ("2001:4860:1:2:0:5efe:a00:1", false, true),
            ("fd00:ec2::254", false, false),
            ("fd00:ec2::23", false, false),
            ("fd20:ce::254", false, false),
            ("fd00:c1::a9fe:a9fe", false, false),
            ("fd00:42::42", false, false),
            ("fe80::a9fe:a9fe", false, false),
        ] {
            let parsed: IpAddr = address.parse().unwrap();
            assert_eq!((is_allowed(parsed, false), is_allowed(parsed, true)), (public, private), "{address}");
        }
    }
}
