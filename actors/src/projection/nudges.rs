//! Conversations of which was said that their logs go on: each once, in order, bounded in number, with the events as far
//! as there is room for them. Each word has a number, so that whoever waits knows when everything said before has been
//! taken in.
//! Invariant: what was said is waiting, in hand, or to be looked for, until it is done.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use schema::{ConversationKey, Event, limits};
use tokio::sync::watch;

use super::told::Told;

/// What was said and is not done.
///
/// A nudge is *waiting* for its batch, then *in hand*, then done; or it was *missed* for want of room, and a *look*
/// that began later does it. `reached` is the highest number below which nothing is waiting, in hand or missed: whoever
/// waits for a number finds everything done that was said before it.
#[derive(Default)]
pub(super) struct Nudges {
    state: Mutex<State>,
    /// Up to here everything is done.
    reached: watch::Sender<u64>,
}

struct State {
    /// The number of the last word.
    newest: u64,
    /// Each with the number of the first word about it; a key stands here once.
    waiting: VecDeque<(u64, ConversationKey)>,
    /// What was said of those that wait.
    told: HashMap<ConversationKey, Told>,
    /// What all of that weighs.
    told_bytes: usize,
    /// The number from which on a batch in hand was said.
    in_hand: Option<u64>,
    /// The number from which on something was not kept, and has to be looked for …
    missed: Option<u64>,
    /// … and the same for the look that is under way.
    looking: Option<u64>,
}

impl Default for State {
    fn default() -> Self {
        // What came before this process began has to be looked for.
        let (waiting, told) = (VecDeque::new(), HashMap::new());
        Self { newest: 1, waiting, told, told_bytes: 0, in_hand: None, missed: Some(1), looking: None }
    }
}

impl State {
    fn reached(&self) -> u64 {
        let first = self.waiting.front().map(|(number, _)| *number);
        let open = [first, self.in_hand, self.missed, self.looking].into_iter().flatten().min();
        open.map_or(self.newest, |open| open.saturating_sub(1))
    }
}

impl Nudges {
    /// A conversation's log goes on with these events. False when there is no room to remember which one it is: it has
    /// to be looked for.
    pub(super) fn nudge(&self, key: ConversationKey, events: &Arc<[Event]>) -> bool {
        let mut state = self.lock();
        state.newest += 1;
        let State { newest, waiting, told, told_bytes, missed, .. } = &mut *state;
        if waiting.len() >= limits::PROJECTION_WAITING_MAX && !told.contains_key(&key) {
            missed.get_or_insert(*newest);
            return false;
        }
        let told = told.entry(key).or_insert_with(|| {
            waiting.push_back((*newest, key));
            Told::default()
        });
        let room = limits::PROJECTION_TOLD_BYTES.saturating_sub(*told_bytes);
        *told_bytes = told_bytes.saturating_add_signed(told.add(events, room));
        true
    }

    /// Conversations that wait for a batch.
    pub(super) fn waiting(&self) -> usize {
        self.lock().waiting.len()
    }

    /// The number of the last word.
    pub(super) fn newest(&self) -> u64 {
        self.lock().newest
    }

    /// Completes when everything up to a number is done.
    pub(super) async fn reached(&self, number: u64) {
        // The sender is here, so it does not end.
        let _ = self.reached.subscribe().wait_for(|reached| *reached >= number).await;
    }

    /// Takes the first ones in hand. What is said of them from now on is another word.
    pub(super) fn take(&self, count: usize) -> Vec<(ConversationKey, Told)> {
        let mut state = self.lock();
        let count = count.min(state.waiting.len());
        state.in_hand = state.waiting.front().map(|(number, _)| *number);
        let State { waiting, told, told_bytes, .. } = &mut *state;
        let taken = waiting.drain(..count).map(|(_, key)| {
            let told = told.remove(&key).unwrap_or(Told::NOTHING);
            *told_bytes = told_bytes.saturating_sub(told.bytes());
            (key, told)
        });
        taken.collect()
    }

    /// What was in hand is done.
    pub(super) fn done(&self) {
        self.change(|state| state.in_hand = None);
    }

    /// What was in hand could not be done: it has to be looked for.
    pub(super) fn failed(&self) {
        self.change(|state| state.missed = [state.missed, state.in_hand.take()].into_iter().flatten().min());
    }

    /// Whether something has to be looked for.
    pub(super) fn has_missed(&self) -> bool {
        self.lock().missed.is_some()
    }

    /// A look begins: it will see everything that was said so far.
    pub(super) fn look(&self) {
        self.change(|state| state.looking = state.missed.take());
    }

    /// It has seen everything, or has not.
    pub(super) fn looked(&self, all: bool) {
        self.change(|state| {
            let looking = state.looking.take();
            if !all {
                state.missed = [state.missed, looking].into_iter().flatten().min();
            }
        });
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        let reached = {
            let mut state = self.lock();
            change(&mut state);
            state.reached()
        };
        self.reached.send_if_modified(|known| {
            let moved = reached > *known;
            *known = reached.max(*known);
            moved
        });
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use schema::{ConversationId, TenantId};

    use super::*;

    fn keys(count: usize) -> Vec<ConversationKey> {
        let tenant = TenantId::generate();
        (0..count).map(|_| ConversationKey { tenant, conversation: ConversationId::generate() }).collect()
    }

    fn nudge(nudges: &Nudges, key: ConversationKey) -> bool {
        nudges.nudge(key, &Arc::default())
    }

    fn taken(nudges: &Nudges, count: usize) -> Vec<ConversationKey> {
        nudges.take(count).into_iter().map(|(key, _)| key).collect()
    }

    fn looked_once() -> Nudges {
        let nudges = Nudges::default();
        nudges.look();
        nudges.looked(true);
        nudges
    }

    fn reached(nudges: &Nudges) -> u64 {
        *nudges.reached.borrow()
    }

    #[test]
    fn nothing_is_reached_before_the_first_look() {
        let nudges = Nudges::default();
        assert!(nudges.has_missed());
        assert!(nudge(&nudges, keys(1)[0]));
        nudges.take(9);
        nudges.done();
        assert_eq!(reached(&nudges), 0);
        nudges.look();
        nudges.looked(false);
        assert!((nudges.has_missed(), reached(&nudges)) == (true, 0), "it has not seen all");
        nudges.look();
        nudges.looked(true);
        assert_eq!((nudges.has_missed(), reached(&nudges)), (false, nudges.newest()));
    }

    #[test]
    fn a_conversation_waits_once_and_comes_in_turn() {
        let (nudges, keys) = (looked_once(), keys(3));
        for n in [0, 1, 0, 2, 1, 0] {
            assert!(nudge(&nudges, keys[n]));
        }
        let all = nudges.newest();
        assert_eq!(nudges.waiting(), 3);
        assert_eq!(taken(&nudges, 2), keys[..2]);
        // What is said of one in hand is not done with it.
        assert!(nudge(&nudges, keys[0]));
        nudges.done();
        assert!(reached(&nudges) < all, "the third one waits");
        assert_eq!(taken(&nudges, 9), [keys[2], keys[0]]);
        assert!(reached(&nudges) < all, "it is in hand");
        nudges.done();
        assert_eq!((reached(&nudges), nudges.waiting()), (nudges.newest(), 0));
    }

    #[test]
    fn what_has_no_room_is_to_be_looked_for() {
        let nudges = looked_once();
        let many = keys(limits::PROJECTION_WAITING_MAX + 2);
        let (fits, more) = many.split_at(limits::PROJECTION_WAITING_MAX);
        assert!(fits.iter().all(|key| nudge(&nudges, *key)));
        assert!(nudge(&nudges, fits[7]), "it waits already");
        let before = nudges.newest();
        assert!(!nudge(&nudges, more[0]) && nudges.has_missed());
        nudges.look();
        // Said after the look began, so it may not have been seen.
        assert!(!nudge(&nudges, more[1]));
        nudges.take(many.len());
        nudges.done();
        assert_eq!(reached(&nudges), before);
        nudges.looked(true);
        assert_eq!(reached(&nudges), before + 1);
        nudges.look();
        nudges.looked(true);
        assert_eq!(reached(&nudges), nudges.newest());
    }

    #[test]
    fn what_failed_is_to_be_looked_for() {
        let (nudges, keys) = (looked_once(), keys(2));
        assert!(nudge(&nudges, keys[0]));
        let before = nudges.newest() - 1;
        nudges.take(9);
        nudges.failed();
        assert!(nudges.has_missed());
        assert!(nudge(&nudges, keys[1]));
        nudges.take(9);
        nudges.done();
        assert_eq!(reached(&nudges), before);
        nudges.look();
        nudges.looked(true);
        assert_eq!(reached(&nudges), nudges.newest());
    }
}
