//! What a node does when it hears that another one has changed a record that it may remember.
//! Invariant: whatever is remembered of a record is believed for ten seconds at most after another node has changed it,
//! and for one where Redis carries the news: each is followed by itself, and none waits for a look at all the others.
//! Where Redis carries news and loses one without telling, and more than [`VISITORS_MAX`] visitors are here, for whom one
//! of them stands is found later than that.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use actors::System;
use engine_cluster::{Change, ChangeKind, Cluster, Sight};
use futures_util::stream::FuturesUnordered;
use futures_util::{StreamExt, stream};
use schema::{AgentName, ContactId, TenantId};
use tokio::sync::{Notify, Semaphore};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep, sleep_until};

use super::heard::{Heard, Ids, Subject};
use crate::access::Access;
use crate::auth::{ApiKeys, Tenants, Whom, logout_record};
use crate::session::Presence;

/// How often it is looked for changes where no news come.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// Between two times that everything is looked at because anything may have changed.
const EVERYTHING_GAP: Duration = Duration::from_millis(500);
/// Between two times that news of the same are followed.
const SUBJECT_GAP: Duration = Duration::from_millis(50);
/// Tenants that are looked at in one round beside those who have somebody here.
const LOOKED_AT_MAX: usize = 256;
/// Visitors that are looked at in one round where news are carried.
const VISITORS_MAX: usize = 1_024;
/// Questions to the store at once.
const AT_ONCE: usize = 16;

/// Hears of what other nodes have changed, and forgets what is remembered of it.
pub(crate) struct Hearer {
    pub(crate) cluster: Arc<Cluster>,
    pub(crate) system: Arc<System>,
    pub(crate) access: Arc<Access>,
    pub(crate) keys: Arc<ApiKeys>,
    pub(crate) tenants: Arc<Tenants>,
    pub(crate) presence: Arc<Presence>,
    pub(crate) knowledge: engine_knowledge::Knowledge,
}

impl Hearer {
    /// Runs for as long as the node, one for all its threads, on one of them.
    pub(crate) async fn follow(self) {
        let anything = Notify::new();
        // Neither waits for another: each ends with the cluster.
        tokio::select! {
            () = self.doubt() => {}
            () = self.hear(&anything) => {}
            () = self.look_on(&anything) => {}
        }
    }

    /// Whoever may have been held for dead looks at what it has.
    async fn doubt(&self) {
        let mut doubts = self.cluster.doubts();
        while doubts.changed().await.is_ok() {
            self.system.doubt();
        }
    }

    /// Follows news as they come. Whoever writes to Redis can say so as often as it likes: what that costs is bounded.
    async fn hear(&self, anything: &Notify) {
        let mut hearing = self.cluster.changes().hear();
        let (mut heard, room, mut followed) = (Heard::default(), Semaphore::new(AT_ONCE), FuturesUnordered::new());
        loop {
            while let Some((subject, ids)) = heard.next() {
                let room = &room;
                followed.push(async move {
                    let place = room.acquire().await;
                    self.heard(subject, ids).await;
                    drop(place);
                    sleep(SUBJECT_GAP).await;
                    subject
                });
            }
            tokio::select! {
                change = hearing.next() => match change {
                    Some(Change::One { kind, tenant, id }) => {
                        if !heard.add((kind, tenant), id) {
                            anything.notify_one();
                        }
                    }
                    Some(Change::Everything) => anything.notify_one(),
                    None => return,
                },
                Some(subject) = followed.next() => heard.done(subject),
            }
        }
    }

    /// Looks at everything when anything may have changed, and by itself: news may be lost, and what they tell of may not
    /// be read at once.
    async fn look_on(&self, anything: &Notify) {
        let mut looks = interval(LOOK_EVERY);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let (mut log_outs, mut rounds, mut allowed) = (HashMap::new(), 0, Instant::now());
        loop {
            tokio::select! {
                () = anything.notified() => {
                    sleep_until(allowed).await;
                    self.look_at_everything().await;
                    allowed = Instant::now() + EVERYTHING_GAP;
                }
                _ = looks.tick() => {
                    rounds += 1;
                    let carried = matches!(self.cluster.sight(), Sight::Whole | Sight::WithoutStore);
                    if !carried || rounds % 2 == 0 {
                        self.look(&mut log_outs, rounds, carried).await;
                    }
                }
            }
        }
    }

    async fn heard(&self, (kind, tenant): Subject, ids: Ids) {
        match kind {
            ChangeKind::Profile | ChangeKind::Key => self.tenant_changed(tenant).await,
            ChangeKind::Plan => self.plans_changed(ids).await,
            ChangeKind::Logout => {
                let people = self.presence.people(tenant);
                let is_one = |whom: &Whom| is_among(&ids, &logout_record(tenant, whom).id);
                self.logged_out(tenant, people.into_iter().filter(is_one).collect()).await;
            }
            ChangeKind::Contact => {
                match &ids {
                    Ids::Of(these) => {
                        let these: Vec<_> = these.iter().filter_map(|id| id.parse().ok()).collect();
                        self.system.contacts().changed_elsewhere(tenant, &these);
                    }
                    Ids::Any => self.system.contacts().forget(tenant),
                }
                let visitors = self.presence.visitors(tenant);
                let is_one = |(contact, sealed_for): &(ContactId, ContactId)| {
                    [contact, sealed_for].iter().any(|id| is_among(&ids, &id.to_string()))
                };
                self.contacts_changed(tenant, visitors.into_iter().filter(is_one).collect()).await;
            }
            ChangeKind::Unanswered => self.system.unanswered().forget(tenant).await,
            ChangeKind::Knowledge => self.knowledge.changed(tenant),
        }
    }

    async fn look_at_everything(&self) {
        let met = self.system.known_tenants();
        stream::iter(&met)
            .for_each_concurrent(AT_ONCE, |tenant| async move {
                self.tenant_changed(tenant.id()).await;
                self.system.contacts().forget(tenant.id());
                self.access.authority.logouts().forget(tenant.id());
                self.contacts_changed(tenant.id(), self.presence.visitors(tenant.id()).into_iter().collect()).await;
                self.knowledge.changed(tenant.id());
            })
            .await;
        self.system.unanswered().forget_all().await;
        for tenant in self.presence.tenants() {
            self.logged_out(tenant, self.presence.people(tenant).into_iter().collect()).await;
        }
    }

    /// What no news came of: how the tenants stand that are served here, who was logged out, and for whom visitors
    /// stand. Of a great many of those only some are looked at in turn where news are carried, as each is a question.
    async fn look(&self, log_outs: &mut HashMap<TenantId, u64>, round: usize, carried: bool) {
        self.system.unanswered().forget_all().await;
        let served: HashSet<TenantId> = self.presence.tenants().into_iter().collect();
        log_outs.retain(|tenant, _| served.contains(tenant));
        let mut met: Vec<TenantId> = self.system.known_tenants().iter().map(|tenant| tenant.id()).collect();
        met.sort_unstable();
        // Those who have somebody here at each look, and of the others some in turn.
        let part = in_turn(&met, LOOKED_AT_MAX, round);
        let looked: HashSet<TenantId> = part.iter().chain(&served).copied().collect();
        stream::iter(looked).for_each_concurrent(AT_ONCE, |tenant| self.tenant_changed(tenant)).await;
        let mut visitors: Vec<(TenantId, (ContactId, ContactId))> = Vec::new();
        for tenant in &served {
            visitors.extend(self.presence.visitors(*tenant).into_iter().map(|visitor| (*tenant, visitor)));
        }
        visitors.sort_unstable();
        let part = if carried { in_turn(&visitors, VISITORS_MAX, round) } else { &visitors[..] };
        for theirs in part.chunk_by(|one, other| one.0 == other.0) {
            let Some((tenant, _)) = theirs.first() else { continue };
            self.system.contacts().forget(*tenant);
            self.contacts_changed(*tenant, theirs.iter().map(|(_, visitor)| *visitor).collect()).await;
        }
        for tenant in served {
            let Ok(version) = self.access.authority.logouts().version(tenant).await else { continue };
            if log_outs.insert(tenant, version) != Some(version) {
                self.logged_out(tenant, self.presence.people(tenant).into_iter().collect()).await;
            }
        }
    }

    /// Conversations go by what it is now, and sessions end that may no longer be.
    async fn tenant_changed(&self, id: TenantId) {
        self.keys.forget(id);
        let Some(tenant) = self.system.known_tenant(id) else { return };
        if let Err(error) = tenant.refresh().await {
            tracing::debug!(tenant = %id, %error, "what another node has changed of a tenant is read later");
        }
    }

    /// Who stands for whom may be another one: sessions of those end, and come back as whom they stand for now.
    async fn contacts_changed(&self, tenant: TenantId, visitors: Vec<(ContactId, ContactId)>) {
        let contacts = self.system.contacts();
        let looked = stream::iter(visitors).for_each_concurrent(AT_ONCE, |(contact, sealed_for)| async move {
            // What cannot be read now is found at the next look.
            let Ok(standing) = contacts.standing(tenant, sealed_for).await else { return };
            if standing.id != contact {
                self.presence.resolve_anew(tenant, &[sealed_for]);
            }
        });
        looked.await;
    }

    async fn plans_changed(&self, ids: Ids) {
        let Ids::Of(names) = ids else { return self.look_at_everything().await };
        for name in names {
            match self.tenants.plans().find(&name).await {
                Ok(plan) => self.system.plan_changed(&plan),
                Err(error) => tracing::debug!(%error, "a plan that another node has changed is read later"),
            }
        }
    }

    async fn logged_out(&self, tenant: TenantId, people: Vec<Whom>) {
        let now = self.system.clock().now();
        let logouts = self.access.authority.logouts();
        // Who is not here shows what was ended with the next request.
        logouts.forget(tenant);
        let looked = stream::iter(people).for_each_concurrent(AT_ONCE, |whom| async move {
            // What cannot be read now is refused when it is next shown.
            let Ok(over) = logouts.over(tenant, whom.clone(), now).await else { return };
            match &whom {
                Whom::Contact(contact) => self.presence.log_out(tenant, *contact, |made| over.has(made)),
                Whom::Agent(name) => self.presence.log_out_agent(tenant, name as &AgentName, |made| over.has(made)),
            }
        });
        looked.await;
    }
}

fn is_among(ids: &Ids, id: &str) -> bool {
    match ids {
        Ids::Of(these) => these.contains(id),
        Ids::Any => true,
    }
}

/// The part of all that has its turn in a round.
fn in_turn<T>(all: &[T], most: usize, round: usize) -> &[T] {
    let turns = all.len().div_ceil(most).max(1);
    all.chunks(most).nth(round % turns).unwrap_or_default()
}
