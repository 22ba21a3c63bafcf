//! The list of conversations, newest activity first: an index by day, for a tenant and for each contact, that leads to
//! the rows.
//! Invariant: a row has an entry at its own moment, written before it. An entry at another moment is old, and passed
//! over. A day with an entry stands in the index.
//!
//! A day that has no entry any more is dropped by whoever has read it whole, once nobody remembers that it stands there,
//! and what was written in the last day excepted: whoever noted it may be about to write its entry. A contact's days go
//! with the last conversation with them. What is remembered of a contact's day is remembered for one conversation, so
//! that the next one notes the day anew.

use std::collections::{HashSet, VecDeque};
use std::sync::{Mutex, PoisonError};

use futures_util::future::{join_all, try_join_all};
use futures_util::stream::{self, StreamExt};
use schema::wire::ConversationSummary;
use schema::{ContactId, ConversationId, ConversationKey, TenantId, Timestamp};
use scylla::value::CqlTimestamp;
use uuid::Uuid;

use super::core::Core;
use super::rows::version;
use super::segments::moment;
use crate::metrics::ROWS_UNREADABLE;
use crate::{ListCursor, ListQuery, StoreError};

/// So that what a busy conversation has left behind it is not read with those before it.
const DAY: i64 = 24 * 3_600_000;
/// Days remembered, of tenants and contacts.
const REMEMBERED_MAX: usize = 16_384;
/// Entries that are compared with their rows at the same time.
const AT_ONCE: usize = 32;

/// A day in the index: of a tenant, or of a contact for one conversation.
type DayOf = (TenantId, Option<(ContactId, Uuid)>, i32);

/// Days that surely stand in the index.
#[derive(Default)]
pub(super) struct Days(Mutex<HashSet<DayOf>>);

/// An entry of the index.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Entry {
    last_at: Timestamp,
    id: ConversationId,
    log: Uuid,
}

/// The entries of a tenant, or of one contact, newest first, read piece by piece.
struct Reading {
    contact: Option<ContactId>,
    /// Days that are still to be read, the next one last.
    days: Vec<i32>,
    /// Days without an entry.
    empty: Vec<i32>,
    entries: VecDeque<Entry>,
    before: Option<(Timestamp, ConversationId)>,
}

impl Core {
    /// A tenant's conversations, newest activity first.
    pub(super) async fn list(&self, query: ListQuery) -> Result<Vec<ConversationSummary>, StoreError> {
        let tenant = query.tenant;
        let before = query.before.map(|ListCursor { last_at, id }| (last_at, id));
        let whose: Vec<Option<ContactId>> = match query.contacts {
            None => vec![None],
            Some(mut contacts) => {
                contacts.sort_unstable();
                contacts.dedup();
                contacts.into_iter().map(Some).collect()
            }
        };
        let mut readings = try_join_all(whose.into_iter().map(|contact| self.reading(tenant, contact, before))).await?;
        let mut listed: Vec<ConversationSummary> = Vec::new();
        while listed.len() < query.limit {
            let piece = (query.limit - listed.len()).clamp(1, 128);
            try_join_all(readings.iter_mut().map(|reading| self.read_entries(tenant, reading, piece))).await?;
            let mut entries = Vec::new();
            while entries.len() < AT_ONCE.min(query.limit - listed.len()) {
                let newest = readings.iter_mut().filter(|reading| !reading.entries.is_empty());
                let Some(reading) = newest.max_by_key(|reading| reading.entries.front().copied()) else { break };
                entries.extend(reading.entries.pop_front().map(|entry| (entry, reading.contact)));
                if readings.iter().any(|reading| reading.entries.is_empty() && !reading.days.is_empty()) {
                    break;
                }
            }
            if entries.is_empty() {
                if readings.iter().all(|reading| reading.days.is_empty()) {
                    break;
                }
                continue;
            }
            let rows = entries.into_iter().map(|(entry, contact)| self.summary(tenant, entry, contact));
            for summary in try_join_all(rows).await?.into_iter().flatten() {
                // Another life of it may have an entry of its own.
                if listed.last().is_none_or(|last| last.id != summary.id) {
                    listed.push(summary);
                }
            }
        }
        for Reading { contact, empty, .. } in &readings {
            self.drop_days(tenant, contact.as_ref(), empty, noted_before(self.now())).await;
        }
        Ok(listed)
    }

    /// What an entry leads to; none where it is old, or cannot be read.
    async fn summary(
        &self,
        tenant: TenantId,
        entry: Entry,
        contact: Option<ContactId>,
    ) -> Result<Option<ConversationSummary>, StoreError> {
        match self.summary_of(tenant, entry, contact).await {
            // It costs itself, and never the list.
            Err(StoreError::Corrupt(_)) => {
                metrics::counter!(ROWS_UNREADABLE).increment(1);
                Ok(None)
            }
            found => found,
        }
    }

    async fn summary_of(
        &self,
        tenant: TenantId,
        entry: Entry,
        contact: Option<ContactId>,
    ) -> Result<Option<ConversationSummary>, StoreError> {
        let key = ConversationKey { tenant, conversation: entry.id };
        let Some(found) = self.found_row(entry.log).await? else {
            // Its row is about to come, or it was erased.
            if self.owner_lately(key).await?.is_none_or(|owner| owner.log != entry.log) {
                self.drop_entry(tenant, contact, entry).await;
            }
            return Ok(None);
        };
        if found.last_at != entry.last_at || (contact.is_some() && found.contact != contact) {
            // A row never goes back, so it does not come here again.
            if found.last_at > entry.last_at {
                self.drop_entry(tenant, contact, entry).await;
            }
            return Ok(None);
        }
        // Those of an earlier version are shown until they are made anew.
        if !self.counts(&found) && found.version >= version() {
            return Ok(None);
        }
        let row = self.open_row(key, &found).await?;
        Ok(row.map(|row| row.page(entry.id)))
    }

    async fn reading(
        &self,
        tenant: TenantId,
        contact: Option<ContactId>,
        before: Option<(Timestamp, ConversationId)>,
    ) -> Result<Reading, StoreError> {
        let values = (tenant.as_bytes().as_slice(), named(contact.as_ref()));
        let days = self.link.all::<(i32,)>(&self.statements.days, values).await?;
        let newest = before.map_or(i32::MAX, |(last_at, _)| day(last_at));
        let mut days: Vec<i32> = days.into_iter().map(|(day,)| day).filter(|day| *day <= newest).collect();
        days.sort_unstable();
        Ok(Reading { contact, days, empty: Vec::new(), entries: VecDeque::new(), before })
    }

    async fn read_entries(&self, tenant: TenantId, reading: &mut Reading, piece: usize) -> Result<(), StoreError> {
        let limit = i32::try_from(piece).unwrap_or(i32::MAX);
        let (tenant, contact) = (tenant.as_bytes().as_slice(), reading.contact);
        while reading.entries.is_empty() {
            let Some(day) = reading.days.last().copied() else { return Ok(()) };
            let contact = named(contact.as_ref());
            let found: Vec<(CqlTimestamp, Vec<u8>, Uuid)> = match &reading.before {
                None => self.link.all(&self.statements.listed_newest, (tenant, contact, day, limit)).await?,
                Some((last_at, id)) => {
                    let values = (tenant, contact, day, moment(*last_at), id.as_bytes().as_slice(), limit);
                    self.link.all(&self.statements.listed, values).await?
                }
            };
            if found.len() < piece {
                reading.days.pop();
            }
            let is_whole = reading.before.is_none_or(|(last_at, _)| self::day(last_at) > day);
            if found.is_empty() && is_whole && is_over(day, self.now()) {
                reading.empty.push(day);
            }
            for (last_at, id, log) in found {
                let Ok(id) = id.try_into() else { continue };
                let entry =
                    Entry { last_at: Timestamp::from_millis(last_at.0), id: ConversationId::from_bytes(id), log };
                reading.before = Some((entry.last_at, entry.id));
                reading.entries.push_back(entry);
            }
        }
        Ok(())
    }

    /// Writes the entries that lead to a row.
    pub(super) async fn list_at(
        &self,
        key: ConversationKey,
        log: Uuid,
        contact: Option<ContactId>,
        last_at: Timestamp,
    ) -> Result<(), StoreError> {
        let (tenant, day, today) = (key.tenant, day(last_at), day(self.now()));
        let entries = [None, contact].into_iter().take(1 + usize::from(contact.is_some())).map(|whose| async move {
            let (tenant_bytes, name) = (tenant.as_bytes().as_slice(), named(whose.as_ref()));
            let known = (tenant, whose.map(|contact| (contact, log)), day);
            if !self.days.is_known(&known, today) {
                self.link.write(&self.statements.note_day, (tenant_bytes, name, day)).await?;
                self.days.know(known, today);
            }
            let id = key.conversation;
            let values = (tenant_bytes, name, day, moment(last_at), id.as_bytes().as_slice(), log);
            self.link.write(&self.statements.note_listed, values).await
        });
        try_join_all(entries).await.map(drop)
    }

    /// Drops the entries that led to a row. Those that stay are passed over.
    pub(super) async fn unlist_at(
        &self,
        key: ConversationKey,
        log: Uuid,
        contact: Option<ContactId>,
        last_at: Timestamp,
    ) {
        let entry = Entry { last_at, id: key.conversation, log };
        let whose = [None, contact].into_iter().take(1 + usize::from(contact.is_some()));
        join_all(whose.map(|whose| self.drop_entry(key.tenant, whose, entry))).await;
    }

    /// Drops days of the index that were noted before a time. Those that stay are met again.
    async fn drop_days(&self, tenant: TenantId, contact: Option<&ContactId>, days: &[i32], noted_before: i64) {
        let drops = stream::iter(days.to_vec()).map(|day| async move {
            let values = (tenant.as_bytes().as_slice(), named(contact), day);
            let _ = self.link.write_at(noted_before, &self.statements.drop_day, values).await;
        });
        drops.buffer_unordered(AT_ONCE).collect::<()>().await;
    }

    /// The days of a contact go when there is no conversation with them any more: nothing tells that there ever was.
    pub(super) async fn drop_days_of(&self, tenant: TenantId, contact: ContactId) -> Result<(), StoreError> {
        // Whatever is opened from now on is noted after this.
        let before = micros(self.now());
        if self.has_conversations(tenant, contact).await? {
            return Ok(());
        }
        let values = (tenant.as_bytes().as_slice(), contact.as_bytes().as_slice());
        self.link.write_at(before, &self.statements.drop_days, values).await
    }

    async fn drop_entry(&self, tenant: TenantId, contact: Option<ContactId>, entry: Entry) {
        let Entry { last_at, id, log } = entry;
        let (day, last_at) = (day(last_at), moment(last_at));
        let contact = named(contact.as_ref());
        let values = (tenant.as_bytes().as_slice(), contact, day, last_at, id.as_bytes().as_slice(), log);
        let _ = self.link.write(&self.statements.drop_listed, values).await;
    }
}

impl Days {
    fn is_known(&self, day: &DayOf, today: i32) -> bool {
        // Others may have dropped an earlier one.
        day.2 >= today.saturating_sub(1) && self.0.lock().unwrap_or_else(PoisonError::into_inner).contains(day)
    }

    fn know(&self, day: DayOf, today: i32) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= REMEMBERED_MAX {
            known.retain(|(.., day)| *day >= today.saturating_sub(1));
        }
        if known.len() >= REMEMBERED_MAX {
            known.clear();
        }
        known.insert(day);
    }
}

/// Whether nobody remembers any more that a day stands in the index, by clocks that differ by less than a day.
fn is_over(past: i32, now: Timestamp) -> bool {
    past < day(now).saturating_sub(2)
}

/// The time before which a day was noted if its entries were surely written or given up by now.
fn noted_before(now: Timestamp) -> i64 {
    micros(now).saturating_sub(DAY * 1_000)
}

/// A moment as the time of a write.
const fn micros(at: Timestamp) -> i64 {
    at.as_millis().saturating_mul(1_000)
}

/// A contact as the index names it; the list of all conversations has no name.
fn named(contact: Option<&ContactId>) -> &[u8] {
    contact.map_or(&[], |contact| contact.as_bytes())
}

fn day(at: Timestamp) -> i32 {
    i32::try_from(at.as_millis().div_euclid(DAY)).unwrap_or(if at.as_millis() < 0 { i32::MIN } else { i32::MAX })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A contact's day stands there for as long as the conversation that it was noted for.
    #[test]
    fn what_others_may_have_dropped_is_noted_again() {
        const TODAY: i32 = 20_000;
        let (days, tenant, contact, log) =
            (Days::default(), TenantId::generate(), ContactId::generate(), Uuid::now_v7());
        for whose in [None, Some((contact, log))] {
            for (day, is_known) in [(TODAY - 2, false), (TODAY - 1, true), (TODAY, true), (TODAY + 1, true)] {
                assert!(!days.is_known(&(tenant, whose, day), TODAY));
                days.know((tenant, whose, day), TODAY);
                assert_eq!(days.is_known(&(tenant, whose, day), TODAY), is_known, "{whose:?}, day {day}");
            }
            assert!(!days.is_known(&(tenant, whose, TODAY), TODAY + 2), "it is over");
        }
        assert!(!days.is_known(&(tenant, Some((contact, Uuid::now_v7())), TODAY), TODAY), "another conversation");
    }

    #[test]
    fn what_is_remembered_is_bounded_and_old_days_go_first() {
        const TODAY: i32 = 20_000;
        let (days, tenant) = (Days::default(), TenantId::generate());
        days.know((tenant, None, TODAY), TODAY);
        for day in 0..2 * REMEMBERED_MAX as i32 {
            days.know((tenant, None, TODAY - 2 - day), TODAY);
        }
        assert!(days.is_known(&(tenant, None, TODAY), TODAY));
        assert!(days.0.lock().unwrap().len() <= REMEMBERED_MAX);
    }
}
