//! The road end to end on real servers: one behaviour a file, named after it.

mod backlog_older_than_retention;
mod bank_stays_balanced;
mod both_ways;
mod by_file_and_position;
mod commits_that_stall;
mod deletes_key_changes_truncate;
mod destination_restored_from_its_older_dump;
mod exact_types;
mod exit_codes;
mod keyless_tables;
mod keys_of_every_type;
mod large_transaction_in_little_memory;
mod many_tables;
mod replay_converges;
mod restart_at_random_points;
mod routed_names;
mod second_instance_stands_by;
mod snapshot_during_writes;
mod tls_with_client_certificates;
mod unique_values_swapped;
