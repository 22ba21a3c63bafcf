//! Records in memory, with a switch that fails the n-th call.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use engine_store::{Pending, Record, RecordKeys, RecordName, Records, Scope, StoreError};
use tokio::sync::Semaphore;

pub(crate) struct Memory {
    rows: Mutex<BTreeMap<RecordName, Record>>,
    calls_left: AtomicI64,
    /// Of all bodies that were read.
    bytes_read: AtomicUsize,
    /// What scans wait for, how many do, and how many did at most.
    held: Mutex<Option<Arc<Semaphore>>>,
    holding: Arc<(AtomicUsize, AtomicUsize)>,
}

impl Default for Memory {
    fn default() -> Self {
        Self {
            rows: Mutex::default(),
            calls_left: AtomicI64::new(i64::MAX),
            bytes_read: AtomicUsize::new(0),
            held: Mutex::default(),
            holding: Arc::default(),
        }
    }
}

impl Memory {
    /// From the call after the next `calls` on, everything fails.
    pub(crate) fn fail_after(&self, calls: i64) {
        self.calls_left.store(calls, Ordering::SeqCst);
    }

    pub(crate) fn heal(&self) {
        self.fail_after(i64::MAX);
    }

    /// Has every scan wait for a permit.
    pub(crate) fn hold(&self, permits: &Arc<Semaphore>) {
        *self.held.lock().unwrap() = Some(Arc::clone(permits));
    }

    /// How many scans have waited at once.
    pub(crate) fn held_most(&self) -> usize {
        self.holding.1.load(Ordering::SeqCst)
    }

    pub(crate) fn len(&self) -> usize {
        self.rows.lock().unwrap().len()
    }

    /// Bytes of the bodies that were read since this was asked last.
    pub(crate) fn bytes_read(&self) -> usize {
        self.bytes_read.swap(0, Ordering::SeqCst)
    }

    fn count<'a>(&self, records: impl IntoIterator<Item = &'a Record>) {
        let bytes = records.into_iter().map(|record| record.body.len()).sum();
        self.bytes_read.fetch_add(bytes, Ordering::SeqCst);
    }

    fn answer<T: Send + 'static>(&self, answer: impl FnOnce(&mut Rows) -> Result<T, StoreError>) -> Pending<T> {
        let broken = self.calls_left.fetch_sub(1, Ordering::SeqCst) <= 0;
        let answer = if broken {
            Err(StoreError::Unavailable("switched off".into()))
        } else {
            answer(&mut self.rows.lock().unwrap())
        };
        Box::pin(std::future::ready(answer))
    }
}

type Rows = BTreeMap<RecordName, Record>;

fn at(rows: &Rows, name: &RecordName, expected: u64) -> Result<(), StoreError> {
    let found = rows.get(name).map_or(0, |record| record.version);
    if found == expected { Ok(()) } else { Err(StoreError::Conflict { found }) }
}

impl Records for Memory {
    fn get(&self, name: RecordName) -> Pending<Option<Record>> {
        self.answer(|rows| {
            let found = rows.get(&name).cloned();
            self.count(&found);
            Ok(found)
        })
    }

    fn put(&self, name: RecordName, expected: u64, body: Vec<u8>) -> Pending<u64> {
        self.answer(|rows| {
            at(rows, &name, expected)?;
            let version = expected + 1;
            rows.insert(name.clone(), Record { id: name.id, version, body });
            Ok(version)
        })
    }

    // Documents are found by their ids alone.
    fn put_with_keys(&self, name: RecordName, expected: u64, body: Vec<u8>, _: RecordKeys) -> Pending<u64> {
        self.put(name, expected, body)
    }

    fn find(&self, _: Scope, _: &'static str, _: String) -> Pending<Option<Record>> {
        self.answer(|_| Ok(None))
    }

    fn delete(&self, name: RecordName, expected: u64) -> Pending<()> {
        self.answer(|rows| {
            at(rows, &name, expected)?;
            rows.remove(&name);
            Ok(())
        })
    }

    fn scan(&self, scope: Scope, kind: &'static str, after: Option<String>, limit: usize) -> Pending<Vec<Record>> {
        let answer = self.answer(|rows| {
            let of_kind = rows.iter().filter(|(name, _)| name.scope == scope && name.kind == kind);
            let later = of_kind.filter(|(name, _)| after.as_ref().is_none_or(|after| name.id > *after));
            let found: Vec<Record> = later.take(limit).map(|(_, record)| record.clone()).collect();
            self.count(&found);
            Ok(found)
        });
        let (held, holding) = (self.held.lock().unwrap().clone(), Arc::clone(&self.holding));
        Box::pin(async move {
            if let Some(held) = held {
                let (now, most) = &*holding;
                most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                let permit = held.acquire().await;
                now.fetch_sub(1, Ordering::SeqCst);
                drop(permit);
            }
            answer.await
        })
    }
}
