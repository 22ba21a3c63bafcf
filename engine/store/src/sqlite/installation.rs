//! Whose keys open the file. Named once, when the file first meets keys, and looked at whenever it is opened.

use engine_privacy::{Installation, KeyNumber, Keys};
use rusqlite::{Connection, OptionalExtension, params};

use super::rows::natural;
use super::sealing::refusal;
use crate::StoreError;

/// Whose keys the file wants; none when it has never had any.
pub(super) fn named(connection: &Connection) -> rusqlite::Result<Option<Installation>> {
    connection.query_row("SELECT id FROM installation", [], |row| row.get(0).map(Installation)).optional()
}

/// Sees that these are the file's keys, and not older ones than it needs. A file without any takes them for good.
pub(super) fn adopt(connection: &Connection, keys: &dyn Keys) -> rusqlite::Result<Result<(), StoreError>> {
    let ours = keys.installation();
    match named(connection)? {
        None => {
            connection.execute("INSERT INTO installation (id, sealed_to) VALUES (?1, 0)", params![ours.0])?;
        }
        Some(wanted) if wanted != ours => {
            let why = format!("the keys are of installation {ours}, and the data of {wanted}");
            return Ok(Err(StoreError::Unavailable(why)));
        }
        Some(_) => {}
    }
    // Numbers only rise: if the newest conversation's key is there, so are the others'.
    let newest = connection
        .query_row("SELECT key_id FROM conversations ORDER BY row_id DESC LIMIT 1", [], |row| {
            row.get::<_, Option<i64>>(0)
        })
        .optional()?
        .flatten();
    let Some(newest) = newest else { return Ok(Ok(())) };
    match keys.open(KeyNumber(natural(newest))) {
        Ok(_) | Err(engine_privacy::KeysError::Ended) => Ok(Ok(())),
        Err(error) => Ok(Err(refusal(error))),
    }
}
