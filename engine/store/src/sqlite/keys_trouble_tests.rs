//! Keys that cannot be ended or made for a while: what is answered meanwhile, and what goes on by itself afterwards.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use engine_privacy::{Installation, Key, KeyNumber, Keys, KeysError, MemoryKeys};
use schema::{ContactId, ConversationId, ConversationKey, TenantId, Timestamp};

use super::scratch::Scratch;
use super::{SqliteOptions, SqliteStore};
use crate::{Log, Opening, StoreError};

/// Longer than anything that is waited for.
const PATIENCE: Duration = Duration::from_secs(30);

/// Keys on a volume that can be taken away.
#[derive(Default)]
struct Away {
    keys: MemoryKeys,
    ends_fail: AtomicBool,
}

impl Away {
    fn there(&self, fail: &AtomicBool) -> Result<(), KeysError> {
        let problem = || io::Error::from(io::ErrorKind::ReadOnlyFilesystem);
        let failed = || KeysError::Io { path: "keys".into(), doing: "write", problem: problem() };
        if fail.load(Ordering::Relaxed) { Err(failed()) } else { Ok(()) }
    }
}

impl Keys for Away {
    fn installation(&self) -> Installation {
        self.keys.installation()
    }

    fn allot(&self, count: usize) -> Result<Vec<KeyNumber>, KeysError> {
        self.keys.allot(count)
    }

    fn open(&self, id: KeyNumber) -> Result<Key, KeysError> {
        self.keys.open(id)
    }

    fn end(&self, ids: &[KeyNumber]) -> Result<(), KeysError> {
        self.there(&self.ends_fail)?;
        self.keys.end(ids)
    }

    fn ended(&self) -> u64 {
        self.keys.ended()
    }
}

fn open_in(scratch: &Scratch, keys: &Arc<Away>) -> SqliteStore {
    let keys = Arc::clone(keys);
    SqliteStore::open_with(&scratch.file(), SqliteOptions::default(), |_| Ok(keys)).unwrap()
}

async fn until(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let begun = Instant::now();
    while !holds().await {
        assert!(begun.elapsed() < PATIENCE, "{what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn an_erasure_is_not_done_before_its_key_has_ended() {
    let (scratch, keys) = (Scratch::new("away"), Arc::new(Away::default()));
    let store = open_in(&scratch, &keys);
    let tenant = TenantId::generate();
    let open = async |contact| {
        let key = ConversationKey { tenant, conversation: ConversationId::generate() };
        let opening = Opening { contact, is_anonymous: false, at: Timestamp::from_millis(0) };
        store.claim(key, Some(opening)).await.unwrap();
        key
    };
    let (ana, bo) = (ContactId::generate(), ContactId::generate());
    let (first, second, kept) = (open(ana).await, open(bo).await, open(ana).await);
    let ids = [first, second, kept].map(|key| store.sealing.known(key).unwrap());
    keys.ends_fail.store(true, Ordering::Relaxed);
    for round in 0..3 {
        for (key, head) in [(first, None), (second, Some(0))] {
            let answer = store.erase(key, head).await;
            assert!(matches!(answer, Err(StoreError::Ending(_))), "round {round}: {answer:?}");
        }
    }
    assert_eq!(store.claim(first, None).await, Err(StoreError::NotFound));
    assert_eq!(store.ending(tenant, vec![ana, ContactId::generate()], 9).await, Ok(vec![first]));
    assert_eq!(store.ending(tenant, vec![ana, bo], 1).await.map(|found| found.len()), Ok(1));
    assert_eq!(store.ending(TenantId::generate(), vec![ana], 9).await, Ok(vec![]));
    let never = ConversationKey { tenant, conversation: ConversationId::generate() };
    assert_eq!(store.erase(never, None).await, Err(StoreError::NotFound));

    // Neither the end of the process nor a new one of the same name makes it forget.
    drop(store);
    let store = open_in(&scratch, &keys);
    assert!(matches!(store.erase(first, None).await, Err(StoreError::Ending(_))));
    let opening = Opening { contact: bo, is_anonymous: false, at: Timestamp::from_millis(0) };
    store.claim(second, Some(opening)).await.unwrap();
    assert!(matches!(store.erase(second, None).await, Err(StoreError::Ending(_))));
    keys.ends_fail.store(false, Ordering::Relaxed);
    until("the keys are not ended", async || {
        let ended = |id: &KeyNumber| matches!(keys.open(*id), Err(KeysError::Ended));
        ids[..2].iter().all(ended) && store.ending(tenant, vec![ana, bo], 9).await == Ok(vec![])
    })
    .await;
    assert!(keys.open(ids[2]).is_ok());
    assert_eq!(store.erase(first, None).await, Err(StoreError::NotFound));
    assert_eq!(store.erase(kept, None).await, Ok(()));
}
