//! What is remembered of conversations, so that an append need not read first: which log one has, and for those that
//! are owned here, where that ends.
//! Invariant: all of it may be old or lost. What is written is written under a condition, and what is old fails it.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use schema::{ConversationKey, Epoch, Seq};
use uuid::Uuid;

use super::due_write::Due;

/// Conversations remembered, about 200 bytes each; past it the memory starts anew.
const REMEMBERED_MAX: usize = 65_536;

/// The end of a log that is owned here.
#[derive(Clone, Copy, Debug)]
pub(super) struct LogEnd {
    pub(super) log: Uuid,
    pub(super) epoch: Epoch,
    /// The segment that is appended to, …
    pub(super) segment: i32,
    /// … the seq of its first event, …
    pub(super) first: Seq,
    /// … and how much is in it.
    pub(super) bytes: u64,
    pub(super) head: Seq,
    /// When it is due, and the mark of the row that said so last. Somebody else may have moved it since.
    pub(super) due: Due,
}

#[derive(Clone, Copy, Debug)]
struct Place {
    log: Uuid,
    /// Its last segment, as far as is known.
    tail: i32,
    end: Option<LogEnd>,
    /// The number under which it was last told to be touched.
    touched: u64,
    /// Up to here its row was brought on, by this process.
    listed: Seq,
}

/// What is remembered of conversations.
#[derive(Default)]
pub(super) struct Places(Mutex<HashMap<ConversationKey, Place>>);

impl Places {
    /// The log of a conversation and its last segment, as far as is remembered.
    pub(super) fn log(&self, key: ConversationKey) -> Option<(Uuid, i32)> {
        self.lock().get(&key).map(|place| (place.log, place.tail))
    }

    /// Remembers the log of a conversation.
    pub(super) fn found(&self, key: ConversationKey, log: Uuid, tail: i32) {
        let mut places = self.lock();
        match places.get_mut(&key).filter(|place| place.log == log) {
            Some(place) => place.tail = place.tail.max(tail),
            None => insert(&mut places, key, Place { log, tail, end: None, touched: 0, listed: 0 }),
        }
    }

    /// The end of a log that is owned here under an epoch.
    pub(super) fn end(&self, key: ConversationKey, epoch: Epoch) -> Option<LogEnd> {
        self.lock().get(&key)?.end.filter(|end| end.epoch == epoch)
    }

    /// The newest event of a conversation that is owned here, as far as is remembered: it has that many, or more.
    pub(super) fn head(&self, key: ConversationKey) -> Option<Seq> {
        self.lock().get(&key)?.end.map(|end| end.head)
    }

    /// Remembers where a log ends, unless a later owner of it is known.
    pub(super) fn ends(&self, key: ConversationKey, end: LogEnd) {
        let mut places = self.lock();
        let Some(place) = places.get_mut(&key).filter(|place| place.log == end.log) else {
            let place = Place { log: end.log, tail: end.segment, end: Some(end), touched: 0, listed: 0 };
            insert(&mut places, key, place);
            return;
        };
        if place.end.is_none_or(|known| (known.epoch, known.head) <= (end.epoch, end.head)) {
            place.end = Some(end);
            place.tail = place.tail.max(end.segment);
        }
    }

    /// Something is sent that moves the end of a log: nothing is known of that until it is answered.
    pub(super) fn send(&self, key: ConversationKey) {
        if let Some(place) = self.lock().get_mut(&key) {
            place.end = None;
        }
    }

    /// A conversation's row was brought on here.
    pub(super) fn list(&self, key: ConversationKey, log: Uuid, head: Seq) {
        if let Some(place) = self.lock().get_mut(&key).filter(|place| place.log == log) {
            place.listed = place.listed.max(head);
        }
    }

    /// Whether a conversation's row surely tells of all that was appended to it here. What became of an append is not
    /// known where its end is not.
    pub(super) fn is_listed(&self, key: ConversationKey) -> bool {
        self.lock().get(&key).is_some_and(|place| place.end.is_some_and(|end| end.head == place.listed))
    }

    /// The rows are made anew.
    pub(super) fn forget_listed(&self) {
        self.lock().values_mut().for_each(|place| place.listed = 0);
    }

    /// The number under which a conversation was last told to be touched; 0 if it was not.
    pub(super) fn touched(&self, key: ConversationKey) -> u64 {
        self.lock().get(&key).map_or(0, |place| place.touched)
    }

    pub(super) fn touch(&self, key: ConversationKey, number: u64) {
        if let Some(place) = self.lock().get_mut(&key) {
            place.touched = place.touched.max(number);
        }
    }

    pub(super) fn forget(&self, key: ConversationKey) {
        self.lock().remove(&key);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<ConversationKey, Place>> {
        // Each change is one call, so that a panic leaves it whole.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn insert(places: &mut HashMap<ConversationKey, Place>, key: ConversationKey, place: Place) {
    if places.len() >= REMEMBERED_MAX && !places.contains_key(&key) {
        places.clear();
    }
    places.insert(key, place);
}
