//! Reads documents in processes of their own, this program's child with nothing of its parent: a
//! document that breaks its reader breaks nothing else.
//! Invariant: few readers at once, one of a tenant's, each ended after a time that its document's size is
//! worth, and its answer bounded.

use std::io::{self, Read, Write};
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use engine_turns::Turns;
use schema::TenantId;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, Command};
use tracing::warn;

use super::confine::{confine, cpu_seconds};
use super::{FILE_BYTES_MAX, Kind, ReadDocument, Unreadable, read};

/// Readers at once: each may use a gigabyte.
const READERS_MAX: usize = 2;
/// Documents that may wait for it; a tenant has half of the places at most.
const WAITING_MAX: usize = 62;
/// How long a document may take for each second of processor time it may have: others use the processor too …
const WALL_TIMES: u32 = 4;
/// … and in all.
const WALL_TIME_MAX: Duration = Duration::from_secs(60);
/// A reader's answer: text that doubles by escaping, and links.
const ANSWER_BYTES_MAX: usize = 2 * schema::limits::DOCUMENT_BYTES_MAX + 8 * 1024 * 1024;
/// The stack a reader works on: a page may be nested deeply and still be honest.
const STACK_BYTES: usize = 64 * 1024 * 1024;

/// Reads documents of strangers. Cloning shares its bounds.
#[derive(Clone)]
pub struct Reader {
    inner: Arc<Inner>,
}

struct Inner {
    program: io::Result<PathBuf>,
    turns: Turns,
}

impl Reader {
    /// With `program` as what reads, which must know `read-document`; this program by default.
    #[must_use]
    pub fn new(program: Option<PathBuf>) -> Self {
        let program = program.map_or_else(std::env::current_exe, Ok);
        Self { inner: Arc::new(Inner { program, turns: Turns::new(READERS_MAX, 1, WAITING_MAX) }) }
    }

    /// Reads a document of a tenant's, in the order in which tenants share the readers. Dropping the future
    /// ends its reader.
    ///
    /// # Errors
    /// Why it cannot be learned.
    pub async fn read(
        &self,
        tenant: TenantId,
        kind: Kind,
        charset: Option<&str>,
        bytes: Bytes,
    ) -> Result<ReadDocument, Unreadable> {
        if bytes.len() > FILE_BYTES_MAX {
            return Err(Unreadable::TooLarge);
        }
        // Nothing is taken apart there, only letters are looked at: milliseconds, and yet none for a thread
        // that serves.
        if matches!(kind, Kind::Markdown | Kind::Text) {
            let charset = charset.map(str::to_owned);
            let read = tokio::task::spawn_blocking(move || read(kind, charset.as_deref(), &bytes));
            return read.await.unwrap_or(Err(Unreadable::Broke));
        }
        let place = self.inner.turns.enter(tenant).map_err(|_| Unreadable::Busy)?;
        let seconds = cpu_seconds(bytes.len());
        let _turn = place.turn(seconds).await;
        let mut child = self.start(kind, charset)?;
        let time_max = WALL_TIME_MAX.min(WALL_TIMES * Duration::from_secs(seconds));
        match tokio::time::timeout(time_max, talk(&mut child, &bytes)).await {
            Ok(Ok((status, answer))) => understand(status, &answer),
            Ok(Err(error)) => {
                warn!(%error, "a reader of documents cannot be spoken to");
                end(&mut child).await;
                Err(Unreadable::Broke)
            }
            Err(_) => {
                end(&mut child).await;
                Err(Unreadable::TooSlow)
            }
        }
    }

    fn start(&self, kind: Kind, charset: Option<&str>) -> Result<Child, Unreadable> {
        let refused = |error: &io::Error| {
            warn!(%error, "the program that reads documents cannot be started");
            Unreadable::NoReader
        };
        let program = self.inner.program.as_ref().map_err(refused)?;
        let mut command = Command::new(program);
        command.args(["read-document", "--kind", kind.name()]);
        if let Some(charset) = charset {
            command.args(["--charset", charset]);
        }
        command
            .env_clear()
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true);
        command.spawn().map_err(|error| refused(&error))
    }
}

/// Gives the document, takes the answer, waits for the end.
async fn talk(child: &mut Child, bytes: &[u8]) -> io::Result<(ExitStatus, Vec<u8>)> {
    let gone = || io::Error::from(io::ErrorKind::BrokenPipe);
    let mut to_child = child.stdin.take().ok_or_else(gone)?;
    let mut from_child = child.stdout.take().ok_or_else(gone)?.take(ANSWER_BYTES_MAX as u64 + 1);
    let give = async move {
        // One that breaks down does not read to the end; its status tells.
        let _ = to_child.write_all(bytes).await;
        let _ = to_child.shutdown().await;
    };
    let mut answer = Vec::new();
    let take = async {
        let taken = from_child.read_to_end(&mut answer).await;
        // Past the bound nobody reads, and the child would wait for ever.
        drop(from_child);
        taken
    };
    let ((), taken) = tokio::join!(give, take);
    taken?;
    Ok((child.wait().await?, answer))
}

async fn end(child: &mut Child) {
    // It may have ended by itself.
    let _ = child.kill().await;
}

fn understand(status: ExitStatus, answer: &[u8]) -> Result<ReadDocument, Unreadable> {
    if answer.len() > ANSWER_BYTES_MAX {
        return Err(Unreadable::TooLong);
    }
    if !status.success() {
        return Err(why(status));
    }
    serde_json::from_slice::<Result<ReadDocument, Unreadable>>(answer).unwrap_or(Err(Unreadable::Broke))
}

#[cfg(unix)]
fn why(status: ExitStatus) -> Unreadable {
    use std::os::unix::process::ExitStatusExt;
    let signal = status.signal();
    let is = |one: rustix::process::Signal| signal == Some(one.as_raw());
    // The soft and the hard limit on processor time are the same: some systems send the one, some the other.
    if is(rustix::process::Signal::XCPU) || is(rustix::process::Signal::KILL) {
        return Unreadable::TooSlow;
    }
    Unreadable::Broke
}

#[cfg(not(unix))]
fn why(_: ExitStatus) -> Unreadable {
    Unreadable::Broke
}

/// The child's whole work: limits itself, reads the document from `input`, writes the answer.
///
/// # Errors
/// When it cannot be limited, or input or output fail.
pub fn answer(kind: Kind, charset: Option<&str>, input: &mut (dyn Read + Send), out: &mut dyn Write) -> io::Result<()> {
    let work = std::thread::scope(|scope| {
        let work = std::thread::Builder::new().stack_size(STACK_BYTES).spawn_scoped(scope, || {
            confine(FILE_BYTES_MAX)?;
            let mut bytes = Vec::new();
            input.take(FILE_BYTES_MAX as u64 + 1).read_to_end(&mut bytes)?;
            confine(bytes.len())?;
            io::Result::Ok(read(kind, charset, &bytes))
        })?;
        work.join().unwrap_or(Ok(Err(Unreadable::Broke)))
    })?;
    serde_json::to_writer(&mut *out, &work)?;
    out.flush()
}
