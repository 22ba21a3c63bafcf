//! Rows of projections, and how far they go. Written in the same transactions as what is appended meanwhile, and
//! conditional on the row alone: no append waits for them or looks at them.

use rusqlite::{OptionalExtension, params};
use schema::{ConversationKey, Seq};

use super::job::Write;
use super::projection_rows::{ROW, StoredRow};
use super::reader::ReadError;
use super::rows::{Rows, integer, natural};
use super::sealing::{Sealable, Sealing};
use crate::sealed::row::label;
use crate::{ConversationRow, LogCursor, Projection, StoreError};

/// A row on its way, its body already JSON and its words sealed.
pub(super) struct ProjectWrite {
    key: ConversationKey,
    expected: Seq,
    row: ConversationRow,
    body: String,
    texts: Option<Sealable>,
}

impl ProjectWrite {
    /// Writes the row down as JSON, and seals its words.
    pub(super) fn new(
        sealing: &Sealing,
        key: ConversationKey,
        expected: Seq,
        mut row: ConversationRow,
    ) -> Result<Self, StoreError> {
        let unwritable = |_| StoreError::Corrupt("a row of the list cannot be written as JSON".into());
        let texts = row.take_texts().map(|texts| serde_json::to_vec(&texts)).transpose().map_err(unwritable)?;
        let texts = texts.map(|texts| Sealable::new(sealing, label(key, row.head), texts)).transpose()?;
        let body = serde_json::to_string(&row).map_err(unwritable)?;
        Ok(Self { key, expected, row, body, texts })
    }
}

impl ProjectWrite {
    /// Whether the row in place can be read.
    fn is_readable(&self, rows: &Rows<'_>) -> rusqlite::Result<Result<bool, StoreError>> {
        let mut statement = rows.connection.prepare_cached(ROW)?;
        let (tenant, id) = (self.key.tenant.as_bytes(), self.key.conversation.as_bytes());
        let mut found = statement.query(params![tenant, id, Projection::Conversations.version()])?;
        let Some(row) = found.next()? else { return Ok(Ok(false)) };
        match StoredRow::of(row, self.key.tenant)?.open(&rows.memory.sealing) {
            Ok(row) => Ok(Ok(row.is_some())),
            Err(ReadError::Sqlite(error)) => Err(error),
            Err(ReadError::Store(error)) => Ok(Err(error)),
        }
    }
}

impl Write for ProjectWrite {
    type Output = ();

    fn apply(&self, rows: &mut Rows<'_>) -> rusqlite::Result<Result<(), StoreError>> {
        let Some(log) = rows.find(self.key)? else { return Ok(Err(StoreError::NotFound)) };
        if self.row.head > log.head {
            return Ok(Err(StoreError::Fenced));
        }
        let version = Projection::Conversations.version();
        let found = rows
            .connection
            .prepare_cached("SELECT head FROM conversation_rows WHERE conversation = ?1 AND version = ?2")?
            .query_row(params![log.row_id, version], |row| row.get(0))
            .optional()?
            .map_or(0, natural);
        if found != self.expected || (found > 0 && self.row.head <= found) {
            // A row that cannot be read is as good as none: it is made anew from its log.
            match (self.expected == 0).then(|| self.is_readable(rows)).transpose()? {
                Some(Ok(false)) => {}
                Some(Err(error)) => return Ok(Err(error)),
                None | Some(Ok(true)) => return Ok(Err(StoreError::Conflict { found })),
            }
        }
        let (log, id) = match rows.ensure_key(self.key, log)? {
            Ok(with_key) => with_key,
            Err(error) => return Ok(Err(error)),
        };
        let texts = self.texts.as_ref().map(|texts| texts.under(&rows.memory.sealing, id)).transpose();
        let sealed = match texts {
            Ok(sealed) => sealed,
            Err(error) => return Ok(Err(error)),
        };
        let contact = self.row.contact.map(|contact| contact.to_string()).unwrap_or_default();
        rows.connection
            .prepare_cached(
                "INSERT INTO conversation_rows (conversation, tenant, id, contact, head, last_at, version, body, sealed)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)
                 ON CONFLICT (conversation) DO UPDATE SET contact = excluded.contact, head = excluded.head,
                   last_at = excluded.last_at, version = excluded.version, body = excluded.body,
                   sealed = excluded.sealed",
            )?
            .execute(params![
                log.row_id,
                self.key.tenant.as_bytes(),
                self.key.conversation.as_bytes(),
                contact,
                integer(self.row.head),
                self.row.last_at.as_millis(),
                version,
                self.body,
                sealed.as_deref()
            ])?;
        Ok(Ok(()))
    }

    fn cost(&self) -> (usize, usize) {
        (1, self.body.len() + self.texts.as_ref().map_or(0, Sealable::bytes))
    }
}

/// A projection's position on its way forward.
pub(super) struct AdvanceWrite {
    pub(super) projection: Projection,
    pub(super) cursor: LogCursor,
}

impl Write for AdvanceWrite {
    type Output = ();

    fn apply(&self, rows: &mut Rows<'_>) -> rusqlite::Result<Result<(), StoreError>> {
        rows.connection
            .prepare_cached(
                "INSERT INTO projections (name, version, cursor) VALUES (?1, ?2, ?3)
                 ON CONFLICT (name) DO UPDATE SET version = excluded.version, cursor = excluded.cursor
                 WHERE version <> excluded.version OR cursor < excluded.cursor",
            )?
            .execute(params![self.projection.name(), self.projection.version(), integer(self.cursor.0)])?;
        Ok(Ok(()))
    }

    fn cost(&self) -> (usize, usize) {
        (1, 0)
    }
}

/// The end of all that a projection has made.
pub(super) struct ResetWrite(pub(super) Projection);

impl Write for ResetWrite {
    type Output = ();

    fn apply(&self, rows: &mut Rows<'_>) -> rusqlite::Result<Result<(), StoreError>> {
        let Self(projection) = self;
        let rows_gone = match projection {
            Projection::Conversations => "DELETE FROM conversation_rows",
        };
        rows.connection.execute(rows_gone, [])?;
        rows.connection.execute("DELETE FROM projections WHERE name = ?1", [projection.name()])?;
        Ok(Ok(()))
    }

    fn cost(&self) -> (usize, usize) {
        (1, 0)
    }
}
