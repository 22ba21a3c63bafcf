//! What a page without a server of its own gets, and which pages get it.

use schema::wire::WidgetSession;
use serde_json::{Value, json};
use tests::api::{Answer, Api};
use tests::client::{Knock, Socket};
use tests::node::Node;

const SHOP: &str = "https://shop.example";

async fn ask(api: &Api, tenant: &str, origin: Option<&str>, body: &Value) -> Answer {
    let request = api.nobody().request("POST", &format!("/v1/widget/{tenant}")).json(body);
    Api::send(match origin {
        Some(origin) => request.header("origin", origin),
        None => request,
    })
    .await
}

#[tokio::test]
async fn a_page_on_the_list_or_of_our_own_gets_a_token_for_itself() {
    let node = Node::start(&[]);
    let api = node.api();
    let changed = api.change_profile(|profile| {
        profile.allowed_origins = vec![SHOP.parse().unwrap()];
        profile.assistant.name = "Vera".into();
        profile.widget.greeting = "Good day!".into();
    });
    let tenant = changed.await.id.to_string();
    let own = format!("http://{}", node.address);
    for (name, origin, status, code) in [
        ("demo", Some(SHOP), 200, ""),
        (tenant.as_str(), Some(SHOP), 200, ""),
        ("demo", Some(own.as_str()), 200, ""),
        ("demo", Some("https://evil.example"), 403, "origin_refused"),
        ("demo", Some("null"), 403, "origin_refused"),
        ("demo", None, 403, "origin_refused"),
        ("nobody", Some(SHOP), 403, "origin_refused"),
        ("nobody", Some(own.as_str()), 404, "not_found"),
    ] {
        let answer = ask(&api, name, origin, &json!({})).await;
        assert_eq!(answer.status, status, "{name} {origin:?} {}", answer.body);
        let Some(origin) = origin.filter(|_| status == 200) else {
            assert_eq!(answer.code(), code, "{name} {origin:?}");
            continue;
        };
        let session: WidgetSession = answer.ok();
        assert_eq!((session.look.name.as_str(), session.look.widget.greeting.as_str()), ("Vera", "Good day!"));
        // The token opens a socket on this very page, and on no other one.
        for (page, opens) in [(origin, true), ("https://evil.example", false)] {
            let knock = Knock { token: Some(&session.token), origin: Some(page), ..Knock::default() };
            let knocked = Socket::knock(node.address, knock).await;
            assert_eq!(knocked.is_ok(), opens, "{page}");
        }
    }
    for body in [json!({"visitor": 1}), json!({"contact": "Ana"})] {
        assert_eq!(ask(&api, "demo", Some(SHOP), &body).await.failure(), (400, "bad_field"), "{body}");
    }
}

#[tokio::test]
async fn a_visitor_who_comes_back_is_the_same_contact() {
    let node = Node::start(&[]);
    let api = node.api();
    let own = format!("http://{}", node.address);
    let come = async |tenant: &str, visitor: Option<&str>| -> WidgetSession {
        let body = visitor.map_or_else(|| json!({}), |visitor| json!({"visitor": visitor}));
        ask(&api, tenant, Some(&own), &body).await.ok()
    };
    let first = come("demo", None).await;
    assert_ne!(come("demo", None).await.contact, first.contact);
    let again = come("demo", Some(&first.visitor)).await;
    assert_eq!(again.contact, first.contact);
    assert_eq!(come("demo", Some(&again.visitor)).await.contact, first.contact);
    for stranger in ["", "v4.local.AAAA", first.token.as_str()] {
        assert_ne!(come("demo", Some(stranger)).await.contact, first.contact, "{stranger}");
    }
    node.operator().create_tenant("other").await;
    assert_ne!(come("other", Some(&first.visitor)).await.contact, first.contact, "another tenant's visitor");
    assert_eq!(api.showing(first.visitor).get("/v1/conversations").await.failure(), (401, "unauthorized"));
    // What was opened with the first token is there with the newest.
    let id = api.showing(first.token).open().await;
    assert_eq!(api.showing(again.token).view(id).await.head, 1);
}
