//! Visitors and agents who were logged out: what they held until then opens nothing any more.
//! Invariant: from the moment at which a log-out is noted no look misses it, not even one that began
//! before it was stored; it is stored before it is answered; and no clock says what came before it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use actors::{Clock, Memory, record_body};
use engine_store::{RecordName, Records, StoreError};
use metrics::counter;
use schema::{AgentName, ContactId, TenantId, Timestamp};
use serde::{Deserialize, Serialize};
use tokio::sync;

use super::error::AuthError;
use super::records::{self, FORMAT};
use super::token::{RETURN_TTL, TOKEN_TTL_MAX};
use crate::metrics::LOGOUTS;

/// Others may log the same person out meanwhile, or another node anybody of the tenant; more often is a fault.
const ATTEMPTS_MAX: usize = 5;
/// Old records looked at with each new one: more than come, so that they do not pile up.
const TIDIED: usize = 4;

/// Who is logged out.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Whom {
    /// A contact, as a visitor.
    Contact(ContactId),
    /// A person of the team.
    Agent(AgentName),
}

impl Whom {
    /// How long anything holds that was made for them, at the longest.
    const fn ttl(&self) -> Duration {
        match self {
            Self::Contact(_) => RETURN_TTL,
            Self::Agent(_) => TOKEN_TTL_MAX,
        }
    }

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

/// How many log-outs a tenant has had. It is the tenant's own clock: a log-out raises it by one, and what is made says
/// at which number it was made, so that what came before what does not depend on the time of day.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct LogoutNumber(u64);

impl LogoutNumber {
    const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

/// When something was made, as far as log-outs go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Made {
    /// When its tenant had had this many.
    After(LogoutNumber),
    /// At this moment, by a program that did not count them.
    At(Timestamp),
}

/// The last log-out of somebody.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Logout {
    number: LogoutNumber,
    at: Timestamp,
}

impl Logout {
    /// One that ends what earlier programs made until then.
    #[cfg(test)]
    pub(crate) const fn until(at: Timestamp) -> Self {
        Self { number: LogoutNumber(1), at }
    }

    /// Whether it ends what was made then.
    #[must_use]
    pub fn ends(self, made: Made) -> bool {
        match made {
            Made::After(number) => number < self.number,
            // Every log-out that is counted came after the last program that did not count.
            Made::At(moment) => self.number > LogoutNumber::default() || moment <= self.at,
        }
    }
}

/// The installation's logged-out visitors and agents.
pub struct Logouts {
    records: Arc<dyn Records>,
    known: Memory<Whose, Option<Logout>>,
    /// How many of each are on their way into the store: meanwhile all is ended that they have.
    noted: Mutex<HashMap<Whose, usize>>,
    /// One number after the other, so that only other nodes are in the way.
    counting: sync::Mutex<()>,
}

/// A log-out, as stored.
#[derive(Debug, Serialize, Deserialize)]
struct LogoutBody {
    format: u32,
    /// What an earlier program made until then is over, and the record itself a while later.
    at: Timestamp,
    /// What was made before this number is over; 0 where an earlier program stored it.
    #[serde(default)]
    number: LogoutNumber,
}

/// How many a tenant has had, as stored.
#[derive(Debug, Serialize, Deserialize)]
struct CountBody {
    format: u32,
    number: LogoutNumber,
}

impl Logouts {
    /// Log-outs in `records`.
    #[must_use]
    pub fn new(records: Arc<dyn Records>) -> Self {
        let (known, noted, counting) = (Memory::default(), Mutex::default(), sync::Mutex::default());
        Self { records, known, noted, counting }
    }

    /// When something is made that is made now. To be asked for before anything is checked: a log-out that comes
    /// later then ends what is made.
    ///
    /// # Errors
    /// What the store says.
    pub async fn now(&self, tenant: TenantId) -> Result<Made, StoreError> {
        let found = record_body::load::<CountBody, _>(&*self.records, records::logout_count(tenant)).await?;
        Ok(Made::After(found.map(|(_, body)| body.number).unwrap_or_default()))
    }

    /// Logs somebody out: what was made for them until now is refused from now on. Gives what ends it, once that is
    /// durable.
    ///
    /// # Errors
    /// What the store says.
    pub async fn log_out(&self, tenant: TenantId, whom: &Whom, clock: &dyn Clock) -> Result<Logout, StoreError> {
        let _noted = self.note((tenant, whom.clone()));
        let number = self.count(tenant).await?;
        let logout = self.keep(tenant, whom, Logout { number, at: clock.now() }).await?;
        counter!(LOGOUTS, "who" => whom.name()).increment(1);
        self.tidy(tenant, whom, clock.now()).await;
        Ok(logout)
    }

    /// Whether what was made for somebody still holds.
    ///
    /// # Errors
    /// [`AuthError::LoggedOut`] or [`AuthError::AgentsEnded`], or what the store says.
    pub async fn check(&self, tenant: TenantId, whom: Whom, made: Made, now: Timestamp) -> Result<(), AuthError> {
        let whose = (tenant, whom);
        if self.noted().contains_key(&whose) {
            return Err(whose.1.ended());
        }
        let stored = match self.known.get(&whose, now) {
            Some(stored) => stored,
            None => {
                let look = self.known.look();
                let name = records::logout(tenant, &whose.1);
                let stored = record_body::load::<LogoutBody, _>(&*self.records, name).await?;
                let stored = stored.map(|(_, LogoutBody { number, at, .. })| Logout { number, at });
                self.known.put(whose.clone(), stored, now, look);
                stored
            }
        };
        // One may have been noted while the store was asked.
        let ended = self.noted().contains_key(&whose) || stored.is_some_and(|logout| logout.ends(made));
        if ended { Err(whose.1.ended()) } else { Ok(()) }
    }

    fn note(&self, whose: Whose) -> Noted<'_> {
        *self.noted().entry(whose.clone()).or_default() += 1;
        Noted { logouts: self, whose }
    }

    /// The number of one more log-out of the tenant.
    async fn count(&self, tenant: TenantId) -> Result<LogoutNumber, StoreError> {
        let _turn = self.counting.lock().await;
        for _ in 0..ATTEMPTS_MAX {
            let name = records::logout_count(tenant);
            let found = record_body::load::<CountBody, _>(&*self.records, name.clone()).await?;
            let (version, before) =
                found.map_or((0, LogoutNumber::default()), |(version, body)| (version, body.number));
            let number = before.next();
            match record_body::save(&*self.records, name, version, &CountBody { format: FORMAT, number }).await {
                Err(StoreError::Conflict { .. }) => {}
                stored => return stored.map(|_| number),
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
                Some((_, LogoutBody { number, at, .. })) if number >= logout.number => {
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

    /// Removes a few records that are so old that nothing made before them can still hold.
    async fn tidy(&self, tenant: TenantId, beside: &Whom, now: Timestamp) {
        let RecordName { scope, kind, id } = records::logout(tenant, beside);
        let Ok(page) = self.records.scan(scope, kind, Some(id), TIDIED).await else { return };
        for record in page {
            let over =
                record_body::read::<LogoutBody>(kind, &record).is_ok_and(|(_, body)| body.at.plus(beside.ttl()) <= now);
            if over {
                // Another one may have been quicker.
                let _ = self.records.delete(RecordName { scope, kind, id: record.id }, record.version).await;
            }
        }
    }

    fn noted(&self) -> MutexGuard<'_, HashMap<Whose, usize>> {
        self.noted.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A log-out on its way into the store; when it ends, however it ends, the store has the word again.
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
mod tests {
    use super::super::testing::{MemoryRecords, NOW};
    use super::*;

    const YEAR: i64 = 365 * 24 * 3600;

    struct At(Timestamp);

    impl Clock for At {
        fn now(&self) -> Timestamp {
            self.0
        }
    }

    fn later(seconds: i64) -> Timestamp {
        Timestamp::from_millis(NOW.as_millis() + seconds * 1000)
    }

    #[tokio::test]
    async fn what_was_made_until_then_is_over_and_what_comes_after_is_not_whatever_the_clock_says() {
        for clock in [0, 2, -YEAR, YEAR] {
            let records = Arc::<MemoryRecords>::default();
            let logouts = Logouts::new(records.clone());
            let (tenant, other) = (TenantId::generate(), TenantId::generate());
            let [ana, bo] = [Whom::Contact(ContactId::from_bytes([1; 16])), Whom::Agent("Bo".into())];
            let first = logouts.now(tenant).await.unwrap();
            assert!(logouts.check(tenant, ana.clone(), first, NOW).await.is_ok());
            // Somebody else's does not end it.
            logouts.log_out(tenant, &bo, &At(later(clock))).await.unwrap();
            let second = logouts.now(tenant).await.unwrap();
            assert!(logouts.check(tenant, ana.clone(), first, NOW).await.is_ok());
            let out = logouts.log_out(tenant, &ana, &At(later(clock))).await.unwrap();
            let third = logouts.now(tenant).await.unwrap();
            for logouts in [&logouts, &Logouts::new(records.clone())] {
                for (tenant, contact, made, holds) in [
                    (tenant, &ana, first, false),
                    (tenant, &ana, second, false),
                    (tenant, &ana, third, true),
                    (tenant, &ana, Made::At(NOW), false),
                    (tenant, &bo, first, false),
                    (tenant, &bo, second, true),
                    (other, &ana, first, true),
                    (other, &ana, Made::At(NOW), true),
                ] {
                    let checked = logouts.check(tenant, contact.clone(), made, NOW).await;
                    assert_eq!(checked.is_ok(), holds, "{clock} {contact:?} {made:?}");
                }
            }
            assert!(out.ends(first) && out.ends(second) && !out.ends(third));
            for (whom, told) in [(&ana, "this visitor was logged out"), (&bo, "this agent's tokens were ended")] {
                let error = logouts.check(tenant, whom.clone(), first, NOW).await.unwrap_err();
                assert_eq!(error.code(), schema::ErrorCode::TokenExpired);
                assert!(error.to_string().starts_with(told), "{error}");
            }
            // With the clock right again, one more ends what came after the first.
            logouts.log_out(tenant, &ana, &At(NOW)).await.unwrap();
            assert!(logouts.check(tenant, ana.clone(), third, NOW).await.is_err());
            assert!(logouts.check(tenant, ana.clone(), logouts.now(tenant).await.unwrap(), NOW).await.is_ok());
            assert!(logouts.noted().is_empty());
        }
    }

    #[tokio::test]
    async fn what_earlier_programs_stored_and_sealed_is_compared_by_the_moment() {
        let records = Arc::<MemoryRecords>::default();
        let logouts = Logouts::new(records.clone());
        let (tenant, ana) = (TenantId::generate(), Whom::Contact(ContactId::from_bytes([1; 16])));
        let body = format!(r#"{{"format":1,"at":"{}"}}"#, later(2));
        records.put(records::logout(tenant, &ana), 0, body.into_bytes()).await.unwrap();
        let now = logouts.now(tenant).await.unwrap();
        for (made, holds) in
            [(Made::At(later(0)), false), (Made::At(later(2)), false), (Made::At(later(3)), true), (now, true)]
        {
            assert_eq!(logouts.check(tenant, ana.clone(), made, later(4)).await.is_ok(), holds, "{made:?}");
        }
        // One of this program, by a clock that was set back: the record stays for as long as it was to stay.
        let out = logouts.log_out(tenant, &ana, &At(later(-YEAR))).await.unwrap();
        assert_eq!(out.at, later(2));
        for made in [Made::At(later(3)), now] {
            assert!(logouts.check(tenant, ana.clone(), made, later(4)).await.is_err(), "{made:?}");
        }
    }

    #[tokio::test]
    async fn log_outs_at_once_are_each_counted_and_meanwhile_nothing_holds() {
        let records = Arc::<MemoryRecords>::default();
        let logouts = Logouts::new(records.clone());
        let (tenant, ana) = (TenantId::generate(), Whom::Contact(ContactId::from_bytes([1; 16])));
        let made = logouts.now(tenant).await.unwrap();
        let noted = logouts.note((tenant, ana.clone()));
        let clock = At(NOW);
        let out = futures_util::future::join_all((0..20).map(|_| logouts.log_out(tenant, &ana, &clock))).await;
        assert!(out.iter().all(Result::is_ok), "{out:?}");
        assert_eq!(logouts.now(tenant).await, Ok(Made::After(LogoutNumber(20))));
        let after = logouts.now(tenant).await.unwrap();
        assert!(logouts.check(tenant, ana.clone(), after, NOW).await.is_err(), "one is on its way");
        drop(noted);
        assert!(logouts.check(tenant, ana.clone(), after, NOW).await.is_ok());
        assert!(logouts.check(tenant, ana.clone(), made, NOW).await.is_err());
    }

    #[tokio::test]
    async fn records_of_long_ago_do_not_pile_up() {
        let contact = |first: u8, n: u8| {
            let mut bytes = [0; 16];
            (bytes[0], bytes[1]) = (first, n);
            Whom::Contact(ContactId::from_bytes(bytes))
        };
        // What is named by a digest comes in any order.
        let agent = |first: u8, n: u8| Whom::Agent(format!("{first} {n}").into());
        for (whom, new, most) in
            [(&contact as &dyn Fn(u8, u8) -> Whom, 10_u8, 11), (&agent as &dyn Fn(u8, u8) -> Whom, 40, 60)]
        {
            let records = Arc::<MemoryRecords>::default();
            let logouts = Logouts::new(records.clone());
            let tenant = TenantId::generate();
            let out = async |first: u8, n: u8, at| logouts.log_out(tenant, &whom(first, n), &At(at)).await.unwrap();
            for n in 0..40 {
                out(9, n, NOW).await;
            }
            let much_later = NOW.plus(whom(0, 0).ttl());
            for n in 0..new {
                out(1, n, much_later).await;
            }
            // What comes after a record that is gone is still ended by the next one.
            let made = logouts.now(tenant).await.unwrap();
            out(9, 0, much_later).await;
            assert!(logouts.check(tenant, whom(9, 0), made, much_later).await.is_err());
            let kind = records::logout(tenant, &whom(0, 0)).kind;
            let left = records.all.lock().unwrap().keys().filter(|name| name.kind == kind).count();
            assert!(left <= most, "{left}");
        }
    }
}
