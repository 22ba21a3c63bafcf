//! What nodes of one installation know of each other: who lives, what has changed, what all of them
//! together have used.
//! Invariant: nothing of it is needed for safety. The store's conditions decide who may write; whatever stands in Redis
//! may be lost, old or wrong at any time, and costs speed or a global limit then, never a message.

mod changes;
mod cluster;
mod counters;
mod held;
mod living;
mod membership;
pub mod metrics;
mod redis;
mod redis_words;
mod runner;
mod signs;
mod threads;

pub use changes::{CHANGED_ID_MAX, Change, ChangeKind, Changes, Hearing};
pub use cluster::{Cluster, ClusterError, ClusterOptions};
pub use counters::{Counters, Taken};
pub use held::{HELD_LASTS, Held};
pub use living::{Living, Sight};
pub use membership::{Membership, SIGN_LASTS, Source};
pub use redis::RedisOptions;
pub use signs::{RedisSigns, SignKey};
pub use threads::Threads;
