//! The machine by single cases: a row is what happens, second by second, and who lives then.

use super::*;

const fn s(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn member(n: u8) -> Member {
    Member { id: NodeId::from_bytes([n; 16]), address: format!("host{n}:7000"), version: "1".into(), owns: true }
}

/// A beat of the second node, `lived` seconds after its start.
fn beat(lived: u64, lasts: u64) -> Beat {
    Beat { member: member(2), count: lived * 1_000, lasts: s(lasts) }
}

fn both() -> Membership {
    Membership::new(member(1), &[Source::Redis, Source::Store])
}

fn sees_it(membership: &Membership) -> bool {
    membership.living().get(member(2).id).is_some()
}

#[test]
fn one_that_goes_silent_is_missed_when_its_key_ends() {
    let mut membership = both();
    membership.seen(Source::Redis, vec![beat(100, 10)], s(0));
    membership.seen(Source::Store, vec![beat(100, 16)], s(0));
    assert!(sees_it(&membership));
    assert_eq!(membership.living().sight, Sight::Whole);
    // The same key, older each time.
    for at in [3, 6, 9] {
        membership.seen(Source::Redis, vec![beat(100, 10 - at)], s(at));
        membership.seen(Source::Store, vec![beat(100, 16)], s(at));
        assert!(sees_it(&membership));
        assert_eq!(membership.next_end(), Some(s(10)));
    }
    membership.settle(s(10));
    assert!(!sees_it(&membership));
    // What it has left in the store does not bring it back.
    membership.seen(Source::Store, vec![beat(100, 16)], s(12));
    assert!(!sees_it(&membership));
    membership.seen(Source::Redis, vec![beat(112, 10)], s(13));
    assert!(sees_it(&membership));
}

#[test]
fn a_flushed_redis_kills_nobody() {
    let mut membership = both();
    membership.seen(Source::Redis, vec![beat(100, 10)], s(0));
    membership.seen(Source::Redis, vec![], s(2));
    assert!(sees_it(&membership));
    membership.seen(Source::Redis, vec![beat(103, 9)], s(4));
    membership.settle(s(11));
    assert!(sees_it(&membership));
}

#[test]
fn one_that_has_lost_redis_lives_on_by_the_store() {
    let mut membership = both();
    membership.seen(Source::Redis, vec![beat(100, 10)], s(0));
    membership.seen(Source::Store, vec![beat(100, 16)], s(0));
    for at in (3..60).step_by(3) {
        membership.seen(Source::Redis, vec![], s(at));
        membership.seen(Source::Store, vec![beat(100 + at, 10)], s(at));
        assert!(sees_it(&membership), "after {at} s");
    }
    membership.settle(s(57 + 10));
    assert!(!sees_it(&membership));
}

#[test]
fn whoever_has_lost_redis_hears_of_others_by_the_store() {
    let mut membership = both();
    for at in (0..60).step_by(3) {
        if at < 6 {
            membership.seen(Source::Redis, vec![beat(100 + at, 10)], s(at));
        } else {
            membership.source_failed(Source::Redis, s(at));
        }
        // Each nine seconds, since Redis answers there.
        membership.seen(Source::Store, vec![beat(100 + at / 9 * 9, 16)], s(at) + Duration::from_millis(2_900));
        assert!(sees_it(&membership), "after {at} s");
    }
    assert_eq!(membership.sight(), Sight::WithoutRedis);
}

#[test]
fn without_any_sight_who_lived_last_lives_on() {
    let mut membership = both();
    membership.seen(Source::Redis, vec![beat(100, 10)], s(0));
    membership.source_failed(Source::Redis, s(3));
    assert_eq!(membership.sight(), Sight::Blind);
    membership.settle(s(3_600));
    assert!(sees_it(&membership));
    assert_eq!(membership.next_end(), None);
    // Redis is there again, and empty: it is given time to come back.
    membership.seen(Source::Redis, vec![], s(3_600));
    assert!(sees_it(&membership));
    assert_eq!(membership.next_end(), Some(s(3_610)));
    membership.settle(s(3_610));
    assert!(!sees_it(&membership));
}

#[test]
fn one_that_says_goodbye_is_gone_at_once_and_for_good() {
    let mut membership = both();
    membership.seen(Source::Redis, vec![beat(100, 10)], s(0));
    membership.seen(Source::Store, vec![beat(99, 16)], s(0));
    membership.seen(Source::Redis, vec![beat(101, 0)], s(1));
    assert!(!sees_it(&membership));
    // The store has not heard of it.
    for at in 1..9 {
        membership.seen(Source::Store, vec![beat(99, 16)], s(at));
        membership.seen(Source::Redis, vec![], s(at));
        assert!(!sees_it(&membership));
    }
    // An older goodbye than what was seen is none.
    membership.seen(Source::Store, vec![beat(120, 10)], s(9));
    membership.seen(Source::Redis, vec![beat(101, 0)], s(9));
    assert!(sees_it(&membership));
}

#[test]
fn a_node_does_not_ask_others_of_itself() {
    let mut membership = both();
    assert_eq!((membership.sight(), membership.living().members.len()), (Sight::Blind, 1));
    membership.seen(Source::Redis, vec![Beat { member: member(1), count: 1, lasts: Duration::ZERO }], s(0));
    assert_eq!((membership.sight(), membership.living().members.len()), (Sight::WithoutStore, 1));
    membership.leave();
    assert!(membership.living().members.is_empty());
    let alone = Membership::new(member(1), &[]);
    assert_eq!(alone.living(), Living::alone(member(1), Sight::Single));
}

#[test]
fn a_node_that_stood_still_waits_before_it_believes_that_others_are_dead() {
    let mut membership = both();
    membership.seen(Source::Redis, vec![beat(100, 10)], s(0));
    membership.seen(Source::Store, vec![beat(100, 16)], s(0));
    membership.was_held(s(60));
    membership.settle(s(60));
    assert!(sees_it(&membership));
    membership.seen(Source::Redis, vec![beat(160, 9)], s(61));
    membership.settle(s(70));
    assert!(!sees_it(&membership), "as late as ever after its last sign");
    // One that really is dead is waited for once.
    let mut membership = both();
    membership.seen(Source::Redis, vec![beat(100, 10)], s(0));
    membership.was_held(s(60));
    membership.seen(Source::Redis, vec![], s(61));
    assert_eq!(membership.next_end(), Some(s(70)));
    membership.settle(s(70));
    assert!(!sees_it(&membership));
}
