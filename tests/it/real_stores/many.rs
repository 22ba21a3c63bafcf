//! Several nodes as processes of their own on one cluster, with Redis beside it: whichever a client comes to has all of
//! a conversation, and what becomes of one of them the clients of the others hardly notice.

mod limits;

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use schema::wire::{ConversationView, JobStarted, JobState, JobView, SiteList};
use schema::{ConversationId, End, Event, Fact};
use serde_json::{Value, json};
use tempfile::TempDir;
use tests::api::Api;
use tests::client::Socket;
use tests::node::{Node, fresh, on_cluster};
use tests::servers::{Cassandra, Redis, keyspace_name};
use tests::site::{Page, Site};
use tests::stream::{reply_of, text_of};
use tests::stub::Stub;
use tests::{PATIENCE, look_again};

/// How long it takes at most until a dead node's conversations are somebody else's.
const TAKEN_OVER_WITHIN: Duration = Duration::from_secs(11);
/// How long a client waits at most while a node that ends gives its conversations away.
const HANDED_OVER_WITHIN: Duration = Duration::from_secs(1);
/// How long it takes at most until the replies of all nodes know what one of them has learned.
const LEARNED_WITHIN: Duration = Duration::from_secs(2);

/// What the nodes of one installation are started with.
struct Installation {
    settings: Vec<(String, String)>,
    /// The folder of the root key, which all of them read.
    _keys: Arc<TempDir>,
    redis: Option<Redis>,
}

impl Installation {
    fn new(redis: Option<Redis>, more: &[(&str, &str)]) -> Self {
        let keys = fresh();
        let own = on_cluster(Cassandra::shared().unwrap(), &keyspace_name());
        let mut settings: Vec<(String, String)> = own.map(|(name, value)| (name.to_owned(), value)).into();
        settings.push(("TERTULIA_STORE__KEYS".into(), keys.path().display().to_string()));
        if let Some(redis) = &redis {
            settings.push(("TERTULIA_REDIS".into(), format!("redis://{}", redis.address())));
        }
        settings.extend(more.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        Self { settings, _keys: keys, redis }
    }

    fn node(&self) -> Node {
        self.node_in(fresh())
    }

    fn node_in(&self, root: Arc<TempDir>) -> Node {
        Node::start_in(root, &self.settings())
    }

    /// One that takes over from a node.
    fn follower_of(&self, node: &Node) -> Node {
        node.follow(&self.settings())
    }

    fn settings(&self) -> Vec<(&str, &str)> {
        self.settings.iter().map(|(name, value)| (&**name, &**value)).collect()
    }

    /// So many nodes, which see each other.
    async fn nodes<const N: usize>(&self) -> [Node; N] {
        let nodes = std::array::from_fn(|_| self.node());
        for node in &nodes {
            sees(node, N).await;
        }
        nodes
    }
}

/// Waits until a node sees so many members, itself among them, and has links to the others.
pub(super) async fn sees(node: &Node, members: usize) {
    let began = Instant::now();
    loop {
        let state = node.api().get("/readyz").await.ok::<Value>();
        let links = node.api().metric("tertulia_peer_links").await;
        if state["cluster"]["members"] == members && links >= (members - 1) as f64 {
            return;
        }
        assert!(began.elapsed() < PATIENCE, "{state}, {links} links");
        look_again().await;
    }
}

/// Says something, again while the node says that it cannot be stored now, as clients do. When it was, and how long
/// that took.
async fn said(api: &Api, id: ConversationId, r#ref: &str) -> Duration {
    let began = Instant::now();
    loop {
        let answer = api.try_say(id, r#ref, r#ref).await;
        if answer.status < 300 {
            return began.elapsed();
        }
        assert!(matches!(answer.code(), "restarting" | "busy" | "draining"), "{answer:?}");
        assert!(began.elapsed() < PATIENCE, "{answer:?}");
        look_again().await;
    }
}

/// The events of what was said under these refs, each once and in this order.
pub(super) fn in_order(events: &[Event], refs: &[&str]) {
    let said: Vec<&str> = events
        .iter()
        .filter_map(|event| match &event.fact {
            Fact::Message { r#ref: Some(r#ref), .. } => Some(r#ref.as_str()),
            _ => None,
        })
        .collect();
    assert_eq!(said, refs);
    let numbers: Vec<u64> = events.iter().map(|event| event.seq).collect();
    assert_eq!(numbers, (1..=events.len() as u64).collect::<Vec<_>>());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_is_followed_leaves_the_new_one_its_addresses_and_the_others_find_it() {
    let world = Installation::new(Some(Redis::start().unwrap()), &[]);
    let [mut a, b] = world.nodes().await;
    let id = a.api().open().await;
    said(&a.api(), id, "r1").await;
    let next = world.follower_of(&a);
    assert_eq!(a.ended().await.code(), Some(0));
    assert_eq!(next.address, a.address);
    for node in [&next, &b] {
        sees(node, 2).await;
    }
    // Whoever owns it now, both lead to it.
    said(&b.api(), id, "r2").await;
    said(&next.api(), id, "r3").await;
    for node in [&next, &b] {
        in_order(&node.api().whole_log(id).await, &["r1", "r2", "r3"]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whichever_node_a_client_comes_to_has_all_of_a_conversation() {
    let mut stub = Stub::start();
    let base = stub.base();
    let model = [("OPENAI_BASE_URL", base.as_str()), ("TERTULIA_MODEL", "openai/stub")];
    let world = Installation::new(Some(Redis::start().unwrap()), &model);
    let [a, b, c] = world.nodes().await;
    let id = a.api().open_with("Ana").await;
    let mut ana = Socket::open(b.address, &b.demo_key()).await;
    ana.join(id, 0).await;
    let mut owner = Socket::open(a.address, &a.demo_key()).await;
    owner.join(id, 0).await;
    let asked = c.api().say(id, "r1", "When are you open?").await;
    let call = stub.call().await;
    call.token("From nine ");
    assert_eq!(ana.hears(id, 1, 0, 10).await, "From nine ");
    // Who comes in the middle of a reply hears it from its beginning.
    let mut late = Socket::open(c.address, &c.demo_key()).await;
    late.join(id, 0).await;
    call.token("to five.");
    for socket in [&mut ana, &mut owner, &mut late] {
        assert_eq!(socket.hears(id, 1, 0, 18).await, "From nine to five.");
    }
    call.finish();
    for socket in [&mut ana, &mut owner, &mut late] {
        assert_eq!(text_of(&socket.reply_to(id, asked).await), "From nine to five.");
    }
    // All say the same of it.
    let views: [ConversationView; 3] = [a.api().view(id).await, b.api().view(id).await, c.api().view(id).await];
    assert!(views.iter().all(|view| json!(view) == json!(views[0])), "{views:?}");
    assert_eq!(views[0].subscribers, 3);
    let logs = [a.api().whole_log(id).await, b.api().whole_log(id).await, c.api().whole_log(id).await];
    assert!(logs.iter().all(|log| *log == logs[0]));
    // A reply that runs at one is stopped at another.
    let asked = ana.say(id, "r2", "And on Sundays?").await;
    let call = stub.call().await;
    call.token("On Sun");
    ana.hears(id, 2, 0, 6).await;
    c.api().cancel(id).await;
    let reply = owner.reply_to(id, asked).await;
    assert_eq!(reply_of(&reply).unwrap().end, End::Cancelled);
    let relays: f64 = b.api().metric("tertulia_relays").await + c.api().metric("tertulia_relays").await;
    assert!(relays >= 1.0, "somebody followed");
    // It is erased where it does not run.
    assert_eq!(b.api().call("DELETE", &format!("/v1/conversations/{id}")).await.status, 204);
    for node in [&a, &b, &c] {
        assert_eq!(node.api().get(&format!("/v1/conversations/{id}/events")).await.failure().1, "unknown_conversation");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_is_killed_is_followed_by_another_and_no_socket_closes() {
    for redis in [Some(Redis::start().unwrap()), None] {
        let how = if redis.is_some() { "with Redis" } else { "without" };
        let world = Installation::new(redis, &[]);
        let [mut a, b, c] = world.nodes().await;
        let id = a.api().open_with("Ana").await;
        // It is awake there.
        let mut owner = Socket::open(a.address, &a.demo_key()).await;
        owner.join(id, 0).await;
        let mut ana = Socket::open(b.address, &b.demo_key()).await;
        ana.join(id, 0).await;
        let first = ana.say(id, "r1", "r1").await;
        ana.reply_to(id, first).await;
        a.kill();
        let took = said(&c.api(), id, "r2").await;
        println!("{how}: taken over after {took:?}");
        assert!(took < TAKEN_OVER_WITHIN, "{how}: {took:?}");
        // Over the same socket, without a word from the client.
        let second = ana.event(id, |event| text_of(event) == "r2").await;
        ana.reply_to(id, second.seq).await;
        said(&b.api(), id, "r3").await;
        in_order(&c.api().whole_log(id).await, &["r1", "r2", "r3"]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_drains_hands_over_at_once() {
    let world = Installation::new(Some(Redis::start().unwrap()), &[]);
    let [mut a, b] = world.nodes().await;
    let id = a.api().open_with("Ana").await;
    let mut owner = Socket::open(a.address, &a.demo_key()).await;
    owner.join(id, 0).await;
    let mut ana = Socket::open(b.address, &b.demo_key()).await;
    ana.join(id, 0).await;
    let mut refs = vec!["r1".to_owned()];
    said(&b.api(), id, "r1").await;
    a.signal("TERM");
    let mut slowest = Duration::ZERO;
    for n in 2..40 {
        let r#ref = format!("r{n}");
        slowest = slowest.max(said(&b.api(), id, &r#ref).await);
        refs.push(r#ref);
    }
    println!("the slowest of {} sends took {slowest:?}", refs.len());
    assert!(slowest < HANDED_OVER_WITHIN, "{slowest:?}");
    assert!(a.ended().await.success(), "{}", a.log());
    ana.event(id, |event| text_of(event) == "r39").await;
    let refs: Vec<&str> = refs.iter().map(String::as_str).collect();
    in_order(&b.api().whole_log(id).await, &refs);
    sees(&b, 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_was_held_still_writes_nothing_and_its_clients_hear_the_others() {
    let world = Installation::new(Some(Redis::start().unwrap()), &[]);
    let [a, b] = world.nodes().await;
    let id = a.api().open_with("Ana").await;
    let mut ana = Socket::open(a.address, &a.demo_key()).await;
    ana.join(id, 0).await;
    let first = ana.say(id, "r1", "r1").await;
    ana.reply_to(id, first).await;
    a.signal("STOP");
    let took = said(&b.api(), id, "r2").await;
    println!("taken over after {took:?} from one that is held");
    assert!(took < TAKEN_OVER_WITHIN, "{took:?}");
    a.signal("CONT");
    // It still takes itself for the owner, and its client says something at once.
    ana.send(json!({"type": "message", "ref": "r3", "conversation": id, "text": "r3"})).await;
    ana.event(id, |event| text_of(event) == "r2").await;
    said(&b.api(), id, "r4").await;
    ana.event(id, |event| text_of(event) == "r4").await;
    said(&a.api(), id, "r3").await;
    let mut log = b.api().whole_log(id).await;
    log.retain(|event| !matches!(&event.fact, Fact::Message { r#ref: Some(r#ref), .. } if r#ref.as_str() == "r3"));
    let said = |event: &&Event| matches!(&event.fact, Fact::Message { r#ref: Some(_), .. });
    let texts: Vec<&str> = log.iter().filter(said).map(text_of).collect();
    assert_eq!(texts, ["r1", "r2", "r4"]);
    let logs = [a.api().whole_log(id).await, b.api().whole_log(id).await];
    assert_eq!(logs[0], logs[1]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_comes_back_on_its_data_need_not_wait_for_its_own_death_to_be_believed() {
    for redis in [Some(Redis::start().unwrap()), None] {
        let how = if redis.is_some() { "with Redis" } else { "without" };
        let world = Installation::new(redis, &[]);
        let [mut a, b] = world.nodes().await;
        let id = a.api().open_with("Ana").await;
        let mut owner = Socket::open(a.address, &a.demo_key()).await;
        owner.join(id, 0).await;
        said(&a.api(), id, "r1").await;
        a.kill();
        let killed = Instant::now();
        let back = world.node_in(a.root());
        said(&back.api(), id, "r2").await;
        said(&b.api(), id, "r3").await;
        println!("{how}: served again {:?} after the kill", killed.elapsed());
        assert!(killed.elapsed() < Duration::from_secs(8), "{how}: {:?}", killed.elapsed());
        in_order(&b.api().whole_log(id).await, &["r1", "r2", "r3"]);
    }
}

/// Waits until something is so, and says how long that took.
async fn until<F: Future<Output = bool>>(what: &str, is_so: impl Fn() -> F) -> Duration {
    let began = Instant::now();
    while !is_so().await {
        assert!(began.elapsed() < PATIENCE, "{what}");
        look_again().await;
    }
    began.elapsed()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_one_node_changes_holds_on_all_soon() {
    for redis in [Some(Redis::start().unwrap()), None] {
        let (how, within) = match redis {
            Some(_) => ("with Redis", Duration::from_secs(1)),
            None => ("without", Duration::from_secs(10)),
        };
        let world = Installation::new(redis, &[]);
        let [a, b] = world.nodes().await;
        let (made, acme) = a.operator().create_tenant("acme").await;
        let there = Api::new(b.address, acme.key.clone());
        let path = format!("/v1/admin/tenants/{}", made.tenant);
        // It is served there, with everything that is remembered of it.
        let id = there.open_with("Ana").await;
        let mut team = Socket::open(b.address, &made.api_key).await;
        team.join(id, 0).await;
        let token = there.visitor(json!({"contact": "Bo"})).await.token;
        let mut bo = Socket::open(b.address, &token).await;
        let mut late = Vec::new();

        let logged_out = acme.call("DELETE", "/v1/visitors?contact=Bo").await;
        assert_eq!(logged_out.status, 204, "{logged_out:?}");
        let began = Instant::now();
        bo.closed().await;
        late.push(("logged out", began.elapsed()));

        acme.change_profile(|profile| profile.assistant.instructions = "Speak like a pirate.".into()).await;
        let has = || async { there.tenant().await.profile.assistant.instructions == "Speak like a pirate." };
        late.push(("profile", until("the profile is known", has).await));

        assert_eq!(a.operator().call("POST", &format!("{path}/disable")).await.status, 200);
        let refused = || async { there.get("/v1/tenant").await.status == 403 };
        late.push(("disabled", until("a disabled tenant is refused", refused).await));
        let began = Instant::now();
        team.closed().await;
        late.push(("its socket", began.elapsed()));
        assert_eq!(a.operator().call("POST", &format!("{path}/enable")).await.status, 200);
        let served = || async { there.get("/v1/tenant").await.status == 200 };
        late.push(("enabled", until("it is served again", served).await));

        assert_eq!(a.operator().call("POST", &format!("{path}/rotate-key")).await.status, 200);
        let refused = || async { there.get("/v1/tenant").await.status == 401 };
        late.push(("rotated", until("an old key is refused", refused).await));

        // Documents need no Redis for two seconds.
        b.api().learn("hours.md", "# Hours\n\nThe shop opens at nine.").await;
        let ask = b.api().open().await;
        b.api().ask(ask, "q1", "When does the shop open?").await;
        a.api().learn("parking.md", "# Parking\n\nThe parking for quetzalcoatls is behind the shop.").await;
        let began = Instant::now();
        for n in 2.. {
            let reply = b.api().ask(ask, &format!("q{n}"), "Where is the parking for quetzalcoatls?").await;
            if text_of(&reply).contains("behind the shop") {
                break;
            }
            assert!(began.elapsed() < PATIENCE, "{reply:?}");
        }
        println!("{how}: documents after {:?}, {late:?}", began.elapsed());
        assert!(began.elapsed() < LEARNED_WITHIN, "{how}: documents after {:?}", began.elapsed());
        assert!(late.iter().all(|(_, took)| *took < within), "{how}: {late:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_site_is_learned_on_one_node_at_a_time_and_on_another_when_that_one_dies() {
    let text = |html: &str| Page::Html(format!("<html><body><main>{html}</main></body></html>"));
    let site = Site::start([
        ("/", text("<p>Lamps by hand since 1962.</p><a href='/delivery'>Delivery</a> <a href='/bulbs'>Bulbs</a>")),
        ("/delivery", text("<p>A floor lamp is delivered within eleven working days by a carrier.</p>")),
        ("/bulbs", Page::Slow(PATIENCE * 2, String::new())),
    ])
    .await;
    let world = Installation::new(None, &[("TERTULIA_LEARNING__PRIVATE_HOSTS", "true")]);
    let [mut a, b, c] = world.nodes().await;
    let asked = json!({"url": site.url("/")});
    let started: JobStarted = a.api().post("/v1/knowledge/sites", &asked).await.ok();
    let path = format!("/v1/knowledge/jobs/{}", started.job);
    let read_two = || async { b.api().get(&path).await.ok::<JobView>().pages_read == 2 };
    until("the job is shown on another node", read_two).await;
    let again = b.api().post("/v1/knowledge/sites", &asked).await;
    assert_eq!(again.code(), "busy", "{again:?}");

    let bulbs = "Every bulb of ours shines for twenty-five thousand hours.";
    site.put("/bulbs", text(&format!("<p>{bulbs}</p>")));
    a.kill();
    let done = || async {
        let job: JobView = c.api().get(&path).await.ok();
        assert_ne!(job.state, JobState::Failed, "{job:?}");
        job.state == JobState::Done
    };
    let took = until("the job is gone on with", done).await;
    println!("a site's job was done {took:?} after its node was killed");
    for node in [&b, &c] {
        let list: SiteList = node.api().get("/v1/knowledge/sites").await.ok();
        assert_eq!((list.sites.len(), list.sites[0].last.as_ref().map(|job| job.id)), (1, Some(started.job)));
        let id = node.api().open().await;
        let mut asked = 0;
        let knows = async |asked: u32| {
            text_of(&node.api().ask(id, &format!("q{asked}"), "How long does a bulb shine?").await).contains(bulbs)
        };
        let began = Instant::now();
        while !knows(asked).await {
            asked += 1;
            assert!(began.elapsed() < LEARNED_WITHIN, "what another node learned is known late");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_tenant_may_ask_for_is_counted_over_all_nodes() {
    const RATE: usize = 20;
    const LOOKED_FOR: Duration = Duration::from_secs(22);
    let world = Installation::new(Some(Redis::start().unwrap()), &[]);
    let [a, b, c] = world.nodes().await;
    let (_, acme) = a.operator().create_tenant("acme").await;
    acme.change_profile(|profile| profile.quotas.requests_per_second = NonZeroU32::new(RATE as u32).unwrap()).await;
    let there = [a.address, b.address, c.address].map(|address| Api::new(address, acme.key.clone()));
    for api in &there {
        let knows = || async { api.tenant().await.profile.quotas.requests_per_second.get() as usize == RATE };
        until("the profile is known", knows).await;
    }
    // At each node as many as that one alone would let through.
    let (began, mut passed, mut refused) = (Instant::now(), 0, 0);
    while began.elapsed() < LOOKED_FOR {
        let answers = join_all(there.iter().map(|api| api.get("/v1/tenant"))).await;
        for answer in answers {
            match answer.status {
                200 => passed += 1,
                _ => {
                    assert_eq!(answer.code(), "rate_limited", "{answer:?}");
                    refused += 1;
                }
            }
        }
    }
    // Three windows at most, each with its burst, and what passed until it was told.
    let most = 3 * 12 * RATE + 3 * 3 * RATE;
    let alone = 3 * RATE * LOOKED_FOR.as_secs() as usize;
    println!("{passed} passed in {LOOKED_FOR:?}, {refused} refused; three nodes that do not count together: {alone}");
    assert!(passed <= most && most < alone, "{passed} passed, {most} may");
    assert!(passed >= 12 * RATE, "{passed} passed");
}

#[tokio::test(flavor = "multi_thread")]
async fn redis_comes_and_goes_and_nothing_is_lost() {
    let world = Installation::new(Some(Redis::start().unwrap()), &[]);
    let [a, b] = world.nodes().await;
    let mut redis = world.redis.unwrap();
    let id = a.api().open_with("Ana").await;
    let mut ana = Socket::open(a.address, &a.demo_key()).await;
    ana.join(id, 0).await;
    for (n, act) in ["flushed", "killed", "back"].into_iter().enumerate() {
        match act {
            "flushed" => drop(redis.ask(&["FLUSHALL"]).unwrap()),
            "killed" => redis.kill().unwrap(),
            _ => redis.restart().unwrap(),
        }
        let r#ref = format!("r{n}");
        let took = said(&b.api(), id, &r#ref).await;
        assert!(took < Duration::from_secs(2), "{act}: {took:?}");
        let sight = if act == "killed" { "without_redis" } else { "whole" };
        let began = Instant::now();
        while b.api().get("/readyz").await.ok::<Value>()["cluster"]["sight"] != sight {
            assert!(began.elapsed() < PATIENCE, "{act}");
            look_again().await;
        }
        assert_eq!(b.api().get("/readyz").await.ok::<Value>()["cluster"]["members"], 2, "{act}: nobody dies of it");
    }
    in_order(&a.api().whole_log(id).await, &["r0", "r1", "r2"]);
}
