//! Tenants' replies at once, and their open sockets and streams, counted over all nodes.
//! Invariant: nobody waits for another node to be let in; what a node holds is told behind it, and where nothing can be
//! heard of the others each goes by what it holds itself.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use actors::{System, Tenant};
use engine_cluster::{Cluster, HELD_LASTS};
use futures_util::{StreamExt, stream};
use schema::TenantId;
use tokio::time::{Instant, MissedTickBehavior, interval};

/// How often it is told what has changed.
const ROUND: Duration = Duration::from_secs(1);
/// What has not changed is told again after so long: before others forget it, and soon enough to hear of theirs.
const AGAIN: Duration = Duration::from_secs(5);
const _: () = assert!(AGAIN.as_secs() * 2 < HELD_LASTS.as_secs());
/// Tenants that are told of at once.
const AT_ONCE: usize = 16;

/// Replies and sessions.
type Holding = [u32; 2];

/// Runs for as long as the node, one for all its threads, on one of them.
pub(crate) async fn tell(system: Arc<System>, cluster: Arc<Cluster>) {
    let mut rounds = interval(ROUND);
    rounds.set_missed_tick_behavior(MissedTickBehavior::Delay);
    // What was told of each tenant, and when. Those of whom there is nothing to tell are not in it.
    let mut told: HashMap<TenantId, (Holding, Instant)> = HashMap::new();
    loop {
        rounds.tick().await;
        // Nobody has to know of one that is alone.
        let is_alone = cluster.living().borrow().members.len() < 2;
        let now = Instant::now();
        let due = system.known_tenants().into_iter().filter_map(|tenant| {
            let holds = holding(&tenant);
            let is_due = match told.get(&tenant.id()) {
                Some((before, at)) => *before != holds || now.duration_since(*at) >= AGAIN,
                None => holds != Holding::default(),
            };
            // Who asks may find that others have taken what there was, or given it back.
            (tenant.was_asked() || is_due).then_some((tenant, holds))
        });
        let heard = stream::iter(due.collect::<Vec<_>>()).map(|(tenant, holds)| {
            let cluster = &cluster;
            async move {
                let others = if is_alone { None } else { cluster.held().tell(&tenant.id().to_string(), holds).await };
                let [running_turns, sessions] = others.unwrap_or_default();
                tenant.others_hold(running_turns, sessions);
                (tenant.id(), holds, others)
            }
        });
        for (tenant, holds, others) in heard.buffer_unordered(AT_ONCE).collect::<Vec<_>>().await {
            // Others may hold something of it, which ends some time: until then it is looked at.
            if holds == Holding::default() && others.unwrap_or_default() == Holding::default() {
                told.remove(&tenant);
            } else {
                told.insert(tenant, (holds, now));
            }
        }
    }
}

fn holding(tenant: &Tenant) -> Holding {
    let usage = tenant.usage();
    [usage.running_turns, usage.sessions]
}
