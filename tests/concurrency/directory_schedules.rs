//! Worker threads that look for one conversation, listen to it, leave it, let it rest and crash it: never do
//! two of it live at once, and nobody who listens is forgotten.

use std::rc::Rc;
use std::sync::Arc;

use schema::{ConversationId, ConversationKey, SessionId, TenantId};
use shuttle::future::{block_on, yield_now};
use shuttle::thread;

use crate::check;
use crate::directory::Parting;
use crate::handle::ConversationHandle;
use crate::system::{System, Worker};

const THREADS: usize = 3;
const ROUNDS: usize = 2;

/// As a session does: again, while it restarts.
async fn joined(worker: &Rc<Worker>, session: SessionId) -> ConversationHandle {
    loop {
        let system = worker.system();
        if let Ok(handle) = system.directory().find_here(worker, system.key).await
            && handle.join(session).is_ok()
        {
            return handle;
        }
        yield_now().await;
    }
}

/// What one thread does; gives the session that still listens at its end.
async fn live(worker: Rc<Worker>, crashes: bool) -> SessionId {
    let system = Arc::clone(worker.system());
    for _ in 0..ROUNDS {
        let session = SessionId::generate();
        let handle = joined(&worker, session).await;
        if crashes {
            handle.crash(&worker);
        }
        yield_now().await;
        system.directory().leave(system.key, session);
        handle.rest();
    }
    let session = SessionId::generate();
    joined(&worker, session).await;
    session
}

fn lives(crashes: bool) {
    let key = ConversationKey { tenant: TenantId::generate(), conversation: ConversationId::generate() };
    let system = System::new(key);
    let threads: Vec<_> = (0..THREADS)
        .map(|id| {
            let system = Arc::clone(&system);
            thread::spawn(move || block_on(live(Rc::new(Worker::new(id, system)), crashes && id == 0)))
        })
        .collect();
    let listening: Vec<SessionId> = threads.into_iter().map(|thread| thread.join().unwrap()).collect();
    let worker = Rc::new(Worker::new(THREADS, Arc::clone(&system)));
    block_on(async {
        loop {
            if let Ok(handle) = system.directory().find(&worker, key).await {
                let heard = handle.listening();
                if listening.iter().all(|session| heard.contains(session)) {
                    return;
                }
                assert!(crashes, "{listening:?} listen, and {heard:?} are known");
            }
            // A restart is on its way.
            yield_now().await;
        }
    });
}

/// Takes it out of reach, as somebody does who erases it from the store.
async fn erase(system: Arc<System>) {
    let key = system.key;
    loop {
        match system.directory().part(key) {
            Parting::Awake(handle) => break handle.end().await,
            Parting::Nowhere(_) => break,
            Parting::Erasing => return,
            // It is being started.
            Parting::Waking(_) => yield_now().await,
        }
    }
    for _ in 0..2 {
        assert_eq!(system.alive(), 0, "it lives while it is erased");
        yield_now().await;
    }
    system.directory().parted(key);
}

fn is_erased_meanwhile(crashes: bool) {
    let key = ConversationKey { tenant: TenantId::generate(), conversation: ConversationId::generate() };
    let system = System::new(key);
    let mut threads: Vec<_> = (0..THREADS)
        .map(|id| {
            let system = Arc::clone(&system);
            thread::spawn(move || {
                let _ = block_on(live(Rc::new(Worker::new(id, system)), crashes && id == 0));
            })
        })
        .collect();
    for _ in 0..2 {
        let system = Arc::clone(&system);
        threads.push(thread::spawn(move || block_on(erase(system))));
    }
    threads.into_iter().for_each(|thread| thread.join().unwrap());
    let worker = Rc::new(Worker::new(THREADS, Arc::clone(&system)));
    // Whoever comes later finds what the store says, and is not kept out for ever.
    block_on(joined(&worker, SessionId::generate()));
}

#[test]
fn nobody_brings_it_to_life_while_it_is_erased() {
    check(|| is_erased_meanwhile(false));
}

#[test]
fn the_same_when_it_crashes_meanwhile() {
    check(|| is_erased_meanwhile(true));
}

#[test]
fn one_lives_at_a_time_and_nobody_is_forgotten() {
    check(|| lives(false));
}

#[test]
fn the_same_when_it_crashes() {
    check(|| lives(true));
}
