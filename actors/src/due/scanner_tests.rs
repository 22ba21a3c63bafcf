//! What the scanner sends for, and what it says of it, where much stands that cannot be done.

use engine_store::memory::MemoryStore;
use engine_store::{Opening, Reschedule};
use metrics_exporter_prometheus::PrometheusBuilder;
use schema::ContactId;

use super::*;
use crate::clock::SystemClock;

/// Pages of them.
const UNDONE: usize = 20 * limits::PAGE_DUE_MAX;

async fn entry(store: &SharedStore, tenant: TenantId, at: Timestamp) -> ConversationKey {
    let key = ConversationKey { tenant, conversation: ConversationId::generate() };
    let claim =
        store.claim(key, Some(Opening { contact: ContactId::generate(), is_anonymous: true, at })).await.unwrap();
    store.reschedule(Reschedule { key, epoch: claim.epoch, head: claim.head, at: Some(at) }).await.unwrap();
    key
}

/// As the workers do: of one tenant nothing can be done, of all others everything.
async fn attend(store: &SharedStore, work: &DueWork, poor: TenantId) {
    let mut taken = work.taken.lock().await;
    while let Some(sent) = taken.recv().await {
        let key = sent.entry.key;
        if key.tenant == poor {
            work.hold(poor);
        } else if let Ok(claim) = store.claim(key, None).await {
            let done = Reschedule { key, epoch: claim.epoch, head: claim.head, at: None };
            store.reschedule(done).await.unwrap();
        }
    }
}

#[tokio::test]
async fn what_cannot_be_done_holds_up_nothing_that_is_newer() {
    let recorder = PrometheusBuilder::new().build_recorder();
    let told = recorder.handle();
    let _guard = metrics::set_default_local_recorder(&recorder);
    let store: SharedStore = Arc::new(MemoryStore::default());
    let (poor, well) = (TenantId::generate(), TenantId::generate());
    for n in 0..UNDONE {
        entry(&store, poor, Timestamp::from_millis(n as i64)).await;
    }
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let scanner = Scanner {
        store: Arc::clone(&store),
        tenants: Arc::new(KnownTenants::new(Arc::clone(&store), Arc::clone(&clock))),
        clock,
        phase: Arc::new(Phase::serving()),
        work: Arc::new(DueWork::new(4, || 0.0)),
        share: None,
        jitter: || 0.0,
        alone: true,
    };
    let lag = || {
        let metrics = told.render();
        let line = metrics.lines().find(|line| line.starts_with("tertulia_due_lag_seconds")).map(str::to_owned);
        line.and_then(|line| line.rsplit(' ').next()?.parse::<f64>().ok())
    };
    let story = async {
        // It has seen them all.
        while lag() != Some(0.0) {
            sleep(Duration::from_millis(50)).await;
        }
        for _ in 0..3 {
            let (began, key) = (Instant::now(), entry(&store, well, scanner.clock.now()).await);
            while store.claim(key, None).await.unwrap().due.is_some() {
                sleep(Duration::from_millis(10)).await;
            }
            assert!(began.elapsed() < 3 * LOOK_EVERY, "it took {:?}", began.elapsed());
        }
        let query = DueQuery { before: scanner.clock.now(), after: None, limit: 2 * UNDONE };
        assert_eq!(store.due(query).await.unwrap().len(), UNDONE, "they stand there still");
    };
    tokio::select! {
        () = scanner.scan() => unreachable!("it does not drain"),
        () = attend(&store, &scanner.work, poor) => unreachable!("it goes on"),
        ended = timeout(Duration::from_secs(60), story) => ended.unwrap(),
    }
}
