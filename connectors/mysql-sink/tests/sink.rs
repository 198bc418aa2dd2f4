//! The sink against a real MySQL. One behaviour a file, named after it.
//!
//! Needs `CDC_TEST_DEST_MYSQL` (host:port) and an account that may do all
//! (`CDC_TEST_MYSQL_USER`, `CDC_TEST_MYSQL_PASSWORD`); without it every test says
//! so and passes.

#[cfg(test)]
#[path = "sink/office.rs"]
mod office;
#[cfg(test)]
#[path = "sink/world.rs"]
mod world;

#[cfg(test)]
#[path = "sink/a_batch_is_one_transaction.rs"]
mod a_batch_is_one_transaction;
#[cfg(test)]
#[path = "sink/a_replay_keeps_the_quarantine.rs"]
mod a_replay_keeps_the_quarantine;
#[cfg(test)]
#[path = "sink/an_account_needs_no_more_than_check_says.rs"]
mod an_account_needs_no_more_than_check_says;
#[cfg(test)]
#[path = "sink/batches_at_once.rs"]
mod batches_at_once;
#[cfg(test)]
#[path = "sink/by_key.rs"]
mod by_key;
#[cfg(test)]
#[path = "sink/collisions_are_told.rs"]
mod collisions_are_told;
#[cfg(test)]
#[path = "sink/columns_of_other_types.rs"]
mod columns_of_other_types;
#[cfg(test)]
#[path = "sink/keyless_rows_are_counted.rs"]
mod keyless_rows_are_counted;
#[cfg(test)]
#[path = "sink/keys_change.rs"]
mod keys_change;
#[cfg(test)]
#[path = "sink/keys_change_while_rows_wait.rs"]
mod keys_change_while_rows_wait;
#[cfg(test)]
#[path = "sink/keys_leave_the_quarantine.rs"]
mod keys_leave_the_quarantine;
#[cfg(test)]
#[path = "sink/keys_spelled_anew.rs"]
mod keys_spelled_anew;
#[cfg(test)]
#[path = "sink/letters_of_several_schemas.rs"]
mod letters_of_several_schemas;
#[cfg(test)]
#[path = "sink/names_that_were_adjusted.rs"]
mod names_that_were_adjusted;
#[cfg(test)]
#[path = "sink/one_sink_leads.rs"]
mod one_sink_leads;
#[cfg(test)]
#[path = "sink/own_columns.rs"]
mod own_columns;
#[cfg(test)]
#[path = "sink/replay_converges.rs"]
mod replay_converges;
#[cfg(test)]
#[path = "sink/rows_of_older_schemas.rs"]
mod rows_of_older_schemas;
#[cfg(test)]
#[path = "sink/tables_are_made_exactly.rs"]
mod tables_are_made_exactly;
#[cfg(test)]
#[path = "sink/tables_evolve.rs"]
mod tables_evolve;
#[cfg(test)]
#[path = "sink/tables_take_other_shapes.rs"]
mod tables_take_other_shapes;
#[cfg(test)]
#[path = "sink/truncate.rs"]
mod truncate;
#[cfg(test)]
#[path = "sink/two_way.rs"]
mod two_way;
#[cfg(test)]
#[path = "sink/unique_values_move.rs"]
mod unique_values_move;
#[cfg(test)]
#[path = "sink/values_arrive_identical.rs"]
mod values_arrive_identical;
#[cfg(test)]
#[path = "sink/what_cannot_be_applied_is_set_aside.rs"]
mod what_cannot_be_applied_is_set_aside;
