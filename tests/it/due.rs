//! What is due is done without a client: after a kill in mid-reply, at a conversation's hour, and in a store that
//! an earlier life has left.

mod troubles;

use std::sync::Arc;
use std::time::Duration;

use actors::{Audience, Clock, Format, Listener, Options, Outbox, ReplyTo, System, TenantRecord, Worker};
use engine_conversation::{Command, Speaker};
use engine_model::{ModelSettings, Registry};
use engine_store::memory::MemoryStore;
use engine_store::{Append, DueChange, DueQuery, Log, Opening, PageBounds, Reschedule, SharedStore, StoreError};
use futures_util::StreamExt;
use schema::{
    Author, Channel, CloseReason, ContactId, ConversationId, ConversationKey, End, Event, Fact, Position, SessionId,
    TenantId, Timestamp, UnfinishedTurns,
};
use tests::api::Api;
use tests::bench::{NoPassages, in_time};
use tests::look_again;
use tests::moody::{Mood, Moody};
use tests::node::{Node, Settings, fresh};
use tests::stream::{reply_of, text_of};
use tests::stub::Stub;
use tokio::task::LocalSet;
use tokio::time::{Instant, sleep};

/// Waits for an event. The log is read past its conversation, which nobody wakes by that.
async fn event(api: &Api, id: ConversationId, is_it: impl Fn(&Event) -> bool) -> Event {
    in_time(async {
        loop {
            if let Some(event) = api.whole_log(id).await.into_iter().find(&is_it) {
                return event;
            }
            look_again().await;
        }
    })
    .await
}

#[tokio::test]
async fn a_reply_that_a_kill_cuts_off_is_ended_though_nobody_comes() {
    for unfinished_turns in [UnfinishedTurns::Mark, UnfinishedTurns::Rerun] {
        let mut stub = Stub::start();
        let base = stub.base();
        let settings: Settings<'_> = &[("OPENAI_BASE_URL", &base), ("TERTULIA_MODEL", "openai/stub")];
        let mut node = Node::start(settings);
        let api = node.api();
        api.change_profile(|profile| profile.floor.unfinished_turns = unfinished_turns).await;
        let id = api.open().await;
        let asked = api.say(id, "r1", "Tell me something long, please.").await;
        let call = stub.call().await;
        let long = "words ".repeat(schema::limits::CHECKPOINT_BYTES / 6 + 1);
        call.token(&long);
        event(&api, id, |event| event.fact.name() == "checkpoint").await;
        node.kill();

        let node = Node::start_in(node.root(), settings);
        let (started, api) = (Instant::now(), node.api());
        let cut = event(&api, id, |event| reply_of(event).is_some()).await;
        assert!(started.elapsed() < Duration::from_secs(10), "it took {:?}", started.elapsed());
        let reply = reply_of(&cut).unwrap();
        assert_eq!((reply.end, reply.made.error.as_deref()), (End::Incomplete, Some("interrupted")));
        assert_eq!(text_of(&cut), long);
        if unfinished_turns == UnfinishedTurns::Mark {
            assert_eq!(reply.answers, asked);
            continue;
        }
        let call = stub.call().await;
        assert!(call.asked().contains("something long"), "{}", call.asked());
        call.token("Something shorter.");
        call.finish();
        let answer = event(&api, id, |event| reply_of(event).is_some_and(|reply| reply.end == End::Completed)).await;
        assert_eq!((text_of(&answer), reply_of(&answer).unwrap().answers), ("Something shorter.", asked));
        assert!(node.api().metric(r#"tertulia_due_attended_total{outcome="done"}"#).await >= 1.0);
    }
}

#[tokio::test]
async fn a_node_closes_what_came_to_its_hour_while_none_ran() {
    let root = fresh();
    let mut node = Node::start_in(root.clone(), &[]);
    let (api, tenant) = (node.api(), node.api().tenant().await.id);
    node.signal("TERM");
    assert!(node.ended().await.success());
    let hours = |hours: i64| hours * 3_600_000;
    let now = actors::SystemClock.now().as_millis();
    let [past, not_yet] = [(hours(80), hours(8)), (hours(70), -hours(2))].map(|(spoken, due)| {
        let key = ConversationKey { tenant, conversation: ConversationId::generate() };
        (key, now - spoken, now - due)
    });
    {
        let store = node.store();
        for (key, at, due) in [past, not_yet] {
            let (at, contact) = (Timestamp::from_millis(at), ContactId::from_bytes([7; 16]));
            let claim = store.claim(key, Some(Opening { contact, is_anonymous: false, at })).await.unwrap();
            let fact = Fact::Opened { contact, channel: Channel::Web, locale: None };
            // One in which nobody has done anything has nothing to close.
            let said = Fact::Message { text: "Hello.".into(), r#ref: None, agent: Some("Bo".into()), reply: None };
            let events = [(1, Author::System, fact), (2, Author::Human, said)];
            let events = Arc::new(events.map(|(seq, author, fact)| Event { seq, at, author, fact }));
            let due = DueChange::At(Timestamp::from_millis(due));
            store.append(Append { key, epoch: claim.epoch, head: claim.head, events, due }).await.unwrap();
        }
        store.close();
    }
    let node = Node::start_in(root, &[]);
    let api = Api::new(node.address, api.key);
    let closed = event(&api, past.0.conversation, |event| event.fact.name() == "closed").await;
    assert_eq!((closed.seq, closed.fact), (3, Fact::Closed { reason: CloseReason::Idle }));
    assert_eq!(api.whole_log(not_yet.0.conversation).await.len(), 2, "its hour has not come");
}

/// A clock that goes with tokio's.
struct Virtual(Instant);

impl Clock for Virtual {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(1_800_000_000_000).plus(self.0.elapsed())
    }
}

const HOUR: Duration = Duration::from_secs(3_600);

/// A node's actors on a store, in virtual time, with one tenant.
async fn node(store: &SharedStore, tenant: TenantId, options: Options) -> std::rc::Rc<Worker> {
    match TenantRecord::new(tenant, "shop", Timestamp::default()).save(&**store, 0).await {
        Ok(_) | Err(StoreError::Conflict { .. }) => {}
        Err(error) => panic!("{error}"),
    }
    let clock = Arc::new(Virtual(Instant::now()));
    let system = System::new(Arc::clone(store), Arc::new(NoPassages), clock, options);
    let worker = Worker::new(Arc::clone(&system), Registry::unchecked(ModelSettings::default(), None));
    tokio::task::spawn_local(system.sweep());
    tokio::task::spawn_local(std::rc::Rc::clone(&worker).attend());
    worker
}

/// An agent takes it over: where nobody has done anything there is nothing to close.
async fn taken(worker: &Worker, key: ConversationKey) {
    worker.submit(key, Command::Take { agent: "Bo".into() }).await.unwrap();
}

async fn facts(store: &SharedStore, key: ConversationKey) -> Vec<&'static str> {
    store.read(key, 0, PageBounds::FULL).await.unwrap().events.iter().map(|event| event.fact.name()).collect()
}

async fn entries(store: &SharedStore) -> usize {
    let query = DueQuery { before: Timestamp::from_millis(i64::MAX), after: None, limit: 9 };
    store.due(query).await.unwrap().len()
}

#[tokio::test(start_paused = true)]
async fn a_conversation_closes_at_its_hour_and_rests_again() {
    let world = LocalSet::new();
    let story = world.run_until(async {
        let store: SharedStore = Arc::new(MemoryStore::default());
        let tenant = TenantId::generate();
        let worker = node(&store, tenant, Options::default()).await;
        let (key, _) = worker.open(tenant, ContactId::from_bytes([7; 16]), None).await.unwrap();
        taken(&worker, key).await;
        assert_eq!(entries(&store).await, 1);
        sleep(72 * HOUR - Duration::from_secs(60)).await;
        assert_eq!(facts(&store, key).await, ["opened", "taken_over"]);
        sleep(Duration::from_secs(62)).await;
        assert_eq!(facts(&store, key).await, ["opened", "taken_over", "closed"]);
        assert_eq!(entries(&store).await, 0);
        assert_eq!(worker.system().listeners(), 0);
        sleep(72 * HOUR).await;
        assert_eq!(facts(&store, key).await.len(), 3, "once");
    });
    story.await;
}

#[tokio::test(start_paused = true)]
async fn a_conversation_that_somebody_listens_to_closes_at_its_hour() {
    let world = LocalSet::new();
    let story = world.run_until(async {
        let (store, tenant) = (Arc::new(MemoryStore::default()) as SharedStore, TenantId::generate());
        let worker = node(&store, tenant, Options::default()).await;
        let (key, _) = worker.open(tenant, ContactId::from_bytes([7; 16]), None).await.unwrap();
        taken(&worker, key).await;
        // It stays awake, so that no wake closes it.
        let (outbox, session) = (Outbox::new(), SessionId::generate());
        let mut frames = outbox.stream();
        let (reply, joined) = ReplyTo::call();
        let listener = Listener { session, outbox, format: Format::Socket, audience: Audience::Team };
        worker.find(key).await.unwrap().join(listener, Position::after(0), reply);
        joined.await.unwrap().unwrap();
        let read = tokio::task::spawn_local(async move { while frames.next().await.is_some() {} });
        sleep(72 * HOUR - Duration::from_secs(60)).await;
        assert_eq!(facts(&store, key).await, ["opened", "taken_over"]);
        sleep(Duration::from_secs(62)).await;
        assert_eq!((facts(&store, key).await, entries(&store).await), (vec!["opened", "taken_over", "closed"], 0));
        assert_eq!((worker.system().listeners(), read.is_finished()), (1, false));
    });
    story.await;
}

#[tokio::test(start_paused = true)]
async fn a_stricter_policy_closes_what_has_been_quiet_for_longer() {
    let world = LocalSet::new();
    let story = world.run_until(async {
        let (store, tenant) = (Arc::new(MemoryStore::default()) as SharedStore, TenantId::generate());
        let worker = node(&store, tenant, Options::default()).await;
        let (quiet, _) = worker.open(tenant, ContactId::from_bytes([7; 16]), None).await.unwrap();
        taken(&worker, quiet).await;
        sleep(2 * HOUR).await;
        let (recent, _) = worker.open(tenant, ContactId::from_bytes([8; 16]), None).await.unwrap();
        taken(&worker, recent).await;
        let actor = worker.tenant(tenant).await.unwrap();
        let mut profile = actor.profile();
        profile.floor.close_after_hours = 1;
        actor.put_profile(0, profile, &[]).await.unwrap();
        sleep(Duration::from_secs(60)).await;
        assert_eq!(facts(&store, quiet).await, ["opened", "taken_over", "closed"]);
        assert_eq!(facts(&store, recent).await, ["opened", "taken_over"]);
        sleep(HOUR).await;
        assert_eq!(facts(&store, recent).await, ["opened", "taken_over", "closed"]);
    });
    story.await;
}

#[tokio::test(start_paused = true)]
async fn while_the_store_takes_nothing_it_is_not_asked_all_the_time() {
    let world = LocalSet::new();
    let story = world.run_until(async {
        let (moody, tenant) = (Moody::default(), TenantId::generate());
        let store: SharedStore = Arc::new(moody.clone());
        let worker = node(&store, tenant, Options::default()).await;
        let (key, _) = worker.open(tenant, ContactId::from_bytes([7; 16]), None).await.unwrap();
        taken(&worker, key).await;
        // For a quarter of an hour around its moment each append is refused.
        let tries = 10_000;
        moody.will(std::iter::repeat_n(Mood::Away, tries));
        sleep(72 * HOUR + Duration::from_secs(900)).await;
        let used = tries - moody.left();
        assert!((2..2_000).contains(&used), "{used} appends in a quarter of an hour");
        assert_eq!(facts(&store, key).await, ["opened", "taken_over"]);
        moody.forgets();
        sleep(Duration::from_secs(600)).await;
        assert_eq!(facts(&store, key).await, ["opened", "taken_over", "closed"]);
    });
    story.await;
}

#[tokio::test(start_paused = true)]
async fn an_entry_that_is_too_early_costs_a_look_and_changes_nothing() {
    let world = LocalSet::new();
    let story = world.run_until(async {
        let (store, tenant) = (Arc::new(MemoryStore::default()) as SharedStore, TenantId::generate());
        let worker = node(&store, tenant, Options::default()).await;
        let (key, _) = worker.open(tenant, ContactId::from_bytes([7; 16]), None).await.unwrap();
        let agent = Speaker::Agent("Bo".into());
        worker.submit(key, Command::Take { agent: "Bo".into() }).await.unwrap();
        worker
            .submit(key, Command::Say { speaker: agent, r#ref: "1".parse().unwrap(), text: "Hello.".into() })
            .await
            .unwrap();
        // It has gone to rest; then somebody brings its entry forward.
        sleep(Duration::from_secs(120)).await;
        let claim = store.claim(key, None).await.unwrap();
        let now = worker.system().clock().now();
        let early = Reschedule { key, epoch: claim.epoch, head: claim.head, at: Some(now) };
        store.reschedule(early).await.unwrap();
        let before = facts(&store, key).await;
        sleep(Duration::from_secs(10)).await;
        assert_eq!(facts(&store, key).await, before);
        let query = DueQuery { before: Timestamp::from_millis(i64::MAX), after: None, limit: 9 };
        let entry = store.due(query).await.unwrap()[0];
        assert!(entry.at.since(now) > 70 * HOUR, "it says when to look again: {entry:?}");
        sleep(72 * HOUR).await;
        assert_eq!(facts(&store, key).await.last(), Some(&"closed"));
    });
    story.await;
}
