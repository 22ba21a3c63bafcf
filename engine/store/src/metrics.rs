//! The metrics of stores: every name once, with its meaning. No label names a tenant or a conversation.

use metrics::{Unit, describe_counter, describe_gauge, describe_histogram};

/// One transaction of the embedded store, from its begin until the disk has it.
pub const COMMIT_SECONDS: &str = "tertulia_store_commit_seconds";
/// Writes that shared one transaction.
pub const BATCH_WRITES: &str = "tertulia_store_batch_writes";
/// Commands that wait, by `queue`: `writer` or `reader`.
pub const QUEUE_DEPTH: &str = "tertulia_store_queue_depth";
/// How long a command waited for its turn, by `queue`.
pub const QUEUE_WAIT_SECONDS: &str = "tertulia_store_queue_wait_seconds";
/// Commands that were not done for the store's own reasons, by `kind`: `busy`, `unavailable`,
/// `unknown` or `corrupt`. A fenced append or a version conflict is an answer, not an error.
pub const ERRORS: &str = "tertulia_store_errors_total";
/// One run of copying the write-ahead log into the database.
pub const CHECKPOINT_SECONDS: &str = "tertulia_store_checkpoint_seconds";

/// Rows of the list that were met and could not be read, and were shown without their words.
pub const ROWS_UNREADABLE: &str = "tertulia_store_rows_unreadable_total";
/// What was met when conversations are due, and could not be read or tidied: all others were gone on with.
pub const AGENDA_SKIPPED: &str = "tertulia_store_agenda_skipped_total";
/// 1 while keys cannot be looked after, by what is `doing`: `ending` those of erased conversations, `making` spare ones,
/// or a chore, `tidying`, which seals what is old and rewrites the file.
pub const KEYS_FAILING: &str = "tertulia_store_keys_failing";
/// 1 from when the database file was found damaged until the node is started anew.
pub const DAMAGED: &str = "tertulia_store_damaged";

/// Requests to a cluster.
pub const CQL_REQUESTS: &str = "tertulia_store_cql_requests_total";
/// Requests to a cluster that failed, each time that they were sent.
pub const CQL_ERRORS: &str = "tertulia_store_cql_errors_total";
/// Requests that were sent to another host of the cluster, or once more.
pub const CQL_RETRIES: &str = "tertulia_store_cql_retries_total";
/// Requests whose time was over before the cluster answered.
pub const CQL_TIMEOUTS: &str = "tertulia_store_cql_timeouts_total";
/// Connections to the cluster that could not be made in time.
pub const CQL_CONNECTION_TIMEOUTS: &str = "tertulia_store_cql_connection_timeouts_total";
/// Connections to the cluster that are open.
pub const CQL_CONNECTIONS: &str = "tertulia_store_cql_connections";
/// How far this machine's clock is ahead of the cluster's; negative where it is behind.
pub const CQL_CLOCK_AHEAD_SECONDS: &str = "tertulia_store_cql_clock_ahead_seconds";
/// How long the cluster takes to answer, in whole milliseconds, by `quantile`: `0.5`, `0.99` or `0.999` of all requests
/// since the node was started.
pub const CQL_LATENCY_SECONDS: &str = "tertulia_store_cql_latency_seconds";

/// Gives the exporter units and words for all of the above. Call it once, after the recorder is set.
pub fn describe() {
    describe_histogram!(COMMIT_SECONDS, Unit::Seconds, "time of one transaction until it is on disk");
    describe_histogram!(BATCH_WRITES, Unit::Count, "writes that shared one transaction");
    describe_gauge!(QUEUE_DEPTH, Unit::Count, "commands that wait for the store, by queue");
    describe_histogram!(QUEUE_WAIT_SECONDS, Unit::Seconds, "how long a command waited for its turn, by queue");
    describe_counter!(ERRORS, Unit::Count, "commands that failed in the store, by kind");
    describe_counter!(ROWS_UNREADABLE, "rows of the list that were shown without words, as they cannot be read");
    describe_counter!(AGENDA_SKIPPED, "what was passed over when conversations are due, as it cannot be read");
    describe_gauge!(
        KEYS_FAILING,
        Unit::Count,
        "1 while keys cannot be ended, made or tidied, else 0, by what is doing"
    );
    describe_gauge!(DAMAGED, Unit::Count, "1 from when the database file was found damaged, else 0");
    describe_counter!(CQL_REQUESTS, Unit::Count, "requests to the cluster");
    describe_counter!(CQL_ERRORS, Unit::Count, "requests to the cluster that failed");
    describe_counter!(CQL_RETRIES, Unit::Count, "requests that were sent to another host of the cluster, or again");
    describe_counter!(CQL_TIMEOUTS, Unit::Count, "requests that the cluster did not answer in time");
    describe_counter!(CQL_CONNECTION_TIMEOUTS, Unit::Count, "connections to the cluster that were not made in time");
    describe_gauge!(CQL_CLOCK_AHEAD_SECONDS, Unit::Seconds, "how far this machine's clock is ahead of the cluster's");
    describe_gauge!(CQL_CONNECTIONS, Unit::Count, "open connections to the cluster");
    describe_gauge!(CQL_LATENCY_SECONDS, Unit::Seconds, "time in which the cluster answers, by quantile");
    describe_histogram!(
        CHECKPOINT_SECONDS,
        Unit::Seconds,
        "time of one copying of the write-ahead log into the database"
    );
}
