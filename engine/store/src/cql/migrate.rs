//! Brings the tables of a cluster forward, one node at a time.
//! Invariant: a step is done by whoever has the lock, and the version is raised after it. All steps may be done twice.

use std::time::Duration;

use engine_privacy::RootKey;
use scylla::statement::prepared::PreparedStatement;
use tokio::time::{Instant, sleep};
use uuid::Uuid;

use super::failure::words;
use super::session::{Class, Link};
use super::tables::{KEY_STEPS, STEPS};
use crate::StoreError;

/// How long a node waits for another one that sets the tables up.
const PATIENCE: Duration = Duration::from_secs(90);
/// How long the lock is held at most; whoever has it is done or gone by then.
const LOCKED_SECONDS: i32 = 60;
const LOOK_EVERY: Duration = Duration::from_millis(250);
const MADE_WITHIN: Duration = Duration::from_secs(60);

/// One row says which version the tables have, and one who is at work on them.
const INSTALLATION: &str =
    "CREATE TABLE IF NOT EXISTS installation (id text PRIMARY KEY, version int, root blob, holder uuid)";

/// The statements of this file.
struct Migration {
    version: PreparedStatement,
    begin: PreparedStatement,
    raise: PreparedStatement,
    lock: PreparedStatement,
    unlock: PreparedStatement,
}

/// Brings the tables forward, and gives the root key that the data are sealed under.
pub(super) async fn migrate(
    link: &Link,
    keys: &str,
    root: impl Fn(Option<[u8; 16]>) -> Result<RootKey, StoreError>,
) -> Result<RootKey, StoreError> {
    make(link, INSTALLATION).await?;
    let migration = Migration {
        version: link.prepare(Class::Serial, "SELECT version, root FROM installation WHERE id = 'tables'").await?,
        begin: link
            .prepare(
                Class::Conditional,
                "INSERT INTO installation (id, version, root) VALUES ('tables', 0, ?) IF NOT EXISTS",
            )
            .await?,
        raise: link
            .prepare(Class::Conditional, "UPDATE installation SET version = ? WHERE id = 'tables' IF version = ?")
            .await?,
        lock: link
            .prepare(
                Class::Conditional,
                &format!(
                    "INSERT INTO installation (id, holder) VALUES ('lock', ?) IF NOT EXISTS USING TTL {LOCKED_SECONDS}"
                ),
            )
            .await?,
        unlock: link.prepare(Class::Conditional, "DELETE FROM installation WHERE id = 'lock' IF holder = ?").await?,
    };
    let (holder, started) = (Uuid::now_v7(), Instant::now());
    loop {
        let (version, root) = match migration.found(link).await? {
            Some((version, fingerprint)) => (version, root(Some(fingerprint))?),
            None => (0, root(None)?),
        };
        if version > STEPS.len() {
            return Err(StoreError::Unavailable(format!(
                "the cluster's tables have version {version}, and this program knows {} at most: use a newer one",
                STEPS.len()
            )));
        }
        if version == STEPS.len() {
            return Ok(root);
        }
        if started.elapsed() > PATIENCE {
            return Err(StoreError::Unavailable(
                "another node has been setting up the cluster's tables for too long; start again".into(),
            ));
        }
        let is_locked = matches!(link.decide(&migration.lock, (holder,)).await, Ok(true));
        if is_locked {
            let done = migration.go_on(link, keys, &root).await;
            let _ = link.decide(&migration.unlock, (holder,)).await;
            done?;
        } else {
            sleep(LOOK_EVERY).await;
        }
    }
}

impl Migration {
    /// The version, and the fingerprint of the root key.
    async fn found(&self, link: &Link) -> Result<Option<(usize, [u8; 16])>, StoreError> {
        let found = link.one::<(Option<i32>, Option<Vec<u8>>)>(&self.version, ()).await?;
        let Some((version, root)) = found else { return Ok(None) };
        let version = version.and_then(|version| usize::try_from(version).ok());
        let root = root.and_then(|root| root.try_into().ok());
        version.zip(root).map(Some).ok_or_else(|| super::failure::odd("the version of the tables"))
    }

    async fn go_on(&self, link: &Link, keys: &str, root: &RootKey) -> Result<(), StoreError> {
        let _ = link.decide(&self.begin, (root.fingerprint().as_slice(),)).await?;
        let Some((version, _)) = self.found(link).await? else { return Ok(()) };
        for (at, step) in STEPS.iter().enumerate().skip(version) {
            for statement in *step {
                make(link, statement).await?;
            }
            for statement in KEY_STEPS.get(at).copied().unwrap_or_default() {
                make(link, &statement.replace("EXISTS ", &format!("EXISTS {keys}."))).await?;
            }
            let (from, to) = (i32::try_from(at).unwrap_or(i32::MAX), i32::try_from(at + 1).unwrap_or(i32::MAX));
            let _ = link.decide(&self.raise, (to, from)).await?;
        }
        Ok(())
    }
}

/// Makes a table. All nodes have it when this returns.
async fn make(link: &Link, statement: &str) -> Result<(), StoreError> {
    let mut statement = scylla::statement::unprepared::Statement::new(statement);
    statement.set_request_timeout(Some(MADE_WITHIN));
    let made = link.session.query_unpaged(statement, ()).await;
    made.map_err(|error| StoreError::Unavailable(format!("a table cannot be made: {}", words(&error))))?;
    let agreed = link.session.await_schema_agreement().await;
    agreed.map(drop).map_err(|_| StoreError::Unavailable("the nodes of the cluster do not agree on its tables".into()))
}
