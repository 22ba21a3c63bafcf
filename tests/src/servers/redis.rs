//! Real Redis: one server that keeps nothing on a disk.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::Command;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};
use std::{env, fs};

use anyhow::{Context, bail, ensure};
use rustix::process::Signal;
use rustls::{ClientConfig, ClientConnection, StreamOwned};
use tempfile::TempDir;

use super::authority::Authority;
use super::leash::{Leashed, last_words};
use super::place::Place;
use super::{look_until, scratch};

/// Names the program, where it is not the usual one.
const PROGRAM: &str = "TERTULIA_TEST_REDIS";

const START_TIMEOUT: Duration = Duration::from_secs(30);
const STOP_TIMEOUT: Duration = Duration::from_secs(20);
const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);

/// A running server, gone when this is dropped or the process is.
#[derive(Debug)]
pub struct Redis {
    address: SocketAddr,
    password: Option<String>,
    /// How it is spoken to by TLS; none is not at all.
    tls: Option<Arc<ClientConfig>>,
    command: Command,
    /// None after it was killed or stopped.
    server: Option<Leashed>,
    /// Outlives the server, whose log is in it.
    root: TempDir,
}

impl Redis {
    /// Starts one that asks for no password. Blocks.
    ///
    /// # Errors
    /// When it is not installed, or does not get ready; its last words are in the error.
    pub fn start() -> anyhow::Result<Self> {
        Self::start_with(None, None)
    }

    /// Starts one that asks for a password. Blocks.
    ///
    /// # Errors
    /// As [`Self::start`].
    pub fn start_with_password(password: &str) -> anyhow::Result<Self> {
        Self::start_with(Some(password.to_owned()), None)
    }

    /// Starts one that speaks TLS alone, and asks for a password. This authority vouches for it at its address, as
    /// `localhost` and at `::1`, where the machine has that; at 127.0.0.1 it can be reached, and nobody vouches for it.
    /// Blocks.
    ///
    /// # Errors
    /// As [`Self::start`].
    pub fn start_with_tls(authority: &Authority, password: &str) -> anyhow::Result<Self> {
        Self::start_with(Some(password.to_owned()), Some(authority))
    }

    /// The address of the one that all tests of this process share; it is started at the first call. Blocks.
    ///
    /// # Errors
    /// As [`Self::start`], again at every call.
    pub fn shared() -> anyhow::Result<SocketAddr> {
        static SHARED: OnceLock<Result<Redis, String>> = OnceLock::new();
        match SHARED.get_or_init(|| Self::start().map_err(|error| format!("{error:#}"))) {
            Ok(redis) => Ok(redis.address),
            Err(error) => bail!("{error}"),
        }
    }

    fn start_with(password: Option<String>, authority: Option<&Authority>) -> anyhow::Result<Self> {
        let root = scratch("redis")?;
        let place = if authority.is_some() { Place::<1>::find_named(1)? } else { Place::<1>::find(1)? };
        let address = SocketAddr::new(place.addresses[0], place.ports[0]);
        let folder = root.path().join("server");
        fs::create_dir(&folder)?;
        let mut command = Command::new(env::var_os(PROGRAM).unwrap_or_else(|| "redis-server".into()));
        command.arg("--bind").arg(address.ip().to_string());
        match authority {
            None => _ = command.arg("--port").arg(address.port().to_string()),
            Some(authority) => {
                let names = [address.ip().to_string(), "localhost".into(), "::1".into()];
                let shown = authority.vouch(&names)?;
                let [certificate, key, trusted] = ["shown.pem", "key.pem", "trusted.pem"].map(|file| folder.join(file));
                fs::write(&certificate, shown.certificate)?;
                fs::write(&key, shown.key)?;
                fs::write(&trusted, authority.pem())?;
                // It does without an address behind a `-` that the machine does not have.
                command.args(["127.0.0.1", "-::1", "--port", "0", "--tls-port"]).arg(address.port().to_string());
                command.arg("--tls-cert-file").arg(certificate).arg("--tls-key-file").arg(key);
                command.arg("--tls-ca-cert-file").arg(trusted).args(["--tls-auth-clients", "no"]);
            }
        }
        let tls = authority.map(Authority::client).transpose()?;
        command.args(["--save", "", "--appendonly", "no", "--dir"]).arg(&folder);
        if let Some(password) = &password {
            command.args(["--requirepass", password]);
        }
        let mut redis = Self { address, password, tls, command, server: None, root };
        redis.restart()?;
        Ok(redis)
    }

    /// Where clients connect.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Whether it answers at all.
    ///
    /// # Errors
    /// When it does not.
    pub fn ping(&self) -> anyhow::Result<()> {
        let answer = self.ask(&["PING"])?;
        ensure!(answer == "+PONG", "it answers {answer}");
        Ok(())
    }

    /// Sends one command on a connection of its own: the first line of the answer, as it comes. Blocks.
    ///
    /// # Errors
    /// When there is no answer in time.
    pub fn ask(&self, command: &[&str]) -> anyhow::Result<String> {
        let stream = TcpStream::connect_timeout(&self.address, ANSWER_TIMEOUT)?;
        stream.set_read_timeout(Some(ANSWER_TIMEOUT))?;
        stream.set_write_timeout(Some(ANSWER_TIMEOUT))?;
        match &self.tls {
            None => self.ask_over(stream, command),
            Some(tls) => {
                let session = ClientConnection::new(Arc::clone(tls), self.address.ip().into())?;
                self.ask_over(StreamOwned::new(session, stream), command)
            }
        }
    }

    fn ask_over(&self, stream: impl Read + Write, command: &[&str]) -> anyhow::Result<String> {
        let mut stream = BufReader::new(stream);
        if let Some(password) = &self.password {
            let answer = ask_on(&mut stream, &["AUTH", password])?;
            ensure!(answer == "+OK", "it answers {answer} to its password");
        }
        ask_on(&mut stream, command)
    }

    /// Ends it as a power cut would.
    ///
    /// # Errors
    /// When it does not run.
    pub fn kill(&mut self) -> anyhow::Result<()> {
        self.taken()?.kill()
    }

    /// Asks it to end (SIGTERM), and waits until it has.
    ///
    /// # Errors
    /// When it does not run, or does not end.
    pub fn stop(&mut self) -> anyhow::Result<()> {
        // One that is held would hear of it later.
        self.resume()?;
        self.taken()?.stop(STOP_TIMEOUT)?;
        Ok(())
    }

    /// Holds it (SIGSTOP): its connections stay, and nothing is answered.
    ///
    /// # Errors
    /// When it does not run.
    pub fn pause(&mut self) -> anyhow::Result<()> {
        self.server.as_mut().context("it does not run")?.signal(Signal::STOP)
    }

    /// Lets it go on (SIGCONT).
    ///
    /// # Errors
    /// When it does not run.
    pub fn resume(&mut self) -> anyhow::Result<()> {
        self.server.as_mut().context("it does not run")?.signal(Signal::CONT)
    }

    /// Starts it again at its address after it was killed or stopped, empty, and waits until it answers. Blocks.
    ///
    /// # Errors
    /// When it runs, or does not get ready.
    pub fn restart(&mut self) -> anyhow::Result<()> {
        ensure!(self.server.is_none(), "it runs already");
        self.server = Some(Leashed::start(&self.command, &self.folder())?);
        let deadline = Instant::now() + START_TIMEOUT;
        let answered = look_until(deadline, || match self.fallen()? {
            Some(words) => bail!("{words}\n(is redis-server there? ./tests/run installs it, {PROGRAM} names another)"),
            None => Ok(self.ping().ok()),
        })?;
        answered.with_context(|| format!("Redis does not answer; its last words:\n{}", last_words(&self.folder())))
    }

    /// Its last words, if it has ended without being asked to.
    ///
    /// # Errors
    /// When the system does not say.
    pub fn fallen(&mut self) -> anyhow::Result<Option<String>> {
        let Some(server) = &mut self.server else { return Ok(None) };
        let Some(status) = server.over()? else { return Ok(None) };
        Ok(Some(format!("Redis has ended ({status}); its last words:\n{}", last_words(&self.folder()))))
    }

    fn folder(&self) -> std::path::PathBuf {
        self.root.path().join("server")
    }

    fn taken(&mut self) -> anyhow::Result<Leashed> {
        self.server.take().context("it does not run")
    }
}

fn ask_on(stream: &mut BufReader<impl Read + Write>, command: &[&str]) -> anyhow::Result<String> {
    let mut request = format!("*{}\r\n", command.len());
    for word in command {
        request.push_str(&format!("${}\r\n{word}\r\n", word.len()));
    }
    stream.get_mut().write_all(request.as_bytes())?;
    let mut answer = String::new();
    stream.read_line(&mut answer)?;
    ensure!(answer.ends_with('\n'), "it hung up");
    Ok(answer.trim_end().to_owned())
}
