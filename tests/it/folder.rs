//! The data folder: nobody else's to read, whole after a stop, never begun anew by itself, and damage in it is
//! told as damage.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use schema::wire::HumanAction;
use serde_json::Value;
use tests::node::{Node, command, data_in, fresh, run};
use tests::{PATIENCE, look_again};
use tokio::time::timeout;

/// A folder and all in it.
fn everything(folder: &Path) -> Vec<PathBuf> {
    let mut all = vec![folder.to_path_buf()];
    let mut at = 0;
    while let Some(path) = all.get(at).cloned() {
        at += 1;
        if path.is_dir() {
            all.extend(fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path()));
        }
    }
    all
}

/// What others may do with something in it.
fn open_to_others(folder: &Path) -> Vec<String> {
    let mode = |path: &PathBuf| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    let open = everything(folder).into_iter().filter(|path| mode(path) & 0o077 != 0);
    open.map(|path| format!("{} {:o}", path.display(), mode(&path))).collect()
}

#[tokio::test]
async fn nobody_else_can_look_into_it_whatever_it_was_before() {
    let root = fresh();
    let data = data_in(root.path());
    fs::create_dir(&data).unwrap();
    fs::set_permissions(&data, fs::Permissions::from_mode(0o777)).unwrap();
    let use_it = async |node: &Node, n: u32| {
        let api = node.api();
        api.learn("hours.md", &format!("# Hours\n\nOn Sundays the shop is closed, {n}.")).await;
        let id = api.open().await;
        api.ask(id, "r1", "When is the shop closed?").await;
    };
    let mut node = Node::start_after("umask 000", root.clone(), &[]);
    use_it(&node, 1).await;
    assert!(everything(&data).iter().any(|path| path.to_string_lossy().contains("knowledge/ten_")), "an index");
    assert_eq!(open_to_others(&data), Vec::<String>::new());
    node.kill();
    for path in everything(&data) {
        let mode = if path.is_dir() { 0o777 } else { 0o666 };
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
    }
    let node = Node::start_after("umask 000", root, &[]);
    use_it(&node, 2).await;
    assert_eq!(open_to_others(&data), Vec::<String>::new());
    assert!(node.log().contains("others could look into the data directory"), "{}", node.log());
}

#[tokio::test]
async fn a_stop_leaves_one_whole_file() {
    let mut node = Node::start(&[]);
    let id = node.api().open().await;
    node.api().ask(id, "r1", "Is anybody there?").await;
    node.signal("TERM");
    assert!(node.ended().await.success());
    let names: Vec<String> = fs::read_dir(node.data())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
        .filter(|name| name.starts_with("tertulia.db"))
        .collect();
    assert_eq!(names, ["tertulia.db"]);
    // A copy of the files that are no index is a backup.
    let root = fresh();
    let copy = data_in(root.path());
    fs::create_dir(&copy).unwrap();
    fs::create_dir(copy.join("keys")).unwrap();
    for file in ["VERSION", "secret.key", "admin.key", "demo.key", "tertulia.db", "keys/conversations.keys"] {
        fs::copy(node.data().join(file), copy.join(file)).unwrap();
    }
    assert!(Node::start_in(root, &[]).api().view(id).await.head >= 3);
}

#[tokio::test]
async fn a_lost_database_is_an_error_and_not_a_fresh_start() {
    let mut node = Node::start(&[]);
    let id = node.api().open().await;
    node.signal("TERM");
    assert!(node.ended().await.success());
    let (database, aside) = (node.data().join("tertulia.db"), node.root().path().join("aside.db"));
    fs::rename(&database, &aside).unwrap();
    for arguments in [&[][..], &["tenant", "list"]] {
        let mut start = command(node.root().path(), &[("TERTULIA_LISTEN", "127.0.0.1:0")]);
        if !arguments.is_empty() {
            // Nothing answers there: the command opens the folder itself.
            start.env("TERTULIA_LISTEN", "127.0.0.1:9");
        }
        start.args(arguments);
        let refused = run(start, "");
        assert_eq!(refused.code, Some(1), "{refused:?}");
        for part in ["tertulia.db is missing", "from a backup", "to begin afresh"] {
            assert!(refused.err.contains(part), "{part}: {refused:?}");
        }
        assert!(!database.exists(), "nothing was put in its place");
    }
    fs::rename(&aside, &database).unwrap();
    assert_eq!(Node::start_in(node.root(), &[]).api().view(id).await.head, 1, "put back, all is there");
}

#[tokio::test]
async fn an_emptied_database_is_an_error_also_where_nothing_else_was_kept() {
    let settings = [("TERTULIA_API_KEY", "a-key-of-my-own-choosing"), ("TERTULIA_KNOWLEDGE__DEMO_DOCUMENTS", "false")];
    let mut node = Node::start(&settings);
    node.signal("TERM");
    assert!(node.ended().await.success());
    let database = node.data().join("tertulia.db");
    fs::write(&database, "").unwrap();
    let refused = run(command(node.root().path(), &settings), "");
    assert_eq!(refused.code, Some(1), "{refused:?}");
    for part in ["tertulia.db is empty", "from a backup", "to begin afresh"] {
        assert!(refused.err.contains(part), "{part}: {refused:?}");
    }
    assert_eq!(fs::metadata(&database).unwrap().len(), 0, "nothing was put in its place");
}

#[tokio::test]
async fn damage_is_told_as_what_it_is() {
    let mut node = Node::start(&[]);
    let api = node.api();
    let id = api.open().await;
    api.human(id, HumanAction::Take, "Zoe").await.ok::<Value>();
    for n in 0..120 {
        api.say(id, &format!("r{n}"), &format!("{n} {}", "word ".repeat(2_000))).await;
    }
    node.signal("TERM");
    assert!(node.ended().await.success());
    let database = node.data().join("tertulia.db");
    let mut bytes = fs::read(&database).unwrap();
    let half = bytes.len() / 2;
    bytes[half..].fill(0xff);
    fs::write(&database, bytes).unwrap();

    let node = Node::start_in(node.root(), &[]);
    let api = node.api();
    let mut after = 0;
    let failed = loop {
        let answer = api.get(&format!("/v1/conversations/{id}/events?after={after}&limit=500")).await;
        if answer.status != 200 {
            break answer;
        }
        after = answer.ok::<schema::wire::EventList>().events.last().expect("the rest is damaged").seq;
    };
    assert_eq!(failed.failure(), (500, "store_corrupt"), "{failed:?}");
    assert_eq!(failed.header("retry-after"), "", "waiting does not help");
    // It is said again what was found half a second ago.
    let told = async {
        loop {
            let answer = api.nobody().get("/readyz").await;
            if answer.status != 200 {
                break answer;
            }
            look_again().await;
        }
    };
    let told = timeout(PATIENCE, told).await.expect("a damaged store is not ready");
    assert_eq!(told.failure(), (500, "store_corrupt"));
    assert!(api.metrics().await.lines().any(|line| line == "tertulia_store_damaged 1"), "{}", api.metrics().await);
    assert!(node.log().contains("the database is damaged"), "{}", node.log());
}
