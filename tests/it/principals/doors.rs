//! What strangers learn at the door: nothing, and slowly.

use serde_json::{Value, json};
use tests::api::Api;
use tests::node::Node;

use super::{SHOP, anonymous, auth, from_page};

const OWN_KEY: &str = "a-key-of-my-own-choosing";

#[tokio::test]
async fn wrong_keys_are_tried_slowly() {
    let node = Node::start(&[("TERTULIA_API_KEY", OWN_KEY)]);
    let operator = node.operator();
    let api = operator.showing(OWN_KEY);
    let (_, generated) = operator.create_tenant("acme").await;
    let guess = async |n: usize| api.showing(format!("guess-number-{n:08}")).get("/v1/tenant").await;
    let mut answers = Vec::new();
    for n in 0..100 {
        answers.push(guess(n).await);
    }
    let tried = answers.iter().filter(|answer| answer.status == 401).count();
    assert!((5..=30).contains(&tried), "{tried} of 100");
    let refused = answers.iter().find(|answer| answer.status != 401).unwrap();
    assert_eq!(refused.failure(), (429, "rate_limited"));
    assert!(refused.header("retry-after").parse::<u64>().is_ok_and(|wait| wait >= 1));
    // The right one is not told apart meanwhile; the operator's is guessed as slowly.
    assert_eq!(api.get("/v1/tenant").await.failure(), (429, "rate_limited"));
    let admin = api.showing("guess-of-the-operators").get("/v1/admin/tenants").await;
    assert_eq!(admin.failure(), (429, "rate_limited"));
    let mut socket = anonymous(&node).await;
    let refusal = auth(&mut socket, "guess-on-a-socket").await.unwrap_err();
    assert!(refusal.0 == "rate_limited" && refusal.1.is_some(), "{refusal:?}");
    assert_eq!(socket.closed().await.0, 4013);
    // Keys that nobody can guess are taken all the same, and so are tokens.
    assert_eq!(generated.tenant().await.name, "acme");
    operator.get("/v1/admin/tenants").await.ok::<Value>();
    let token = generated.visitor(json!({})).await.token;
    assert_eq!(generated.showing(token).get("/v1/conversations").await.status, 200);
    while api.get("/v1/tenant").await.status != 200 {
        tests::look_again().await;
    }
}

#[tokio::test]
async fn a_key_that_was_replaced_is_told_so_however_often_it_is_shown() {
    let node = Node::start(&[("TERTULIA_API_KEY", OWN_KEY)]);
    let operator = node.operator();
    let (made, old) = operator.create_tenant("acme").await;
    operator.call("POST", &format!("/v1/admin/tenants/{}/rotate-key", made.tenant)).await.ok::<Value>();
    for n in 0..30 {
        assert_eq!(old.get("/v1/tenant").await.failure(), (401, "unauthorized"), "{n}");
        assert_eq!(old.get("/v1/admin/tenants").await.failure(), (401, "unauthorized"), "{n}");
    }
    // Nor has whoever is at the same address to wait for it.
    assert_eq!(operator.showing(OWN_KEY).tenant().await.name, "demo");
}

#[tokio::test]
async fn what_cannot_be_read_counts_once() {
    let node = Node::start(&[("TERTULIA_LIMITS__MESSAGES_BURST", "20")]);
    let mut socket = anonymous(&node).await;
    for _ in 0..15 {
        socket.send_message(tokio_tungstenite::tungstenite::Message::text("{")).await;
    }
    assert_eq!(auth(&mut socket, &node.demo_key()).await, Ok(()));
}

#[tokio::test]
async fn a_foreign_page_does_not_learn_which_tenants_there_are() {
    let node = Node::start(&[]);
    let api = node.api();
    let (made, _) = node.operator().create_tenant("acme").await;
    node.operator().call("POST", &format!("/v1/admin/tenants/{}/disable", made.tenant)).await.ok::<Value>();
    let ask = async |tenant: &str, origin: Option<&str>| {
        let request = api.nobody().request("POST", &format!("/v1/widget/{tenant}")).json(&json!({}));
        let answer = Api::send(match origin {
            Some(origin) => request.header("origin", origin),
            None => request,
        })
        .await;
        (answer.status, answer.body)
    };
    for origin in [Some("https://evil.example"), Some("null"), None] {
        let known = ask("demo", origin).await;
        assert_eq!(known.0, 403, "{}", known.1);
        let unknown = schema::TenantId::generate().to_string();
        for tenant in ["nobody", "acme", &unknown, &made.tenant.to_string()] {
            assert_eq!(ask(tenant, origin).await, known, "{tenant} {origin:?}");
        }
    }
}

#[tokio::test]
async fn origins_are_taken_as_people_write_them_and_kept_as_browsers_send_them() {
    let node = Node::start(&[]);
    let api = node.api();
    let put = async |origins: Value| {
        let version = api.tenant().await.version;
        api.put("/v1/tenant", &json!({"version": version, "profile": {"allowed_origins": origins}})).await
    };
    for (written, kept) in [
        ("https://shop.example:443", SHOP),
        ("HTTPS://Shop.Example/", SHOP),
        ("http://shop.example:80", "http://shop.example"),
        ("https://shop.example:8443", "https://shop.example:8443"),
        ("https://bücher.example", "https://xn--bcher-kva.example"),
        ("http://[0:0:0:0:0:0:0:1]:3000", "http://[::1]:3000"),
    ] {
        let view: Value = put(json!([written])).await.ok();
        assert_eq!(view["profile"]["allowed_origins"], json!([kept]), "{written}");
        let token = api.visitor(json!({"origin": written})).await.token;
        from_page(&node, &token, kept).await.join_new().await;
    }
    for wrong in
        ["https://*.example", "https://shop.example/path", "https://u@shop.example", "https://shop.example:99999"]
    {
        assert_eq!(put(json!([wrong])).await.failure(), (400, "bad_field"), "{wrong}");
    }
}
