//! What the directory works with, reduced to what it sees of it: conversations that live, listen, move, rest
//! and crash, and a store that takes its time. The queue's metrics stand beside the directory's.

pub(crate) mod metrics {
    pub(crate) use engine_store::metrics::{QUEUE_DEPTH, QUEUE_WAIT_SECONDS};

    pub(crate) const CONVERSATION_MOVES: &str = "moves";
    pub(crate) const CONVERSATION_RESTS: &str = "rests";
    pub(crate) const CONVERSATIONS_AWAKE: &str = "awake";
    pub(crate) const CONVERSATIONS_QUARANTINED: &str = "quarantined";
}

pub(crate) mod failure {
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub(crate) enum Failure {
        Restarting,
        Quarantined,
        Erased,
    }

    impl Failure {
        pub(crate) fn restarting() -> Self {
            Self::Restarting
        }

        pub(crate) fn quarantined() -> Self {
            Self::Quarantined
        }

        pub(crate) fn erased() -> Self {
            Self::Erased
        }
    }
}

pub(crate) mod runtime {
    pub(crate) fn spawn_local(future: impl Future<Output = ()> + 'static) {
        drop(shuttle::future::spawn_local(future));
    }
}

pub(crate) mod conversation {
    use std::rc::Rc;

    use schema::{ConversationKey, SessionId};
    use shuttle::future::yield_now;

    use super::failure::Failure;
    use super::handle::ConversationHandle;
    use super::system::Worker;

    /// What goes along when one moves.
    pub(crate) struct Prepared;

    #[derive(Debug, Default)]
    pub(crate) struct Subscribers(pub(crate) Vec<SessionId>);

    #[allow(dead_code, reason = "the store never fails here")]
    pub(crate) enum WakeFailure {
        Failed(Failure),
        Crashed,
    }

    impl Subscribers {
        pub(crate) fn is_empty(&self) -> bool {
            self.0.is_empty()
        }

        pub(crate) fn remove(&mut self, session: SessionId) {
            self.0.retain(|listening| *listening != session);
        }

        pub(crate) fn absorb(&mut self, others: Self) {
            self.0.extend(others.0);
        }
    }

    /// Reads the log, unless all is at hand, and starts it.
    pub(crate) async fn wake(
        worker: &Rc<Worker>,
        _: ConversationKey,
        prepared: Option<Prepared>,
    ) -> Result<ConversationHandle, WakeFailure> {
        if prepared.is_none() {
            yield_now().await;
        }
        Ok(ConversationHandle::born(worker))
    }
}

pub(crate) mod handle {
    use std::rc::Rc;
    use std::sync::Arc;

    use schema::{ConversationKey, SessionId};
    use shuttle::future::yield_now;
    use shuttle::sync::{Mutex, MutexGuard};

    use super::conversation::{Prepared, Subscribers};
    use super::failure::Failure;
    use super::supervision;
    use super::system::{System, Worker};

    /// A life of the conversation.
    #[derive(Default)]
    pub(crate) struct Shared(Mutex<Life>);

    #[derive(Default)]
    struct Life {
        /// Its mailbox is still open.
        open: bool,
        /// It handles no more messages.
        over: bool,
        listening: Vec<SessionId>,
    }

    #[derive(Clone)]
    pub(crate) struct ConversationHandle {
        shared: Arc<Shared>,
        system: Arc<System>,
        worker: usize,
    }

    impl ConversationHandle {
        /// A new life, the only one.
        pub(super) fn born(worker: &Worker) -> Self {
            let mut alive = worker.system().alive.lock().unwrap();
            *alive += 1;
            assert_eq!(*alive, 1, "two at once speak for one conversation");
            drop(alive);
            let life = Life { open: true, ..Life::default() };
            let shared = Arc::new(Shared(Mutex::new(life)));
            Self { shared, system: Arc::clone(worker.system()), worker: worker.id }
        }

        fn life(&self) -> MutexGuard<'_, Life> {
            self.shared.0.lock().unwrap()
        }

        /// Handles no more messages; what came and was not handled is lost, and told so.
        fn ends(&self) {
            *self.system.alive.lock().unwrap() -= 1;
        }

        pub(crate) fn is_open(&self) -> bool {
            self.life().open
        }

        pub(crate) fn is_incarnation(&self, shared: &Arc<Shared>) -> bool {
            Arc::ptr_eq(&self.shared, shared)
        }

        pub(crate) fn begin(&self, listening: Subscribers) {
            self.life().listening.extend(listening.0);
        }

        pub(crate) fn could_move_to(&self, worker: &Worker) -> bool {
            self.worker != worker.id && self.life().listening.is_empty()
        }

        pub(crate) async fn ask_to_move(&self) -> bool {
            yield_now().await;
            {
                let mut life = self.life();
                if life.over || !life.listening.is_empty() {
                    return false;
                }
                life.over = true;
            }
            self.ends();
            self.system.directory().moved(self.system.key, &self.shared, Prepared);
            self.life().open = false;
            true
        }

        pub(crate) fn leave(&self, session: SessionId) {
            self.life().listening.retain(|listening| *listening != session);
        }

        pub(crate) fn join(&self, session: SessionId) -> Result<(), Failure> {
            let mut life = self.life();
            if life.over {
                return Err(Failure::restarting());
            }
            life.listening.push(session);
            Ok(())
        }

        pub(crate) fn listening(&self) -> Vec<SessionId> {
            self.life().listening.clone()
        }

        /// As the sweeper asks it to.
        pub(crate) fn rest(&self) {
            {
                let mut life = self.life();
                if life.over || !life.listening.is_empty() {
                    return;
                }
                life.over = true;
            }
            self.ends();
            self.system.directory().rested(self.system.key, &self.shared);
            self.life().open = false;
        }

        /// It is being erased: handles no more messages, whatever it was about to do.
        pub(crate) async fn end(&self) {
            yield_now().await;
            if std::mem::replace(&mut self.life().over, true) {
                // It ends otherwise: its mailbox closes when it has.
                while self.is_open() {
                    yield_now().await;
                }
                return;
            }
            self.ends();
            self.life().open = false;
        }

        /// A handler panics. As in the runtime, the directory hears of it before the mailbox closes.
        pub(crate) fn crash(&self, worker: &Rc<Worker>) {
            let listening = {
                let mut life = self.life();
                if life.over {
                    return;
                }
                life.over = true;
                std::mem::take(&mut life.listening)
            };
            self.ends();
            supervision::crashed(worker, self.system.key, &self.shared, Subscribers(listening));
            self.life().open = false;
        }

        #[allow(dead_code, reason = "the directory's type wants it")]
        pub(crate) fn key(&self) -> ConversationKey {
            self.system.key
        }
    }
}

pub(crate) mod supervision {
    use std::rc::Rc;
    use std::sync::Arc;
    use std::time::Duration;

    use schema::ConversationKey;
    use shuttle::future::yield_now;
    use tokio::time::Instant;

    use super::conversation::Subscribers;
    use super::handle::Shared;
    use super::runtime::spawn_local;
    use super::system::Worker;

    /// How many there were.
    #[derive(Default)]
    pub(crate) struct CrashBook(usize);

    #[allow(dead_code, reason = "nothing crashes often here")]
    pub(crate) enum Verdict {
        Restart(Duration),
        Quarantine,
        Erased,
    }

    impl CrashBook {
        pub(crate) fn crashed(&mut self, _: Instant, _: f64) -> Verdict {
            self.0 += 1;
            Verdict::Restart(Duration::ZERO)
        }

        pub(crate) fn is_recent(&self, _: Instant) -> bool {
            self.0 > 0
        }
    }

    pub(crate) fn crashed(worker: &Rc<Worker>, key: ConversationKey, shared: &Arc<Shared>, listening: Subscribers) {
        let (verdict, told) = worker.system().directory().crashed(key, shared, listening, 0.0);
        if matches!(verdict, Verdict::Erased) {
            return;
        }
        assert!(told.is_empty(), "nobody is given up");
        let worker = Rc::clone(worker);
        spawn_local(async move {
            yield_now().await;
            worker.system().directory().recovered(key);
            // Others may have started it, or crashed it again, meanwhile: then it is theirs.
            let _ = worker.system().directory().find(&worker, key).await;
        });
    }
}

pub(crate) mod system {
    use std::sync::Arc;

    use schema::ConversationKey;
    use shuttle::sync::Mutex;

    use crate::directory::Directory;

    /// One conversation's node.
    pub(crate) struct System {
        pub(crate) key: ConversationKey,
        pub(super) alive: Mutex<usize>,
        directory: Directory,
    }

    pub(crate) struct Worker {
        pub(super) id: usize,
        system: Arc<System>,
    }

    impl System {
        pub(crate) fn new(key: ConversationKey) -> Arc<Self> {
            Arc::new(Self { key, alive: Mutex::new(0), directory: Directory::new() })
        }

        pub(crate) fn directory(&self) -> &Directory {
            &self.directory
        }

        /// How many lives it has just now.
        pub(crate) fn alive(&self) -> usize {
            *self.alive.lock().unwrap()
        }
    }

    impl Worker {
        pub(crate) fn new(id: usize, system: Arc<System>) -> Self {
            Self { id, system }
        }

        pub(crate) fn system(&self) -> &Arc<System> {
            &self.system
        }
    }
}
