//! Keyspaces on the shared cluster that tests hand on to each other. To clear the tables of one that has ended takes a
//! tenth of a second; to drop them takes several, and a cluster that keeps all of them soon has no memory left.
//! Invariant: nobody gets a keyspace in which something is; one that cannot be cleared nobody gets.

use std::io::Write as _;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread;

use anyhow::{Result, bail};
use scylla::client::session::Session;
use scylla::client::session_builder::SessionBuilder;

use super::{Cassandra, keyspace_name};

/// Ended ones that wait for being cleared.
const ENDED_MAX: usize = 256;

/// How often one is cleared in which something still arrives: a node that was killed may have sent it before.
const CLEARINGS_MAX: u32 = 5;

static FREE: Mutex<Vec<String>> = Mutex::new(Vec::new());

fn free() -> MutexGuard<'static, Vec<String>> {
    FREE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The name of one that nobody has and in which nothing is.
#[must_use]
pub fn take() -> String {
    free().pop().unwrap_or_else(keyspace_name)
}

/// Nobody uses it any more; somebody else will, when it is cleared. Does not wait for that.
pub fn give_back(keyspace: String) {
    static ENDED: OnceLock<SyncSender<String>> = OnceLock::new();
    let ended = ENDED.get_or_init(|| {
        let (ended, to_clear) = sync_channel(ENDED_MAX);
        thread::spawn(move || clear_all(&to_clear));
        ended
    });
    // Where too many wait it is left as it is.
    let _ = ended.try_send(keyspace);
}

fn clear_all(ended: &Receiver<String>) {
    let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_all().build() else { return };
    let mut session = None;
    for keyspace in ended {
        match runtime.block_on(clear(&mut session, &keyspace)) {
            Ok(()) => free().push(keyspace),
            Err(error) => {
                let _ = writeln!(std::io::stderr(), "the keyspace {keyspace} is left as it is: {error:#}");
            }
        }
    }
}

async fn clear(session: &mut Option<Session>, keyspace: &str) -> Result<()> {
    let session = match session {
        Some(session) => session,
        None => session.insert(SessionBuilder::new().known_node(Cassandra::shared()?).build().await?),
    };
    let tables = tables(session, keyspace).await?;
    for _ in 0..CLEARINGS_MAX {
        for table in &tables {
            session.query_unpaged(format!("TRUNCATE {table}"), ()).await?;
        }
        if are_empty(session, &tables).await? {
            return Ok(());
        }
    }
    bail!("something arrives again and again");
}

/// Of the keyspace and of that of its keys; none where no node has come so far.
async fn tables(session: &Session, keyspace: &str) -> Result<Vec<String>> {
    let mut tables = Vec::new();
    for keyspace in [keyspace.to_owned(), format!("{keyspace}_keys")] {
        let select = "SELECT table_name FROM system_schema.tables WHERE keyspace_name = ?";
        let found = session.query_unpaged(select, (&keyspace,)).await?.into_rows_result()?;
        for row in found.rows::<(String,)>()? {
            tables.push(format!("{keyspace}.{}", row?.0));
        }
    }
    Ok(tables)
}

async fn are_empty(session: &Session, tables: &[String]) -> Result<bool> {
    for table in tables {
        let found = session.query_unpaged(format!("SELECT * FROM {table} LIMIT 1"), ()).await?.into_rows_result()?;
        if found.rows_num() > 0 {
            return Ok(false);
        }
    }
    Ok(true)
}
