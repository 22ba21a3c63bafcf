//! Addresses and ports that no other server of this machine has.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, TcpListener};

use anyhow::{Context, bail};

/// How often another place is tried. The first is free nearly always.
const TRIES_MAX: usize = 20;

/// Neighbouring loopback addresses, and ports that are free on each of them.
#[derive(Debug)]
pub(super) struct Place<const PORTS: usize> {
    pub(super) addresses: Vec<IpAddr>,
    pub(super) ports: [u16; PORTS],
}

impl<const PORTS: usize> Place<PORTS> {
    /// Finds one. Nobody else's sockets are on loopback addresses picked at random, so that its ports are still free
    /// when they are taken, and when a server comes back to them.
    pub(super) fn find(addresses: u8) -> anyhow::Result<Self> {
        Self::find_beside(&[], addresses)
    }

    /// Finds one whose ports are free at `localhost`, too: who wants a name has no other that every machine knows.
    pub(super) fn find_named(addresses: u8) -> anyhow::Result<Self> {
        let named: [IpAddr; 2] = [Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()];
        // Some machines have no IPv6.
        let named: Vec<_> = named.into_iter().filter(|address| TcpListener::bind((*address, 0)).is_ok()).collect();
        Self::find_beside(&named, addresses)
    }

    fn find_beside(named: &[IpAddr], addresses: u8) -> anyhow::Result<Self> {
        let mut refused = None;
        for _ in 0..TRIES_MAX {
            let [a, b] = rand::random::<[u8; 2]>();
            let addresses: Vec<_> = (1..=addresses).map(|c| Ipv4Addr::new(127, 1 + a % 254, b, c).into()).collect();
            match free(&[&addresses, named].concat()) {
                Ok(ports) => return Ok(Self { addresses, ports }),
                Err(error) => refused = Some(error),
            }
        }
        match refused {
            Some(error) => Err(error).context("no loopback address can be listened on"),
            None => bail!("no place was tried"),
        }
    }
}

/// Ports that are free on all of these addresses.
fn free<const PORTS: usize>(addresses: &[IpAddr]) -> std::io::Result<[u16; PORTS]> {
    let mut ports = [0; PORTS];
    // Held until all are found, so that no port is found twice.
    let mut held = Vec::new();
    for port in &mut ports {
        for address in addresses {
            let listener = TcpListener::bind((*address, *port))?;
            *port = listener.local_addr()?.port();
            held.push(listener);
        }
    }
    Ok(ports)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_free_on_all_its_addresses() {
        let place = Place::<2>::find(3).unwrap();
        assert_eq!(place.addresses.len(), 3);
        assert_ne!(place.ports[0], place.ports[1]);
        let taken: Result<Vec<_>, _> = place
            .addresses
            .iter()
            .flat_map(|address| place.ports.map(|port| TcpListener::bind((*address, port))))
            .collect();
        assert_eq!(taken.unwrap().len(), 6);
    }

    #[test]
    fn a_place_with_a_name_is_free_there_too() {
        let place = Place::<1>::find_named(1).unwrap();
        for address in [place.addresses[0], Ipv4Addr::LOCALHOST.into()] {
            TcpListener::bind((address, place.ports[0])).unwrap();
        }
    }

    #[test]
    fn a_port_that_one_address_has_taken_is_no_place() {
        let first: IpAddr = Ipv4Addr::new(127, 0, 0, 1).into();
        // The second bind of the same address fails: the two cannot be one place.
        assert!(free::<1>(&[first, first]).is_err());
    }
}
