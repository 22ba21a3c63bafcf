//! All open sockets and streams, with their principals and rights, over all worker threads.
//! Invariant: a session is in here before its right is checked for the last time, and every change of
//! rights looks at all that are in here: so none outlives its right.

use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasher, RandomState};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use actors::{Failure, Format, Outbox, Tenant, TenantRecord};
use schema::wire::{Close, ServerFrame};
use schema::{AgentName, ContactId, ErrorCode, Neighbour, SessionId, TenantId, limits};
use tokio::time::Instant;

use super::refusal;
use crate::access::check_page;
use crate::auth::{CallingPage, Holder, Issued, Whom, admits};

/// When one that finds no place may try again.
const FULL_RETRY: Duration = Duration::from_secs(5);
/// Those that are sent away together come back within so many milliseconds of each other.
const RETRY_SPREAD_MS: u64 = 5_000;

/// Those that were sent away are expected back so soon after they may come: clients spread themselves too.
const RETURNS_WITHIN: Duration = Duration::from_secs(30);

/// All open sessions of the node, over all its threads.
///
/// A session takes a place of its address when it opens, and enters with its principal once that is known; both are
/// given back by its registration. Changes of rights come from any thread and end a session by its outbox, which the
/// session's own thread empties: nobody waits for anybody.
pub(crate) struct Presence {
    per_address: u32,
    per_visitor: usize,
    addresses: Mutex<HashMap<Neighbour, u32>>,
    tenants: Mutex<HashMap<TenantId, Members>>,
    chance: RandomState,
}

/// A tenant's sessions, and its visitors with theirs.
#[derive(Default)]
struct Members {
    sessions: HashMap<SessionId, Member>,
    visitors: HashMap<ContactId, Own>,
}

/// A visitor's sessions.
#[derive(Default)]
struct Own {
    /// The oldest first.
    sessions: Vec<SessionId>,
    /// From when on those are expected back that were sent away for newer ones.
    away: Vec<Instant>,
}

/// A session whose owner is known.
pub(super) struct Member {
    pub(super) principal: Arc<Holder>,
    pub(super) page: Option<CallingPage>,
    pub(super) outbox: Arc<Outbox>,
    pub(super) format: Format,
}

impl Presence {
    pub(crate) fn new(per_address: u32, per_visitor: u32) -> Arc<Self> {
        Arc::new(Self {
            per_address,
            per_visitor: usize::try_from(per_visitor).unwrap_or(usize::MAX),
            addresses: Mutex::default(),
            tenants: Mutex::default(),
            chance: RandomState::new(),
        })
    }

    pub(super) fn enter_from(&self, address: Neighbour) -> Result<(), Failure> {
        let mut addresses = lock(&self.addresses);
        let count = addresses.entry(address).or_default();
        if *count >= self.per_address {
            let message = "too many sockets and streams from this address";
            return Err(Failure::later(ErrorCode::RateLimited, message, FULL_RETRY));
        }
        *count += 1;
        Ok(())
    }

    pub(super) fn leave_from(&self, address: Neighbour) {
        let mut addresses = lock(&self.addresses);
        if let Some(count) = addresses.get_mut(&address) {
            *count -= 1;
            if *count == 0 {
                addresses.remove(&address);
            }
        }
    }

    /// A session whose owner is known from now on; true when its visitor has more than it may keep.
    pub(super) fn enter(&self, id: SessionId, member: Member) -> Result<bool, Failure> {
        let mut tenants = lock(&self.tenants);
        let members = tenants.entry(member.principal.tenant).or_default();
        let mut surplus = false;
        if let Some(visitor) = member.principal.visitor() {
            let own = members.visitors.entry(visitor.contact).or_default();
            let open = own.sessions.len();
            let wait = if open >= self.per_visitor.saturating_mul(2) {
                Some(FULL_RETRY)
            } else if open >= self.per_visitor {
                own.comes_back(Instant::now(), self.away_for(0))
            } else {
                None
            };
            if let Some(wait) = wait {
                let message = "this visitor has too many sockets and streams open";
                return Err(Failure::later(ErrorCode::RateLimited, message, wait));
            }
            own.sessions.push(id);
            surplus = own.sessions.len() > self.per_visitor;
        }
        members.sessions.insert(id, member);
        Ok(surplus)
    }

    /// A session's owner has shown a newer token.
    pub(super) fn renew(&self, id: SessionId, principal: Arc<Holder>) {
        let mut tenants = lock(&self.tenants);
        let Some(members) = tenants.get_mut(&principal.tenant) else { return };
        let Some(member) = members.sessions.get_mut(&id) else { return };
        let contact = |holder: &Holder| holder.visitor().map(|visitor| visitor.contact);
        let (before, after) = (contact(&member.principal), contact(&principal));
        member.principal = principal;
        // What the token was made for may stand for another contact since.
        if before != after {
            if let Some(before) = before {
                members.no_longer_of(before, id);
            }
            if let Some(after) = after {
                members.visitors.entry(after).or_default().sessions.push(id);
            }
        }
    }

    pub(super) fn leave(&self, tenant: TenantId, id: SessionId) {
        let mut tenants = lock(&self.tenants);
        let Some(members) = tenants.get_mut(&tenant) else { return };
        let Some(member) = members.sessions.remove(&id) else { return };
        if let Some(visitor) = member.principal.visitor() {
            members.no_longer_of(visitor.contact, id);
        }
        if members.sessions.is_empty() {
            tenants.remove(&tenant);
        }
    }

    /// Sends a visitor's oldest sessions away for a while, if there are still more than it may keep.
    pub(super) fn make_room(&self, tenant: TenantId, contact: ContactId) {
        let mut tenants = lock(&self.tenants);
        let Some(Members { sessions, visitors }) = tenants.get_mut(&tenant) else { return };
        let Some(own) = visitors.get_mut(&contact) else { return };
        let members = own.sessions.iter().filter_map(|id| sessions.get(id));
        let open: Vec<&Member> = members.filter(|member| member.outbox.is_open()).collect();
        let now = Instant::now();
        own.away.retain(|due| now < *due + RETURNS_WITHIN);
        for (n, member) in open.iter().take(open.len().saturating_sub(self.per_visitor)).enumerate() {
            let wait = self.away_for(n);
            send_away(&member.outbox, member.format, wait, Close::NOT_NOW);
            // As many as can be open at once; whoever has more tabs than that takes turns with itself.
            if own.away.len() < self.per_visitor {
                own.away.push(now + wait);
            }
        }
    }

    fn away_for(&self, n: usize) -> Duration {
        limits::SURPLUS_RETRY + Duration::from_millis(self.chance.hash_one(n) % RETRY_SPREAD_MS)
    }

    /// Ends those of a tenant's sessions that may no longer be, as the tenant stands now.
    pub(super) fn review(&self, tenant: &Tenant, standing: Option<&TenantRecord>) {
        self.end_those(tenant.id(), |member| {
            let Some(standing) = standing else { return Some(Close::UNAUTHORIZED) };
            let admitted = admits(standing, &member.principal.kind).map_err(|error| error.code());
            let checked = admitted.and_then(|()| {
                check_page(&member.principal, member.page.as_ref(), tenant).map_err(|failure| failure.code)
            });
            checked.err().map(refusal::close)
        });
    }

    /// Ends the sessions of a contact that was logged out.
    pub(crate) fn log_out(&self, tenant: TenantId, contact: ContactId, is_over: impl Fn(Issued) -> bool) {
        self.end_those(tenant, |member| {
            let visitor = member.principal.visitor()?;
            let is_theirs = [visitor.contact, visitor.sealed_for].contains(&contact);
            (is_theirs && is_over(visitor.made)).then_some(Close::TOKEN_EXPIRED)
        });
    }

    /// Ends the sessions of an agent who was logged out.
    pub(crate) fn log_out_agent(&self, tenant: TenantId, name: &AgentName, is_over: impl Fn(Issued) -> bool) {
        self.end_those(tenant, |member| {
            let agent = member.principal.agent()?;
            (agent.name == *name && is_over(agent.made)).then_some(Close::TOKEN_EXPIRED)
        });
    }

    /// Ends the sessions of contacts who may stand for others now: they come back as whom they stand for.
    pub(crate) fn resolve_anew(&self, tenant: TenantId, contacts: &[ContactId]) {
        self.end_those(tenant, |member| {
            let visitor = member.principal.visitor()?;
            let is_theirs = [visitor.contact, visitor.sealed_for].iter().any(|id| contacts.contains(id));
            is_theirs.then_some(Close::NOT_NOW)
        });
    }

    /// The people of a tenant who have sessions, each once.
    pub(crate) fn people(&self, tenant: TenantId) -> HashSet<Whom> {
        let tenants = lock(&self.tenants);
        let members = tenants.get(&tenant).into_iter().flat_map(|members| members.sessions.values());
        let people = members.flat_map(|member| {
            let visitor = member.principal.visitor().map(|visitor| [visitor.contact, visitor.sealed_for]);
            let agent = member.principal.agent().map(|agent| Whom::Agent(agent.name.clone()));
            visitor.into_iter().flatten().map(Whom::Contact).chain(agent)
        });
        people.collect()
    }

    /// The visitors of a tenant who have sessions, each once: whom they stand for, and for whom their tokens were made.
    pub(crate) fn visitors(&self, tenant: TenantId) -> HashSet<(ContactId, ContactId)> {
        let tenants = lock(&self.tenants);
        let members = tenants.get(&tenant).into_iter().flat_map(|members| members.sessions.values());
        members
            .filter_map(|member| member.principal.visitor())
            .map(|visitor| (visitor.contact, visitor.sealed_for))
            .collect()
    }

    /// Every tenant that has a session.
    pub(crate) fn tenants(&self) -> Vec<TenantId> {
        lock(&self.tenants).keys().copied().collect()
    }

    fn end_those(&self, tenant: TenantId, why: impl Fn(&Member) -> Option<Close>) {
        let tenants = lock(&self.tenants);
        for member in tenants.get(&tenant).into_iter().flat_map(|members| members.sessions.values()) {
            if let Some(close) = why(member) {
                member.outbox.end(close);
            }
        }
    }
}

impl Members {
    fn no_longer_of(&mut self, contact: ContactId, id: SessionId) {
        let Some(own) = self.visitors.get_mut(&contact) else { return };
        own.sessions.retain(|other| *other != id);
        if own.sessions.is_empty() {
            self.visitors.remove(&contact);
        }
    }
}

impl Own {
    /// One more comes while there are as many as may stay. If it can be one that was sent away, it waits again:
    /// as the newest it would push out the next, and that one the next, for as long as there is one too many.
    fn comes_back(&mut self, now: Instant, wait: Duration) -> Option<Duration> {
        self.away.retain(|due| now < *due + RETURNS_WITHIN);
        let due = self.away.iter_mut().find(|due| **due <= now)?;
        *due = now + wait;
        Some(wait)
    }
}

/// Tells a session when to come back, and ends it.
pub(super) fn send_away(outbox: &Outbox, format: Format, wait: Duration, close: Close) {
    let retry_after_ms = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX);
    match format {
        Format::Socket => {
            if let Ok(frame) = serde_json::to_string(&ServerFrame::GoingAway { retry_after_ms }) {
                outbox.push_notice(frame.into());
            }
        }
        Format::Sse => outbox.push_notice(format!("retry: {retry_after_ms}\n\n").into()),
        // A link is no session: its node takes it down.
        Format::Peer => {}
    }
    outbox.close(close);
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use schema::Timestamp;

    use super::*;
    use crate::auth::{Issued, Kind, Logout, MadeBy, Visitor};

    fn visitor(tenant: TenantId, contact: ContactId, since: Timestamp) -> Member {
        visitor_as(tenant, contact, contact, since)
    }

    fn visitor_as(tenant: TenantId, contact: ContactId, sealed_for: ContactId, since: Timestamp) -> Member {
        let (expires_at, made, by) = (since, Issued::At(since), MadeBy::Page);
        let visitor = Visitor { contact, sealed_for, conversation: None, origin: None, expires_at, since, made, by };
        let principal = Arc::new(Holder { tenant, kind: Kind::Visitor(visitor) });
        Member { principal, page: None, outbox: Outbox::new(), format: Format::Socket }
    }

    #[test]
    fn what_is_left_behind_is_nothing() {
        let presence = Presence::new(2, 1);
        let (tenant, now) = (TenantId::generate(), Timestamp::from_millis(0));
        let contact = ContactId::generate();
        let ids: Vec<_> = (0..2).map(|_| SessionId::generate()).collect();
        let surplus: Vec<_> =
            ids.iter().map(|id| presence.enter(*id, visitor(tenant, contact, now)).unwrap()).collect();
        assert_eq!(surplus, [false, true]);
        let refused = presence.enter(SessionId::generate(), visitor(tenant, contact, now)).unwrap_err();
        assert_eq!(refused.code, ErrorCode::RateLimited);
        ids.iter().for_each(|id| presence.leave(tenant, *id));
        assert!(presence.tenants().is_empty());
        let address = Neighbour::from(IpAddr::from([192, 0, 2, 1]));
        for _ in 0..2 {
            presence.enter_from(address).unwrap();
        }
        assert!(presence.enter_from(address).is_err());
        (0..2).for_each(|_| presence.leave_from(address));
        assert!(lock(&presence.addresses).is_empty());
    }

    #[test]
    fn who_stands_for_another_comes_back_and_nobody_else_is_disturbed() {
        let presence = Presence::new(9, 9);
        let [tenant, elsewhere] = [TenantId::generate(), TenantId::generate()];
        let [a, b, c] = [1, 2, 3].map(|n| ContactId::from_bytes([n; 16]));
        let now = Timestamp::from_millis(0);
        let mut all = Vec::new();
        for (tenant, contact, sealed_for, ends) in [
            (tenant, a, a, true),
            (tenant, a, b, true),
            // It was renewed before its sessions were told.
            (tenant, c, b, true),
            (tenant, c, c, false),
            (elsewhere, a, b, false),
        ] {
            let (id, member) = (SessionId::generate(), visitor_as(tenant, contact, sealed_for, now));
            let outbox = Arc::clone(&member.outbox);
            presence.enter(id, member).unwrap();
            all.push((tenant, id, outbox, ends));
        }
        presence.resolve_anew(tenant, &[a, b]);
        for (_, _, outbox, ends) in &all {
            assert_eq!(outbox.is_open(), !ends);
        }
        assert!(Close::NOT_NOW.come_back());
        // One that has shown a newer token, which stands for another, leaves nothing behind.
        presence.renew(all[1].1, Arc::clone(&visitor_as(tenant, b, b, now).principal));
        for (tenant, id, ..) in &all {
            presence.leave(*tenant, *id);
        }
        assert!(presence.tenants().is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn one_tab_too_many_comes_to_rest() {
        let presence = Presence::new(100, 2);
        let (tenant, at) = (TenantId::generate(), Timestamp::from_millis(0));
        let contact = ContactId::generate();
        let enter = || {
            let (id, member) = (SessionId::generate(), visitor(tenant, contact, at));
            let outbox = Arc::clone(&member.outbox);
            presence.enter(id, member).map(|surplus| (id, outbox, surplus))
        };
        let mut tabs: Vec<_> = (0..3).map(|_| enter().unwrap()).collect();
        presence.make_room(tenant, contact);
        let (oldest, outbox, _) = tabs.remove(0);
        assert!(!outbox.is_open());
        presence.leave(tenant, oldest);
        for _ in 0..10 {
            tokio::time::advance(limits::SURPLUS_RETRY + Duration::from_secs(6)).await;
            let refused = enter().err().expect("it was sent away, and there is no more room than before");
            assert_eq!(refused.code, ErrorCode::RateLimited);
            assert!(refused.retry_after.is_some_and(|wait| wait >= limits::SURPLUS_RETRY), "{refused:?}");
        }
        let (_, _, surplus) = enter().expect("one that nobody expects is new");
        assert!(surplus);
        presence.make_room(tenant, contact);
        assert_eq!(tabs.iter().map(|(_, outbox, _)| outbox.is_open()).collect::<Vec<_>>(), [false, true]);
        for (id, ..) in tabs {
            presence.leave(tenant, id);
        }
        tokio::time::advance(limits::SURPLUS_RETRY + Duration::from_secs(6)).await;
        assert!(enter().is_ok(), "there is room again");
    }

    #[test]
    fn ten_thousand_sessions_are_looked_at_in_no_time() {
        let presence = Presence::new(u32::MAX, 1);
        let (tenant, now) = (TenantId::generate(), Timestamp::from_millis(0));
        let contacts: Vec<_> = (0..10_000).map(|_| ContactId::generate()).collect();
        let outboxes: Vec<_> = contacts
            .iter()
            .map(|contact| {
                let member = visitor(tenant, *contact, now);
                let outbox = Arc::clone(&member.outbox);
                presence.enter(SessionId::generate(), member).unwrap();
                outbox
            })
            .collect();
        let open = || outboxes.iter().filter(|outbox| outbox.is_open()).count();
        let began = Instant::now();
        let logout = Logout::until(now);
        presence.log_out(tenant, contacts[7], |made| logout.ends(made));
        let one = began.elapsed();
        assert_eq!((open(), outboxes[7].is_open()), (9_999, false));
        presence.end_those(tenant, |_| Some(Close::UNAUTHORIZED));
        assert_eq!(open(), 0);
        let all = began.elapsed();
        assert!(all < Duration::from_millis(500), "one: {one:?}, all: {all:?}");
    }
}
