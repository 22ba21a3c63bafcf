//! The real program in a process of its own, with a data directory that goes with it.
//! Invariant: it is killed when dropped, and what it wrote is shown when the test fails.

#![allow(clippy::expect_used, clippy::panic, reason = "a tool of tests")]

pub mod company;

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use engine_privacy::FileKeys;
use engine_store::sqlite::{SqliteOptions, SqliteStore};
use tempfile::TempDir;
use tokio::sync::watch;
use tokio::time::timeout;

use crate::PATIENCE;
use crate::api::Api;

/// Settings as environment variables.
pub type Settings<'a> = &'a [(&'a str, &'a str)];

/// A running node.
pub struct Node {
    /// Where it listens.
    pub address: SocketAddr,
    /// What it said on standard output when it started.
    pub banner: Vec<String>,
    child: Child,
    /// Turns true when its standard output has ended, and it with it.
    over: watch::Receiver<bool>,
    root: Arc<TempDir>,
    log: Arc<Mutex<String>>,
}

/// What came of a command that ran to its end.
#[derive(Debug)]
pub struct Ran {
    /// Its exit code; none when a signal ended it.
    pub code: Option<i32>,
    /// Its standard output.
    pub out: String,
    /// Its standard error.
    pub err: String,
}

impl Node {
    /// Starts one on fresh data.
    #[must_use]
    pub fn start(settings: Settings<'_>) -> Self {
        Self::start_in(fresh(), settings)
    }

    /// Starts one on data that an earlier one has left.
    ///
    /// # Panics
    /// When it does not start.
    #[must_use]
    pub fn start_in(root: Arc<TempDir>, settings: Settings<'_>) -> Self {
        Self::start_within(PATIENCE, root, settings)
    }

    /// The same, where a start may take longer than usual: the first one on a large store makes its tables.
    ///
    /// # Panics
    /// When it does not start.
    #[must_use]
    pub fn start_within(patience: Duration, root: Arc<TempDir>, settings: Settings<'_>) -> Self {
        company::accompany(&root, settings);
        let command = command(root.path(), settings);
        Self::started(command, root, patience)
    }

    /// Starts one that the kernel's limit on the size of files does not end: its writes fail instead, as
    /// on a full disk. See [`Node::limit_files`].
    #[must_use]
    pub fn start_with_limited_files(settings: Settings<'_>) -> Self {
        Self::start_after(r#"trap "" XFSZ"#, fresh(), settings)
    }

    /// Starts one from a shell that has done something before.
    #[must_use]
    pub fn start_after(before: &str, root: Arc<TempDir>, settings: Settings<'_>) -> Self {
        company::accompany(&root, settings);
        let plain = command(root.path(), settings);
        let mut command = Command::new("sh");
        command.arg("-c").arg(format!(r#"{before}; exec "$0""#)).arg(plain.get_program()).env_clear();
        command.envs(plain.get_envs().filter_map(|(name, value)| Some((name, value?))));
        command.current_dir(root.path()).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        Self::started(command, root, PATIENCE)
    }

    /// Starts one by a command that [`command`] made.
    #[must_use]
    pub fn start_with(command: Command, root: Arc<TempDir>) -> Self {
        Self::started(command, root, PATIENCE)
    }

    /// Starts one that takes over from this one, on the same data.
    ///
    /// # Panics
    /// When it does not serve.
    #[must_use]
    pub fn follow(&self, settings: Settings<'_>) -> Self {
        let mut command = command(self.root.path(), settings);
        command.args(["serve", "--take-over"]);
        Self::started(command, self.root(), PATIENCE)
    }

    /// Starts one as another user of the machine, who is given the directory. Only root can.
    ///
    /// # Panics
    /// When it does not start.
    #[must_use]
    pub fn start_as(user: u32, root: Arc<TempDir>, settings: Settings<'_>) -> Self {
        use std::os::unix::process::CommandExt as _;
        let plain = command(root.path(), settings);
        // Where the program stands nobody else may look.
        let program = root.path().join("tertulia");
        fs::copy(plain.get_program(), &program).expect("room for the program");
        std::os::unix::fs::chown(root.path(), Some(user), Some(user)).expect("the rights of root");
        let mut command = Command::new(program);
        command.env_clear().envs(plain.get_envs().filter_map(|(name, value)| Some((name, value?))));
        command.uid(user).gid(user).current_dir(root.path());
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        Self::started(command, root, PATIENCE)
    }

    /// From now on no file of it grows past so many bytes; `unlimited` lifts that.
    ///
    /// # Panics
    /// When the limit cannot be set.
    pub fn limit_files(&self, soft: &str) {
        let arguments = [format!("--pid={}", self.child.id()), format!("--fsize={soft}:unlimited")];
        let status = Command::new("prlimit").args(arguments).status().expect("prlimit (of util-linux)");
        assert!(status.success(), "prlimit failed");
    }

    fn started(mut command: Command, root: Arc<TempDir>, patience: Duration) -> Self {
        let mut child = command.spawn().expect("the program can be started");
        let log = Arc::new(Mutex::new(String::new()));
        let errors = child.stderr.take().expect("it is piped");
        let into = Arc::clone(&log);
        thread::spawn(move || {
            for line in BufReader::new(errors).lines().map_while(Result::ok) {
                let mut log = into.lock().unwrap_or_else(PoisonError::into_inner);
                log.push_str(&line);
                log.push('\n');
            }
        });
        let output = child.stdout.take().expect("it is piped");
        let (to_test, lines) = mpsc::channel();
        let (ended, over) = watch::channel(false);
        thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                // What it says later is read, so that it is never blocked, and forgotten.
                let _ = to_test.send(line);
            }
            ended.send_replace(true);
        });
        let mut banner = Vec::new();
        // The last line of the banner says how to talk to it.
        while !banner.last().is_some_and(|line: &String| line.contains("tertulia chat")) {
            match lines.recv_timeout(patience) {
                Ok(line) => banner.push(line),
                Err(_) => {
                    let _ = child.kill();
                    let log = log.lock().unwrap_or_else(PoisonError::into_inner);
                    panic!("the node did not start; it said {banner:?} and\n{log}");
                }
            }
        }
        let json = serde_json::from_str::<serde_json::Value>(&banner[0]).ok();
        let address = match &json {
            Some(banner) => banner["address"].as_str(),
            None => banner[0].rsplit("http://").next(),
        };
        let address = address.and_then(|address| address.trim().parse().ok());
        let address = address.unwrap_or_else(|| panic!("no address in {:?}", banner[0]));
        let node = Self { address, banner, child, over, root, log };
        company::is_accompanied(node.root.path(), address, &node.log);
        node
    }

    /// A client with the demo tenant's key.
    #[must_use]
    pub fn api(&self) -> Api {
        Api::new(self.address, Some(self.demo_key()))
    }

    /// A client with the operator's key.
    #[must_use]
    pub fn operator(&self) -> Api {
        Api::new(self.address, Some(self.admin_key()))
    }

    /// The demo tenant's key.
    #[must_use]
    pub fn demo_key(&self) -> String {
        read_key(&self.data().join("demo.key"))
    }

    /// The operator's key.
    #[must_use]
    pub fn admin_key(&self) -> String {
        read_key(&self.data().join("admin.key"))
    }

    /// Its data directory.
    #[must_use]
    pub fn data(&self) -> PathBuf {
        data_in(self.root.path())
    }

    /// Its store with its keys, once it has ended.
    ///
    /// # Panics
    /// When it cannot be opened.
    #[must_use]
    pub fn store(&self) -> SqliteStore {
        let keys = self.data().join("keys/conversations.keys");
        let unlock = |wanted| FileKeys::open(&keys, wanted).map(|keys| Arc::new(keys) as _);
        SqliteStore::open_with(&self.data().join("tertulia.db"), SqliteOptions::default(), unlock)
            .unwrap_or_else(|error| panic!("the store of the ended node: {error}"))
    }

    /// What holds its data directory, to start another one on it.
    #[must_use]
    pub fn root(&self) -> Arc<TempDir> {
        Arc::clone(&self.root)
    }

    /// What it has written to standard error so far.
    #[must_use]
    pub fn log(&self) -> String {
        self.log.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// A command with this node's settings: it talks to this node.
    #[must_use]
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = command(self.root.path(), &[("TERTULIA_LISTEN", &self.address.to_string())]);
        command.args(arguments);
        command
    }

    /// Sends it a signal by its name, as `kill` knows it.
    ///
    /// # Panics
    /// When it cannot be sent.
    pub fn signal(&self, name: &str) {
        let pid = self.child.id().to_string();
        let sent = Command::new("kill").args([&format!("-{name}"), &pid]).status().expect("`kill` can be started");
        assert!(sent.success(), "kill -{name} {pid}");
    }

    /// Waits until it has ended.
    ///
    /// # Panics
    /// When it does not end.
    pub async fn ended(&mut self) -> ExitStatus {
        timeout(PATIENCE, self.over.wait_for(|over| *over)).await.expect("it ends in time").expect("it is read");
        self.child.wait().expect("a child of ours")
    }

    /// The processor time that it has had, to ten milliseconds.
    ///
    /// # Panics
    /// When the system does not say.
    #[must_use]
    pub fn processor_time(&self) -> Duration {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.child.id())).expect("it runs");
        // Behind the name, which may have blanks: see proc_pid_stat(5).
        let (_, fields) = stat.rsplit_once(')').expect("a name");
        let ticks: u64 =
            fields.split_whitespace().skip(11).take(2).map(|ticks| ticks.parse::<u64>().expect("ticks")).sum();
        Duration::from_millis(10 * ticks)
    }

    /// What it holds of the machine's memory, in KiB.
    ///
    /// # Panics
    /// When the system does not say.
    #[must_use]
    pub fn memory_kib(&self) -> u64 {
        self.status_kib("VmRSS:")
    }

    /// The most it has held since it was started, in KiB.
    ///
    /// # Panics
    /// When the system does not say.
    #[must_use]
    pub fn memory_peak_kib(&self) -> u64 {
        self.status_kib("VmHWM:")
    }

    fn status_kib(&self, field: &str) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).expect("a live process");
        let line = status.lines().find_map(|line| line.strip_prefix(field));
        line.and_then(|line| line.trim().strip_suffix(" kB")?.trim().parse().ok()).expect("a number")
    }

    /// Ends it as a power cut would.
    pub fn kill(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.kill();
        company::part(&self.root);
        if thread::panicking() {
            let _ = writeln!(std::io::stderr(), "--- the node's log\n{}---", self.log());
        }
    }
}

/// Room for a data directory.
///
/// # Panics
/// When there is none.
#[must_use]
pub fn fresh() -> Arc<TempDir> {
    Arc::new(tempfile::tempdir().expect("a temporary directory"))
}

/// One that a node has made its own, and left.
///
/// # Panics
/// When it did not end well.
pub async fn used() -> Arc<TempDir> {
    let mut node = Node::start(&[]);
    node.signal("TERM");
    assert!(node.ended().await.success());
    node.root()
}

/// An address for a node that will be started on it again. Nobody else's sockets are on a loopback address
/// picked at random, so that its port is still free when the node comes back.
///
/// # Errors
/// Nothing can be bound there.
pub fn own_address() -> std::io::Result<SocketAddr> {
    let [a, b, c] = rand::random::<[u8; 3]>();
    TcpListener::bind((Ipv4Addr::new(127, 1 + a % 254, b, 1 + c % 254), 0))?.local_addr()
}

/// Where a node's data is in a directory of [`fresh`].
#[must_use]
pub fn data_in(root: &Path) -> PathBuf {
    root.join("data")
}

/// Settings of a node on a cluster of one.
#[must_use]
pub fn on_cluster(contact_point: &str, keyspace: &str) -> [(&'static str, String); 2] {
    [("TERTULIA_STORE", format!("cql://{contact_point}/{keyspace}")), ("TERTULIA_STORE__REPLICAS", "1".to_owned())]
}

/// The program itself.
fn program() -> PathBuf {
    let test = std::env::current_exe().expect("this program's own path");
    // Tests stand in a folder below the programs, our own programs beside them.
    let program =
        test.ancestors().skip(1).take(2).map(|folder| folder.join("tertulia")).find(|program| program.is_file());
    program.expect("run `cargo build -p gateway` first")
}

/// The program with settings for data in `root`, and none of this process's own.
///
/// # Panics
/// When it was not built.
#[must_use]
pub fn command(root: &Path, settings: Settings<'_>) -> Command {
    let mut command = Command::new(program());
    command
        .env_clear()
        .env("TERTULIA_LISTEN", "127.0.0.1:0")
        .env("TERTULIA_DATA", data_in(root))
        // Quicker to start; the tests that want the documents ask for them.
        .env("TERTULIA_KNOWLEDGE__DEMO_DOCUMENTS", "false")
        .envs(company::settings(root))
        .envs(settings.iter().copied())
        .current_dir(root)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

/// Runs a command to its end, with something to read.
///
/// # Panics
/// When it does not end.
#[must_use]
pub fn run(mut command: Command, input: &str) -> Ran {
    let mut child = command.stdin(Stdio::piped()).spawn().expect("the program can be started");
    let mut stdin = child.stdin.take().expect("it is piped");
    let pid = child.id().to_string();
    // One that does not read its input has ended already, or never will.
    let _ = stdin.write_all(input.as_bytes());
    drop(stdin);
    let (mut stdout, mut stderr) =
        (child.stdout.take().expect("it is piped"), child.stderr.take().expect("it is piped"));
    let errors = thread::spawn(move || {
        let mut err = String::new();
        let _ = stderr.read_to_string(&mut err);
        err
    });
    let (to_test, ended) = mpsc::channel();
    thread::spawn(move || {
        let mut out = String::new();
        let _ = stdout.read_to_string(&mut out);
        let _ = to_test.send((child.wait(), out));
    });
    match ended.recv_timeout(2 * PATIENCE) {
        Ok((status, out)) => Ran {
            code: status.expect("a child of ours").code(),
            out,
            err: errors.join().expect("the reader does not panic"),
        },
        Err(_) => {
            let _ = Command::new("kill").args(["-KILL", &pid]).status();
            panic!("it does not end; it said {}", errors.join().unwrap_or_default());
        }
    }
}

pub(crate) fn read_key(file: &Path) -> String {
    fs::read_to_string(file).unwrap_or_else(|error| panic!("{}: {error}", file.display())).trim().to_owned()
}
