//! Whole nodes on a cluster: they keep what they have acknowledged, several share one installation, and what is wrong
//! with a cluster is told in one line.

use std::fs;
use std::net::TcpListener;
use std::time::{Duration, Instant};

use schema::End;
use schema::wire::{ConversationList, HumanAction};
use scylla::client::session::Session;
use scylla::client::session_builder::SessionBuilder;
use serde_json::{Value, json};
use tests::client::Socket;
use tests::node::{Node, Ran, command, data_in, fresh, on_cluster, run};
use tests::servers::{Cassandra, keyspace_name};
use tests::stream::{reply_of, text_of};
use tests::stub::Stub;
use tests::{PATIENCE, look_again};

const CONVERSATION: &str = "/v1/conversations?limit=100";

fn settings<'a>(own: &'a [(&'static str, String); 2]) -> Vec<(&'a str, &'a str)> {
    own.iter().map(|(name, value)| (*name, value.as_str())).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_node_has_acknowledged_is_there_after_a_restart_and_a_kill() {
    let own = on_cluster(Cassandra::shared().unwrap(), &keyspace_name());
    let settings = settings(&own);
    let mut stub = Stub::start();
    let base = stub.base();
    let model =
        [settings.as_slice(), &[("OPENAI_BASE_URL", base.as_str()), ("TERTULIA_MODEL", "openai/stub")]].concat();
    let mut node = Node::start(&model);
    let api = node.api();
    assert_eq!(api.get("/readyz").await.status, 200);

    let over_http = api.open_with("Ana").await;
    let asked = api.say(over_http, "r1", "When are you open?").await;
    let call = stub.call().await;
    call.token("From nine to five.");
    call.finish();
    assert_eq!(text_of(&api.reply(over_http, asked).await), "From nine to five.");
    api.human(over_http, HumanAction::Take, "Zoe").await.ok::<Value>();
    node.signal("TERM");
    assert!(node.ended().await.success(), "{}", node.log());
    let log = node.log();
    assert!(!log.contains("not closed in good order"), "{log}");

    let mut node = Node::start_in(node.root(), &model);
    let events = node.api().log(over_http).await.events;
    assert!(events.iter().any(|event| text_of(event) == "From nine to five."), "{events:?}");
    let mut ana = Socket::open(node.address, &node.demo_key()).await;
    let id = ana.join_new().await;
    let asked = ana.say(id, "r1", "Tell me something long, please.").await;
    let call = stub.call().await;
    let long = "words ".repeat(schema::limits::CHECKPOINT_BYTES / 6 + 1);
    call.token(&long);
    ana.event(id, |event| event.fact.name() == "checkpoint").await;
    let mut acknowledged = Vec::new();
    for n in 0..20 {
        let text = format!("message {n}");
        acknowledged.push((node.api().say(over_http, &format!("m{n}"), &text).await, text));
    }
    node.kill();

    // Without the model, so that nothing new is said.
    let again = Node::start_in(node.root(), &settings);
    let found = again.api().log(over_http).await.events;
    for (seq, text) in acknowledged {
        let event = &found[usize::try_from(seq).unwrap() - 1];
        assert_eq!((event.seq, text_of(event)), (seq, text.as_str()));
    }
    let reply = again.api().reply(id, asked).await;
    let ended = reply_of(&reply).unwrap();
    assert_eq!((ended.end, ended.made.error.as_deref()), (End::Incomplete, Some("interrupted")));
    assert_eq!(text_of(&reply), long, "what a checkpoint had kept");
}

#[tokio::test(flavor = "multi_thread")]
async fn documents_the_list_contacts_and_erasures_are_as_on_one_machine() {
    let own = on_cluster(Cassandra::shared().unwrap(), &keyspace_name());
    let settings = settings(&own);
    let node = Node::start(&settings);
    let api = node.api();
    api.learn("parking.md", "# Parking\n\nThe parking for quetzalcoatls is behind the shop.").await;
    let (id, kept) = (api.open_with("Ana").await, api.open_with("Bo").await);
    let reply = api.ask(id, "q1", "Where is the parking for quetzalcoatls?").await;
    let passages = &reply_of(&reply).unwrap().made.passages;
    assert_eq!(passages.first().map(|passage| passage.source.as_str()), Some("parking.md"));
    assert!(text_of(&reply).contains("behind the shop"), "{reply:?}");
    let contacts = api.get("/v1/contacts").await.ok::<Value>();
    assert_eq!(contacts["contacts"].as_array().unwrap().len(), 2, "{contacts}");
    listed(&node, |ids| ids.contains(&id) && ids.contains(&kept)).await;

    assert_eq!(api.call("DELETE", &format!("/v1/conversations/{id}")).await.status, 204);
    assert_eq!(api.get(&format!("/v1/conversations/{id}/events")).await.failure(), (404, "unknown_conversation"));
    listed(&node, |ids| ids == [kept]).await;
    assert!(api.metric("tertulia_store_cql_requests_total").await > 0.0);
    assert!(api.metric("tertulia_store_cql_connections").await > 0.0);

    // The commands work on the cluster, too, while no node has the directory.
    let root = node.root();
    drop(node);
    let Ran { code, out, err } = run(told(&root, &settings, &["tenant", "create", "acme"]), "");
    assert_eq!(code, Some(0), "{err}");
    assert!(out.contains("acme"), "{out}");
    let Ran { code, out, err } = run(told(&root, &settings, &["rebuild", "conversations"]), "");
    assert_eq!(code, Some(0), "{err}");
    assert!(out.contains("made anew"), "{out}");
    let node = Node::start_in(root, &settings);
    let tenants = node.operator().get("/v1/admin/tenants").await.body;
    assert!(tenants.contains("acme"), "{tenants}");
    listed(&node, |ids| ids == [kept]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_node_works_with_a_copy_of_the_root_key_and_takes_what_the_first_has_given() {
    let keyspace = keyspace_name();
    let own = on_cluster(Cassandra::shared().unwrap(), &keyspace);
    let settings = settings(&own);
    let mut first = Node::start(&settings);
    let id = first.api().open_with("Ana").await;
    let (_, acme) = first.operator().create_tenant("acme").await;
    let of_acme = acme.open_with("Bo").await;
    let visitor = first.api().visitor(json!({"contact": "Ana"})).await.token;
    let (demo, admin) = (first.demo_key(), first.admin_key());

    let (root, at) = (fresh(), Instant::now());
    let Ran { code, err, .. } = run(command(root.path(), &settings), "");
    let complaint = err.lines().last().unwrap();
    assert_eq!(code, Some(1), "{err}");
    assert!(complaint.contains("keys/root is missing") && complaint.contains("copy it from another node"), "{err}");
    assert!(at.elapsed() < PATIENCE);

    let root_key = data_in(root.path()).join("keys/root");
    let good = first.data().join("keys/root");
    let text = fs::read_to_string(&good).unwrap();
    fs::copy(&good, &root_key).unwrap();
    let wrong = text.trim_end().chars().rev().take(1).collect::<String>();
    let other = format!("{}{}\n", &text.trim_end()[..text.trim_end().len() - 1], if wrong == "0" { "1" } else { "0" });
    fs::write(&root_key, other).unwrap();
    let Ran { err, .. } = run(command(root.path(), &settings), "");
    assert!(err.lines().last().unwrap().contains("is not the one of this cluster's data"), "{err}");

    fs::write(&root_key, text).unwrap();
    first.signal("TERM");
    first.ended().await;
    let second = Node::start_in(root.clone(), &settings);
    assert_eq!((second.demo_key(), second.admin_key()), (demo, admin));
    let api = second.api();
    assert_eq!(api.view(id).await.head, 1);
    assert_eq!(api.showing(visitor).get("/v1/conversations").await.status, 200);
    let acme = api.showing(acme.key.clone().unwrap());
    assert_eq!(acme.view(of_acme).await.head, 1);
    drop(second);

    // A setting that was forgotten begins nothing anew beside it.
    let Ran { err, .. } = run(command(root.path(), &[("TERTULIA_STORE", "sqlite")]), "");
    assert!(err.contains(&format!("in the keyspace {keyspace}: set TERTULIA_STORE to it")), "{err}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_with_a_cluster_is_one_line() {
    let cassandra = Cassandra::one().passwords().start().unwrap();
    let contact_point = cassandra.contact_points()[0].to_string();
    let session = superuser(&contact_point).await;
    for statement in [
        "CREATE ROLE guest WITH PASSWORD = 'guest' AND LOGIN = true",
        "CREATE ROLE node WITH PASSWORD = 'canary' AND LOGIN = true",
        "GRANT ALL ON ALL KEYSPACES TO node",
        "CREATE KEYSPACE thin WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}",
    ] {
        session.query_unpaged(statement, &[]).await.unwrap();
    }
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let silent = format!("cql://{}/t", silent.local_addr().unwrap());
    let no_copies = format!("cql://{contact_point}/thin");
    let [(store, url), replicas] = on_cluster(&contact_point, "chats");
    let (user, password) = ("TERTULIA_STORE__USER", "TERTULIA_STORE__PASSWORD");
    let node = [(user, "node"), (password, "canary")];
    for (changed, complaint) in [
        (vec![], "it asks for a name and a password: set store.user and store.password"),
        (vec![(user, "node"), (password, "wrong")], "it knows no such name and password"),
        (
            vec![(user, "guest"), (password, "guest")],
            "its keyspace chats cannot be made: the database does not permit it",
        ),
        (vec![("TERTULIA_STORE__REPLICAS", "3"), node[0], node[1]], "has 1 of the 3 nodes that 3 replicas need"),
        (vec![(store, &*no_copies), node[0], node[1]], "its keyspace thin keeps no copies in \"datacenter1\""),
        (vec![("TERTULIA_STORE__DATACENTER", "mars"), node[0], node[1]], "it has no data centre \"mars\""),
        (vec![("TERTULIA_STORE__TLS", "./none.pem")], "store.tls: ./none.pem cannot be read"),
        (vec![(store, "cql://127.0.0.1:1/t")], "the cluster at 127.0.0.1:1 cannot be used: it cannot be reached"),
        (vec![(store, "cql://nowhere.invalid/t")], "none of its names can be resolved"),
        (vec![(store, &*silent)], "it does not answer within 15 s"),
    ] {
        let root = fresh();
        let settings = [&[(store, url.as_str()), (replicas.0, replicas.1.as_str())], changed.as_slice()].concat();
        let at = Instant::now();
        let Ran { code, err, .. } = run(command(root.path(), &settings), "");
        assert_eq!(code, Some(1), "{changed:?}: {err}");
        let told = err.lines().last().unwrap();
        assert!(
            told.starts_with("tertulia: the store cannot be opened: ") && told.contains(complaint),
            "{complaint}: {err}"
        );
        assert!(!err.contains("canary"), "{err}");
        assert!(at.elapsed() < Duration::from_secs(25), "{complaint}");
    }
    let known = [(store, url.as_str()), (replicas.0, replicas.1.as_str()), node[0], node[1]];
    let node = Node::start(&known);
    assert_eq!(node.api().get("/readyz").await.status, 200);
    assert!(!node.log().contains("canary"));
}

/// The first user is made a moment after the start.
pub(super) async fn superuser(contact_point: &str) -> Session {
    let began = Instant::now();
    loop {
        let builder = SessionBuilder::new().known_node(contact_point).user("cassandra", "cassandra");
        match builder.build().await {
            Ok(session) => return session,
            Err(error) => assert!(began.elapsed() < PATIENCE, "{error}"),
        }
        look_again().await;
    }
}

fn told(root: &tempfile::TempDir, settings: &[(&str, &str)], arguments: &[&str]) -> std::process::Command {
    let mut command = command(root.path(), settings);
    command.args(arguments);
    command
}

/// Waits until the list is so.
async fn listed(node: &Node, is_so: impl Fn(&[schema::ConversationId]) -> bool) {
    let began = Instant::now();
    loop {
        let rows = node.api().get(CONVERSATION).await.ok::<ConversationList>().conversations;
        let ids: Vec<_> = rows.iter().map(|row| row.id).collect();
        if is_so(&ids) {
            return;
        }
        assert!(began.elapsed() < PATIENCE, "{ids:?}");
        look_again().await;
    }
}
