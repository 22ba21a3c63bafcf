//! A bounded queue between callers and a store thread.
//! Invariant: a push never waits; a full queue says so, and a closed one gives out what it still holds.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use metrics::{Gauge, Histogram};

use super::metrics::{QUEUE_DEPTH, QUEUE_WAIT_SECONDS};
use super::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// Bounded in items and in bytes. One item larger than all the bytes is let in when it is alone.
pub(super) struct Queue<T> {
    state: Mutex<State<T>>,
    filled: Condvar,
    items_max: usize,
    bytes_max: usize,
    depth: Gauge,
    wait: Histogram,
}

struct State<T> {
    items: VecDeque<Waiting<T>>,
    bytes: usize,
    closed: bool,
}

struct Waiting<T> {
    item: T,
    bytes: usize,
    since: Instant,
}

/// Why an item was not taken.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Refused {
    Full,
    Closed,
}

/// What waiting for an item came to.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Taken<T> {
    Item(T),
    /// Nothing came in the time given.
    Idle,
    /// Closed and empty: nothing will ever come.
    Closed,
}

/// How much one batch may hold.
#[derive(Clone, Copy)]
pub(super) struct BatchLimits {
    pub(super) weight_max: usize,
    pub(super) bytes_max: usize,
}

impl<T> Queue<T> {
    pub(super) fn new(name: &'static str, items_max: usize, bytes_max: usize) -> Self {
        Self {
            state: Mutex::new(State { items: VecDeque::new(), bytes: 0, closed: false }),
            filled: Condvar::new(),
            items_max,
            bytes_max,
            depth: metrics::gauge!(QUEUE_DEPTH, "queue" => name),
            wait: metrics::histogram!(QUEUE_WAIT_SECONDS, "queue" => name),
        }
    }

    /// Puts `item` last; `bytes` is what it holds on to.
    pub(super) fn push(&self, item: T, bytes: usize) -> Result<(), Refused> {
        let mut state = self.lock();
        if state.closed {
            return Err(Refused::Closed);
        }
        let too_heavy = state.bytes + bytes > self.bytes_max && !state.items.is_empty();
        if state.items.len() >= self.items_max || too_heavy {
            return Err(Refused::Full);
        }
        state.bytes += bytes;
        state.items.push_back(Waiting { item, bytes, since: Instant::now() });
        drop(state);
        self.depth.increment(1);
        self.filled.notify_one();
        Ok(())
    }

    /// The first item, as soon as there is one.
    pub(super) fn take(&self) -> Taken<T> {
        let mut state = self.lock();
        loop {
            if let Some(first) = state.items.pop_front() {
                return Taken::Item(self.hand_out(&mut state, first));
            }
            if state.closed {
                return Taken::Closed;
            }
            state = self.filled.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Like [`Queue::take`], but gives up after `patience`.
    pub(super) fn take_within(&self, patience: Duration) -> Taken<T> {
        let (mut state, _) = self
            .filled
            .wait_timeout_while(self.lock(), patience, |state| state.items.is_empty() && !state.closed)
            .unwrap_or_else(PoisonError::into_inner);
        match state.items.pop_front() {
            Some(first) => Taken::Item(self.hand_out(&mut state, first)),
            None if state.closed => Taken::Closed,
            None => Taken::Idle,
        }
    }

    /// Moves what already waits behind `batch[0]` into `batch`, as long as it fits. Never waits.
    pub(super) fn drain_into(&self, batch: &mut Vec<T>, limits: BatchLimits, cost: impl Fn(&T) -> (usize, usize)) {
        let (mut weight, mut bytes) = batch.iter().map(&cost).fold((0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1));
        let mut state = self.lock();
        while let Some(next) = state.items.front() {
            let (next_weight, next_bytes) = cost(&next.item);
            weight += next_weight;
            bytes += next_bytes;
            if weight > limits.weight_max || bytes > limits.bytes_max {
                break;
            }
            let Some(next) = state.items.pop_front() else { break };
            let item = self.hand_out(&mut state, next);
            batch.push(item);
        }
    }

    /// Refuses every later push. What is inside can still be taken.
    pub(super) fn close(&self) {
        self.lock().closed = true;
        self.filled.notify_all();
    }

    fn hand_out(&self, state: &mut State<T>, waiting: Waiting<T>) -> T {
        state.bytes -= waiting.bytes;
        self.depth.decrement(1);
        self.wait.record(waiting.since.elapsed());
        waiting.item
    }

    // A thread that panicked while it held the lock left the deque whole: each change is one call.
    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
