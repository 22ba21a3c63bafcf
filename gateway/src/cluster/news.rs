//! What nodes tell each other of records that they keep in memory, and what a node does when it hears of one.
//! Invariant: whatever is remembered of a record is believed for ten seconds at most after another node has changed it,
//! and for one where Redis carries the news; nobody waits for the telling.

use std::collections::{HashMap, HashSet};
use std::mem;
use std::sync::Arc;
use std::time::Duration;

use actors::{CONTACT_KIND, PlanRecord, ProfileRecord, System, TenantRecord, Unanswered};
use engine_cluster::{Change, ChangeKind, Changes, Cluster, Sight};
use engine_store::{RecordName, Scope};
use futures_util::{StreamExt, stream};
use schema::{AgentName, TenantId};
use tokio::sync::mpsc;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until};

use crate::access::Access;
use crate::auth::{AGENT_LOGOUT, ApiKeys, LOGOUT, Tenants, Whom, logout_record};
use crate::session::Presence;

/// News that wait to be told; past it the others are told that anything may have changed.
const TOLD_MAX: usize = 1_024;
/// How often it is looked for changes where no news come.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// Between two times that everything is looked at because anything may have changed.
const EVERYTHING_GAP: Duration = Duration::from_millis(500);
/// Tenants that are looked at in one round beside those who have somebody here.
const LOOKED_AT_MAX: usize = 256;
/// Questions to the store at once.
const AT_ONCE: usize = 16;

/// One thing that others may remember.
type News = (ChangeKind, TenantId, String);

/// What a record that was written means to other nodes; none where nobody remembers such a record.
fn news(name: &RecordName, over: u64) -> Option<News> {
    let of = |kind| match name.scope {
        Scope::Tenant(tenant) => Some((kind, tenant, name.id.clone())),
        Scope::Node => None,
    };
    match name.kind {
        TenantRecord::KIND => Some((ChangeKind::Key, name.id.parse().ok()?, String::new())),
        ProfileRecord::KIND => of(ChangeKind::Profile),
        PlanRecord::KIND => Some((ChangeKind::Plan, TenantId::from_bytes([0; 16]), name.id.clone())),
        LOGOUT | AGENT_LOGOUT => of(ChangeKind::Logout),
        Unanswered::KIND => of(ChangeKind::Unanswered).map(|(kind, tenant, _)| (kind, tenant, String::new())),
        // Nobody remembers a contact that was not there before.
        CONTACT_KIND if over > 0 => of(ChangeKind::Contact).map(|(kind, tenant, _)| (kind, tenant, String::new())),
        _ => None,
    }
}

/// Where news are left to be told.
#[derive(Clone)]
pub(crate) struct Teller(mpsc::Sender<News>);

impl Teller {
    /// One, and what tells what is left with it, which ends when the node does.
    pub(crate) fn new(cluster: Arc<Cluster>) -> (Self, impl Future<Output = ()> + Send + 'static) {
        let (teller, left) = mpsc::channel(TOLD_MAX);
        (Self(teller), async move { tell(cluster.changes(), left).await })
    }

    /// A record was written. Waits for nothing.
    pub(crate) fn wrote(&self, name: &RecordName, over: u64) {
        if let Some(news) = news(name, over) {
            self.leave(news);
        }
    }

    /// A tenant's documents have changed. Waits for nothing.
    pub(crate) fn learned(&self, tenant: TenantId) {
        self.leave((ChangeKind::Knowledge, tenant, String::new()));
    }

    fn leave(&self, news: News) {
        // Where there is no room, what waits is told as anything, this with it.
        let _ = self.0.try_send(news);
    }
}

/// Tells what is left, in batches without anything twice. A full queue may have lost some: then all of it is told.
async fn tell(changes: &Changes, mut left: mpsc::Receiver<News>) {
    let (mut batch, mut owed) = (Vec::new(), false);
    while left.recv_many(&mut batch, TOLD_MAX).await > 0 {
        if batch.len() >= TOLD_MAX || owed {
            batch.clear();
            owed = !changes.tell_everything().await;
            continue;
        }
        let mut told = HashSet::new();
        for (kind, tenant, id) in mem::take(&mut batch) {
            if !owed && told.insert((kind, tenant, id.clone())) {
                // What has not reached them they find by themselves, if later; with the next news they hear of it.
                owed = !changes.tell_others(kind, tenant, &id).await;
            }
        }
    }
}

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
        let mut hearing = self.cluster.changes().hear();
        let mut doubts = self.cluster.doubts();
        let mut looks = interval(LOOK_EVERY);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let (mut log_outs, mut rounds) = (HashMap::new(), 0);
        // Many that come together are one: whoever writes to Redis can say so as often as it likes.
        let (mut is_anything, mut allowed) = (false, Instant::now());
        loop {
            tokio::select! {
                change = hearing.next() => match change {
                    Some(Change::One { kind, tenant, id }) => self.heard(kind, tenant, &id).await,
                    Some(Change::Everything) => is_anything = true,
                    None => return,
                },
                () = sleep_until(allowed), if is_anything => {
                    is_anything = false;
                    self.heard_everything().await;
                    allowed = Instant::now() + EVERYTHING_GAP;
                }
                // It ends with the cluster, as news do.
                Ok(()) = doubts.changed() => self.system.doubt(),
                // News may be lost, and what they tell of may not be read at once.
                _ = looks.tick() => {
                    rounds += 1;
                    let carried = matches!(self.cluster.sight(), Sight::Whole | Sight::WithoutStore);
                    if !carried || rounds % 2 == 0 {
                        self.look(&mut log_outs, rounds).await;
                    }
                }
            }
        }
    }

    async fn heard(&self, kind: ChangeKind, tenant: TenantId, id: &str) {
        match kind {
            ChangeKind::Profile | ChangeKind::Key => self.tenant_changed(tenant).await,
            ChangeKind::Plan => self.plan_changed(id).await,
            ChangeKind::Logout => {
                let people = self.presence.people(tenant);
                let theirs = people.into_iter().filter(|whom| logout_record(tenant, whom).id == id).collect();
                self.logged_out(tenant, theirs).await;
            }
            ChangeKind::Contact => self.contacts_changed(tenant).await,
            ChangeKind::Unanswered => self.system.unanswered().forget(tenant).await,
            ChangeKind::Knowledge => self.knowledge.changed(tenant),
        }
    }

    async fn heard_everything(&self) {
        let met = self.system.known_tenants();
        stream::iter(&met)
            .for_each_concurrent(AT_ONCE, |tenant| async move {
                self.tenant_changed(tenant.id()).await;
                self.contacts_changed(tenant.id()).await;
                self.knowledge.changed(tenant.id());
            })
            .await;
        self.system.unanswered().forget_all().await;
        for tenant in self.presence.tenants() {
            self.logged_out(tenant, self.presence.people(tenant).into_iter().collect()).await;
        }
    }

    /// What no news came of: how the tenants stand that are served here, and who was logged out.
    async fn look(&self, log_outs: &mut HashMap<TenantId, u64>, round: usize) {
        self.system.unanswered().forget_all().await;
        let served: HashSet<TenantId> = self.presence.tenants().into_iter().collect();
        log_outs.retain(|tenant, _| served.contains(tenant));
        let mut met: Vec<TenantId> = self.system.known_tenants().iter().map(|tenant| tenant.id()).collect();
        met.sort_unstable();
        // Those who have somebody here at each look, and of the others some in turn.
        let turns = met.len().div_ceil(LOOKED_AT_MAX).max(1);
        let part = met.chunks(LOOKED_AT_MAX).nth(round % turns).unwrap_or_default();
        let looked: HashSet<TenantId> = part.iter().chain(&served).copied().collect();
        stream::iter(looked).for_each_concurrent(AT_ONCE, |tenant| self.tenant_changed(tenant)).await;
        for tenant in served {
            self.contacts_changed(tenant).await;
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
    async fn contacts_changed(&self, tenant: TenantId) {
        let contacts = self.system.contacts();
        contacts.forget(tenant);
        let visitors = self.presence.visitors(tenant);
        let looked = stream::iter(visitors).for_each_concurrent(AT_ONCE, |(contact, sealed_for)| async move {
            // What cannot be read now is found at the next look.
            let Ok(standing) = contacts.standing(tenant, sealed_for).await else { return };
            if standing.id != contact {
                self.presence.resolve_anew(tenant, &[sealed_for]);
            }
        });
        looked.await;
    }

    async fn plan_changed(&self, name: &str) {
        match self.tenants.plans().find(name).await {
            Ok(plan) => self.system.plan_changed(&plan),
            Err(error) => tracing::debug!(%error, "a plan that another node has changed is read later"),
        }
    }

    async fn logged_out(&self, tenant: TenantId, people: Vec<Whom>) {
        let now = self.system.clock().now();
        let logouts = self.access.authority.logouts();
        let looked = stream::iter(people).for_each_concurrent(AT_ONCE, |whom| async move {
            // What cannot be read now is refused when it is next shown.
            let Ok(Some(logout)) = logouts.newest(tenant, whom.clone(), now).await else { return };
            match &whom {
                Whom::Contact(contact) => self.presence.log_out(tenant, *contact, logout),
                Whom::Agent(name) => self.presence.log_out_agent(tenant, name as &AgentName, logout),
            }
        });
        looked.await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_others_remember_is_told_and_nothing_else() {
        let tenant = TenantId::generate();
        let whole = |kind, id: &str| RecordName { scope: Scope::Node, kind, id: id.into() };
        let own = |kind, id: &str| RecordName { scope: Scope::Tenant(tenant), kind, id: id.into() };
        let told = |kind, id: &str| Some((kind, tenant, id.to_owned()));
        for (name, over, expected) in [
            (TenantRecord::record_name(tenant), 3, told(ChangeKind::Key, "")),
            (ProfileRecord::record_name(tenant), 0, told(ChangeKind::Profile, "profile")),
            (own(LOGOUT, "ct_1"), 0, told(ChangeKind::Logout, "ct_1")),
            (own(AGENT_LOGOUT, "ab"), 2, told(ChangeKind::Logout, "ab")),
            (own(CONTACT_KIND, "ct_1"), 0, None),
            (own(CONTACT_KIND, "ct_1"), 1, told(ChangeKind::Contact, "")),
            (own(Unanswered::KIND, "what"), 1, told(ChangeKind::Unanswered, "")),
            (whole("tenant", "no id"), 1, None),
            (own("usage", "today"), 9, None),
            (own("document", "x"), 9, None),
        ] {
            assert_eq!(news(&name, over), expected, "{name:?}");
        }
        let plan = news(&PlanRecord::record_name("small"), 1).unwrap();
        assert_eq!((plan.0, plan.2.as_str()), (ChangeKind::Plan, "small"));
    }
}
