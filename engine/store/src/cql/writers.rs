//! Writers: that they live, and what is done with what those have left that do not.
//! Invariant: what a writer has left is taken over only when it surely does not append under its numbers any more.
//!
//! Who takes over has seen no change of a writer's beat for `SILENT`, by their own steady clock; no clock of one machine
//! is compared with that of another. A writer gives up its numbers when its last beat was written longer ago than
//! `TRUSTED`, and takes new ones behind the next beat; an append that took longer than `SLOW` is told of once more
//! before it is answered. `TRUSTED` and `SLOW` together are less than `SILENT`: so whatever a number covers is in its log
//! before anybody else looks at it in its place, or has another number. A writer that was wrongly taken to have ended
//! goes on: its next beat stands beside the removal of an earlier one, which has that one's time.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use schema::Timestamp;
use scylla::value::CqlTimestamp;
use tokio::time::sleep;
use uuid::Uuid;

use super::clock::Here;
use super::core::Core;
use super::segments::{moment, number};
use super::touched::{CHUNK, key};
use crate::StoreError;

/// A writer whose beat does not change for so long is taken to have ended.
const SILENT: Duration = Duration::from_secs(60);
/// For so long after a beat a writer's numbers are surely its own.
const TRUSTED: Duration = Duration::from_secs(30);
/// A writer that lives tells so more than once in this time.
const UNHEARD: Duration = Duration::from_secs(25);
/// Between two looks at the beats of others.
const LOOK_AGAIN: Duration = Duration::from_millis(500);
/// An append that takes longer is told of once more.
pub(super) const SLOW: Duration = Duration::from_secs(10);
const _: () = assert!(TRUSTED.as_secs() + SLOW.as_secs() < SILENT.as_secs(), "what a number covers comes before");
/// What of another writer's is taken over at a time.
const PIECE: i32 = 512;

/// When this writer was last heard of by the others, and what it told.
#[derive(Default)]
pub(super) struct Heard {
    beat: Mutex<Option<Here>>,
    newest: AtomicU64,
    has_parted: AtomicBool,
}

impl Heard {
    /// Whether its numbers are surely its own at this moment.
    fn is_trusted(&self, at: Here) -> bool {
        let beat = *self.beat.lock().unwrap_or_else(PoisonError::into_inner);
        beat.is_some_and(|beat| at.since(beat) < TRUSTED)
    }

    /// A beat that began at this moment, and told of `newest`, was written. Whether its numbers were not trusted by then.
    fn beat(&self, began: Here, newest: u64) -> bool {
        let was_trusted = self.is_trusted(began);
        *self.beat.lock().unwrap_or_else(PoisonError::into_inner) = Some(began);
        self.newest.fetch_max(newest, Ordering::Relaxed);
        !was_trusted
    }

    /// The highest number that it surely has told of.
    pub(super) fn newest(&self) -> u64 {
        self.newest.load(Ordering::Relaxed)
    }
}

/// How long others have been silent, as far as this process has seen.
#[derive(Default)]
pub(super) struct Silences(HashMap<Uuid, (i64, Instant)>);

impl Silences {
    /// Looks at the beats of all others. Those that have ended.
    fn look(&mut self, at: Instant, beats: &[(Uuid, i64)]) -> Vec<Uuid> {
        self.0.retain(|id, _| beats.iter().any(|(other, _)| other == id));
        let ended = beats.iter().filter(|(id, beat)| {
            let (seen, since) = self.0.entry(*id).or_insert((*beat, at));
            if seen != beat {
                (*seen, *since) = (*beat, at);
            }
            *beat == PARTED || at.saturating_duration_since(*since) >= SILENT
        });
        ended.map(|(id, _)| *id).collect()
    }
}

/// The beat of a writer that has said that it ends.
const PARTED: i64 = 0;

type Writer = (Uuid, Option<CqlTimestamp>, Option<i64>, Option<i64>, Option<i64>);

impl Core {
    /// Sees that the numbers of this writer are its own.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] where the others cannot be told that it lives, or were told that it ends.
    pub(super) async fn see_that_it_is_heard(&self) -> Result<(), StoreError> {
        if self.touched.heard.has_parted.load(Ordering::Relaxed) {
            return Err(StoreError::Unavailable("the store is being closed".into()));
        }
        if self.touched.heard.is_trusted(Here::now()) {
            return Ok(());
        }
        self.beat().await
    }

    /// Tells that this writer lives.
    pub(super) async fn beat(&self) -> Result<(), StoreError> {
        let heard = &self.touched.heard;
        if heard.has_parted.load(Ordering::Relaxed) {
            return Ok(());
        }
        let (began, newest) = (Here::now(), self.touched.newest());
        self.beat_at(self.now(), newest).await?;
        if heard.beat(began, newest) {
            self.touched.give_up();
        }
        Ok(())
    }

    /// Tells that this writer ends: what it has left may be taken over.
    pub(super) async fn part(&self) -> Result<(), StoreError> {
        self.touched.heard.has_parted.store(true, Ordering::Relaxed);
        self.beat_at(Timestamp::from_millis(PARTED), self.touched.newest()).await
    }

    async fn beat_at(&self, at: Timestamp, newest: u64) -> Result<(), StoreError> {
        let done = self.touched.done.load(Ordering::Relaxed);
        let values = (self.touched.writer, moment(at), number(done), number(newest));
        self.link.write(&self.statements.beat, values).await
    }

    /// Waits until it is sure that no other writer is at work.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] where one is.
    pub(super) async fn see_that_nobody_else_lives(&self) -> Result<(), StoreError> {
        let began = Instant::now();
        let mut seen: HashMap<Uuid, i64> = HashMap::new();
        loop {
            let mut writers = self.link.all::<Writer>(&self.statements.writers, ()).await?;
            writers.retain(|(id, beat, ..)| *id != self.touched.writer && beat.is_some_and(|beat| beat.0 != PARTED));
            for (id, beat, ..) in &writers {
                let beat = beat.map_or(PARTED, |beat| beat.0);
                if *seen.entry(*id).or_insert(beat) != beat {
                    return Err(StoreError::Unavailable(
                        "another node is at work on this cluster: stop it first".into(),
                    ));
                }
            }
            // Whoever lives has told so by now.
            if writers.is_empty() || began.elapsed() > UNHEARD {
                return Ok(());
            }
            sleep(LOOK_AGAIN).await;
        }
    }

    /// Numbers anew what writers have left that are not heard of any more.
    ///
    /// # Errors
    /// The first of those that kept it from some of them: what these have left is looked at in the next round.
    pub(super) async fn adopt(&self) -> Result<(), StoreError> {
        let mut writers = self.link.all::<Writer>(&self.statements.writers, ()).await?;
        writers.retain(|(writer, ..)| *writer != self.touched.writer);
        let beat = |beat: &Option<CqlTimestamp>| beat.map_or(PARTED, |beat| beat.0);
        let beats: Vec<(Uuid, i64)> = writers.iter().map(|(id, at, ..)| (*id, beat(at))).collect();
        let ended = self.silences.lock().unwrap_or_else(PoisonError::into_inner).look(Instant::now(), &beats);
        let mut error = None;
        for (writer, _, done, newest, written) in writers.into_iter().filter(|(id, ..)| ended.contains(id)) {
            let counted =
                |number: Option<i64>| number.and_then(|number| u64::try_from(number).ok()).unwrap_or_default();
            let adopted = match self.adopt_from(writer, counted(done), counted(newest)).await {
                // With the time of the beat that was seen: a later one stays.
                Ok(()) => {
                    let written = written.unwrap_or_default();
                    self.link.write_at(written, &self.statements.drop_writer, (writer,)).await
                }
                kept => kept,
            };
            if let Err(kept) = adopted {
                error.get_or_insert(kept);
            }
        }
        error.map_or(Ok(()), Err)
    }

    async fn adopt_from(&self, writer: Uuid, done: u64, newest: u64) -> Result<(), StoreError> {
        let mut at = done;
        for chunk in (done + 1) / CHUNK..=newest.max(done) / CHUNK {
            loop {
                let values = (writer, number(chunk), number(at), PIECE);
                let found =
                    self.link.all::<(i64, Option<Vec<u8>>, Option<Vec<u8>>)>(&self.statements.touched, values).await?;
                let Some((last, ..)) = found.last() else { break };
                let last = u64::try_from(*last).unwrap_or_default();
                for (_, tenant, id) in found {
                    // What cannot be read leads nowhere, and holds up nothing that comes after.
                    let Ok(key) = key(tenant, id) else { continue };
                    match self.log(key).await {
                        // Its place is remembered now, so that it is told of once.
                        Ok(Some(_)) => {
                            // Somebody else has appended to it: nothing is known of its end.
                            self.places.send(key);
                            drop(self.touch(key).await?);
                        }
                        Ok(None) | Err(StoreError::Corrupt(_)) => {}
                        Err(error) => return Err(error),
                    }
                }
                self.forget_touched(writer, at, last).await?;
                at = last;
            }
        }
        Ok(())
    }

    pub(super) async fn forget_touched(&self, writer: Uuid, after: u64, to: u64) -> Result<(), StoreError> {
        for chunk in (after + 1) / CHUNK..=to / CHUNK {
            self.link.write(&self.statements.drop_touched, (writer, number(chunk), number(to))).await?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: u64 = 60;

    #[test]
    fn a_writer_is_silent_when_its_beat_does_not_change_whatever_it_says() {
        let (began, id) = (Instant::now(), Uuid::now_v7());
        let mut silences = Silences::default();
        // Each row: the second of a look, the beat that is seen, and whether its writer is taken to have ended.
        for (second, beat, has_ended) in [
            (0, -5_000, false),
            (50, -5_000, false),
            (59, -4_000, false),
            (118, -4_000, false),
            (119, -4_000, true),
            (120, -9_000, false),
            (180, -9_000, true),
            (181, PARTED, true),
        ] {
            let ended = silences.look(began + Duration::from_secs(second), &[(id, beat)]);
            assert_eq!(ended == [id], has_ended, "second {second}");
        }
        assert!(silences.look(began + Duration::from_secs(9 * MINUTE), &[]).is_empty());
        let again = silences.look(began + Duration::from_secs(10 * MINUTE), &[(id, -9_000)]);
        assert!(again.is_empty(), "one that was forgotten is seen for the first time");
    }

    #[test]
    fn numbers_are_given_up_when_the_last_beat_was_long_ago() {
        let (heard, began) = (Heard::default(), Here::now());
        let at = |second| began.plus(Duration::from_secs(second));
        assert!(!heard.is_trusted(began), "it was never heard of");
        assert!(heard.beat(began, 7));
        for (second, is_trusted) in [(0, true), (29, true), (30, false), (31, false)] {
            assert_eq!(heard.is_trusted(at(second)), is_trusted, "second {second}");
        }
        assert!(!heard.beat(at(20), 9), "it was heard of all the time");
        assert!(heard.is_trusted(at(49)));
        assert!(heard.beat(at(50), 5), "it may have been taken to have ended");
        assert_eq!(heard.newest(), 9);
    }
}
