//! The machine under seeded schedules: nodes that start, are killed, leave and lose their sources, with sources that
//! forget, fail and answer late. What must hold is computed beside it from what really happened.

use std::collections::BTreeSet;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use super::*;

const SEEDS: u64 = 400;
const STEP_MILLIS: u64 = 100;
const STEPS: u32 = 3_000;
const NODES: u8 = 5;
const PACE: u64 = 3_000;
const SLOW_PACE: u64 = 9_000;
const KNOWN_AFTER: u64 = 2_500;

/// What really is.
struct World {
    rng: StdRng,
    now: u64,
    nodes: Vec<Real>,
    redis: BTreeMap<NodeId, (Beat, u64)>,
    store: BTreeMap<NodeId, Beat>,
    redis_down: bool,
    store_down: bool,
}

struct Real {
    member: Member,
    began: u64,
    next: u64,
    next_slow: u64,
    /// Since when it has not reached Redis.
    lost: Option<u64>,
    died: Option<u64>,
    left: Option<u64>,
    loses_redis: bool,
}

impl World {
    fn new(seed: u64) -> Self {
        let mut rng = StdRng::seed_from_u64(seed);
        let nodes = (1..=NODES)
            .map(|n| {
                let member = Member {
                    id: NodeId::from_bytes([n; 16]),
                    address: format!("h{n}:1"),
                    version: "1".into(),
                    owns: true,
                };
                let next = rng.random_range(0..PACE);
                let (died, left) = (None, None);
                Real { member, began: 0, next, next_slow: next, lost: None, died, left, loses_redis: false }
            })
            .collect();
        let (redis, store) = (BTreeMap::new(), BTreeMap::new());
        Self { rng, now: 0, nodes, redis, store, redis_down: false, store_down: false }
    }

    fn go_on(&mut self) {
        self.now += STEP_MILLIS;
        let now = self.now;
        let mut chance = |per_mille: f64| self.rng.random_bool(per_mille / 1_000.0);
        self.redis_down = if self.redis_down { !chance(8.0) } else { chance(2.0) };
        self.store_down = if self.store_down { !chance(8.0) } else { chance(1.0) };
        if chance(2.0) {
            self.redis.clear();
        }
        self.redis.retain(|_, (_, ends)| *ends > now);
        let (redis_down, store_down) = (self.redis_down, self.store_down);
        for real in &mut self.nodes {
            if real.died.is_some() || real.left.is_some() {
                continue;
            }
            real.loses_redis = if real.loses_redis { !chance(5.0) } else { chance(1.0) };
            let reaches_redis = !redis_down && !real.loses_redis;
            let count = now - real.began + 1;
            let member = real.member.clone();
            if chance(0.3) {
                real.died = Some(now);
                continue;
            }
            if chance(0.3) {
                // Where it is heard, and only there, it has left.
                let goodbye = Beat { member, count, lasts: Duration::ZERO };
                if reaches_redis {
                    self.redis.insert(goodbye.member.id, (goodbye.clone(), now + 60_000));
                }
                if !store_down {
                    self.store.insert(goodbye.member.id, goodbye);
                }
                real.left = Some(now);
                continue;
            }
            if now >= real.next {
                real.next = now + PACE;
                if reaches_redis {
                    let beat = Beat { member: member.clone(), count, lasts: SIGN_LASTS };
                    self.redis.insert(member.id, (beat, now + 10_000));
                }
                real.lost = if reaches_redis { None } else { real.lost.or(Some(now)) };
            }
            // That Redis does not answer is known when a call has had its time.
            let is_slow = real.lost.is_none_or(|lost| now < lost + KNOWN_AFTER);
            let pace = if is_slow { SLOW_PACE } else { PACE };
            if !store_down && now + SLOW_PACE >= real.next_slow + pace {
                real.next_slow = now + SLOW_PACE;
                let lasts = Duration::from_secs(if is_slow { 16 } else { 10 });
                self.store.insert(member.id, Beat { member, count, lasts });
            }
        }
    }

    fn redis_says(&self) -> Vec<Beat> {
        let left = |(beat, ends): &(Beat, u64)| {
            let lasts = if beat.is_goodbye() { Duration::ZERO } else { Duration::from_millis(ends - self.now) };
            Beat { lasts, ..beat.clone() }
        };
        self.redis.values().map(left).collect()
    }
}

#[test]
fn nobody_is_missed_who_can_be_seen_and_nobody_stays_who_is_gone() {
    for seed in 0..SEEDS {
        let mut world = World::new(seed);
        let me = Member { id: NodeId::from_bytes([99; 16]), address: "me:1".into(), version: "1".into(), owns: true };
        let mut membership = Membership::new(me.clone(), &[Source::Redis, Source::Store]);
        let mut read = [0_u64; 2];
        // Since when both sources could be read, by everybody.
        let mut whole_since = 0;
        let mut blind: Option<BTreeSet<NodeId>> = None;
        for step in 0..STEPS {
            world.go_on();
            let now = Duration::from_millis(world.now);
            if world.redis_down || world.store_down {
                whole_since = world.now;
            }
            if world.now >= read[0] {
                read[0] = world.now + PACE;
                if world.redis_down {
                    membership.source_failed(Source::Redis, now);
                } else {
                    membership.seen(Source::Redis, world.redis_says(), now);
                }
            }
            // The store is read seldom while Redis can be.
            let is_slow = membership.sight() == Sight::Whole && !membership.is_anyone_late(now);
            if world.now + SLOW_PACE >= read[1] + if is_slow { SLOW_PACE } else { PACE } {
                read[1] = world.now + SLOW_PACE;
                if world.store_down {
                    membership.source_failed(Source::Store, now);
                } else {
                    membership.seen(Source::Store, world.store.values().cloned().collect(), now);
                }
            }
            membership.settle(now);
            let living = membership.living();
            assert!(living.get(me.id).is_some());
            assert!(membership.next_end().is_none_or(|end| end > now), "seed {seed}, step {step}: an end has passed");
            let others: BTreeSet<NodeId> = living.members.keys().copied().filter(|id| *id != me.id).collect();
            // Without any sight nothing changes.
            if living.sight == Sight::Blind {
                let before = blind.get_or_insert_with(|| others.clone());
                assert_eq!(*before, others, "seed {seed}, step {step}");
            } else {
                blind = None;
            }
            let whole_for = world.now - whole_since;
            for real in &world.nodes {
                let is_seen = others.contains(&real.member.id);
                let place = || format!("seed {seed}, step {step}, node {}", real.member.id);
                match real.died.or(real.left) {
                    // Each is seen two rounds after it could be.
                    None if whole_for > 20_000 && world.now > 20_000 => assert!(is_seen, "{}", place()),
                    None => {}
                    Some(gone) => {
                        let gone_for = (world.now - gone).min(whole_for);
                        assert!(!is_seen || gone_for <= 26_000, "{}: {gone_for} ms", place());
                    }
                }
            }
        }
    }
}
