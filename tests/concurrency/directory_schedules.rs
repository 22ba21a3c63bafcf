//! Worker threads that look for one conversation, listen to it, leave it, let it rest and crash it: never do
//! two of it live at once, and nobody who listens is forgotten.

use std::rc::Rc;
use std::sync::Arc;

use schema::SessionId;
use shuttle::future::{block_on, yield_now};
use shuttle::thread;

use crate::check;
use crate::directory::Parting;
use crate::life::{Life, Thread, World};

const THREADS: usize = 3;
const ROUNDS: usize = 2;

/// As a session does: again, while it restarts.
async fn joined(thread: &Rc<Thread>, session: SessionId) -> Life {
    loop {
        if let Ok(life) = thread.find_here().await
            && life.join(session)
        {
            return life;
        }
        yield_now().await;
    }
}

/// Whether one of the threads crashes it, and whether the directory hears of that late.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Crashes {
    Never,
    InTime,
    Late,
}

/// What one thread does; gives the session that still listens at its end.
async fn live(thread: Rc<Thread>, crashes: Crashes) -> SessionId {
    let world = Arc::clone(&thread.world);
    for _ in 0..ROUNDS {
        let session = SessionId::generate();
        let life = joined(&thread, session).await;
        if crashes != Crashes::Never {
            life.crash(&thread, crashes == Crashes::Late).await;
        }
        yield_now().await;
        world.directory.leave(world.key, session);
        life.rest();
    }
    let session = SessionId::generate();
    joined(&thread, session).await;
    session
}

fn begin(id: usize, world: &Arc<World>) -> Rc<Thread> {
    Rc::new(Thread { id, world: Arc::clone(world) })
}

/// Those of the first thread alone.
fn of(id: usize, crashes: Crashes) -> Crashes {
    if id == 0 { crashes } else { Crashes::Never }
}

fn lives(crashes: Crashes) {
    let world = World::new();
    let threads: Vec<_> = (0..THREADS)
        .map(|id| {
            let world = Arc::clone(&world);
            thread::spawn(move || block_on(live(begin(id, &world), of(id, crashes))))
        })
        .collect();
    let listening: Vec<SessionId> = threads.into_iter().map(|thread| thread.join().unwrap()).collect();
    let thread = begin(THREADS, &world);
    block_on(async {
        loop {
            if let Ok(life) = thread.find().await {
                let heard = life.listening();
                if listening.iter().all(|session| heard.contains(session) || world.has_told(*session)) {
                    return;
                }
                assert!(crashes != Crashes::Never, "{listening:?} listen, and {heard:?} are known");
            }
            // A restart is on its way.
            yield_now().await;
        }
    });
}

/// Takes it out of reach, as somebody does who erases it from the store.
async fn erase(world: Arc<World>) {
    let key = world.key;
    loop {
        match world.directory.part(key) {
            Parting::Awake(life) => break life.end().await,
            Parting::Nowhere(_) => break,
            Parting::Erasing => return,
            // It is being started.
            Parting::Waking(_) => yield_now().await,
        }
    }
    for _ in 0..2 {
        assert_eq!(world.alive(), 0, "it lives while it is erased");
        yield_now().await;
    }
    world.directory.parted(key);
}

fn is_erased_meanwhile(crashes: Crashes) {
    let world = World::new();
    let mut threads: Vec<_> = (0..THREADS)
        .map(|id| {
            let world = Arc::clone(&world);
            thread::spawn(move || {
                let _ = block_on(live(begin(id, &world), of(id, crashes)));
            })
        })
        .collect();
    for _ in 0..2 {
        let world = Arc::clone(&world);
        threads.push(thread::spawn(move || block_on(erase(world))));
    }
    threads.into_iter().for_each(|thread| thread.join().unwrap());
    let thread = begin(THREADS, &world);
    // Whoever comes later finds what the store says, and is not kept out for ever.
    block_on(joined(&thread, SessionId::generate()));
}

#[test]
fn nobody_brings_it_to_life_while_it_is_erased() {
    check(|| is_erased_meanwhile(Crashes::Never));
}

#[test]
fn the_same_when_it_crashes_meanwhile() {
    check(|| is_erased_meanwhile(Crashes::InTime));
}

#[test]
fn one_lives_at_a_time_and_nobody_is_forgotten() {
    check(|| lives(Crashes::Never));
}

#[test]
fn the_same_when_it_crashes() {
    check(|| lives(Crashes::InTime));
}

#[test]
fn the_same_when_word_of_the_crash_comes_late() {
    check(|| lives(Crashes::Late));
    check(|| is_erased_meanwhile(Crashes::Late));
}
