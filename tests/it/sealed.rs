//! What is said is sealed: no file of a node shows it, and after an erasure no backup from before can be read with
//! the keys of after. Keys may stand apart, and a node without the right ones does not start.

use std::fs;
use std::path::Path;

use schema::wire::{ConversationList, EventList, HumanAction, UnansweredList};
use serde_json::{Value, json};
use tests::api::Api;
use tests::look_again;
use tests::node::{Node, command, data_in, fresh, run};

const WORD: &str = "quetzalcoatl";
const NOTE: &str = "zopilotes";
const AGENT: &str = "Xochitl";

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for path in fs::read_dir(from).unwrap().map(|entry| entry.unwrap().path()) {
        let target = to.join(path.file_name().unwrap());
        if path.is_dir() {
            copy(&path, &target);
        } else {
            fs::copy(&path, &target).unwrap();
        }
    }
}

/// The files of a folder, and of the folders in it, in which a word stands.
fn holds(folder: &Path, word: &str) -> Vec<String> {
    let mut found = Vec::new();
    for path in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
        if path.is_dir() {
            found.extend(holds(&path, word));
        } else if path.is_file() && fs::read(&path).unwrap().windows(word.len()).any(|part| part == word.as_bytes()) {
            found.push(path.display().to_string());
        }
    }
    found
}

async fn told(api: &Api) -> String {
    let unanswered = api.get("/v1/unanswered").await.body;
    let list = api.get("/v1/conversations?limit=100").await.body;
    format!("{unanswered}{list}")
}

#[tokio::test]
async fn no_file_shows_what_is_said_and_after_an_erasure_no_backup_can_be_read() {
    let root = fresh();
    let vault = root.path().join("vault");
    let vault_name = vault.display().to_string();
    let settings = [("TERTULIA_STORE__KEYS", &*vault_name)];
    let mut node = Node::start_in(root.clone(), &settings);
    let api = node.api();
    let (id, kept) = (api.open_with("Ana").await, api.open_with("Bo").await);
    let question = format!("Is there a parking for {WORD} behind the shop?");
    let reply = api.ask(id, "q1", &question).await;
    api.ask(kept, "q1", "Is there a parking for camels behind the shop?").await;
    let verdict = format!("/v1/conversations/{id}/messages/{}/verdict", reply.seq);
    let answer = api.post(&verdict, &json!({"verdict": "wrong", "note": format!("We have {NOTE}.")})).await;
    assert!(answer.status < 300, "{}", answer.body);
    api.human(id, HumanAction::Take, AGENT).await.ok::<Value>();
    // Everything that copies words has had them: the board, the list's row, a verdict.
    loop {
        let questions = api.get("/v1/unanswered").await.ok::<UnansweredList>().questions;
        let rows = api.get("/v1/conversations?limit=100").await.ok::<ConversationList>().conversations;
        let listed = rows.iter().any(|row| row.last_words.as_ref().is_some_and(|words| words.as_str().contains(WORD)));
        if listed && questions.iter().any(|row| row.question.contains(WORD)) {
            break;
        }
        look_again().await;
    }
    let log: EventList = api.log(id).await;
    assert_eq!(log.verdicts.first().and_then(|one| one.note.as_deref()), Some(&*format!("We have {NOTE}.")));
    for word in [WORD, NOTE, AGENT] {
        assert_eq!(holds(&node.data(), word), Vec::<String>::new(), "{word}");
    }

    node.signal("TERM");
    assert!(node.ended().await.success());
    let restored = fresh();
    copy(&node.data(), &data_in(restored.path()));
    let node = Node::start_in(root.clone(), &settings);
    let api = node.api();
    assert!(told(&api).await.contains(WORD), "a restart changes nothing");
    assert_eq!(api.log(id).await.events, log.events);
    assert_eq!(api.call("DELETE", &format!("/v1/conversations/{id}")).await.status, 204);
    assert!(!told(&api).await.contains(WORD));
    let mut node = node;
    node.signal("TERM");
    assert!(node.ended().await.success());

    // The backup from before the erasure, with the keys of after.
    let node = Node::start_in(restored, &settings);
    let api = node.api();
    for path in ["", "/events"] {
        let gone = api.get(&format!("/v1/conversations/{id}{path}")).await;
        assert_eq!(gone.failure(), (404, "unknown_conversation"), "{path}");
    }
    assert_eq!(api.try_say(id, "r2", "Hello?").await.failure(), (404, "unknown_conversation"));
    assert!(!told(&api).await.contains(WORD));
    assert!(api.log(kept).await.events.len() >= 3, "others are as they were");
    loop {
        let rows = api.get("/v1/conversations?limit=100").await.ok::<ConversationList>().conversations;
        if rows.iter().map(|row| row.id).eq([kept]) {
            break;
        }
        look_again().await;
    }
    for word in [WORD, NOTE, AGENT] {
        assert_eq!(holds(&node.data(), word), Vec::<String>::new(), "{word}");
        assert!(!node.log().contains(word), "{word}");
    }
}

#[tokio::test]
async fn a_node_without_its_keys_says_so_and_does_not_start() {
    let mut node = Node::start(&[]);
    let id = node.api().open().await;
    node.signal("TERM");
    assert!(node.ended().await.success());
    let (keys, aside) = (node.data().join("keys/conversations.keys"), node.root().path().join("aside"));
    fs::rename(&keys, &aside).unwrap();
    let refused = |words: &[&str]| {
        for arguments in [&["serve"][..], &["tenant", "list"]] {
            let mut start = command(node.root().path(), &[("TERTULIA_LISTEN", "127.0.0.1:0")]);
            if arguments != ["serve"] {
                // Nothing answers there: the command opens the folder itself.
                start.env("TERTULIA_LISTEN", "127.0.0.1:9");
            }
            start.args(arguments);
            let refused = run(start, "");
            assert_eq!(refused.code, Some(1), "{refused:?}");
            for part in words {
                assert!(refused.err.contains(part), "{part}: {refused:?}");
            }
        }
    };
    refused(&["conversations.keys is missing", "store.keys"]);
    assert!(!keys.exists(), "nothing was put in its place");
    let mut other = Node::start(&[]);
    other.signal("TERM");
    assert!(other.ended().await.success());
    fs::copy(other.data().join("keys/conversations.keys"), &keys).unwrap();
    refused(&["is of installation"]);
    fs::rename(&aside, &keys).unwrap();
    assert_eq!(Node::start_in(node.root(), &[]).api().view(id).await.head, 1, "put back, all is there");
}
