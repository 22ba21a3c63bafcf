//! Who speaks while things fail: in each conversation a web socket at two nodes and somebody over HTTP at the third.
//! All of them do what the protocol asks of a client, and remember all that they were told.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::{Result, ensure};
use loadtest::checker::{History, Sender};
use loadtest::plan::Plan;
use schema::wire::{ConversationView, ErrorBody, EventList, Said};
use schema::{Author, ConversationId, Event, Fact, Ref};
use serde_json::json;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::installation::{Installation, NODES};
use crate::api::Api;
use crate::look_again;
use crate::patient::{Ear, Lost, Patient, Seat, Taken};

/// Without an answer for so long, the same is said again, to the next node.
const ANSWER_MAX: Duration = Duration::from_secs(5);
/// Between what one has said and what they say next.
const PAUSE: Duration = Duration::from_millis(400);
/// Longest wait until all that was said is settled, answered and seen once everything is well again.
const REST_WITHIN: Duration = Duration::from_secs(120);

/// A conversation and who takes part.
pub(super) struct Talk {
    pub(super) id: ConversationId,
    sockets: Vec<Patient>,
    writer: Writer,
}

/// All conversations.
pub(super) struct Load {
    pub(super) talks: Vec<Talk>,
    apis: Vec<Api>,
    feeder: JoinHandle<()>,
    feeds: tokio::sync::watch::Sender<bool>,
}

/// Somebody who says one thing after another over HTTP.
struct Writer {
    record: Arc<Mutex<Written>>,
    life: JoinHandle<()>,
}

/// What somebody over HTTP knows.
struct Written {
    sender: Sender,
    taken: Vec<Taken>,
    refusals: BTreeMap<String, usize>,
    for_good: Vec<String>,
    is_done: bool,
}

/// What the clients of all conversations tell.
#[derive(Default)]
pub(super) struct Told {
    pub(super) refusals: BTreeMap<String, usize>,
    pub(super) for_good: Vec<String>,
    pub(super) lost: Vec<Lost>,
    pub(super) acknowledged: usize,
}

impl Load {
    /// Begins so many conversations, at one node after another.
    pub(super) async fn start(all: &Installation, talks: usize) -> Result<Self> {
        let (apis, addresses): (Vec<Api>, _) = ((0..NODES).map(|node| all.api(node)).collect(), all.addresses());
        let (feeds, fed) = tokio::sync::watch::channel(true);
        let mut begun = Vec::new();
        for n in 0..talks {
            let id = apis[n % NODES].open().await;
            let around = |from: usize| -> Vec<SocketAddr> {
                addresses.iter().cycle().skip(from % NODES).take(NODES).copied().collect()
            };
            let seat = |at: usize| {
                let [address, ref others @ ..] = around(n + at)[..] else { unreachable!("there are nodes") };
                let (others, key) = (others.to_vec(), all.key());
                Seat { address, others, key, conversation: id, name: format!("s{at}"), window: 1, ear: Ear::default() }
            };
            let sockets = (0..2).map(|at| Patient::start(seat(at))).collect();
            let ways = around(n + 2).into_iter().map(|at| Api::new(at, Some(all.key()))).collect();
            begun.push(Talk { id, sockets, writer: Writer::start(ways, id, fed.clone()) });
        }
        let sayers: Vec<_> = begun.iter().flat_map(|talk| talk.sockets.iter().map(Patient::mouth)).collect();
        #[allow(clippy::disallowed_methods, reason = "it ends when dropped")]
        let feeder = tokio::spawn(async move {
            while *fed.borrow() {
                sayers.iter().filter(|mouth| mouth.is_done()).for_each(|mouth| mouth.say(words()));
                tokio::time::sleep(PAUSE).await;
            }
        });
        Ok(Self { talks: begun, apis, feeder, feeds })
    }

    /// Waits until in every conversation each of those who take part was answered something that was said later.
    pub(super) async fn goes_on(&self, since: Instant, within: Duration) -> Result<()> {
        let deadline = Instant::now() + within;
        for talk in &self.talks {
            while !talk.each_was_answered_since(since) {
                ensure!(
                    Instant::now() < deadline,
                    "{}: not everybody is answered again: {}",
                    talk.id,
                    talk.standing(since)
                );
                look_again().await;
            }
        }
        Ok(())
    }

    /// Nobody says more; waits until all is settled, and gives the logs, as each node has them.
    pub(super) async fn rests(&self) -> Result<Vec<Vec<Vec<Event>>>> {
        self.feeds.send_replace(false);
        let deadline = Instant::now() + REST_WITHIN;
        let mut logs = Vec::new();
        for talk in &self.talks {
            loop {
                let looked = talk.at_rest(&self.apis).await;
                match looked {
                    Ok(log) => break logs.push(log),
                    Err(why) => ensure!(Instant::now() < deadline, "{} does not come to rest: {why}", talk.id),
                }
                look_again().await;
            }
        }
        Ok(logs)
    }

    /// What its clients were told.
    pub(super) fn told(&self) -> Told {
        let mut told = Told::default();
        for talk in &self.talks {
            for socket in &talk.sockets {
                let record = socket.record();
                for (code, times) in &record.refusals {
                    *told.refusals.entry(code.name().to_owned()).or_default() += times;
                }
                told.for_good.extend(record.final_refusals.iter().map(|error| format!("{}: {error:?}", talk.id)));
                told.lost.extend(&record.lost);
                told.acknowledged += record.sender.acknowledged_count();
            }
            let record = talk.writer.record();
            for (code, times) in &record.refusals {
                *told.refusals.entry(code.clone()).or_default() += times;
            }
            told.for_good.extend(record.for_good.iter().cloned());
            told.acknowledged += record.sender.acknowledged_count();
        }
        told
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.feeder.abort();
    }
}

impl Talk {
    /// What was acknowledged of it, in the order of time.
    pub(super) fn taken(&self) -> Vec<Taken> {
        let mut taken = self.writer.record().taken.clone();
        self.sockets.iter().for_each(|socket| taken.extend(&socket.record().taken));
        taken.sort_by_key(|taken| taken.at);
        taken
    }

    /// What its clients saw of it.
    pub(super) fn history(&self) -> History {
        let mut history = History { nobody_else: true, ..History::default() };
        for socket in &self.sockets {
            let record = socket.record();
            history.senders.push(record.sender.clone());
            history.observers.push(record.observer.clone());
        }
        history.senders.push(self.writer.record().sender.clone());
        history
    }

    fn each_was_answered_since(&self, since: Instant) -> bool {
        let is_later = |taken: &Taken| taken.at - taken.took >= since;
        self.sockets.iter().all(|socket| socket.record().taken.last().is_some_and(is_later))
            && self.writer.record().taken.last().is_some_and(is_later)
    }

    /// Who was answered how often since then, and what else there is to say of them.
    fn standing(&self, since: Instant) -> String {
        let later = |taken: &[Taken]| taken.iter().filter(|taken| taken.at >= since).count();
        let mut standing = String::new();
        for socket in &self.sockets {
            let record = socket.record();
            let waiting: Vec<_> = record.sender.unacknowledged().map(|(r#ref, _)| r#ref.as_str().to_owned()).collect();
            standing += &format!(
                "a socket with {} answers, {waiting:?} open, refusals {:?}, lost {:?}; ",
                later(&record.taken),
                record.refusals,
                record.lost
            );
        }
        let record = self.writer.record();
        standing + &format!("over HTTP {} answers, refusals {:?}", later(&record.taken), record.refusals)
    }

    /// Its log at every node, once all is said, answered and seen; or what is missing.
    async fn at_rest(&self, apis: &[Api]) -> Result<Vec<Vec<Event>>, String> {
        if !self.writer.record().is_done || !self.sockets.iter().all(Patient::is_done) {
            return Err(format!("something is not acknowledged: {}", self.standing(Instant::now())));
        }
        let mut logs = Vec::new();
        for api in apis {
            logs.push(log(api, self.id).await.ok_or("the log is not to be had")?);
            let view: ConversationView = get(api, &format!("/v1/conversations/{}", self.id)).await.ok_or("no view")?;
            if view.running.is_some() {
                return Err("a reply runs".to_owned());
            }
        }
        let log = logs.first().ok_or("no node")?;
        if log.last().is_none_or(|event| matches!(event.fact, Fact::TurnStarted { .. })) {
            return Err("a reply runs".to_owned());
        }
        let head = log.len() as u64;
        match self.sockets.iter().position(|socket| !socket.has_seen(head)) {
            Some(n) => {
                let record = self.sockets[n].record();
                Err(format!("socket {n} has seen {} of {head}, lost {:?}", record.observer.seq(), record.lost))
            }
            None => Ok(logs),
        }
    }
}

impl Writer {
    fn start(ways: Vec<Api>, id: ConversationId, fed: tokio::sync::watch::Receiver<bool>) -> Self {
        let record = Arc::new(Mutex::new(Written {
            sender: Sender::new(Author::Contact),
            taken: Vec::new(),
            refusals: BTreeMap::new(),
            for_good: Vec::new(),
            is_done: false,
        }));
        #[allow(clippy::disallowed_methods, reason = "it ends when dropped")]
        let life = tokio::spawn(write(ways, id, Arc::clone(&record), fed));
        Self { record, life }
    }

    fn record(&self) -> MutexGuard<'_, Written> {
        lock(&self.record)
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.life.abort();
    }
}

async fn write(
    ways: Vec<Api>,
    id: ConversationId,
    record: Arc<Mutex<Written>>,
    fed: tokio::sync::watch::Receiver<bool>,
) {
    let mut nodes = ways.iter().cycle();
    let Some(mut api) = nodes.next() else { return };
    for n in 1.. {
        if !*fed.borrow() {
            break;
        }
        let Ok(r#ref) = format!("h-{n}").parse::<Ref>() else { return };
        let (text, first) = (words(), Instant::now());
        loop {
            lock(&record).sender.sends(&r#ref, &text);
            let asked = json!({"ref": r#ref, "text": text});
            let request = api.request("POST", &format!("/v1/conversations/{id}/messages")).json(&asked);
            let wait = match request.timeout(ANSWER_MAX).send().await {
                Ok(answer) if answer.status().is_success() => match answer.json::<Said>().await {
                    Ok(said) => {
                        let mut record = lock(&record);
                        record.sender.acknowledged(&r#ref, said.seq);
                        let now = Instant::now();
                        record.taken.push(Taken { at: now, took: now - first, by: api.address });
                        break;
                    }
                    Err(_) => PAUSE,
                },
                Ok(answer) => {
                    let status = answer.status().as_u16();
                    let said = answer.text().await.unwrap_or_default();
                    let error = serde_json::from_str::<ErrorBody>(&said).ok().map(|body| body.error);
                    let code = error.as_ref().map_or_else(|| status.to_string(), |error| error.code.name().to_owned());
                    let advice = error.and_then(|error| error.retry_after).map(Duration::from_secs);
                    let mut record = lock(&record);
                    *record.refusals.entry(code).or_default() += 1;
                    if advice.is_none() {
                        record.for_good.push(format!("{id}: {status} {said}"));
                    }
                    // Another one may know better already.
                    api = nodes.next().unwrap_or(api);
                    advice.unwrap_or(PAUSE)
                }
                Err(_) => {
                    api = nodes.next().unwrap_or(api);
                    PAUSE / 10
                }
            };
            tokio::time::sleep(wait).await;
        }
        tokio::time::sleep(PAUSE).await;
    }
    lock(&record).is_done = true;
}

/// What is said: it asks for a reply of half a second.
fn words() -> String {
    Plan { tokens: 20, rate: 40, start_ns: 0 }.to_string()
}

async fn get<T: serde::de::DeserializeOwned>(api: &Api, path: &str) -> Option<T> {
    api.request("GET", path).send().await.ok()?.error_for_status().ok()?.json().await.ok()
}

async fn log(api: &Api, id: ConversationId) -> Option<Vec<Event>> {
    let mut events: Vec<Event> = Vec::new();
    loop {
        let path = format!("/v1/conversations/{id}/events?after={}&limit=500", events.len());
        let page: EventList = get(api, &path).await?;
        let is_last = page.events.is_empty();
        events.extend(page.events);
        if is_last || events.len() as u64 >= page.head {
            return Some(events);
        }
    }
}

fn lock(record: &Mutex<Written>) -> MutexGuard<'_, Written> {
    record.lock().unwrap_or_else(PoisonError::into_inner)
}
