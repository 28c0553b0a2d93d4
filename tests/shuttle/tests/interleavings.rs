//! Every scenario, by what it must come to.

use hub_otel_shuttle as scenario;

#[test]
fn a_fact_that_is_told_while_a_unit_ends_counts_everywhere_or_nowhere() {
    scenario::told();
    scenario::told_by_many();
}

#[test]
fn a_label_set_that_two_threads_ask_for_is_made_once() {
    scenario::same_set();
}

#[test]
fn label_sets_that_meet_in_one_place_of_the_table_are_both_found_again() {
    scenario::same_place();
}

#[test]
fn no_more_label_sets_than_the_cap_are_made_and_the_rest_share_one() {
    scenario::last_room();
    scenario::no_room();
    scenario::crowded();
}

#[test]
fn every_item_is_delivered_waits_or_is_counted_as_one_too_many() {
    scenario::settled();
}

#[test]
fn an_item_that_comes_while_the_queue_closes_never_stays_in_it() {
    scenario::closed();
}

#[test]
fn what_is_pending_at_the_deadline_is_written_down_once() {
    scenario::abandoned();
}

#[test]
fn the_books_are_even_whenever_somebody_reads_them() {
    scenario::reported();
}
