//! A program of an operator's, run with files of this repository: the load balancer, Prometheus.
//! Invariant: as for the other servers: it is gone with the test, and has a loopback address of its own.

use std::fs;
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use tempfile::TempDir;

use super::leash::{Leashed, last_words};
use super::place::Place;
use super::{look_until, scratch};

const START_TIMEOUT: Duration = Duration::from_secs(30);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);

/// Addresses that are free: one of the loopback network that nobody else is on, and so many ports of it.
///
/// # Errors
/// When there are none.
pub fn addresses<const COUNT: usize>() -> anyhow::Result<[SocketAddr; COUNT]> {
    let place = Place::<COUNT>::find(1)?;
    let ip = *place.addresses.first().context("a place has an address")?;
    Ok(place.ports.map(|port| SocketAddr::new(ip, port)))
}

/// A running program, gone when this is dropped or the process is.
#[derive(Debug)]
pub struct Program {
    // The first to go: its folder is below the other one.
    _server: Leashed,
    _root: TempDir,
}

impl Program {
    /// Starts one in a folder with one file of its own, and waits until something listens at `address`. `arguments`
    /// are told the file. Blocks.
    ///
    /// # Errors
    /// When it is not installed, or does not get ready; its last words are in the error.
    pub fn start(
        name: &str,
        file: (&str, &str),
        arguments: impl FnOnce(&Path) -> Vec<String>,
        address: SocketAddr,
    ) -> anyhow::Result<Self> {
        let root = scratch(name)?;
        let folder = root.path().join("server");
        fs::create_dir(&folder)?;
        let path = folder.join(file.0);
        fs::write(&path, file.1)?;
        // Debian has some of them where only root looks.
        let installed = Path::new("/usr/sbin").join(name);
        let mut command = Command::new(if installed.is_file() { installed.as_os_str() } else { name.as_ref() });
        command.args(arguments(&path));
        let mut server = Leashed::start(&command, &folder)?;
        let listens = look_until(Instant::now() + START_TIMEOUT, || {
            if let Some(status) = server.over()? {
                bail!("{name} has ended ({status}); its last words:\n{}", last_words(&folder));
            }
            Ok(TcpStream::connect_timeout(&address, CONNECT_TIMEOUT).ok())
        })?;
        listens.with_context(|| format!("{name} does not listen; its last words:\n{}", last_words(&folder)))?;
        Ok(Self { _server: server, _root: root })
    }
}
