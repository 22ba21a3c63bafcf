//! Events that an earlier version has left in the clear: read in bounded pieces and sealed, with a durable position.
//! Invariant: an event is replaced only while it is the one that was read, and under its conversation's key.

use std::collections::HashMap;

use engine_privacy::KeyNumber;
use rusqlite::{Connection, params};
use schema::{ConversationId, ConversationKey, Event, TenantId};

use super::event_bodies::Body;
use super::job::Write;
use super::reader::{Read, ReadError};
use super::rows::{Rows, integer};
use super::sealing::Sealing;
use crate::StoreError;
use crate::sealed::event::{FORMAT_JSON, FORMAT_SEALED};

/// Events looked at in one piece …
const PIECE_EVENTS: usize = 256;
/// … and their bytes, past which it ends.
const PIECE_BYTES: usize = 4 * 1024 * 1024;

const OLD: &str = "SELECT events.row_id, events.format, events.body, log.tenant, log.id FROM events
    LEFT JOIN conversations AS log ON log.row_id = events.conversation AND log.tenant <> x''
    WHERE events.row_id > ?1 ORDER BY events.row_id LIMIT ?2";

/// Up to where all events are sealed; the largest number when nothing is left.
pub(super) struct SealedToRead;

impl Read for SealedToRead {
    type Output = i64;

    fn run(&self, connection: &Connection) -> Result<i64, ReadError> {
        Ok(connection.prepare_cached("SELECT sealed_to FROM installation")?.query_row([], |row| row.get(0))?)
    }
}

/// An event in the clear.
pub(super) struct OldEvent {
    row_id: i64,
    pub(super) key: ConversationKey,
    event: Event,
}

/// A piece of the events.
pub(super) struct OldEvents {
    /// Those of them that are in the clear.
    pub(super) events: Vec<OldEvent>,
    /// The last one that was looked at; none behind the last one of all.
    pub(super) last: Option<i64>,
}

/// A look at the next events, in the order in which they came.
pub(super) struct OldRead {
    pub(super) after: i64,
}

impl Read for OldRead {
    type Output = OldEvents;

    fn run(&self, connection: &Connection) -> Result<OldEvents, ReadError> {
        let mut statement = connection.prepare_cached(OLD)?;
        let mut found = statement.query(params![self.after, integer(PIECE_EVENTS as u64)])?;
        let (mut events, mut last, mut bytes) = (Vec::new(), None, 0);
        while let Some(row) = found.next()? {
            let row_id = row.get(0)?;
            let tenant = row.get::<_, Option<[u8; 16]>>(3)?;
            if let (FORMAT_JSON, Some(tenant)) = (row.get(1)?, tenant) {
                let body = row.get_ref(2)?.as_str().map_err(rusqlite::Error::from)?;
                bytes += body.len();
                let (tenant, conversation) = (TenantId::from_bytes(tenant), ConversationId::from_bytes(row.get(4)?));
                match serde_json::from_str(body) {
                    Ok(event) => events.push(OldEvent { row_id, key: ConversationKey { tenant, conversation }, event }),
                    // Whoever reads its log is told so. What serde says may quote it.
                    Err(_) => tracing::warn!(%conversation, %tenant, "an event that cannot be read stays unsealed"),
                }
            }
            last = Some(row_id);
            if bytes >= PIECE_BYTES {
                break;
            }
        }
        Ok(OldEvents { events, last })
    }
}

/// Gives conversations keys that have none. Those that are gone meanwhile are left out of the answer.
pub(super) struct EnsureKeysWrite(pub(super) Vec<ConversationKey>);

impl Write for EnsureKeysWrite {
    type Output = HashMap<ConversationKey, KeyNumber>;

    fn apply(&self, rows: &mut Rows<'_>) -> rusqlite::Result<Result<Self::Output, StoreError>> {
        let mut ids = HashMap::new();
        for key in &self.0 {
            let Some(row) = rows.find(*key)? else { continue };
            match rows.ensure_key(*key, row)? {
                Ok((_, id)) => drop(ids.insert(*key, id)),
                Err(error) => return Ok(Err(error)),
            }
        }
        Ok(Ok(ids))
    }

    fn cost(&self) -> (usize, usize) {
        (self.0.len(), 0)
    }
}

/// Sealed events on their way to the places of those in the clear.
pub(super) struct SealWrite {
    events: Vec<(i64, KeyNumber, Body)>,
    to: i64,
}

impl SealWrite {
    pub(super) fn new(
        sealing: &Sealing,
        events: Vec<OldEvent>,
        ids: &HashMap<ConversationKey, KeyNumber>,
        to: i64,
    ) -> Result<Self, StoreError> {
        let mut sealed = Vec::with_capacity(events.len());
        for OldEvent { row_id, key, event } in events {
            // Its key has ended meanwhile: it is on its way out.
            let Some(id) = ids.get(&key).copied() else { continue };
            let body = Body::all(sealing, key, std::slice::from_ref(&event))?;
            sealed.extend(body.into_iter().map(|body| (row_id, id, body)));
        }
        Ok(Self { events: sealed, to })
    }
}

impl Write for SealWrite {
    type Output = ();

    fn apply(&self, rows: &mut Rows<'_>) -> rusqlite::Result<Result<(), StoreError>> {
        let mut update = rows.connection.prepare_cached(
            "UPDATE events SET format = ?3, body = ?4, sealed = ?5 WHERE row_id = ?1 AND format = ?6
             AND ?2 = (SELECT key_id FROM conversations WHERE conversations.row_id = events.conversation)",
        )?;
        for (row_id, id, body) in &self.events {
            let sealed = match body.texts.as_ref().map(|texts| texts.under(&rows.memory.sealing, *id)).transpose() {
                Ok(sealed) => sealed,
                Err(StoreError::NotFound) => continue,
                Err(error) => return Ok(Err(error)),
            };
            let sealed = sealed.as_deref();
            update.execute(params![row_id, integer(id.0), FORMAT_SEALED, body.clear, sealed, FORMAT_JSON])?;
        }
        drop(update);
        rows.connection.execute("UPDATE installation SET sealed_to = max(sealed_to, ?1)", [self.to])?;
        // What stood there in the clear is to go from the write-ahead log too.
        rows.memory.erased |= !self.events.is_empty();
        Ok(Ok(()))
    }

    fn cost(&self) -> (usize, usize) {
        (self.events.len(), self.events.iter().map(|(_, _, body)| body.bytes()).sum())
    }
}
