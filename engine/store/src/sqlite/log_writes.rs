//! Claim and append: the writes that are fenced. The fence is checked inside the transaction.

use rusqlite::params;
use schema::{ConversationKey, Epoch, Seq, Timestamp};

use super::job::Write;
use super::rows::{Row, Rows, integer};
use crate::{Append, Claim, DueChange, Opening, StoreError};

/// How `body` is to be read: version 1 is the event as JSON.
pub(super) const FORMAT_JSON: i64 = 1;

/// A claim on its way.
pub(super) struct ClaimWrite {
    pub(super) key: ConversationKey,
    pub(super) open: Option<Opening>,
}

impl Write for ClaimWrite {
    type Output = Claim;

    fn apply(&self, rows: &mut Rows<'_>) -> rusqlite::Result<Result<Claim, StoreError>> {
        match (rows.find(self.key)?, &self.open) {
            (Some(row), _) => {
                let epoch = row.epoch + 1;
                rows.set_epoch(self.key, row, epoch)?;
                Ok(Ok(Claim { epoch, head: row.head, due: row.due }))
            }
            (None, Some(opening)) => {
                let row = rows.open(self.key, opening)?;
                Ok(Ok(Claim { epoch: row.epoch, head: row.head, due: row.due }))
            }
            (None, None) => Ok(Err(StoreError::NotFound)),
        }
    }

    fn cost(&self) -> (usize, usize) {
        (1, 256)
    }
}

/// An append on its way, its events already JSON: callers have more cores than the writer.
pub(super) struct AppendWrite {
    key: ConversationKey,
    epoch: Epoch,
    head: Seq,
    last_at: Timestamp,
    due: DueChange,
    bodies: Vec<String>,
    bytes: usize,
}

impl AppendWrite {
    /// Checks the numbering and writes the events down as JSON.
    pub(super) fn new(append: &Append) -> Result<Self, StoreError> {
        let newest = append.events.last().filter(|_| append.continues_head()).ok_or(StoreError::Fenced)?;
        let bodies = append.events.iter().map(serde_json::to_string).collect::<Result<Vec<_>, _>>();
        let bodies = bodies.map_err(|_| StoreError::Corrupt("an event cannot be written as JSON".into()))?;
        let bytes = bodies.iter().map(String::len).sum();
        let Append { key, epoch, head, due, .. } = *append;
        Ok(Self { key, epoch, head, last_at: newest.at, due, bodies, bytes })
    }
}

impl Write for AppendWrite {
    type Output = ();

    fn apply(&self, rows: &mut Rows<'_>) -> rusqlite::Result<Result<(), StoreError>> {
        let Some(row) = rows.find(self.key)? else { return Ok(Err(StoreError::NotFound)) };
        if row.epoch != self.epoch || row.head != self.head {
            return Ok(Err(StoreError::Fenced));
        }
        let mut insert = rows.connection.prepare_cached(
            "INSERT INTO events (conversation, seq, w_epoch, format, body) VALUES (?1, ?2, ?3, ?4, ?5)",
        )?;
        let mut head = self.head;
        for body in &self.bodies {
            head += 1;
            insert.execute(params![row.row_id, integer(head), integer(self.epoch), FORMAT_JSON, body])?;
        }
        drop(insert);
        rows.set_head(self.key, row, head, self.last_at)?;
        rows.set_due(self.key, Row { head, ..row }, self.due.applied_to(row.due))?;
        Ok(Ok(()))
    }

    fn cost(&self) -> (usize, usize) {
        (self.bodies.len(), self.bytes)
    }
}
