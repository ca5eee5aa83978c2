//! The contract of [`phasebot::port::store::Store`], clause by clause.
//!
//! Each clause is a function over a [`Database`], so that every engine runs the same list:
//! `conformance!` at the end of this file. The generated tests may have attributes:
//! `conformance!(with [#[ignore]] fresh())`.

#![expect(clippy::unwrap_used, reason = "a clause that can't go on has failed")]

mod decision;
mod given;
mod inbox;
mod model;
mod notice;
mod outbox;
mod pages;
mod postgres;
mod sqlite;
mod together;
mod upkeep;

use std::sync::Arc;

use async_trait::async_trait;
use phasebot::port::{pages::PageStore, store::Store};

/// A new, empty database of some engine.
#[async_trait]
pub(crate) trait Database: Send + Sync {
    /// Opens a handle, as another process would.
    async fn open(&self) -> Arc<dyn Store>;

    /// Opens the web pages' own connections, once a store was opened.
    async fn pages(&self) -> Arc<dyn PageStore>;
}

/// Runs every clause on a new database of its own, which `$fresh` creates.
macro_rules! conformance {
    (@clauses [$($attribute:tt)*] $fresh:expr; $($area:ident { $($clause:ident),* $(,)? })*) => {
        $crate::store::conformance! { @areas [$($attribute)*] [$fresh] $($area { $($clause),* })* }
    };
    (@areas $attributes:tt $fresh:tt $($area:ident { $($clause:ident),* })*) => {
        $(mod $area {
            $crate::store::conformance! { @each $attributes $fresh $area $($clause),* }
        })*
    };
    (@each $attributes:tt $fresh:tt $area:ident $($clause:ident),*) => {
        $($crate::store::conformance! { @one $attributes $fresh $area $clause })*
    };
    (@one [$($attribute:tt)*] [$fresh:expr] $area:ident $clause:ident) => {
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            $($attribute)*
            async fn $clause() {
                crate::store::$area::$clause(&$fresh).await;
            }
    };
    (with [$($attribute:tt)*] $fresh:expr) => {
        $crate::store::conformance! { @clauses [$($attribute)*] $fresh;
            inbox {
                a_delivery_is_kept_once,
                the_same_id_of_another_hook_or_forge_is_another_delivery,
                a_delivery_comes_back_as_it_was_given,
                numbers_of_64_bits_come_back,
                bodies_of_every_size_come_back,
                hostile_text_comes_back,
                times_are_kept_in_milliseconds,
                pending_is_in_order_of_arrival,
                what_can_not_be_routed_is_quarantined,
                lists_are_newest_first_and_filtered,
                which_ids_were_taken_in_is_told_whatever_their_hook,
                replay_puts_back_what_does_not_wait,
                drop_ends_what_is_open,
                what_was_accepted_is_there_after_opening_again,
            }
            decision {
                a_decision_is_kept_whole,
                a_decision_that_makes_no_sense_leaves_no_trace,
                facts_are_replaced_and_deleted,
                rows_of_metrics_replace_those_of_their_owner,
                repositories_are_told_apart,
                a_history_replaces_its_cycle_and_keeps_the_earlier_ones,
                transitions_of_one_moment_keep_their_order,
                trying_again_counts_attempts,
                a_decision_on_a_dropped_delivery_keeps_the_drop,
                timers_are_set_moved_and_stopped,
                a_timer_is_never_due_early,
                what_was_committed_is_there_after_opening_again,
            }
            outbox {
                lanes_go_in_order_and_the_oldest_first,
                each_installation_has_its_own_share,
                a_replacing_effect_takes_the_place_of_the_queued_one,
                a_replacing_effect_is_queued_anew_after_an_end,
                a_key_once_used_is_not_queued_again,
                keys_belong_to_their_repository,
                a_cancelled_effect_is_not_sent,
                what_was_being_sent_is_due_and_in_doubt,
                a_doubt_survives_a_replacement,
                an_old_version_ends_nothing_but_its_facts_are_kept,
                an_old_version_in_doubt_leaves_the_doubt,
                a_replaced_effect_can_not_be_marked,
                retries_wait_and_count,
                ended_effects_are_not_due,
                the_dead_are_listed,
            }
            notice {
                a_notice_comes_back_and_is_queued_once,
                another_notice_of_the_thread_replaces_it,
                a_message_is_remembered_and_changed,
                what_is_no_news_any_more_is_not_sent,
                what_was_being_sent_stays_in_doubt,
                a_failed_notice_waits_and_counts,
                targets_have_lines_of_their_own,
                old_threads_are_pruned_and_erased,
            }
            upkeep {
                an_erased_repository_leaves_its_place_and_its_deliveries_ids,
                a_memo_is_kept_changed_and_forgotten,
                prune_forgets_what_ended_long_ago,
                prune_keeps_to_its_limit,
                a_pruned_delivery_number_is_not_given_again,
                stats_count_what_waits,
                it_answers_a_ping,
            }
            pages {
                items_are_counted_and_listed_by_phase,
                a_version_rises_with_whatever_pages_show,
                an_item_and_its_history_are_read_alone,
                documents_are_read_by_key_and_by_the_beginning_of_it,
                active_repositories_are_listed_and_found_by_name,
                rows_for_metrics_are_those_of_the_store,
            }
            together {
                of_64_accepts_of_one_delivery_one_is_new,
                many_tasks_lose_nothing,
                two_handles_write_the_same_database,
            }
            model {
                inbox_and_outbox_follow_the_model,
            }
        }
    };
    ($fresh:expr) => {
        $crate::store::conformance! { with [] $fresh }
    };
}
pub(crate) use conformance;
