//! The file of keys, and what may happen to it while a node serves or between two of its lives: taken away, put back from
//! before an erasure, damaged in one place, on a full disk.

use std::fs::{self, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::Path;

use engine_privacy::{FileKeys, Keys};
use schema::wire::{ConversationList, HumanAction};
use serde_json::{Value, json};
use tests::look_again;
use tests::node::{Node, command, run};

/// Where the keys' slots begin, and how long one is.
const HEADER_BYTES: u64 = 64;
const SLOT_BYTES: u64 = 32;

/// How often it was told that keys cannot be looked after, and that they can be again.
fn told(node: &Node) -> [usize; 2] {
    ["the store's keys cannot be looked after", "the store's keys are looked after again"]
        .map(|words| node.log().matches(words).count())
}

#[tokio::test]
async fn an_erasure_is_refused_as_long_as_its_key_cannot_end() {
    let node = Node::start(&[]);
    let api = node.api();
    let open = async || api.open_with(&format!("Ana {}", schema::ContactId::generate())).await;
    let (asked_for, waited_for) = (open().await, open().await);
    let name = format!("Bo {}", schema::ContactId::generate());
    let theirs = [api.open_with(&name).await, api.open_with(&name).await, api.open_with(&name).await];
    let contact = api.view(theirs[0]).await.contact_id.unwrap();
    let paths = [format!("/v1/conversations/{asked_for}"), format!("/v1/contacts/{contact}")];
    let delete = async |path: &str| api.call("DELETE", path).await;
    let (keys, aside) = (node.data().join("keys/conversations.keys"), node.root().path().join("aside"));
    let ended = |path: &Path| u64::from_le_bytes(fs::read(path).unwrap()[40..48].try_into().unwrap());

    fs::rename(&keys, &aside).unwrap();
    for round in 0..2 {
        for answer in futures_util::future::join_all(paths.iter().map(|path| delete(path))).await {
            assert_eq!(answer.failure(), (503, "store_unavailable"), "round {round}: {}", answer.body);
            assert!(answer.header("retry-after").parse::<u64>().is_ok_and(|seconds| seconds >= 1), "{answer:?}");
        }
    }
    // What cannot be done holds up nothing that can: all that was said is removed.
    for id in theirs {
        assert_eq!(api.get(&format!("/v1/conversations/{id}")).await.failure(), (404, "unknown_conversation"));
    }
    assert_eq!(ended(&aside), 0);
    assert_eq!(api.metric(r#"tertulia_store_keys_failing{doing="ending"}"#).await.to_string(), "1");
    // What is removed is not there, and is not gone for good either.
    assert_eq!(api.get(&paths[0]).await.failure(), (404, "unknown_conversation"));
    // One who waits for the answer is told so as soon as the key has ended.
    let path = format!("/v1/conversations/{waited_for}");
    let put_back = async {
        while api.get(&path).await.status != 404 {
            look_again().await;
        }
        fs::rename(&aside, &keys).unwrap();
    };
    assert_eq!(tokio::join!(delete(&path), put_back).0.status, 204);
    // The others' keys end without anybody's asking.
    while ended(&keys) < 5 {
        look_again().await;
    }
    for path in &paths {
        let answer = delete(path).await;
        assert!([204, 404].contains(&answer.status), "{path}: {}", answer.body);
    }
    while api.get(&paths[1]).await.status != 404 {
        look_again().await;
    }
    while api.metric(r#"tertulia_store_keys_failing{doing="ending"}"#).await > 0.0 {
        look_again().await;
    }
    // It lasted, and was tried again and again: that is told once, and so is its end.
    assert_eq!(told(&node), [1, 1], "{}", node.log());
}

#[tokio::test]
async fn keys_from_before_an_erasure_open_no_node() {
    let mut node = Node::start(&[]);
    let api = node.api();
    let (id, kept) = (api.open().await, api.open().await);
    let (keys, early) = (node.data().join("keys/conversations.keys"), node.root().path().join("early"));
    fs::copy(&keys, &early).unwrap();
    assert_eq!(api.call("DELETE", &format!("/v1/conversations/{id}")).await.status, 204);
    node.signal("TERM");
    assert!(node.ended().await.success());
    let newest = fs::read(&keys).unwrap();
    fs::copy(&early, &keys).unwrap();
    let mut start = command(node.root().path(), &[("TERTULIA_LISTEN", "127.0.0.1:0")]);
    start.arg("serve");
    let refused = run(start, "");
    assert_eq!(refused.code, Some(1), "{refused:?}");
    assert!(refused.err.contains("older than the data") && refused.err.contains("put back the newest"), "{refused:?}");
    fs::write(&keys, newest).unwrap();
    assert_eq!(Node::start_in(node.root(), &[]).api().view(kept).await.head, 1, "put back, all is there");
}

#[tokio::test]
async fn one_damaged_key_takes_one_conversations_words_from_the_list() {
    let mut node = Node::start(&[]);
    let api = node.api();
    let mut ids = vec![];
    for contact in ["Ana", "Bo", "Cy"] {
        let id = api.open_with(contact).await;
        api.human(id, HumanAction::Take, "Zoe").await.ok::<Value>();
        api.say(id, "r1", "Do you have red lanterns?").await;
        ids.push(id);
    }
    let list = async |node: &Node| {
        let rows = node.api().get("/v1/conversations").await.ok::<ConversationList>().conversations;
        rows.into_iter().map(|row| (row.id, row.last_words.is_some())).collect::<Vec<_>>()
    };
    assert_eq!(list(&node).await, [(ids[2], true), (ids[1], true), (ids[0], true)]);
    node.signal("TERM");
    assert!(node.ended().await.success());
    // Keys are allotted in order: this is the second conversation's.
    let keys = OpenOptions::new().write(true).open(node.data().join("keys/conversations.keys")).unwrap();
    keys.write_all_at(&[0; SLOT_BYTES as usize], HEADER_BYTES + SLOT_BYTES).unwrap();
    drop(keys);
    let node = Node::start_in(node.root(), &[]);
    for _ in 0..3 {
        assert_eq!(list(&node).await, [(ids[2], true), (ids[1], false), (ids[0], true)]);
    }
    let api = node.api();
    assert!(api.metric("tertulia_store_rows_unreadable_total").await >= 3.0, "{}", api.metrics().await);
    assert_eq!(node.log().matches("a row of the list cannot be read").count(), 1, "{}", node.log());
    let events = api.get(&format!("/v1/conversations/{}/events", ids[1])).await;
    assert_eq!(events.failure(), (500, "store_corrupt"), "who asks for its words is told why there are none");
}

#[tokio::test]
async fn without_room_for_keys_a_node_goes_on_with_what_is_there() {
    let mut node = Node::start(&[]);
    let api = node.api();
    let id = api.open().await;
    api.human(id, HumanAction::Take, "Zoe").await.ok::<Value>();
    node.signal("TERM");
    assert!(node.ended().await.success());
    // The longest file of all, so that a limit on the length of files is one on it alone.
    let path = node.data().join("keys/conversations.keys");
    let keys = FileKeys::open(&path, None).unwrap();
    while fs::metadata(&path).unwrap().len() < 8 * 1024 * 1024 {
        keys.allot(usize::MAX).unwrap();
    }
    drop(keys);
    let length = fs::metadata(&path).unwrap().len();
    let before = format!(r#"trap "" XFSZ; prlimit --pid=$$ --fsize={length}:unlimited"#);
    let node = Node::start_after(&before, node.root(), &[]);
    let api = node.api();
    assert!(api.try_say(id, "r1", "Is it open?").await.status < 300, "what is there goes on");
    for _ in 0..2 {
        let refused = api.post("/v1/conversations", &json!({})).await;
        assert_eq!(refused.failure(), (503, "store_unavailable"), "{}", refused.body);
        assert!(refused.header("retry-after").parse::<u64>().is_ok_and(|seconds| seconds >= 1), "{refused:?}");
    }
    assert_eq!(api.nobody().get("/readyz").await.failure(), (503, "store_unavailable"));
    let failing = r#"tertulia_store_keys_failing{doing="making"}"#;
    while api.metric(failing).await < 1.0 {
        look_again().await;
    }
    node.limit_files("unlimited");
    while api.nobody().get("/readyz").await.status != 200 || api.metric(failing).await > 0.0 {
        look_again().await;
    }
    api.open().await;
    assert_eq!(told(&node), [1, 1], "{}", node.log());
}

#[tokio::test]
async fn keys_without_their_data_open_no_new_node() {
    let root = tests::node::fresh();
    let (folder, data) = (root.path().join("volume"), tests::node::data_in(root.path()));
    let settings = [("TERTULIA_STORE__KEYS", folder.to_str().unwrap())];
    let mut node = Node::start_in(root.clone(), &settings);
    let id = node.api().open().await;
    node.kill();
    let (file, away) = (folder.join("conversations.keys"), root.path().join("away"));
    let keys = fs::read(&file).unwrap();
    // The volume with the data is not mounted: its place is there, and empty.
    fs::rename(&data, &away).unwrap();
    fs::create_dir(&data).unwrap();
    let learn: &[&str] = &["tenant", "create", "acme"];
    for arguments in [&[], learn] {
        let mut started = command(root.path(), &settings);
        started.args(arguments);
        let ran = run(started, "");
        assert_eq!((ran.code, ran.err.lines().count()), (Some(1), 1), "{ran:?}");
        for part in [data.to_str().unwrap(), file.to_str().unwrap(), "is its volume mounted?"] {
            assert!(ran.err.contains(part), "{part}: {ran:?}");
        }
        assert_eq!(fs::read_dir(&data).unwrap().count(), 0, "nothing is begun");
        assert!(fs::read(&file).unwrap() == keys, "and nothing added");
    }
    fs::remove_dir(&data).unwrap();
    fs::rename(&away, &data).unwrap();
    let mut node = Node::start_in(root.clone(), &settings);
    assert_eq!(node.api().view(id).await.head, 1);
    node.kill();
    // To begin afresh both are moved away.
    fs::rename(&data, &away).unwrap();
    fs::rename(&file, root.path().join("old.keys")).unwrap();
    let node = Node::start_in(root, &settings);
    assert_eq!(node.api().get(&format!("/v1/conversations/{id}")).await.status, 404);
}
