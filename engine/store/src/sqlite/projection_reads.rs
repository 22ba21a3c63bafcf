//! Reading rows of projections, and looking for logs that go on beyond them. What is listed names the tenant.

use std::collections::BTreeMap;
use std::sync::Arc;

use rusqlite::{Connection, OptionalExtension, params};
use schema::wire::ConversationSummary;
use schema::{ConversationId, ConversationKey, TenantId};

use super::failure;
use super::projection_rows::{ROW, StoredRow};
use super::reader::{Read, ReadError};
use super::rows::{integer, natural};
use super::sealing::Sealing;
use crate::{Behind, ConversationRow, ListQuery, LogCursor, Projection, StoreError};

/// Where a projection stands.
pub(super) struct CursorRead(pub(super) Projection);

impl Read for CursorRead {
    type Output = LogCursor;

    fn run(&self, connection: &Connection) -> Result<LogCursor, ReadError> {
        let cursor = connection
            .prepare_cached("SELECT cursor FROM projections WHERE name = ?1 AND version = ?2")?
            .query_row(params![self.0.name(), self.0.version()], |row| row.get(0))
            .optional()?;
        Ok(LogCursor(cursor.map_or(0, natural)))
    }
}

const LATER: &str = "SELECT row_id, conversation, seq FROM events WHERE row_id > ?1 ORDER BY row_id LIMIT ?2";
// Nobody's conversations are on their way out of the file.
const BEYOND: &str = "SELECT log.tenant, log.id FROM conversations AS log
    LEFT JOIN conversation_rows AS row ON row.conversation = log.row_id AND row.version = ?2
    WHERE log.row_id = ?1 AND log.tenant <> x'' AND ?3 > coalesce(row.head, 0)";

/// Conversations whose rows do not go as far as the events after a place.
pub(super) struct BehindRead {
    pub(super) projection: Projection,
    pub(super) after: LogCursor,
    pub(super) events: usize,
}

impl Read for BehindRead {
    type Output = Behind;

    fn run(&self, connection: &Connection) -> Result<Behind, ReadError> {
        let mut cursor = self.after;
        // Each with the newest of these events.
        let (mut conversations, mut events) = (BTreeMap::new(), 0);
        let mut statement = connection.prepare_cached(LATER)?;
        let mut later = statement.query(params![integer(self.after.0), integer(self.events as u64)])?;
        while let Some(row) = later.next()? {
            cursor = LogCursor(natural(row.get(0)?));
            let newest = conversations.entry(row.get::<_, i64>(1)?).or_insert(0_i64);
            *newest = row.get::<_, i64>(2)?.max(*newest);
            events += 1;
        }
        let mut statement = connection.prepare_cached(BEYOND)?;
        let mut keys = Vec::new();
        for (conversation, newest) in conversations {
            let beyond = statement.query_row(params![conversation, self.projection.version(), newest], |row| {
                let (tenant, conversation) = (row.get(0)?, row.get(1)?);
                Ok(ConversationKey {
                    tenant: TenantId::from_bytes(tenant),
                    conversation: ConversationId::from_bytes(conversation),
                })
            });
            keys.extend(beyond.optional()?);
        }
        Ok(Behind { keys, cursor, is_all: events < self.events })
    }
}

/// Some conversations' rows.
pub(super) struct RowsRead {
    pub(super) keys: Vec<ConversationKey>,
    pub(super) sealing: Arc<Sealing>,
}

impl Read for RowsRead {
    type Output = Vec<Result<Option<ConversationRow>, StoreError>>;

    fn run(&self, connection: &Connection) -> Result<Self::Output, ReadError> {
        let mut statement = connection.prepare_cached(ROW)?;
        let version = Projection::Conversations.version();
        let mut read = |key: &ConversationKey| -> Result<Option<ConversationRow>, ReadError> {
            let mut found = statement.query(params![key.tenant.as_bytes(), key.conversation.as_bytes(), version])?;
            found.next()?.map_or(Ok(None), |row| StoredRow::of(row, key.tenant)?.open(&self.sealing))
        };
        let rows = self.keys.iter().map(|key| {
            let error = match read(key) {
                Ok(row) => return Ok(Ok(row)),
                Err(ReadError::Store(error)) => error,
                Err(ReadError::Sqlite(error)) if failure::is_contradiction(&error) => failure::of_reading(&error),
                Err(error) => return Err(error),
            };
            failure::count(&error);
            Ok(Err(error))
        });
        rows.collect()
    }
}

// `CROSS` keeps the rows' order: the log's table is only asked for each row's key. Whoever reads stops where the page
// is full: one that is passed over must not make it shorter.
const LIST: &str = "SELECT row.id, row.contact, row.head, row.last_at, row.version, row.body, row.sealed, log.key_id
    FROM conversation_rows AS row CROSS JOIN conversations AS log ON log.row_id = row.conversation
    WHERE row.tenant = ?1 AND (row.last_at, row.id) < (?2, ?3) ORDER BY row.last_at DESC, row.id DESC";
const LIST_OF_CONTACT: &str = "SELECT row.id, row.contact, row.head, row.last_at, row.version, row.body, row.sealed,
      log.key_id
    FROM conversation_rows AS row CROSS JOIN conversations AS log ON log.row_id = row.conversation
    WHERE row.tenant = ?1 AND row.contact = ?4 AND (row.last_at, row.id) < (?2, ?3)
    ORDER BY row.last_at DESC, row.id DESC";

/// A page of the list of conversations.
pub(super) struct ListRead {
    pub(super) query: ListQuery,
    pub(super) sealing: Arc<Sealing>,
}

impl Read for ListRead {
    type Output = Vec<ConversationSummary>;

    fn run(&self, connection: &Connection) -> Result<Vec<ConversationSummary>, ReadError> {
        let query = &self.query;
        // One byte more than an id has, so that it comes after every id.
        let (last_at, id) = match &query.before {
            Some(cursor) => (cursor.last_at.as_millis(), cursor.id.as_bytes().to_vec()),
            None => (i64::MAX, vec![u8::MAX; 17]),
        };
        let tenant = query.tenant.as_bytes();
        let Some(contacts) = &query.contacts else {
            let mut statement = connection.prepare_cached(LIST)?;
            return self.pages(statement.query(params![tenant, last_at, id])?);
        };
        // Each by its index; the page is the newest of all that these give.
        let mut statement = connection.prepare_cached(LIST_OF_CONTACT)?;
        let mut found = Vec::new();
        for contact in contacts {
            found.extend(self.pages(statement.query(params![tenant, last_at, id, contact.to_string()])?)?);
        }
        if contacts.len() > 1 {
            found.sort_by_key(|page| std::cmp::Reverse((page.last_at, page.id)));
            found.dedup_by_key(|page| page.id);
            found.truncate(query.limit);
        }
        Ok(found)
    }
}

impl ListRead {
    fn pages(&self, mut found: rusqlite::Rows<'_>) -> Result<Vec<ConversationSummary>, ReadError> {
        let mut pages = Vec::new();
        while pages.len() < self.query.limit
            && let Some(row) = found.next()?
        {
            match shown(row, self.query.tenant, &self.sealing) {
                Ok(page) => pages.push(page),
                // A row without an id, or with words where a number belongs: there is nothing that could be shown.
                Err(error) if failure::is_contradiction(&error) => {
                    let nobody = ConversationKey {
                        tenant: self.query.tenant,
                        conversation: ConversationId::from_bytes([0; 16]),
                    };
                    self.sealing.unreadable.met(nobody, &failure::words(&error));
                }
                Err(error) => return Err(error.into()),
            }
        }
        Ok(pages)
    }
}

/// A row for the list. One of another version, and one that cannot be read, shows what is known of it until it is
/// made anew, and does not say how many messages are unread: it is not known. So does one whose key cannot be used: the
/// others of the tenant are shown all the same.
fn shown(row: &rusqlite::Row<'_>, tenant: TenantId, sealing: &Sealing) -> rusqlite::Result<ConversationSummary> {
    let stored = StoredRow::of(row, tenant)?;
    let mut is_known = stored.is_ours;
    let read = match stored.open(sealing) {
        Ok(read) => read,
        Err(ReadError::Sqlite(error)) => return Err(error),
        Err(ReadError::Store(error)) => {
            sealing.unreadable.met(stored.key, &error);
            None
        }
    };
    let read = read.unwrap_or_else(|| {
        is_known = false;
        stored.columns(ConversationRow::default())
    });
    let page = read.page(stored.key.conversation);
    Ok(ConversationSummary { unread: page.unread.filter(|_| is_known), ..page })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sqlite::migrate;

    #[test]
    fn every_reading_walks_an_index() {
        let mut connection = Connection::open_in_memory().unwrap();
        migrate::migrate(&mut connection, migrate::STEPS).unwrap();
        for (sql, wanted) in [
            (LIST, &["conversation_rows_by_activity", "INTEGER PRIMARY KEY"][..]),
            (LIST_OF_CONTACT, &["conversation_rows_by_contact", "INTEGER PRIMARY KEY"]),
            (LATER, &["INTEGER PRIMARY KEY"]),
            (BEYOND, &["INTEGER PRIMARY KEY", "INTEGER PRIMARY KEY"]),
            (ROW, &["conversations_by_id", "INTEGER PRIMARY KEY"]),
        ] {
            let mut plan = connection.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
            let steps = plan.raw_query().mapped(|row| row.get::<_, String>(3)).collect::<Result<Vec<_>, _>>().unwrap();
            assert_eq!(steps.len(), wanted.len(), "{steps:?}");
            for (step, index) in steps.iter().zip(wanted) {
                assert!(step.contains(index), "{steps:?}");
            }
        }
    }
}
