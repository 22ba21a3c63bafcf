//! Who has begun a connection on this machine: the node in whose folder its process stands.

use std::fs;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

/// The folders of the nodes, by their numbers.
#[derive(Debug)]
pub(super) struct Who(pub(super) Vec<PathBuf>);

impl Who {
    /// The node that dials `at` from `dialler`; none where it is nobody of them. Blocks for a moment.
    pub(super) fn dials(&self, dialler: SocketAddr, at: SocketAddr) -> Option<usize> {
        let socket = format!("socket:[{}]", socket_between(&fs::read_to_string("/proc/net/tcp").ok()?, dialler, at)?);
        for process in fs::read_dir("/proc").ok()?.flatten() {
            let folder = fs::read_link(process.path().join("cwd")).ok();
            let Some(node) = folder.and_then(|folder| self.0.iter().position(|own| *own == folder)) else { continue };
            let Ok(open) = fs::read_dir(process.path().join("fd")) else { continue };
            if open.flatten().any(|file| fs::read_link(file.path()).is_ok_and(|link| link.as_os_str() == &*socket)) {
                return Some(node);
            }
        }
        None
    }
}

/// The number of a socket in the kernel's table, by its two ends.
fn socket_between(table: &str, here: SocketAddr, there: SocketAddr) -> Option<u64> {
    let (here, there) = (as_kernel_writes(here)?, as_kernel_writes(there)?);
    table.lines().find_map(|line| {
        let mut words = line.split_ascii_whitespace().skip(1);
        let is_it = words.next()? == here && words.next()? == there;
        is_it.then(|| words.nth(6)?.parse().ok())?
    })
}

fn as_kernel_writes(address: SocketAddr) -> Option<String> {
    let IpAddr::V4(ip) = address.ip() else { return None };
    Some(format!("{:08X}:{:04X}", u32::from_ne_bytes(ip.octets()), address.port()))
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, TcpStream};

    use super::*;

    #[test]
    fn who_dials_is_known_by_its_folder() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let at = listener.local_addr().unwrap();
        let dialled = TcpStream::connect(at).unwrap();
        let (_taken, dialler) = listener.accept().unwrap();
        assert_eq!(dialler, dialled.local_addr().unwrap());
        let here = std::env::current_dir().unwrap();
        for (folders, expected) in [
            (vec![PathBuf::from("/nowhere"), here.clone()], Some(1)),
            (vec![here], Some(0)),
            (vec![PathBuf::from("/nowhere")], None),
            (vec![], None),
        ] {
            assert_eq!(Who(folders).dials(dialler, at), expected);
        }
        let nobody = SocketAddr::new(dialler.ip(), 1);
        assert_eq!(Who(vec![std::env::current_dir().unwrap()]).dials(nobody, at), None);
    }
}
