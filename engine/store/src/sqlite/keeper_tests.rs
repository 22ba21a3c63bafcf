//! What a panic costs the keeper: never an end, and a chore only where it came from that.

use std::future::ready;

use engine_privacy::{Installation, Key, Keys, KeysError, MemoryKeys};

use super::*;

/// Keys whose end panics.
#[derive(Default)]
struct Brittle(MemoryKeys);

impl Keys for Brittle {
    fn installation(&self) -> Installation {
        self.0.installation()
    }

    fn allot(&self, count: usize) -> Result<Vec<KeyNumber>, KeysError> {
        self.0.allot(count)
    }

    fn open(&self, id: KeyNumber) -> Result<Key, KeysError> {
        self.0.open(id)
    }

    fn end(&self, _: &[KeyNumber]) -> Result<(), KeysError> {
        std::panic::panic_any("a test asked for it")
    }

    fn ended(&self) -> u64 {
        self.0.ended()
    }
}

/// A keeper whose store is closed: what it asks of that fails at once.
fn keeper() -> Keeper {
    let queues = Queues::new(4);
    queues.readers.close();
    queues.writer.close();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let sealing = Sealing::new(Arc::new(Brittle::default()));
    Keeper::new(Arc::new(Queue::new("keeper", 4, usize::MAX)), queues, Arc::new(sealing), runtime)
}

#[test]
fn ends_in_hand_are_owed_after_a_panic_and_the_chore_stays() {
    for chore in [Chore::End, Chore::Remove(7), Chore::Strip(9), Chore::Rewrite, Chore::Rest] {
        let mut keeper = keeper();
        keeper.chore = chore;
        let id = keeper.sealing.take_spare().unwrap();
        let (reply, mut answer) = oneshot::channel();
        let written: Pending<Vec<KeyNumber>> = Box::pin(ready(Ok(vec![id])));
        assert!(keeper.queue.push(Work::End { written, reply }, 0).is_ok());
        keeper.queue.close();
        keeper.run();
        assert!(answer.try_recv().is_err(), "nobody was told that it has ended");
        assert!(keeper.owes && !keeper.shuns, "{chore:?}");
        assert_eq!(keeper.chore, chore);
    }
}

#[test]
fn what_panics_makes_way_for_the_rest() {
    for (doing, chore, next, shuns, pause) in [
        (Doing::Served, Chore::Seal, Chore::Seal, false, RETRY_AFTER),
        (Doing::Chore, Chore::Remove(7), Chore::Seal, false, RETRY_AFTER),
        (Doing::Chore, Chore::End, Chore::Remove(0), true, RETRY_AFTER),
        (Doing::Owed, Chore::Seal, Chore::Seal, true, RETRY_AFTER),
        (Doing::Owed, Chore::Rest, Chore::Rest, true, REWRITE_AFTER),
    ] {
        let mut keeper = keeper();
        (keeper.doing, keeper.chore) = (doing, chore);
        keeper.panicked();
        let seen = (keeper.owes, keeper.chore, keeper.shuns, keeper.pause);
        assert_eq!(seen, (true, next, shuns, pause), "{doing:?} {chore:?}");
        // What is tried next: the ends that are owed, unless it was these.
        keeper.go_on();
        let tried = if !shuns || next == Chore::Rest { Doing::Owed } else { Doing::Chore };
        assert_eq!(keeper.doing, tried, "{doing:?} {chore:?}");
    }
}
