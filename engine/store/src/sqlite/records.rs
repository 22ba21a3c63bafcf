//! Records: compare-and-set documents, and their listing. Every statement names the scope.

use rusqlite::{Connection, OptionalExtension, params};

use super::job::Write;
use super::reader::{Read, ReadError};
use super::rows::{Rows, integer, natural};
use crate::{Record, RecordName, Scope, StoreError};

/// Creates or replaces a record that is still at `expected`.
pub(super) struct PutWrite {
    pub(super) name: RecordName,
    pub(super) expected: u64,
    pub(super) body: Vec<u8>,
}

impl Write for PutWrite {
    type Output = u64;

    fn apply(&self, rows: &mut Rows<'_>) -> rusqlite::Result<Result<u64, StoreError>> {
        let found = version(rows.connection, &self.name)?;
        if found != self.expected {
            return Ok(Err(StoreError::Conflict { found }));
        }
        let RecordName { scope, kind, id } = &self.name;
        rows.connection
            .prepare_cached(
                "INSERT INTO records (scope, kind, id, version, body) VALUES (?1, ?2, ?3, ?4, ?5)
                 ON CONFLICT (scope, kind, id) DO UPDATE SET version = excluded.version, body = excluded.body",
            )?
            .execute(params![bytes(scope), kind, id, integer(found + 1), self.body])?;
        Ok(Ok(found + 1))
    }

    fn cost(&self) -> (usize, usize) {
        (1, self.name.id.len() + self.body.len())
    }
}

/// Removes a record that is still at `expected`.
pub(super) struct DeleteWrite {
    pub(super) name: RecordName,
    pub(super) expected: u64,
}

impl Write for DeleteWrite {
    type Output = ();

    fn apply(&self, rows: &mut Rows<'_>) -> rusqlite::Result<Result<(), StoreError>> {
        let found = version(rows.connection, &self.name)?;
        if found != self.expected {
            return Ok(Err(StoreError::Conflict { found }));
        }
        let RecordName { scope, kind, id } = &self.name;
        rows.connection
            .prepare_cached("DELETE FROM records WHERE scope = ?1 AND kind = ?2 AND id = ?3")?
            .execute(params![bytes(scope), kind, id])?;
        rows.memory.erased = true;
        Ok(Ok(()))
    }

    fn cost(&self) -> (usize, usize) {
        (1, self.name.id.len())
    }
}

/// One record.
pub(super) struct GetRead(pub(super) RecordName);

impl Read for GetRead {
    type Output = Option<Record>;

    fn run(&self, connection: &Connection) -> Result<Option<Record>, ReadError> {
        let RecordName { scope, kind, id } = &self.0;
        let found = connection
            .prepare_cached("SELECT id, version, body FROM records WHERE scope = ?1 AND kind = ?2 AND id = ?3")?
            .query_row(params![bytes(scope), kind, id], record)
            .optional()?;
        Ok(found)
    }
}

/// Records of one kind, by id.
pub(super) struct ScanRead {
    pub(super) scope: Scope,
    pub(super) kind: &'static str,
    pub(super) after: Option<String>,
    pub(super) limit: usize,
}

impl Read for ScanRead {
    type Output = Vec<Record>;

    fn run(&self, connection: &Connection) -> Result<Vec<Record>, ReadError> {
        let (scope, limit) = (bytes(&self.scope), integer(self.limit as u64));
        let mut statement;
        let found = match &self.after {
            None => {
                statement = connection.prepare_cached(
                    "SELECT id, version, body FROM records WHERE scope = ?1 AND kind = ?2 ORDER BY id LIMIT ?3",
                )?;
                statement.query_map(params![scope, self.kind, limit], record)?
            }
            Some(after) => {
                statement = connection.prepare_cached(
                    "SELECT id, version, body FROM records WHERE scope = ?1 AND kind = ?2 AND id > ?4
                     ORDER BY id LIMIT ?3",
                )?;
                statement.query_map(params![scope, self.kind, limit, after], record)?
            }
        };
        Ok(found.collect::<rusqlite::Result<_>>()?)
    }
}

fn version(connection: &Connection, name: &RecordName) -> rusqlite::Result<u64> {
    let RecordName { scope, kind, id } = name;
    let found = connection
        .prepare_cached("SELECT version FROM records WHERE scope = ?1 AND kind = ?2 AND id = ?3")?
        .query_row(params![bytes(scope), kind, id], |row| row.get(0))
        .optional()?;
    Ok(found.map_or(0, natural))
}

fn record(row: &rusqlite::Row<'_>) -> rusqlite::Result<Record> {
    Ok(Record { id: row.get(0)?, version: natural(row.get(1)?), body: row.get(2)? })
}

// Tenants' ids have 16 bytes, so the node's own, with none, meets no tenant's.
fn bytes(scope: &Scope) -> &[u8] {
    match scope {
        Scope::Node => &[],
        Scope::Tenant(tenant) => tenant.as_bytes(),
    }
}
