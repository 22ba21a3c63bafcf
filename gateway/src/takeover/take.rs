//! The side of the new process: finds the node that runs, takes its sockets, and waits until it is gone.
//! Blocks: until all is over this process has nothing else to do. No wait is without end, whatever the other one does.

use std::fs;
use std::io::{self, IoSliceMut, Read as _, Write as _};
use std::mem::MaybeUninit;
use std::net::{SocketAddr, TcpListener};
use std::os::fd::OwnedFd;
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::io::{FdFlags, fcntl_setfd};
use rustix::net::sockopt::socket_acceptconn;
use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, recvmsg};
use rustix::process::geteuid;
use socket2::{Domain, SockAddr, Socket, Type};

use super::wire::{ANSWER_MAX, LINE_BYTES_MAX, SOCKETS_MAX, WireError, Word, socket_file};
use crate::listening::{Listening, Use, Wanted};

/// What the old node may take longer than it says, before that is told …
const MARGIN: Duration = Duration::from_secs(2);
/// … and how many times as long as that all in all, before this process gives up. Long: it may be the only one that has
/// the sockets, and whoever connects is refused from then on.
const OVERDUE_TIMES: u32 = 8;
/// How long the locks of a node may stay that has hung up: the system gives them back one after the other.
const LOCKS_MAX: Duration = Duration::from_secs(5);

/// Why a node was not taken over, in one line for whoever started this one.
#[derive(Debug, thiserror::Error)]
pub enum TakeOverError {
    /// Nobody can be asked.
    #[error("cannot ask the running node at {}: {problem}", .path.display())]
    Ask {
        /// Where it is asked.
        path: PathBuf,
        /// Why not.
        problem: io::Error,
    },
    /// It runs as somebody else.
    #[error("the running node is another user's (its id is {0}): start this program as that user")]
    Foreign(u32),
    /// It does not want to.
    #[error("the running node cannot be taken over: {0}; it goes on")]
    Refused(String),
    /// It listens elsewhere.
    #[error(
        "the running node listens to {of} on {}, and the settings say {}: another address takes a restart; it goes on",
        plain(.found), plain(.wanted)
    )]
    Elsewhere {
        /// To whom.
        of: &'static str,
        /// Where it listens.
        found: Option<SocketAddr>,
        /// Where this one is to.
        wanted: Option<SocketAddr>,
    },
    /// Told to go, it said nothing.
    #[error("the running node was told to go, and whether it does is not known: {0}; look at its log")]
    Unclear(String),
    /// Told to go, it stayed.
    #[error("the node that ran was told to go, and is still there after {0} s: stop it, and start this program again")]
    StillThere(u64),
}

fn plain(address: &Option<SocketAddr>) -> String {
    address.map_or_else(|| "no address".into(), |address| address.to_string())
}

/// Takes the sockets of the node that runs on a data directory, and waits until it has given the directory back; none
/// where no node runs.
///
/// # Errors
/// [`TakeOverError`].
pub(crate) fn take_over(data: &Path, wanted: &Wanted) -> Result<Option<Listening>, TakeOverError> {
    let path = socket_file(data);
    let ask = |problem| TakeOverError::Ask { path: path.clone(), problem };
    match fs::symlink_metadata(&path) {
        Ok(file) if file.uid() != geteuid().as_raw() => return Err(TakeOverError::Foreign(file.uid())),
        Ok(_) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(ask(error)),
    }
    let mut stream = match connect(&path) {
        Ok(stream) => stream,
        // It was killed, or went just now.
        Err(error) if matches!(error.kind(), io::ErrorKind::ConnectionRefused | io::ErrorKind::NotFound) => {
            return Ok(None);
        }
        // Others wait there already, and nobody takes them.
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Err(WireError::Silent.into()),
        Err(error) => return Err(ask(error)),
    };
    let (sockets, drain) = receive(&mut stream, wanted)?;
    let patience = drain.saturating_add(MARGIN);
    let until = Instant::now() + patience;
    let answer = say(&mut stream, &Word::Go).and_then(|()| hear(&stream));
    let locks_max = match answer {
        Ok((Word::Draining, _)) => {
            tracing::info!("the node that ran drains; this one serves when it is gone");
            if wait_for_end(&mut stream, until).is_err() {
                let seconds = patience.as_secs();
                tracing::warn!(seconds, "the node that ran is still there, longer than it said: stop it if it hangs");
                let still_there = |_| TakeOverError::StillThere((patience * OVERDUE_TIMES).as_secs());
                wait_for_end(&mut stream, until + patience * (OVERDUE_TIMES - 1)).map_err(still_there)?;
            }
            LOCKS_MAX
        }
        // It was killed, or told to stop, just now. It has its data directory until it is gone, and the sockets are here.
        Err(WireError::HungUp) => {
            tracing::info!("the node that ran hung up; this one serves when it is gone");
            patience
        }
        Ok((Word::Refused { reason }, _)) => return Err(TakeOverError::Refused(reason)),
        Ok(_) => return Err(WireError::Strange.into()),
        Err(error) => return Err(TakeOverError::Unclear(error.to_string())),
    };
    Ok(Some(Listening::taken(sockets, locks_max)))
}

/// A connection on which no single wait is longer than that for an answer, not even this one.
fn connect(path: &Path) -> io::Result<UnixStream> {
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    socket.set_write_timeout(Some(ANSWER_MAX))?;
    socket.connect(&SockAddr::unix(path)?)?;
    Ok(OwnedFd::from(socket).into())
}

type Sockets = Vec<(Use, TcpListener)>;

fn receive(stream: &mut UnixStream, wanted: &Wanted) -> Result<(Sockets, Duration), TakeOverError> {
    // One that refuses does not wait to be greeted.
    let greeted = say(stream, &Word::Hello);
    let (of, drain_ms, files) = match hear(stream)? {
        (Word::Sockets { of, drain_ms }, files) => (of, drain_ms, files),
        (Word::Refused { reason }, _) => return Err(TakeOverError::Refused(reason)),
        _ => return Err(WireError::Strange.into()),
    };
    greeted?;
    if of.len() != files.len() {
        return Err(WireError::Strange.into());
    }
    let sockets: Sockets = of.into_iter().zip(files.into_iter().map(TcpListener::from)).collect();
    let mut found = Vec::new();
    for (of, socket) in &sockets {
        let listens = socket_acceptconn(socket).map_err(io::Error::from).map_err(WireError::from)?;
        if !listens {
            return Err(WireError::Strange.into());
        }
        found.push((*of, socket.local_addr().map_err(WireError::from)?));
    }
    if let Some((of, wanted, found)) = wanted.misses(&found) {
        return Err(TakeOverError::Elsewhere { of: of.name(), found, wanted });
    }
    Ok((sockets, Duration::from_millis(drain_ms)))
}

fn say(stream: &mut UnixStream, word: &Word) -> Result<(), WireError> {
    Ok(stream.write_all(&word.line()?)?)
}

/// The next line, and what came with it.
fn hear(stream: &UnixStream) -> Result<(Word, Vec<OwnedFd>), WireError> {
    let until = Instant::now() + ANSWER_MAX;
    let (mut line, mut files) = (Vec::new(), Vec::new());
    while !line.ends_with(b"\n") {
        if line.len() >= LINE_BYTES_MAX {
            return Err(WireError::Strange);
        }
        wait_until(stream, until)?;
        let mut bytes = [0; 1024];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(SOCKETS_MAX))];
        let mut control = RecvAncillaryBuffer::new(&mut space);
        let received = recvmsg(stream, &mut [IoSliceMut::new(&mut bytes)], &mut control, RecvFlags::empty());
        let read = match received {
            Ok(received) => received.bytes,
            Err(rustix::io::Errno::INTR) => continue,
            Err(error) => return Err(io::Error::from(error).into()),
        };
        for message in control.drain() {
            if let RecvAncillaryMessage::ScmRights(rights) = message {
                files.extend(rights);
            }
        }
        if read == 0 {
            return Err(WireError::HungUp);
        }
        line.extend_from_slice(&bytes[..read]);
    }
    for file in &files {
        // Not for the processes that read documents.
        fcntl_setfd(file, FdFlags::CLOEXEC).map_err(io::Error::from)?;
    }
    Ok((Word::read(&line)?, files))
}

/// Has the next wait end then.
fn wait_until(stream: &UnixStream, until: Instant) -> io::Result<()> {
    let left = until.saturating_duration_since(Instant::now());
    if left.is_zero() {
        return Err(io::ErrorKind::TimedOut.into());
    }
    stream.set_read_timeout(Some(left))
}

/// Nothing more is said: the end of the line is what is waited for.
fn wait_for_end(stream: &mut UnixStream, until: Instant) -> io::Result<()> {
    loop {
        wait_until(stream, until)?;
        match stream.read(&mut [0; 64]) {
            Ok(0) => return Ok(()),
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            // A process that was killed says it so.
            Err(error) if error.kind() == io::ErrorKind::ConnectionReset => return Ok(()),
            Err(error) => return Err(error),
        }
    }
}

impl From<WireError> for TakeOverError {
    fn from(error: WireError) -> Self {
        Self::Refused(error.to_string())
    }
}
