//! Plans: the operator's ceilings, models and budgets, and a tenant's choice within them.

use std::num::NonZeroU32;
use std::sync::Arc;

use actors::Options;
use schema::wire::{PlanList, PlanPut, PlanView, TenantPut, TenantView};
use schema::{Ceilings, End, Plan};
use serde_json::{Value, json};
use tests::api::Api;
use tests::bench::{Bench, NoPassages};
use tests::moody::Moody;
use tests::node::{self, Node};
use tests::stream::{reply_of, text_of};
use tests::stub::Stub;

fn count(n: u32) -> NonZeroU32 {
    NonZeroU32::new(n).unwrap()
}

async fn put_plan(operator: &Api, name: &str, version: u64, plan: Plan) -> PlanView {
    operator.put(&format!("/v1/admin/plans/{name}"), &PlanPut { version, plan }).await.ok()
}

#[actix_web::test]
async fn a_plan_that_was_told_holds_for_a_tenant_that_was_just_being_read() {
    let store = Moody::default();
    let model = Arc::new(engine_knowledge::Builtin);
    let bench = Bench::start(Arc::new(store.clone()), Arc::new(NoPassages), model, Options::default()).await;
    let system = bench.worker.system();
    let told = |version, requests| {
        let mut plan = PlanView { version, ..PlanView::default() };
        plan.plan.quotas.requests_per_second = count(requests);
        system.plan_changed(&plan);
    };
    for known in [false, true] {
        store.hold_reads(true);
        let reads = async {
            if known {
                bench.worker.tenant(bench.tenant).await.unwrap().reload().await.unwrap();
            }
            bench.worker.tenant(bench.tenant).await.unwrap()
        };
        let changes = async {
            // The reading has begun, and what it reads is the plan from before.
            tokio::task::yield_now().await;
            let requests = if known { 2 } else { 3 };
            told(4 - u64::from(requests), requests);
            store.hold_reads(false);
            requests
        };
        let (tenant, requests) = tokio::join!(reads, changes);
        assert_eq!(tenant.requests_per_second().get(), requests, "known before: {known}");
        told(0, 7);
        assert_eq!(tenant.requests_per_second().get(), requests, "an older one came late");
    }
}

#[tokio::test]
async fn a_tenant_chooses_within_its_plan() {
    let node = Node::start(&[("OPENAI_API_KEY", "the operator's"), ("TERTULIA_MODEL", "builtin,openai/node")]);
    let (operator, api) = (node.operator(), node.api());
    let TenantView { version, profile, plan, .. } = api.tenant().await;
    assert_eq!(plan, PlanView::default(), "what holds for a tenant that was given no other");
    for (change, words) in [
        (json!({"quotas": {"requests_per_second": 10_001}}), "`quotas.requests_per_second` is at most 10000"),
        (json!({"quotas": {"running_turns": 1_025}}), "`quotas.running_turns` is at most 1024"),
        (json!({"quotas": {"sessions": 50_001}}), "`quotas.sessions` is at most 50000"),
        (json!({"quotas": {"tokens_per_day": 100_000_001}}), "`quotas.tokens_per_day` is at most 100000000"),
        (json!({"models": ["openai/the-dearest"]}), "`openai/the-dearest` is not in this tenant's plan"),
    ] {
        let answer = api.put("/v1/tenant", &json!({"version": version, "profile": change})).await;
        assert_eq!(answer.failure(), (400, "bad_field"), "{change}");
        assert!(answer.body.contains(words), "{}", answer.body);
    }
    let mut own = profile;
    own.models = vec!["openai/node".into(), "builtin".into()];
    own.quotas.sessions = count(7);
    own.quotas.tokens_per_day = 100_000_000;
    api.put("/v1/tenant", &TenantPut { version, profile: own }).await.ok::<TenantView>();

    let pro = Plan {
        quotas: Ceilings { sessions: count(60_000), tokens_per_day: 0, ..Ceilings::default() },
        models: vec!["openai/pro".into()],
        ..Plan::default()
    };
    put_plan(&operator, "pro", 0, pro).await;
    let path = format!("/v1/admin/tenants/{}/plan", api.tenant().await.id);
    assert_eq!(operator.put(&path, &json!({"plan": "none"})).await.failure(), (404, "not_found"));
    assert_eq!(operator.put(&path, &json!({"plan": "pro"})).await.ok::<TenantView>().plan.name, "pro");
    let changed = api.change_profile(|profile| {
        profile.quotas.sessions = count(60_000);
        profile.quotas.tokens_per_day = 1 << 40;
        profile.models = vec!["openai/pro".into()];
    });
    assert_eq!(changed.await.plan.plan.models, ["openai/pro"], "it holds at once");
    for route in [("GET", "/v1/admin/plans"), ("GET", "/v1/admin/plans/pro"), ("PUT", "/v1/admin/plans/pro")] {
        let asked = api.request(route.0, route.1).json(&json!({"version": 1, "plan": {}}));
        assert_eq!(Api::send(asked).await.failure(), (401, "unauthorized"), "a tenant has no say in plans: {route:?}");
    }
    for (name, body, failure) in [
        ("pro", json!({"version": 0, "plan": {}}), (409, "version_conflict")),
        ("Pro", json!({"version": 0, "plan": {}}), (400, "bad_field")),
        ("two", json!({"version": 0, "plan": {"quota": {}}}), (400, "bad_field")),
        ("two", json!({"version": 0, "plan": {"models": ["nobody/knows"]}}), (400, "bad_field")),
        ("two", json!({"version": 0, "plan": {"quotas": {"sessions": 0}}}), (400, "bad_field")),
    ] {
        assert_eq!(operator.put(&format!("/v1/admin/plans/{name}"), &body).await.failure(), failure, "{name} {body}");
    }
    let plans: PlanList = operator.get("/v1/admin/plans").await.ok();
    assert_eq!(plans.plans.iter().map(|plan| plan.name.as_str()).collect::<Vec<_>>(), ["default", "pro"]);
}

#[tokio::test]
async fn a_plan_that_shrinks_holds_over_what_a_profile_says() {
    let mut stub = Stub::start();
    let base = stub.base();
    let node = Node::start(&[
        ("TERTULIA_MODEL", "openai/small,openai/big"),
        ("OPENAI_API_KEY", "none"),
        ("OPENAI_BASE_URL", &base),
    ]);
    let (operator, api) = (node.operator(), node.api());
    api.change_profile(|profile| profile.models = vec!["openai/big".into()]).await;
    let id = api.open().await;
    api.say(id, "r1", "Do you have red lanterns, and what is their price?").await;
    let call = stub.call().await;
    assert_eq!(call.model, "big");
    call.finish();
    api.reply(id, 2).await;

    let quotas = Ceilings { running_turns: count(1), sessions: count(20), ..Ceilings::default() };
    let shrunk =
        put_plan(&operator, "default", 0, Plan { quotas, models: vec!["openai/small".into()], ..Plan::default() });
    let version = shrunk.await.version;
    api.is_in_force().await;
    let asked = api.say(id, "r2", "And green ones, what would they cost?").await;
    let call = stub.call().await;
    assert_eq!(call.model, "small", "the operator's key does not buy the other one any more");
    let other = api.open().await;
    let refused = api.ask(other, "r1", "Do you have lanterns at all?").await;
    assert_eq!(reply_of(&refused).unwrap().made.error.as_deref(), Some("quota_exhausted"));
    call.token("Two.");
    call.finish();
    assert_eq!(text_of(&api.reply(id, asked).await), "Two.");
    // What stood in the profile before is no reason to refuse another change.
    api.change_profile(|profile| profile.assistant.name = "Vera".into()).await;
    let models = json!({"version": api.tenant().await.version, "profile": {"models": ["openai/other"]}});
    assert_eq!(api.put("/v1/tenant", &models).await.failure(), (400, "bad_field"));

    put_plan(&operator, "default", version, Plan::default()).await;
    api.is_in_force().await;
    api.say(id, "r3", "And once more, the big ones, please?").await;
    assert_eq!(stub.call().await.model, "big", "the choice was kept");
}

#[tokio::test]
async fn todays_tokens_are_not_forgotten_by_a_restart() {
    let settings = [("TERTULIA_MODEL", "builtin")];
    let mut node = Node::start(&settings);
    let quotas = Ceilings { tokens_per_day: 1, ..Ceilings::default() };
    put_plan(&node.operator(), "default", 0, Plan { quotas, ..Plan::default() }).await;
    let api = node.api();
    let id = api.open().await;
    let spent = async |api: &Api, n: &str| {
        let reply = api.ask(id, n, "Do you have red lanterns, and what is their price?").await;
        let reply = reply_of(&reply).unwrap().clone();
        (reply.end == End::Failed).then(|| reply.made.error.unwrap_or_default())
    };
    assert_eq!(spent(&api, "r1").await, None);
    assert_eq!(spent(&api, "r2").await.as_deref(), Some("quota_exhausted"));
    node.signal("TERM");
    node.ended().await;
    let node = Node::start_in(node.root(), &settings);
    assert_eq!(spent(&node.api(), "r3").await.as_deref(), Some("quota_exhausted"), "it is the same day");
}

#[tokio::test]
async fn a_profile_over_its_size_is_refused_where_it_is_written() {
    let node = Node::start(&[]);
    let api = node.api();
    let version = api.tenant().await.version;
    // Each field is within its own bound.
    let origins: Vec<String> = (0..64).map(|n| format!("https://{n}.{}.example", "a".repeat(220))).collect();
    let profile = |instructions: usize| json!({"assistant": {"instructions": "\"".repeat(instructions)}, "allowed_origins": origins});
    let answer = api.put("/v1/tenant", &json!({"version": version, "profile": profile(20_000)})).await;
    assert_eq!(answer.failure(), (413, "too_large"));
    assert!(answer.body.contains("49152"), "{}", answer.body);
    assert_eq!(api.tenant().await.version, version);
    let smaller = json!({"version": version, "profile": profile(14_000)});
    api.put("/v1/tenant", &smaller).await.ok::<TenantView>();
}

#[tokio::test]
async fn the_command_line_makes_plans_and_gives_them_to_tenants() {
    let root = node::used().await;
    let file = root.path().join("pro.json");
    std::fs::write(&file, r#"{"models": ["builtin"], "quotas": {"sessions": 3}}"#).unwrap();
    let file = file.to_str().unwrap();
    let said = |arguments: &[&str], address: Option<&str>| {
        let settings: Vec<_> = address.iter().map(|address| ("TERTULIA_LISTEN", *address)).collect();
        let mut command = node::command(root.path(), &settings);
        command.args(arguments);
        let ran = node::run(command, r#"{"quotas": {"sessions": 4}}"#);
        assert_eq!(ran.code, Some(0), "{arguments:?}: {}", ran.err);
        ran.out
    };
    // With no node, and then with one.
    assert_eq!(said(&["plan", "set", "pro", file], None), "plan pro is at version 1\n");
    assert!(said(&["tenant", "create", "acme", "--plan", "pro"], None).contains("acme"));
    let node = Node::start_in(root.clone(), &[]);
    let address = node.address.to_string();
    assert_eq!(said(&["plan", "list"], Some(&address)), "default\npro\n");
    let shown: Value = serde_json::from_str(&said(&["plan", "show", "pro"], Some(&address))).unwrap();
    assert_eq!((&shown["quotas"]["sessions"], &shown["quotas"]["running_turns"]), (&json!(3), &json!(1_024)));
    assert_eq!(said(&["plan", "set", "pro", "-"], Some(&address)), "plan pro is at version 2\n");
    assert!(said(&["tenant", "list"], Some(&address)).contains("pro           acme"));
    assert_eq!(said(&["tenant", "plan", "acme", "default"], Some(&address)), "acme has the plan default\n");
}
