//! Visitors' tokens: made for an origin, a contact, a conversation and a while; renewed; over.

use schema::wire::{ConversationList, VisitorToken};
use serde_json::json;
use tests::api::Api;
use tests::node::Node;

const SHOP: &str = "https://shop.example";

#[tokio::test]
async fn a_token_is_made_for_a_page_on_the_list() {
    let node = Node::start(&[]);
    let api = node.api();
    api.change_profile(|profile| profile.allowed_origins = vec![SHOP.parse().unwrap()]).await;
    for (body, failure) in [
        (json!({"origin": "https://evil.example"}), (403, "origin_refused")),
        (json!({"origin": "http://shop.example"}), (403, "origin_refused")),
        (json!({"origin": "https://shop.example:8443"}), (403, "origin_refused")),
        (json!({"origin": "https://shop.example/cart"}), (400, "bad_field")),
        (json!({"ttl_seconds": 0}), (400, "bad_field")),
        (json!({"ttl_seconds": 3601}), (400, "bad_field")),
        (json!({"contact": ""}), (400, "bad_field")),
        (json!({"conversation": "conv_1"}), (400, "bad_field")),
        (json!({"conversation": schema::ConversationId::generate()}), (404, "unknown_conversation")),
        (json!({"name": "Ana"}), (400, "bad_field")),
    ] {
        assert_eq!(api.post("/v1/visitors", &body).await.failure(), failure, "{body}");
    }
    let made = api.visitor(json!({"origin": SHOP, "contact": "Ana"})).await;
    assert_eq!(made.contact.as_str(), "Ana");
    let visitor = api.showing(made.token);
    let from =
        async |origin: &str| Api::send(visitor.request("POST", "/v1/conversations").header("origin", origin)).await;
    assert_eq!(from(SHOP).await.status, 201);
    assert_eq!(from("https://evil.example").await.failure(), (403, "origin_refused"));
    api.change_profile(|profile| profile.allowed_origins.clear()).await;
    assert_eq!(from(SHOP).await.failure(), (403, "origin_refused"), "the page is no longer on the list");
}

#[tokio::test]
async fn a_visitor_sees_and_does_what_is_theirs_and_no_more() {
    let node = Node::start(&[]);
    let api = node.api();
    let (anas, bos) = (api.open_with("Ana").await, api.open_with("Bo").await);
    let ana = api.showing(api.visitor(json!({"contact": "Ana"})).await.token);
    let list: ConversationList = ana.get("/v1/conversations?contact=Bo").await.ok();
    assert_eq!(list.conversations.iter().map(|row| row.id).collect::<Vec<_>>(), [anas]);
    let own = ana.open().await;
    assert_eq!(api.view(own).await.contact.map(|contact| contact.to_string()).as_deref(), Some("Ana"));
    ana.ask(anas, "r", "What do you know?").await;

    let at = |id: &schema::ConversationId, rest: &str| format!("/v1/conversations/{id}{rest}");
    for (method, path) in
        [("GET", ""), ("GET", "/events"), ("GET", "/stream"), ("POST", "/cancel"), ("POST", "/messages")]
    {
        let mut request = ana.request(method, &at(&bos, path));
        if path == "/messages" {
            request = request.json(&json!({"ref": "r", "text": "Hello there!"}));
        }
        let answer = Api::send(request).await;
        assert_eq!(answer.failure(), (404, "unknown_conversation"), "{method} {path}");
    }
    for (method, path, body) in [
        ("POST", at(&anas, "/human"), json!({"action": "take", "agent": "Ana"})),
        ("POST", at(&anas, "/close"), json!({})),
        ("POST", at(&anas, "/messages"), json!({"ref": "x", "text": "Hi!", "agent": "Zoe"})),
        ("GET", "/v1/tenant".into(), json!({})),
        ("PUT", "/v1/tenant".into(), json!({"version": 1, "profile": {}})),
        ("GET", "/v1/knowledge".into(), json!({})),
        ("POST", "/v1/knowledge".into(), json!({"source": "a", "text": "b"})),
        ("DELETE", "/v1/knowledge?source=a".into(), json!({})),
        ("POST", "/v1/conversations".into(), json!({"contact": "Bo"})),
        ("POST", "/v1/visitors".into(), json!({"contact": "Bo"})),
        ("POST", "/v1/visitors".into(), json!({"conversation": anas})),
        ("POST", "/v1/visitors".into(), json!({"origin": SHOP})),
    ] {
        let answer = Api::send(ana.request(method, &path).json(&body)).await;
        assert_eq!(answer.failure(), (403, "forbidden"), "{method} {path} {body}");
    }
    assert_eq!(ana.get("/v1/admin/tenants").await.failure(), (401, "unauthorized"));
    assert_eq!(api.view(bos).await.head, 1, "nothing of all that came through");
}

#[tokio::test]
async fn a_token_may_be_bound_to_one_conversation() {
    let node = Node::start(&[]);
    let api = node.api();
    let (first, second) = (api.open_with("Ana").await, api.open_with("Ana").await);
    let other = json!({"conversation": first, "contact": "Bo"});
    assert_eq!(api.post("/v1/visitors", &other).await.failure(), (400, "bad_field"), "it is with Ana");
    let made = api.visitor(json!({"conversation": first})).await;
    assert_eq!(made.contact.as_str(), "Ana");
    let ana = api.showing(made.token);
    assert_eq!(ana.view(first).await.head, 1);
    let answer = ana.get(&format!("/v1/conversations/{second}")).await;
    assert_eq!(answer.failure(), (404, "unknown_conversation"));
    assert_eq!(ana.post("/v1/conversations", &json!({})).await.failure(), (403, "forbidden"));
    for query in ["", "?limit=1"] {
        let answer = ana.get(&format!("/v1/conversations{query}")).await;
        assert!(!answer.body.contains(&second.to_string()), "not even its id: {query} {}", answer.body);
        let list: ConversationList = answer.ok();
        assert_eq!(list.conversations.iter().map(|row| row.id).collect::<Vec<_>>(), [first], "{query}");
    }
}

#[tokio::test]
async fn a_token_is_renewed_while_it_holds_and_then_says_that_it_is_over() {
    // It is looked at more often than a visitor would.
    let node =
        Node::start(&[("TERTULIA_LIMITS__MESSAGES_PER_SECOND", "1000"), ("TERTULIA_LIMITS__MESSAGES_BURST", "1000")]);
    let api = node.api();
    let id = api.open_with("Ana").await;
    let short = api.visitor(json!({"contact": "Ana", "ttl_seconds": 1})).await;
    let ana = api.showing(short.token.clone());
    let renewed: VisitorToken = ana.call("POST", "/v1/visitors").await.ok();
    assert_eq!(renewed.contact, short.contact);
    assert!(renewed.expires_at > short.expires_at);
    loop {
        let answer = ana.get(&format!("/v1/conversations/{id}")).await;
        if answer.status != 200 {
            assert_eq!(answer.failure(), (401, "token_expired"));
            assert_eq!(answer.header("www-authenticate"), "Bearer");
            break;
        }
        tests::look_again().await;
    }
    assert_eq!(ana.call("POST", "/v1/visitors").await.failure(), (401, "token_expired"), "too late to renew it");
    assert_eq!(api.showing(renewed.token).view(id).await.head, 1);
    let mut spoiled = short.token;
    spoiled.pop();
    assert_eq!(api.showing(spoiled).get("/v1/conversations").await.failure(), (401, "unauthorized"));
}
