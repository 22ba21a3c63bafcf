//! Random commands, given to a store and to the model: every answer must be the same.

use std::time::Duration;

use anyhow::Context;
use engine_store::memory::MemoryStore;
use engine_store::{
    Append, Claim, ConversationRow, DueChange, DueIndex, DueQuery, Hasten, Hastened, ListCursor, ListQuery, Log,
    LogCursor, Opening, PageBounds, Pending, Projection, Projections, RecordName, Records, Reschedule, Scope,
    SharedStore, Snapshots, StoreError, UnspokenQuery,
};
use futures_util::future::join_all;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use schema::{ContactId, ConversationId, ConversationKey, TenantId, Timestamp};

use super::Outcome;
use super::words::{message, same};

/// The seed of this run: what `TERTULIA_SEED` says, or a new one. A failure names it.
#[must_use]
pub fn seed() -> u64 {
    std::env::var("TERTULIA_SEED").ok().and_then(|text| text.parse().ok()).unwrap_or_else(rand::random)
}

/// How many writes are asked for before the first answer is waited for. Only a store that does
/// writes in the order of the calls can do more than [`Burst::ONE`] predictably.
#[derive(Clone, Copy, Debug)]
pub struct Burst(pub usize);

impl Burst {
    /// One after the other.
    pub const ONE: Self = Self(1);
}

pub(super) async fn random_commands_do_what_the_model_does(store: SharedStore) -> Outcome {
    compare(&store, seed(), 60, Burst::ONE).await
}

/// Gives `writes` random writes to `store` and to a model, and compares what both say and hold.
///
/// # Errors
/// At the first difference, with the seed.
pub async fn compare(store: &SharedStore, seed: u64, writes: usize, burst: Burst) -> Outcome {
    let model = MemoryStore::default();
    let mut world = World::new(seed);
    let mut done = 0;
    while done < writes {
        let size = world.random.random_range(1..=burst.0).min(writes - done);
        let commands: Vec<Command> = (0..size).map(|_| world.command()).collect();
        // Both are asked for all of it before either is waited for.
        let asked: Vec<_> = commands.iter().map(|command| command.ask(store.as_ref())).collect();
        let wanted: Vec<_> = commands.iter().map(|command| command.ask(&model)).collect();
        let (found, wanted) = (join_all(asked).await, join_all(wanted).await);
        for (n, command) in commands.iter().enumerate() {
            world.learn(command, &wanted[n]);
            let what = || format!("seed {seed}, write {}: {command:?}", done + n);
            let was_waited_for = (&found[n], &wanted[n]) == (&Ok(Answer::Erased), &Err(StoreError::NotFound));
            if !(was_waited_for && may_wait(&commands[..n], &wanted[..n], command)) {
                same(&what(), &found[n], &wanted[n])?;
            }
        }
        done += size;
        world.look(store.as_ref(), &model).await.with_context(|| format!("seed {seed}, after {done} writes"))?;
    }
    Ok(())
}

/// Whether this asks for an erasure again that was asked for and not answered before it. What is erased is gone for the
/// model at once; a store whose key has not ended yet lets whoever asks again wait for it, and says that it is erased.
fn may_wait(before: &[Command], answers: &[Result<Answer, StoreError>], again: &Command) -> bool {
    let Command::Erase(key, _) = again else { return false };
    before.iter().zip(answers).any(|(command, answer)| {
        matches!(command, Command::Erase(erased, _) if erased == key) && *answer == Ok(Answer::Erased)
    })
}

/// A write with all it says.
#[derive(Clone, Debug)]
enum Command {
    Claim(ConversationKey, Option<Opening>),
    Append(Append),
    Reschedule(Reschedule),
    Hasten(Hasten),
    Erase(ConversationKey, Option<u64>),
    Snapshot(ConversationKey, Claim, Vec<u8>),
    Put(RecordName, u64, Vec<u8>),
    Delete(RecordName, u64),
    Project(ConversationKey, u64, ConversationRow),
}

/// An answer of any write.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Answer {
    Claimed(Claim),
    Stored,
    Rescheduled,
    Hastened(Option<Hastened>),
    Erased,
    Kept(bool),
    Version(u64),
    Deleted,
    Projected,
}

impl Command {
    fn ask(&self, store: &dyn engine_store::Store) -> Pending<Answer> {
        match self.clone() {
            Self::Claim(key, open) => answered(store.claim(key, open), Answer::Claimed),
            Self::Append(append) => answered(store.append(append), |()| Answer::Stored),
            Self::Reschedule(change) => answered(store.reschedule(change), |()| Answer::Rescheduled),
            Self::Hasten(hasten) => answered(store.hasten(hasten), Answer::Hastened),
            Self::Erase(key, head) => answered(store.erase(key, head), |()| Answer::Erased),
            Self::Snapshot(key, Claim { epoch, head, .. }, bytes) => {
                answered(store.set_snapshot(key, epoch, head, bytes), Answer::Kept)
            }
            Self::Put(name, expected, body) => answered(store.put(name, expected, body), Answer::Version),
            Self::Delete(name, expected) => answered(store.delete(name, expected), |()| Answer::Deleted),
            Self::Project(key, expected, row) => answered(store.project(key, expected, row), |()| Answer::Projected),
        }
    }
}

fn answered<T: 'static>(pending: Pending<T>, answer: fn(T) -> Answer) -> Pending<Answer> {
    Box::pin(async move { pending.await.map(answer) })
}

/// A few names, so that commands meet; and what the last answers said, so that many succeed.
struct World {
    random: StdRng,
    keys: Vec<ConversationKey>,
    claims: Vec<Claim>,
    /// How far the conversations' rows go.
    rows: Vec<u64>,
    names: Vec<RecordName>,
    versions: Vec<u64>,
    contacts: Vec<ContactId>,
}

impl World {
    fn new(seed: u64) -> Self {
        let mut random = StdRng::seed_from_u64(seed);
        // Ids come from the seed too, so that it gives the very same run again.
        let tenants = [0; 2].map(|_| TenantId::from_bytes(random.random()));
        let ids = [0; 3].map(|_| ConversationId::from_bytes(random.random()));
        let keys =
            tenants.iter().flat_map(|tenant| ids.map(|conversation| ConversationKey { tenant: *tenant, conversation }));
        let keys: Vec<_> = keys.collect();
        let names = tenants.iter().flat_map(|tenant| {
            ["a", "b", "c"].map(|id| RecordName { scope: Scope::Tenant(*tenant), kind: "random", id: id.into() })
        });
        let names: Vec<_> = names.collect();
        let contacts = [1, 2].map(|n| ContactId::from_bytes([n; 16])).to_vec();
        let (claims, versions) = (vec![Claim { epoch: 0, head: 0, due: None }; keys.len()], vec![0; names.len()]);
        let rows = vec![0; keys.len()];
        Self { random, keys, claims, rows, names, versions, contacts }
    }

    fn command(&mut self) -> Command {
        let kind = self.random.random_range(0..31);
        let (key, name) = (self.random.random_range(0..self.keys.len()), self.random.random_range(0..self.names.len()));
        match kind {
            0 | 1 => Command::Claim(self.keys[key], None),
            2 | 3 => {
                let contact = self.contacts[self.random.random_range(0..self.contacts.len())];
                // Before its first event, as they are.
                let at = Timestamp::from_millis(self.random.random_range(0..1_000));
                Command::Claim(self.keys[key], Some(Opening { contact, is_anonymous: contact == self.contacts[0], at }))
            }
            4..16 => Command::Append(self.append(key)),
            16 => {
                let head = self.random.random_bool(0.5).then(|| self.near(self.claims[key].head));
                Command::Erase(self.keys[key], head)
            }
            17 | 18 => {
                let body = (0..self.random.random_range(0..64)).map(|_| self.random.random()).collect();
                Command::Put(self.names[name].clone(), self.near(self.versions[name]), body)
            }
            19..22 => Command::Reschedule(self.reschedule(key)),
            22 => Command::Hasten(Hasten {
                tenant: self.keys[key].tenant,
                after: self.random.random_bool(0.5).then(|| self.keys[0].conversation),
                limit: self.random.random_range(0..4),
                from: Timestamp::from_millis(self.random.random_range(0..5_000)),
                step: Duration::from_millis(self.random.random_range(0..500)),
                missing: self.random.random_bool(0.5),
            }),
            23..26 => {
                let claim = self.claims[key];
                // Of the newest event, or of one of those before it.
                let back = self.random.random_range(0..3);
                let head = self.near(claim.head).saturating_sub(back);
                let bytes = (0..self.random.random_range(0..64)).map(|_| self.random.random()).collect();
                Command::Snapshot(self.keys[key], Claim { epoch: self.near(claim.epoch), head, due: None }, bytes)
            }
            26..29 => self.project(key),
            _ => Command::Delete(self.names[name].clone(), self.near(self.versions[name])),
        }
    }

    // Mostly right; sometimes a number off, in each of the places that are checked.
    fn append(&mut self, key: usize) -> Append {
        let claim = self.claims[key];
        let (epoch, head) = (self.near(claim.epoch), self.near(claim.head));
        let first = self.near(head) + 1;
        let count = self.random.random_range(0..4);
        let events = (first..first + count).map(|seq| message(seq, format!("{seq} of {epoch}"))).collect::<Vec<_>>();
        if first == head + 1 && (epoch, head) == (claim.epoch, claim.head) {
            // In a burst the next one continues where this one will have ended, if it succeeds.
            self.claims[key].head += count;
        }
        let due = match self.random.random_range(0..4) {
            0 => DueChange::At(Timestamp::from_millis(self.random.random_range(0..5_000))),
            1 => DueChange::Clear,
            _ => DueChange::Keep,
        };
        Append { key: self.keys[key], epoch, head, events: events.into(), due }
    }

    fn reschedule(&mut self, key: usize) -> Reschedule {
        let claim = self.claims[key];
        let (epoch, head) = (self.near(claim.epoch), self.near(claim.head));
        let at = self.random.random_bool(0.8).then(|| Timestamp::from_millis(self.random.random_range(0..5_000)));
        Reschedule { key: self.keys[key], epoch, head, at }
    }

    // What it tells is not what the log says: here it only matters that both stores take and list the same.
    fn project(&mut self, key: usize) -> Command {
        let (expected, head) = (self.near(self.rows[key]), self.near(self.claims[key].head));
        let mut row = ConversationRow::default();
        (1..=head).for_each(|seq| row.fold([&message(seq, "listed")]));
        let contact = self.random.random_range(0..=self.contacts.len());
        row.contact = self.contacts.get(contact).copied();
        Command::Project(self.keys[key], expected, row)
    }

    fn near(&mut self, number: u64) -> u64 {
        match self.random.random_range(0..20) {
            0 => number + 1,
            1 => number.saturating_sub(1),
            _ => number,
        }
    }

    fn learn(&mut self, command: &Command, answer: &Result<Answer, StoreError>) {
        match (command, answer) {
            (Command::Claim(key, _), Ok(Answer::Claimed(claim))) => {
                let place = self.keys.iter().position(|one| one == key);
                place.into_iter().for_each(|n| self.claims[n] = *claim);
            }
            (Command::Erase(key, _), Ok(_)) => {
                let place = self.keys.iter().position(|one| one == key);
                place.into_iter().for_each(|n| {
                    self.claims[n] = Claim { epoch: 0, head: 0, due: None };
                    self.rows[n] = 0;
                });
            }
            (Command::Project(key, _, row), Ok(_)) => self.learn_row(*key, row.head),
            (Command::Project(key, ..), Err(StoreError::Conflict { found })) => self.learn_row(*key, *found),
            (Command::Put(name, ..), Ok(Answer::Version(version))) => self.learn_version(name, *version),
            (Command::Put(name, ..) | Command::Delete(name, _), Err(StoreError::Conflict { found })) => {
                self.learn_version(name, *found);
            }
            (Command::Delete(name, _), Ok(_)) => self.learn_version(name, 0),
            (Command::Append(append), Ok(_)) => {
                let place = self.keys.iter().position(|one| *one == append.key);
                let head = append.events.last().map_or(append.head, |event| event.seq);
                place.into_iter().for_each(|n| self.claims[n].head = head);
            }
            (Command::Append(append), Err(_)) => {
                let place = self.keys.iter().position(|one| *one == append.key);
                place.into_iter().for_each(|n| self.claims[n].head = self.claims[n].head.min(append.head));
            }
            _ => {}
        }
    }

    fn learn_row(&mut self, key: ConversationKey, head: u64) {
        let place = self.keys.iter().position(|one| *one == key);
        place.into_iter().for_each(|n| self.rows[n] = head);
    }

    fn learn_version(&mut self, name: &RecordName, version: u64) {
        let place = self.names.iter().position(|one| one == name);
        place.into_iter().for_each(|n| self.versions[n] = version);
    }

    /// Reads both in every way and compares.
    async fn look(&mut self, store: &dyn engine_store::Store, model: &MemoryStore) -> Outcome {
        for key in self.keys.clone() {
            let after = self.random.random_range(0..6);
            let bounds =
                PageBounds { events: self.random.random_range(0..12), bytes: self.random.random_range(0..1_500) };
            let found = store.read(key, after, bounds).await.map(|page| (page.events, page.head));
            let wanted = model.read(key, after, bounds).await.map(|page| (page.events, page.head));
            same(&format!("{bounds:?} of {key} after {after}"), &found, &wanted)?;
            same(&format!("the snapshot of {key}"), &store.snapshot(key).await, &model.snapshot(key).await)?;
        }
        for key in self.keys.clone() {
            same("a row", &store.row(key).await, &model.row(key).await)?;
        }
        // Each store has an order numbered in its own way.
        let list = Projection::Conversations;
        let [mut found, mut wanted] = [
            store.behind(list, LogCursor::default(), 100_000).await?.keys,
            model.behind(list, LogCursor::default(), 100_000).await?.keys,
        ];
        found.sort_unstable();
        wanted.sort_unstable();
        same("what the list is behind", &found, &wanted)?;
        for name in self.names.clone() {
            same("a record", &store.get(name.clone()).await, &model.get(name.clone()).await)?;
        }
        let tenant = self.keys[self.random.random_range(0..self.keys.len())].tenant;
        let count = self.random.random_range(0..=self.contacts.len());
        let contacts = self.random.random_bool(0.5).then(|| self.contacts[..count].to_vec());
        let id = self.keys[self.random.random_range(0..self.keys.len())].conversation;
        let last_at = Timestamp::from_millis(self.random.random_range(0..9_000));
        let before = self.random.random_bool(0.5).then_some(ListCursor { last_at, id });
        let limit = self.random.random_range(0..5);
        let query = ListQuery { tenant, contacts, before, limit };
        same(&format!("{query:?}"), &store.list(query.clone()).await, &model.list(query.clone()).await)?;
        // A cursor is one of an earlier answer.
        let mut query = UnspokenQuery { before: Timestamp::from_millis(4_000), after: None, limit };
        for _ in 0..2 {
            let wanted = model.unspoken(query).await;
            same(&format!("{query:?}"), &store.unspoken(query).await, &wanted)?;
            query.after = wanted.ok().and_then(|found| found.last().copied());
        }
        let before = Timestamp::from_millis(self.random.random_range(0..6_000));
        let mut query = DueQuery { before, after: None, limit };
        for _ in 0..2 {
            let wanted = model.due(query).await;
            same(&format!("{query:?}"), &store.due(query).await, &wanted)?;
            query.after = wanted.ok().and_then(|found| found.last().copied());
        }
        let (scope, limit) = (Scope::Tenant(tenant), self.random.random_range(0..4));
        let after = self.random.random_bool(0.5).then(|| "a".to_string());
        let found = store.scan(scope, "random", after.clone(), limit).await;
        same("a scan", &found, &model.scan(scope, "random", after, limit).await)
    }
}
