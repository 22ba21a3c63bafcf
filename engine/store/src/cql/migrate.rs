//! Brings the tables of a cluster forward, one node at a time.
//! Invariant: a step is done by whoever has the lock, which is renewed before each statement, and the version is raised
//! after it. All steps may be done twice. What comes before there is a lock is made by one host of the cluster, the same
//! for all who begin at once, and only where it is missing.
//!
//! Conditions are decided by the replicas of one data centre: an owner in another one would be a second owner. So the
//! installation says in which they are.

use std::sync::Arc;
use std::time::Duration;

use engine_privacy::RootKey;
use scylla::client::session::Session;
use scylla::policies::load_balancing::{LoadBalancingPolicy, NodeIdentifier, SingleTargetLoadBalancingPolicy};
use scylla::statement::prepared::PreparedStatement;
use scylla::statement::unprepared::Statement;
use tokio::time::{Instant, sleep, timeout};
use uuid::Uuid;

use super::connect::Settling;
use super::failure::words;
use super::session::{Class, Link, WRITE_WITHIN};
use super::statements::qualified;
use super::tables::{KEY_STEPS, STEPS};
use crate::StoreError;

/// How long a node waits for another one that sets the tables up.
const PATIENCE: Duration = Duration::from_secs(90);
/// How long the lock is held at most; whoever has it is done or gone by then.
const LOCKED_SECONDS: u64 = 60;
/// Readings of how far the tables are, where the cluster does not answer in time.
const READINGS: u32 = 5;
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// How long a table may take until all nodes have it. It is begun when the renewal of the lock is answered.
const MADE_WITHIN: Duration = Duration::from_secs(45);
const _: () =
    assert!(WRITE_WITHIN.as_secs() + MADE_WITHIN.as_secs() < LOCKED_SECONDS, "the lock outlasts what is made");

/// One row says which version the tables have, and one who is at work on them.
const INSTALLATION: &str = "CREATE TABLE IF NOT EXISTS installation (id text PRIMARY KEY, version int, root blob, datacenter text, holder uuid)";

/// How far they have come.
const VERSION: &str = "SELECT version, root, datacenter FROM installation WHERE id = 'tables'";

/// The statements of this file.
struct Migration {
    version: PreparedStatement,
    begin: PreparedStatement,
    raise: PreparedStatement,
    lock: PreparedStatement,
    renew: PreparedStatement,
    held: PreparedStatement,
    unlock: PreparedStatement,
}

/// Brings the tables forward, and gives the root key that the data are sealed under.
pub(super) async fn migrate(
    link: &Link,
    keyspace: &str,
    keys: &str,
    root: impl Fn(Option<[u8; 16]>) -> Result<RootKey, StoreError>,
) -> Result<RootKey, StoreError> {
    if !has_installation(link, keyspace).await? {
        make(link, INSTALLATION).await?;
    }
    let settling = Settling::begin();
    let migration = loop {
        match Migration::prepare(link, keyspace).await {
            Ok(migration) => break migration,
            Err(error) => settling.after(error).await?,
        }
    };
    let (holder, started) = (Uuid::now_v7(), Instant::now());
    loop {
        let (version, root) = match found(link, &migration.version).await? {
            Some(installed) => (installed.version, installed.suits(link, |wanted| root(Some(wanted)))?),
            None => (0, root(None)?),
        };
        if version == STEPS.len() {
            return Ok(root);
        }
        if started.elapsed() > PATIENCE {
            return Err(StoreError::Unavailable(
                "another node has been setting up the cluster's tables for too long; start again".into(),
            ));
        }
        if migration.is_locked(link, holder).await {
            let done = migration.go_on(link, keys, &root, holder).await;
            let _ = link.decide(&migration.unlock, (holder,)).await;
            done?;
        } else {
            sleep(LOOK_EVERY).await;
        }
    }
}

/// Looks whether this program could work with the tables as they are, or bring them forward, and writes nothing. False
/// where there are none.
pub(super) async fn see(
    link: &Link,
    keyspace: &str,
    root: impl Fn([u8; 16]) -> Result<RootKey, StoreError>,
) -> Result<bool, StoreError> {
    if !has_installation(link, keyspace).await? {
        return Ok(false);
    }
    // What a majority has: to finish what others have begun would be to write.
    let version = link.prepare(Class::Read, &qualified(VERSION, keyspace, keyspace)).await?;
    match found(link, &version).await? {
        Some(installed) => installed.suits(link, root).map(|_root| true),
        None => Ok(false),
    }
}

impl Migration {
    async fn prepare(link: &Link, keyspace: &str) -> Result<Self, StoreError> {
        let of = |text: &str| qualified(text, keyspace, keyspace);
        Ok(Self {
            version: link.prepare(Class::Serial, &of(VERSION)).await?,
            begin: link
                .prepare(
                    Class::Conditional,
                    &of("INSERT INTO installation (id, version, root, datacenter) VALUES ('tables', 0, ?, ?) IF NOT EXISTS"),
                )
                .await?,
            raise: link
                .prepare(Class::Conditional, &of("UPDATE installation SET version = ? WHERE id = 'tables' IF version = ?"))
                .await?,
            lock: link
                .prepare(
                    Class::Conditional,
                    &of(&format!(
                        "INSERT INTO installation (id, holder) VALUES ('lock', ?) IF NOT EXISTS USING TTL {LOCKED_SECONDS}"
                    )),
                )
                .await?,
            renew: link
                .prepare(
                    Class::Conditional,
                    &of(&format!(
                        "UPDATE installation USING TTL {LOCKED_SECONDS} SET holder = ? WHERE id = 'lock' IF holder = ?"
                    )),
                )
                .await?,
            held: link.prepare(Class::Serial, &of("SELECT holder FROM installation WHERE id = 'lock'")).await?,
            unlock: link.prepare(Class::Conditional, &of("DELETE FROM installation WHERE id = 'lock' IF holder = ?")).await?,
        })
    }

    /// Takes the lock. One of which it is not known whether it was taken is looked at.
    async fn is_locked(&self, link: &Link, holder: Uuid) -> bool {
        match link.decide(&self.lock, (holder,)).await {
            Ok(true) => true,
            _ => matches!(link.one::<(Option<Uuid>,)>(&self.held, ()).await, Ok(Some((Some(by),))) if by == holder),
        }
    }

    /// Sees that the lock is still held for a while. False when somebody else may have it.
    async fn renew(&self, link: &Link, holder: Uuid) -> bool {
        matches!(link.decide(&self.renew, (holder, holder)).await, Ok(true))
    }

    async fn go_on(&self, link: &Link, keys: &str, root: &RootKey, holder: Uuid) -> Result<(), StoreError> {
        // What came of it is read.
        let _ = link.decide(&self.begin, (root.fingerprint().as_slice(), &link.datacenter)).await;
        let Some(Installed { version, .. }) = found(link, &self.version).await? else { return Ok(()) };
        for (at, step) in STEPS.iter().enumerate().skip(version) {
            let of_keys = KEY_STEPS.get(at).copied().unwrap_or_default().iter();
            let of_keys = of_keys.map(|statement| statement.replace("EXISTS ", &format!("EXISTS {keys}.")));
            for statement in step.iter().map(|statement| (*statement).to_owned()).chain(of_keys) {
                // Whoever has the lock now goes on; it looks how far this has come.
                if !self.renew(link, holder).await {
                    return Ok(());
                }
                make(link, &statement).await?;
            }
            if !self.renew(link, holder).await {
                return Ok(());
            }
            let (from, to) = (i32::try_from(at).unwrap_or(i32::MAX), i32::try_from(at + 1).unwrap_or(i32::MAX));
            let _ = link.decide(&self.raise, (to, from)).await;
        }
        Ok(())
    }
}

/// What the installation says of itself.
struct Installed {
    version: usize,
    /// The fingerprint of the root key.
    root: [u8; 16],
    /// Where conditions are decided.
    datacenter: String,
}

impl Installed {
    /// The root key, where this node and its program go with it.
    ///
    /// # Errors
    /// What does not fit.
    fn suits(
        &self,
        link: &Link,
        root: impl FnOnce([u8; 16]) -> Result<RootKey, StoreError>,
    ) -> Result<RootKey, StoreError> {
        let Self { version, datacenter, .. } = self;
        if *datacenter != link.datacenter {
            return Err(StoreError::Unavailable(format!(
                "what is decided in this cluster is decided in its data centre {datacenter:?}, and this node's is {:?}, \
                 where a conversation would get a second owner: set store.datacenter to {datacenter:?}",
                link.datacenter
            )));
        }
        let root = root(self.root)?;
        if *version > STEPS.len() {
            return Err(StoreError::Unavailable(format!(
                "the cluster's tables have version {version}, and this program knows {} at most: use a newer one",
                STEPS.len()
            )));
        }
        Ok(root)
    }
}

/// What the installation says. Where many begin at once it may take some readings.
async fn found(link: &Link, version: &PreparedStatement) -> Result<Option<Installed>, StoreError> {
    type Row = (Option<i32>, Option<Vec<u8>>, Option<String>);
    let mut tries = READINGS;
    let found = loop {
        tries -= 1;
        match link.one::<Row>(version, ()).await {
            Err(StoreError::Unavailable(_)) if tries > 0 => sleep(LOOK_EVERY).await,
            found => break found?,
        }
    };
    let Some((version, root, datacenter)) = found else { return Ok(None) };
    let version = version.and_then(|version| usize::try_from(version).ok());
    let root = root.and_then(|root| root.try_into().ok());
    match (version, root, datacenter) {
        (Some(version), Some(root), Some(datacenter)) => Ok(Some(Installed { version, root, datacenter })),
        _ => Err(super::failure::odd("the version of the tables")),
    }
}

/// Whether there is a table that says how far the others have come.
async fn has_installation(link: &Link, keyspace: &str) -> Result<bool, StoreError> {
    let mut select = Statement::new(
        "SELECT table_name FROM system_schema.tables WHERE keyspace_name = ? AND table_name = 'installation'",
    );
    select.set_load_balancing_policy(maker(&link.session, &link.datacenter));
    let answer = link.session.query_unpaged(select, (keyspace,)).await;
    let answer = answer.map_err(|error| StoreError::Unavailable(words(&error)))?;
    Ok(answer.into_rows_result().is_ok_and(|rows| rows.rows_num() > 0))
}

/// The host of the cluster that makes what is missing: of two hosts that make one table at once each gives it another
/// identity. It is the same one for all nodes that can reach it.
pub(super) fn maker(session: &Session, datacenter: &str) -> Option<Arc<dyn LoadBalancingPolicy>> {
    let state = session.get_cluster_state();
    let hosts = state.get_nodes_info().iter();
    let ours = hosts.filter(|host| host.datacenter.as_deref() == Some(datacenter) && host.is_connected());
    let first = ours.min_by_key(|host| host.host_id)?;
    let policy: Arc<dyn LoadBalancingPolicy> =
        SingleTargetLoadBalancingPolicy::new(NodeIdentifier::Node(Arc::clone(first)), None);
    Some(policy)
}

/// Makes a table. All nodes have it when this returns.
async fn make(link: &Link, statement: &str) -> Result<(), StoreError> {
    let mut statement = Statement::new(statement);
    statement.set_request_timeout(Some(MADE_WITHIN));
    statement.set_load_balancing_policy(maker(&link.session, &link.datacenter));
    let failed = |why: String| StoreError::Unavailable(format!("a table cannot be made: {why}"));
    let made = async {
        let made = link.session.query_unpaged(statement, ()).await;
        made.map_err(|error| failed(words(&error)))?;
        let agreed = link.session.await_schema_agreement().await;
        agreed.map_err(|_| StoreError::Unavailable("the nodes of the cluster do not agree on its tables".into()))
    };
    // Both in one time: the lock is not held for longer.
    let made = timeout(MADE_WITHIN, made).await;
    made.map_err(|_| failed(format!("it took longer than {} s", MADE_WITHIN.as_secs())))?.map(drop)
}
