//! The ways to the store's threads: what is written and what is read, each in its order.

use std::sync::Arc;

use super::failure;
use super::job::{Job, Write, job};
use super::queue::{Queue, Refused};
use super::reader::{Question, Read, question};
use super::rewrite::Rewrite;
use crate::{Pending, StoreError};

/// Bytes that may wait for the writer: a few seconds of work for an ordinary disk.
const WRITER_QUEUE_BYTES_MAX: usize = 64 * 1024 * 1024;
/// Questions that may wait for the readers.
const READER_QUEUE_MAX: usize = 4_096;

/// The queues of the writer and the readers. Cloning shares them.
#[derive(Clone)]
pub(super) struct Queues {
    pub(super) writer: Arc<Queue<Box<dyn Job>>>,
    pub(super) readers: Arc<Queue<Box<dyn Question>>>,
}

impl Queues {
    pub(super) fn new(writer_queue_max: usize) -> Self {
        Self {
            writer: Arc::new(Queue::new("writer", writer_queue_max, WRITER_QUEUE_BYTES_MAX)),
            readers: Arc::new(Queue::new("reader", READER_QUEUE_MAX, usize::MAX)),
        }
    }

    pub(super) fn write<W: Write>(&self, write: W) -> Pending<W::Output> {
        let (_, bytes) = write.cost();
        let (job, pending) = job(write);
        match self.writer.push(job, bytes) {
            Ok(()) => pending,
            Err(refused) => refuse(&refused),
        }
    }

    /// Has the file rewritten.
    pub(super) fn rewrite(&self) -> Pending<()> {
        let (job, answer) = Rewrite::asked();
        match self.writer.push(job, 0) {
            Ok(()) => Box::pin(async {
                answer.await.unwrap_or_else(|_| Err(StoreError::Unavailable("the writer ended before".into())))
            }),
            Err(refused) => refuse(&refused),
        }
    }

    pub(super) fn read<R: Read>(&self, read: R) -> Pending<R::Output> {
        let (question, pending) = question(read);
        match self.readers.push(question, 0) {
            Ok(()) => pending,
            Err(refused) => refuse(&refused),
        }
    }
}

/// The answer for what a queue has not taken.
fn refuse<T: Send + 'static>(refused: &Refused) -> Pending<T> {
    let error = match refused {
        Refused::Full => StoreError::Busy,
        Refused::Closed => StoreError::Unavailable("the store is closed".into()),
    };
    failure::count(&error);
    Box::pin(std::future::ready(Err(error)))
}
