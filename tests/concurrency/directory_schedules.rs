//! Worker threads that look for one conversation, listen to it, leave it, let it rest and crash it: never do
//! two of it live at once, and nobody who listens is forgotten.

use std::rc::Rc;
use std::sync::Arc;

use schema::{ConversationId, ConversationKey, SessionId, TenantId};
use shuttle::future::{block_on, yield_now};
use shuttle::thread;

use crate::check;
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

#[test]
fn one_lives_at_a_time_and_nobody_is_forgotten() {
    check(|| lives(false));
}

#[test]
fn the_same_when_it_crashes() {
    check(|| lives(true));
}
