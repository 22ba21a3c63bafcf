//! Visitors and agents who were logged out: what they held until then opens nothing any more.
//! Invariant: from the moment at which a log-out is noted no look misses it, not even one that began
//! before it was stored; it is stored before it is answered; and no clock says what came before it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use actors::{Clock, Memory, record_body};
use engine_store::{RecordName, Records, StoreError};
use metrics::counter;
use schema::{AgentName, ContactId, TenantId, Timestamp};
use serde::{Deserialize, Serialize};

use super::error::AuthError;
use super::logout_count::{Count, LogoutNumber, Run};
use super::records::{self, FORMAT};
use crate::metrics::LOGOUTS;

/// Another node may log the same person out meanwhile, or anybody of the tenant; more often is a fault.
const ATTEMPTS_MAX: usize = 64;
/// Log-outs of one tenant that may wait for their turn to be counted; more are told to come again.
const WAITING_MAX: usize = 1_024;
/// A tenant's log-outs that are kept: what was made before the first of them is over, whoever it was made for. Those who
/// come within so many log-outs notice nothing; who stays away for longer begins anew.
const KEPT: u64 = 65_536;
/// Old records looked at with each new one: more than come, so that they do not pile up.
const TIDIED: usize = 4;
/// Tenants of which it is known how far their counts were.
const COUNTED_MAX: usize = 16_384;

/// Who is logged out.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Whom {
    /// A contact, as a visitor.
    Contact(ContactId),
    /// A person of the team.
    Agent(AgentName),
}

impl Whom {
    const fn name(&self) -> &'static str {
        match self {
            Self::Contact(_) => "visitor",
            Self::Agent(_) => "agent",
        }
    }

    /// What is said to whoever shows what was made for them.
    const fn ended(&self) -> AuthError {
        match self {
            Self::Contact(_) => AuthError::LoggedOut,
            Self::Agent(_) => AuthError::AgentsEnded,
        }
    }
}

/// Of one tenant.
type Whose = (TenantId, Whom);

/// When something was made, as far as log-outs go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Issued {
    /// When its tenant had had this many.
    After(LogoutNumber),
    /// At this moment, by a program that did not count them.
    At(Timestamp),
}

/// The last log-out of somebody.
///
/// It ends what was made at a lower number, and what shows a number that is not of the tenant's [`Count`]. No clock is
/// asked, and a restore of older data ends too much rather than too little: nothing made in the future that was taken
/// back outlives a log-out of whom it was made for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Logout {
    number: LogoutNumber,
    at: Timestamp,
}

impl Logout {
    /// One that ends what earlier programs made until then.
    #[cfg(test)]
    pub(crate) const fn until(at: Timestamp) -> Self {
        Self { number: LogoutNumber::LONGEST, at }
    }

    /// Whether it may end what was made then: without a look at the count, what another run made may have come before.
    #[must_use]
    pub fn ends(self, made: Issued) -> bool {
        self.ends_in(made, |shown| shown.run == self.number.run)
    }

    /// The same, where it is known which numbers are of the count.
    fn ends_in(self, made: Issued, has: impl Fn(LogoutNumber) -> bool) -> bool {
        match made {
            Issued::After(shown) => shown.number < self.number.number || !has(shown),
            // Every log-out that is counted came after the last program that did not count.
            Issued::At(moment) => self.number.number > 0 || moment <= self.at,
        }
    }
}

/// What is over of somebody's: by their last log-out, and by the count in which it stands. Other nodes count too, so that
/// a number of another run may well be of the count.
pub(crate) struct Over {
    count: Arc<Count>,
    logout: Option<Logout>,
    kept: u64,
}

impl Over {
    /// Whether what was made then is over.
    pub(crate) fn has(&self, made: Issued) -> bool {
        let Self { count, logout, kept } = self;
        // Of what was made before those that are kept, nothing shows any longer whether it was ended.
        let is_forgotten = count.is_past(0, *kept)
            && match made {
                Issued::At(_) => true,
                Issued::After(shown) => count.is_past(shown.number, *kept) || !count.has(shown),
            };
        is_forgotten || logout.is_some_and(|logout| logout.ends_in(made, |shown| count.has(shown)))
    }
}

/// The installation's logged-out visitors and agents.
pub struct Logouts {
    records: Arc<dyn Records>,
    known: Memory<Whose, Option<Logout>>,
    /// How many of each are on their way into the store: meanwhile all is ended that they have.
    noted: Mutex<HashMap<Whose, usize>>,
    /// May be older than the store's: it has fewer numbers then, and no others.
    counts: Memory<TenantId, Arc<Count>>,
    /// How far each tenant's count was when this process has last counted in it.
    progress: Mutex<HashMap<TenantId, u64>>,
    kept: u64,
    /// Of each tenant, what is held while one of its log-outs is counted: those that come at once wait in a row instead
    /// of writing past each other.
    counting: Mutex<HashMap<TenantId, Arc<tokio::sync::Mutex<()>>>>,
}

/// A log-out, as stored.
#[derive(Debug, Serialize, Deserialize)]
struct LogoutBody {
    format: u32,
    /// What an earlier program made until then is over.
    at: Timestamp,
    /// What was made before this number is over; 0 where an earlier program stored it.
    #[serde(default)]
    number: LogoutNumber,
}

impl Logouts {
    /// Log-outs in `records`.
    #[must_use]
    pub fn new(records: Arc<dyn Records>) -> Self {
        let (known, noted, counts) = (Memory::default(), Mutex::default(), Memory::default());
        Self { records, known, noted, counts, progress: Mutex::default(), kept: KEPT, counting: Mutex::default() }
    }

    /// When something is made that is made now. To be asked for before anything is checked: a log-out that comes
    /// later then ends what is made.
    ///
    /// # Errors
    /// What the store says.
    pub async fn now(&self, tenant: TenantId) -> Result<Issued, StoreError> {
        let (_, count) = self.counted(tenant).await?;
        Ok(Issued::After(count.now()))
    }

    /// Logs somebody out: what was made for them until now is refused from now on. Gives what ends it, once that is
    /// durable.
    ///
    /// # Errors
    /// What the store says.
    pub async fn log_out(&self, tenant: TenantId, whom: &Whom, clock: &dyn Clock) -> Result<Logout, StoreError> {
        let _noted = self.note((tenant, whom.clone()));
        let count = self.count(tenant).await?;
        let logout = self.keep(tenant, whom, Logout { number: count.now(), at: clock.now() }).await?;
        counter!(LOGOUTS, "who" => whom.name()).increment(1);
        self.tidy(tenant, whom, &count).await;
        Ok(logout)
    }

    /// What is remembered of a tenant's log-outs holds no longer: another node has had one.
    pub(crate) fn forget(&self, tenant: TenantId) {
        self.known.forget_all(|(of, _)| *of == tenant);
        self.counts.forget(&tenant);
    }

    /// What is over of somebody's, as the store has it now.
    ///
    /// # Errors
    /// What the store says.
    pub(crate) async fn over(&self, tenant: TenantId, whom: Whom, now: Timestamp) -> Result<Over, StoreError> {
        let whose = (tenant, whom);
        self.known.forget(&whose);
        let logout = self.last_of(&whose, now).await?;
        // One that was read before the log-out may not have the numbers that came since.
        let count = self.count_of_store(tenant, now).await?;
        Ok(Over { count, logout, kept: self.kept })
    }

    /// How many log-outs a tenant has had, as the store has it now: another number, another log-out.
    ///
    /// # Errors
    /// What the store says.
    pub(crate) async fn version(&self, tenant: TenantId) -> Result<u64, StoreError> {
        self.counted(tenant).await.map(|(version, _)| version)
    }

    /// Whether what was made for somebody still holds.
    ///
    /// # Errors
    /// [`AuthError::LoggedOut`] or [`AuthError::AgentsEnded`], or what the store says.
    pub async fn check(&self, tenant: TenantId, whom: Whom, made: Issued, now: Timestamp) -> Result<(), AuthError> {
        let whose = (tenant, whom);
        if self.noted().contains_key(&whose) {
            return Err(whose.1.ended());
        }
        let mut remembered = self.counts.get(&tenant, now);
        loop {
            let (count, is_new) = match remembered.take() {
                Some(count) => (count, false),
                None => (self.count_of_store(tenant, now).await?, true),
            };
            let stored = self.last_of(&whose, now).await?;
            // One may have been noted while the store was asked.
            if self.noted().contains_key(&whose) {
                return Err(whose.1.ended());
            }
            if !(Over { count, logout: stored, kept: self.kept }).has(made) {
                return Ok(());
            }
            // What was remembered has fewer numbers than there may be.
            if is_new {
                return Err(whose.1.ended());
            }
        }
    }

    async fn last_of(&self, whose: &Whose, now: Timestamp) -> Result<Option<Logout>, StoreError> {
        if let Some(stored) = self.known.get(whose, now) {
            return Ok(stored);
        }
        let look = self.known.look();
        let stored = record_body::load::<LogoutBody, _>(&*self.records, records::logout(whose.0, &whose.1)).await?;
        let stored = stored.map(|(_, LogoutBody { number, at, .. })| Logout { number, at });
        self.known.put(whose.clone(), stored, now, look);
        Ok(stored)
    }

    async fn count_of_store(&self, tenant: TenantId, now: Timestamp) -> Result<Arc<Count>, StoreError> {
        let look = self.counts.look();
        let (_, count) = self.counted(tenant).await?;
        let count = Arc::new(count);
        self.counts.put(tenant, Arc::clone(&count), now, look);
        Ok(count)
    }

    /// The tenant's count and the version at which it stands.
    async fn counted(&self, tenant: TenantId) -> Result<(u64, Count), StoreError> {
        let found = record_body::load(&*self.records, records::logout_count(tenant)).await?;
        Ok(found.unwrap_or_default())
    }

    fn note(&self, whose: Whose) -> Noted<'_> {
        *self.noted().entry(whose.clone()).or_default() += 1;
        Noted { logouts: self, whose }
    }

    /// Counts one more log-out of the tenant.
    async fn count(&self, tenant: TenantId) -> Result<Count, StoreError> {
        let turn = Arc::clone(self.counting().entry(tenant).or_default());
        // The one in the map is among them.
        if Arc::strong_count(&turn) > WAITING_MAX + 1 {
            return Err(StoreError::Busy);
        }
        let counting = turn.lock().await;
        let counted = self.count_in_turn(tenant).await;
        drop(counting);
        // The one in the map, and ours.
        let mut all = self.counting();
        if Arc::strong_count(&turn) == 2 {
            all.remove(&tenant);
        }
        drop(all);
        counted
    }

    async fn count_in_turn(&self, tenant: TenantId) -> Result<Count, StoreError> {
        for _ in 0..ATTEMPTS_MAX {
            let (version, before) = self.counted(tenant).await?;
            // All who count go on with one run, so that runs are few. One begins with each process, and where the count
            // is not as far as it was: then the store was restored under a process that went on.
            let goes_on = self.progress().get(&tenant).is_some_and(|number| before.now().number >= *number);
            let count = if goes_on { before.next() } else { before.next_in(Run::draw()) };
            match record_body::save(&*self.records, records::logout_count(tenant), version, &count).await {
                Err(StoreError::Conflict { .. }) => {}
                stored => {
                    stored?;
                    let mut progress = self.progress();
                    if progress.len() >= COUNTED_MAX {
                        progress.clear();
                    }
                    progress.insert(tenant, count.now().number);
                    return Ok(count);
                }
            }
        }
        Err(StoreError::Busy)
    }

    /// Stores it, unless a later one of the same person was quicker; gives the one that stands then.
    async fn keep(&self, tenant: TenantId, whom: &Whom, logout: Logout) -> Result<Logout, StoreError> {
        for _ in 0..ATTEMPTS_MAX {
            let name = records::logout(tenant, whom);
            let found = record_body::load::<LogoutBody, _>(&*self.records, name.clone()).await?;
            let (version, kept) = match found {
                None => (0, logout),
                Some((_, LogoutBody { number, at, .. })) if number.number >= logout.number.number => {
                    return Ok(Logout { number, at });
                }
                // A clock that was set back since moves nothing back.
                Some((version, LogoutBody { at, .. })) => (version, Logout { at: at.max(logout.at), ..logout }),
            };
            let body = LogoutBody { format: FORMAT, at: kept.at, number: kept.number };
            match record_body::save(&*self.records, name, version, &body).await {
                Err(StoreError::Conflict { .. }) => {}
                stored => return stored.map(|_| kept),
            }
        }
        Err(StoreError::Busy)
    }

    /// Removes a few records of log-outs that are kept no longer. Twice as late as they may be: for some seconds another
    /// node may know an older count.
    async fn tidy(&self, tenant: TenantId, beside: &Whom, count: &Count) {
        if !count.is_past(0, 2 * self.kept) {
            return;
        }
        let RecordName { scope, kind, id } = records::logout(tenant, beside);
        let Ok(mut page) = self.records.scan(scope, kind, Some(id), TIDIED).await else { return };
        // Ids of contacts grow: behind the newest of them are the oldest.
        if page.len() < TIDIED
            && let Ok(oldest) = self.records.scan(scope, kind, None, TIDIED - page.len()).await
        {
            page.extend(oldest);
        }
        for record in page {
            let is_past = record_body::read::<LogoutBody>(kind, &record)
                .is_ok_and(|(_, body)| count.is_past(body.number.number, 2 * self.kept));
            if is_past {
                // Another one may have been quicker.
                let _ = self.records.delete(RecordName { scope, kind, id: record.id }, record.version).await;
            }
        }
    }

    fn progress(&self) -> MutexGuard<'_, HashMap<TenantId, u64>> {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn counting(&self) -> MutexGuard<'_, HashMap<TenantId, Arc<tokio::sync::Mutex<()>>>> {
        self.counting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn noted(&self) -> MutexGuard<'_, HashMap<Whose, usize>> {
        self.noted.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A log-out on its way into the store. While it is there, the person counts as logged out; once it is dropped, what the
/// store says decides again.
struct Noted<'a> {
    logouts: &'a Logouts,
    whose: Whose,
}

impl Drop for Noted<'_> {
    fn drop(&mut self) {
        self.logouts.known.forget(&self.whose);
        let mut noted = self.logouts.noted();
        // Another one of the same person may be on its way.
        if let Some(count) = noted.get_mut(&self.whose) {
            *count -= 1;
            if *count == 0 {
                noted.remove(&self.whose);
            }
        }
    }
}

#[cfg(test)]
mod tests;
