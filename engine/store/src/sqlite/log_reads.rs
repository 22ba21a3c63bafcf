//! Reading logs, and looking for conversations without a word.

use std::sync::Arc;

use engine_privacy::{Cipher, KeyNumber};
use rusqlite::{Connection, OptionalExtension, params};
use schema::{ConversationId, ConversationKey, Seq, TenantId, Timestamp};

use super::reader::{Read, ReadError};
use super::rows::{integer, natural};
use super::sealing::Sealing;
use crate::sealed::event::Stored;
use crate::{Owner, Page, PageBounds, StoreError, Unspoken, UnspokenQuery};

/// A reading of whose a conversation is.
pub(super) struct OwnerRead(pub(super) ConversationKey);

impl Read for OwnerRead {
    type Output = Owner;

    fn run(&self, connection: &Connection) -> Result<Owner, ReadError> {
        let found = connection
            .prepare_cached("SELECT epoch FROM conversations WHERE tenant = ?1 AND id = ?2")?
            .query_row(params![self.0.tenant.as_bytes(), self.0.conversation.as_bytes()], |row| row.get(0))
            .optional()?;
        // One process has the file, so that there are no others to tell it from.
        let epoch = natural(found.ok_or(StoreError::NotFound)?);
        Ok(Owner { epoch, node: None })
    }
}

/// A page of a log.
pub(super) struct PageRead {
    pub(super) key: ConversationKey,
    pub(super) after: Seq,
    pub(super) bounds: PageBounds,
    pub(super) sealing: Arc<Sealing>,
}

impl Read for PageRead {
    type Output = Page;

    fn run(&self, connection: &Connection) -> Result<Page, ReadError> {
        // One look at both tables: a conversation may be erased meanwhile, and its row's number be given to
        // another one.
        connection.prepare_cached("BEGIN")?.execute([])?;
        let page = self.page(connection);
        connection.prepare_cached("COMMIT")?.execute([])?;
        if let Err(ReadError::Store(error @ StoreError::Corrupt(_))) = &page {
            self.sealing.unreadable.met_log(self.key, error);
        }
        page
    }
}

impl PageRead {
    fn page(&self, connection: &Connection) -> Result<Page, ReadError> {
        let (row_id, head, id) = connection
            .prepare_cached("SELECT row_id, head, key_id FROM conversations WHERE tenant = ?1 AND id = ?2")?
            .query_row(params![self.key.tenant.as_bytes(), self.key.conversation.as_bytes()], |row| {
                Ok((row.get::<_, i64>(0)?, natural(row.get(1)?), row.get::<_, Option<i64>>(2)?))
            })
            .optional()?
            .ok_or(StoreError::NotFound)?;
        let cipher = id.map(|id| self.sealing.cipher(KeyNumber(natural(id)))).transpose()?;
        let erased = matches!(cipher, Some(None));
        let cipher: Option<Arc<Cipher>> = cipher.flatten();
        let mut statement = connection.prepare_cached(
            "SELECT seq, format, body, sealed FROM events WHERE conversation = ?1 AND seq > ?2 AND seq <= ?3
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
            let body = row.get_ref(2)?.as_str().map_err(rusqlite::Error::from)?;
            let sealed = row.get_ref(3)?.as_blob_or_null().map_err(rusqlite::Error::from)?;
            let stored = Stored { seq, format: row.get(1)?, body, sealed };
            let whole = stored.open(self.key, cipher.as_deref()).map_err(|what| self.corrupt(seq, what))?;
            if !self.bounds.admit(events.len(), bytes, whole.bytes) {
                return Ok(Page { events, head, erased });
            }
            bytes += whole.bytes;
            events.push(whole.event);
        }
        let due = head.saturating_sub(self.after).min(self.bounds.events as u64);
        if (events.len() as u64) < due {
            return Err(self.corrupt(self.after + 1 + events.len() as u64, "is missing").into());
        }
        Ok(Page { events, head, erased })
    }

    fn corrupt(&self, seq: Seq, what: &str) -> StoreError {
        StoreError::Corrupt(format!("event {seq} of {} {what}", self.key))
    }
}

const UNSPOKEN: &str = "SELECT last_at, tenant, id, head FROM conversations
    WHERE (head = 0 OR head = 1 AND anonymous = 1) AND last_at < ?1 AND (last_at, tenant, id) > (?2, ?3, ?4)
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
    fn looking_for_the_unspoken_walks_an_index() {
        let mut connection = Connection::open_in_memory().unwrap();
        migrate::migrate(&mut connection, migrate::STEPS).unwrap();
        let mut plan = connection.prepare(&format!("EXPLAIN QUERY PLAN {UNSPOKEN}")).unwrap();
        let steps = plan.raw_query().mapped(|row| row.get::<_, String>(3)).collect::<Result<Vec<_>, _>>().unwrap();
        assert!(steps.len() == 1 && steps[0].contains("conversations_unspoken"), "{steps:?}");
    }
}
