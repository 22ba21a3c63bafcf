//! The JSON bodies of records, read and written with the version that they stand at.

use engine_store::{Record, RecordName, Records, StoreError};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// A body and its version, if the record exists.
///
/// # Errors
/// The store's; [`StoreError::Corrupt`] when the body is not one of these.
pub async fn load<T: DeserializeOwned, R: Records + ?Sized>(
    records: &R,
    name: RecordName,
) -> Result<Option<(u64, T)>, StoreError> {
    let kind = name.kind;
    records.get(name).await?.map(|record| read(kind, &record)).transpose()
}

/// Writes a body over the version it was made from, 0 for a new one; gives the new version.
///
/// # Errors
/// The store's; [`StoreError::Conflict`] when the record is at another version.
pub async fn save<T: Serialize, R: Records + ?Sized>(
    records: &R,
    name: RecordName,
    expected: u64,
    body: &T,
) -> Result<u64, StoreError> {
    let body = serde_json::to_vec(body).map_err(|error| StoreError::Corrupt(error.to_string()))?;
    records.put(name, expected, body).await
}

/// The body of a record that was listed, and its version.
///
/// # Errors
/// [`StoreError::Corrupt`] when the body is not one of these.
pub fn read<T: DeserializeOwned>(kind: &str, record: &Record) -> Result<(u64, T), StoreError> {
    match serde_json::from_slice(&record.body) {
        Ok(body) => Ok((record.version, body)),
        Err(error) => Err(StoreError::Corrupt(format!("a record of kind {kind}: {error}"))),
    }
}
