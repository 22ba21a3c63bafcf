//! Real Cassandra: one node or three, of the jars that `tests/install-tools` fetches.
//! Invariant: a cluster that was started answers CQL on every node, and every node sees the others.

mod node;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};
use std::{env, fs};

use anyhow::{Context, bail, ensure};
use tempfile::TempDir;

use super::authority::Authority;
use super::place::Place;
use super::{look_until, scratch, target};
use node::Node;

/// Names the folder with Cassandra's jars.
const JARS: &str = "TERTULIA_TEST_CASSANDRA";

/// Names a Scylla or Cassandra that runs already, as `HOST:PORT`.
const RUNNING: &str = "TERTULIA_TEST_SCYLLA";

/// Longest start of a node, and longest wait until all see each other. An idle machine takes a tenth of it.
const START_TIMEOUT: Duration = Duration::from_secs(120);

/// Where three nodes stand on the ring: it is shared out evenly.
const TOKENS: [i64; 3] = [i64::MIN, -3_074_457_345_618_258_603, 3_074_457_345_618_258_602];

/// How conditional writes agree: the newer way takes fewer rounds.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Paxos {
    /// The one that clusters from before 4.1 have.
    V1,
    /// The one that a new cluster should have.
    V2,
}

/// A cluster to be started.
#[derive(Clone, Copy, Debug)]
pub struct Setup {
    nodes: u8,
    paxos: Paxos,
    durable: bool,
    passwords: bool,
    tls: bool,
    elsewhere: bool,
}

impl Setup {
    /// How conditional writes agree; the second version, unless this says otherwise.
    #[must_use]
    pub fn paxos(self, paxos: Paxos) -> Self {
        Self { paxos, ..self }
    }

    /// Every acknowledged write is on the disk first, so that a node may be killed and restarted. Without this a
    /// cluster starts and writes faster, and forgets.
    #[must_use]
    pub fn durable(self) -> Self {
        Self { durable: true, ..self }
    }

    /// It asks for a name and a password, and lets nobody do what was not granted. The first name is `cassandra`, with
    /// itself for a password, and is made a moment after the start.
    #[must_use]
    pub fn passwords(self) -> Self {
        Self { passwords: true, ..self }
    }

    /// It speaks TLS alone, and only with whoever shows a certificate of its [authority](Cassandra::authority). Each of
    /// its nodes has one for its own address.
    #[must_use]
    pub fn tls(self) -> Self {
        Self { tls: true, ..self }
    }

    /// Its nodes tell clients that they are elsewhere, at [`Cassandra::told_points`]: there stands somebody who passes
    /// on what clients say, or does not.
    #[must_use]
    pub fn elsewhere(self) -> Self {
        Self { elsewhere: true, ..self }
    }

    /// Starts it and waits until it is ready: about ten seconds for one node, thirty for three. Blocks.
    ///
    /// # Errors
    /// When it is not installed, or does not get ready; its last words are in the error.
    pub fn start(self) -> anyhow::Result<Cassandra> {
        let jars = installed()?;
        let root = scratch("cassandra")?;
        let place = Place::find(self.nodes)?;
        let authority = self.tls.then(|| Authority::new("the authority of a cluster")).transpose()?;
        let client = authority.as_ref().map(Authority::client).transpose()?;
        let mut nodes = Vec::new();
        for (index, address) in place.addresses.iter().enumerate() {
            let folder = root.path().join(format!("node{}", index + 1));
            let token = *TOKENS.get(index).context("a node without a place on the ring")?;
            let seed = SocketAddr::new(place.addresses[0], place.ports[0]);
            let mut node = Node::new(self, *address, place.ports, seed, token, folder, &jars)?;
            if let (Some(authority), Some(client)) = (&authority, &client) {
                node.speak_tls(authority, Arc::clone(client))?;
            }
            nodes.push(node);
        }
        let mut cluster = Cassandra { setup: self, authority, nodes, _root: root };
        // One by one: a node asks an older one who else is there before it serves.
        for node in &mut cluster.nodes {
            node.start()?;
            node.wait_until_it_answers(START_TIMEOUT)?;
        }
        cluster.wait_until_all_see_each_other()?;
        Ok(cluster)
    }
}

/// A running cluster, gone when this is dropped or the process is.
#[derive(Debug)]
pub struct Cassandra {
    setup: Setup,
    authority: Option<Authority>,
    nodes: Vec<Node>,
    /// Outlives the nodes, which keep their data in it.
    _root: TempDir,
}

impl Cassandra {
    /// One node.
    #[must_use]
    pub const fn one() -> Setup {
        Setup { nodes: 1, paxos: Paxos::V2, durable: false, passwords: false, tls: false, elsewhere: false }
    }

    /// Three nodes, each with a third of the ring.
    #[must_use]
    pub const fn three() -> Setup {
        Setup { nodes: 3, ..Self::one() }
    }

    /// The contact point (`HOST:PORT`) of the one node that all tests of this process share, each with keyspaces of
    /// its own; it is started at the first call. Where `TERTULIA_TEST_SCYLLA` names a store that runs already, it is
    /// that, and nothing is started. Blocks.
    ///
    /// # Errors
    /// As [`Setup::start`], again at every call.
    pub fn shared() -> anyhow::Result<&'static str> {
        static SHARED: OnceLock<Result<(String, Option<Cassandra>), String>> = OnceLock::new();
        let shared = SHARED.get_or_init(|| {
            if let Ok(running) = env::var(RUNNING) {
                return Ok((running, None));
            }
            let started = Self::one().start().map_err(|error| format!("{error:#}"))?;
            Ok((started.nodes[0].contact_point().to_string(), Some(started)))
        });
        match shared {
            Ok((contact_point, _)) => Ok(contact_point),
            Err(error) => bail!("{error}"),
        }
    }

    /// Where clients of each node connect.
    #[must_use]
    pub fn contact_points(&self) -> Vec<SocketAddr> {
        self.nodes.iter().map(Node::contact_point).collect()
    }

    /// Where each node tells clients that it is.
    #[must_use]
    pub fn told_points(&self) -> Vec<SocketAddr> {
        self.nodes.iter().map(Node::told_point).collect()
    }

    /// Who signs the certificates of its nodes and of its clients.
    ///
    /// # Errors
    /// When it speaks no TLS.
    pub fn authority(&self) -> anyhow::Result<&Authority> {
        self.authority.as_ref().context("it speaks no TLS")
    }

    /// Ends a node as a power cut would. Nodes count from 0.
    ///
    /// # Errors
    /// When it does not run.
    pub fn kill(&mut self, node: usize) -> anyhow::Result<()> {
        self.node(node)?.kill()
    }

    /// Asks a node to end (SIGTERM), and waits until it has.
    ///
    /// # Errors
    /// When it does not run, or does not end.
    pub fn stop(&mut self, node: usize) -> anyhow::Result<()> {
        self.node(node)?.stop()
    }

    /// Holds a node (SIGSTOP): its connections stay, and nothing is answered.
    ///
    /// # Errors
    /// When it does not run.
    pub fn pause(&mut self, node: usize) -> anyhow::Result<()> {
        self.node(node)?.pause()
    }

    /// Lets a held node go on (SIGCONT).
    ///
    /// # Errors
    /// When it does not run.
    pub fn resume(&mut self, node: usize) -> anyhow::Result<()> {
        self.node(node)?.resume()
    }

    /// Starts a node that was killed or stopped again, with the data that it had, and waits until it answers and
    /// sees all others that go on, and they see it. Blocks.
    ///
    /// # Errors
    /// When it runs, its cluster is not durable, or it does not get ready.
    pub fn restart(&mut self, node: usize) -> anyhow::Result<()> {
        ensure!(self.setup.durable, "a cluster that is not durable has forgotten what it had");
        let address = self.node(node)?.address();
        for neighbour in &mut self.nodes {
            neighbour.forget(address);
        }
        let node = self.node(node)?;
        node.start()?;
        node.wait_until_it_answers(START_TIMEOUT)?;
        self.wait_until_all_see_each_other()
    }

    /// The last words of the first node that has ended without being asked to, if one has.
    ///
    /// # Errors
    /// When the system does not say.
    pub fn fallen(&mut self) -> anyhow::Result<Option<String>> {
        for node in &mut self.nodes {
            if let Some(words) = node.fallen()? {
                return Ok(Some(words));
            }
        }
        Ok(None)
    }

    fn node(&mut self, node: usize) -> anyhow::Result<&mut Node> {
        self.nodes.get_mut(node).with_context(|| format!("there is no node {node}"))
    }

    /// Waits for all that run. A write that is sent earlier may meet a node that has not heard of a table.
    fn wait_until_all_see_each_other(&mut self) -> anyhow::Result<()> {
        let deadline = Instant::now() + START_TIMEOUT;
        let running: Vec<_> = self.nodes.iter().filter(|node| node.runs()).map(Node::address).collect();
        for node in self.nodes.iter_mut().filter(|node| node.runs()) {
            let sees_all = look_until(deadline, || {
                node.stands()?;
                Ok(running.iter().all(|other| *other == node.address() || node.sees(*other)).then_some(()))
            })?;
            sees_all.with_context(|| node.complaint("does not see all others"))?;
        }
        Ok(())
    }
}

/// Where Cassandra's jars are.
fn installed() -> anyhow::Result<PathBuf> {
    let (folder, named) = match env::var_os(JARS) {
        Some(folder) => (PathBuf::from(folder), true),
        None => (target()?.join("test-tools/cassandra"), false),
    };
    let jars = folder.join("lib");
    if fs::read_dir(&jars).is_ok_and(|mut jars| jars.next().is_some()) {
        return Ok(jars);
    }
    let missing = if named { "has no jars" } else { "is not set" };
    bail!("{JARS} {missing}: run ./tests/run, which installs Cassandra and names its folder")
}
