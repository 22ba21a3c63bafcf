//! A tenant's settings: read, replaced by compare-and-set, in force at once.

use schema::wire::{TenantPut, TenantView};
use serde_json::{Value, json};
use tests::node::Node;
use tests::stream::reply_of;

#[tokio::test]
async fn a_profile_is_replaced_by_whoever_has_read_it_last() {
    let node = Node::start(&[]);
    let api = node.api();
    let first = api.tenant().await;
    assert_eq!(first.name, "demo");
    let put = |version, instructions: &str| {
        let mut profile = first.profile.clone();
        profile.assistant.instructions = instructions.to_owned();
        TenantPut { version, profile }
    };
    let changed: TenantView = api.put("/v1/tenant", &put(first.version, "Be kind.")).await.ok();
    assert_eq!(changed.version, first.version + 1);
    for stale in [first.version, 0, changed.version + 1] {
        let answer = api.put("/v1/tenant", &put(stale, "Be rude.")).await;
        assert_eq!(answer.failure(), (409, "version_conflict"), "{stale}");
    }
    let now = api.tenant().await;
    assert_eq!((now.version, now.profile.assistant.instructions.as_str()), (changed.version, "Be kind."));
}

#[tokio::test]
async fn what_breaks_a_rule_is_refused_and_changes_nothing() {
    let node = Node::start(&[]);
    let api = node.api();
    let TenantView { version, .. } = api.tenant().await;
    for (profile, part) in [
        (json!({"asistant": {}}), "asistant"),
        (json!({"allowed_origins": ["shop.example"]}), "shop.example"),
        (json!({"models": ["openai"]}), "models"),
        (json!({"models": ["nobody/knows"]}), "models"),
        (json!({"floor": {"burst_window_ms": 2001}}), "burst_window_ms"),
        (json!({"floor": {"while_speaking": "shout"}}), "shout"),
        (json!({"assistant": {"name": ""}}), "name"),
        (json!({"assistant": {"max_output_tokens": 0}}), ""),
        (json!({"quotas": {"running_turns": 0}}), ""),
        (json!({"assistant": {"instructions": "x".repeat(24 * 1024 + 1)}}), "instructions"),
    ] {
        let answer = api.put("/v1/tenant", &json!({"version": version, "profile": profile})).await;
        assert_eq!(answer.failure(), (400, "bad_field"), "{part}");
        assert!(answer.body.contains(part), "{}", answer.body);
    }
    assert_eq!(api.tenant().await.version, version);
}

#[tokio::test]
async fn a_running_conversation_goes_by_the_new_profile_from_its_next_turn_on() {
    let node = Node::start(&[]);
    let api = node.api();
    let id = api.open().await;
    let version = |event| reply_of(&event).map(|reply| reply.made.profile_version);
    let before = api.tenant().await.version;
    assert_eq!(version(api.ask(id, "r1", "What do you know?").await), Some(before));
    let changed = api.change_profile(|profile| profile.assistant.tone = "dry".into()).await;
    assert_eq!(changed.version, before + 1);
    assert_eq!(version(api.ask(id, "r2", "What do you know now?").await), Some(before + 1));
}

#[tokio::test]
async fn a_disabled_tenant_is_let_in_again_when_it_is_enabled() {
    let node = Node::start(&[]);
    let operator = node.operator();
    let (made, api) = operator.create_tenant("acme").await;
    let id = api.open().await;
    let at = |verb: &str| format!("/v1/admin/tenants/{}/{verb}", made.tenant);
    assert_eq!(operator.call("POST", &at("disable")).await.ok::<Value>()["disabled"], true);
    assert_eq!(api.get(&format!("/v1/conversations/{id}")).await.failure(), (403, "tenant_disabled"));
    assert_eq!(node.api().tenant().await.name, "demo", "others are not touched");
    assert_eq!(operator.call("POST", &at("enable")).await.ok::<Value>()["disabled"], false);
    assert_eq!(api.view(id).await.head, 1);

    let rotated: Value = operator.call("POST", &at("rotate-key")).await.ok();
    assert_eq!(api.get("/v1/tenant").await.failure(), (401, "unauthorized"), "the old key opens nothing");
    let renewed = api.showing(rotated["api_key"].as_str().unwrap());
    assert_eq!(renewed.view(id).await.head, 1);
    let unknown = schema::TenantId::generate();
    for verb in ["disable", "enable", "rotate-key"] {
        let answer = operator.call("POST", &format!("/v1/admin/tenants/{unknown}/{verb}")).await;
        assert_eq!(answer.failure(), (404, "not_found"), "{verb}");
    }
    assert_eq!(operator.post("/v1/admin/tenants", &json!({"name": "acme"})).await.failure(), (400, "bad_field"));
    let list: Value = operator.get("/v1/admin/tenants").await.ok();
    let names: Vec<_> = list["tenants"].as_array().unwrap().iter().map(|tenant| &tenant["name"]).collect();
    assert_eq!(names, ["demo", "acme"], "oldest first");
}
