//! The records of the simulated world: tenants, profiles and intentions have the same weather as logs.

use engine_store::{Pending, Record, RecordKeys, RecordName, Records, Scope, StoreError};
use futures_util::FutureExt;

use super::disk::{Disk, Way};
use super::plant::Plant;

/// What a change of the policy is made of. The notes of unanswered questions fare well: one whose first write fails
/// may be lost with a crash in the same moment, and says so.
const WEATHERED: [&str; 3] = ["tenant", "profile", "hasten"];

impl Disk {
    fn record(&self, name: RecordName) -> Result<Option<Record>, StoreError> {
        let stale = (self.plant() == Some(Plant::StaleProfile)).then(|| self.stale().get(&name).cloned()).flatten();
        if stale.is_some() {
            return Ok(stale);
        }
        at_once(self.records.get(name))
    }

    fn put_record(&self, name: RecordName, expected: u64, body: Vec<u8>) -> Result<u64, StoreError> {
        let before = at_once(self.records.get(name.clone()))?.filter(|_| name.kind == "profile");
        let version = at_once(self.records.put(name.clone(), expected, body))?;
        if let Some(before) = before {
            self.stale().insert(name, before);
        }
        Ok(version)
    }
}

impl Records for Way {
    fn get(&self, name: RecordName) -> Pending<Option<Record>> {
        if !WEATHERED.contains(&name.kind) {
            return self.disk.records.get(name);
        }
        self.look(move |disk| disk.record(name))
    }

    fn put(&self, name: RecordName, expected: u64, body: Vec<u8>) -> Pending<u64> {
        if !WEATHERED.contains(&name.kind) {
            return self.disk.records.put(name, expected, body);
        }
        self.write(move |disk| disk.put_record(name, expected, body))
    }

    // Contacts' records: what is simulated of them is their id in the log.
    fn put_with_keys(&self, name: RecordName, expected: u64, body: Vec<u8>, keys: RecordKeys) -> Pending<u64> {
        self.disk.records.put_with_keys(name, expected, body, keys)
    }

    fn find(&self, scope: Scope, kind: &'static str, key: String) -> Pending<Option<Record>> {
        self.disk.records.find(scope, kind, key)
    }

    fn delete(&self, name: RecordName, expected: u64) -> Pending<()> {
        if !WEATHERED.contains(&name.kind) {
            return self.disk.records.delete(name, expected);
        }
        self.write(move |disk| at_once(disk.records.delete(name, expected)))
    }

    fn scan(&self, scope: Scope, kind: &'static str, after: Option<String>, limit: usize) -> Pending<Vec<Record>> {
        if !WEATHERED.contains(&kind) {
            return self.disk.records.scan(scope, kind, after, limit);
        }
        self.look(move |disk| at_once(disk.records.scan(scope, kind, after, limit)))
    }
}

/// What is in memory is there without waiting.
fn at_once<T>(answer: Pending<T>) -> Result<T, StoreError> {
    answer.now_or_never().unwrap_or_else(|| Err(StoreError::Unavailable("memory does not wait".into())))
}
