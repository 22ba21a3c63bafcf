//! What a node tells others of records that they may keep in memory.
//! Invariant: nobody waits for the telling, and what could not be told by its name is told as anything.

use std::collections::HashSet;
use std::mem;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use actors::{CONTACT_KIND, PlanRecord, ProfileRecord, TenantRecord, Unanswered};
use engine_cluster::{ChangeKind, Changes, Cluster};
use engine_store::{RecordName, Scope};
use schema::TenantId;
use tokio::sync::mpsc;

use crate::auth::{AGENT_LOGOUT, LOGOUT};

/// News that wait to be told; past it the others are told that anything may have changed.
const TOLD_MAX: usize = 1_024;

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
        CONTACT_KIND if over > 0 => of(ChangeKind::Contact),
        _ => None,
    }
}

/// Where news are left to be told.
#[derive(Clone)]
pub(crate) struct Teller {
    news: mpsc::Sender<News>,
    /// Some found no room.
    lost: Arc<AtomicBool>,
}

impl Teller {
    /// One, and what tells what is left with it, which ends when the node does.
    pub(crate) fn new(cluster: Arc<Cluster>) -> (Self, impl Future<Output = ()> + Send + 'static) {
        let (news, left) = mpsc::channel(TOLD_MAX);
        let lost = Arc::new(AtomicBool::new(false));
        let teller = Self { news, lost: Arc::clone(&lost) };
        (teller, async move { tell(cluster.changes(), left, &lost).await })
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
        if self.news.try_send(news).is_err() {
            // What waits is told after this.
            self.lost.store(true, Ordering::Release);
        }
    }
}

/// Tells what is left, in batches without anything twice.
async fn tell(changes: &Changes, mut left: mpsc::Receiver<News>, lost: &AtomicBool) {
    let (mut batch, mut owed) = (Vec::new(), false);
    while left.recv_many(&mut batch, TOLD_MAX).await > 0 {
        owed |= lost.swap(false, Ordering::AcqRel);
        if owed {
            batch.clear();
            owed = !changes.tell_everything().await;
            continue;
        }
        let mut told = HashSet::new();
        for (kind, tenant, id) in mem::take(&mut batch) {
            if !owed && told.insert((kind, tenant, id.clone())) {
                // What has not reached them they find by themselves, if later; with the next news they hear of it.
                owed = !changes.tell(kind, tenant, &id).await;
            }
        }
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
            (own(CONTACT_KIND, "ct_1"), 1, told(ChangeKind::Contact, "ct_1")),
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
