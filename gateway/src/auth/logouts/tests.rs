//! Log-outs against clocks, restores, other programs, and each other.

use engine_store::{Pending, Record, RecordKeys, Scope};
use futures_util::FutureExt as _;

use super::super::testing::{MemoryRecords, NOW};
use super::*;

const YEAR: i64 = 365 * 24 * 3600;

struct At(Timestamp);

impl Clock for At {
    fn now(&self) -> Timestamp {
        self.0
    }
}

fn later(seconds: i64) -> Timestamp {
    Timestamp::from_millis(NOW.as_millis() + seconds * 1000)
}

#[tokio::test]
async fn what_was_made_until_then_is_over_and_what_comes_after_is_not_whatever_the_clock_says() {
    for clock in [0, 2, -YEAR, YEAR] {
        let records = Arc::<MemoryRecords>::default();
        let logouts = Logouts::new(records.clone());
        let (tenant, other) = (TenantId::generate(), TenantId::generate());
        let [ana, bo] = [Whom::Contact(ContactId::from_bytes([1; 16])), Whom::Agent("Bo".into())];
        let first = logouts.now(tenant).await.unwrap();
        assert!(logouts.check(tenant, ana.clone(), first, NOW).await.is_ok());
        // Somebody else's does not end it.
        logouts.log_out(tenant, &bo, &At(later(clock))).await.unwrap();
        let second = logouts.now(tenant).await.unwrap();
        assert!(logouts.check(tenant, ana.clone(), first, NOW).await.is_ok());
        let out = logouts.log_out(tenant, &ana, &At(later(clock))).await.unwrap();
        let third = logouts.now(tenant).await.unwrap();
        for logouts in [&logouts, &Logouts::new(records.clone())] {
            for (tenant, contact, made, holds) in [
                (tenant, &ana, first, false),
                (tenant, &ana, second, false),
                (tenant, &ana, third, true),
                (tenant, &ana, Issued::At(NOW), false),
                (tenant, &bo, first, false),
                (tenant, &bo, second, true),
                (other, &ana, first, true),
                (other, &ana, Issued::At(NOW), true),
            ] {
                let checked = logouts.check(tenant, contact.clone(), made, NOW).await;
                assert_eq!(checked.is_ok(), holds, "{clock} {contact:?} {made:?}");
            }
        }
        assert!(out.ends(first) && out.ends(second) && !out.ends(third));
        // With the clock right again, one more ends what came after the first.
        logouts.log_out(tenant, &ana, &At(NOW)).await.unwrap();
        assert!(logouts.check(tenant, ana.clone(), third, NOW).await.is_err());
        assert!(logouts.check(tenant, ana.clone(), logouts.now(tenant).await.unwrap(), NOW).await.is_ok());
        assert!(logouts.noted().is_empty());
    }
}

#[tokio::test]
async fn what_earlier_programs_stored_and_sealed_is_compared_by_the_moment() {
    let records = Arc::<MemoryRecords>::default();
    let logouts = Logouts::new(records.clone());
    let (tenant, ana) = (TenantId::generate(), Whom::Contact(ContactId::from_bytes([1; 16])));
    let body = format!(r#"{{"format":1,"at":"{}"}}"#, later(2));
    records.put(records::logout(tenant, &ana), 0, body.into_bytes()).await.unwrap();
    let now = logouts.now(tenant).await.unwrap();
    for (made, holds) in
        [(Issued::At(later(0)), false), (Issued::At(later(2)), false), (Issued::At(later(3)), true), (now, true)]
    {
        assert_eq!(logouts.check(tenant, ana.clone(), made, later(4)).await.is_ok(), holds, "{made:?}");
    }
    // One of this program, by a clock that was set back.
    let out = logouts.log_out(tenant, &ana, &At(later(-YEAR))).await.unwrap();
    assert_eq!(out.at, later(2));
    for made in [Issued::At(later(3)), now] {
        assert!(logouts.check(tenant, ana.clone(), made, later(4)).await.is_err(), "{made:?}");
    }
}

#[tokio::test]
async fn log_outs_at_once_are_each_counted_and_meanwhile_nothing_holds() {
    let records = Arc::<MemoryRecords>::default();
    let logouts = Logouts::new(records.clone());
    let (tenant, ana) = (TenantId::generate(), Whom::Contact(ContactId::from_bytes([1; 16])));
    let made = logouts.now(tenant).await.unwrap();
    let noted = logouts.note((tenant, ana.clone()));
    let clock = At(NOW);
    let out = futures_util::future::join_all((0..20).map(|_| logouts.log_out(tenant, &ana, &clock))).await;
    assert!(out.iter().all(Result::is_ok), "{out:?}");
    assert!(matches!(logouts.now(tenant).await, Ok(Issued::After(LogoutNumber { number: 20, .. }))));
    let after = logouts.now(tenant).await.unwrap();
    assert!(logouts.check(tenant, ana.clone(), after, NOW).await.is_err(), "one is on its way");
    drop(noted);
    assert!(logouts.check(tenant, ana.clone(), after, NOW).await.is_ok());
    assert!(logouts.check(tenant, ana.clone(), made, NOW).await.is_err());
}

#[tokio::test]
async fn nodes_that_log_out_in_turn_end_nobody_elses() {
    let [ana, bo] = [Whom::Contact(ContactId::from_bytes([1; 16])), Whom::Agent("Bo".into())];
    let (records, tenant, clock) = (Arc::<MemoryRecords>::default(), TenantId::generate(), At(NOW));
    let nodes = [Logouts::new(records.clone()), Logouts::new(records.clone())];
    let before = nodes[1].now(tenant).await.unwrap();
    nodes[0].log_out(tenant, &ana, &clock).await.unwrap();
    let after = nodes[1].now(tenant).await.unwrap();
    // More than there are runs that are told apart.
    for n in 0..1_200 {
        nodes[n % 2].log_out(tenant, &bo, &clock).await.unwrap();
    }
    for node in &nodes {
        assert!(node.check(tenant, ana.clone(), before, NOW).await.is_err());
        assert!(node.check(tenant, ana.clone(), after, NOW).await.is_ok());
        let over = node.over(tenant, ana.clone(), NOW).await.unwrap();
        assert!(over.has(before) && !over.has(after), "as sessions that are open are looked at");
    }
}

#[tokio::test]
async fn a_store_that_is_restored_under_a_program_that_goes_on_is_noticed() {
    let [ana, cy] = [Whom::Contact(ContactId::from_bytes([1; 16])), Whom::Agent("Cy".into())];
    let (records, tenant, clock) = (Arc::<MemoryRecords>::default(), TenantId::generate(), At(NOW));
    let logouts = Logouts::new(records.clone());
    logouts.log_out(tenant, &cy, &clock).await.unwrap();
    let backup = records.all.lock().unwrap().clone();
    let mut made = Vec::new();
    for _ in 0..3 {
        logouts.log_out(tenant, &cy, &clock).await.unwrap();
        made.push(logouts.now(tenant).await.unwrap());
    }
    *records.all.lock().unwrap() = backup;
    // The count goes through the same numbers again.
    logouts.log_out(tenant, &ana, &clock).await.unwrap();
    for made in made {
        assert!(logouts.over(tenant, ana.clone(), NOW).await.unwrap().has(made), "{made:?}");
    }
}

#[tokio::test]
async fn after_a_restore_a_log_out_ends_what_was_made_in_the_future_that_was_taken_back() {
    let [ana, bo, cy] =
        [Whom::Contact(ContactId::from_bytes([1; 16])), Whom::Agent("Bo".into()), Whom::Agent("Cy".into())];
    // How many were logged out until the backup, then in the future that was taken back, and before Ana and Bo are; whether
    // the backup is of a program that went on; and how wrong the clock is.
    for (until, taken_back, anew, goes_on, clock) in [
        (0, 0, 0, false, 0),
        (0, 3, 0, false, 0),
        (0, 3, 0, true, 0),
        (2, 3, 0, false, 0),
        (2, 3, 0, true, 0),
        (2, 3, 2, false, 0),
        (2, 3, 3, true, 0),
        (2, 3, 9, false, 0),
        (2, 3, 9, true, -YEAR),
        (2, 3, 0, false, -YEAR),
        (2, 3, 1, false, YEAR),
    ] {
        let case = format!("{until} {taken_back} {anew} {goes_on} {clock}");
        let (records, tenant, clock) = (Arc::<MemoryRecords>::default(), TenantId::generate(), At(later(clock)));
        let mut logouts = Logouts::new(records.clone());
        let mut before = vec![Issued::At(NOW)];
        let more = async |logouts: &Logouts, whom: &Whom, many: u32, made: &mut Vec<Issued>| {
            made.push(logouts.now(tenant).await.unwrap());
            for _ in 0..many {
                logouts.log_out(tenant, whom, &clock).await.unwrap();
                made.push(logouts.now(tenant).await.unwrap());
            }
        };
        more(&logouts, &cy, until, &mut before).await;
        let backup = records.all.lock().unwrap().clone();
        if !goes_on {
            logouts = Logouts::new(records.clone());
        }
        more(&logouts, &cy, taken_back, &mut before).await;
        *records.all.lock().unwrap() = backup;
        let restored = Logouts::new(records.clone());
        more(&restored, &cy, anew, &mut before).await;
        let (mut after, mut others) = (Vec::new(), before.clone());
        for whom in [&ana, &bo] {
            for made in &before {
                assert!(restored.check(tenant, whom.clone(), *made, NOW).await.is_ok(), "{case} {made:?}");
            }
            let out = restored.log_out(tenant, whom, &clock).await.unwrap();
            assert!(before.iter().all(|made| out.ends(*made)), "{case}");
        }
        more(&restored, &cy, anew, &mut after).await;
        others.extend(&after);
        // A program that comes later counts on.
        let next = Logouts::new(records.clone());
        more(&next, &cy, 9, &mut after).await;
        for logouts in [&restored, &next, &Logouts::new(records.clone())] {
            for whom in [&ana, &bo] {
                for (all, hold) in [(&before, false), (&after, true)] {
                    for made in all {
                        let checked = logouts.check(tenant, whom.clone(), *made, NOW).await;
                        assert_eq!(checked.is_ok(), hold, "{case} {whom:?} {made:?}");
                    }
                }
            }
            for made in &others {
                let nobody = Whom::Contact(ContactId::from_bytes([9; 16]));
                assert!(logouts.check(tenant, nobody, *made, NOW).await.is_ok(), "{case} {made:?}");
            }
        }
    }
}

#[tokio::test]
async fn no_clock_removes_a_log_out_and_they_do_not_pile_up() {
    const KEPT: u64 = 16;
    let contact = |n: u16| {
        let mut bytes = [0; 16];
        bytes[..2].copy_from_slice(&n.to_be_bytes());
        Whom::Contact(ContactId::from_bytes(bytes))
    };
    // What is named by a digest comes in any order.
    let agent = |n: u16| Whom::Agent(n.to_string().into());
    for (whom, most) in [(&contact as &dyn Fn(u16) -> Whom, 3 * KEPT), (&agent as &dyn Fn(u16) -> Whom, 6 * KEPT)] {
        for (first, then) in [(-YEAR, 0), (0, YEAR), (0, 0), (YEAR, -YEAR)] {
            let records = Arc::<MemoryRecords>::default();
            let logouts = Logouts { kept: KEPT, ..Logouts::new(records.clone()) };
            let tenant = TenantId::generate();
            let (ana, stays, never) = (whom(0), whom(7_000), whom(8_000));
            let earlier = logouts.now(tenant).await.unwrap();
            logouts.log_out(tenant, &ana, &At(later(first))).await.unwrap();
            let mut recent = logouts.now(tenant).await.unwrap();
            for n in 1..400_u16 {
                if n % 8 == 0 {
                    // Who comes now and then notices nothing.
                    assert!(logouts.check(tenant, stays.clone(), recent, later(then)).await.is_ok(), "{n}");
                    recent = logouts.now(tenant).await.unwrap();
                }
                logouts.log_out(tenant, &whom(n), &At(later(then))).await.unwrap();
                for earlier in [earlier, Issued::At(later(first + 1))] {
                    for logouts in [&logouts, &Logouts { kept: KEPT, ..Logouts::new(records.clone()) }] {
                        let checked = logouts.check(tenant, ana.clone(), earlier, later(then)).await;
                        assert!(checked.is_err(), "{first} {then} {n} {earlier:?}");
                    }
                }
                let kind = records::logout(tenant, &ana).kind;
                let left = records.all.lock().unwrap().keys().filter(|name| name.kind == kind).count() as u64;
                assert!(left <= most && left >= u64::from(n).min(2 * KEPT), "{n}: {left}");
            }
            // Nothing shows any longer who had been logged out then.
            assert!(logouts.check(tenant, never, earlier, later(then)).await.is_err());
        }
    }
}

/// A store that takes its time, and of one tenant for ever.
struct Slow {
    records: MemoryRecords,
    stuck: Option<TenantId>,
}

impl Slow {
    fn later<T: Send + 'static>(&self, scope: Scope, answer: Pending<T>) -> Pending<T> {
        let stuck = matches!((scope, self.stuck), (Scope::Tenant(tenant), Some(stuck)) if tenant == stuck);
        Box::pin(async move {
            if stuck {
                std::future::pending::<()>().await;
            }
            tokio::task::yield_now().await;
            answer.await
        })
    }
}

impl Records for Slow {
    fn get(&self, name: RecordName) -> Pending<Option<Record>> {
        self.later(name.scope, self.records.get(name))
    }

    fn put(&self, name: RecordName, expected: u64, body: Vec<u8>) -> Pending<u64> {
        self.later(name.scope, self.records.put(name, expected, body))
    }

    fn put_with_keys(&self, name: RecordName, expected: u64, body: Vec<u8>, keys: RecordKeys) -> Pending<u64> {
        self.later(name.scope, self.records.put_with_keys(name, expected, body, keys))
    }

    fn find(&self, scope: Scope, kind: &'static str, key: String) -> Pending<Option<Record>> {
        self.later(scope, self.records.find(scope, kind, key))
    }

    fn delete(&self, name: RecordName, expected: u64) -> Pending<()> {
        self.later(name.scope, self.records.delete(name, expected))
    }

    fn scan(&self, scope: Scope, kind: &'static str, after: Option<String>, limit: usize) -> Pending<Vec<Record>> {
        self.later(scope, self.records.scan(scope, kind, after, limit))
    }
}

#[tokio::test]
async fn one_tenants_log_out_waits_for_no_others() {
    let (tenant, stuck) = (TenantId::generate(), TenantId::generate());
    let logouts = Logouts::new(Arc::new(Slow { records: MemoryRecords::default(), stuck: Some(stuck) }));
    let (ana, clock) = (Whom::Contact(ContactId::from_bytes([1; 16])), At(NOW));
    let mut waits = Box::pin(logouts.log_out(stuck, &ana, &clock));
    assert!((&mut waits).now_or_never().is_none());
    // As many turns as it takes, and no more.
    let mut goes = Box::pin(logouts.log_out(tenant, &ana, &clock));
    let mut turns = 0;
    while (&mut goes).now_or_never().is_none() {
        turns += 1;
        assert!(turns < 100, "it waits for the other");
    }
    assert!((&mut waits).now_or_never().is_none());
}

#[tokio::test]
async fn those_who_are_logged_out_at_once_each_get_a_number() {
    let logouts = Logouts::new(Arc::new(Slow { records: MemoryRecords::default(), stuck: None }));
    let (tenant, clock) = (TenantId::generate(), At(NOW));
    let whom: Vec<_> = (0..200).map(|n| Whom::Contact(ContactId::from_bytes([n; 16]))).collect();
    let out = futures_util::future::join_all(whom.iter().map(|whom| logouts.log_out(tenant, whom, &clock))).await;
    let mut numbers: Vec<_> = out.into_iter().map(|out| out.unwrap().number.number).collect();
    numbers.sort_unstable();
    assert_eq!(numbers, (1..=200).collect::<Vec<_>>());
    assert!(logouts.counting().is_empty(), "nothing is kept of those who have waited");
    let more =
        futures_util::future::join_all((0..WAITING_MAX + 9).map(|n| logouts.log_out(tenant, &whom[n % 200], &clock)));
    let busy = more.await.into_iter().filter(|out| *out == Err(StoreError::Busy)).count();
    assert_eq!(busy, 9, "who finds no place is told so, and nobody else");
    assert!(logouts.counting().is_empty());
}
