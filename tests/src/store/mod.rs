//! The store's conformance suite: one list of named cases for every adapter.
//! Invariant: a case makes its own tenants and ids, so that cases may share a store and its past.

mod appends;
mod claims;
mod dues;
mod erasing;
mod key_races;
mod keys;
mod lists;
mod projections;
mod races;
mod random;
mod reads;
mod records;
mod seals;
mod snapshots;
mod words;

use std::panic::AssertUnwindSafe;

use anyhow::ensure;
use engine_store::SharedStore;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;

pub use key_races::whole;
pub use random::{Burst, compare, seed};
pub use words::{append, bring_on, fresh_key, message, opened, opening, texts};

/// What came of a case.
pub type Outcome = anyhow::Result<()>;

/// One promise of the port.
pub struct Case {
    /// What it is about.
    pub part: &'static str,
    /// What is promised.
    pub name: &'static str,
    /// Shows it on a store.
    pub run: fn(SharedStore) -> BoxFuture<'static, Outcome>,
}

macro_rules! cases {
    ($($module:ident: $($name:ident)*;)*) => {
        /// Every promise that every adapter keeps.
        pub const CASES: &[Case] = &[
            $($(Case {
                part: stringify!($module),
                name: stringify!($name),
                run: |store| Box::pin($module::$name(store)),
            },)*)*
        ];
    };
}

cases! {
    claims:
        claim_of_an_unknown_conversation_is_not_found
        claim_opens_a_conversation
        claim_raises_the_epoch_and_keeps_the_log
        an_opening_of_what_exists_changes_nothing_but_the_epoch
        of_two_who_follow_one_owner_one_does
        an_old_epoch_is_fenced
        an_epoch_not_yet_given_is_fenced;
    appends:
        an_append_is_there_when_it_is_acknowledged
        a_wrong_head_is_fenced
        a_batch_is_stored_whole_or_not_at_all
        numbers_that_do_not_continue_the_head_are_refused
        append_to_an_unknown_conversation_is_not_found
        every_kind_of_fact_reads_back_as_it_was
        large_events_read_back
        any_unicode_reads_back;
    reads:
        reading_an_unknown_conversation_is_not_found
        a_log_is_read_in_pages
        a_page_is_bounded_in_bytes
        reading_past_the_head_gives_nothing
        the_same_conversation_id_in_two_tenants_is_two_logs;
    erasing:
        what_was_erased_was_never_there
        an_erasure_asked_for_again_while_it_is_on_its_way_is_no_failure
        an_owner_cannot_write_back_what_was_erased
        an_erasure_leaves_all_others
        an_erasure_may_ask_for_a_head
        erasing_what_is_unknown_is_not_found
        a_long_log_is_erased_and_a_new_one_begins_empty
        anonymous_conversations_without_a_word_are_found_by_age
        whoever_a_conversation_is_with_it_is_found_until_it_is_erased;
    dues:
        an_append_sets_keeps_and_clears_the_entry
        an_append_that_is_refused_leaves_the_entry
        only_the_owner_at_the_head_reschedules
        who_is_due_is_given_in_order_page_by_page
        what_was_erased_is_never_due
        hastening_brings_a_tenants_entries_forward_piece_by_piece;
    snapshots:
        a_snapshot_reads_back_until_a_newer_one_comes
        an_older_snapshot_changes_nothing
        a_snapshot_does_not_overtake_its_events
        only_the_owner_keeps_a_snapshot
        a_claim_leaves_the_snapshot
        an_unknown_conversation_has_no_snapshot
        a_snapshot_too_large_is_not_kept
        snapshots_of_tenants_are_apart
        a_snapshot_goes_with_its_conversation;
    lists:
        the_list_is_by_newest_activity
        among_equals_the_list_is_by_id
        pages_of_the_list_join_to_the_whole
        an_append_moves_a_conversation_to_the_top
        the_list_shows_one_tenant
        the_list_can_be_one_contacts;
    projections:
        a_row_is_written_where_it_stands_only
        of_two_who_bring_a_row_on_the_further_one_stands
        a_row_does_not_go_back
        a_row_tells_no_more_than_the_log
        what_a_projection_is_behind_is_found
        a_row_that_tells_of_a_part_is_behind
        looking_goes_on_in_pieces_and_misses_nothing
        a_place_in_the_order_is_used_once
        a_cursor_goes_forward_until_it_is_reset
        an_erased_row_does_not_come_back
        an_erasure_leaves_the_rows_of_others;
    records:
        a_record_is_created_changed_and_removed
        a_stale_change_conflicts_with_the_version_found
        a_removed_record_begins_anew
        records_are_scanned_by_id_in_pages
        the_node_and_tenants_have_records_apart
        kinds_are_apart
        large_and_odd_records_read_back
        of_many_who_create_one_wins
        of_many_who_change_one_each_version_is_written_once
        of_many_who_remove_one_and_create_it_anew_each_is_told_what_it_did
        a_scan_sees_what_was_there_while_others_create_and_remove;
    keys:
        a_record_is_found_by_each_of_its_keys
        a_key_that_another_record_has_is_refused_with_its_id
        keys_are_taken_over_from_the_record_that_is_named
        of_many_who_want_a_key_one_gets_it
        keys_that_are_dropped_are_free
        two_records_swap_their_keys
        a_removed_record_leaves_its_keys_and_begins_anew_without;
    key_races:
        of_many_who_want_overlapping_keys_each_has_all_of_its_own_or_none
        of_many_who_take_a_key_over_one_gets_it
        random_keys_are_whose_the_model_says;
    seals:
        what_is_sealed_reads_back_until_its_conversation_is_erased
        what_is_sealed_belongs_to_one_event_of_one_conversation
        nothing_is_sealed_for_an_unknown_conversation;
    races:
        of_two_owners_one_wins_every_append
        many_conversations_at_once_keep_their_order;
    random:
        random_commands_do_what_the_model_does;
}

/// Runs every case against stores that `open` makes, one for each case, and names all that fail.
///
/// # Errors
/// When a store cannot be opened or a case fails.
pub async fn conform(open: impl AsyncFn(&'static str) -> anyhow::Result<SharedStore>) -> Outcome {
    run(open, CASES.iter()).await
}

/// The same for the cases of some parts.
///
/// # Errors
/// As [`conform`].
pub async fn conform_in(parts: &[&str], open: impl AsyncFn(&'static str) -> anyhow::Result<SharedStore>) -> Outcome {
    run(open, CASES.iter().filter(|case| parts.contains(&case.part))).await
}

async fn run(
    open: impl AsyncFn(&'static str) -> anyhow::Result<SharedStore>,
    cases: impl Iterator<Item = &'static Case>,
) -> Outcome {
    let (mut failed, mut count) = (Vec::new(), 0);
    for case in cases {
        count += 1;
        let store = open(case.name).await?;
        match AssertUnwindSafe((case.run)(store)).catch_unwind().await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => failed.push(format!("{}: {error:#}", case.name)),
            Err(_) => failed.push(format!("{}: panicked", case.name)),
        }
    }
    ensure!(count > 0, "there are no such cases");
    ensure!(failed.is_empty(), "{} of {count} cases failed:\n{}", failed.len(), failed.join("\n"));
    Ok(())
}
