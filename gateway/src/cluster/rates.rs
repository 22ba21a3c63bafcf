//! Tenants' rates, counted over all nodes.
//! Invariant: nobody waits for another node to be let through; what has passed is told behind it, and a tenant that has
//! had what all nodes together may give is refused on each of them within two rounds.

use std::sync::Arc;
use std::time::Duration;

use engine_cluster::{Cluster, Taken};
use futures_util::{StreamExt, stream};
use tokio::time::{MissedTickBehavior, interval};

use crate::access::{Access, Passed};

/// How often it is told what has passed.
const ROUND: Duration = Duration::from_millis(500);
/// Over how long it is counted.
const WINDOW: Duration = Duration::from_secs(10);
/// What passes in a window at most, in seconds of the rate: as much as a single node would let, with its burst.
const SECONDS: u64 = WINDOW.as_secs() + 2;
/// Tenants that are told of at once.
const AT_ONCE: usize = 16;

/// Runs for as long as the node, one for all its threads, on one of them.
pub(crate) async fn share(access: Arc<Access>, cluster: Arc<Cluster>) {
    let mut rounds = interval(ROUND);
    rounds.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        rounds.tick().await;
        let passed = access.limiter.passed();
        // A node that is alone counts right by itself.
        if cluster.living().borrow().members.len() > 1 {
            let told = stream::iter(passed).for_each_concurrent(AT_ONCE, |passed| tell(&access, &cluster, passed));
            told.await;
        }
    }
}

async fn tell(access: &Access, cluster: &Cluster, passed: Passed) {
    let whose = if passed.of_visitors { "visitors" } else { "all" };
    let name = format!("rate_{whose}_{}", passed.tenant);
    let limit = u64::from(passed.rate.get()) * SECONDS;
    let taken = cluster.counters().take(&name, passed.count, limit, WINDOW).await;
    // Where nobody knows what others have let pass each node counts by itself, as it does anyway.
    if let Taken::Refused { retry_after } = taken {
        access.limiter.is_full(&passed, retry_after);
    }
}
