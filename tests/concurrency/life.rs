//! A conversation's life as the directory sees it: it is born, listened to, moved, put to rest, crashed and ended.
//! It is the smallest thing that the real directory can keep; all that there is to be tried is the directory's.

use std::rc::Rc;
use std::sync::Arc;

use schema::{ConversationId, ConversationKey, SessionId, TenantId};
use shuttle::future::{spawn_local, yield_now};
use shuttle::sync::{Mutex, MutexGuard};

use crate::directory::{AfterCrash, Directory, Incarnation, Listening, Start, Unfound};

/// A node with one conversation.
pub(crate) struct World {
    pub(crate) key: ConversationKey,
    pub(crate) directory: Directory<Life>,
    alive: Mutex<usize>,
    /// Those who were told to look for it again.
    told: Mutex<Vec<SessionId>>,
}

/// One of its threads.
pub(crate) struct Thread {
    pub(crate) id: usize,
    pub(crate) world: Arc<World>,
}

/// Those who listen, by name.
#[derive(Debug, Default)]
pub(crate) struct Names(Vec<SessionId>);

/// What tells one life from another, and what it is doing.
#[derive(Default)]
pub(crate) struct Mark(Mutex<Doing>);

#[derive(Default)]
struct Doing {
    /// Its mailbox is still open.
    open: bool,
    /// It handles no more messages.
    over: bool,
    listening: Vec<SessionId>,
}

/// The way in to one life.
#[derive(Clone)]
pub(crate) struct Life {
    mark: Arc<Mark>,
    world: Arc<World>,
    thread: usize,
}

impl World {
    pub(crate) fn new() -> Arc<Self> {
        let key = ConversationKey { tenant: TenantId::generate(), conversation: ConversationId::generate() };
        Arc::new(Self { key, directory: Directory::new(), alive: Mutex::new(0), told: Mutex::default() })
    }

    /// How many lives it has just now.
    pub(crate) fn alive(&self) -> usize {
        *self.alive.lock().unwrap()
    }

    /// Whether a session was told to look for it again.
    pub(crate) fn has_told(&self, session: SessionId) -> bool {
        self.told.lock().unwrap().contains(&session)
    }
}

impl Thread {
    pub(crate) async fn find(self: &Rc<Self>) -> Result<Life, Unfound<()>> {
        self.world.directory.find(self.world.key, |start| self.start(start)).await
    }

    pub(crate) async fn find_here(self: &Rc<Self>) -> Result<Life, Unfound<()>> {
        self.world.directory.find_here(self.world.key, self.id, |start| self.start(start)).await
    }

    /// Reads the log, unless all is at hand, and gives it a life.
    fn start(self: &Rc<Self>, mut start: Start<Life>) {
        let thread = Rc::clone(self);
        drop(spawn_local(async move {
            if start.take_prepared().is_none() {
                yield_now().await;
            }
            let life = Life::born(&thread);
            thread.world.directory.started(start, life);
        }));
    }

    /// Does what the directory has decided about a crash.
    fn after_crash(self: &Rc<Self>, decided: AfterCrash, given_up: &Names) {
        match decided {
            AfterCrash::Erased => return,
            AfterCrash::Succeeded => return self.world.told.lock().unwrap().extend(&given_up.0),
            AfterCrash::Restart(_) | AfterCrash::Quarantine => {}
        }
        assert!(matches!(decided, AfterCrash::Restart(_)) && given_up.is_empty(), "nobody is given up: {decided:?}");
        let thread = Rc::clone(self);
        drop(spawn_local(async move {
            yield_now().await;
            thread.world.directory.recovered(thread.world.key);
            // Others may have started it, or crashed it again, meanwhile: then it is theirs.
            let _ = thread.find().await;
        }));
    }
}

impl Listening for Names {
    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn remove(&mut self, session: SessionId) {
        self.0.retain(|listening| *listening != session);
    }

    fn absorb(&mut self, others: Self) {
        self.0.extend(others.0);
    }
}

impl Incarnation for Life {
    type Listening = Names;
    /// It goes along with nothing.
    type Prepared = ();
    /// The store never fails here.
    type Failure = ();
    type Mark = Mark;

    fn is_open(&self) -> bool {
        self.doing().open
    }

    fn is(&self, mark: &Arc<Mark>) -> bool {
        Arc::ptr_eq(&self.mark, mark)
    }

    fn begin(&self, listening: Names) {
        self.doing().listening.extend(listening.0);
    }

    fn leave(&self, session: SessionId) {
        self.doing().listening.retain(|listening| *listening != session);
    }

    fn could_move_to(&self, thread: usize) -> bool {
        self.thread != thread && self.doing().listening.is_empty()
    }

    async fn ask_to_move(&self) -> bool {
        yield_now().await;
        let moves = self.is_over_if_needless();
        if moves {
            self.world.directory.moved(self.world.key, &self.mark, ());
            self.doing().open = false;
        }
        moves
    }
}

impl Life {
    /// A new life, the only one.
    fn born(thread: &Thread) -> Self {
        let world = Arc::clone(&thread.world);
        let mut alive = world.alive.lock().unwrap();
        *alive += 1;
        assert_eq!(*alive, 1, "two at once speak for one conversation");
        drop(alive);
        let doing = Doing { open: true, ..Doing::default() };
        Self { mark: Arc::new(Mark(Mutex::new(doing))), world, thread: thread.id }
    }

    fn doing(&self) -> MutexGuard<'_, Doing> {
        self.mark.0.lock().unwrap()
    }

    /// Handles no more messages; what came and was not handled is lost, and told so.
    fn ends(&self) {
        *self.world.alive.lock().unwrap() -= 1;
    }

    /// Handles no more messages, if nobody would miss it.
    fn is_over_if_needless(&self) -> bool {
        {
            let mut doing = self.doing();
            if doing.over || !doing.listening.is_empty() {
                return false;
            }
            doing.over = true;
        }
        self.ends();
        true
    }

    /// A session listens; false when it has ended.
    pub(crate) fn join(&self, session: SessionId) -> bool {
        let mut doing = self.doing();
        if !doing.over {
            doing.listening.push(session);
        }
        !doing.over
    }

    pub(crate) fn listening(&self) -> Vec<SessionId> {
        self.doing().listening.clone()
    }

    /// As the sweeper asks it to.
    pub(crate) fn rest(&self) {
        if self.is_over_if_needless() {
            self.world.directory.rested(self.world.key, &self.mark);
            self.doing().open = false;
        }
    }

    /// It is being erased: handles no more messages, whatever it was about to do.
    pub(crate) async fn end(&self) {
        yield_now().await;
        if std::mem::replace(&mut self.doing().over, true) {
            // It ends otherwise: its mailbox closes when it has.
            while self.is_open() {
                yield_now().await;
            }
            return;
        }
        self.ends();
        self.doing().open = false;
    }

    /// A handler panics. As in the runtime, the directory hears of it before the mailbox closes; `late`, it hears of
    /// it when another life may have begun.
    pub(crate) async fn crash(&self, thread: &Rc<Thread>, late: bool) {
        let listening = {
            let mut doing = self.doing();
            if doing.over {
                return;
            }
            doing.over = true;
            std::mem::take(&mut doing.listening)
        };
        self.ends();
        if late {
            self.doing().open = false;
            yield_now().await;
        }
        let (decided, given_up) = self.world.directory.crashed(self.world.key, &self.mark, Names(listening), 0.0);
        thread.after_crash(decided, &given_up);
        self.doing().open = false;
    }
}
