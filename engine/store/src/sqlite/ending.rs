//! Keys whose conversations are gone, and which may not have ended yet: the list of them, and whose they are.
//! Invariant: a key comes onto it with the transaction that removes its conversation, and leaves it after its end.

use engine_privacy::KeyNumber;
use rusqlite::{Connection, params};
use schema::{ContactId, ConversationId, ConversationKey, TenantId};

use super::installation;
use super::job::Write;
use super::reader::{Read, ReadError};
use super::rows::{Rows, integer, natural};
use crate::StoreError;

/// Notes that the key of a conversation, whose row is still there, has to end.
pub(super) fn note(connection: &Connection, id: KeyNumber, row_id: i64) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "INSERT OR IGNORE INTO ending_keys (key_id, tenant, conversation, contact)
             SELECT ?1, tenant, id, contact FROM conversations WHERE row_id = ?2",
        )?
        .execute(params![integer(id.0), row_id])
        .map(drop)
}

/// The keys that a conversation had which is gone.
pub(super) fn of(connection: &Connection, key: ConversationKey) -> rusqlite::Result<Vec<KeyNumber>> {
    let mut statement =
        connection.prepare_cached("SELECT key_id FROM ending_keys WHERE tenant = ?1 AND conversation = ?2")?;
    let found = statement.query_map(params![key.tenant.as_bytes(), key.conversation.as_bytes()], number)?;
    found.collect()
}

fn number(row: &rusqlite::Row<'_>) -> rusqlite::Result<KeyNumber> {
    row.get(0).map(natural).map(KeyNumber)
}

/// Conversations with some contacts whose keys have not ended.
pub(super) struct EndingWithRead {
    pub(super) tenant: TenantId,
    pub(super) contacts: Vec<ContactId>,
    pub(super) limit: usize,
}

impl Read for EndingWithRead {
    type Output = Vec<ConversationKey>;

    fn run(&self, connection: &Connection) -> Result<Vec<ConversationKey>, ReadError> {
        // Those of a tenant are few, and mostly none.
        let all = "SELECT conversation, contact FROM ending_keys WHERE tenant = ?1 AND conversation IS NOT NULL";
        of_contacts(connection, all, self.tenant, &self.contacts, self.limit)
    }
}

/// Conversations with some contacts: their erasures come before the ends of their keys.
pub(super) struct WithContactsRead {
    pub(super) tenant: TenantId,
    pub(super) contacts: Vec<ContactId>,
    pub(super) limit: usize,
}

impl Read for WithContactsRead {
    type Output = Vec<ConversationKey>;

    fn run(&self, connection: &Connection) -> Result<Vec<ConversationKey>, ReadError> {
        // All of the tenant's are looked at: it is asked for when somebody is erased, and when their list is empty.
        let all = "SELECT id, contact FROM conversations WHERE tenant = ?1";
        of_contacts(connection, all, self.tenant, &self.contacts, self.limit)
    }
}

/// Those with some contacts, of a tenant's conversations that a statement gives with whom each is.
fn of_contacts(
    connection: &Connection,
    all: &str,
    tenant: TenantId,
    contacts: &[ContactId],
    limit: usize,
) -> Result<Vec<ConversationKey>, ReadError> {
    let contacts: Vec<String> = contacts.iter().map(ToString::to_string).collect();
    let mut statement = connection.prepare_cached(all)?;
    let mut rows = statement.query([tenant.as_bytes()])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()?.filter(|_| found.len() < limit) {
        let contact = row.get_ref(1)?.as_str_or_null().map_err(rusqlite::Error::from)?;
        if contact.is_some_and(|contact| contacts.iter().any(|one| one == contact)) {
            found.push(ConversationKey { tenant, conversation: ConversationId::from_bytes(row.get(0)?) });
        }
    }
    Ok(found)
}

/// The next keys whose end was noted.
pub(super) struct EndingRead {
    pub(super) after: KeyNumber,
    pub(super) limit: usize,
}

impl Read for EndingRead {
    type Output = Vec<KeyNumber>;

    fn run(&self, connection: &Connection) -> Result<Vec<KeyNumber>, ReadError> {
        let mut statement =
            connection.prepare_cached("SELECT key_id FROM ending_keys WHERE key_id > ?1 ORDER BY key_id LIMIT ?2")?;
        let (after, limit) = (integer(self.after.0), integer(self.limit as u64));
        let found = statement.query_map([after, limit], number)?;
        Ok(found.collect::<rusqlite::Result<_>>()?)
    }
}

/// Keys that have ended.
pub(super) struct EndedWrite {
    pub(super) ids: Vec<KeyNumber>,
    /// How many ends there were, with theirs.
    pub(super) ended: u64,
}

impl Write for EndedWrite {
    type Output = ();

    fn apply(&self, rows: &mut Rows<'_>) -> rusqlite::Result<Result<(), StoreError>> {
        let mut delete = rows.connection.prepare_cached("DELETE FROM ending_keys WHERE key_id = ?1")?;
        for id in &self.ids {
            delete.execute([integer(id.0)])?;
        }
        installation::raise_keys_ended(rows.connection, self.ended)?;
        Ok(Ok(()))
    }

    fn cost(&self) -> (usize, usize) {
        (self.ids.len(), 0)
    }
}
