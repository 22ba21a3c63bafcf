//! One node of a cluster: its settings, its process, and what its log says of the others.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};
use std::{env, fs};

use anyhow::{Context, bail, ensure};
use rustix::process::Signal;
use rustls::ClientConfig;

use super::super::authority::Authority;
use super::super::leash::{Leashed, last_words, said_bytes, said_since};
use super::super::{cql, look_until};
use super::{Paxos, Setup};

/// Names the `java` of a JDK 17, where that is not the usual one.
const JAVA: &str = "TERTULIA_TEST_JAVA";

const TEMPLATE: &str = include_str!("../../../cassandra/cassandra.yaml");

/// When a write is on the disk: before it is acknowledged, or some time after it.
const DURABLE: &str = "commitlog_sync: batch";
const FAST: &str = "commitlog_sync: periodic\ncommitlog_sync_period: 10000ms";

/// Cassandra's own tests start it with these: its system tables need not survive.
const FORGETFUL: [&str; 3] = [
    "-Dcassandra.unsafesystem=true",
    "-Dcassandra.skip_sync=true",
    "-Dcassandra.test.flush_local_schema_changes=false",
];

/// A heap that is enough for tests, in MiB: of one node alone, and of one of three.
const HEAP_ALONE: u32 = 2_048;
const HEAP_OF_THREE: u32 = 512;

/// Files of a node that speaks TLS: its key and its certificate, and that of the authority that it trusts (PEM).
const SHOWN: &str = "shown.pem";
const TRUSTED: &str = "trusted.pem";

/// How long a node that joins others waits for what they tell it.
const RING_DELAY_MS: u32 = 5000;

/// So much further on is the address of whoever stands before a node.
const ELSEWHERE: u32 = 100;

/// A node that starts does not answer at once, and is asked again.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);

/// Longest orderly end: everything is written out first.
const STOP_TIMEOUT: Duration = Duration::from_secs(60);

/// A node, running or not.
#[derive(Debug)]
pub(super) struct Node {
    address: IpAddr,
    told: IpAddr,
    storage_port: u16,
    native_port: u16,
    folder: PathBuf,
    command: Command,
    asks_password: bool,
    /// How it is spoken to by TLS; none is not at all.
    tls: Option<Arc<ClientConfig>>,
    /// None before it was started, and after it was killed or stopped.
    server: Option<Leashed>,
    /// How long its log was when it was started last: what it said earlier is past.
    life_start: u64,
    /// The same for neighbours that were started again since.
    forgotten: Vec<(IpAddr, u64)>,
    is_paused: bool,
}

impl Node {
    /// Writes its settings into its folder.
    pub(super) fn new(
        setup: Setup,
        address: IpAddr,
        [storage_port, native_port]: [u16; 2],
        seed: SocketAddr,
        token: i64,
        folder: PathBuf,
        jars: &Path,
    ) -> anyhow::Result<Self> {
        let settings = settings(setup, address, [storage_port, native_port], seed, token, &folder)?;
        // The native libraries that are unpacked lie there too: the system's folder may not let them run.
        fs::create_dir_all(folder.join("tmp"))?;
        fs::write(folder.join("cassandra.yaml"), settings)?;
        let command = command(setup, &folder, jars);
        Ok(Self {
            address,
            told: told(setup, address),
            storage_port,
            native_port,
            folder,
            command,
            asks_password: setup.passwords,
            tls: None,
            server: None,
            life_start: 0,
            forgotten: Vec::new(),
            is_paused: false,
        })
    }

    /// Gives it what its settings name where they turn TLS on.
    pub(super) fn speak_tls(&mut self, authority: &Authority, client: Arc<ClientConfig>) -> anyhow::Result<()> {
        let shown = authority.vouch(&[self.address.to_string(), self.told.to_string()])?;
        fs::write(self.folder.join(SHOWN), format!("{}{}", shown.key, shown.certificate))?;
        fs::write(self.folder.join(TRUSTED), authority.pem())?;
        self.tls = Some(client);
        Ok(())
    }

    pub(super) fn address(&self) -> IpAddr {
        self.address
    }

    pub(super) fn contact_point(&self) -> SocketAddr {
        SocketAddr::new(self.address, self.native_port)
    }

    /// Where clients are told that it is.
    pub(super) fn told_point(&self) -> SocketAddr {
        SocketAddr::new(self.told, self.native_port)
    }

    /// Whether it was started and nobody has ended or paused it since.
    pub(super) fn runs(&self) -> bool {
        self.server.is_some() && !self.is_paused
    }

    pub(super) fn start(&mut self) -> anyhow::Result<()> {
        ensure!(self.server.is_none(), "the node {} runs already", self.address);
        self.life_start = said_bytes(&self.folder);
        self.forgotten.clear();
        self.is_paused = false;
        self.server = Some(Leashed::start(&self.command, &self.folder)?);
        Ok(())
    }

    pub(super) fn kill(&mut self) -> anyhow::Result<()> {
        self.taken()?.kill()
    }

    pub(super) fn stop(&mut self) -> anyhow::Result<()> {
        // One that is held would hear of it later.
        if self.is_paused {
            self.resume()?;
        }
        self.taken()?.stop(STOP_TIMEOUT)?;
        Ok(())
    }

    pub(super) fn pause(&mut self) -> anyhow::Result<()> {
        self.signal(Signal::STOP)?;
        self.is_paused = true;
        Ok(())
    }

    pub(super) fn resume(&mut self) -> anyhow::Result<()> {
        self.signal(Signal::CONT)?;
        self.is_paused = false;
        Ok(())
    }

    /// Fails when it has ended though nobody asked it to.
    pub(super) fn stands(&mut self) -> anyhow::Result<()> {
        match self.fallen()? {
            Some(complaint) => bail!(complaint),
            None => Ok(()),
        }
    }

    /// What it said last, if it has ended though nobody asked it to.
    pub(super) fn fallen(&mut self) -> anyhow::Result<Option<String>> {
        let Some(server) = &mut self.server else { return Ok(None) };
        let Some(status) = server.over()? else { return Ok(None) };
        Ok(Some(self.complaint(&format!("has ended ({status})"))))
    }

    pub(super) fn wait_until_it_answers(&mut self, within: Duration) -> anyhow::Result<()> {
        let answered = look_until(Instant::now() + within, || {
            self.stands()?;
            Ok(cql::answers(self.contact_point(), self.tls.as_ref(), self.asks_password, ANSWER_TIMEOUT).ok())
        })?;
        answered.with_context(|| self.complaint("does not answer"))
    }

    /// Whether it has found this neighbour up, by its own last word on it.
    pub(super) fn sees(&self, neighbour: IpAddr) -> bool {
        let since = self.forgotten.iter().rfind(|(address, _)| *address == neighbour).map_or(0, |(_, since)| *since);
        let said = said_since(&self.folder, since.max(self.life_start));
        is_up(&said, SocketAddr::new(neighbour, self.storage_port))
    }

    /// What it has said of this neighbour so far no longer counts.
    pub(super) fn forget(&mut self, neighbour: IpAddr) {
        self.forgotten.push((neighbour, said_bytes(&self.folder)));
    }

    /// A sentence about it, with its last words.
    pub(super) fn complaint(&self, what: &str) -> String {
        format!("the node {} {what}; its last words:\n{}", self.contact_point(), last_words(&self.folder))
    }

    fn signal(&mut self, signal: Signal) -> anyhow::Result<()> {
        let address = self.address;
        let server = self.server.as_mut().with_context(|| format!("the node {address} does not run"))?;
        server.signal(signal)
    }

    fn taken(&mut self) -> anyhow::Result<Leashed> {
        self.is_paused = false;
        self.server.take().with_context(|| format!("the node {} does not run", self.address))
    }
}

/// Where clients are told that a node is.
pub(super) fn told(setup: Setup, address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(own) if setup.elsewhere => Ipv4Addr::from_bits(own.to_bits() + ELSEWHERE).into(),
        own => own,
    }
}

/// The template with this node's part in it.
fn settings(
    setup: Setup,
    address: IpAddr,
    [storage_port, native_port]: [u16; 2],
    seed: SocketAddr,
    token: i64,
    folder: &Path,
) -> anyhow::Result<String> {
    let paxos = match setup.paxos {
        Paxos::V1 => "v1",
        Paxos::V2 => "v2",
    };
    let parts = [
        ("{address}", address.to_string()),
        ("{told}", told(setup, address).to_string()),
        ("{storage_port}", storage_port.to_string()),
        ("{native_port}", native_port.to_string()),
        ("{seed}", seed.to_string()),
        ("{token}", token.to_string()),
        ("{paxos}", paxos.to_owned()),
        ("{authenticator}", if setup.passwords { "PasswordAuthenticator" } else { "AllowAllAuthenticator" }.to_owned()),
        ("{authorizer}", if setup.passwords { "CassandraAuthorizer" } else { "AllowAllAuthorizer" }.to_owned()),
        ("{tls}", if setup.tls { tls(folder) } else { "enabled: false".to_owned() }),
        ("{commit_log}", if setup.durable { DURABLE } else { FAST }.to_owned()),
    ];
    let mut settings = TEMPLATE.to_owned();
    for (place, part) in parts {
        ensure!(settings.contains(place), "cassandra.yaml has no place for {place}");
        settings = settings.replace(place, &part);
    }
    Ok(settings)
}

/// TLS with whoever shows a certificate, and with nobody else. PEM is what everybody writes certificates in.
fn tls(folder: &Path) -> String {
    let [shown, trusted] = [SHOWN, TRUSTED].map(|file| folder.join(file).display().to_string());
    format!(
        "enabled: true, optional: false, require_client_auth: true, keystore: \"{shown}\", truststore: \"{trusted}\", \
         ssl_context_factory: {{class_name: org.apache.cassandra.security.PEMBasedSslContextFactory}}"
    )
}

fn command(setup: Setup, folder: &Path, jars: &Path) -> Command {
    let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("cassandra");
    let heap = if setup.nodes == 1 { HEAP_ALONE } else { HEAP_OF_THREE };
    let mut command = Command::new(env::var_os(JAVA).unwrap_or_else(|| "java".into()));
    command
        .arg(format!("@{}", shipped.join("jvm.args").display()))
        .args(["-Xms512m".to_owned(), format!("-Xmx{heap}m")])
        .arg(format!("-Dcassandra.config=file://{}", folder.join("cassandra.yaml").display()))
        .arg(format!("-Dcassandra.storagedir={}", folder.display()))
        .arg(format!("-Dcassandra.logdir={}", folder.display()))
        .arg(format!("-Djava.io.tmpdir={}", folder.join("tmp").display()))
        .arg(format!("-Dlogback.configurationFile=file://{}", shipped.join("logback.xml").display()))
        .arg(format!("-Dcassandra.ring_delay_ms={}", if setup.nodes == 1 { 0 } else { RING_DELAY_MS }));
    if setup.passwords {
        command.arg("-Dcassandra.superuser_setup_delay_ms=0");
    }
    if !setup.durable {
        command.args(FORGETFUL);
    }
    command.arg("-cp").arg(jars.join("*")).arg("org.apache.cassandra.service.CassandraDaemon");
    command
}

/// Whether the last word on a neighbour in what a node said is that it is up.
fn is_up(said: &str, neighbour: SocketAddr) -> bool {
    let (up, down) = (format!("/{neighbour} is now UP"), format!("/{neighbour} is now DOWN"));
    let last = said.lines().rfind(|line| line.contains(&up) || line.contains(&down));
    last.is_some_and(|line| line.contains(&up))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_place_of_the_settings_is_filled() {
        let address = Ipv4Addr::new(127, 9, 9, 2).into();
        let seed = "127.9.9.1:7".parse().unwrap();
        for (durable, expected) in [(true, DURABLE), (false, FAST)] {
            let setup =
                Setup { nodes: 3, paxos: Paxos::V1, durable, passwords: durable, tls: durable, elsewhere: durable };
            let settings = settings(setup, address, [7, 9], seed, -5, Path::new("/here")).unwrap();
            let lines = [
                "listen_address: 127.9.9.2",
                "rpc_address: 127.9.9.2",
                "storage_port: 7",
                "native_transport_port: 9",
                "initial_token: -5",
                "paxos_variant: v1",
            ];
            for line in lines {
                assert!(settings.lines().any(|found| found == line), "{line} is not in\n{settings}");
            }
            assert!(settings.contains("seeds: \"127.9.9.1:7\"") && settings.contains(expected), "{settings}");
            assert_eq!(settings.contains("periodic"), !durable);
            assert_eq!(settings.contains("broadcast_rpc_address: 127.9.9.102"), durable);
            assert_eq!(settings.contains("truststore: \"/here/trusted.pem\""), durable);
            assert_eq!(settings.contains("client_encryption_options: {enabled: false}"), !durable);
            assert_eq!(settings.contains("authenticator: PasswordAuthenticator"), durable);
            assert_eq!(settings.contains("authorizer: CassandraAuthorizer"), durable);
        }
    }

    #[test]
    fn the_last_word_on_a_neighbour_counts() {
        let neighbour = "127.1.1.2:7000".parse().unwrap();
        let up = "INFO  12:00 Gossiper - InetAddress /127.1.1.2:7000 is now UP\n";
        let down = "INFO  12:01 Gossiper - InetAddress /127.1.1.2:7000 is now DOWN\n";
        let other = "INFO  12:02 Gossiper - InetAddress /127.1.1.22:7000 is now UP\n";
        let rows: &[(&[&str], bool)] = &[
            (&[], false),
            (&[up], true),
            (&[up, down], false),
            (&[down, up], true),
            (&[other], false),
            (&[up, other], true),
            (&[up, down, other], false),
        ];
        for (said, expected) in rows {
            assert_eq!(is_up(&said.concat(), neighbour), *expected, "{said:?}");
        }
    }
}
