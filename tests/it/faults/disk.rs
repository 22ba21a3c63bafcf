//! A disk that takes no more, and one that gave back less than it took: clear answers, nothing
//! acknowledged that is not there, and service again as soon as it can be.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use loadtest::checker::{History, Sender};
use schema::wire::HumanAction;
use schema::{Author, Ref};
use serde_json::Value;
use tests::node::{Node, fresh};
use tests::{PATIENCE, look_again};
use tokio::time::timeout;

type Damage = fn(&mut Vec<u8>);

fn files(node: &Node, end: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(node.data()).unwrap().map(|entry| entry.unwrap().path());
    entries.filter(|path| path.to_string_lossy().ends_with(end)).collect()
}

#[tokio::test]
async fn a_full_disk_is_said_and_survived() {
    let node = Node::start_with_limited_files(&[]);
    let api = node.api();
    let id = api.open().await;
    api.human(id, HumanAction::Take, "Zoe").await.ok::<Value>();
    let mut sender = Sender::new(Author::Contact);
    let reference = |n: usize| format!("r{n}").parse::<Ref>().unwrap();
    let text = |n: usize| format!("{n} {}", "x".repeat(8_000));
    let largest =
        fs::read_dir(node.data()).unwrap().map(|entry| entry.unwrap().metadata().unwrap().len()).max().unwrap();
    node.limit_files(&(largest + 100_000).to_string());
    let mut refused = None;
    for n in 0..200 {
        sender.sends(&reference(n), &text(n));
        let answer = api.try_say(id, reference(n).as_str(), &text(n)).await;
        if answer.status == 200 || answer.status == 201 {
            sender.acknowledged(&reference(n), answer.ok::<Value>()["seq"].as_u64().unwrap());
            continue;
        }
        // What came of the first may be unknown; from then on it is plain.
        assert_eq!(answer.status, 503, "{answer:?}");
        assert!(answer.header("retry-after").parse::<u64>().is_ok_and(|seconds| seconds >= 1), "{answer:?}");
        refused = Some(n);
        break;
    }
    let refused = refused.expect("the limit was never met");
    let plain = async {
        loop {
            let answer = api.try_say(id, reference(refused).as_str(), &text(refused)).await;
            assert_eq!(answer.status, 503, "it stays refused: {answer:?}");
            if answer.failure() == (503, "store_unavailable") {
                break;
            }
            look_again().await;
        }
    };
    timeout(PATIENCE, plain).await.expect("it says what is wrong");
    assert_eq!(api.nobody().get("/readyz").await.failure(), (503, "store_unavailable"), "no new work is wanted");
    assert!(!api.whole_log(id).await.is_empty(), "reading goes on");

    node.limit_files("unlimited");
    // Nobody needs to write for it to find that out.
    let ready = async {
        while api.nobody().get("/readyz").await.status != 200 {
            look_again().await;
        }
    };
    timeout(PATIENCE, ready).await.expect("it is ready again");
    let recovered = async {
        loop {
            let answer = api.try_say(id, reference(refused).as_str(), &text(refused)).await;
            if answer.status == 200 || answer.status == 201 {
                return answer.ok::<Value>()["seq"].as_u64().unwrap();
            }
            look_again().await;
        }
    };
    let seq = timeout(PATIENCE, recovered).await.expect("it recovers by itself");
    sender.acknowledged(&reference(refused), seq);
    let history = History { senders: vec![sender], nobody_else: true, ..History::default() };
    assert_eq!(history.check(&api.whole_log(id).await), []);
}

/// Attempts to be faster than the checkpoint that an idle writer makes: after it the newest file is spare.
const ATTEMPTS: usize = 20;

/// What a power cut or a bad disk may leave at the end of the newest file, and whether that takes away
/// what was in it.
#[tokio::test]
async fn a_damaged_tail_is_cut_off_or_told() {
    let damages: [(&str, bool, Damage); 3] = [
        ("garbage behind it", false, |bytes| bytes.extend(std::iter::repeat_n(0xa5, 10_000))),
        ("half of it gone", true, |bytes| bytes.truncate(bytes.len() / 2)),
        ("its last page turned", true, |bytes| {
            let from = bytes.len().saturating_sub(2_000);
            bytes[from..].iter_mut().for_each(|byte| *byte ^= 0xff);
        }),
    ];
    for (name, takes_away, damage) in damages {
        let mut attempts = 0;
        while (lost_by(name, damage).await > 0) != takes_away {
            assert!(takes_away, "{name}: something is lost");
            attempts += 1;
            assert!(attempts < ATTEMPTS, "{name}: nothing is ever lost; is the damage done where the data is?");
        }
    }
}

/// How many events at the end are lost by it. What is left must be whole, and the node go on.
async fn lost_by(name: &str, damage: Damage) -> usize {
    let root = fresh();
    let mut node = Node::start_in(Arc::clone(&root), &[]);
    let api = node.api();
    let id = api.open().await;
    api.human(id, HumanAction::Take, "Zoe").await.ok::<Value>();
    for n in 0..50 {
        api.say(id, &format!("r{n}"), &format!("message {n}")).await;
    }
    let before = api.whole_log(id).await;
    node.kill();
    let newest = files(&node, "-wal");
    assert_eq!(newest.len(), 1, "{newest:?}");
    let mut bytes = fs::read(&newest[0]).unwrap();
    damage(&mut bytes);
    fs::write(&newest[0], bytes).unwrap();

    let again = Node::start_in(root, &[]);
    let api = again.api();
    if api.get(&format!("/v1/conversations/{id}/events")).await.status == 404 {
        return before.len();
    }
    let log = api.whole_log(id).await;
    assert_eq!(log[..], before[..log.len()], "{name}");
    let next = api.try_say(id, "next", "Are you still there?").await;
    assert!(next.status < 300, "{name}: {next:?}");
    before.len() - log.len()
}
