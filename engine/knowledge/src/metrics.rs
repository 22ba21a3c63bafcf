//! The metrics of knowledge: names once, described once. No tenant and no source is a label.

use metrics::{Unit, describe_counter, describe_gauge, describe_histogram};

/// Time of one search, waiting and opening included.
pub const SEARCH_SECONDS: &str = "tertulia_knowledge_search_seconds";
/// Time of one batch of learning, waiting included.
pub const LEARN_SECONDS: &str = "tertulia_knowledge_learn_seconds";
/// Documents learned that were new or changed.
pub const DOCUMENTS: &str = "tertulia_knowledge_documents_learned_total";
/// Passages these gave.
pub const PASSAGES: &str = "tertulia_knowledge_passages_learned_total";
/// Indexes held open.
pub const OPEN_INDEXES: &str = "tertulia_knowledge_open_indexes";
/// Indexes built anew from the store.
pub const REBUILDS: &str = "tertulia_knowledge_rebuilds_total";
/// Indexes brought up to date with documents that were changed elsewhere.
pub const CATCH_UPS: &str = "tertulia_knowledge_catch_ups_total";
/// Time of one of them.
pub const CATCH_UP_SECONDS: &str = "tertulia_knowledge_catch_up_seconds";
/// Searches that found nothing that bears on the question.
pub const EMPTY_SEARCHES: &str = "tertulia_knowledge_empty_searches_total";
/// Calls that failed, by `operation`.
pub const ERRORS: &str = "tertulia_knowledge_errors_total";

/// Gives every metric its description; called once, at start.
pub fn describe() {
    describe_histogram!(SEARCH_SECONDS, Unit::Seconds, "time of one search in a tenant's documents");
    describe_histogram!(LEARN_SECONDS, Unit::Seconds, "time of learning one batch of documents");
    describe_counter!(DOCUMENTS, "documents learned that were new or changed");
    describe_counter!(PASSAGES, "passages of the documents learned");
    describe_gauge!(OPEN_INDEXES, "indexes held open");
    describe_counter!(REBUILDS, "indexes built anew from the store");
    describe_counter!(CATCH_UPS, "indexes brought up to date with documents that were changed elsewhere");
    describe_histogram!(CATCH_UP_SECONDS, Unit::Seconds, "time of bringing one index up to date");
    describe_counter!(EMPTY_SEARCHES, "searches without a passage that bears on the question");
    describe_counter!(ERRORS, "calls that failed, by operation");
}
