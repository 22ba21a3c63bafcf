//! Reading logs and listing conversations. Every statement names the tenant.

use rusqlite::{Connection, OptionalExtension, params};
use schema::wire::ConversationPage;
use schema::{ConversationId, ConversationKey, Event, Seq, TenantId, Timestamp};

use super::log_writes::FORMAT_JSON;
use super::reader::{Read, ReadError};
use super::rows::{integer, natural};
use crate::{ListQuery, Page, PageBounds, StoreError, Unspoken, UnspokenQuery};

/// A page of a log.
pub(super) struct PageRead {
    pub(super) key: ConversationKey,
    pub(super) after: Seq,
    pub(super) bounds: PageBounds,
}

impl Read for PageRead {
    type Output = Page;

    fn run(&self, connection: &Connection) -> Result<Page, ReadError> {
        // One look at both tables: a conversation may be erased meanwhile, and its row's number be given to
        // another one.
        connection.prepare_cached("BEGIN")?.execute([])?;
        let page = self.page(connection);
        connection.prepare_cached("COMMIT")?.execute([])?;
        page
    }
}

impl PageRead {
    fn page(&self, connection: &Connection) -> Result<Page, ReadError> {
        let (row_id, head) = connection
            .prepare_cached("SELECT row_id, head FROM conversations WHERE tenant = ?1 AND id = ?2")?
            .query_row(params![self.key.tenant.as_bytes(), self.key.conversation.as_bytes()], |row| {
                Ok((row.get::<_, i64>(0)?, natural(row.get(1)?)))
            })
            .optional()?
            .ok_or(StoreError::NotFound)?;
        let mut statement = connection.prepare_cached(
            "SELECT seq, format, body FROM events WHERE conversation = ?1 AND seq > ?2 AND seq <= ?3
             ORDER BY seq LIMIT ?4",
        )?;
        let limit = integer(self.bounds.events as u64);
        let mut found = statement.query(params![row_id, integer(self.after), integer(head), limit])?;
        let (mut events, mut bytes) = (Vec::new(), 0);
        while let Some(row) = found.next()? {
            let seq = natural(row.get(0)?);
            let due = self.after + 1 + events.len() as u64;
            if seq != due {
                return Err(self.corrupt(due, "is missing").into());
            }
            if row.get::<_, i64>(1)? != FORMAT_JSON {
                return Err(self.corrupt(seq, "has a format this program does not know").into());
            }
            let body = row.get_ref(2)?.as_str().map_err(rusqlite::Error::from)?;
            if !self.bounds.admit(events.len(), bytes, body.len()) {
                return Ok(Page { events, head });
            }
            bytes += body.len();
            let event = serde_json::from_str::<Event>(body);
            // What serde says may quote the event.
            let event = event.map_err(|_| self.corrupt(seq, "is not a readable event"))?;
            events.push(event);
        }
        let due = head.saturating_sub(self.after).min(self.bounds.events as u64);
        if (events.len() as u64) < due {
            return Err(self.corrupt(self.after + 1 + events.len() as u64, "is missing").into());
        }
        Ok(Page { events, head })
    }

    fn corrupt(&self, seq: Seq, what: &str) -> StoreError {
        StoreError::Corrupt(format!("event {seq} of {} {what}", self.key))
    }
}

const LIST: &str = "SELECT id, head, last_at FROM conversations
    WHERE tenant = ?1 AND (last_at, id) < (?2, ?3) ORDER BY last_at DESC, id DESC LIMIT ?4";
const LIST_OF_CONTACT: &str = "SELECT id, head, last_at FROM conversations
    WHERE tenant = ?1 AND contact = ?5 AND (last_at, id) < (?2, ?3) ORDER BY last_at DESC, id DESC LIMIT ?4";

/// A page of the list of conversations.
pub(super) struct ListRead(pub(super) ListQuery);

impl Read for ListRead {
    type Output = Vec<ConversationPage>;

    fn run(&self, connection: &Connection) -> Result<Vec<ConversationPage>, ReadError> {
        let query = &self.0;
        // One byte more than an id has, so that it comes after every id.
        let (last_at, id) = match &query.before {
            Some(cursor) => (cursor.last_at.as_millis(), cursor.id.as_bytes().to_vec()),
            None => (i64::MAX, vec![u8::MAX; 17]),
        };
        let (tenant, limit) = (query.tenant.as_bytes(), integer(query.limit as u64));
        let mut statement;
        let mut found = match &query.contact {
            None => {
                statement = connection.prepare_cached(LIST)?;
                statement.query(params![tenant, last_at, id, limit])?
            }
            Some(contact) => {
                statement = connection.prepare_cached(LIST_OF_CONTACT)?;
                statement.query(params![tenant, last_at, id, limit, contact.as_str()])?
            }
        };
        let mut pages = Vec::new();
        while let Some(row) = found.next()? {
            pages.push(ConversationPage {
                id: ConversationId::from_bytes(row.get(0)?),
                head: natural(row.get(1)?),
                last_at: Timestamp::from_millis(row.get(2)?),
            });
        }
        Ok(pages)
    }
}

const UNSPOKEN: &str = "SELECT last_at, tenant, id, head FROM conversations
    WHERE (head = 0 OR head = 1 AND contact GLOB 'anon_*') AND last_at < ?1 AND (last_at, tenant, id) > (?2, ?3, ?4)
    ORDER BY last_at, tenant, id LIMIT ?5";

/// Anonymous conversations without a word.
pub(super) struct UnspokenRead(pub(super) UnspokenQuery);

impl Read for UnspokenRead {
    type Output = Vec<Unspoken>;

    fn run(&self, connection: &Connection) -> Result<Vec<Unspoken>, ReadError> {
        let UnspokenQuery { before, after, limit } = &self.0;
        let (last_at, tenant, id) = match after {
            Some(Unspoken { key, last_at, .. }) => {
                (last_at.as_millis(), key.tenant.as_bytes().to_vec(), key.conversation.as_bytes().to_vec())
            }
            None => (i64::MIN, Vec::new(), Vec::new()),
        };
        let mut statement = connection.prepare_cached(UNSPOKEN)?;
        let limit = integer(*limit as u64);
        let found = statement.query_map(params![before.as_millis(), last_at, tenant, id, limit], |row| {
            let key = ConversationKey {
                tenant: TenantId::from_bytes(row.get(1)?),
                conversation: ConversationId::from_bytes(row.get(2)?),
            };
            Ok(Unspoken { last_at: Timestamp::from_millis(row.get(0)?), key, head: natural(row.get(3)?) })
        })?;
        Ok(found.collect::<rusqlite::Result<_>>()?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sqlite::migrate;

    #[test]
    fn every_reading_walks_an_index() {
        let mut connection = Connection::open_in_memory().unwrap();
        migrate::migrate(&mut connection, migrate::STEPS).unwrap();
        for (sql, index) in [
            (LIST, "conversations_by_activity"),
            (LIST_OF_CONTACT, "conversations_by_contact"),
            (UNSPOKEN, "conversations_unspoken"),
        ] {
            let mut plan = connection.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
            let steps = plan.raw_query().mapped(|row| row.get::<_, String>(3)).collect::<Result<Vec<_>, _>>().unwrap();
            assert!(steps.len() == 1 && steps[0].contains(index), "{steps:?}");
        }
    }
}
