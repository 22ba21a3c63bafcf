//! The metrics of a cluster: every name once, with its meaning. No label names a tenant, a conversation or a node.

use metrics::{Unit, describe_counter, describe_gauge, describe_histogram};

/// Nodes that this one takes to live, itself among them.
pub const MEMBERS: &str = "tertulia_cluster_members";
/// 1 for that by which the node sees others now, by `sight`: `single`, `whole`, `without_redis`, `without_store` or
/// `blind`; 0 for the others.
pub const SIGHT: &str = "tertulia_cluster_sight";
/// Nodes that came or went, as this one saw it, by `change`: `came` or `went`.
pub const CHANGES: &str = "tertulia_cluster_changes_total";
/// Signs of life that could not be left, by `source`: `redis` or `store`.
pub const BEATS_FAILED: &str = "tertulia_cluster_beats_failed_total";
/// Signs of life that were not left because a thread of this node hangs, by `source`.
pub const BEATS_WITHHELD: &str = "tertulia_cluster_beats_withheld_total";
/// Times that this node was silent for so long that others may have held it for dead.
pub const DOUBTS: &str = "tertulia_cluster_doubts_total";
/// Readings of others' signs of life that failed, by `source`.
pub const READINGS_FAILED: &str = "tertulia_cluster_readings_failed_total";
/// How long Redis takes to answer, by `command`. What was not answered in its time counts with that time.
pub const REDIS_SECONDS: &str = "tertulia_redis_seconds";
/// Calls that Redis has not answered in time, or has refused, by `command`.
pub const REDIS_ERRORS: &str = "tertulia_redis_errors_total";
/// Changes that others have told, or `everything` after a time without a connection, by `kind`: `one` or `everything`.
pub const TOLD: &str = "tertulia_cluster_told_total";
/// Answers of counters that all nodes share, by `answer`: `allowed`, `refused` or `local`.
pub const COUNTED: &str = "tertulia_cluster_counted_total";

/// Gives the exporter units and words for all of the above. Call it once, after the recorder is set.
pub fn describe() {
    describe_gauge!(MEMBERS, Unit::Count, "nodes that this one takes to live, itself among them");
    describe_gauge!(SIGHT, Unit::Count, "1 for that by which the node sees others now, else 0, by sight");
    describe_counter!(CHANGES, "nodes that came or went, by change");
    describe_counter!(BEATS_FAILED, "signs of life that could not be left, by source");
    describe_counter!(BEATS_WITHHELD, "signs of life that were not left because a thread hangs, by source");
    describe_counter!(DOUBTS, "times that this node was silent for so long that others may have held it for dead");
    describe_counter!(READINGS_FAILED, "readings of the signs of others that failed, by source");
    describe_histogram!(REDIS_SECONDS, Unit::Seconds, "time in which Redis answers, by command");
    describe_counter!(REDIS_ERRORS, "calls that Redis has not answered in time or has refused, by command");
    describe_counter!(TOLD, "changes that other nodes have told, by kind");
    describe_counter!(COUNTED, "answers of counters that all nodes share, by answer");
}
