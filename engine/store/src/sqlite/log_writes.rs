//! Claim and append: the writes that are fenced. The fence is checked inside the transaction.

use std::borrow::Cow;

use rusqlite::params;
use schema::{ConversationKey, Epoch, Seq, Timestamp};

use super::event_bodies::Body;
use super::job::Write;
use super::rows::{Row, Rows, integer};
use super::sealing::Sealing;
use crate::sealed::event::FORMAT_SEALED;
use crate::{Append, Claim, DueChange, Opening, Owner, StoreError};

/// A claim on its way.
pub(super) struct ClaimWrite {
    pub(super) key: ConversationKey,
    pub(super) open: Option<Opening>,
    /// Only while this is its owner.
    pub(super) from: Option<Owner>,
}

impl Write for ClaimWrite {
    type Output = Claim;

    fn apply(&self, rows: &mut Rows<'_>) -> rusqlite::Result<Result<Claim, StoreError>> {
        match (rows.find(self.key)?, &self.open) {
            (Some(row), _) if self.from.is_some_and(|from| from != Owner { epoch: row.epoch, node: None }) => {
                Ok(Err(StoreError::Fenced))
            }
            (Some(row), _) => {
                let (row, id) = match rows.ensure_key(self.key, row)? {
                    Ok(with_key) => with_key,
                    Err(error) => return Ok(Err(error)),
                };
                // Its key has ended: it was erased, and this file is a copy from before that.
                match rows.memory.sealing.cipher(id) {
                    Ok(Some(_)) => {}
                    Ok(None) => return Ok(Err(StoreError::NotFound)),
                    Err(error) => return Ok(Err(error)),
                }
                let epoch = row.epoch + 1;
                rows.set_epoch(self.key, row, epoch)?;
                Ok(Ok(Claim { epoch, head: row.head, due: row.due }))
            }
            (None, Some(opening)) => {
                let id = match rows.take_key()? {
                    Ok(id) => id,
                    Err(error) => return Ok(Err(error)),
                };
                let row = rows.open(self.key, opening, id)?;
                Ok(Ok(Claim { epoch: row.epoch, head: row.head, due: row.due }))
            }
            (None, None) => Ok(Err(StoreError::NotFound)),
        }
    }

    fn cost(&self) -> (usize, usize) {
        (1, 256)
    }
}

/// An append on its way, its events already JSON and sealed: callers have more cores than the writer.
pub(super) struct AppendWrite {
    key: ConversationKey,
    epoch: Epoch,
    head: Seq,
    last_at: Timestamp,
    due: DueChange,
    bodies: Vec<Body>,
    bytes: usize,
}

impl AppendWrite {
    /// Checks the numbering, writes the events down as JSON and seals what they say.
    pub(super) fn new(append: &Append, sealing: &Sealing) -> Result<Self, StoreError> {
        let newest = append.events.last().filter(|_| append.continues_head()).ok_or(StoreError::Fenced)?;
        let bodies = Body::all(sealing, append.key, &append.events)?;
        let bytes = bodies.iter().map(Body::bytes).sum();
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
        let (row, id) = match rows.ensure_key(self.key, row)? {
            Ok(with_key) => with_key,
            Err(error) => return Ok(Err(error)),
        };
        let sealing = &*rows.memory.sealing;
        let sealed =
            self.bodies.iter().map(|body| body.texts.as_ref().map(|texts| texts.under(sealing, id)).transpose());
        let sealed = match sealed.collect::<Result<Vec<_>, _>>() {
            Ok(sealed) => sealed,
            Err(error) => return Ok(Err(error)),
        };
        if sealed.iter().any(|sealed| matches!(sealed, Some(Cow::Owned(_)))) {
            // The caller did not know the key.
            rows.memory.announce(self.key, id);
        }
        let mut insert = rows.connection.prepare_cached(
            "INSERT INTO events (conversation, seq, w_epoch, format, body, sealed) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        )?;
        let mut head = self.head;
        for (body, sealed) in self.bodies.iter().zip(&sealed) {
            head += 1;
            let (epoch, seq) = (integer(self.epoch), integer(head));
            insert.execute(params![row.row_id, seq, epoch, FORMAT_SEALED, body.clear, sealed.as_deref()])?;
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
