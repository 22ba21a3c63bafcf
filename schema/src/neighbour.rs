//! The unit in which strangers on the network are counted.

use std::net::IpAddr;

/// An address of IPv4, or a whole /64 of IPv6: one household or office often has all of it. It can be
/// made in this way only, so that no counter can count single addresses by mistake.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Neighbour(IpAddr);

impl From<IpAddr> for Neighbour {
    fn from(address: IpAddr) -> Self {
        Self(match address.to_canonical() {
            IpAddr::V6(v6) => IpAddr::V6((v6.to_bits() & (!0 << 64)).into()),
            v4 => v4,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_of_ipv6_is_one() {
        for (address, counts_as) in
            [("192.0.2.1", "192.0.2.1"), ("::ffff:192.0.2.1", "192.0.2.1"), ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::")]
        {
            let [address, counts_as] = [address, counts_as].map(|text| text.parse::<IpAddr>().unwrap());
            assert_eq!(Neighbour::from(address).0, counts_as);
        }
    }
}
