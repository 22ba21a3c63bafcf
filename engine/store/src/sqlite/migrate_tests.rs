//! Large files of earlier versions: what it takes to bring them forward, and what is left to do afterwards.

use std::process::Command;

use rusqlite::{Connection, params};

use super::connect;
use super::migrate::{self, STEPS};
use super::scratch::Scratch;

/// The last schema without a table of its own for the list; its logs named contacts by their tenants' names.
const WITHOUT_LIST: usize = 5;
const CONVERSATIONS: u32 = 12_000;
/// The child of a test is told its file by it.
const FILE: &str = "TERTULIA_TEST_MIGRATED";

/// A file in which the first event of each conversation stands on a page of its own: 100 MB.
fn left_behind(scratch: &Scratch) {
    let mut file = Connection::open(scratch.file()).unwrap();
    file.execute_batch("PRAGMA page_size = 8192; PRAGMA journal_mode = WAL; PRAGMA synchronous = OFF").unwrap();
    migrate::migrate(&mut file, &STEPS[..WITHOUT_LIST]).unwrap();
    let transaction = file.transaction().unwrap();
    let mut conversation = transaction
        .prepare(
            "INSERT INTO conversations (row_id, tenant, id, contact, epoch, head, last_at)
             VALUES (?1, ?2, ?3, 'name ' || ?1, 1, 2, ?1)",
        )
        .unwrap();
    let mut event = transaction
        .prepare("INSERT INTO events (conversation, seq, w_epoch, format, body) VALUES (?1, ?2, 1, 1, ?3)")
        .unwrap();
    let at = "2023-11-14T22:13:20.000Z";
    for row in 1..=CONVERSATIONS {
        let mut id = [7; 16];
        id[12..].copy_from_slice(&row.to_be_bytes());
        conversation.execute(params![row, [7u8; 16], id]).unwrap();
        let opened = serde_json::json!({"seq": 1, "at": at, "author": "system", "type": "opened",
            "contact": format!("name {row}"), "channel": "web"});
        let said = serde_json::json!({"seq": 2, "at": at, "author": "contact", "type": "message",
            "text": "x".repeat(7_800)});
        event.execute(params![row, 1, opened.to_string()]).unwrap();
        event.execute(params![row, 2, said.to_string()]).unwrap();
    }
    drop((conversation, event));
    transaction.commit().unwrap();
}

/// The most memory that this process has had so far, in bytes.
fn most_memory() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1_024
}

/// What [`a_large_file_comes_forward_in_bounded_memory`] does in a process of its own; by itself it does nothing.
#[test]
fn child_that_brings_a_large_file_forward() {
    let Some(path) = std::env::var_os(FILE) else { return };
    let before = most_memory();
    let connection = connect::open_writer(path.as_ref()).unwrap();
    println!("more by {} bytes", most_memory() - before);
    // Nothing is left to be copied while clients wait.
    let (log, copied): (i64, i64) =
        connection.query_row("PRAGMA wal_checkpoint(NOOP)", [], |row| Ok((row.get(1)?, row.get(2)?))).unwrap();
    println!("{log} pages in the log, {copied} copied");
}

#[cfg(target_os = "linux")]
#[test]
fn a_large_file_comes_forward_in_bounded_memory() {
    let scratch = Scratch::new("large");
    left_behind(&scratch);
    let child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "--nocapture", "sqlite::migrate_tests::child_that_brings_a_large_file_forward"])
        .env(FILE, scratch.file())
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&child.stdout).into_owned();
    assert!(child.status.success(), "{told}{}", String::from_utf8_lossy(&child.stderr));
    let more: u64 =
        told.lines().find_map(|line| line.strip_prefix("more by ")?.strip_suffix(" bytes")).unwrap().parse().unwrap();
    eprintln!("{} MiB more, for a file of {} MiB", more >> 20, std::fs::metadata(scratch.file()).unwrap().len() >> 20);
    // The page cache has 32 MiB; the old pages of all first events would be 94 MiB.
    assert!(more < 64 << 20, "{told}");
    assert!(told.lines().any(|line| line == "0 pages in the log, 0 copied"), "{told}");

    let file = Connection::open(scratch.file()).unwrap();
    let count = |sql: &str| -> u32 { file.query_row(sql, [], |row| row.get(0)).unwrap() };
    let moved = "SELECT count(*) FROM conversations AS log
        JOIN events ON events.conversation = log.row_id AND events.seq = 1
        JOIN conversation_rows AS listed ON listed.conversation = log.row_id AND listed.contact = log.contact
        JOIN record_keys AS keys ON keys.scope = log.tenant AND keys.kind = 'contact'
          AND keys.key = 'external:name ' || log.row_id AND keys.id = log.contact
        WHERE json_extract(events.body, '$.contact') = log.contact AND log.contact GLOB 'ct_*'";
    assert_eq!(count(moved), CONVERSATIONS);
}

#[test]
fn keys_in_use_are_known_from_what_an_earlier_version_has_left() {
    for (keys, ending, wanted) in [(vec![], None, 0), (vec![9, 4], None, 9), (vec![9, 4], Some(12), 12)] {
        let mut file = Connection::open_in_memory().unwrap();
        migrate::migrate(&mut file, &STEPS[..8]).unwrap();
        file.execute("INSERT INTO installation (id, sealed_to) VALUES (x'01', 0)", []).unwrap();
        for (row, key) in keys.iter().enumerate() {
            file.execute(
                "INSERT INTO conversations (tenant, id, contact, epoch, head, last_at, key_id)
                 VALUES (x'01', ?1, '', 1, 0, 0, ?2)",
                params![[u8::try_from(row).unwrap(); 16], key],
            )
            .unwrap();
        }
        if let Some(ending) = ending {
            file.execute("INSERT INTO ending_keys VALUES (?1)", [ending]).unwrap();
        }
        migrate::migrate(&mut file, STEPS).unwrap();
        let found: i64 = file.query_row("SELECT keys_to FROM installation", [], |row| row.get(0)).unwrap();
        assert_eq!(found, wanted, "{keys:?} {ending:?}");
    }
}
