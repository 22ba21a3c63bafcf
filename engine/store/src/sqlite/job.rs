//! One write on its way through the writer: it is applied, then told its fate.
//! Invariant: a job that is dropped unanswered reaches its caller as `Unknown`.

use tokio::sync::oneshot;

use super::failure;
use super::rows::Rows;
use crate::{Pending, StoreError};

/// A conditional change. It is applied inside a transaction, perhaps twice (the first one rolled
/// back), so it changes nothing but the database and `rows`.
pub(super) trait Write: Send + 'static {
    type Output: Send + 'static;

    /// The change, or why its condition does not hold; in that case nothing was written.
    fn apply(&self, rows: &mut Rows<'_>) -> rusqlite::Result<Result<Self::Output, StoreError>>;

    /// How much of a batch it fills: rows to insert, and their bytes.
    fn cost(&self) -> (usize, usize);
}

/// Changes nothing: goes the way of a write, and is answered as one would be.
pub(super) struct Nothing;

impl Write for Nothing {
    type Output = ();

    fn apply(&self, _: &mut Rows<'_>) -> rusqlite::Result<Result<(), StoreError>> {
        Ok(Ok(()))
    }

    fn cost(&self) -> (usize, usize) {
        (0, 0)
    }
}

/// A write of any kind, as the writer sees it.
pub(super) trait Job: Send {
    fn apply(&mut self, rows: &mut Rows<'_>) -> rusqlite::Result<()>;
    fn cost(&self) -> (usize, usize);
    /// Whom to tell once the file is rewritten, if it is to be.
    fn rewrites(&mut self) -> Option<oneshot::Sender<Result<(), StoreError>>> {
        None
    }
    fn finish(self: Box<Self>, fate: &Fate);
}

/// What became of the transaction a job was in.
#[derive(Clone, Debug)]
pub(super) enum Fate {
    Committed,
    NotDone(StoreError),
    Unknown(String),
}

/// A write, and the future its caller waits on.
pub(super) fn job<W: Write>(write: W) -> (Box<dyn Job>, Pending<W::Output>) {
    let (reply, answer) = oneshot::channel();
    let pending = Box::pin(async move {
        answer.await.unwrap_or_else(|_| Err(StoreError::Unknown("the writer ended before it answered".into())))
    });
    (Box::new(Asked { write, answer: None, reply }), pending)
}

struct Asked<W: Write> {
    write: W,
    answer: Option<Result<W::Output, StoreError>>,
    reply: oneshot::Sender<Result<W::Output, StoreError>>,
}

impl<W: Write> Job for Asked<W> {
    fn apply(&mut self, rows: &mut Rows<'_>) -> rusqlite::Result<()> {
        self.answer = Some(self.write.apply(rows)?);
        Ok(())
    }

    fn cost(&self) -> (usize, usize) {
        self.write.cost()
    }

    fn finish(self: Box<Self>, fate: &Fate) {
        let answer = match (fate, self.answer) {
            (Fate::Committed, Some(answer)) => answer,
            (Fate::NotDone(error), _) => Err(error.clone()),
            // It would not have written; but what it found was part of what is now unknown.
            (Fate::Unknown(why), Some(Err(_)) | None) => Err(StoreError::Unavailable(why.clone())),
            (Fate::Unknown(why), Some(Ok(_))) => Err(StoreError::Unknown(why.clone())),
            (Fate::Committed, None) => Err(StoreError::Unknown("the write was passed over".into())),
        };
        if let Err(error) = &answer {
            failure::count(error);
        }
        // A caller that no longer waits is free to go; what was written stays written.
        let _ = self.reply.send(answer);
    }
}
