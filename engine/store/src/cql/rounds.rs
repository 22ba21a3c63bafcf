//! How far the rounds of tidying have come, in each part of what is noted.
//! Invariant: a round goes on behind the one before, so that what cannot be finished holds up nothing that comes after.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use scylla::response::PagingState;

/// Where the next rounds begin.
#[derive(Default)]
pub(super) struct Rounds {
    endings: Mutex<HashMap<u8, PagingState>>,
    keys: Mutex<HashMap<u8, PagingState>>,
}

impl Rounds {
    /// Where the next round of endings begins in a part.
    pub(super) fn endings(&self, part: u8) -> PagingState {
        next(&self.endings, part)
    }

    /// Where the one after it begins; from the beginning where there is nothing left.
    pub(super) fn endings_from(&self, part: u8, from: Option<PagingState>) {
        set(&self.endings, part, from);
    }

    /// Where the next round of keys begins in a part.
    pub(super) fn keys(&self, part: u8) -> PagingState {
        next(&self.keys, part)
    }

    /// Where the one after it begins; from the beginning where there is nothing left.
    pub(super) fn keys_from(&self, part: u8, from: Option<PagingState>) {
        set(&self.keys, part, from);
    }
}

fn next(rounds: &Mutex<HashMap<u8, PagingState>>, part: u8) -> PagingState {
    rounds.lock().unwrap_or_else(PoisonError::into_inner).remove(&part).unwrap_or_else(PagingState::start)
}

fn set(rounds: &Mutex<HashMap<u8, PagingState>>, part: u8, from: Option<PagingState>) {
    if let Some(from) = from {
        rounds.lock().unwrap_or_else(PoisonError::into_inner).insert(part, from);
    }
}
