//! Shared by the tests of this folder: records in memory, and tenants on them.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use engine_store::{Pending, Record, RecordKeys, RecordName, Records, Scope, StoreError};
use schema::Timestamp;
use secrecy::SecretBox;

use super::{ApiKeys, Tenants};

pub(super) const NOW: Timestamp = Timestamp::from_millis(1_700_000_000_000);

/// Records that live as long as the test.
#[derive(Default)]
pub(super) struct MemoryRecords {
    pub(super) all: Mutex<BTreeMap<RecordName, (u64, Vec<u8>)>>,
}

/// Tenants on fresh records; the directory holds the demo key's file while it lives.
pub(super) fn tenants() -> (Tenants, Arc<ApiKeys>, tempfile::TempDir) {
    let dir = tempfile::tempdir().unwrap();
    let (tenants, keys) = tenants_on(&Arc::default(), &dir);
    (tenants, keys, dir)
}

/// What another node, or the same one after a restart, sees.
pub(super) fn tenants_on(records: &Arc<MemoryRecords>, dir: &tempfile::TempDir) -> (Tenants, Arc<ApiKeys>) {
    let keys = Arc::new(ApiKeys::new(records.clone(), SecretBox::new(Box::new([9; 32]))));
    (Tenants::new(records.clone(), keys.clone(), dir.path().join("demo.key")), keys)
}

impl Records for MemoryRecords {
    fn get(&self, name: RecordName) -> Pending<Option<Record>> {
        let found = self.all.lock().unwrap().get(&name).cloned();
        answer(Ok(found.map(|(version, body)| Record { id: name.id, version, body })))
    }

    fn put(&self, name: RecordName, expected: u64, body: Vec<u8>) -> Pending<u64> {
        let mut all = self.all.lock().unwrap();
        let found = all.get(&name).map_or(0, |(version, _)| *version);
        if found != expected {
            return answer(Err(StoreError::Conflict { found }));
        }
        all.insert(name, (found + 1, body));
        answer(Ok(found + 1))
    }

    // Nobody here is known by anything but an id.
    fn put_with_keys(&self, name: RecordName, expected: u64, body: Vec<u8>, _: RecordKeys) -> Pending<u64> {
        self.put(name, expected, body)
    }

    fn find(&self, _: Scope, _: &'static str, _: String) -> Pending<Option<Record>> {
        answer(Ok(None))
    }

    fn delete(&self, name: RecordName, expected: u64) -> Pending<()> {
        let mut all = self.all.lock().unwrap();
        let found = all.get(&name).map_or(0, |(version, _)| *version);
        if found != expected {
            return answer(Err(StoreError::Conflict { found }));
        }
        all.remove(&name);
        answer(Ok(()))
    }

    fn scan(&self, scope: Scope, kind: &'static str, after: Option<String>, limit: usize) -> Pending<Vec<Record>> {
        let all = self.all.lock().unwrap();
        let of_kind = all.iter().filter(|(name, _)| name.scope == scope && name.kind == kind);
        let later = of_kind.filter(|(name, _)| after.as_ref().is_none_or(|after| name.id > *after));
        let records =
            later.map(|(name, (version, body))| Record { id: name.id.clone(), version: *version, body: body.clone() });
        answer(Ok(records.take(limit).collect()))
    }
}

fn answer<T: Send + 'static>(answer: Result<T, StoreError>) -> Pending<T> {
    Box::pin(std::future::ready(answer))
}
