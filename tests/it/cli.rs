//! The commands of the program, at a running node and beside a stopped one.

use std::fs;
use std::path::Path;
use std::time::Instant;

use serde_json::Value;
use tests::node::{Node, Ran, command, fresh, run, used};
use tests::site::Site;
use tests::stream::text_of;
use tests::stub::Stub;
use tests::{PATIENCE, look_again};

const RETURNS: &str = include_str!("../fixtures/knowledge/shop/returns.md");
const DELIVERY: &str = include_str!("../fixtures/knowledge/shop/delivery.md");
const QUESTION: &str = "How many days do I have to return an unused item?";

/// A folder with two documents and two other things.
fn shop(root: &Path) -> String {
    let folder = root.join("shop");
    fs::create_dir_all(folder.join("deep")).unwrap();
    fs::write(folder.join("returns.md"), RETURNS).unwrap();
    fs::write(folder.join("deep/delivery.txt"), DELIVERY).unwrap();
    fs::write(folder.join("logo.png"), [0; 8]).unwrap();
    fs::write(folder.join(".hidden.md"), "hidden").unwrap();
    folder.to_str().unwrap().to_owned()
}

fn good(ran: &Ran) -> &str {
    assert_eq!(ran.code, Some(0), "{ran:?}");
    &ran.out
}

fn bad(ran: &Ran, code: i32) -> &str {
    assert_eq!(ran.code, Some(code), "{ran:?}");
    assert_eq!(ran.err.lines().count(), 1, "{}", ran.err);
    &ran.err
}

#[tokio::test]
async fn a_chat_that_is_piped_prints_answers_with_their_sources() {
    let node = Node::start(&[]);
    let api = node.api();
    api.learn("returns.md", RETURNS).await;
    let chat = run(node.command(&["chat", "--contact", "Ana"]), &format!("{QUESTION}\nThanks!\n"));
    let out = good(&chat);
    assert!(out.contains("30 days") && out.contains("[1] returns.md"), "{out}");
    assert!(!out.contains("> "), "no prompt where nobody reads one: {out}");
    let list: Value = api.get("/v1/conversations?contact=Ana").await.ok();
    let id = list["conversations"][0]["id"].as_str().unwrap();
    let messages: Vec<_> =
        api.log(id.parse().unwrap()).await.events.into_iter().filter(|event| event.fact.name() == "message").collect();
    assert_eq!(messages.len(), 4, "two questions, two replies");
    assert!(out.contains(text_of(&messages[3])), "{out}");

    let more = run(node.command(&["chat", "--conversation", id]), "Hello again!\n");
    good(&more);
    let unknown = schema::ConversationId::generate().to_string();
    let refused = run(node.command(&["chat", "--conversation", &unknown]), "Hello!\n");
    assert!(bad(&refused, 1).contains("unknown_conversation"), "{refused:?}");

    let json: Value = serde_json::from_str(good(&run(node.command(&["export", id]), ""))).unwrap();
    let list: Value = api.get(&format!("/v1/conversations/{id}/events?limit=500")).await.ok();
    assert_eq!(
        (&json["events"], &json["head"], &json["conversation"]),
        (&list["events"], &list["head"], &Value::from(id))
    );
    let markdown = run(node.command(&["export", id, "--format", "markdown"]), "");
    for part in [id, "with Ana", QUESTION, "30 days", "[1] returns.md"] {
        assert!(good(&markdown).contains(part), "{part}: {}", markdown.out);
    }
    let refused = run(node.command(&["export", &unknown]), "");
    assert!(bad(&refused, 1).contains("unknown_conversation"));
    assert!(refused.out.is_empty(), "no half a document");
}

#[tokio::test]
async fn a_folder_is_learned_while_the_node_runs_and_while_it_does_not() {
    let root = fresh();
    let folder = shop(root.path());
    let learn = |node: Option<&Node>| {
        let mut command = match node {
            Some(node) => node.command(&[]),
            None => command(root.path(), &[("TERTULIA_LISTEN", "127.0.0.1:9")]),
        };
        command.args(["learn", &folder]);
        run(command, "")
    };
    let first = learn(None);
    assert!(good(&first).contains("2 learned, 0 known already, 2 skipped, 0 failed"), "{first:?}");
    for part in ["logo.png", ".hidden.md"] {
        assert!(first.err.contains(part), "{}", first.err);
    }
    let node = Node::start_in(root.clone(), &[]);
    let api = node.api();
    let id = api.open().await;
    let reply = api.ask(id, "r1", QUESTION).await;
    assert!(text_of(&reply).contains("30 days"), "{}", text_of(&reply));
    let again = learn(Some(&node));
    assert!(good(&again).contains("0 learned, 2 known already"), "{again:?}");
    fs::write(format!("{folder}/returns.md"), RETURNS.replace("30 days", "41 days")).unwrap();
    let changed = learn(Some(&node));
    assert!(good(&changed).contains("1 learned, 1 known already"), "{changed:?}");
    let reply = api.ask(id, "r2", "How many days are there to return an unused item, please?").await;
    assert!(text_of(&reply).contains("41 days"), "{}", text_of(&reply));

    let mut nothing = node.command(&["learn"]);
    nothing.arg(format!("{folder}/logo.png"));
    assert_eq!(run(nothing, "").code, Some(1));
    let mut nowhere = node.command(&["learn"]);
    nowhere.arg(format!("{folder}/nowhere"));
    assert!(bad(&run(nowhere, ""), 1).contains("nowhere"));
}

#[tokio::test]
async fn tenants_are_managed_while_the_node_runs_and_while_it_does_not() {
    // A wrong folder is no new node.
    let nowhere = fresh();
    let mut lost = command(nowhere.path(), &[("TERTULIA_LISTEN", "127.0.0.1:9")]);
    lost.current_dir(nowhere.path()).env_remove("TERTULIA_DATA").args(["tenant", "create", "acme"]);
    assert!(bad(&run(lost, ""), 1).contains("there is none"));
    assert!(fs::read_dir(nowhere.path()).unwrap().next().is_none(), "and nothing was made in it");

    let root = used().await;
    let mut node = None;
    for name in ["stopped", "running"] {
        let tenant = |arguments: &[&str]| {
            let mut command = match &node {
                Some(node) => Node::command(node, &["tenant"]),
                None => {
                    let mut command = command(root.path(), &[("TERTULIA_LISTEN", "127.0.0.1:9")]);
                    command.arg("tenant");
                    command
                }
            };
            command.args(arguments);
            run(command, "")
        };
        let created = tenant(&["create", name]);
        assert!(good(&created).contains(name) && key_in(&created.out).len() >= 20, "{created:?}");
        assert!(bad(&tenant(&["create", name]), 1).contains("name"));
        let listed = tenant(&["list"]);
        let row = good(&listed).lines().find(|line| line.ends_with(name)).unwrap();
        assert!(row.starts_with("ten_") && row.contains("enabled"), "{row}");
        let rotated = tenant(&["rotate-key", name]);
        let (old, new) = (key_in(&created.out), key_in(good(&rotated)));
        assert_ne!(old, new);
        assert!(good(&tenant(&["disable", name])).contains("is disabled"));
        assert!(good(&tenant(&["list"])).lines().any(|line| line.contains("disabled") && line.ends_with(name)));
        if let Some(node) = &node {
            let api = Node::api(node);
            assert_eq!(api.showing(&old).get("/v1/tenant").await.failure(), (401, "unauthorized"));
            assert_eq!(api.showing(&new).get("/v1/tenant").await.failure(), (403, "tenant_disabled"));
        }
        assert!(good(&tenant(&["enable", name])).contains("is enabled"));
        assert!(bad(&tenant(&["disable", "nobody"]), 1).contains("nobody"));
        let node = node.get_or_insert_with(|| Node::start_in(root.clone(), &[]));
        assert_eq!(node.api().showing(new).tenant().await.name, name);
    }
}

#[test]
fn a_command_that_needs_a_node_says_so() {
    let root = fresh();
    for arguments in [&["chat"][..], &["export", "conv_0123456789abcdef0123456789abcdef"]] {
        let mut command =
            command(root.path(), &[("TERTULIA_LISTEN", "127.0.0.1:9"), ("TERTULIA_API_KEY", "a-key-of-somebody")]);
        command.args(arguments);
        let ran = run(command, "Hello!\n");
        assert!(bad(&ran, 1).contains("127.0.0.1:9"), "{ran:?}");
    }
    let mut unknown = command(root.path(), &[]);
    unknown.arg("sing");
    assert_eq!(run(unknown, "").code, Some(2));
    let mut config = command(root.path(), &[("TERTULIA_LOG__FORMAT", "json")]);
    config.arg("config");
    let settings = run(config, "");
    assert!(good(&settings).contains("format = \"json\""), "{}", settings.out);
}

// The site answers while a command is waited for.
#[tokio::test(flavor = "multi_thread")]
async fn a_node_is_healthy_while_it_takes_new_work() {
    let mut stub = Stub::start();
    let model = [("OPENAI_BASE_URL", &*stub.base()), ("TERTULIA_MODEL", "openai/stub")];
    let mut node = Node::start(&[model[0], model[1], ("TERTULIA_SERVER__DRAIN_TIMEOUT", "60s")]);
    // With the settings of this node, which may have ended.
    let (root, address) = (node.root(), node.address.to_string());
    let ask = |arguments: &[&str]| {
        let mut command = command(root.path(), &[("TERTULIA_LISTEN", &address)]);
        command.arg("health").args(arguments);
        run(command, "")
    };
    let (by_settings, elsewhere) = (|| ask(&[]), |url: &str| ask(&["--url", url]));
    assert_eq!(good(&by_settings()), "ready\n");
    let url = format!("http://{}/", node.address);
    assert_eq!(good(&elsewhere(&url)), "ready\n");
    assert!(bad(&elsewhere("http://127.0.0.1:9"), 1).contains("127.0.0.1:9"));
    assert!(bad(&elsewhere(&url.replace("http", "https")), 2).contains("http://127.0.0.1:8080"));
    let site = Site::start([]).await;
    assert!(bad(&elsewhere(&site.url("/")), 1).contains("not a node"));

    // A reply that runs keeps it from ending; meanwhile it takes nothing new.
    let api = node.api();
    let id = api.open().await;
    api.say(id, "r1", "Tell me something long, please.").await;
    let call = stub.call().await;
    node.signal("TERM");
    let heard = Instant::now();
    let last = loop {
        let ran = by_settings();
        if ran.code != Some(0) {
            break ran;
        }
        assert!(heard.elapsed() < PATIENCE, "it does not drain");
        look_again().await;
    };
    assert!(bad(&last, 1).contains("(draining)"), "{last:?}");
    call.finish();
    assert!(node.ended().await.success());
    assert!(bad(&by_settings(), 1).contains("no node answers"));
}

/// The key in what `create` and `rotate-key` print.
fn key_in(out: &str) -> String {
    let line = out.lines().find_map(|line| line.strip_prefix("api key")).unwrap_or_default();
    line.split_whitespace().next().unwrap_or_default().to_owned()
}
