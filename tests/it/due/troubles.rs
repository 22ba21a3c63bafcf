//! What is due where a part of the node or of the store is in trouble: others do not wait for it, and what could not be
//! done is done when it can be.

use actors::{Failure, ProfileRecord};
use engine_store::RecordName;
use schema::ErrorCode;

use super::*;

/// In a world of its own, in virtual time.
async fn lives(story: impl AsyncFnOnce()) {
    LocalSet::new().run_until(Box::pin(story())).await;
}

/// A conversation that has nothing to do, at rest.
async fn sleeper(store: &SharedStore, tenant: TenantId, due: Option<Timestamp>) -> ConversationKey {
    let key = ConversationKey { tenant, conversation: ConversationId::generate() };
    let opening = Opening { contact: ContactId::generate(), is_anonymous: true, at: Timestamp::default() };
    let claim = store.claim(key, Some(opening)).await.unwrap();
    store.reschedule(Reschedule { key, epoch: claim.epoch, head: claim.head, at: due }).await.unwrap();
    key
}

/// One that somebody has taken over.
async fn opened(worker: &Worker, tenant: TenantId) -> ConversationKey {
    let (key, _) = worker.open(tenant, ContactId::generate(), None).await.unwrap();
    taken(worker, key).await;
    key
}

/// How long it takes from the hour of a conversation until it is closed.
async fn closes_after(store: &SharedStore, key: ConversationKey) -> Duration {
    let began = Instant::now();
    while facts(store, key).await.last() != Some(&"closed") {
        sleep(Duration::from_millis(100)).await;
        assert!(began.elapsed() < 2 * HOUR, "it does not close");
    }
    began.elapsed()
}

async fn put_hours(worker: &Worker, tenant: TenantId, hours: u32) -> Result<(), Failure> {
    let tenant = worker.tenant(tenant).await?;
    let mut profile = tenant.profile();
    profile.floor.close_after_hours = hours;
    tenant.put_profile(tenant.view().version, profile, &[]).await.map(drop)
}

#[tokio::test(start_paused = true)]
async fn while_many_are_told_of_a_new_policy_others_are_not_late() {
    lives(async || {
        let store = Arc::new(MemoryStore::default()) as SharedStore;
        let (large, small) = (TenantId::generate(), TenantId::generate());
        let worker = node(&store, small, Options::default()).await;
        TenantRecord::new(large, "large", Timestamp::default()).save(&*store, 0).await.unwrap();
        let key = opened(&worker, small).await;
        sleep(72 * HOUR - Duration::from_secs(25)).await;
        for _ in 0..20_000 {
            sleeper(&store, large, None).await;
        }
        put_hours(&worker, large, 1).await.unwrap();
        // It is carried out from about the twentieth second on, for sixteen seconds.
        sleep(Duration::from_secs(25)).await;
        let late = closes_after(&store, key).await;
        assert!(late < Duration::from_secs(5), "{late:?} late");
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_policy_whose_answer_was_lost_is_carried_out_as_it_stands() {
    lives(async || {
        let (moody, tenant) = (Moody::default(), TenantId::generate());
        let store: SharedStore = Arc::new(moody.clone());
        let worker = node(&store, tenant, Options::default()).await;
        let quiet = opened(&worker, tenant).await;
        sleep(2 * HOUR).await;
        let known = worker.tenant(tenant).await.unwrap();
        let mut profile = known.profile();
        profile.floor.close_after_hours = 1;
        // The intention is written, the profile too, and nobody knows: it cannot be read either.
        moody.will_put([Mood::Good, Mood::Unanswered]);
        moody.will_get([Mood::Good, Mood::Away]);
        let failure = known.put_profile(0, profile, &[]).await.unwrap_err();
        assert_eq!((failure.code, moody.left()), (ErrorCode::Restarting, 0));
        let stored = ProfileRecord::load(&*store, tenant).await.unwrap().unwrap().1;
        assert_eq!((stored.floor.close_after_hours, known.profile().floor.close_after_hours), (1, 72));
        sleep(Duration::from_secs(60)).await;
        assert_eq!(facts(&store, quiet).await.last(), Some(&"closed"));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn what_is_due_for_a_tenant_that_cannot_be_read_holds_up_nobody() {
    lives(async || {
        let store = Arc::new(MemoryStore::default()) as SharedStore;
        let (poor, tenant) = (TenantId::generate(), TenantId::generate());
        let worker = node(&store, tenant, Options::default()).await;
        let record = TenantRecord::record_name(poor);
        store.put(record.clone(), 0, b"{".to_vec()).await.unwrap();
        let key = opened(&worker, tenant).await;
        sleep(72 * HOUR - Duration::from_secs(60)).await;
        let now = worker.system().clock().now();
        for n in 0..2_000 {
            sleeper(&store, poor, Some(now.plus(Duration::from_millis(n)))).await;
        }
        sleep(Duration::from_secs(60)).await;
        let late = closes_after(&store, key).await;
        assert!(late < Duration::from_secs(5), "{late:?} late");
        // The record is mended: what has waited is done.
        let cut = sleeper(&store, poor, None).await;
        mended(&store, record, poor).await;
        let claim = store.claim(cut, None).await.unwrap();
        let opened = Fact::Opened { contact: ContactId::generate(), channel: Channel::Web, locale: None };
        let said = Fact::Message { text: "Hello.".into(), r#ref: None, agent: Some("Bo".into()), reply: None };
        let events = [(1, Author::System, opened), (2, Author::Human, said)];
        let events = events.map(|(seq, author, fact)| Event { seq, at: Timestamp::default(), author, fact });
        let due = DueChange::At(worker.system().clock().now());
        let append = Append { key: cut, epoch: claim.epoch, head: 0, events: Arc::new(events), due };
        store.append(append).await.unwrap();
        let late = closes_after(&store, cut).await;
        assert!(late < Duration::from_secs(200), "{late:?} late");
    })
    .await;
}

async fn mended(store: &SharedStore, record: RecordName, tenant: TenantId) {
    let body = serde_json::to_vec(&TenantRecord::new(tenant, "poor", Timestamp::default())).unwrap();
    store.put(record, 1, body).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn nothing_is_asked_for_a_disabled_tenant_and_its_entries_wait() {
    lives(async || {
        let (store, tenant) = (Arc::new(MemoryStore::default()) as SharedStore, TenantId::generate());
        let worker = node(&store, tenant, Options::default()).await;
        let key = opened(&worker, tenant).await;
        let set_disabled = async |version, disabled| {
            let mut record = TenantRecord::new(tenant, "shop", Timestamp::default());
            record.disabled = disabled;
            record.save(&*store, version).await.unwrap();
            worker.tenant(tenant).await.unwrap().reload().await.unwrap();
        };
        set_disabled(1, true).await;
        sleep(75 * HOUR).await;
        assert_eq!((facts(&store, key).await, entries(&store).await), (vec!["opened", "taken_over"], 1));
        set_disabled(2, false).await;
        let late = closes_after(&store, key).await;
        assert!(late < Duration::from_secs(5), "{late:?} late");
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn an_owner_that_learns_from_its_entry_that_it_is_none_ends() {
    lives(async || {
        let (store, tenant) = (Arc::new(MemoryStore::default()) as SharedStore, TenantId::generate());
        let worker = node(&store, tenant, Options::default()).await;
        let key = opened(&worker, tenant).await;
        let handle = worker.find(key).await.unwrap();
        handle.view().await.unwrap();
        // Another node claims it.
        store.claim(key, None).await.unwrap();
        handle.call(Command::Due).await.unwrap();
        in_time(async {
            while handle.is_open() {
                sleep(Duration::from_millis(10)).await;
            }
        })
        .await;
    })
    .await;
}
