//! Carries out what a stricter policy asks for: the entries of a tenant's conversations move to now, spread in time.

use std::collections::BTreeMap;
use std::time::Duration;

use engine_store::{Hasten, StoreError};
use tokio::time::{Instant, sleep};

use super::scanner::Scanner;
use crate::hasten::{self, Intention};

/// How often intentions are looked for.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// How long an intention waits before it is carried out: what was decided under the old policy, and is on its way
/// to the store without an answer, has arrived by then or never will.
const SETTLED_AFTER: Duration = Duration::from_secs(15);
/// Intentions that are carried out in one look.
const AT_ONCE_MAX: usize = 16;
/// Conversations whose entries are moved in one write …
const PIECE: usize = 128;
/// … the pause after it …
const PIECE_PAUSE: Duration = Duration::from_millis(100);
/// … and from one of the new moments to the next: two hundred look in a second.
const STEP: Duration = Duration::from_millis(5);

/// What the scanner knows of intentions.
#[derive(Default)]
pub(super) struct Hastening {
    looked: Option<Instant>,
    /// By tenant: the version of the intention, and since when it is known here.
    known: BTreeMap<String, (u64, Instant)>,
}

impl Hastening {
    /// Carries out what has waited long enough.
    pub(super) async fn go_on(&mut self, scanner: &Scanner) -> Result<(), StoreError> {
        if self.looked.is_some_and(|looked| looked.elapsed() < LOOK_EVERY) {
            return Ok(());
        }
        let records = hasten::standing(&scanner.store, AT_ONCE_MAX).await?;
        self.looked = Some(Instant::now());
        let known = std::mem::take(&mut self.known);
        for record in records {
            let since = known.get(&record.id).filter(|(version, _)| *version == record.version);
            let since = since.map_or_else(Instant::now, |(_, since)| *since);
            if since.elapsed() < SETTLED_AFTER {
                self.known.insert(record.id, (record.version, since));
                continue;
            }
            let Some(intention) = hasten::read(&record) else {
                tracing::error!(
                    record = record.id,
                    version = record.version,
                    "an intention to look again cannot be read; it is left as it is"
                );
                continue;
            };
            carry_out(scanner, &intention).await?;
            hasten::take_back(&scanner.store, intention.tenant, record.version).await?;
        }
        Ok(())
    }
}

async fn carry_out(scanner: &Scanner, intention: &Intention) -> Result<(), StoreError> {
    let mut from = scanner.clock.now();
    let mut after = None;
    loop {
        let Intention { tenant, missing } = *intention;
        let hasten = Hasten { tenant, after, limit: PIECE, from, step: STEP, missing };
        let Some(hastened) = scanner.store.hasten(hasten).await? else { return Ok(()) };
        after = Some(hastened.last);
        from = from.plus(STEP * hastened.moved);
        if scanner.phase.is_draining() {
            return Err(StoreError::Unavailable("the node goes away; another one goes on".into()));
        }
        sleep(PIECE_PAUSE).await;
    }
}
