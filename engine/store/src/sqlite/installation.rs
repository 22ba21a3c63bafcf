//! Whose keys open the file. Named once, when the file first meets keys, and looked at whenever it is opened.
//! Invariant: a key whose end was noted either stands on the list of those to end, or the count of ends in this file
//! covers its end.
//!
//! The count is what tells older keys from newer ones, and is written in two places, one after the other: first with the
//! keys, together with the end itself, then here, in the transaction that takes the key off the list. A crash between
//! the two leaves the keys ahead and the key on the list. The right keys are taken then, as a higher count always is (the
//! data may be a backup), and this file follows. Keys from before that end have the count that is here, and are taken
//! too; but the key is still on the list, so that it ends in them as well, before anybody is answered that it has. After
//! the second write, keys from before that end are refused. In the other order a crash would refuse the right ones.

use engine_privacy::{Installation, KeyNumber, Keys, KeysError};
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

/// Notes how many ends the keys know of. It is to be in the transaction that forgets the last of them.
pub(super) fn raise_keys_ended(connection: &Connection, ended: u64) -> rusqlite::Result<()> {
    let raise = "UPDATE installation SET keys_ended = ?1 WHERE keys_ended < ?1";
    connection.prepare_cached(raise)?.execute([integer(ended)]).map(drop)
}

/// Sees that these are the file's keys, and not older ones than it needs. A file without any takes them for good.
pub(super) fn adopt(connection: &Connection, keys: &dyn Keys) -> rusqlite::Result<Result<(), StoreError>> {
    let ours = keys.installation();
    match named(connection)? {
        None => {
            connection.execute(
                "INSERT INTO installation (id, sealed_to, keys_to, rewritten) VALUES (?1, 0, 0,
                     CASE WHEN EXISTS (SELECT 1 FROM events) OR EXISTS (SELECT 1 FROM records) THEN 0 ELSE 2 END)",
                params![ours.0],
            )?;
        }
        Some(wanted) if wanted != ours => {
            let why = format!("the keys are of installation {ours}, and the data of {wanted}");
            return Ok(Err(StoreError::Unavailable(why)));
        }
        Some(_) => {}
    }
    let noted = connection.query_row("SELECT keys_ended FROM installation", [], |row| row.get(0).map(natural))?;
    let found = keys.ended();
    if found < noted {
        return Ok(Err(refusal(KeysError::Older { found, wanted: noted })));
    }
    // From now on no older ones: this file is a backup, or the last process ended between the two writes.
    raise_keys_ended(connection, found)?;
    // Numbers only rise: if the highest one that may be in use was allotted here, so were the others.
    let highest = connection.query_row("SELECT keys_to FROM installation", [], |row| row.get(0).map(natural))?;
    if highest == 0 {
        return Ok(Ok(()));
    }
    match keys.open(KeyNumber(highest)) {
        Ok(_) | Err(KeysError::Ended) => Ok(Ok(())),
        Err(error) => Ok(Err(refusal(error))),
    }
}
