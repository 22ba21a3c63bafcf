//! One node's way to a store that several share: every call waits until the test lets it through, and says how it ends.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use engine_store::memory::MemoryStore;
use engine_store::{Pending, Record, RecordKeys, RecordName, Records, Scope, StoreError};
use tokio::sync::{Notify, oneshot};

/// How a call ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    Done,
    /// Not done, and told so.
    Refused,
    /// Done, and told otherwise.
    DoneUnknown,
    /// The node is gone before it.
    GoneBefore,
    /// The node is gone once it is done.
    GoneAfter,
}

/// Where calls of all nodes wait.
#[derive(Default)]
pub(crate) struct Gate {
    waiting: Mutex<Vec<(usize, oneshot::Sender<Fate>)>>,
    /// Something came to wait, or a call of the test's has ended.
    pub(crate) changed: Notify,
}

impl Gate {
    async fn wait(&self, node: usize) -> Fate {
        let (sender, receiver) = oneshot::channel();
        self.waiting.lock().unwrap().push((node, sender));
        self.changed.notify_one();
        receiver.await.unwrap_or(Fate::Refused)
    }

    /// The nodes that wait, in an order that does not hang on who came first.
    pub(crate) fn waiting(&self) -> Vec<usize> {
        let mut waiting = self.waiting.lock().unwrap();
        waiting.sort_by_key(|(node, _)| *node);
        waiting.iter().map(|(node, _)| *node).collect()
    }

    pub(crate) fn release(&self, at: usize, fate: Fate) {
        let (_, sender) = self.waiting.lock().unwrap().remove(at);
        let _nobody_waits = sender.send(fate);
    }
}

/// The store as one node has it.
pub(crate) struct Wired {
    store: Arc<MemoryStore>,
    /// None where calls are only counted.
    gate: Option<(Arc<Gate>, usize)>,
    gone: Arc<AtomicBool>,
    /// Reads of single records, by kind, and pages.
    gets: Mutex<HashMap<&'static str, usize>>,
    pages: AtomicUsize,
}

impl Wired {
    pub(crate) fn counting(store: &Arc<MemoryStore>) -> Arc<Self> {
        Self::new(store, None)
    }

    pub(crate) fn gated(store: &Arc<MemoryStore>, gate: &Arc<Gate>, node: usize) -> Arc<Self> {
        Self::new(store, Some((Arc::clone(gate), node)))
    }

    fn new(store: &Arc<MemoryStore>, gate: Option<(Arc<Gate>, usize)>) -> Arc<Self> {
        let (store, gone) = (Arc::clone(store), Arc::default());
        Arc::new(Self { store, gate, gone, gets: Mutex::default(), pages: AtomicUsize::new(0) })
    }

    pub(crate) fn is_gone(&self) -> bool {
        self.gone.load(Ordering::SeqCst)
    }

    /// Reads of one kind of records and of pages, since this was asked last.
    pub(crate) fn reads(&self, kind: &str) -> (usize, usize) {
        let gets = std::mem::take(&mut *self.gets.lock().unwrap());
        (gets.get(kind).copied().unwrap_or_default(), self.pages.swap(0, Ordering::SeqCst))
    }

    fn call<T: Send + 'static>(&self, call: impl FnOnce(&MemoryStore) -> Pending<T> + Send + 'static) -> Pending<T> {
        let (store, gate, gone) = (Arc::clone(&self.store), self.gate.clone(), Arc::clone(&self.gone));
        Box::pin(async move {
            let fate = match &gate {
                _ if gone.load(Ordering::SeqCst) => end(&gone),
                Some((gate, node)) => gate.wait(*node).await,
                None => Fate::Done,
            };
            match fate {
                _ if gone.load(Ordering::SeqCst) => end(&gone),
                Fate::Done => call(&store).await,
                Fate::Refused => Err(StoreError::Unavailable("switched off".into())),
                Fate::DoneUnknown => call(&store).await.and(Err(StoreError::Unknown("switched off".into()))),
                Fate::GoneBefore => end(&gone),
                Fate::GoneAfter => {
                    drop(call(&store).await);
                    end(&gone)
                }
            }
        })
    }
}

/// As when the process is killed: nothing after this is run.
fn end(gone: &AtomicBool) -> ! {
    gone.store(true, Ordering::SeqCst);
    std::panic::resume_unwind(Box::new("the node is gone"))
}

impl Records for Wired {
    fn get(&self, name: RecordName) -> Pending<Option<Record>> {
        *self.gets.lock().unwrap().entry(name.kind).or_default() += 1;
        self.call(|store| store.get(name))
    }

    fn put(&self, name: RecordName, expected: u64, body: Vec<u8>) -> Pending<u64> {
        self.call(move |store| store.put(name, expected, body))
    }

    fn put_with_keys(&self, name: RecordName, expected: u64, body: Vec<u8>, keys: RecordKeys) -> Pending<u64> {
        self.call(move |store| store.put_with_keys(name, expected, body, keys))
    }

    fn find(&self, scope: Scope, kind: &'static str, key: String) -> Pending<Option<Record>> {
        self.call(move |store| store.find(scope, kind, key))
    }

    fn delete(&self, name: RecordName, expected: u64) -> Pending<()> {
        self.call(move |store| store.delete(name, expected))
    }

    fn scan(&self, scope: Scope, kind: &'static str, after: Option<String>, limit: usize) -> Pending<Vec<Record>> {
        self.pages.fetch_add(1, Ordering::SeqCst);
        self.call(move |store| store.scan(scope, kind, after, limit))
    }
}
