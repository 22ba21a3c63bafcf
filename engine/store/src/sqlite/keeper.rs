//! The thread that looks after keys: ends those of erased conversations, keeps some spare, and in quiet moments seals
//! what an earlier version has left, rewrites the file, and removes what was erased after this file was copied.
//! Invariant: an erasure is answered when its key has ended; a key whose end was noted ends, whatever happens between.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use engine_privacy::KeyNumber;
use schema::ConversationKey;
use tokio::runtime::Runtime;
use tokio::sync::oneshot;

use super::ending::{EndedWrite, EndingRead};
use super::erase::{EraseWrite, Keyed, KeyedRead};
use super::lasting::Lasting;
use super::old_events::{EnsureKeysWrite, OldEvents, OldRead, SealWrite, SealedToRead};
use super::queue::{BatchLimits, Queue, Taken};
use super::queues::Queues;
use super::rewrite::StripWrite;
use super::sealing::Sealing;
use crate::{Pending, StoreError};

/// Erasures whose keys end with one sync.
const TOGETHER: BatchLimits = BatchLimits { weight_max: 256, bytes_max: usize::MAX };
/// Between two pieces of what can wait, so that whoever talks is not held up.
const PIECE_PAUSE: Duration = Duration::from_millis(20);
/// After a failure, until it is tried again.
const RETRY_AFTER: Duration = Duration::from_secs(1);
/// The same for rewriting the file: it takes long, and mostly what it lacks is room. And for what has panicked, which
/// will most likely do so again.
const REWRITE_AFTER: Duration = Duration::from_secs(60);
/// Conversations looked at in one piece.
const PIECE_CONVERSATIONS: usize = 1_000;

/// What others want of the keeper.
pub(super) enum Work {
    /// A conversation is on its way out: once `written` gives its keys, they end.
    End { written: Pending<Vec<KeyNumber>>, reply: oneshot::Sender<Result<(), StoreError>> },
    /// Spare keys are few.
    Refill,
    /// The file is to be rewritten.
    Rewrite,
}

/// What is done in quiet moments, one after the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Chore {
    /// Ends keys that a stopped process has not.
    End,
    /// Removes conversations, behind this row, whose keys have ended.
    Remove(i64),
    /// Seals events that an earlier version has left in the clear.
    Seal,
    /// Takes the words out of the list's rows, behind this one, that an earlier version has left.
    Strip(i64),
    /// Rewrites the file, so that nothing of these is left in it.
    Rewrite,
    /// Nothing is left.
    Rest,
}

impl Chore {
    /// What comes after it, whether or not all of it could be done.
    const fn next(self) -> Self {
        match self {
            Self::End => Self::Remove(0),
            Self::Remove(_) => Self::Seal,
            Self::Seal => Self::Strip(0),
            Self::Strip(_) => Self::Rewrite,
            Self::Rewrite | Self::Rest => Self::Rest,
        }
    }
}

/// What is under way, for whoever finds that it has panicked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Doing {
    /// What others want, and spare keys.
    Served,
    /// Keys are ended whose end was noted.
    Owed,
    Chore,
}

/// What the keeper's thread owns.
pub(super) struct Keeper {
    queue: Arc<Queue<Work>>,
    queues: Queues,
    sealing: Arc<Sealing>,
    runtime: Runtime,
    chore: Chore,
    /// Keys whose end was noted may not have ended. They are ended between two pieces of the chore.
    owes: bool,
    /// To do that has panicked: the chore comes first.
    shuns: bool,
    doing: Doing,
    pause: Duration,
    ending: Lasting,
    making: Lasting,
    tidying: Lasting,
}

impl Keeper {
    pub(super) fn new(queue: Arc<Queue<Work>>, queues: Queues, sealing: Arc<Sealing>, runtime: Runtime) -> Self {
        let [ending, making, tidying] = ["ending", "making", "tidying"].map(Lasting::new);
        let (chore, owes, shuns, doing, pause) = (Chore::End, false, false, Doing::Served, PIECE_PAUSE);
        Self { queue, queues, sealing, runtime, chore, owes, shuns, doing, pause, ending, making, tidying }
    }

    /// Works until the queue is closed and empty.
    pub(super) fn run(&mut self) {
        while catch_unwind(AssertUnwindSafe(|| self.work())).is_err() {
            tracing::error!(doing = ?self.doing, chore = ?self.chore, "the keeper of the store's keys panicked");
            self.panicked();
        }
    }

    fn panicked(&mut self) {
        // Ends that it had in hand stand in the file.
        self.owes = true;
        match self.doing {
            Doing::Served => {}
            // It may panic each time: what else there is to do comes first.
            Doing::Owed => self.shuns = true,
            // This too: it is left to the next start.
            Doing::Chore => {
                self.shuns |= self.chore == Chore::End;
                self.chore = self.chore.next();
            }
        }
        self.pause = if self.shuns && self.chore == Chore::Rest { REWRITE_AFTER } else { RETRY_AFTER };
    }

    fn work(&mut self) {
        loop {
            let rests = self.chore == Chore::Rest && !self.owes && self.sealing.lack().is_none();
            let taken = if rests { self.queue.take() } else { self.queue.take_within(self.pause) };
            match taken {
                Taken::Item(first) => {
                    let mut batch = vec![first];
                    self.queue.drain_into(&mut batch, TOGETHER, |_| (1, 0));
                    self.doing = Doing::Served;
                    self.serve(batch);
                    self.owes |= self.sealing.take_owed();
                }
                Taken::Idle => self.go_on(),
                Taken::Closed => return,
            }
        }
    }

    fn serve(&mut self, batch: Vec<Work>) {
        let mut waiting = Vec::new();
        for work in batch {
            let (written, reply) = match work {
                Work::End { written, reply } => (written, reply),
                Work::Refill => {
                    self.refill();
                    continue;
                }
                Work::Rewrite => {
                    // A keeper that has not come to its rest yet still has this before it.
                    if self.chore == Chore::Rest {
                        self.chore = Chore::Strip(0);
                    }
                    continue;
                }
            };
            match self.runtime.block_on(written) {
                // Whoever asked may have gone; the erasure is done all the same.
                Ok(ids) if ids.is_empty() => drop(reply.send(Ok(()))),
                Ok(ids) => waiting.push((ids, reply)),
                Err(error) => {
                    self.owes |= matches!(error, StoreError::Unknown(_));
                    drop(reply.send(Err(error)));
                }
            }
        }
        if waiting.is_empty() {
            return;
        }
        let ending: Vec<KeyNumber> = waiting.iter().flat_map(|(ids, _)| ids).copied().collect();
        let done = self.end(&ending);
        let is_misfit = |error: &&StoreError| matches!(error, StoreError::Corrupt(_));
        if let Some(error) = done.iter().filter_map(|done| done.as_ref().err()).find(is_misfit) {
            tracing::error!(%error, "the key of an erased conversation does not fit the data, and cannot be ended");
        }
        match done.iter().filter_map(|done| done.as_ref().err()).find(|error| !is_misfit(error)) {
            Some(error) => {
                self.ending.failed(error);
                (self.owes, self.pause) = (true, RETRY_AFTER);
            }
            None if !self.owes => self.ending.done(),
            None => {}
        }
        self.forget(ending.into_iter().zip(&done).filter(|(_, done)| done.is_ok()).map(|(id, _)| id).collect());
        let mut done = done.into_iter();
        for (ids, reply) in waiting {
            let theirs: Result<(), StoreError> = done.by_ref().take(ids.len()).collect();
            drop(reply.send(theirs.map_err(|error| match error {
                StoreError::Unavailable(why) => StoreError::Ending(why),
                error => error,
            })));
        }
    }

    /// Ends keys, and says of each what came of it: one that does not fit holds up no other.
    fn end(&self, ids: &[KeyNumber]) -> Vec<Result<(), StoreError>> {
        match self.sealing.end(ids) {
            Err(StoreError::Corrupt(_)) if ids.len() > 1 => {
                ids.iter().map(|id| self.sealing.end(std::slice::from_ref(id))).collect()
            }
            done => vec![done; ids.len()],
        }
    }

    fn refill(&mut self) {
        match self.sealing.refill() {
            Ok(()) => self.making.done(),
            Err(error) => self.making.failed(&error),
        }
    }

    /// These keys have ended: nobody need be reminded of them.
    fn forget(&mut self, ended: Vec<KeyNumber>) {
        if ended.is_empty() {
            return;
        }
        // One too many in the list is ended once more by the next start.
        if let Err(error) = self.runtime.block_on(self.queues.write(self.forgetting(ended))) {
            tracing::debug!(%error, "ended keys stay on the list of those to end");
        }
    }

    fn forgetting(&self, ids: Vec<KeyNumber>) -> EndedWrite {
        EndedWrite { ids, ended: self.sealing.ended() }
    }

    fn go_on(&mut self) {
        self.doing = Doing::Served;
        if self.sealing.lack().is_some() {
            self.refill();
        }
        let (chore, owes) = (self.chore, self.owes && (!self.shuns || self.chore == Chore::Rest));
        self.doing = if owes { Doing::Owed } else { Doing::Chore };
        let done = if owes { self.end_noted() } else { self.piece() };
        let lasting = if owes || chore == Chore::End { &mut self.ending } else { &mut self.tidying };
        self.pause = if self.chore == Chore::Rest { RETRY_AFTER } else { PIECE_PAUSE };
        match done {
            Ok(()) => lasting.done(),
            // It does not mend by waiting. What comes after it is still done.
            Err(error @ StoreError::Corrupt(_)) => {
                tracing::error!(?chore, owes, %error, "the store's keys do not fit its data");
                lasting.done();
                if owes {
                    self.owes = false;
                } else {
                    self.chore = chore.next();
                }
            }
            Err(error) => {
                lasting.failed(&error);
                self.pause = if chore == Chore::Rewrite && !owes { REWRITE_AFTER } else { RETRY_AFTER };
            }
        }
    }

    fn piece(&mut self) -> Result<(), StoreError> {
        match self.chore {
            Chore::End => {
                self.end_noted()?;
                self.chore = self.chore.next();
            }
            Chore::Remove(after) => {
                let reached = self.remove_ended(after)?;
                self.chore = reached.map_or(self.chore.next(), Chore::Remove);
            }
            Chore::Seal => {
                if self.seal_old()? {
                    self.chore = self.chore.next();
                }
            }
            Chore::Strip(after) => {
                let reached = self.runtime.block_on(self.queues.write(StripWrite { after }))?;
                self.chore = reached.map_or(self.chore.next(), Chore::Strip);
            }
            Chore::Rewrite => {
                self.runtime.block_on(self.queues.rewrite())?;
                self.chore = self.chore.next();
            }
            Chore::Rest => {}
        }
        Ok(())
    }

    /// Ends all keys whose end was noted. One that does not fit stays noted.
    fn end_noted(&mut self) -> Result<(), StoreError> {
        let (mut after, mut misfit) = (KeyNumber(0), Ok(()));
        loop {
            let noted = self.runtime.block_on(self.queues.read(EndingRead { after, limit: PIECE_CONVERSATIONS }))?;
            let Some(last) = noted.last() else {
                (self.owes, self.shuns) = (false, false);
                return misfit;
            };
            after = *last;
            let mut ended = Vec::with_capacity(noted.len());
            for (id, done) in noted.iter().zip(self.end(&noted)) {
                match done {
                    Ok(()) => ended.push(*id),
                    Err(StoreError::Corrupt(why)) => misfit = Err(StoreError::Corrupt(why)),
                    Err(error) => return Err(error),
                }
            }
            if !ended.is_empty() {
                self.runtime.block_on(self.queues.write(self.forgetting(ended)))?;
            }
        }
    }

    /// Looks at the next conversations, and removes those whose keys have ended: this file is a copy from before they
    /// were erased. Gives the last row that was looked at; none at the end.
    fn remove_ended(&mut self, after: i64) -> Result<Option<i64>, StoreError> {
        let found = self.runtime.block_on(self.queues.read(KeyedRead { after, limit: PIECE_CONVERSATIONS }))?;
        for Keyed { key, id, .. } in &found {
            let ConversationKey { tenant, conversation } = key;
            let has_ended = match self.sealing.has_ended(*id) {
                Err(error @ StoreError::Corrupt(_)) => {
                    tracing::error!(%conversation, %tenant, %error, "the key of a conversation does not fit");
                    continue;
                }
                has_ended => has_ended?,
            };
            if has_ended {
                match self.runtime.block_on(self.queues.write(EraseWrite { key: *key, head: None })) {
                    Ok(_) => {
                        tracing::info!(%conversation, %tenant, "a conversation that was erased came back with a backup and was removed");
                        self.forget(vec![*id]);
                    }
                    Err(StoreError::NotFound) => {}
                    Err(error) => return Err(error),
                }
            }
        }
        Ok(found.last().map(|last| last.row_id))
    }

    /// Seals the next events that are in the clear. True when none is left.
    fn seal_old(&mut self) -> Result<bool, StoreError> {
        let after = self.runtime.block_on(self.queues.read(SealedToRead))?;
        if after == i64::MAX {
            return Ok(true);
        }
        let OldEvents { events, last } = self.runtime.block_on(self.queues.read(OldRead { after }))?;
        let mut theirs: Vec<ConversationKey> = events.iter().map(|event| event.key).collect();
        theirs.sort_unstable();
        theirs.dedup();
        let ids = self.runtime.block_on(self.queues.write(EnsureKeysWrite(theirs)))?;
        let write = SealWrite::new(&self.sealing, events, &ids, last.unwrap_or(i64::MAX))?;
        self.runtime.block_on(self.queues.write(write))?;
        Ok(last.is_none())
    }
}

#[cfg(test)]
#[path = "keeper_tests.rs"]
mod tests;
