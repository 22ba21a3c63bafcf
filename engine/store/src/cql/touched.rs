//! Which rows of the list may be behind: conversations that were appended to, in the order in which this process was
//! given the appends, and those that other processes left.
//! Invariant: while a conversation's row may be behind its log for an append of this process, its number stands in the
//! table, above every number that was handed out as looked at.
//!
//! There is no order of arrival in a cluster. Each process has one of its own: it is a *writer*, and numbers the
//! conversations that it appends to. A number covers all appends to its conversation until it is handed out. What a
//! writer has left behind, because it ended, is numbered anew by one that lives, so that it is looked at there: see
//! `writers.rs`.
//!
//! A cursor is a place in a walk over all conversations, which makes a list anew, or behind that walk a number of this
//! writer's.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicI32, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use futures_util::stream::{self, StreamExt, TryStreamExt};
use schema::{ConversationId, ConversationKey, Seq, TenantId};
use uuid::Uuid;

use super::clock::Here;
use super::core::{Core, names};
use super::failure::odd;
use super::segments::number;
use super::writers::{Heard, SLOW};
use crate::{Behind, LogCursor, Projection, StoreError};

/// Numbers in a partition.
pub(super) const CHUNK: u64 = 4_096;
/// Conversations that are compared with their rows at the same time.
const AT_ONCE: usize = 32;
/// Tries against others, or while writes fail and readings work.
const TRIES: usize = 16;
/// From here on a cursor is a number of this writer's.
const NUMBERS: u64 = 1 << 63;
/// The walk is over.
const WALKED: i64 = i64::MAX;

/// The order of this writer.
pub(super) struct Touched {
    pub(super) writer: Uuid,
    pub(super) heard: Heard,
    state: Mutex<State>,
    /// Up to here everything is in the rows.
    pub(super) done: AtomicU64,
    /// Up to here what was done is dropped.
    forgotten: AtomicU64,
    /// Of the rows that count; those of earlier ones were dropped.
    generation: AtomicI32,
}

#[derive(Default)]
struct State {
    newest: u64,
    /// Up to here cursors were given out.
    handed: u64,
    /// Up to here others may have taken them over.
    floor: u64,
    /// Numbers that cover appends under way, and how many.
    under_way: BTreeMap<u64, usize>,
}

/// An append under way is covered by a number, which is not handed out meanwhile.
pub(super) struct Covered<'a> {
    touched: &'a Touched,
    number: u64,
    began: Here,
}

impl Touched {
    pub(super) fn new(generation: i32) -> Self {
        let generation = AtomicI32::new(generation);
        let (state, heard) = (Mutex::default(), Heard::default());
        let (done, forgotten) = (AtomicU64::new(0), AtomicU64::new(0));
        Self { writer: Uuid::now_v7(), heard, state, done, forgotten, generation }
    }

    /// The generation of rows that count.
    pub(super) fn generation(&self) -> i32 {
        self.generation.load(Ordering::Relaxed)
    }

    /// Covers an append to a conversation that was told of under `known` last. Whether its number is a new one, and is
    /// to be written down.
    fn cover(&self, known: u64) -> (Covered<'_>, bool) {
        let mut state = self.lock();
        let is_new = known <= state.handed.max(state.floor);
        if is_new {
            state.newest += 1;
        }
        let number = if is_new { state.newest } else { known };
        *state.under_way.entry(number).or_default() += 1;
        drop(state);
        (Covered { touched: self, number, began: Here::now() }, is_new)
    }

    /// The number that was given last.
    pub(super) fn newest(&self) -> u64 {
        self.lock().newest
    }

    /// No number that was given until now covers what is appended from now on.
    pub(super) fn give_up(&self) {
        let mut state = self.lock();
        state.floor = state.newest;
    }

    /// Hands out the numbers after `after`, `count` at most, below all that are under way. Up to which, and whether that
    /// is all.
    fn hand_out(&self, after: u64, count: u64) -> (u64, bool) {
        let mut state = self.lock();
        let settled = state.under_way.keys().next().map_or(state.newest, |first| first - 1);
        let to = after.saturating_add(count).min(settled).max(after);
        state.handed = state.handed.max(to);
        (to, to >= settled)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Each change leaves it whole.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Covered<'_> {
    /// Whether it took so long that the number may have been taken over before the append was done.
    pub(super) fn is_late(&self) -> bool {
        Here::now().since(self.began) > SLOW
    }
}

impl Drop for Covered<'_> {
    fn drop(&mut self) {
        let mut state = self.touched.lock();
        if let Some(count) = state.under_way.get_mut(&self.number) {
            *count -= 1;
            if *count == 0 {
                state.under_way.remove(&self.number);
            }
        }
    }
}

impl Core {
    /// Sees that a conversation, which is about to be appended to, stands among the touched ones.
    pub(super) async fn touch(&self, key: ConversationKey) -> Result<Covered<'_>, StoreError> {
        self.see_that_it_is_heard().await?;
        let known = self.places.touched(key);
        self.touch_after(key, known).await
    }

    /// The same, under a number of its own, whatever covers it already.
    pub(super) async fn touch_anew(&self, key: ConversationKey) -> Result<(), StoreError> {
        self.see_that_it_is_heard().await?;
        self.touch_after(key, 0).await.map(drop)
    }

    async fn touch_after(&self, key: ConversationKey, known: u64) -> Result<Covered<'_>, StoreError> {
        let (covered, is_new) = self.touched.cover(known);
        if is_new {
            if covered.number / CHUNK > self.touched.heard.newest() / CHUNK {
                // Whoever takes over what is left looks as far as was told.
                self.beat().await?;
            }
            let (tenant, id) = names(&key);
            let (chunk, number) = (number(covered.number / CHUNK), number(covered.number));
            let values = (self.touched.writer, chunk, number, tenant, id);
            self.link.write(&self.statements.note_touched, values).await?;
            self.places.touch(key, covered.number);
        }
        Ok(covered)
    }

    /// Where the next look begins.
    pub(super) async fn cursor(&self, projection: Projection) -> Result<LogCursor, StoreError> {
        let state = self.projection(projection).await?;
        self.touched.generation.store(state.generation, Ordering::Relaxed);
        Ok(match state.walked {
            WALKED => LogCursor(NUMBERS | self.touched.done.load(Ordering::Relaxed)),
            token => walked(token),
        })
    }

    /// Conversations whose rows are behind, among the next ones after a cursor.
    pub(super) async fn behind(&self, after: LogCursor, count: usize) -> Result<Behind, StoreError> {
        if after.0 < NUMBERS {
            return self.behind_in_walk(after, count).await;
        }
        let from = after.0 & !NUMBERS;
        let (to, is_all) = self.touched.hand_out(from, count as u64);
        let mut keys: Vec<ConversationKey> = Vec::new();
        let mut at = from;
        while at < to {
            let chunk = (at + 1) / CHUNK;
            let last = to.min((chunk + 1) * CHUNK - 1);
            let limit = i32::try_from(last - at).unwrap_or(i32::MAX);
            let values = (self.touched.writer, number(chunk), number(at), limit);
            let found =
                self.link.all::<(i64, Option<Vec<u8>>, Option<Vec<u8>>)>(&self.statements.touched, values).await?;
            for (touched, tenant, id) in found {
                if touched <= number(last) {
                    keys.extend(key(tenant, id).ok());
                }
            }
            at = last;
        }
        keys.sort_unstable();
        keys.dedup();
        // What others have appended to them is for them to look at.
        keys.retain(|key| !self.places.is_listed(*key));
        Ok(Behind { keys: self.only_behind(keys).await?, cursor: LogCursor(NUMBERS | to), is_all })
    }

    async fn behind_in_walk(&self, after: LogCursor, count: usize) -> Result<Behind, StoreError> {
        let count = count.max(1);
        let limit = i32::try_from(count).unwrap_or(i32::MAX);
        let values = (token(after), limit);
        let found = self.link.all::<(Option<Vec<u8>>, Option<Vec<u8>>, i64)>(&self.statements.walk, values).await?;
        let is_over = found.len() < count;
        let last = found.last().map(|(.., token)| *token);
        // What cannot be read leads nowhere, and holds up no other one.
        let keys = found.into_iter().filter_map(|(tenant, id, _)| key(tenant, id).ok()).collect();
        let keys = self.only_behind(keys).await?;
        // Behind the walk comes what was appended to meanwhile.
        let numbers = LogCursor(NUMBERS | self.touched.done.load(Ordering::Relaxed));
        let cursor = if is_over { numbers } else { last.map_or(numbers, walked) };
        Ok(Behind { keys, cursor, is_all: false })
    }

    /// Those whose logs go beyond their rows, and those of which that cannot be read: whoever brings them on goes on with
    /// the others.
    async fn only_behind(&self, keys: Vec<ConversationKey>) -> Result<Vec<ConversationKey>, StoreError> {
        let compared = stream::iter(keys).map(|key| async move {
            match futures_util::try_join!(self.row_head(key), self.head(key)) {
                Ok((row, head)) => Ok((key, head > row)),
                Err(StoreError::Corrupt(_)) => Ok((key, true)),
                Err(error) => Err(error),
            }
        });
        let compared =
            compared.buffered(AT_ONCE).try_filter_map(|(key, is_behind)| async move { Ok(is_behind.then_some(key)) });
        compared.try_collect().await
    }

    /// The newest event of a conversation; 0 when it is not there.
    async fn head(&self, key: ConversationKey) -> Result<Seq, StoreError> {
        let Some((log, tail)) = self.log(key).await? else { return Ok(0) };
        Ok(self.tail(log, tail).await?.live().map_or(0, |segment| segment.head))
    }

    /// Everything up to a cursor is in the rows.
    pub(super) async fn advance(&self, projection: Projection, cursor: LogCursor) -> Result<(), StoreError> {
        let to = if cursor.0 < NUMBERS { token(cursor) } else { WALKED };
        let mut is_told = false;
        for _ in 0..TRIES {
            let state = self.projection(projection).await?;
            let is_ours = state.generation == self.touched.generation() && state.version == version(projection);
            if !is_ours {
                // All rows are made anew, by somebody else: what these numbers stand for may not be in the new ones.
                return Ok(());
            }
            is_told =
                state.walked >= to || self.set_projection(projection, state, Walk { walked: to, ..state }).await?;
            if is_told {
                break;
            }
        }
        if !is_told {
            return Err(StoreError::Busy);
        }
        if cursor.0 >= NUMBERS {
            let Touched { writer, done: told, forgotten, .. } = &self.touched;
            let (done, before) = (cursor.0 & !NUMBERS, forgotten.load(Ordering::Relaxed));
            told.fetch_max(done, Ordering::Relaxed);
            // What could not be dropped is dropped the next time.
            if done > before {
                self.beat().await?;
                self.forget_touched(*writer, before, done).await?;
                forgotten.fetch_max(done, Ordering::Relaxed);
            }
        }
        Ok(())
    }

    /// Drops all rows, and begins a walk over all conversations.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] where another node is at work: it would go on with the rows that are dropped.
    pub(super) async fn reset(&self, projection: Projection) -> Result<(), StoreError> {
        self.see_that_nobody_else_lives().await?;
        for _ in 0..TRIES {
            let state = self.projection(projection).await?;
            let (generation, version) = (state.generation + 1, version(projection));
            let anew = Walk { generation, version, walked: i64::MIN };
            if self.set_projection(projection, state, anew).await? {
                self.places.forget_listed();
                self.touched.generation.store(generation, Ordering::Relaxed);
                return Ok(());
            }
        }
        Err(StoreError::Busy)
    }

    /// How far a projection's rows go. One of an earlier version begins anew.
    pub(super) async fn projection(&self, projection: Projection) -> Result<Walk, StoreError> {
        for _ in 0..TRIES {
            let found = self
                .link
                .one::<(Option<i32>, Option<i32>, Option<i64>)>(&self.statements.projection, (projection.name(),))
                .await?;
            let version = version(projection);
            match found {
                None => {
                    let values = (projection.name(), 1, version, i64::MIN);
                    settled(self.link.decide(&self.statements.open_projection, values).await)?;
                }
                Some((Some(generation), Some(found), Some(walked))) => {
                    let state = Walk { generation, version: found, walked };
                    if found >= version {
                        return Ok(state);
                    }
                    let anew = Walk { generation: generation + 1, version, walked: i64::MIN };
                    self.set_projection(projection, state, anew).await?;
                }
                Some(_) => return Err(odd("a projection")),
            }
        }
        Err(StoreError::Busy)
    }

    async fn set_projection(&self, projection: Projection, from: Walk, to: Walk) -> Result<bool, StoreError> {
        let values =
            (to.generation, to.version, to.walked, projection.name(), from.generation, from.version, from.walked);
        settled(self.link.decide(&self.statements.set_projection, values).await)
    }
}

/// How far a projection's rows go.
#[derive(Clone, Copy)]
pub(super) struct Walk {
    pub(super) generation: i32,
    pub(super) version: i32,
    walked: i64,
}

fn version(projection: Projection) -> i32 {
    i32::try_from(projection.version()).unwrap_or(i32::MAX)
}

/// What was left open is looked at again.
fn settled(decided: Result<bool, StoreError>) -> Result<bool, StoreError> {
    match decided {
        Err(StoreError::Unknown(_)) => Ok(false),
        decided => decided,
    }
}

/// The cursor behind a token. Tokens have 64 bits, and a cursor one less for them: of two conversations whose tokens
/// differ in the last bit alone the second is passed over, one in 10¹² times that ten million are walked over.
fn walked(token: i64) -> LogCursor {
    LogCursor((token.wrapping_sub(i64::MIN) as u64) >> 1)
}

/// The token from which a walk goes on.
fn token(cursor: LogCursor) -> i64 {
    if cursor.0 == 0 { i64::MIN } else { (((cursor.0 << 1) | 1) as i64).wrapping_add(i64::MIN) }
}

pub(super) fn key(tenant: Option<Vec<u8>>, id: Option<Vec<u8>>) -> Result<ConversationKey, StoreError> {
    let whole = |bytes: Option<Vec<u8>>| <[u8; 16]>::try_from(bytes?).ok();
    let (Some(tenant), Some(id)) = (whole(tenant), whole(id)) else { return Err(odd("a conversation's name")) };
    Ok(ConversationKey { tenant: TenantId::from_bytes(tenant), conversation: ConversationId::from_bytes(id) })
}

#[cfg(test)]
#[path = "touched_tests.rs"]
mod tests;
