//! The threads that read, each with its own connection, all from one bounded queue.
//! Invariant: a failed or panicking reading costs its caller an error, and nobody else anything.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::Arc;

use rusqlite::Connection;
use tokio::sync::oneshot;

use super::connect::open_reader;
use super::damage::Damage;
use super::failure;
use super::queue::{Queue, Taken};
use crate::{Pending, StoreError};

/// A reading.
pub(super) trait Read: Send + 'static {
    type Output: Send + 'static;

    fn run(&self, connection: &Connection) -> Result<Self::Output, ReadError>;
}

/// Why a reading gave nothing.
#[derive(Debug, thiserror::Error)]
pub(super) enum ReadError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Sqlite(#[from] rusqlite::Error),
}

/// A reading of any kind, as a reader sees it.
pub(super) trait Question: Send {
    /// Answers the caller. Gives back whether the connection is still good.
    fn answer(self: Box<Self>, connection: &Connection, damage: &Damage) -> bool;
    fn refuse(self: Box<Self>, error: StoreError);
}

/// A reading, and the future its caller waits on.
pub(super) fn question<R: Read>(read: R) -> (Box<dyn Question>, Pending<R::Output>) {
    let (reply, answer) = oneshot::channel();
    let pending = Box::pin(async move {
        answer.await.unwrap_or_else(|_| Err(StoreError::Unavailable("the reader ended before it answered".into())))
    });
    (Box::new(Asked { read, reply }), pending)
}

struct Asked<R: Read> {
    read: R,
    reply: oneshot::Sender<Result<R::Output, StoreError>>,
}

impl<R: Read> Question for Asked<R> {
    fn answer(self: Box<Self>, connection: &Connection, damage: &Damage) -> bool {
        // A caller that no longer waits needs no answer.
        if self.reply.is_closed() {
            return true;
        }
        let (answer, good) = match self.read.run(connection) {
            Ok(found) => (Ok(found), true),
            Err(ReadError::Store(error)) => (Err(error), true),
            Err(ReadError::Sqlite(error)) => {
                damage.look(&error);
                (Err(failure::of_reading(&error)), failure::is_contradiction(&error))
            }
        };
        if let Err(error) = &answer {
            failure::count(error);
        }
        let _ = self.reply.send(answer);
        good
    }

    fn refuse(self: Box<Self>, error: StoreError) {
        failure::count(&error);
        let _ = self.reply.send(Err(error));
    }
}

/// Answers questions until the queue is closed and empty.
pub(super) struct Reader {
    pub(super) path: PathBuf,
    pub(super) queue: Arc<Queue<Box<dyn Question>>>,
    pub(super) damage: Damage,
}

impl Reader {
    pub(super) fn run(&self, connection: Connection) {
        let mut open = Some(connection);
        while let Taken::Item(question) = self.queue.take() {
            let connection = match open.take().map_or_else(|| open_reader(&self.path), Ok) {
                Ok(connection) => connection,
                Err(error) => {
                    if error.is_damage() {
                        self.damage.met(error.to_string());
                    }
                    let why = || StoreError::Unavailable(error.to_string());
                    question.refuse(self.damage.error().unwrap_or_else(why));
                    continue;
                }
            };
            let good = catch_unwind(AssertUnwindSafe(|| question.answer(&connection, &self.damage)));
            if good.unwrap_or(false) {
                open = Some(connection);
            }
        }
    }
}
