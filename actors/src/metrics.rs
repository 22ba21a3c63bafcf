//! The actors' metrics: names once, described once. No tenant or conversation is ever a label.

use metrics::{Unit, describe_counter, describe_gauge, describe_histogram};

pub(crate) const ACTOR_QUEUE_WAIT: &str = "tertulia_actor_queue_wait_seconds";
pub(crate) const ACTOR_HANDLING: &str = "tertulia_actor_handling_seconds";
pub(crate) const ACTOR_MAILBOX_FULL: &str = "tertulia_actor_mailbox_full_total";
pub(crate) const ACTOR_STUCK: &str = "tertulia_actors_stuck";
pub(crate) const ADMISSION_REFUSED: &str = "tertulia_admission_refused_total";
pub(crate) const WORK: &str = "tertulia_work_in_progress";
pub(crate) const WORK_MAX: &str = "tertulia_work_max";
pub(crate) const WORKER_BUSY: &str = "tertulia_worker_busy_ratio";
pub(crate) const CONVERSATIONS_AWAKE: &str = "tertulia_conversations_awake";
pub(crate) const CONVERSATIONS_QUARANTINED: &str = "tertulia_conversations_quarantined";
pub(crate) const CONVERSATIONS_WAITING: &str = "tertulia_conversations_waiting_commands";
pub(crate) const CONVERSATION_WAKES: &str = "tertulia_conversation_wakes_total";
pub(crate) const CONVERSATION_WAKE: &str = "tertulia_conversation_wake_seconds";
pub(crate) const CONVERSATION_MOVES: &str = "tertulia_conversation_moves_total";
pub(crate) const CONVERSATION_RESTS: &str = "tertulia_conversation_rests_total";
pub(crate) const CONVERSATION_CRASHES: &str = "tertulia_conversation_crashes_total";
pub(crate) const DUE_SCANNED: &str = "tertulia_due_scanned_total";
pub(crate) const DUE_ATTENDED: &str = "tertulia_due_attended_total";
pub(crate) const DUE_LAG: &str = "tertulia_due_lag_seconds";
pub(crate) const LOOP_CRASHES: &str = "tertulia_loop_crashes_total";
pub(crate) const SNAPSHOTS_UNUSABLE: &str = "tertulia_snapshots_unusable_total";
pub(crate) const APPEND_WAIT: &str = "tertulia_append_wait_seconds";
pub(crate) const SUBSCRIBERS: &str = "tertulia_subscribers";
pub(crate) const RESUMES: &str = "tertulia_resumes_total";
pub(crate) const SLOW_CONSUMERS: &str = "tertulia_slow_consumers_total";
pub(crate) const DELTAS_SKIPPED: &str = "tertulia_deltas_skipped_total";
pub(crate) const CONVERSATIONS_ERASED: &str = "tertulia_conversations_erased_total";
pub(crate) const VISITORS_REFUSED: &str = "tertulia_visitors_refused_total";
pub(crate) const TURNS_RUNNING: &str = "tertulia_turns_running";
pub(crate) const TURNS: &str = "tertulia_turns_total";
pub(crate) const UNANSWERED: &str = "tertulia_unanswered_total";
pub(crate) const HANDOFFS_REQUESTED: &str = "tertulia_handoffs_requested_total";
pub(crate) const VERDICTS: &str = "tertulia_verdicts_total";
pub(crate) const PROJECTION_LAG: &str = "tertulia_projection_lag_seconds";
pub(crate) const PROJECTION_ROWS: &str = "tertulia_projection_rows_total";
pub(crate) const PROJECTION_REBUILDS: &str = "tertulia_projection_rebuilds_total";
pub(crate) const TURN_FIRST_TOKEN: &str = "tertulia_turn_first_token_seconds";
pub(crate) const TURN_GAP: &str = "tertulia_turn_token_gap_seconds";
pub(crate) const TURN_PUSH: &str = "tertulia_turn_push_seconds";
pub(crate) const LINKS: &str = "tertulia_peer_links";
pub(crate) const RELAYS: &str = "tertulia_relays";
pub(crate) const PLACINGS: &str = "tertulia_placings_total";
pub(crate) const TURN_TOKENS: &str = "tertulia_turn_tokens_total";

/// Tells the recorder what each name means. Call once, after it was installed.
pub fn describe() {
    describe_histogram!(ACTOR_QUEUE_WAIT, Unit::Seconds, "time a message waited in an actor's mailbox");
    describe_histogram!(ACTOR_HANDLING, Unit::Seconds, "time an actor took to handle a message");
    describe_counter!(ACTOR_MAILBOX_FULL, "messages refused because an actor's mailbox was full");
    describe_gauge!(ACTOR_STUCK, "actors with waiting messages that made no progress between two looks");
    describe_counter!(
        ADMISSION_REFUSED,
        "messages and conversations refused because the node was at its bound of work"
    );
    describe_gauge!(WORK, "work in progress: running replies and messages on their way to the disk");
    describe_gauge!(WORK_MAX, "bound on the work in progress at this moment");
    describe_histogram!(WORKER_BUSY, "share of each 200 ms in which a worker thread was busy, 0 to 1");
    describe_gauge!(CONVERSATIONS_AWAKE, "conversation actors that run");
    describe_gauge!(CONVERSATIONS_QUARANTINED, "conversations out of service after repeated crashes");
    describe_gauge!(CONVERSATIONS_WAITING, "commands that wait in conversations' mailboxes");
    describe_counter!(CONVERSATION_WAKES, "conversations started from their log");
    describe_histogram!(CONVERSATION_WAKE, Unit::Seconds, "time to start a conversation from its log");
    describe_counter!(CONVERSATION_MOVES, "idle conversations that moved to the thread of a new listener");
    describe_counter!(CONVERSATION_RESTS, "conversation actors that ended because nobody needed them");
    describe_counter!(CONVERSATION_CRASHES, "conversation actors that ended by a panic or an unreadable log");
    describe_counter!(SNAPSHOTS_UNUSABLE, "snapshots that could not be used when a conversation was started");
    describe_counter!(
        CONVERSATIONS_ERASED,
        "conversations erased, on request or because nobody had said a word in them"
    );
    describe_counter!(
        VISITORS_REFUSED,
        "messages, conversations and new visitors refused because of a visitor's budget"
    );
    describe_counter!(DUE_SCANNED, "entries of the due index that looks have read");
    describe_counter!(DUE_ATTENDED, "conversations that were woken or told because something was due, by outcome");
    describe_gauge!(
        DUE_LAG,
        Unit::Seconds,
        "how long ago that was due for which the last look has sent the first time; 0 when there was nothing new"
    );
    describe_counter!(LOOP_CRASHES, "panics of the node's own loops, which were begun anew, by loop");
    describe_histogram!(APPEND_WAIT, Unit::Seconds, "time from the decision of events until they are durable");
    describe_gauge!(SUBSCRIBERS, "sessions that listen to conversations");
    describe_counter!(RESUMES, "joins by how they were served: ring, log or partial");
    describe_counter!(SLOW_CONSUMERS, "sessions closed because they read too slowly");
    describe_counter!(DELTAS_SKIPPED, "deltas held back from slow sessions, to be joined later");
    describe_gauge!(TURNS_RUNNING, "replies in progress");
    describe_counter!(TURNS, "replies ended, by their end");
    describe_counter!(UNANSWERED, "replies that said that they do not know");
    describe_counter!(HANDOFFS_REQUESTED, "contacts' wishes for a person, by reason");
    describe_counter!(VERDICTS, "teams' verdicts on replies: wrong or right");
    describe_gauge!(PROJECTION_LAG, Unit::Seconds, "how old the oldest event was that a projection took in last");
    describe_counter!(PROJECTION_ROWS, "rows of projections that were brought on, by projection");
    describe_counter!(PROJECTION_REBUILDS, "projections that were begun from the first event, by projection");
    describe_histogram!(TURN_FIRST_TOKEN, Unit::Seconds, "time from a turn's start to its first words");
    describe_histogram!(TURN_GAP, Unit::Seconds, "time between two pieces of a reply");
    describe_histogram!(TURN_PUSH, Unit::Seconds, "time from a piece's arrival until it is in all outboxes");
    describe_gauge!(LINKS, "links to other nodes");
    describe_gauge!(RELAYS, "conversations of other nodes that this one follows for its sessions");
    describe_counter!(PLACINGS, "conversations that were looked for among several nodes, by where they were found");
    describe_counter!(TURN_TOKENS, "tokens used, by kind");
}
