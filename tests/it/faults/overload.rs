//! More than a node can do: what is beyond is refused before it is stored, what was admitted goes on, and
//! one tenant's crowd is not another's. How fast it all is stands in the load suite.

use loadtest::scenario::Target;
use loadtest::scenario::noisy::{self, Noisy};
use loadtest::scenario::paced::Paced;
use schema::ConversationId;
use schema::wire::HumanAction;
use serde_json::{Value, json};
use tests::api::Api;
use tests::client::Socket;
use tests::node::{Node, own_address};
use tests::stream::text_of;
use tests::stub::{Call, Stub};
use tests::{PATIENCE, look_again};
use tokio::time::timeout;

/// Far more replies at once than one thread admits at first.
const CROWD: usize = 1_000;

/// Fills the node with replies that go on until told; gives them, and the conversation of the message that
/// was refused.
async fn filled(api: &Api, stub: &mut Stub) -> (Vec<Call>, ConversationId) {
    // Opened before, because opening may be refused as well.
    let mut opened = Vec::new();
    for _ in 0..CROWD {
        opened.push(api.open().await);
    }
    let mut calls = Vec::new();
    for id in opened {
        let said = api.try_say(id, "r1", "Tell me something long, please.").await;
        if said.status == 503 {
            assert_eq!(said.failure(), (503, "busy"));
            let wait: u64 = said.header("retry-after").parse().unwrap();
            assert!((1..=3).contains(&wait), "{wait}");
            return (calls, id);
        }
        let call = stub.call().await;
        call.token("Once upon ");
        calls.push(call);
    }
    panic!("{CROWD} replies run at once, and none was refused");
}

/// The load suite's own scenario, a second of it: the loud tenant is held to its quota, and the other one's
/// listeners have every token.
#[tokio::test]
async fn a_tenant_over_its_quota_is_refused_and_another_is_served() {
    let stub_listen = own_address().unwrap();
    let base = format!("http://{stub_listen}/v1");
    let node = Node::start(&[("OPENAI_BASE_URL", &base), ("TERTULIA_MODEL", "openai/stub")]);
    let admin = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(admin.path(), node.admin_key()).unwrap();
    let target = Target { url: format!("http://{}", node.address), key: node.demo_key(), pid: None, json: None };
    let paced = Paced { stub_listen, streams: 3, rate: 50, seconds: 1, windows: 1 };
    let args = Noisy { node: target, admin_key: admin.path().into(), paced, quota: 10, times: 10, sockets: 4 };
    let report = noisy::run(&args).await.unwrap();
    assert_eq!(report.faults, Vec::<String>::new(), "{report:?}");
    assert!(report.details["noise"]["rate_limited"].as_u64().unwrap() > 0);
}

#[tokio::test]
async fn what_is_too_much_is_refused_and_what_runs_goes_on() {
    let mut stub = Stub::start();
    let node = Node::start(&[
        ("OPENAI_BASE_URL", &stub.base()),
        ("TERTULIA_MODEL", "openai/stub"),
        ("TERTULIA_SERVER__WORKERS", "1"),
    ]);
    let api = node.api();
    let first = api.open().await;
    let mut listener = Socket::open(node.address, &node.demo_key()).await;
    listener.join(first, 0).await;
    let asked = listener.say(first, "r1", "Tell me something long, please.").await;
    let mut running = stub.call().await;
    running.token("Once upon ");
    let (calls, refused) = filled(&api, &mut stub).await;
    assert_eq!(api.log(refused).await.head, 1, "nothing of it was stored");

    // What runs is heard on, and can be stopped; people of the team are taken.
    running.token("a time");
    assert_eq!(listener.hears(first, 1, 0, 16).await, "Once upon a time");
    listener.call(json!({"type": "cancel", "conversation": first})).await.expect("it is never refused");
    running.closed().await;
    assert_eq!(text_of(&listener.reply_to(first, asked).await), "Once upon a time");
    api.human(refused, HumanAction::Take, "Zoe").await.ok::<Value>();
    api.human(refused, HumanAction::HandBack, "Zoe").await.ok::<Value>();

    // Another tenant has not used its share.
    let (_, other) = node.operator().create_tenant("other").await;
    let theirs = other.open().await;
    let asked = other.say(theirs, "r1", "And is there room for us?").await;
    let call = stub.call().await;
    call.token("There is.");
    call.finish();
    assert_eq!(text_of(&other.reply(theirs, asked).await), "There is.");

    // The crowd goes: the same message with the same ref is taken.
    for call in &calls {
        call.finish();
    }
    let taken = async {
        while api.try_say(refused, "r1", "Tell me something long, please.").await.status == 503 {
            look_again().await;
        }
    };
    timeout(PATIENCE, taken).await.expect("there is room again");
    let metrics = api.metrics().await;
    let refusals = metrics.lines().find_map(|line| line.strip_prefix("tertulia_admission_refused_total "));
    assert!(refusals.is_some_and(|count| count.parse::<u64>().is_ok_and(|count| count > 0)), "{refusals:?}");
}
