//! Bounds on one visitor and on all visitors: attacked over HTTP and sockets at once.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;

use actors::{Options, System, SystemClock, TenantRecord, Visit, Worker};
use engine_knowledge::{KnowledgeError, Query, Retriever};
use engine_model::{ChunkStream, Model, ModelSettings, Prompt, Registry};
use engine_store::SharedStore;
use engine_store::memory::MemoryStore;
use futures_util::future::{BoxFuture, join_all};
use schema::wire::{PlanPut, PlanView, WidgetSession};
use schema::{ContactId, Passage, Plan, TenantId, Timestamp, limits};
use serde_json::{Value, json};
use tests::api::{Answer, Api};
use tests::bench::{Bench, in_time, says};
use tests::client::Socket;
use tests::moody::{Mood, Moody};
use tests::node::Node;
use tests::stub::Stub;

/// The limit on requests out of the way: what is attacked is behind it.
const FAST: [(&str, &str); 2] =
    [("TERTULIA_LIMITS__MESSAGES_PER_SECOND", "100000"), ("TERTULIA_LIMITS__MESSAGES_BURST", "100000")];

const SHOP: &str = "https://shop.example";

async fn default_plan(node: &Node, change: impl FnOnce(&mut Plan)) -> PlanView {
    let operator = node.operator();
    let PlanView { version, mut plan, .. } = operator.get("/v1/admin/plans/default").await.ok();
    change(&mut plan);
    operator.put("/v1/admin/plans/default", &PlanPut { version, plan }).await.ok()
}

/// What was refused must say so, and until when.
fn is_refused(answer: &Answer, code: &str) -> bool {
    if answer.status < 300 {
        return false;
    }
    assert_eq!(answer.failure(), (429, code), "{}", answer.body);
    let wait: u64 = answer.header("retry-after").parse().unwrap();
    assert!((1..=24 * 3_600).contains(&wait), "{wait}");
    true
}

#[tokio::test]
async fn one_visitor_opens_and_says_no_more_on_all_ways_together_than_on_one() {
    let node = Node::start(&FAST);
    let api = node.api();
    let id = api.open_with("Eve").await;
    api.human(id, schema::wire::HumanAction::Take, "Zoe").await.ok::<Value>();
    let token = api.visitor(json!({"contact": "Eve"})).await.token;
    let visitor = api.showing(token.clone());
    let mut sockets = Vec::new();
    for _ in 0..2 {
        let mut socket = Socket::open(node.address, &token).await;
        socket.join(id, 0).await;
        sockets.push(socket);
    }
    let budget = Plan::default().visitors;

    let opened_over_http = async {
        let open = async |_| visitor.post("/v1/conversations", &json!({})).await;
        let answers = join_all((0..100).map(open)).await;
        answers.iter().filter(|answer| !is_refused(answer, "rate_limited")).count()
    };
    let opened_on_sockets = join_all(sockets.iter_mut().map(async |socket| {
        let mut opened = 0;
        for _ in 0..50 {
            match socket.call(json!({"type": "join"})).await {
                Ok(_) => opened += 1,
                Err(refusal) => assert_eq!(refusal.code.name(), "rate_limited"),
            }
        }
        opened
    }));
    let (http, on_sockets) = tokio::join!(opened_over_http, opened_on_sockets);
    let opened = http + on_sockets.iter().sum::<usize>();
    let allowed = budget.conversations_per_hour.get() as usize;
    assert!((allowed..=allowed + 2).contains(&opened), "{opened} of 200 conversations were opened");

    let said_over_http = async {
        let say = async |n| visitor.try_say(id, &format!("h{n}"), "Buy, buy, buy!").await;
        let answers = join_all((0..100).map(say)).await;
        answers.iter().filter(|answer| !is_refused(answer, "rate_limited")).count()
    };
    let said_on_sockets = join_all(sockets.iter_mut().enumerate().map(async |(s, socket)| {
        let mut said = 0;
        for n in 0..50 {
            match socket.try_say(id, &format!("s{s}-{n}"), "Buy, buy, buy!").await {
                Ok(_) => said += 1,
                Err(refusal) => {
                    assert_eq!(refusal.code.name(), "rate_limited");
                    assert!(refusal.retry_after.is_some());
                }
            }
        }
        said
    }));
    let began = tokio::time::Instant::now();
    let (http, on_sockets) = tokio::join!(said_over_http, said_on_sockets);
    let said = http + on_sockets.iter().sum::<usize>();
    let allowed = budget.messages_per_minute.get() as usize + began.elapsed().as_secs() as usize + 1;
    assert!((60..=allowed).contains(&said), "{said} of 200 messages were taken");

    // Everybody else goes on.
    let other = api.showing(api.visitor(json!({"contact": "Ana"})).await.token);
    let anas = other.open().await;
    other.say(anas, "r1", "Do you ship to Portugal?").await;
    api.say(id, "own", "The tenant's server is not a visitor.").await;
}

#[tokio::test]
async fn a_visitors_requests_count_together_over_http_and_sockets() {
    let node = Node::start(&[("TERTULIA_LIMITS__MESSAGES_PER_SECOND", "1"), ("TERTULIA_LIMITS__MESSAGES_BURST", "20")]);
    let api = node.api();
    let token = api.visitor(json!({"contact": "Eve"})).await.token;
    let visitor = api.showing(token.clone());
    let mut sockets = Vec::new();
    for _ in 0..3 {
        sockets.push(Socket::open(node.address, &token).await);
    }
    let began = tokio::time::Instant::now();
    let pings = join_all(sockets.iter_mut().map(async |socket| {
        let mut taken = 0;
        for _ in 0..20 {
            taken += usize::from(socket.call(json!({"type": "ping"})).await.is_ok());
        }
        taken
    }));
    let lists = join_all((0..20).map(|_| visitor.get("/v1/conversations")));
    let (pings, lists) = tokio::join!(pings, lists);
    let lists = lists.iter().filter(|answer| !is_refused(answer, "rate_limited")).count();
    let taken = lists + pings.iter().sum::<usize>();
    let allowed = 20 + began.elapsed().as_secs() as usize + 1;
    assert!((20..=allowed).contains(&taken), "{taken} of 80 were taken");
}

#[tokio::test]
async fn one_visitor_has_so_many_replies_running_and_no_more() {
    let mut stub = Stub::start();
    let mut settings = vec![("TERTULIA_MODEL", "openai/stub"), ("OPENAI_API_KEY", "none")];
    settings.extend(FAST);
    let base = stub.base();
    settings.push(("OPENAI_BASE_URL", &base));
    let node = Node::start(&settings);
    let api = node.api();
    let visitor = api.showing(api.visitor(json!({"contact": "Eve"})).await.token);
    let mut ids = Vec::new();
    for _ in 0..24 {
        ids.push(visitor.open().await);
    }
    let question = "Do you have red lanterns, and what is their price?";
    let answers = join_all(ids.iter().map(|id| visitor.try_say(*id, "r1", question))).await;
    let taken: Vec<_> = ids.iter().zip(&answers).filter(|(_, answer)| !is_refused(answer, "quota_exhausted")).collect();
    let allowed = Plan::default().visitors.running_turns.get() as usize;
    // Those that came before the first reply had begun were taken; their replies fail, and say why.
    let mut calls = Vec::new();
    for _ in 0..allowed {
        calls.push(stub.call().await);
    }
    let failed = async || {
        let mut failed = 0;
        for (id, _) in &taken {
            let log = api.log(**id).await;
            let replies = log.events.iter().filter_map(tests::stream::reply_of);
            failed += replies.filter(|reply| reply.made.error.as_deref() == Some("quota_exhausted")).count();
        }
        failed
    };
    // A reply that finds no place ends a moment after those that found one have asked.
    in_time(async {
        while taken.len() - failed().await > allowed {
            tests::look_again().await;
        }
    })
    .await;
    assert_eq!(taken.len() - failed().await, allowed, "{} taken", taken.len());
    assert!(stub.is_quiet(), "the model was asked no more");
    assert!(is_refused(&visitor.try_say(ids[0], "r2", question).await, "quota_exhausted"));
    let other = api.showing(api.visitor(json!({"contact": "Ana"})).await.token);
    other.say(other.open().await, "r1", question).await;
    calls.push(stub.call().await);
    calls.remove(0).finish();
    // One has ended, and there is room for the next.
    loop {
        let answer = visitor.try_say(ids[23], "r9", question).await;
        if !is_refused(&answer, "quota_exhausted") {
            break;
        }
        tests::look_again().await;
    }
    stub.call().await;
}

#[tokio::test]
async fn what_a_visitor_has_stored_in_a_day_is_bounded_over_a_restart_too() {
    let settings = FAST.map(|(name, value)| (name, value));
    let mut node = Node::start(&settings);
    let count = |n| std::num::NonZeroU32::new(n).unwrap();
    let bytes = 2 * limits::VISITOR_BYTES_KEPT;
    default_plan(&node, |plan| {
        plan.visitors.bytes_per_day = bytes;
        plan.visitors.all_bytes_per_day = bytes + bytes / 2;
        plan.visitors.messages_per_minute = count(100_000);
    })
    .await;
    let words = "word ".repeat(limits::TEXT_BYTES_MAX / 5);
    let fill = async |api: &Api, contact: &str| {
        let id = api.open_with(contact).await;
        api.human(id, schema::wire::HumanAction::Take, "Zoe").await.ok::<Value>();
        let visitor = api.showing(api.visitor(json!({"contact": contact})).await.token);
        let mut taken = 0;
        loop {
            let answer = visitor.try_say(id, &format!("r{taken}"), &words).await;
            if is_refused(&answer, "quota_exhausted") {
                return taken * words.len();
            }
            taken += 1;
            assert!(taken < 1_000, "there is no end of it");
        }
    };
    let eves = fill(&node.api(), "Eve").await;
    assert!((bytes as usize * 9 / 10..=bytes as usize).contains(&eves), "{eves}");
    let bos = fill(&node.api(), "Bo").await;
    assert!((bytes as usize * 4 / 10..=bytes as usize / 2).contains(&bos), "{bos}: all of them together are bound");
    let disk: u64 = std::fs::read_dir(node.data()).unwrap().map(|file| file.unwrap().metadata().unwrap().len()).sum();
    assert!(disk < 4 * bytes + 8 * 1024 * 1024, "{disk} bytes on disk for {}", eves + bos);

    node.signal("TERM");
    node.ended().await;
    let node = Node::start_in(node.root(), &settings);
    assert_eq!(fill(&node.api(), "Eve").await, 0, "it is the same day");
    assert_eq!(fill(&node.api(), "Ana").await, 0, "for everybody");
    default_plan(&node, |plan| plan.visitors.all_bytes_per_day = 0).await;
    assert_eq!(fill(&node.api(), "Eve").await, 0, "she has used hers");
    assert!(fill(&node.api(), "Ana").await > 0);
}

fn from(last: u8) -> reqwest::Client {
    let from = IpAddr::from(Ipv4Addr::new(127, 0, 0, last));
    reqwest::Client::builder().no_proxy().local_address(from).build().unwrap()
}

/// Comes with the shop's page, from an address of this machine.
async fn page_of(node: &Node, last: u8, secret: Option<&str>) -> Answer {
    let request = from(last).post(format!("http://{}/v1/widget/demo", node.address)).header("origin", SHOP);
    Api::send(request.json(&json!({"visitor": secret}))).await
}

#[tokio::test]
async fn one_address_does_not_use_up_what_all_visitors_have() {
    let node = Node::start(&FAST);
    let api = node.api();
    api.change_profile(|profile| profile.allowed_origins = vec![SHOP.parse().unwrap()]).await;
    default_plan(&node, |plan| {
        plan.visitors.bytes_per_day = 100_000;
        plan.visitors.all_bytes_per_day = 800_000;
    })
    .await;
    let words = "word ".repeat(limits::TEXT_BYTES_MAX / 5);
    // Says as much as it may; gives how much of what was said in its name was taken.
    let fill = async |last: u8| {
        let session: WidgetSession = page_of(&node, last, None).await.ok();
        let ask = |path: &str| {
            let request = from(last).post(format!("http://{}{path}", node.address));
            request.header("origin", SHOP).bearer_auth(&session.token)
        };
        let opened = Api::send(ask("/v1/conversations").json(&json!({}))).await;
        if is_refused(&opened, "quota_exhausted") {
            return 0;
        }
        let id = opened.ok::<schema::wire::Created>().id;
        api.human(id, schema::wire::HumanAction::Take, "Zoe").await.ok::<Value>();
        let mut taken = 0;
        loop {
            let message = json!({"ref": format!("r{taken}"), "text": words});
            let said = Api::send(ask(&format!("/v1/conversations/{id}/messages")).json(&message)).await;
            if is_refused(&said, "quota_exhausted") {
                return taken * words.len();
            }
            taken += 1;
        }
    };
    let mut taken = 0;
    for _ in 0..20 {
        taken += fill(2).await;
    }
    assert!((60_000..=100_000).contains(&taken), "{taken} bytes in the name of twenty visitors");
    assert!(fill(3).await > 60_000, "visitors from elsewhere are served");
    let known = api.showing(api.visitor(json!({"contact": "Ana"})).await.token);
    known.say(known.open().await, "r1", "Do you ship to Portugal?").await;
}

#[tokio::test]
async fn a_page_does_not_use_up_the_requests_of_the_tenants_server() {
    let node = Node::start(&[("TERTULIA_LIMITS__NEW_VISITORS_PER_HOUR_PER_ADDRESS", "20")]);
    let api = node.api();
    api.change_profile(|profile| {
        profile.allowed_origins = vec![SHOP.parse().unwrap()];
        // A few times what the key asks, so that a slow machine does not matter; a fifth of what the pages ask.
        profile.quotas.requests_per_second = std::num::NonZeroU32::new(40).unwrap();
    })
    .await;
    // Whoever is over their own budget takes nothing from anybody else's.
    let first: WidgetSession = page_of(&node, 2, None).await.ok();
    for _ in 0..60 {
        page_of(&node, 2, None).await;
    }
    let pages = join_all((0..200).map(|_| page_of(&node, 2, Some(&first.visitor))));
    let server = async {
        let mut refused = 0;
        for _ in 0..5 {
            refused += usize::from(api.get("/v1/tenant").await.status != 200);
        }
        refused
    };
    let (_, refused) = tokio::join!(pages, server);
    assert_eq!(refused, 0, "of 5 by key");
}

/// Says nothing, and goes on with it.
struct Quiet;

impl Model for Quiet {
    fn name(&self) -> &str {
        "builtin"
    }

    fn ask(&self, _: Arc<Prompt>) -> ChunkStream {
        Box::pin(futures_util::stream::pending())
    }
}

#[actix_web::test]
async fn a_visitor_pays_for_what_is_stored_and_for_nothing_else() {
    let store = Moody::default();
    let bench = Bench::start(Arc::new(store.clone()), Arc::new(Nothing), Arc::new(Quiet), Options::default()).await;
    let mut plan = PlanView { version: 1, ..PlanView::default() };
    plan.plan.visitors.messages_per_minute = std::num::NonZeroU32::new(2).unwrap();
    bench.worker.system().plan_changed(&plan);
    let tenant = bench.worker.tenant(bench.tenant).await.unwrap();
    let visit = Visit::new(tenant, ContactId::from_bytes([7; 16]), None);
    let (key, _) = bench.worker.open_for(&visit, None).await.unwrap();
    let say = async |r#ref: &str| {
        let said = bench.worker.submit_for(Some(&visit), key, says(r#ref, "What is new?"));
        in_time(said).await.map_err(|failure| failure.code.name())
    };
    let mut lost = 0;
    let first = loop {
        if lost < 5 && store.left() == 0 {
            store.will([Mood::Corrupt]);
        }
        match say("r1").await {
            Ok(outcome) => break outcome.seq,
            Err("store_corrupt") => lost += 1,
            // It wakes again.
            Err(code) => assert_eq!(code, "restarting", "after {lost} that were not stored"),
        }
        tests::look_again().await;
    };
    assert_eq!(lost, 5);
    for _ in 0..100 {
        assert_eq!(say("r1").await.map(|outcome| outcome.seq), Ok(first), "it is stored once, and paid once");
    }
    assert!(say("r2").await.is_ok());
    assert_eq!(say("r3").await.map(drop), Err("rate_limited"), "these two were");
}

#[tokio::test]
async fn new_visitors_have_a_budget_by_address_and_by_tenant() {
    let node = Node::start(&[("TERTULIA_LIMITS__NEW_VISITORS_PER_HOUR_PER_ADDRESS", "20")]);
    let api = node.api();
    api.change_profile(|profile| profile.allowed_origins = vec![SHOP.parse().unwrap()]).await;
    default_plan(&node, |plan| plan.visitors.new_per_hour = std::num::NonZeroU32::new(50).unwrap()).await;
    let come = async |last: u8, secret: Option<&str>| page_of(&node, last, secret).await;
    let crowd = async |last: u8, count: usize| {
        let answers = join_all((0..count).map(|_| come(last, None))).await;
        let taken: Vec<WidgetSession> =
            answers.iter().filter(|answer| !is_refused(answer, "rate_limited")).map(Answer::ok).collect();
        taken
    };
    let first = crowd(2, 200).await;
    assert_eq!(first.len(), 20, "of 200 from one address");
    assert_eq!(crowd(3, 100).await.len(), 20, "another address has its own");
    assert_eq!(crowd(4, 100).await.len(), 10, "the tenant takes 50 in an hour");
    assert_eq!(crowd(5, 100).await.len(), 0);
    for session in first.iter().take(3) {
        let again: WidgetSession = come(2, Some(&session.visitor)).await.ok();
        assert_eq!(again.contact, session.contact, "who comes back is not new");
    }
}

/// Finds nothing.
struct Nothing;

impl Retriever for Nothing {
    fn search(&self, _: TenantId, _: Query, _: usize) -> BoxFuture<'static, Result<Vec<Passage>, KnowledgeError>> {
        Box::pin(async { Ok(Vec::new()) })
    }
}

/// In virtual time: the node crashes some time after the last use, and forgets no more than it says.
#[tokio::test(start_paused = true)]
async fn a_crash_forgets_what_was_used_in_its_last_seconds_at_most() {
    let store: SharedStore = Arc::new(MemoryStore::default());
    let id = TenantId::generate();
    TenantRecord::new(id, "shop", Timestamp::default()).save(&*store, 0).await.unwrap();
    let start = || {
        let system = System::new(Arc::clone(&store), Arc::new(Nothing), Arc::new(SystemClock), Options::default());
        Worker::new(system, Registry::unchecked(ModelSettings::default(), None))
    };
    let eve = ContactId::from_bytes([7; 16]);
    let most = usize::try_from(Plan::default().visitors.bytes_per_day).unwrap();
    for (kept, looks) in [(true, 1), (false, 0)] {
        let worker = start();
        let tenant = worker.tenant(id).await.unwrap();
        let used = async {
            // The first look is at once.
            tokio::time::sleep(Duration::from_millis(1)).await;
            Visit::new(Arc::clone(&tenant), eve, None).says(most / 3).unwrap();
            tokio::time::sleep(limits::USAGE_KEPT_EVERY * looks).await;
        };
        tokio::select! {
            () = Arc::clone(worker.system()).sweep() => unreachable!("it is not closed"),
            () = used => {}
        }
        drop(worker);
        let before = start().tenant(id).await.unwrap();
        let taken = Visit::new(before, eve, None).says(most * 2 / 3).is_ok();
        assert_eq!(taken, !kept, "{looks} looks later");
        if kept {
            store_is_emptied(&store, id).await;
        }
    }
}

async fn store_is_emptied(store: &SharedStore, id: TenantId) {
    let name = engine_store::RecordName { scope: engine_store::Scope::Tenant(id), kind: "usage", id: "today".into() };
    let record = store.get(name.clone()).await.unwrap().expect("it was kept");
    store.delete(name, record.version).await.unwrap();
}
