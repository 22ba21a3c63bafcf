//! What can go wrong, and how it is brought about: each begins, lasts a while and is over.
//! Invariant: when one is over, everything runs again and nothing stands between anybody.

use std::time::Duration;

use anyhow::{Result, ensure};
use rand::RngExt;
use rand::rngs::StdRng;
use serde::Serialize;
use tokio::task::block_in_place;
use tokio::time::{Instant, sleep};

use super::forging::Forger;
use super::installation::{Installation, NODES};
use super::weather::{Held, Place};

macro_rules! kinds {
    ($($(#[$doc:meta])* $name:ident = $text:literal,)*) => {
        /// What goes wrong.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
        pub enum Kind {
            $($(#[$doc])* #[serde(rename = $text)] $name,)*
        }

        impl Kind {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// Its name, as it stands in records.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }
        }
    };
}

kinds! {
    /// A node is killed, and comes back on its data.
    Killed = "killed",
    /// A node is held still (SIGSTOP) and goes on as if nothing had been.
    HeldStill = "held_still",
    /// A node is asked to end, and comes back.
    Drained = "drained",
    /// One node after another is asked to end, and comes back.
    Rolled = "rolled",
    /// A node and Cassandra do not hear each other.
    CutFromStore = "cut_from_store",
    /// Cassandra hears a node, and is not heard, or the other way round.
    CutFromStoreOneWay = "cut_from_store_one_way",
    /// A node and Redis do not hear each other.
    CutFromRedis = "cut_from_redis",
    /// Redis hears a node, and is not heard, or the other way round.
    CutFromRedisOneWay = "cut_from_redis_one_way",
    /// Two nodes do not hear each other.
    NodesCut = "nodes_cut",
    /// One node does not hear another, which hears it.
    NodesCutOneWay = "nodes_cut_one_way",
    /// A node is told of time-outs by Cassandra, of what was done and of what was not.
    TimedOut = "timed_out",
    /// Redis forgets everything.
    RedisFlushed = "redis_flushed",
    /// Redis is killed, and comes back empty.
    RedisKilled = "redis_killed",
    /// One of three nodes of Cassandra is killed, and comes back on its data.
    StoreKilled = "store_killed",
    /// A node's clock goes an hour ahead, and back.
    ClockAhead = "clock_ahead",
    /// A node's clock goes back by an hour, and ahead again.
    ClockBehind = "clock_behind",
    /// A node lives, and is ten times slower.
    Slow = "slow",
}

/// How long each lasts.
#[derive(Clone, Copy, Debug)]
pub(super) struct Lengths {
    /// A node that is held.
    pub(super) held: Duration,
    /// Whatever is cut, or slow, or has another clock.
    pub(super) cut: Duration,
}

impl Lengths {
    /// Long enough for all that follows from it to happen.
    pub(super) const LONG: Self = Self { held: Duration::from_secs(30), cut: Duration::from_secs(20) };
    /// Long enough that a node is given up.
    pub(super) const SHORT: Self = Self { held: Duration::from_secs(12), cut: Duration::from_secs(8) };
    /// Of the statements of a node, so many in a hundred are not passed on, or answered wrongly.
    const TIME_OUTS: f64 = 0.04;
    /// A node comes back before it has been given up, or after.
    const DOWN: [Duration; 2] = [Duration::from_secs(2), Duration::from_secs(14)];
    /// A slow node's turn, and how long it waits for it.
    const SLOW: [Duration; 2] = [Duration::from_millis(10), Duration::from_millis(90)];
    /// An hour.
    const CLOCK: i64 = 3_600;
}

/// What happened.
#[derive(Clone, Copy, Debug)]
pub(super) struct Struck {
    /// Whose it was, where it was one node's.
    pub(super) victim: Option<usize>,
    pub(super) began: Instant,
    pub(super) ended: Instant,
}

impl Kind {
    /// Why it cannot be brought about here, where it cannot.
    pub(super) fn is_impossible(self, all: &Installation) -> Option<&'static str> {
        match self {
            Self::ClockAhead | Self::ClockBehind if !all.has_clocks() => Some("libfaketime is not installed"),
            Self::StoreKilled if all.stores() < 3 => Some("there is one node of Cassandra"),
            _ => None,
        }
    }

    /// Whether sockets to this node may be closed by it.
    pub(super) fn may_close(self, struck: &Struck, node: usize) -> bool {
        match self {
            Self::Rolled => true,
            // One that was held finds that its clients were silent.
            Self::Killed | Self::Drained | Self::HeldStill => struck.victim == Some(node),
            _ => false,
        }
    }

    /// Whether every send succeeds within its budget.
    pub(super) const fn is_planned(self) -> bool {
        matches!(self, Self::Drained | Self::Rolled)
    }

    /// Brings it about, and ends it. `victim` is the node whose it is.
    pub(super) async fn strike(
        self,
        all: &mut Installation,
        victim: usize,
        lengths: Lengths,
        rng: &mut StdRng,
    ) -> Result<Struck> {
        let other = (victim + rng.random_range(1..NODES)) % NODES;
        let half = if rng.random_bool(0.5) { Held::Asked } else { Held::Answered };
        let stores: Vec<Place> = (0..all.stores()).map(Place::Store).collect();
        let began = Instant::now();
        let mut of = Some(victim);
        match self {
            Self::Killed => {
                all.kill(victim)?;
                sleep(Lengths::DOWN[rng.random_range(0..Lengths::DOWN.len())]).await;
                all.start_node(victim).await?;
            }
            Self::HeldStill => {
                all.node(victim)?.signal("STOP");
                sleep(lengths.held).await;
                all.node(victim)?.signal("CONT");
            }
            Self::Drained => drained(all, victim).await?,
            Self::Rolled => {
                of = None;
                for node in 0..NODES {
                    drained(all, (victim + node) % NODES).await?;
                    all.is_whole().await?;
                }
            }
            Self::CutFromStore => cut(all, victim, &stores, Held::Both, lengths).await?,
            Self::CutFromStoreOneWay => cut(all, victim, &stores, half, lengths).await?,
            Self::CutFromRedis => cut(all, victim, &[Place::Redis], Held::Both, lengths).await?,
            Self::CutFromRedisOneWay => cut(all, victim, &[Place::Redis], half, lengths).await?,
            Self::NodesCut | Self::NodesCutOneWay => {
                of = None;
                // Who is not heard is not heard on connections of the other either.
                let (asked, answered) =
                    if self == Self::NodesCut { (Held::Both, Held::Both) } else { (Held::Asked, Held::Answered) };
                for (from, to, held) in [(victim, other, asked), (other, victim, answered)] {
                    all.weather.hold(from, Place::Node(to), Some(held));
                }
                sleep(lengths.cut).await;
                let links = all.links(victim).await;
                ensure!(links.is_some_and(|links| links < (NODES - 1) as f64), "all links live: {links:?}");
                all.weather.hold(victim, Place::Node(other), None);
                all.weather.hold(other, Place::Node(victim), None);
            }
            Self::TimedOut => {
                let forger = Forger::start(&all.cassandra.contact_points(), Lengths::TIME_OUTS).await?;
                for (store, at) in forger.addresses().iter().enumerate() {
                    all.weather.detour(victim, Place::Store(store), Some(*at));
                }
                sleep(lengths.cut).await;
                stores.iter().for_each(|store| all.weather.detour(victim, *store, None));
                let [not_done, done] = forger.ends().await;
                ensure!(not_done > 0 && done > 0, "{not_done} statements were not passed on, {done} hidden");
            }
            Self::RedisFlushed => {
                of = None;
                let answer = all.redis.ask(&["FLUSHALL"])?;
                ensure!(answer == "+OK", "Redis answers {answer}");
                sleep(lengths.cut / 4).await;
            }
            Self::RedisKilled => {
                of = None;
                all.redis.kill()?;
                sleep(lengths.cut).await;
                block_in_place(|| all.redis.restart())?;
            }
            Self::StoreKilled => {
                of = None;
                all.cassandra.kill(victim)?;
                sleep(lengths.cut).await;
                // Clients go on meanwhile, on the other threads.
                block_in_place(|| all.cassandra.restart(victim))?;
            }
            Self::ClockAhead | Self::ClockBehind => {
                let seconds = if self == Self::ClockAhead { Lengths::CLOCK } else { -Lengths::CLOCK };
                all.set_clock(victim, seconds)?;
                sleep(lengths.cut).await;
                let ahead = all.ahead(victim).await?;
                ensure!((ahead - seconds).abs() < 60, "the clock is {ahead} s ahead");
                all.set_clock(victim, 0)?;
            }
            Self::Slow => {
                let [turn, wait] = Lengths::SLOW;
                while began.elapsed() < lengths.cut {
                    all.node(victim)?.signal("STOP");
                    sleep(wait).await;
                    all.node(victim)?.signal("CONT");
                    sleep(turn).await;
                }
            }
        }
        Ok(Struck { victim: of, began, ended: Instant::now() })
    }
}

/// A node is asked to end, and comes back at once.
async fn drained(all: &mut Installation, node: usize) -> Result<()> {
    all.node(node)?.signal("TERM");
    let status = all.node(node)?.ended().await;
    all.forget(node);
    ensure!(status.success(), "node {node} ended with {status}: {}", all.said(node));
    all.start_node(node).await
}

/// A node is cut off, and has noticed it before that is over.
async fn cut(all: &Installation, node: usize, from: &[Place], held: Held, lengths: Lengths) -> Result<()> {
    from.iter().for_each(|place| all.weather.hold(node, *place, Some(held)));
    sleep(lengths.cut).await;
    let sight = all.sight(node).await;
    ensure!(sight != "whole", "the node has noticed nothing: {sight}");
    from.iter().for_each(|place| all.weather.hold(node, *place, None));
    Ok(())
}
