//! Records: compare-and-set documents, and their listing. Every statement names the scope.

use rusqlite::{Connection, OptionalExtension, params};

use super::job::Write;
use super::reader::{Read, ReadError};
use super::rows::{Rows, integer, natural};
use crate::{Record, RecordKeys, RecordName, Scope, StoreError};

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

/// Creates or replaces a record that is still at `expected`, and the keys by which it is found.
pub(super) struct PutWithKeysWrite {
    pub(super) put: PutWrite,
    pub(super) keys: RecordKeys,
}

impl Write for PutWithKeysWrite {
    type Output = u64;

    fn apply(&self, rows: &mut Rows<'_>) -> rusqlite::Result<Result<u64, StoreError>> {
        let PutWrite { name, expected, .. } = &self.put;
        let RecordName { scope, kind, id } = name;
        // All looks come before the first write: what is refused leaves nothing.
        let found = version(rows.connection, name)?;
        if found != *expected {
            return Ok(Err(StoreError::Conflict { found }));
        }
        let mut holder =
            rows.connection.prepare_cached("SELECT id FROM record_keys WHERE scope = ?1 AND kind = ?2 AND key = ?3")?;
        for key in &self.keys.keys {
            let by: Option<String> = holder.query_row(params![bytes(scope), kind, key], |row| row.get(0)).optional()?;
            match by {
                Some(by) if by != *id && Some(&by) != self.keys.taken_from.as_ref() => {
                    return Ok(Err(StoreError::Held { by }));
                }
                None if self.keys.taken_from.is_some() => return Ok(Err(StoreError::NotFound)),
                _ => {}
            }
        }
        drop(holder);
        let put = self.put.apply(rows)?;
        let before = forget_keys(rows.connection, name)?;
        let mut insert = rows
            .connection
            .prepare_cached("INSERT OR REPLACE INTO record_keys (scope, kind, key, id) VALUES (?1, ?2, ?3, ?4)")?;
        for key in &self.keys.keys {
            insert.execute(params![bytes(scope), kind, key, id])?;
        }
        drop(insert);
        // A key that went away may be somebody's name.
        rows.memory.erased |= before > 0;
        Ok(put)
    }

    fn cost(&self) -> (usize, usize) {
        let (events, bytes) = self.put.cost();
        (events + self.keys.keys.len(), bytes + self.keys.keys.iter().map(String::len).sum::<usize>())
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
        forget_keys(rows.connection, &self.name)?;
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

const FIND: &str = "SELECT records.id, version, body FROM record_keys AS found
    JOIN records ON records.scope = found.scope AND records.kind = found.kind AND records.id = found.id
    WHERE found.scope = ?1 AND found.kind = ?2 AND found.key = ?3";

/// The record that has a key.
pub(super) struct FindRead {
    pub(super) scope: Scope,
    pub(super) kind: &'static str,
    pub(super) key: String,
}

impl Read for FindRead {
    type Output = Option<Record>;

    fn run(&self, connection: &Connection) -> Result<Option<Record>, ReadError> {
        let found = connection
            .prepare_cached(FIND)?
            .query_row(params![bytes(&self.scope), self.kind, self.key], record)
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

/// The record is found by no key any more; how many it had.
fn forget_keys(connection: &Connection, name: &RecordName) -> rusqlite::Result<usize> {
    let RecordName { scope, kind, id } = name;
    connection.prepare_cached("DELETE FROM record_keys WHERE scope = ?1 AND kind = ?2 AND id = ?3")?.execute(params![
        bytes(scope),
        kind,
        id
    ])
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sqlite::migrate;

    #[test]
    fn finding_walks_two_indexes() {
        let mut connection = Connection::open_in_memory().unwrap();
        migrate::migrate(&mut connection, migrate::STEPS).unwrap();
        let mut plan = connection.prepare(&format!("EXPLAIN QUERY PLAN {FIND}")).unwrap();
        let steps = plan.raw_query().mapped(|row| row.get::<_, String>(3)).collect::<Result<Vec<_>, _>>().unwrap();
        assert_eq!(steps.len(), 2, "{steps:?}");
        assert!(steps[0].contains("PRIMARY KEY") && steps[1].contains("records_by_name"), "{steps:?}");
    }
}
