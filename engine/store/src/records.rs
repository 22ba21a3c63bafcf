//! The port for records: small documents by tenant, kind and id, changed by compare-and-set.

use schema::TenantId;

use crate::Pending;

/// Small documents by tenant, kind and id, changed by compare-and-set.
pub trait Records: Send + Sync + 'static {
    /// One record, or none.
    fn get(&self, name: RecordName) -> Pending<Option<Record>>;

    /// Writes if the record is still at `expected` (0: does not exist); gives the new version,
    /// which is `expected + 1`. The keys by which it is found stay as they are.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] with the version found.
    fn put(&self, name: RecordName, expected: u64, body: Vec<u8>) -> Pending<u64>;

    /// The same, and the record is found by these keys from then on and by no others. All of it happens or nothing.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] with the version found; [`StoreError::Held`] with the id of another record of the same
    /// scope and kind which has one of the keys; [`StoreError::NotFound`] when nobody has one that is to be taken over.
    fn put_with_keys(&self, name: RecordName, expected: u64, body: Vec<u8>, keys: RecordKeys) -> Pending<u64>;

    /// The record of this scope and kind that has the key.
    fn find(&self, scope: Scope, kind: &'static str, key: String) -> Pending<Option<Record>>;

    /// Removes if the record is still at `expected`, with its keys; with 0, where there is none, nothing happens.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] with the version found (0 when there is none).
    fn delete(&self, name: RecordName, expected: u64) -> Pending<()>;

    /// Records of one kind, by id, strictly after `after`.
    fn scan(&self, scope: Scope, kind: &'static str, after: Option<String>, limit: usize) -> Pending<Vec<Record>>;
}

/// Whose a record is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Scope {
    /// The installation's: the tenants themselves, keys.
    Node,
    /// One tenant's.
    Tenant(TenantId),
}

/// A record's full name.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RecordName {
    /// Whose.
    pub scope: Scope,
    /// Of which kind, for example `tenant` or `document`.
    pub kind: &'static str,
    /// Which one of the kind.
    pub id: String,
}

/// The keys by which a record is found besides its id. In one scope and kind, a key is one record's at most.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RecordKeys {
    /// All of them, each once.
    pub keys: Vec<String>,
    /// A record of the same scope and kind that gives them up: it has all of them, or this one has them already.
    pub taken_from: Option<String>,
}

/// A stored document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Which one of its kind.
    pub id: String,
    /// 1 for the first writing, then one more each time.
    pub version: u64,
    /// What it says; its kind decides the format.
    pub body: Vec<u8>,
}
