//! Whose keys open the file. Named once, when the file first meets keys, and looked at whenever it is opened.

use engine_privacy::{Installation, KeyNumber, Keys};
use rusqlite::{Connection, OptionalExtension, params};

use super::rows::{integer, natural};
use super::sealing::refusal;
use crate::StoreError;

/// Whose keys the file wants; none when it has never had any.
pub(super) fn named(connection: &Connection) -> rusqlite::Result<Option<Installation>> {
    connection.query_row("SELECT id FROM installation", [], |row| row.get(0).map(Installation)).optional()
}

/// Notes that keys up to this one may be in use. It is to be in the transaction that first uses one of them.
pub(super) fn raise_keys_to(connection: &Connection, to: KeyNumber) -> rusqlite::Result<()> {
    let raise = "UPDATE installation SET keys_to = ?1 WHERE keys_to < ?1";
    connection.prepare_cached(raise)?.execute([integer(to.0)]).map(drop)
}

/// Sees that these are the file's keys, and not older ones than it needs. A file without any takes them for good.
pub(super) fn adopt(connection: &Connection, keys: &dyn Keys) -> rusqlite::Result<Result<(), StoreError>> {
    let ours = keys.installation();
    match named(connection)? {
        None => {
            connection
                .execute("INSERT INTO installation (id, sealed_to, keys_to) VALUES (?1, 0, 0)", params![ours.0])?;
        }
        Some(wanted) if wanted != ours => {
            let why = format!("the keys are of installation {ours}, and the data of {wanted}");
            return Ok(Err(StoreError::Unavailable(why)));
        }
        Some(_) => {}
    }
    // Numbers only rise: if the highest one that may be in use was allotted here, so were the others.
    let highest = connection.query_row("SELECT keys_to FROM installation", [], |row| row.get(0).map(natural))?;
    if highest == 0 {
        return Ok(Ok(()));
    }
    match keys.open(KeyNumber(highest)) {
        Ok(_) | Err(engine_privacy::KeysError::Ended) => Ok(Ok(())),
        Err(error) => Ok(Err(refusal(error))),
    }
}
