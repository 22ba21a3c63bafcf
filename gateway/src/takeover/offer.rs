//! The side of the node that runs: gives its sockets to the process that will follow it.
//! Invariant: only its own user is given them, and only one process at a time; nothing that a process does before its
//! `go` is felt by anybody else.

use std::fs::{self, Permissions};
use std::future::pending;
use std::io::{self, IoSlice, Write as _};
use std::mem::MaybeUninit;
use std::net::TcpListener;
use std::os::fd::AsFd as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::time::Duration;

use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg};
use rustix::process::geteuid;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, Interest};
use tokio::net::{UnixListener, UnixStream};
use tokio::time::{sleep, timeout};

use super::wire::{ANSWER_MAX, LINE_BYTES_MAX, SOCKETS_MAX, WireError, Word, socket_file};
use crate::listening::Use;

/// Until the next try when the system has no room for one more connection.
const ACCEPT_AGAIN: Duration = Duration::from_secs(1);

/// A node that can be taken over. The file goes when this is dropped.
pub(crate) struct Offer {
    listener: UnixListener,
    file: PathBuf,
    sockets: Vec<(Use, TcpListener)>,
    drain: Duration,
}

/// What is said with one process.
type Talk<'a> = Pin<Box<dyn Future<Output = Result<Taker, WireError>> + 'a>>;

/// The process that follows. It opens the data directory when this is dropped.
pub(crate) struct Taker {
    _stream: UnixStream,
}

impl Offer {
    /// Begins to be found. To be called with the lock of the data directory held; `drain` is the longest that the node
    /// takes to give it back. A node that cannot be found serves all the same.
    pub(crate) fn open(data: &Path, sockets: Vec<(Use, TcpListener)>, drain: Duration) -> Option<Self> {
        let file = socket_file(data);
        let listen = || {
            // Left by a node that was killed: nobody else has the directory now.
            match fs::remove_file(&file) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
            let listener = UnixListener::bind(&file)?;
            fs::set_permissions(&file, Permissions::from_mode(0o600))?;
            Ok(listener)
        };
        match listen() {
            Ok(listener) => Some(Self { listener, file, sockets, drain }),
            Err(error) => {
                tracing::warn!(path = %file.display(), %error, "no other process can take over from this node");
                None
            }
        }
    }

    /// Completes when a process has the sockets and said `go`.
    pub(crate) async fn taken(&self) -> Taker {
        let mut talk: Option<Talk<'_>> = None;
        loop {
            let outcome = async {
                match &mut talk {
                    Some(talk) => talk.await,
                    None => pending().await,
                }
            };
            tokio::select! {
                stream = accept(&self.listener) => match talk {
                    Some(_) => refuse(stream, "another process is taking over"),
                    None => talk = Some(Box::pin(hand_over(stream, &self.sockets, self.drain))),
                },
                outcome = outcome => match outcome {
                    Ok(taker) => return taker,
                    Err(error) => {
                        tracing::info!(%error, "a process that wanted to take over did not; this node goes on");
                        talk = None;
                    }
                },
            }
        }
    }

    /// Tells whoever else comes that the node is on its way out. Does not end. From here on it keeps no socket open.
    pub(crate) async fn decline(&mut self) {
        self.sockets.clear();
        loop {
            let stream = accept(&self.listener).await;
            refuse(stream, "it is stopping already; start again when it has");
        }
    }
}

impl Drop for Offer {
    fn drop(&mut self) {
        // Gone already with its directory, at worst.
        let _ = fs::remove_file(&self.file);
    }
}

/// The next process of our own user.
async fn accept(listener: &UnixListener) -> UnixStream {
    loop {
        let credentials = match listener.accept().await {
            Ok((stream, _)) => stream.peer_cred().map(|peer| (stream, peer.uid())),
            Err(error) => Err(error),
        };
        match credentials {
            Ok((stream, uid)) if uid == geteuid().as_raw() => return stream,
            Ok((stream, uid)) => {
                tracing::warn!(uid, "another user's process wanted to take over");
                refuse(stream, "it is another user's: start this program as that user");
            }
            Err(error) => {
                tracing::warn!(%error, "nobody can take over for now");
                sleep(ACCEPT_AGAIN).await;
            }
        }
    }
}

/// One try, without waiting: a line fits the empty buffer of a new connection.
fn refuse(stream: UnixStream, reason: &str) {
    let told = Word::Refused { reason: reason.into() }
        .line()
        .and_then(|line| stream.into_std().and_then(|mut stream| stream.write_all(&line)));
    if let Err(error) = told {
        tracing::debug!(%error, "who wanted to take over is gone");
    }
}

async fn hand_over(
    mut stream: UnixStream,
    sockets: &[(Use, TcpListener)],
    drain: Duration,
) -> Result<Taker, WireError> {
    match hear(&mut stream).await {
        Ok(Word::Hello) => {}
        Ok(_) => return Err(WireError::Strange),
        Err(error) => {
            // It learns here at least which version is spoken.
            refuse(stream, &error.to_string());
            return Err(error);
        }
    }
    let drain_ms = u64::try_from(drain.as_millis()).unwrap_or(u64::MAX);
    let line = Word::Sockets { of: sockets.iter().map(|(of, _)| *of).collect(), drain_ms }.line()?;
    let files: Vec<_> = sockets.iter().map(|(_, socket)| socket.as_fd()).collect();
    let sent = stream.async_io(Interest::WRITABLE, || {
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(SOCKETS_MAX))];
        let mut control = SendAncillaryBuffer::new(&mut space);
        if !control.push(SendAncillaryMessage::ScmRights(&files)) {
            return Err(io::Error::other("there are more sockets than fit"));
        }
        Ok(sendmsg(&stream, &[IoSlice::new(&line)], &mut control, SendFlags::NOSIGNAL)?)
    });
    if sent.await? < line.len() {
        return Err(WireError::Strange);
    }
    match hear(&mut stream).await? {
        Word::Go => {}
        _ => return Err(WireError::Strange),
    }
    stream.write_all(&Word::Draining.line()?).await?;
    tracing::info!("another process takes over");
    Ok(Taker { _stream: stream })
}

/// The next line.
async fn hear(stream: &mut UnixStream) -> Result<Word, WireError> {
    let line = async {
        let mut line = Vec::new();
        while !line.ends_with(b"\n") {
            if line.len() >= LINE_BYTES_MAX {
                return Err(WireError::Strange);
            }
            if stream.read_buf(&mut line).await? == 0 {
                return Err(WireError::HungUp);
            }
        }
        Ok(line)
    };
    Word::read(&timeout(ANSWER_MAX, line).await.map_err(|_| WireError::Silent)??)
}
