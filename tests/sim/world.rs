//! One run: builds the world of a seed, lets it go wrong for a while, heals it, waits until all is
//! quiet, and has the checker judge every conversation.

use std::cell::{Cell, Ref, RefCell};
use std::future::poll_fn;
use std::io::Write as _;
use std::panic::PanicHookInfo;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::{Arc, Once};
use std::task::Poll;
use std::time::Duration;

use actors::{Failure, ProfileRecord, TenantRecord, Worker};
use engine_model::SharedModel;
use futures_util::FutureExt;
use schema::{ContactId, ConversationId, ConversationKey, Event, Fact, Profile, TenantId, Timestamp};
use tokio::sync::{mpsc, oneshot};
use tokio::task::LocalSet;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use super::brain::Brain;
use super::chance::{Chance, set_panics};
use super::client::{Client, Role, Shared};
use super::disk::{Disk, Errand, Troubles, Way, Weather};
use super::line::{Line, Speed, line};
use super::net::Net;
use super::node::{Kind, Node, Planted};
use super::past::past;
use super::session::Sessions;
use super::{Plan, Plant, faults, held};

/// After it has healed, a world that is not quiet by then never will be.
const SETTLING_MAX: Duration = Duration::from_secs(600);
pub(super) const TENANTS: usize = 2;

thread_local! {
    /// Panics that nobody planted.
    static PANICS: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
}

/// What came of a seed.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// The seed.
    pub seed: u64,
    /// What is wrong; nothing, if all is well.
    pub violations: Vec<String>,
    /// Events in the logs at the end.
    pub events: usize,
    /// Messages that were acknowledged.
    pub acknowledged: usize,
    /// Crashes and planned restarts of nodes.
    pub restarts: usize,
    /// How often a node began to follow a conversation of another one.
    pub followed: usize,
    /// How often it was polled: each time, something in it was woken.
    pub polls: usize,
    /// How long it lasted, in its own time.
    pub lasted: Duration,
}

/// Runs the world of a seed, with a planted fault or none. `story` prints what happens.
#[must_use]
pub fn run(seed: u64, plant: Option<Plant>, story: bool) -> Report {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let usual = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info: &PanicHookInfo<'_>| {
            if !info.payload().is::<Planted>() {
                PANICS.with_borrow_mut(|panics| panics.push(info.to_string()));
                usual(info);
            }
        }));
    });
    PANICS.with_borrow_mut(Vec::clear);
    drop(held::take());
    let built = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    let runtime = match built {
        Ok(runtime) => runtime,
        Err(error) => return Report { seed, violations: vec![error.to_string()], ..Report::default() },
    };
    let mut report = runtime.block_on(World::life(seed, plant, story));
    report.violations.extend(PANICS.with_borrow_mut(std::mem::take));
    report
}

/// Everything there is.
pub(super) struct World {
    pub(super) plan: Plan,
    plant: Option<Plant>,
    story: bool,
    pub(super) chance: Chance,
    pub(super) disk: Arc<Disk>,
    errands: mpsc::UnboundedSender<Errand>,
    brain: SharedModel,
    nodes: RefCell<Vec<Option<Node>>>,
    /// What is between them, where they know each other.
    pub(super) net: Option<Net>,
    lines: RefCell<Vec<CancellationToken>>,
    pub(super) keys: Vec<ConversationKey>,
    pub(super) began: Instant,
    healed: Cell<bool>,
    restarts: Cell<usize>,
    polls: Cell<usize>,
    /// A node was started, and nobody polls it yet.
    unpolled: Cell<bool>,
    pub(super) complaints: Rc<RefCell<Vec<String>>>,
    pub(super) ended: CancellationToken,
    /// Hours after which a tenant's conversations close now.
    pub(super) hours: Cell<u32>,
}

impl World {
    async fn life(seed: u64, plant: Option<Plant>, story: bool) -> Report {
        let chance = Chance::new(seed);
        chance.fork().for_system();
        let plan = Plan::draw(&chance);
        let (errands, work) = mpsc::unbounded_channel();
        let tenants: Vec<TenantId> = (0..TENANTS).map(|_| TenantId::from_bytes(name(&chance))).collect();
        let key = |n: usize| ConversationKey {
            tenant: tenants[n % TENANTS],
            conversation: ConversationId::from_bytes(name(&chance)),
        };
        let world = Rc::new(Self {
            keys: (0..plan.conversations).map(key).collect(),
            plant,
            story,
            disk: Arc::new(Disk::new(plant)),
            errands,
            brain: Arc::new(Brain::new(chance.fork(), plan.sizes, plant)),
            nodes: RefCell::new((0..plan.nodes).map(|_| None).collect()),
            net: plan.peers.then(|| Net::new(chance.fork())),
            lines: RefCell::default(),
            began: Instant::now(),
            healed: Cell::new(false),
            restarts: Cell::new(0),
            polls: Cell::new(0),
            unpolled: Cell::new(false),
            complaints: Rc::default(),
            ended: CancellationToken::new(),
            hours: Cell::new(plan.floor.close_after_hours),
            chance,
            plan,
        });
        world.tell(|| format!("seed {seed}: {:?}", world.plan));
        let mut ground = LocalSet::new();
        ground.spawn_local(errands_done(work));
        let done = ground.spawn_local(Rc::clone(&world).story_of(tenants));
        world.turn_round(&mut ground, || done.is_finished()).await;
        let violations = done.await.unwrap_or_else(|error| vec![format!("the world broke: {error}")]);
        let logs: Vec<Vec<Event>> = world.keys.iter().map(|key| world.disk.log(*key)).collect();
        let is_said = |event: &&Event| matches!(&event.fact, Fact::Message { r#ref: Some(_), .. });
        Report {
            seed,
            violations,
            events: logs.iter().map(Vec::len).sum(),
            acknowledged: logs.iter().flatten().filter(is_said).count(),
            restarts: world.restarts.get(),
            followed: world.net.as_ref().map_or(0, Net::followed),
            polls: world.polls.get(),
            lasted: world.began.elapsed(),
        }
    }

    /// Polls the ground and the nodes, each time in another order, until the end.
    async fn turn_round(&self, ground: &mut LocalSet, over: impl Fn() -> bool) {
        let chance = self.chance.fork();
        poll_fn(|context| {
            self.polls.set(self.polls.get() + 1);
            let places = self.plan.nodes + 1;
            let first = chance.index(places);
            for place in (first..places).chain(0..first) {
                if place == self.plan.nodes {
                    let _ = Pin::new(&mut *ground).poll(context);
                } else if let Some(node) = &mut self.nodes.borrow_mut()[place] {
                    let _ = Pin::new(&mut node.tasks).poll(context);
                }
            }
            if self.unpolled.take() {
                context.waker().wake_by_ref();
            }
            if over() { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
    }

    async fn story_of(self: Rc<Self>, tenants: Vec<TenantId>) -> Vec<String> {
        for tenant in tenants {
            let record = TenantRecord::new(tenant, "one", Timestamp::from_millis(0));
            if record.save(&self.disk.records, 0).await.is_err() {
                return vec!["a tenant could not be created".into()];
            }
            let profile = Profile { floor: self.plan.floor.clone(), ..Profile::default() };
            if ProfileRecord::save(&self.disk.records, tenant, 0, &profile).await.is_err() {
                return vec!["a profile could not be written".into()];
            }
        }
        (0..self.plan.nodes).for_each(|node| self.start_if_down(node));
        for key in self.keys.clone() {
            // The same in every run.
            let contact = ContactId::from_bytes([7; 16]);
            if self.plan.sizes.past > 0 {
                self.disk.begin(key, past(&self.chance, self.plan.sizes, contact));
                continue;
            }
            let open = move |worker: Rc<Worker>| async move { worker.open_as(key, contact, None).await };
            if let Err(failure) = self.on_node(0, open).await {
                return vec![format!("a conversation could not be opened: {failure:?}")];
            }
        }
        let clients: Vec<Vec<Shared>> = (0..self.keys.len()).map(|n| self.clients(n)).collect();
        for client in clients.iter().flatten() {
            let (life, over) = (Client::live(Rc::clone(client)), self.ended.clone());
            tokio::task::spawn_local(async move { over.run_until_cancelled(life).await });
        }
        tokio::task::spawn_local(faults::operator(Rc::clone(&self)));
        tokio::task::spawn_local(Rc::clone(&self).watch_entries());
        tokio::task::spawn_local(Net::tend(Rc::clone(&self)));
        set_panics(self.plan.panics);
        let until = Instant::now() + self.plan.trouble;
        faults::trouble(Rc::clone(&self), self.chance.fork(), until, self.plan.pause_ms).await;
        let mut wrong = if self.plan.unattended {
            self.left_alone().await
        } else {
            self.heal();
            match tokio::time::timeout(SETTLING_MAX, self.settled(&clients)).await {
                Ok(views) => self.disagreements(&views),
                Err(_) => self.unsettled(&clients),
            }
        };
        wrong.extend(self.at_rest().await.into_iter().chain(self.noted().await).chain(self.listed().await));
        wrong.extend(self.judge(&clients, !self.plan.unattended));
        wrong
    }

    fn clients(self: &Rc<Self>, conversation: usize) -> Vec<Shared> {
        let client = |n: usize, role: Role| {
            let name = format!("{}{conversation}{n}", if role == Role::Agent { "agent" } else { "tab" });
            let chance = self.chance.fork();
            let word = |m: usize| format!("{name} says {m} {}", word_of(conversation));
            let words = (0..self.plan.messages).map(|m| self.plan.sizes.message(&chance, word(m))).collect();
            // Where there is a past, some have seen none of it, some all, and most are somewhere in it.
            let past = self.disk.head(self.keys[conversation]);
            let seen = past.saturating_sub([0, 1_200, past.min(800)][chance.index(3)] * chance.draw(0..=100) / 100);
            let seen = if chance.happens(0.2) { 0 } else { seen };
            let mut client = Client::new(Rc::clone(self), self.keys[conversation], role, name, words, chance);
            client.observer.skipped_to(seen);
            Rc::new(RefCell::new(client))
        };
        let agent = self.plan.agent.then(|| client(9, Role::Agent));
        (0..self.plan.clients).map(|n| client(n, Role::Contact)).chain(agent).collect()
    }

    /// No more trouble: one fresh node, and everybody comes to it.
    pub(super) fn heal(&self) {
        self.healed.set(true);
        set_panics(0.0);
        if self.keeps_all() {
            self.heal_nodes();
        } else {
            (0..self.plan.nodes).for_each(|node| self.crash(node));
            self.start_if_down(0);
        }
        self.tell(|| "healed".into());
    }

    /// Runs something on a node, as the node's own task.
    pub(super) async fn on_node<T, F>(&self, node: usize, work: impl FnOnce(Rc<Worker>) -> F) -> Result<T, Failure>
    where
        T: 'static,
        F: Future<Output = Result<T, Failure>> + 'static,
    {
        let gone = || Failure::new(schema::ErrorCode::Restarting, "the node is down");
        let (answer, answered) = oneshot::channel();
        {
            let nodes = self.nodes.borrow();
            let Some(node) = &nodes[node] else { return Err(gone()) };
            let work = work(node.worker());
            node.tasks.spawn_local(async move {
                // Nobody may be left who waits.
                let _ = answer.send(work.await);
            });
        }
        answered.await.unwrap_or_else(|_| Err(gone()))
    }

    /// A line to a node that is up, if any is.
    pub(super) fn connect(&self, key: ConversationKey, chance: &Chance) -> Option<Line> {
        let nodes = self.nodes.borrow();
        let up: Vec<&Node> = nodes.iter().flatten().collect();
        let node = up.get(chance.index(up.len()))?;
        let (client, end) = line(&self.chance, Speed { usual_ms: self.plan.line_ms, bytes: self.speed(chance) });
        node.accept(key, end);
        let mut lines = self.lines.borrow_mut();
        lines.retain(|cut| !cut.is_cancelled());
        lines.push(client.cut.clone());
        Some(client)
    }

    pub(super) fn start_if_down(&self, node: usize) {
        let is_wanted = !self.healed.get() || node == 0 || self.keeps_all();
        if !is_wanted || self.nodes.borrow()[node].is_some() {
            return;
        }
        self.tell(|| format!("node {node} starts"));
        let peers = self.net.as_ref().map(Net::comes);
        let way = Way {
            node: peers.as_ref().map(|peers| peers.me()),
            disk: Arc::clone(&self.disk),
            weather: Arc::new(Weather::default()),
            errands: self.errands.clone(),
            chance: self.chance.fork(),
            usual_ms: self.plan.store_ms,
        };
        let sessions = Sessions::new(self.plant, Rc::clone(&self.complaints));
        self.unpolled.set(true);
        let alone = self.net.is_none() && (self.plan.nodes == 1 || self.healed.get());
        let kind = Kind { passages: self.plan.sizes.passages, alone, peers };
        self.nodes.borrow_mut()[node] = Some(Node::start(way, &self.brain, self.began, sessions, kind));
    }

    /// How fast a new line's reader is.
    fn speed(&self, chance: &Chance) -> Option<u64> {
        self.plan.sizes.slow_bytes.filter(|_| chance.happens(0.5))
    }

    pub(super) fn crash(&self, node: usize) {
        let gone = self.nodes.borrow_mut()[node].take();
        if let Some(gone) = gone {
            self.tell(|| format!("node {node} crashes"));
            self.restarts.set(self.restarts.get() + 1);
            gone.weather.die();
            if let (Some(net), Some(id)) = (&self.net, gone.id) {
                net.goes(id);
            }
        }
    }

    /// Begins a planned shutdown; false if the node is down.
    pub(super) fn drain(self: &Rc<Self>, node: usize, patience: Duration) -> bool {
        let nodes = self.nodes.borrow();
        let Some(up) = &nodes[node] else { return false };
        self.tell(|| format!("node {node} drains"));
        up.is_draining.set(true);
        let system = Arc::clone(up.worker().system());
        let flush = Duration::from_secs(2);
        let sessions = up.sessions.clone();
        let told_after = self.chance.millis(0..=1_000);
        up.tasks.spawn_local(async move {
            sleep(told_after).await;
            sessions.close_all();
        });
        up.tasks.spawn_local(async move { system.drain(Instant::now() + patience, flush).await });
        let (world, weather) = (Rc::clone(self), Arc::clone(&up.weather));
        tokio::task::spawn_local(async move {
            sleep(patience + flush).await;
            let same = world.nodes.borrow()[node].as_ref().is_some_and(|up| Arc::ptr_eq(&up.weather, &weather));
            if same && !world.healed.get() {
                world.crash(node);
            }
        });
        true
    }

    pub(super) fn set_weather(&self, node: usize, troubles: Troubles) {
        if let Some(node) = &self.nodes.borrow()[node] {
            node.weather.set(troubles);
        }
        self.tell(|| format!("weather of node {node}: {troubles:?}"));
    }

    pub(super) fn skew(&self, node: usize, skew_ms: i64) {
        if let Some(node) = &self.nodes.borrow()[node] {
            node.clock.jump_to(skew_ms);
        }
        self.tell(|| format!("the clock of node {node} is off by {skew_ms} ms"));
    }

    pub(super) fn cut_all(&self) {
        self.tell(|| "all lines are cut".into());
        self.lines.borrow_mut().drain(..).for_each(|cut| cut.cancel());
    }

    pub(super) fn release_all(&self) {
        for node in self.nodes.borrow().iter().flatten() {
            for key in &self.keys {
                // Its own at once; others' are let out by themselves.
                let _ = node.worker().system().release(*key).now_or_never();
            }
        }
    }

    pub(super) const fn nodes(&self) -> usize {
        self.plan.nodes
    }

    pub(super) fn up(&self) -> Ref<'_, Vec<Option<Node>>> {
        self.nodes.borrow()
    }

    pub(super) const fn lost(&self) -> usize {
        self.restarts.get()
    }

    /// Share of steps in which a listener goes back.
    pub(super) const fn goes_back(&self) -> f64 {
        self.plan.sizes.goes_back
    }

    pub(super) const fn plant(&self) -> Option<Plant> {
        self.plant
    }

    pub(super) fn is_healed(&self) -> bool {
        self.healed.get()
    }

    pub(super) fn complain(&self, what: String) {
        self.complaints.borrow_mut().push(what);
    }

    pub(super) fn tell(&self, what: impl FnOnce() -> String) {
        if self.story {
            // Whoever reads it may have read enough.
            let _ = writeln!(std::io::stdout(), "{:>9.3} {}", self.began.elapsed().as_secs_f64(), what());
        }
    }
}

async fn errands_done(mut work: mpsc::UnboundedReceiver<Errand>) {
    while let Some(errand) = work.recv().await {
        tokio::task::spawn_local(errand);
    }
}

/// A word that only one conversation has.
pub(super) fn word_of(conversation: usize) -> String {
    format!("canary-of-{conversation}-")
}

pub(super) fn name(chance: &Chance) -> [u8; 16] {
    let [high, low] = [chance.draw(0..=u64::MAX), chance.draw(0..=u64::MAX)];
    ((u128::from(high) << 64) | u128::from(low)).to_be_bytes()
}
