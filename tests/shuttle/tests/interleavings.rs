//! All scenarios, named after the expected result.

use hub_otel_shuttle as scenario;

#[test]
fn a_fact_recorded_while_a_unit_ends_is_counted_everywhere_or_nowhere() {
    scenario::two_retries();
    scenario::twelve_retries();
}

#[test]
fn a_label_set_looked_up_by_two_threads_is_created_once() {
    scenario::same_set();
}

#[test]
fn label_sets_with_the_same_first_slot_are_both_found() {
    scenario::same_place();
}

#[test]
fn label_sets_beyond_the_cap_share_the_overflow_set() {
    scenario::last_room();
    scenario::no_room();
    scenario::crowded();
}

#[test]
fn every_item_is_delivered_waiting_or_counted_as_dropped() {
    scenario::delivered();
}

#[test]
fn an_item_added_while_the_queue_closes_never_stays_in_it() {
    scenario::closed();
}

#[test]
fn items_pending_at_the_deadline_are_counted_as_lost_once() {
    scenario::abandoned();
}

#[test]
fn the_counts_add_up_at_any_time() {
    scenario::reported();
}

#[test]
fn a_unit_that_its_task_and_the_shutdown_end_ends_once() {
    scenario::two_ends();
}
