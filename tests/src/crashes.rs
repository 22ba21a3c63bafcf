//! A real node under load is killed at random moments, started again on what it left, and everything
//! its clients were told and shown is held against its logs, round after round.

#![allow(clippy::expect_used, clippy::panic, reason = "a tool of tests")]

mod words;

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use engine_conversation::Conversation;
use futures_util::{StreamExt, stream};
use loadtest::checker::{History, Violation};
use loadtest::stub::{Defaults, Stub};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use schema::wire::HumanAction;
use schema::{ConversationId, Event, Fact};
use serde::Serialize;
use tokio::time::Instant;

use words::Words;

use crate::api::Api;
use crate::node::{Node, fresh, own_address};
use crate::patient::{Ear, Patient, Seat};
use crate::{PATIENCE, look_again};

/// Conversations under load at once, and clients in each.
const CONVERSATIONS: usize = 4;
const CLIENTS: usize = 2;
/// Events of the past of one conversation in each batch: more than a resuming client is sent again.
const PAST_EVENTS: usize = 1_100;
/// What a slow reader takes, in bytes a second.
const SLOW_BYTES: u32 = 200 * 1024;
/// After so many rounds these conversations end well, and new ones begin: a log that only grew would
/// make the last rounds slower than the first.
const ROUNDS_PER_BATCH: usize = 20;

/// What the loop is to do.
#[derive(Clone, Copy, Debug)]
pub struct Order {
    /// Kills.
    pub rounds: usize,
    /// Decides when.
    pub seed: u64,
}

/// What has come of it, as it is kept under `tests/records/`.
#[derive(Debug, Default, Serialize)]
pub struct CrashReport {
    /// The seed that decided the moments.
    pub seed: u64,
    /// Kills.
    pub rounds: usize,
    /// Of those, while the node was starting.
    pub killed_while_starting: usize,
    /// Messages acknowledged, each found where its client was told.
    pub acknowledged: usize,
    /// Events in the logs.
    pub events: usize,
    /// Replies that a kill cut off.
    pub interrupted: usize,
    /// Of those, in conversations that nobody came back to: each ended without a client.
    pub unattended: usize,
    /// Times a client came back.
    pub resumes: usize,
    /// From the start of the process to its readiness, in milliseconds.
    pub ready_ms: Quantiles,
    /// From the start of the process to the first acknowledgement, in milliseconds.
    pub recovered_ms: Quantiles,
    /// What was wrong, with its round.
    pub findings: Vec<String>,
}

/// A distribution, sorted.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Quantiles {
    /// Half took no longer.
    pub p50: u64,
    /// One in a hundred took longer.
    pub p99: u64,
    /// The longest.
    pub max: u64,
}

struct World {
    address: SocketAddr,
    settings: Vec<(&'static str, String)>,
    root: std::sync::Arc<tempfile::TempDir>,
    node: Option<Node>,
    rng: StdRng,
    words: Words,
}

struct Talk {
    id: ConversationId,
    clients: Vec<Patient>,
}

/// Runs the loop. What is wrong stands in the outcome.
///
/// # Errors
/// When something is in the way of the test itself.
pub async fn run(order: Order, mut progress: impl FnMut(usize, &CrashReport)) -> Result<CrashReport> {
    let stub = Stub::start(([127, 0, 0, 1], 0).into(), Defaults { tokens: 60, rate: 150, chunk_bytes: 200 })?;
    let mut world = World::new(&stub, order.seed)?;
    world.start();
    let mut outcome = CrashReport { seed: order.seed, rounds: order.rounds, ..CrashReport::default() };
    let (mut ready, mut recovered) = (Vec::new(), Vec::new());
    let mut round = 0;
    while round < order.rounds {
        let mut talks = Vec::new();
        for n in 0..CONVERSATIONS {
            talks.push(world.talk(n == 0).await);
        }
        for _ in 0..ROUNDS_PER_BATCH.min(order.rounds - round) {
            round += 1;
            let first = world.something_happens(&talks);
            tokio::time::timeout(PATIENCE, first).await.context("nothing is acknowledged")?;
            // Somebody asks and never comes back.
            let left = world.ask_and_leave().await;
            let moment = Duration::from_micros(world.rng.random_range(0..400_000));
            feeding(&talks, &world.words, tokio::time::sleep(moment)).await;
            world.kill();
            if world.rng.random_bool(0.15) {
                outcome.killed_while_starting += 1;
                world.start_and_kill();
            }
            let begun = Instant::now();
            world.start();
            ready.push(millis(begun));
            let back = feeding(&talks, &world.words, world.something_happens(&talks));
            tokio::time::timeout(PATIENCE, back).await.context("nothing is acknowledged after the restart")?;
            recovered.push(millis(begun));
            outcome.note_left(round, left, &world.what_became_of(left).await);
            for talk in &talks {
                let history = talk.history();
                let log = world.api().whole_log(talk.id).await;
                outcome.note(round, talk.id, history.check_so_far(&log));
            }
            progress(round, &outcome);
        }
        for talk in talks {
            let log = world.ended(&talk).await?;
            let mut history = talk.history();
            history.observers.iter_mut().for_each(|observer| observer.stayed_until(log.len() as u64));
            outcome.note(round, talk.id, history.check(&log));
            outcome.count(&talk, &history, &log);
        }
    }
    outcome.ready_ms = Quantiles::of(ready);
    outcome.recovered_ms = Quantiles::of(recovered);
    Ok(outcome)
}

impl World {
    fn new(stub: &Stub, seed: u64) -> Result<Self> {
        // Fixed, so that the clients find it again.
        let address = own_address()?;
        let settings = vec![
            ("TERTULIA_LISTEN", address.to_string()),
            ("TERTULIA_MODEL", "openai/stub".into()),
            ("OPENAI_BASE_URL", format!("http://{}/v1", stub.address)),
            ("TERTULIA_LIMITS__MESSAGES_PER_SECOND", "1000".into()),
            ("TERTULIA_LIMITS__MESSAGES_BURST", "1000".into()),
        ];
        Ok(Self {
            address,
            settings,
            root: fresh(),
            node: None,
            rng: StdRng::seed_from_u64(seed),
            words: Words::new(seed),
        })
    }

    fn settings(&self) -> Vec<(&str, &str)> {
        self.settings.iter().map(|(name, value)| (*name, value.as_str())).collect()
    }

    fn start(&mut self) {
        self.node = Some(Node::start_in(self.root.clone(), &self.settings()));
    }

    fn kill(&mut self) {
        if let Some(mut node) = self.node.take() {
            node.kill();
        }
    }

    /// A start that is killed before it is over.
    fn start_and_kill(&mut self) {
        let moment = Duration::from_micros(self.rng.random_range(0..120_000));
        let mut child =
            crate::node::command(self.root.path(), &self.settings()).spawn().expect("the program can be started");
        std::thread::sleep(moment);
        let _ = child.kill();
        let _ = child.wait();
    }

    fn api(&self) -> Api {
        self.node.as_ref().expect("it runs").api()
    }

    /// A conversation and its clients. One `with_past` has been going on for long, and they come to it from
    /// far behind.
    async fn talk(&mut self, with_past: bool) -> Talk {
        let api = self.api();
        let id = api.open().await;
        let key = self.node.as_ref().expect("it runs").demo_key();
        if with_past {
            assert_eq!(api.human(id, HumanAction::Take, "Ines").await.status, 200);
            let said = stream::iter(0..PAST_EVENTS).map(|n| {
                let (api, text) = (&api, self.words.past());
                async move { api.say(id, &format!("past-{n}"), &text).await }
            });
            said.buffer_unordered(32).count().await;
            assert_eq!(api.human(id, HumanAction::HandBack, "Ines").await.status, 200);
        }
        let past = if with_past { PAST_EVENTS as u64 } else { 0 };
        let seat = |n: usize| Seat {
            address: self.address,
            others: Vec::new(),
            key: key.clone(),
            conversation: id,
            name: format!("c{n}"),
            window: 1 + n,
            // The first of them has seen nothing, the second a part, and reads slowly.
            ear: Ear { seen: past * n as u64 / 4, bytes_per_second: (n > 0).then_some(SLOW_BYTES), goes_back: 300 },
        };
        Talk { id, clients: (0..CLIENTS).map(|n| Patient::start(seat(n))).collect() }
    }

    /// A question in a conversation that nobody listens to.
    async fn ask_and_leave(&self) -> ConversationId {
        let api = self.api();
        let id = api.open().await;
        api.say(id, "left", &self.words.next()).await;
        id
    }

    /// The log of such a conversation once nothing in it is left to do; as it stands, when that does not come. It
    /// is read from the store: nobody wakes the conversation by it.
    async fn what_became_of(&self, left: ConversationId) -> Vec<Event> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let log = self.api().whole_log(left).await;
            if is_done(&log) || Instant::now() >= deadline {
                return log;
            }
            look_again().await;
        }
    }

    /// Waits until something more is acknowledged.
    async fn something_happens(&self, talks: &[Talk]) {
        let before = acknowledged(talks);
        while acknowledged(talks) == before {
            feed(talks, &self.words);
            look_again().await;
        }
    }

    /// Waits until all is said and answered and seen; gives the log.
    async fn ended(&self, talk: &Talk) -> Result<Vec<Event>> {
        let deadline = Instant::now() + 2 * PATIENCE;
        loop {
            let log = self.api().whole_log(talk.id).await;
            let head = log.len() as u64;
            let running = self.api().view(talk.id).await.running.is_some();
            let seen = |client: &Patient| client.is_done() && client.has_seen(head);
            let idle = !running && log.last().is_some_and(|event| !matches!(event.fact, Fact::TurnStarted { .. }));
            if idle && talk.clients.iter().all(seen) {
                return Ok(log);
            }
            ensure!(Instant::now() < deadline, "conversation {} does not come to rest at {head}", talk.id);
            look_again().await;
        }
    }
}

impl Talk {
    fn history(&self) -> History {
        let mut history = History::default();
        for client in &self.clients {
            let record = client.record();
            history.senders.push(record.sender.clone());
            history.observers.push(record.observer.clone());
        }
        history
    }
}

impl CrashReport {
    fn note(&mut self, round: usize, id: ConversationId, violations: Vec<Violation>) {
        self.findings.extend(violations.into_iter().map(|violation| format!("round {round}, {id}: {violation}")));
    }

    fn note_left(&mut self, round: usize, left: ConversationId, log: &[Event]) {
        if !is_done(log) {
            self.findings.push(format!("round {round}, {left}: nobody came back, and it stays undone"));
        }
        self.events += log.len();
        let cut = log.iter().filter(is_cut).count();
        self.interrupted += cut;
        self.unattended += cut;
        self.note(round, left, History::default().check_so_far(log));
    }

    fn count(&mut self, talk: &Talk, history: &History, log: &[Event]) {
        self.acknowledged += history.senders.iter().map(loadtest::checker::Sender::acknowledged_count).sum::<usize>();
        self.events += log.len();
        self.interrupted += log.iter().filter(is_cut).count();
        for client in &talk.clients {
            let record = client.record();
            self.resumes += record.sockets.saturating_sub(1);
            let refused =
                record.final_refusals.iter().map(|error| format!("{}: refused for good: {}", talk.id, error.code));
            self.findings.extend(refused);
        }
    }
}

impl Quantiles {
    pub(crate) fn of(mut values: Vec<u64>) -> Self {
        values.sort_unstable();
        let at = |share: usize| values.get(values.len().saturating_sub(1) * share / 100).copied().unwrap_or_default();
        Self { p50: at(50), p99: at(99), max: at(100) }
    }
}

/// Whether its question has been seen to and no turn is open.
fn is_done(log: &[Event]) -> bool {
    let folded = Conversation::from_events(log);
    folded.state().asked > 0 && folded.state().unfinished.is_none() && folded.state().answered >= folded.state().asked
}

/// Whether it is a reply that a kill cut off.
fn is_cut(event: &&Event) -> bool {
    matches!(&event.fact, Fact::Message { reply: Some(reply), .. } if reply.made.error.as_deref() == Some("interrupted"))
}

fn acknowledged(talks: &[Talk]) -> usize {
    talks.iter().flat_map(|talk| &talk.clients).map(|client| client.record().sender.acknowledged_count()).sum()
}

/// Sees to it that everybody has something to say.
fn feed(talks: &[Talk], words: &Words) {
    for client in talks.iter().flat_map(|talk| &talk.clients) {
        if client.is_done() {
            client.say(words.next());
        }
    }
}

/// Feeds them until something has happened.
async fn feeding<T>(talks: &[Talk], words: &Words, what: impl Future<Output = T>) -> T {
    tokio::pin!(what);
    loop {
        feed(talks, words);
        tokio::select! {
            biased;
            done = &mut what => return done,
            () = look_again() => {}
        }
    }
}

fn millis(since: Instant) -> u64 {
    u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX)
}
