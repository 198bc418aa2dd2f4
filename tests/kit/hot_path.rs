//! Times a step of the hot path with Criterion, and counts what it asks of the allocator. Each crate's benches
//! include this file: `make microbench`.

use std::time::{Duration, Instant};

use criterion::Criterion;

const WARM_UP: Duration = Duration::from_millis(500);
const MEASUREMENT: Duration = Duration::from_secs(2);
const SAMPLES: usize = 50;

/// Prints the time and the allocations for each row of a step, which handles so many of them at each call. The time
/// of an iteration, in Criterion's words, is that of one row. Returns the allocations of one call, which is not the
/// first: what is kept from call to call is there by then.
pub fn measure(name: &str, rows: u64, mut step: impl FnMut()) -> u64 {
    step();
    let counted = allocation_counter::measure(&mut step);
    let criterion = Criterion::default().without_plots().sample_size(SAMPLES);
    let mut criterion = criterion.warm_up_time(WARM_UP).measurement_time(MEASUREMENT);
    criterion.bench_function(name, |bencher| {
        bencher.iter_custom(|rows_wanted| {
            let calls = rows_wanted.div_ceil(rows);
            let begun = Instant::now();
            (0..calls).for_each(|_| step());
            begun.elapsed().mul_f64(rows_wanted as f64 / (calls * rows) as f64)
        });
    });
    println!(
        "{name}: {:.3} allocations a row, {:.0} bytes ({} for {rows} rows)\n",
        counted.count_total as f64 / rows as f64,
        counted.bytes_total as f64 / rows as f64,
        counted.count_total,
    );
    counted.count_total
}
