//! Keys that cannot be ended or made for a while: what is answered meanwhile, and what goes on by itself afterwards.

use std::io;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use engine_privacy::{Installation, Key, KeyNumber, Keys, KeysError, MemoryKeys};
use rusqlite::{Connection, params};
use schema::{Author, ContactId, ConversationId, ConversationKey, Event, Fact, TenantId, Text, Timestamp};

use super::scratch::Scratch;
use super::{SqliteOptions, SqliteStore};
use crate::{Append, ConversationRow, DueChange, ListCursor, ListQuery, Log, Opening, Projections, StoreError};

/// Longer than anything that is waited for.
const PATIENCE: Duration = Duration::from_secs(30);

/// Keys on a volume that can be taken away.
#[derive(Default)]
struct Away {
    keys: MemoryKeys,
    ends_fail: AtomicBool,
    is_full: AtomicBool,
    /// The next end panics.
    end_panics: AtomicBool,
    /// Keys come one at a time, and none while there is a gate that somebody holds.
    is_slow: AtomicBool,
    gate: Mutex<Option<mpsc::Receiver<()>>>,
    /// Those who wait at the gate, or have passed it.
    came: AtomicUsize,
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
        self.there(&self.is_full)?;
        if self.is_slow.load(Ordering::Relaxed) {
            self.came.fetch_add(1, Ordering::Relaxed);
            if let Some(gate) = &*self.gate.lock().unwrap() {
                assert!(gate.recv().is_err(), "it opens when it is let go");
            }
            return self.keys.allot(1);
        }
        self.keys.allot(count)
    }

    fn open(&self, id: KeyNumber) -> Result<Key, KeysError> {
        self.keys.open(id)
    }

    fn end(&self, ids: &[KeyNumber]) -> Result<(), KeysError> {
        self.there(&self.ends_fail)?;
        if self.end_panics.swap(false, Ordering::Relaxed) {
            std::panic::panic_any("a test asked for it");
        }
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

#[tokio::test]
async fn without_room_for_keys_what_is_there_goes_on_and_what_is_new_waits() {
    let (scratch, keys) = (Scratch::new("full"), Arc::new(Away::default()));
    let at = Timestamp::from_millis(0);
    let opening = || Some(Opening { contact: ContactId::generate(), is_anonymous: true, at });
    let fresh = || ConversationKey { tenant: TenantId::generate(), conversation: ConversationId::generate() };
    let store = open_in(&scratch, &keys);
    let kept = fresh();
    store.claim(kept, opening()).await.unwrap();
    drop(store);

    keys.is_full.store(true, Ordering::Relaxed);
    let store = open_in(&scratch, &keys);
    assert_eq!(store.claim(kept, None).await.map(|claim| claim.epoch), Ok(2));
    let said = Fact::Message { text: Text::from("Hola"), r#ref: None, agent: None, reply: None };
    let events = [Event { seq: 1, at, author: Author::Contact, fact: said }].into();
    store.append(Append { key: kept, epoch: 2, head: 0, events, due: DueChange::Keep }).await.unwrap();
    for _ in 0..2 {
        assert!(matches!(store.claim(fresh(), opening()).await, Err(StoreError::Unavailable(_))));
        assert!(matches!(store.probe().await, Err(StoreError::Unavailable(_))), "new work is not wanted");
    }
    keys.is_full.store(false, Ordering::Relaxed);
    until("it is not ready by itself", async || store.probe().await.is_ok()).await;
    store.claim(fresh(), opening()).await.unwrap();

    // Spare ones last for a while.
    keys.is_full.store(true, Ordering::Relaxed);
    for _ in 0..254 {
        store.claim(fresh(), opening()).await.unwrap();
        assert_eq!(store.probe().await, Ok(()));
    }
    until("the last ones are taken", async || store.claim(fresh(), opening()).await.is_err()).await;
    assert!(matches!(store.probe().await, Err(StoreError::Unavailable(_))));
}

/// The file of the keys is synced, and that takes its time.
#[tokio::test]
async fn who_asks_does_not_wait_while_keys_are_made() {
    let (scratch, keys) = (Scratch::new("slow"), Arc::new(Away::default()));
    keys.is_slow.store(true, Ordering::Relaxed);
    let store = Arc::new(open_in(&scratch, &keys));
    let open = |store: &SqliteStore| {
        let key = ConversationKey { tenant: TenantId::generate(), conversation: ConversationId::generate() };
        let opening = Opening { contact: ContactId::generate(), is_anonymous: true, at: Timestamp::from_millis(0) };
        store.claim(key, Some(opening))
    };
    let (held, gate) = mpsc::channel();
    *keys.gate.lock().unwrap() = Some(gate);
    let came = keys.came.load(Ordering::Relaxed);
    // The last spare one, for which the keeper is asked for more; and one that the writer itself has to get.
    let first = [open(&store), open(&store)];
    until("keeper and writer do not wait", async || keys.came.load(Ordering::Relaxed) == came + 2).await;
    let (asked, answers) = mpsc::channel();
    let asking = thread::spawn({
        let store = Arc::clone(&store);
        move || asked.send((open(&store), store.probe())).unwrap()
    });
    let (third, probe) = answers.recv_timeout(PATIENCE).expect("whoever asks goes on at once");
    asking.join().unwrap();
    drop(held);
    for opened in first.into_iter().chain([third]) {
        assert_eq!(opened.await.map(|claim| claim.epoch), Ok(1));
    }
    assert_eq!(probe.await, Ok(()));
}

#[tokio::test]
async fn an_end_that_panics_is_made_up_for_without_a_restart() {
    let (scratch, keys) = (Scratch::new("panics"), Arc::new(Away::default()));
    let store = open_in(&scratch, &keys);
    let key = ConversationKey { tenant: TenantId::generate(), conversation: ConversationId::generate() };
    let opening = Opening { contact: ContactId::generate(), is_anonymous: true, at: Timestamp::from_millis(0) };
    store.claim(key, Some(opening)).await.unwrap();
    let id = store.sealing.known(key).unwrap();
    keys.end_panics.store(true, Ordering::Relaxed);
    assert!(matches!(store.erase(key, None).await, Err(StoreError::Unknown(_))));
    until("the key is not ended", async || matches!(keys.open(id), Err(KeysError::Ended))).await;
    until("it is not forgotten", async || store.erase(key, None).await == Err(StoreError::NotFound)).await;
}

#[tokio::test]
async fn what_cannot_be_read_of_one_row_costs_the_list_no_other() {
    let (scratch, keys) = (Scratch::new("damaged-rows"), Arc::new(Away::default()));
    let store = open_in(&scratch, &keys);
    let (tenant, contact) = (TenantId::generate(), ContactId::generate());
    let mut opened = Vec::new();
    for n in 0..8_i64 {
        let key = ConversationKey { tenant, conversation: ConversationId::generate() };
        let at = Timestamp::from_millis(n);
        store.claim(key, Some(Opening { contact, is_anonymous: false, at })).await.unwrap();
        let said = Fact::Message { text: Text::from("Hola"), r#ref: None, agent: None, reply: None };
        let event = Event { seq: 1, at, author: Author::Contact, fact: said };
        let mut row = ConversationRow::default();
        row.fold([&event]);
        row.contact = Some(contact);
        let append = Append { key, epoch: 1, head: 0, events: [event].into(), due: DueChange::Keep };
        store.append(append).await.unwrap();
        store.project(key, 0, row).await.unwrap();
        opened.push(key);
    }
    drop(store);
    let damages = [
        "UPDATE conversations SET key_id = 999999 WHERE id = ?1",
        "UPDATE conversations SET key_id = -1 WHERE id = ?1",
        "UPDATE conversation_rows SET body = 'garbage' WHERE id = ?1",
        "UPDATE conversation_rows SET body = CAST(x'ff00' AS TEXT), contact = CAST(x'ff' AS TEXT) WHERE id = ?1",
        "UPDATE conversation_rows SET sealed = x'00' WHERE id = ?1",
        "UPDATE conversation_rows SET version = -7000000000 WHERE id = ?1",
        "UPDATE conversation_rows SET id = x'01' WHERE id = ?1",
    ];
    let file = Connection::open(scratch.file()).unwrap();
    for (sql, key) in damages.iter().zip(&opened) {
        assert_eq!(file.execute(sql, params![key.conversation.as_bytes()]).unwrap(), 1, "{sql}");
    }
    drop(file);
    let store = open_in(&scratch, &keys);
    let list = async |limit, before: Option<ListCursor>| {
        store.list(ListQuery { tenant, contacts: None, before, limit }).await.unwrap()
    };
    let shown = list(99, None).await;
    let ids: Vec<_> = shown.iter().map(|row| row.id).collect();
    // All but the one that has no id, which nothing can be asked about.
    let wanted: Vec<_> = [7, 5, 4, 3, 2, 1, 0].map(|n: usize| opened[n].conversation).into();
    assert_eq!(ids, wanted);
    let with_words: Vec<_> = shown.iter().filter(|row| row.last_words.is_some()).map(|row| row.id).collect();
    assert!(with_words.starts_with(&wanted[..1]) && with_words.len() <= 2, "{with_words:?}");
    assert!(shown[2..].iter().all(|row| row.unread.is_none()), "it is not known");
    // A page is as long as was asked for, or who pages takes it for the last one.
    let first = list(2, None).await;
    assert_eq!(first.iter().map(|row| row.id).collect::<Vec<_>>(), wanted[..2]);
    let cursor = ListCursor { last_at: first[1].last_at, id: first[1].id };
    assert_eq!(list(99, Some(cursor)).await.iter().map(|row| row.id).collect::<Vec<_>>(), wanted[2..]);
    // Whoever brings rows on is told of each by itself.
    let rows = store.rows(opened.clone()).await.unwrap();
    let told = rows.iter().map(|row| match row {
        Ok(Some(_)) => "a row",
        Ok(None) => "none",
        Err(StoreError::Corrupt(_)) => "corrupt",
        Err(_) => "failed",
    });
    let wanted = ["corrupt", "corrupt", "none", "none", "none", "none", "corrupt", "a row"];
    assert_eq!(told.collect::<Vec<_>>(), wanted);
    // By contact, too.
    let query = ListQuery { tenant, contacts: Some(vec![contact]), before: None, limit: 99 };
    assert!(store.list(query).await.unwrap().len() >= 5);
}
