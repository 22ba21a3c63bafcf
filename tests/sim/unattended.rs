//! Everybody leaves, some in the middle of a reply, and nobody comes back: what is due is done all the same, in
//! time and once. And every conversation, whoever listens, is held against what its clients know.

use std::collections::BTreeSet;
use std::rc::Rc;
use std::time::Duration;

use actors::{Failure, ProfileRecord, Worker};
use engine_conversation::Conversation;
use loadtest::checker::{History, Sender};
use schema::wire::Status;
use schema::{Author, CloseReason, End, Event, Fact, FloorPolicy, Profile, TenantId, Timestamp};
use tokio::time::{Instant, sleep};

use super::client::Shared;
use super::disk::Troubles;
use super::faults::{self, SKEW_MS};
use super::held;
use super::node::EPOCH_MS;
use super::world::{TENANTS, World, word_of};

/// Longest time from an entry's moment, with a node that is well, until what was due is done.
const DONE_MAX: Duration = Duration::from_secs(60);
/// How often a change of a profile is sent again.
const PROFILE_TRIES: usize = 60;
/// Between two looks at the index.
const LOOK_EVERY: Duration = Duration::from_secs(10);

impl World {
    /// Nobody is there any more, while trouble goes on for a time and long after it. Gives what was not done.
    pub(super) async fn left_alone(self: &Rc<Self>) -> Vec<String> {
        self.ended.cancel();
        self.cut_all();
        self.tell(|| "everybody has left".into());
        let until = Instant::now() + self.plan.trouble;
        faults::trouble(Rc::clone(self), self.chance.fork(), until, self.plan.pause_ms).await;
        let mut wrong = self.entries_missing(self.hours.get());
        self.heal();
        sleep(DONE_MAX).await;
        if self.plan.stricter
            && let Err(failure) = self.make_stricter(1).await
        {
            wrong.push(format!("due: the policy could not be changed: {failure}"));
        }
        // By then every conversation's hour has come, by whichever clock its last word was written.
        let hours = u64::from(self.hours.get()) * 3_600_000;
        let end = Instant::now() + Duration::from_millis(hours + 2 * SKEW_MS) + DONE_MAX;
        while Instant::now() < end && wrong.is_empty() {
            sleep(LOOK_EVERY).await;
            if self.chance.happens(0.001) {
                self.crash(0);
                self.start_if_down(0);
            }
            wrong.extend(self.overdue());
        }
        wrong.extend(self.entries_missing(self.hours.get()));
        wrong.extend(
            self.keys.iter().enumerate().flat_map(|(n, key)| undone(n, &self.disk.log(*key), self.hours.get())),
        );
        wrong
    }

    /// From now on the tenants' conversations close after so many hours; the node may go down at any moment then. The
    /// weather is bad meanwhile: an answer may be lost whose change was done.
    async fn make_stricter(self: &Rc<Self>, hours: u32) -> Result<(), Failure> {
        let floor = FloorPolicy { close_after_hours: hours, ..self.plan.floor.clone() };
        let profile = Profile { floor, ..Profile::default() };
        self.set_weather(0, Troubles { lost: 0.1, unanswered: 0.3, late: 0.1, refused: 0.3, slow: false });
        for tenant in self.keys.iter().map(|key| key.tenant).collect::<BTreeSet<_>>() {
            self.put_profile(tenant, &profile).await?;
        }
        self.tell(|| format!("conversations close after {hours} hours"));
        self.hours.set(hours);
        sleep(self.chance.millis(0..=30_000)).await;
        self.crash(0);
        self.start_if_down(0);
        // Until they have all looked again.
        sleep(DONE_MAX).await;
        Ok(())
    }

    /// As somebody does who sends it again until it stands there, and then leaves it.
    async fn put_profile(&self, tenant: TenantId, profile: &Profile) -> Result<(), Failure> {
        let mut tries = 0;
        loop {
            let stands = ProfileRecord::load(&self.disk.records, tenant).await;
            if stands.is_ok_and(|stands| stands.is_some_and(|(_, stands)| stands == *profile)) {
                return Ok(());
            }
            let profile = profile.clone();
            let change = move |worker: Rc<Worker>| async move {
                worker.tenant(tenant).await?.put_profile(1, profile, &[]).await
            };
            tries += 1;
            match self.on_node(0, change).await {
                Err(failure) if tries > PROFILE_TRIES => return Err(failure),
                _ => sleep(Duration::from_secs(1)).await,
            }
        }
    }

    /// Looks all the time whether an entry is missing, and complains of the first one.
    pub(super) async fn watch_entries(self: Rc<Self>) {
        // Folding a long log takes long.
        while self.plan.sizes.is_small() {
            // Hours follow when nothing goes wrong any more.
            sleep(Duration::from_secs(if self.is_healed() { 60 } else { 1 })).await;
            let mut missing = self.entries_missing(self.plan.floor.close_after_hours);
            if let Some(first) = missing.pop() {
                return self.complain(first);
            }
        }
    }

    /// Every conversation that will have something to do has an entry, and no late one.
    fn entries_missing(&self, close_after_hours: u32) -> Vec<String> {
        // A clock may be wrong by so much, and a reply is looked for within half a minute.
        let latest = SKEW_MS + 60_000;
        let missing = self.keys.iter().enumerate().filter_map(|(n, key)| {
            let policy = FloorPolicy { close_after_hours, ..self.plan.floor.clone() };
            let wanted = Conversation::from_events(&self.disk.log(*key)).due(&policy, self.now())?;
            let entry = self.disk.entry(*key);
            let is_late = entry.is_none_or(|at| at > wanted.plus(Duration::from_millis(latest)));
            is_late
                .then(|| format!("due: conversation {n} has something to do at {wanted}, and its entry is {entry:?}"))
        });
        missing.collect()
    }

    /// No entry stands for long after its moment.
    fn overdue(&self) -> Vec<String> {
        let now = self.now();
        let overdue = self.keys.iter().enumerate().filter_map(|(n, key)| {
            let at = self.disk.entry(*key).filter(|at| now.since(*at) > DONE_MAX)?;
            Some(format!("due: conversation {n} has been due since {at}, and it is {now}"))
        });
        overdue.collect()
    }

    /// What a right clock shows.
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(EPOCH_MS).plus(self.began.elapsed())
    }

    /// Holds every conversation's log against what its clients know. Where they `stayed`, they have seen all of it.
    pub(super) fn judge(&self, clients: &[Vec<Shared>], stayed: bool) -> Vec<String> {
        let mut held = held::take();
        let mut wrong = self.disk.broken();
        wrong.extend(self.complaints.take());
        wrong.extend(self.restless());
        for (n, key) in self.keys.iter().enumerate() {
            let log = self.disk.log(*key);
            wrong.extend(doubled(n, &log));
            let foreign = (0..self.keys.len()).filter(|other| other % TENANTS != n % TENANTS).map(word_of).collect();
            let mut history = History { foreign, held: std::mem::take(&mut held), ..History::default() };
            for client in &clients[n] {
                let mut client = client.borrow_mut();
                let mut observer = std::mem::take(&mut client.observer);
                if stayed {
                    observer.stayed_until(log.len() as u64);
                }
                history.observers.push(observer);
                history.senders.push(std::mem::replace(&mut client.sender, Sender::new(Author::System)));
            }
            wrong.extend(history.check(&log).into_iter().map(|violation| format!("conversation {n}: {violation}")));
        }
        wrong
    }
}

/// What is left to do in a conversation whose hour has come.
fn undone(n: usize, log: &[Event], hours: u32) -> Vec<String> {
    let folded = Conversation::from_events(log);
    let state = folded.state();
    let mut wrong = Vec::new();
    if let Some(unfinished) = &state.unfinished {
        wrong.push(format!("due: turn {} of conversation {n} stays undone", unfinished.turn));
    }
    match log.last().map(|event| (&event.fact, event.at)) {
        Some((Fact::Closed { reason: CloseReason::Idle }, at)) => {
            let quiet = at.since(state.last_at);
            if quiet < Duration::from_secs(u64::from(hours) * 3_600) {
                wrong.push(format!("due: conversation {n} was closed after {quiet:?}"));
            }
        }
        // One in which nobody has spoken has nothing to close.
        _ if state.status == Status::Open && log.len() > 1 => {
            wrong.push(format!("due: conversation {n} stays open, undone"));
        }
        _ => {}
    }
    wrong
}

/// What was done twice.
fn doubled(n: usize, log: &[Event]) -> Vec<String> {
    let (mut is_closed, mut answered) = (false, 0);
    let mut wrong = Vec::new();
    for event in log {
        match &event.fact {
            Fact::Closed { .. } if std::mem::replace(&mut is_closed, true) => {
                wrong.push(format!("due: conversation {n} was closed twice, at {}", event.seq));
            }
            Fact::Reopened {} => is_closed = false,
            Fact::Message { reply: Some(reply), .. } if reply.end == End::Completed => {
                if reply.answers <= answered {
                    wrong.push(format!("due: message {} of conversation {n} was answered twice", reply.answers));
                }
                answered = answered.max(reply.answers);
            }
            _ => {}
        }
    }
    wrong
}
