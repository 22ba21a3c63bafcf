//! The program as a process: how it starts, refuses to start, drains, and comes back after a cut.

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::TcpListener;

use schema::wire::ServerFrame;
use schema::{ConversationId, End};
use serde_json::{Value, json};
use tests::api::Api;
use tests::client::Socket;
use tests::node::{Node, Ran, command, data_in, fresh, run};
use tests::stream::{reply_of, text_of};
use tests::stub::{Call, Stub};

#[tokio::test]
async fn the_first_start_makes_a_key_and_later_ones_keep_it() {
    let mut node = Node::start(&[]);
    let key = node.demo_key();
    assert!(key.len() >= 20);
    assert!(node.banner.iter().any(|line| line.contains(&key)), "{:?}", node.banner);
    let base = format!("http://{}", node.address);
    let pages = [format!("  chat       {base}/"), format!("  studio     {base}/studio")];
    for part in pages.iter().map(String::as_str).chain(["/openapi.json", "/metrics", "builtin", "tertulia chat"]) {
        assert!(node.banner.iter().any(|line| line.contains(part)), "{part}: {:?}", node.banner);
    }
    for path in ["/", "/studio", "/studio/"] {
        let answer = node.api().nobody().get(path).await;
        assert!(
            matches!((path, answer.status), ("/studio/", 200 | 307) | ("/" | "/studio", 200)),
            "{path}: {answer:?}"
        );
    }
    assert!(node.banner.len() <= 8, "a few lines: {:?}", node.banner);
    let id = node.api().open().await;
    let root = node.root();
    node.kill();
    let again = Node::start_in(root.clone(), &[]);
    assert_eq!(again.demo_key(), key);
    assert_eq!(again.api().view(id).await.head, 1);
    drop(again);
    let own = "a-key-of-my-own-choosing";
    let named = Node::start_in(root, &[("TERTULIA_API_KEY", own)]);
    assert!(!named.banner.iter().any(|line| line.contains(own)), "who gave it knows it: {:?}", named.banner);
    assert_eq!(named.api().showing(own).view(id).await.head, 1);
    assert_eq!(named.api().get("/v1/tenant").await.failure(), (401, "unauthorized"), "the generated one is off");
}

/// Nothing takes its log: a full disk under it, in the end.
#[tokio::test]
async fn a_log_that_cannot_be_written_ends_nothing() {
    let root = fresh();
    let full = fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let mut node = command(root.path(), &[("TERTULIA_LOG__LEVEL", "trace")]).stderr(full).spawn().unwrap();
    let mut banner = BufReader::new(node.stdout.take().unwrap()).lines();
    let address = banner.find_map(|line| line.unwrap().split("listens on http://").nth(1).map(str::to_owned)).unwrap();
    let api = Api::new(address.parse().unwrap(), None);
    for path in ["/livez", "/readyz", "/v1/tenant", "/nowhere"] {
        let answer = api.get(path).await;
        assert!(answer.status < 500, "{path}: {answer:?}");
    }
    assert!(node.try_wait().unwrap().is_none(), "it runs");
    node.kill().unwrap();
    node.wait().unwrap();
}

#[tokio::test]
async fn the_demo_tenant_knows_the_projects_own_documentation() {
    let node = Node::start(&[("TERTULIA_KNOWLEDGE__DEMO_DOCUMENTS", "true")]);
    let api = node.api();
    let id = api.open().await;
    let reply = api.ask(id, "r1", "What is Tertulia?").await;
    let made = &reply_of(&reply).unwrap().made;
    let cited = made.passages.iter().find(|passage| text_of(&reply).contains(&format!("[{}]", passage.n)));
    assert_eq!(cited.map(|passage| passage.source.as_str()), Some("README.md"), "{}", text_of(&reply));
    assert!(text_of(&reply).contains("conversation engine"), "{}", text_of(&reply));
}

/// Settings of the environment, arguments, the exit code, and what the line on stderr names.
type Refusal<'a> = (&'a [(&'a str, &'a str)], &'a [&'a str], i32, &'a [&'a str]);

#[test]
fn what_cannot_start_says_why_in_one_line() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().to_string();
    let root = fresh();
    let file = root.path().join("settings.toml");
    fs::write(&file, "listen = \"127.0.0.1:0\"\n[modles]\nconnect = \"1s\"\n").unwrap();
    let file = file.to_str().unwrap().to_owned();
    let wrong = root.path().join("wrong.toml");
    fs::write(&wrong, "listen = \"somewhere\"\n").unwrap();
    let wrong = wrong.to_str().unwrap().to_owned();
    let in_place = root.path().join("a-file");
    fs::write(&in_place, "not a directory").unwrap();
    let in_place = in_place.to_str().unwrap().to_owned();
    let rows: &[Refusal<'_>] = &[
        (&[("TERTULIA_LISTEN", &port)], &[], 1, &[&port, "TERTULIA_LISTEN"]),
        (&[("TERTULIA_DATA", &in_place)], &[], 1, &["data directory", &in_place]),
        (&[("TERTULIA_DATA", "/dev/null/data")], &[], 1, &["data directory", "/dev/null/data"]),
        (&[("TERTULIA_CONVERSATIONS__OWN", "false")], &[], 1, &["TERTULIA_CONVERSATIONS__OWN", "TERTULIA_STORE"]),
        (&[("TERTULIA_LISTN", "127.0.0.1:0")], &[], 2, &["TERTULIA_LISTN", "TERTULIA_LISTEN"]),
        (&[("TERTULIA_LISTEN", "somewhere")], &[], 2, &["TERTULIA_LISTEN"]),
        (&[("TERTULIA_MODEL", "gpt")], &[], 2, &["TERTULIA_MODEL"]),
        (&[("TERTULIA_API_KEY", "fifteen-letters")], &[], 2, &["TERTULIA_API_KEY", "16 to 256"]),
        (&[("TERTULIA_LIMITS__VISITOR_SESSION_MAX", "10m")], &[], 2, &["VISITOR_SESSION_MAX", "visitor_token_ttl"]),
        (&[], &["--config", &file], 2, &["settings.toml", "line 2", "modles", "models"]),
        (&[], &["--config", &wrong], 2, &["wrong.toml", "line 1", "listen"]),
        (&[], &["--config", "/nowhere/settings.toml"], 2, &["/nowhere/settings.toml"]),
        (&[("TERTULIA_CONFIG", "/nowhere/settings.toml")], &[], 2, &["/nowhere/settings.toml"]),
    ];
    for (settings, arguments, code, parts) in rows {
        let mut command = command(root.path(), settings);
        command.args(*arguments);
        // A file's own setting is not to be hidden by the environment's.
        if !arguments.is_empty() {
            command.env_remove("TERTULIA_LISTEN");
        }
        let Ran { code: found, out, err } = run(command, "");
        assert_eq!(found, Some(*code), "{settings:?} {arguments:?}: {out} {err}");
        assert!(out.is_empty(), "{out}");
        assert_eq!(err.lines().count(), 1, "{settings:?} {arguments:?}: {err}");
        for part in *parts {
            assert!(err.contains(part), "{part}: {err}");
        }
    }
}

#[tokio::test]
async fn a_second_process_on_the_same_data_fails_fast() {
    let node = Node::start(&[]);
    let second = run(command(node.root().path(), &[]), "");
    assert_eq!(second.code, Some(1), "{second:?}");
    assert_eq!(second.err.lines().count(), 1, "{}", second.err);
    assert!(second.err.contains(data_in(node.root().path()).to_str().unwrap()), "{}", second.err);
    assert_eq!(node.api().nobody().get("/readyz").await.status, 200, "the first one is none the worse");
}

/// A node before a model, in mid-reply, with a socket that listens.
async fn speaking(settings: &[(&str, &str)]) -> (Node, Call, Socket, ConversationId, u64) {
    let mut stub = Stub::start();
    let base = stub.base();
    let settings = [&[("OPENAI_BASE_URL", base.as_str()), ("TERTULIA_MODEL", "openai/stub")], settings].concat();
    let node = Node::start(&settings);
    let mut ana = Socket::open(node.address, &node.demo_key()).await;
    let id = ana.join_new().await;
    let asked = ana.say(id, "r1", "Tell me something long, please.").await;
    let call = stub.call().await;
    call.token("Once upon ");
    ana.hears(id, 1, 0, 10).await;
    (node, call, ana, id, asked)
}

/// The last frame of a socket that is sent away, and its close code.
async fn sent_away(socket: &mut Socket) -> u16 {
    let (code, reason) = socket.closed().await;
    assert!(matches!(socket.seen.last(), Some(ServerFrame::GoingAway { .. })), "{:?}", socket.seen.last());
    assert!(reason.contains("come back"), "{reason}");
    code
}

#[tokio::test]
async fn a_node_that_is_told_to_stop_lets_replies_finish() {
    for signal in ["TERM", "INT", "HUP"] {
        let (mut node, call, mut ana, id, asked) = speaking(&[]).await;
        let key = node.demo_key();
        let mut bo = Socket::open(node.address, &key).await;
        let mut stream = node.api().stream(id, "0").await;
        node.signal(signal);
        // From now on it takes nothing new, and says so.
        while node.api().nobody().get("/readyz").await.status == 200 {
            tests::look_again().await;
        }
        assert_eq!(node.api().nobody().get("/readyz").await.failure(), (503, "draining"));
        assert_eq!(node.api().post("/v1/conversations", &json!({})).await.failure(), (503, "draining"));
        assert_eq!(node.api().nobody().get("/healthz").await.status, 200);
        // A terminal that is closed may say so twice, and other signals say nothing.
        for more in ["HUP", "USR1", "USR2"] {
            node.signal(more);
        }
        call.token("a time.");
        call.finish();
        let reply = ana.reply_to(id, asked).await;
        assert_eq!((text_of(&reply), reply_of(&reply).unwrap().end), ("Once upon a time.", End::Completed));
        assert_eq!(sent_away(&mut ana).await, 4000);
        assert_eq!(sent_away(&mut bo).await, 4000);
        assert_eq!(stream.reply_to(asked).await, reply);
        while let Some(sent) = stream.next().await {
            assert!(sent.event().is_some(), "a stream carries the log: {sent:?}");
        }
        assert!(stream.retry_ms.is_some_and(|wait| (500..2_500).contains(&wait)), "{:?}", stream.retry_ms);
        assert_eq!(node.ended().await.code(), Some(0), "{signal}");
        let again = Node::start_in(node.root(), &[]);
        assert_eq!(again.api().log(id).await.events.last(), Some(&reply), "and it is durable");
    }
}

#[tokio::test]
async fn a_signal_that_means_nothing_ends_nothing() {
    let said = |node: &Node, name: &str| node.log().lines().any(|line| line.contains(name));
    // The second one was told to outlive its terminal, as by nohup.
    for (before, ignored) in [("true", vec!["USR1", "USR2"]), (r#"trap "" HUP"#, vec!["HUP", "USR1", "USR2"])] {
        let mut node = Node::start_after(before, fresh(), &[("TERTULIA_LOG__LEVEL", "info")]);
        for name in ignored {
            node.signal(name);
        }
        while !["SIGUSR1", "SIGUSR2"].into_iter().all(|name| said(&node, name)) {
            tests::look_again().await;
        }
        assert_eq!(node.api().nobody().get("/readyz").await.status, 200, "{before}");
        node.api().open().await;
        // Were it stopping by now, this would be once more.
        node.signal("TERM");
        assert_eq!(node.ended().await.code(), Some(0), "{before}");
    }
}

#[tokio::test]
async fn a_reply_that_does_not_finish_in_time_is_cut_and_kept() {
    let (mut node, mut call, mut ana, id, asked) = speaking(&[("TERTULIA_SERVER__DRAIN_TIMEOUT", "100ms")]).await;
    node.signal("TERM");
    call.closed().await;
    let reply = ana.reply_to(id, asked).await;
    let ended = reply_of(&reply).unwrap();
    assert_eq!((text_of(&reply), ended.end), ("Once upon ", End::Incomplete));
    assert_eq!(ended.made.error.as_deref(), Some("interrupted"));
    assert_eq!(sent_away(&mut ana).await, 4000);
    assert_eq!(node.ended().await.code(), Some(0));
    let again = Node::start_in(node.root(), &[]);
    assert_eq!(again.api().log(id).await.events.last(), Some(&reply));
}

#[tokio::test]
async fn what_was_acknowledged_before_a_power_cut_is_there_after_it() {
    let (mut node, call, mut ana, id, asked) = speaking(&[]).await;
    let long = "words ".repeat(schema::limits::CHECKPOINT_BYTES / 6 + 1);
    call.token(&long);
    ana.event(id, |event| event.fact.name() == "checkpoint").await;
    let quiet = node.api().open().await;
    let mut acknowledged = Vec::new();
    node.api().human(quiet, schema::wire::HumanAction::Take, "Zoe").await.ok::<Value>();
    for n in 0..50 {
        let text = format!("message {n}");
        acknowledged.push((node.api().say(quiet, &format!("r{n}"), &text).await, text));
    }
    let second = ana.say(id, "r2", "Are you still there?").await;
    let before: Vec<_> = ana.events(id).cloned().collect();
    node.kill();

    // Without the model, so that nothing new is said.
    let again = Node::start_in(node.root(), &[]);
    let api = again.api();
    let found = api.log(quiet).await.events;
    for (seq, text) in acknowledged {
        let event = &found[usize::try_from(seq).unwrap() - 1];
        assert_eq!((event.seq, text_of(event)), (seq, text.as_str()));
    }
    let mut back = Socket::open(again.address, &again.demo_key()).await;
    let seen = before.last().unwrap().seq;
    back.join(id, format!("{seen}:1:{}", 10 + long.len())).await;
    let reply = back.event(id, |event| reply_of(event).is_some_and(|reply| reply.turn == 1)).await;
    let ended = reply_of(&reply).unwrap();
    assert_eq!((ended.end, ended.made.error.as_deref()), (End::Incomplete, Some("interrupted")));
    assert_eq!(text_of(&reply), format!("Once upon {long}"), "what a checkpoint had kept");
    assert_eq!(ended.answers, asked);
    // The message that came in mid-reply is answered now.
    let next = back.reply_to(id, second).await;
    assert_eq!(reply_of(&next).unwrap().turn, 2);
    let log = api.log(id).await;
    for (seen, stored) in before.iter().zip(&log.events) {
        let covered = stored.without_text().map(|(covered, _)| covered);
        assert!(seen == stored || Some(seen) == covered.as_ref(), "what was seen has not changed: {seen:?}");
    }
    assert_eq!(log.events.iter().map(|event| event.seq).collect::<Vec<_>>(), (1..=log.head).collect::<Vec<_>>());
    assert_eq!(api.say(id, "r2", "Are you still there?").await, second, "a message sent again is known");
}

#[tokio::test]
async fn a_node_that_logs_json_says_everything_in_json() {
    let mut node = Node::start(&[("TERTULIA_LOG__FORMAT", "json"), ("TERTULIA_LOG__LEVEL", "info")]);
    assert_eq!(node.banner.len(), 1, "{:?}", node.banner);
    let banner: Value = serde_json::from_str(&node.banner[0]).unwrap();
    assert_eq!(banner["address"], node.address.to_string());
    assert_eq!(banner["studio"], format!("http://{}/studio", node.address));
    assert_eq!(banner["api_key"], node.demo_key());
    node.signal("TERM");
    assert_eq!(node.ended().await.code(), Some(0));
    let log = node.log();
    for line in log.lines() {
        assert!(serde_json::from_str::<Value>(line).is_ok_and(|line| line.is_object()), "{line}");
    }
    assert!(log.contains("once more to stop at once"), "{log}");
}

#[test]
fn who_starts_it_by_cargo_is_told_how_to_go_on_so() {
    let root = fresh();
    let id = ConversationId::generate().to_string();
    for (started_by, expected) in [("gateway", "start one with `cargo run"), ("other", "start one with `tertulia`")] {
        let nowhere = ("TERTULIA_LISTEN", "127.0.0.1:1");
        let settings = [("CARGO_PKG_NAME", started_by), ("TERTULIA_API_KEY", "a-key-of-my-own-choosing"), nowhere];
        let mut asked = command(root.path(), &settings);
        asked.args(["export", &id]);
        let ran = run(asked, "");
        assert_eq!(ran.code, Some(1), "{ran:?}");
        assert!(ran.err.contains(expected), "{ran:?}");
    }
}
