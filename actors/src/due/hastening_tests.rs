//! Intentions as the hastener keeps them: none holds up another, and each goes on from where it stands.

use engine_store::memory::MemoryStore;
use engine_store::{RecordName, Scope};
use schema::{FloorPolicy, TenantId, Timestamp};

use super::*;

fn tenant(n: u8) -> TenantId {
    TenantId::from_bytes([n; 16])
}

fn record(id: TenantId, version: u64, body: &str) -> Record {
    Record { id: id.to_string(), version, body: body.as_bytes().to_vec() }
}

fn readable(n: u8) -> Record {
    let id = tenant(n);
    record(id, 1, &format!(r#"{{"tenant":"{id}","missing":false}}"#))
}

#[test]
fn unreadable_intentions_hold_no_place_for_those_that_can_be_read() {
    let (mut tasks, now) = (Tasks::default(), Instant::now());
    let later = now + SETTLED_AFTER;
    // A whole page of them, with the smallest ids; then one that can be read.
    tasks.see((0..64).map(|n| record(tenant(n), 1, "{")).collect(), now, || 1.0);
    assert_eq!(tasks.cursor, Some(tenant(63).to_string()), "the next look goes on behind them");
    tasks.see(vec![readable(70)], now, || 1.0);
    assert_eq!((tasks.tasks.len(), tasks.cursor.clone()), (TASKS_MAX, None));
    assert_eq!(tasks.next(now), None, "it has to settle");
    assert_eq!(tasks.next(later), Some(tenant(70).to_string()));
    // Known ones are not new at each look: they would be logged again.
    let known = tasks.tasks.len();
    tasks.see((0..60).map(|n| record(tenant(n), 1, "{")).collect(), now, || 1.0);
    assert!(tasks.tasks.len() <= known);
    assert!(tasks.tasks.keys().all(|id| tenant(60).to_string() > *id), "what stands there no more is forgotten");
}

#[test]
fn tenants_take_turns_and_an_intention_that_was_written_anew_settles_again() {
    let (mut tasks, now) = (Tasks::default(), Instant::now());
    let later = now + SETTLED_AFTER;
    tasks.see((1..4).map(readable).collect(), now, || 1.0);
    let turns: Vec<_> = (0..4).map(|_| tasks.next(later).unwrap()).collect();
    assert_eq!(turns, [1, 2, 3, 1].map(|n| tenant(n).to_string()));
    let anew = record(tenant(2), 2, &format!(r#"{{"tenant":"{}","missing":true}}"#, tenant(2)));
    tasks.see(vec![readable(1), anew], later, || 1.0);
    let turns: Vec<_> = (0..2).map(|_| tasks.next(later).unwrap()).collect();
    assert_eq!(turns, [1, 1].map(|n| tenant(n).to_string()), "the third stands there no more, the second waits");
}

#[tokio::test]
async fn a_tenant_that_cannot_be_read_keeps_its_intention() {
    let store: SharedStore = Arc::new(MemoryStore::default());
    hasten::intend(&store, tenant(1), &FloorPolicy::default()).await.unwrap();
    let name = RecordName { scope: Scope::Node, kind: "tenant", id: tenant(1).to_string() };
    store.put(name, 0, b"{".to_vec()).await.unwrap();
    struct Still;
    impl Clock for Still {
        fn now(&self) -> Timestamp {
            Timestamp::default()
        }
    }
    let clock: Arc<dyn Clock> = Arc::new(Still);
    let tenants = Arc::new(KnownTenants::new(Arc::clone(&store), Arc::clone(&clock)));
    let hastener =
        Hastener { store: Arc::clone(&store), tenants, clock, phase: Arc::new(Phase::serving()), jitter: || 1.0 };
    let mut tasks = Tasks::default();
    hastener.look(&mut tasks).await.unwrap();
    let id = tasks.next(Instant::now() + SETTLED_AFTER).unwrap();
    let task = tasks.tasks.get_mut(&id).unwrap();
    // Which policy holds is not known.
    assert!(hastener.go_on(task).await.is_err());
    assert!(task.place.is_none());
    assert_eq!(hasten::version(&store, tenant(1)).await.unwrap(), Some(1));
}
