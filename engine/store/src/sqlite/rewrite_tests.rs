//! A process that seals what an earlier version has left is killed again and again: once it says that nothing is left
//! in the clear, nothing is, in none of its files.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rusqlite::{Connection, OpenFlags, params};
use schema::{ConversationKey, Seq};

use super::checkpoint::Checkpoints;
use super::job::Write;
use super::rewrite::{WantedWrite, rewrite};
use super::rows::{Memory, Rows};
use super::scratch::Scratch;
use super::{LOCK_PATIENCE, SqliteOptions, SqliteStore, connect, migrate};
use crate::{Log, PageBounds, StoreError};

/// Longer than anything that is waited for.
const PATIENCE: Duration = Duration::from_secs(60);
/// Names the file to the process that is killed.
const VICTIM: &str = "TERTULIA_TEST_STORE";
const WORD: &str = "quetzalcoatl";
const EVENTS: i64 = 3_000;

/// No test by itself: it is what is killed. The parent says with which file.
#[test]
fn the_process_that_is_killed() {
    let Some(path) = std::env::var_os(VICTIM) else { return };
    let _store = SqliteStore::open(Path::new(&path), SqliteOptions::default()).unwrap();
    loop {
        thread::park();
    }
}

/// Killed and waited for when it is dropped.
struct Victim(Child);

impl Victim {
    fn start(path: &Path) -> Self {
        let test = "sqlite::rewrite_tests::the_process_that_is_killed";
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--exact", test]).env(VICTIM, path).stdout(Stdio::null()).stderr(Stdio::null());
        Self(command.spawn().unwrap())
    }
}

impl Drop for Victim {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

/// Rows come and go as in a process that does not overwrite what it frees: words of theirs stay between what is stored.
fn leave_words(file: &Connection) {
    file.execute_batch("PRAGMA secure_delete = OFF; BEGIN").unwrap();
    let insert = "INSERT INTO records (scope, kind, id, version, body) VALUES (x'', 'past', ?1, 1, CAST(?2 AS BLOB))";
    let mut insert = file.prepare(insert).unwrap();
    for n in 0..200_usize {
        insert.execute(params![n.to_string(), WORD.repeat(n)]).unwrap();
    }
    drop(insert);
    file.execute_batch("COMMIT; DELETE FROM records WHERE kind = 'past'").unwrap();
}

/// A file of version 1 with messages of very different lengths, so that its pages are rebuilt as they are sealed.
fn old(name: &str) -> Scratch {
    let scratch = Scratch::new(name);
    let file = Connection::open(scratch.file()).unwrap();
    file.execute_batch(migrate::VERSION_1).unwrap();
    file.execute_batch("BEGIN").unwrap();
    let insert = "INSERT INTO events (conversation, seq, w_epoch, format, body) VALUES (1, ?1, 1, 1, ?2)";
    let mut insert = file.prepare(insert).unwrap();
    for seq in 4..=EVENTS {
        let text = format!("{seq} {}", WORD.repeat(usize::try_from(seq * 7_919 % 97).unwrap().pow(2) / 60));
        let at = r#""at":"2023-11-14T22:13:23.000Z","author":"contact","type":"message""#;
        insert.execute(params![seq, format!(r#"{{"seq":{seq},{at},"text":"{text}"}}"#)]).unwrap();
    }
    drop(insert);
    file.execute("UPDATE conversations SET head = ?1 WHERE row_id = 1", [EVENTS]).unwrap();
    file.execute_batch("COMMIT").unwrap();
    leave_words(&file);
    scratch
}

fn holding(scratch: &Scratch) -> Vec<PathBuf> {
    let files = fs::read_dir(scratch.file().parent().unwrap()).unwrap().map(|entry| entry.unwrap().path());
    let holds = |path: &PathBuf| fs::read(path).unwrap().windows(WORD.len()).any(|part| part == WORD.as_bytes());
    files.filter(holds).collect()
}

/// How far it is, as its file says: sealed up to this event, and rewritten or not.
fn state(path: &Path) -> Option<(i64, i64)> {
    let file = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY).ok()?;
    file.query_row("SELECT sealed_to, rewritten FROM installation", [], |row| Ok((row.get(0)?, row.get(1)?))).ok()
}

fn wait_for(path: &Path, reached: impl Fn((i64, i64)) -> bool) {
    let begun = Instant::now();
    while !state(path).is_some_and(&reached) {
        assert!(begun.elapsed() < PATIENCE, "it came to {:?}", state(path));
        thread::sleep(Duration::from_millis(1));
    }
}

type Moment = fn((i64, i64)) -> bool;

#[tokio::test]
async fn nothing_is_left_in_the_clear_wherever_it_was_killed() {
    let moments: [&[Moment]; 3] = [
        &[|(to, _)| to > 0, |(to, _)| to > EVENTS / 2, |(to, _)| to == i64::MAX],
        &[|(to, _)| to > EVENTS / 4, |(to, _)| to > EVENTS * 3 / 4, |(to, _)| to == i64::MAX, |(to, _)| to == i64::MAX],
        &[],
    ];
    for (round, moments) in moments.into_iter().enumerate() {
        let scratch = old(&format!("rewritten-{round}"));
        for moment in moments {
            let victim = Victim::start(&scratch.file());
            wait_for(&scratch.file(), moment);
            drop(victim);
            let is_told = state(&scratch.file()).is_some_and(|(_, mark)| mark == 1);
            assert!(!is_told || holding(&scratch).is_empty(), "round {round}");
        }
        let victim = Victim::start(&scratch.file());
        wait_for(&scratch.file(), |(_, mark)| mark == 1);
        drop(victim);
        assert_eq!(holding(&scratch), Vec::<PathBuf>::new(), "round {round}");

        // What was said is there, and it is not rewritten again until somebody wants it.
        let store = SqliteStore::open(&scratch.file(), SqliteOptions::default()).unwrap();
        let key = ConversationKey {
            tenant: "ten_018f0000000070008000000000000001".parse().unwrap(),
            conversation: "conv_018f00000000700080000000000000c1".parse().unwrap(),
        };
        let page = store.read(key, EVENTS.cast_unsigned() - 2, PageBounds::FULL).await.unwrap();
        assert_eq!((page.head, page.events.len()), (EVENTS.cast_unsigned() as Seq, 2), "round {round}");
        assert!(serde_json::to_string(&page.events).unwrap().contains(WORD));
    }
}

#[tokio::test]
async fn documents_that_were_sealed_are_rewritten_when_it_is_asked_for() {
    use crate::{RecordName, Records, Scope, Seals};
    let scratch = old("rewritten-documents");
    let name = |n: usize| RecordName { scope: Scope::Node, kind: "document", id: format!("{n}") };
    let store = SqliteStore::open(&scratch.file(), SqliteOptions::default()).unwrap();
    wait_for(&scratch.file(), |(_, mark)| mark == 1);
    for n in 0..300 {
        store.put(name(n), 0, WORD.repeat(n * 7 % 90).into()).await.unwrap();
    }
    assert!(!holding(&scratch).is_empty());
    for n in 0..300 {
        store.put(name(n), 1, vec![7; n % 5 * 100]).await.unwrap();
    }
    leave_words(&Connection::open(scratch.file()).unwrap());
    store.rewrite().await.unwrap();
    assert_eq!(state(&scratch.file()).unwrap().0, i64::MAX);
    wait_for(&scratch.file(), |(_, mark)| mark == 1);
    assert_eq!(holding(&scratch), Vec::<PathBuf>::new());
}

/// A file of this version that is to be rewritten, and the writer's connection to it.
fn wanted(name: &str) -> (Scratch, Connection) {
    let scratch = Scratch::new(name);
    drop(SqliteStore::open(&scratch.file(), SqliteOptions::default()).unwrap());
    let writer = connect::open_writer(&scratch.file()).unwrap();
    leave_words(&writer);
    writer.execute("UPDATE installation SET rewritten = 0, sealed_to = ?1", [i64::MAX]).unwrap();
    (scratch, writer)
}

/// Another program, or a backup, in the midst of reading.
fn reads(scratch: &Scratch) -> Connection {
    let reader = Connection::open(scratch.file()).unwrap();
    reader.execute_batch("BEGIN; SELECT count(*) FROM records").unwrap();
    let _: i64 = reader.query_row("SELECT count(*) FROM records", [], |row| row.get(0)).unwrap();
    reader
}

fn log_bytes(scratch: &Scratch) -> u64 {
    let mut log = scratch.file().into_os_string();
    log.push("-wal");
    fs::metadata(log).unwrap().len()
}

#[test]
fn while_somebody_reads_from_the_log_the_file_is_not_rewritten() {
    let (scratch, writer) = wanted("rewritten-read");
    let reader = reads(&scratch);
    let before = (log_bytes(&scratch), fs::read(scratch.file()).unwrap().len());
    for _ in 0..3 {
        let refused = rewrite(&writer, &scratch.file()).unwrap();
        assert!(matches!(&refused, Err(StoreError::Unavailable(why)) if why.contains("reads")), "{refused:?}");
        assert_eq!((log_bytes(&scratch), state(&scratch.file()).unwrap().1), (before.0, 0));
    }
    drop(reader);
    assert_eq!(rewrite(&writer, &scratch.file()).unwrap(), Ok(()));
    assert_eq!((state(&scratch.file()).unwrap().1, holding(&scratch)), (1, vec![]));
    assert!(log_bytes(&scratch) < before.0);
}

#[test]
fn a_file_is_rewritten_once_however_long_its_log_is_read() {
    let (scratch, writer) = wanted("rewritten-once");
    // Who reads while the log is empty is not seen before the log is used again.
    writer.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)").unwrap();
    let reader = reads(&scratch);
    let mut sizes = Vec::new();
    for _ in 0..3 {
        assert!(matches!(rewrite(&writer, &scratch.file()).unwrap(), Err(StoreError::Unavailable(_))));
        assert_eq!(state(&scratch.file()).unwrap().1, 3);
        sizes.push(log_bytes(&scratch));
    }
    assert!(sizes[0] > 0 && sizes.iter().all(|size| *size == sizes[0]), "rewritten again: {sizes:?}");
    // The next process goes on where this one stops.
    drop((reader, writer));
    let writer = connect::open_writer(&scratch.file()).unwrap();
    assert_eq!(rewrite(&writer, &scratch.file()).unwrap(), Ok(()));
    assert_eq!((state(&scratch.file()).unwrap().1, holding(&scratch)), (1, vec![]));
}

#[test]
fn a_log_that_somebody_reads_holds_up_no_write() {
    let (scratch, writer) = wanted("rewritten-long");
    let reader = reads(&scratch);
    let mut checkpoints = Checkpoints::default();
    let begun = Instant::now();
    checkpoints.restart(&writer).unwrap();
    assert!(begun.elapsed() < LOCK_PATIENCE, "it waits for who reads: {:?}", begun.elapsed());
    let before = log_bytes(&scratch);
    drop(reader);
    checkpoints.restart(&writer).unwrap();
    writer.execute("UPDATE installation SET rewritten = 0", []).unwrap();
    assert_eq!(log_bytes(&scratch), before, "the log does not start over");
}

#[test]
fn what_is_replaced_before_the_log_is_empty_has_the_file_rewritten_again() {
    for (mark, wanted_again) in [(0, 0), (1, 0), (2, 2), (3, 0)] {
        let (scratch, writer) = wanted(&format!("rewritten-mark-{mark}"));
        writer.execute("UPDATE installation SET rewritten = ?1", [mark]).unwrap();
        let keys = engine_privacy::FileKeys::open(&scratch.file().with_extension("other"), None).unwrap();
        let mut memory = Memory::new(std::sync::Arc::new(super::sealing::Sealing::new(std::sync::Arc::new(keys))));
        let mut rows = Rows { connection: &writer, memory: &mut memory };
        assert_eq!(WantedWrite.apply(&mut rows).unwrap(), Ok(()));
        assert_eq!(state(&scratch.file()).unwrap().1, wanted_again, "{mark}");
    }
}

#[tokio::test]
async fn a_new_file_is_never_rewritten() {
    use crate::Seals;
    let scratch = Scratch::new("rewritten-never");
    let store = SqliteStore::open(&scratch.file(), SqliteOptions::default()).unwrap();
    store.rewrite().await.unwrap();
    assert_eq!(state(&scratch.file()).unwrap().1, 2);
}
