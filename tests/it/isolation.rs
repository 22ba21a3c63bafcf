//! Two tenants on one node, and two contacts of one tenant: nothing of one is there for the other.

use schema::{ConversationId, TenantId};
use serde_json::{Value, json};
use tests::api::Api;
use tests::client::Socket;
use tests::node::Node;
use tests::stream::text_of;

const SAID: &str = "canary-said-7f3a";
const LEARNED: &str = "canary-learned-91bc";
const NAMED: &str = "canary-contact-55de";
const TOLD: &str = "canary-instructions-20aa";
const KNOWN: &str = "canary-identity-c4e1";

/// Two tenants; the first has said, learned and been told what nobody else may read.
struct Two {
    node: Node,
    acme: Api,
    acme_id: TenantId,
    other: Api,
    secret: ConversationId,
    own: ConversationId,
}

async fn two() -> Two {
    let node = Node::start(&[("TERTULIA_LOG__LEVEL", "debug")]);
    let operator = node.operator();
    let (made, acme) = operator.create_tenant("acme").await;
    let (_, other) = operator.create_tenant("other").await;
    acme.change_profile(|profile| profile.assistant.instructions = format!("Never say {TOLD}.")).await;
    let document = format!("# Lanterns\n\nThe secret number of the lantern is {LEARNED}, for our staff alone.\n");
    acme.learn(&format!("{LEARNED}.md"), &document).await;
    let secret = acme.open_with(NAMED).await;
    acme.ask(secret, "r0", &format!("My own number is {SAID}.")).await;
    let reply = acme.ask(secret, "r1", "What is the secret number of the lantern?").await;
    assert!(text_of(&reply).contains(LEARNED), "the canary sings for its own tenant: {}", text_of(&reply));
    let list: Value = acme.get(&format!("/v1/contacts?identity=external:{NAMED}")).await.ok();
    let contact = list["contacts"][0]["id"].as_str().unwrap();
    let change = json!({"version": 1, "name": KNOWN, "attributes": {"note": KNOWN},
        "add_identities": [{"kind": "email", "value": format!("{KNOWN}@example.com")}]});
    assert_eq!(acme.patch(&format!("/v1/contacts/{contact}"), &change).await.status, 200);
    let own = other.open().await;
    Two { node, acme, acme_id: made.tenant, other, secret, own }
}

fn assert_silent(text: &str, what: &str) {
    for canary in [SAID, LEARNED, NAMED, TOLD, KNOWN] {
        assert!(!text.contains(canary), "{canary} in {what}: {text}");
    }
}

#[tokio::test]
async fn every_route_refuses_another_tenants_conversation() {
    let Two { node, other, secret, acme, .. } = two().await;
    let before = acme.log(secret).await;
    let document: Value = other.get("/openapi.json").await.ok();
    let mut refused = 0;
    for (path, operations) in document["paths"].as_object().unwrap() {
        if !path.starts_with("/v1/conversations/{id}") {
            continue;
        }
        let real = path.replace("{id}", &secret.to_string()).replace("{seq}", "4");
        for method in operations.as_object().unwrap().keys() {
            let method = method.to_uppercase();
            let mut request = other.request(&method, &real);
            if path.ends_with("/messages") {
                request = request.json(&json!({"ref": "x1", "text": "Let me in, please."}));
            } else if path.ends_with("/human") {
                request = request.json(&json!({"action": "take", "agent": "Eve"}));
            } else if path.ends_with("/verdict") {
                request = request.json(&json!({"verdict": "wrong"}));
            }
            let answer = Api::send(request).await;
            assert_eq!(answer.failure(), (404, "unknown_conversation"), "{method} {path}");
            // It is as if it were not there at all.
            let nothing = other.call("GET", &format!("/v1/conversations/{}", ConversationId::generate())).await;
            assert_eq!(nothing.body.len(), answer.body.len(), "{} {}", nothing.body, answer.body);
            refused += 1;
        }
    }
    assert!(refused >= 7, "{refused} operations");
    let bound = other.post("/v1/visitors", &json!({"conversation": secret})).await;
    assert_eq!(bound.failure(), (404, "unknown_conversation"));
    assert_eq!(acme.log(secret).await.events, before.events, "nothing came through");
    drop(node);
}

#[tokio::test]
async fn every_frame_refuses_another_tenants_conversation() {
    let Two { node, other, secret, own, acme, .. } = two().await;
    let before = acme.log(secret).await;
    let mut eve = Socket::open(node.address, other.key.as_deref().unwrap()).await;
    eve.join(own, 0).await;
    let mut owner = Socket::open(node.address, acme.key.as_deref().unwrap()).await;
    owner.join(secret, 0).await;
    for frame in [
        json!({"type": "join", "conversation": secret}),
        json!({"type": "join", "conversation": secret, "after": 2}),
        json!({"type": "join", "conversation": secret, "after": "3:1:2"}),
    ] {
        let refusal = eve.call(frame.clone()).await.unwrap_err();
        assert_eq!(refusal.code.name(), "unknown_conversation", "{frame}");
    }
    for frame in [
        json!({"type": "say", "conversation": secret, "text": "Let me in, please."}),
        json!({"type": "cancel", "conversation": secret}),
        json!({"type": "leave", "conversation": secret}),
    ] {
        let refusal = eve.call(frame.clone()).await.unwrap_err();
        assert_eq!(refusal.code.name(), "not_joined", "{frame}");
    }
    // Signs of life have no answer: a frame behind them has, and the owner has seen none of them.
    eve.send(json!({"type": "typing", "conversation": secret, "on": true})).await;
    eve.send(json!({"type": "read", "conversation": secret, "seq": 1})).await;
    eve.call(json!({"type": "ping"})).await.unwrap();
    let asked = acme.say(secret, "r2", &format!("Anything else to know of it? {SAID}")).await;
    owner.reply_to(secret, asked).await;
    assert!(!owner.seen.iter().any(|frame| matches!(frame, schema::wire::ServerFrame::Signal(_))));
    eve.call(json!({"type": "ping"})).await.unwrap();
    for frame in &eve.seen {
        assert_silent(&serde_json::to_string(frame).unwrap(), "a frame");
    }
    assert_eq!(acme.log(secret).await.events[..before.events.len()], before.events[..]);
    assert_eq!(acme.view(secret).await.read, None);
}

#[tokio::test]
async fn no_canary_sings_where_another_tenant_an_operator_or_a_log_can_hear_it() {
    let Two { node, acme, acme_id, other, secret, own } = two().await;
    // The very question that makes it sing at home.
    let reply = other.ask(own, "r1", "What is the secret number of the lantern?").await;
    assert_silent(&serde_json::to_string(&reply).unwrap(), "a reply");
    // What fails must not quote either.
    for body in [json!({"ref": "r9", "text": SAID, LEARNED: 1}), json!({"ref": SAID.repeat(9), "text": SAID})] {
        assert_eq!(acme.post(&format!("/v1/conversations/{secret}/messages"), &body).await.status, 400);
    }
    acme.try_say(secret, "r0", &format!("another text for the same ref {SAID}")).await;
    let stale = json!({"version": 1, "name": KNOWN, KNOWN: 1, "add_identities": [{"kind": "phone", "value": KNOWN}]});
    let list: Value = acme.get(&format!("/v1/contacts?identity=email:{KNOWN}@example.com")).await.ok();
    let known = format!("/v1/contacts/{}", list["contacts"][0]["id"].as_str().unwrap());
    assert_eq!(acme.patch(&known, &stale).await.status, 400);
    assert_silent(&other.get(&known).await.body, "another tenant's contact");
    let sought = other.get(&format!("/v1/contacts?identity=external:{NAMED}")).await;
    assert_silent(&sought.body, "another tenant's contacts");
    let mut socket = Socket::open(node.address, acme.key.as_deref().unwrap()).await;
    socket.send(json!({"type": "say", "ref": "q", "conversation": secret, "text": {"deep": SAID}})).await;
    socket.replied("q").await.unwrap_err();

    let document: Value = other.get("/openapi.json").await.ok();
    for (path, operations) in document["paths"].as_object().unwrap() {
        if operations.get("get").is_none() || path.ends_with("/stream") || path.contains("/admin/") {
            continue;
        }
        let answer = other.get(&path.replace("{id}", &own.to_string())).await;
        assert_silent(&answer.body, path);
        assert!(!answer.body.contains(&secret.to_string()), "{path}");
        assert!(!answer.body.contains(&acme_id.to_string()), "{path}");
    }
    let mut stream = other.stream(own, "0").await;
    for _ in 0..reply.seq {
        assert_silent(&stream.next().await.unwrap().data.to_string(), "the stream");
    }
    assert_silent(&other.nobody().metrics().await, "the metrics");
    let log = node.log();
    assert!(!log.is_empty());
    for canary in [SAID, LEARNED, NAMED, TOLD, KNOWN] {
        assert!(!log.contains(canary), "{canary} in the log:\n{log}");
    }
    for key in [acme.key, other.key, Some(node.demo_key()), Some(node.admin_key())] {
        assert!(!log.contains(&key.unwrap()), "a key in the log:\n{log}");
    }
}

#[tokio::test]
async fn visitors_of_one_contact_do_not_hear_another() {
    let node = Node::start(&[]);
    let api = node.api();
    let (anas, bos) = (api.open_with("Ana").await, api.open_with("Bo").await);
    let token = async |contact: &str| api.visitor(json!({"contact": contact})).await.token;
    let mut ana = Socket::open(node.address, &token("Ana").await).await;
    let bo = token("Bo").await;
    ana.join(anas, 0).await;
    let refusal = ana.call(json!({"type": "join", "conversation": bos})).await.unwrap_err();
    assert_eq!(refusal.code.name(), "unknown_conversation");
    api.showing(bo).ask(bos, "r1", &format!("Do you know {SAID}?")).await;
    let asked = ana.say(anas, "r1", "What did Bo say, please?").await;
    ana.reply_to(anas, asked).await;
    for frame in &ana.seen {
        assert_silent(&serde_json::to_string(frame).unwrap(), "a frame");
    }
}
