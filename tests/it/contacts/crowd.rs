//! Many contacts who are merged and parted in every order, one request after another and several at once, held against
//! what everybody would expect: who is a part of whom is one arrow each.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use actors::{Contacts, ContactsError, Options, System, SystemClock};
use engine_store::memory::{Fate, MemoryStore, Scripted};
use engine_store::{RecordName, Scope, SharedStore};
use futures_util::future::join_all;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use schema::wire::{ContactView, SplitIn};
use schema::{ChangedBy, ContactChange, ContactId, ContactRecord, ContactState, StatesIn, TenantId, limits};

use super::steps::Nothing;

struct Crowd {
    store: Arc<MemoryStore>,
    contacts: Contacts,
    tenant: TenantId,
    ids: Vec<ContactId>,
}

/// Who is a part of whom.
type Arrows = BTreeMap<usize, usize>;

fn root(arrows: &Arrows, of: usize) -> usize {
    let mut at = of;
    while let Some(into) = arrows.get(&at) {
        at = *into;
    }
    at
}

fn by() -> ChangedBy {
    "key 1".parse().unwrap()
}

impl Crowd {
    /// Each is known by a name, and by what only they have said.
    async fn new(count: usize) -> Self {
        let (store, tenant) = (Arc::<MemoryStore>::default(), TenantId::generate());
        let contacts = Contacts::new(store.clone(), Arc::new(SystemClock));
        let mut ids = Vec::new();
        for n in 0..count {
            let own = contacts.named(tenant, &format!("c{n}").parse().unwrap()).await.unwrap().own;
            let only = [(format!("only {n}").parse().unwrap(), Some("1".parse().unwrap()))];
            let known = ContactChange { version: 1, attributes: only.into(), ..ContactChange::default() };
            contacts.change(tenant, own, known, &by()).await.unwrap();
            ids.push(own);
        }
        Self { store, contacts, tenant, ids }
    }

    async fn merge(&self, into: usize, other: usize) -> Result<ContactView, ContactsError> {
        self.contacts.merge(self.tenant, self.ids[into], self.ids[other], &by()).await
    }

    async fn part(&self, from: usize, other: usize) -> Result<ContactView, ContactsError> {
        let undo = SplitIn { contact: Some(self.ids[other]), ..SplitIn::default() };
        self.contacts.split(self.tenant, self.ids[from], undo, &by()).await
    }

    /// Everybody stands for whom the arrows say, is found by their name there, and has what all of theirs have said.
    async fn is_as(&self, arrows: &Arrows, case: &str) {
        for n in 0..self.ids.len() {
            let wanted = root(arrows, n);
            let named = self.contacts.meant(self.tenant, &format!("c{n}").parse().unwrap()).await.unwrap().unwrap();
            assert_eq!((named.own, named.id), (self.ids[n], self.ids[wanted]), "{case}: {n} in {arrows:?}");
            let view = self.contacts.view(self.tenant, self.ids[n]).await.unwrap().unwrap();
            let theirs: Vec<_> = (0..self.ids.len()).filter(|other| root(arrows, *other) == wanted).collect();
            assert_eq!(view.identities.len(), theirs.len(), "{case}: {n} in {arrows:?}");
            let said = |n: &usize| view.attributes.contains_key(&format!("only {n}").parse().unwrap());
            assert!(theirs.iter().all(said) && view.attributes.len() == theirs.len(), "{case}: {n} in {arrows:?}");
            let mut family = self.contacts.family_of(self.tenant, self.ids[n]).await.unwrap();
            family.sort_unstable();
            let mut members: Vec<_> = theirs.iter().map(|n| self.ids[*n]).collect();
            members.sort_unstable();
            assert_eq!(family, members, "{case}");
        }
    }
}

#[tokio::test]
async fn a_chain_that_is_parted_and_joined_anew_is_as_it_was_asked_for() {
    // Q←P, R←Q, P parted, R←P, Q parted: Q is Q.
    let (q, p, r) = (0, 1, 2);
    let crowd = Crowd::new(3).await;
    crowd.merge(q, p).await.unwrap();
    crowd.merge(r, q).await.unwrap();
    crowd.part(r, p).await.unwrap();
    crowd.merge(r, p).await.unwrap();
    crowd.part(r, q).await.unwrap();
    crowd.is_as(&[(p, r)].into(), "the chain").await;
}

#[tokio::test]
async fn every_order_of_merges_and_parts_ends_as_the_arrows_say() {
    for seed in 0..60 {
        let mut random = StdRng::seed_from_u64(seed);
        let crowd = Crowd::new(6).await;
        let mut arrows = Arrows::new();
        for step in 0..40 {
            let (one, other) = (random.random_range(0..6), random.random_range(0..6));
            let case = format!("seed {seed}, step {step}: {one} {other}");
            if random.random_bool(0.5) {
                let [into, goes] = [one, other].map(|n| root(&arrows, n));
                let merged = crowd.merge(one, other).await;
                assert_eq!(merged.is_ok(), one != other, "{case}: {merged:?}");
                if into != goes {
                    arrows.insert(goes, into);
                }
            } else {
                let is_part = root(&arrows, one) == root(&arrows, other) && arrows.contains_key(&other);
                let parted = crowd.part(one, other).await;
                assert_eq!(parted.is_ok(), is_part, "{case}: {parted:?} in {arrows:?}");
                if is_part {
                    arrows.remove(&other);
                }
            }
            crowd.is_as(&arrows, &case).await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn however_many_ask_at_once_nobody_is_lost_and_there_is_no_circle() {
    for seed in 0..100 {
        let mut random = StdRng::seed_from_u64(seed);
        let crowd = Crowd::new(5).await;
        let delays =
            (0..400).map(|_| Scripted { delay: Duration::from_millis(random.random_range(0..4)), fate: Fate::AsAsked });
        crowd.store.script(delays.collect::<Vec<_>>());
        let asked: Vec<(bool, usize, usize, u64)> = (0..12)
            .map(|_| {
                let (one, other) = (random.random_range(0..5), random.random_range(0..5));
                (random.random_bool(0.7), one, other, random.random_range(0..20))
            })
            .collect();
        let requests = asked.iter().map(async |(merges, one, other, after)| {
            tokio::time::sleep(Duration::from_millis(*after)).await;
            if *merges { crowd.merge(*one, *other).await } else { crowd.part(*one, *other).await }
        });
        let answers = join_all(requests).await;
        crowd.store.forget_script();
        for answer in &answers {
            let is_one = matches!(answer, Ok(_) | Err(ContactsError::Refused(_)));
            assert!(is_one, "seed {seed}: {answer:?}");
        }
        // As another node sees it: whatever came out, it is one of the pictures that arrows can give.
        let fresh = Contacts::new(crowd.store.clone(), Arc::new(SystemClock));
        let mut arrows = Arrows::new();
        for (n, id) in crowd.ids.iter().enumerate() {
            let stands = fresh.standing(crowd.tenant, *id).await.unwrap().id;
            let into = crowd.ids.iter().position(|id| *id == stands).unwrap();
            if into != n {
                arrows.insert(n, into);
            }
        }
        assert!(arrows.values().all(|into| !arrows.contains_key(into)), "seed {seed}: {arrows:?}");
        let crowd = Crowd { contacts: fresh, ..crowd };
        crowd.is_as(&arrows, &format!("seed {seed}")).await;
    }
}

/// Who is merged into somebody who is erased at the same moment is erased along, or stands for itself; and the erased
/// id, used again, is nobody's part and has nobody.
#[tokio::test(start_paused = true)]
async fn a_merge_that_meets_an_erasure_leaves_no_pointer_behind() {
    let mut met = [0; 2];
    for seed in 0..200 {
        let mut random = StdRng::seed_from_u64(seed);
        let crowd = Crowd::new(2).await;
        let delays =
            (0..64).map(|_| Scripted { delay: Duration::from_millis(random.random_range(0..4)), fate: Fate::AsAsked });
        crowd.store.script(delays.collect::<Vec<_>>());
        let shared: SharedStore = crowd.store.clone();
        let system = System::new(shared, Arc::new(Nothing), Arc::new(SystemClock), Options::default());
        let start = Duration::from_millis(random.random_range(0..12));
        let (merged, erased) = tokio::join!(
            async {
                tokio::time::sleep(start).await;
                crowd.merge(0, 1).await
            },
            system.erase_contact(crowd.tenant, crowd.ids[0])
        );
        crowd.store.forget_script();
        erased.unwrap();
        let fresh = Contacts::new(crowd.store.clone(), Arc::new(SystemClock));
        let [gone, other] = [crowd.ids[0], crowd.ids[1]];
        let is_left = fresh.meant(crowd.tenant, &"c1".parse().unwrap()).await.unwrap().is_some();
        met[usize::from(is_left)] += 1;
        // Used again, by who has kept the id.
        let again = ContactChange {
            version: fresh.view(crowd.tenant, gone).await.unwrap().map_or(0, |view| view.version),
            name: Some("New".parse().ok()),
            ..ContactChange::default()
        };
        fresh.change(crowd.tenant, gone, again, &by()).await.unwrap();
        let case = format!("seed {seed}: {merged:?}");
        if is_left && merged.is_err() {
            assert_eq!(fresh.family_of(crowd.tenant, other).await, Ok(vec![other]), "{case}");
            assert_eq!(fresh.family_of(crowd.tenant, gone).await, Ok(vec![gone]), "{case}");
        }
        fresh.merge(crowd.tenant, other, gone, &by()).await.unwrap();
        let family = fresh.family_of(crowd.tenant, gone).await.unwrap();
        assert_eq!(family.len(), 2, "{case}");
        fresh
            .split(crowd.tenant, family[0], SplitIn { contact: Some(family[1]), ..SplitIn::default() }, &by())
            .await
            .unwrap();
    }
    println!("erased along or before {}, left {}", met[0], met[1]);
    assert!(met[1] > 0, "{met:?}");
}

/// However many write about one contact at once, each who was answered was right, and all records of it agree.
#[tokio::test(start_paused = true)]
async fn what_is_said_of_those_who_are_one_is_said_of_all_or_of_nobody() {
    for seed in 0..100 {
        let mut random = StdRng::seed_from_u64(seed);
        let crowd = Crowd::new(3).await;
        crowd.merge(1, 2).await.unwrap();
        crowd.merge(0, 1).await.unwrap();
        let version = crowd.contacts.view(crowd.tenant, crowd.ids[0]).await.unwrap().unwrap().version;
        let delays =
            (0..128).map(|_| Scripted { delay: Duration::from_millis(random.random_range(0..4)), fate: Fate::AsAsked });
        crowd.store.script(delays.collect::<Vec<_>>());
        let requests = (0..6).map(async |n| {
            tokio::time::sleep(Duration::from_millis(n * 2)).await;
            let states = StatesIn { opted_out: Some(n % 2 == 0), blocked: Some(n % 2 == 1) };
            let change = ContactChange { version, states, ..ContactChange::default() };
            crowd.contacts.change(crowd.tenant, crowd.ids[1], change, &by()).await
        });
        let answers = join_all(requests).await;
        crowd.store.forget_script();
        let done: Vec<_> = (0..6).filter(|n| answers[*n].is_ok()).collect();
        assert_eq!(done.len(), 1, "seed {seed}: {answers:?}");
        let wanted = if done[0] % 2 == 0 { ContactState::OptedOut } else { ContactState::Blocked };
        let fresh = Contacts::new(crowd.store.clone(), Arc::new(SystemClock));
        for part in [1, 2] {
            let undo = SplitIn { contact: Some(crowd.ids[part]), ..SplitIn::default() };
            fresh.split(crowd.tenant, crowd.ids[part], undo, &by()).await.unwrap();
        }
        for id in &crowd.ids {
            let view = fresh.view(crowd.tenant, *id).await.unwrap().unwrap();
            assert_eq!(view.states.keys().copied().collect::<Vec<_>>(), [wanted], "seed {seed}: {answers:?}");
        }
    }
}

#[tokio::test]
async fn one_may_be_merged_and_parted_as_often_as_one_likes() {
    let crowd = Crowd::new(2 * limits::MERGED_MAX + 2).await;
    for other in 1..crowd.ids.len() {
        crowd.merge(0, other).await.unwrap();
        if other != 3 {
            crowd.part(0, other).await.unwrap();
        }
    }
    crowd.is_as(&[(3, 0)].into(), "one is left").await;
}

/// As a merge leaves it whose entry made room for another one, and that ended before it could enter it again.
#[tokio::test]
async fn a_pointer_that_is_not_looked_for_is_found_by_who_comes_from_it() {
    let crowd = Crowd::new(2).await;
    crowd.merge(0, 1).await.unwrap();
    let name = RecordName { scope: Scope::Tenant(crowd.tenant), kind: "contact", id: crowd.ids[0].to_string() };
    let (version, mut record): (u64, ContactRecord) =
        actors::record_body::load(&*crowd.store, name.clone()).await.unwrap().unwrap();
    record.merged.clear();
    actors::record_body::save(&*crowd.store, name, version, &record).await.unwrap();
    let contacts = Contacts::new(crowd.store.clone(), Arc::new(SystemClock));
    let crowd = Crowd { contacts, ..crowd };
    assert_eq!(crowd.contacts.family_of(crowd.tenant, crowd.ids[1]).await.unwrap().len(), 2);
    crowd.is_as(&[(1, 0)].into(), "found").await;
}
