//! How cost grows: a source and a sink over the same work at several sizes, for one size after the other:
//! `make bench-growth`. What is fitted, and why, says `curve`.
//!
//! Both ends are compared after each run. A run's settings are the default ones, but for what is written here.

use std::sync::Arc;

use super::curve::{Curve, Point, StartUp, refuse_worse_than_linear, report};
use super::job::Lane;
use super::shapes::{Shape, finish};
use super::{is_chosen, is_set};
use crate::kit::{Options, World};

/// How much is measured.
#[derive(Clone, Copy, PartialEq)]
enum Scale {
    Quick,
    Usual,
    Full,
}

impl Scale {
    /// As `QUICK` and `FULL` say.
    fn chosen() -> Self {
        match (is_set("QUICK"), is_set("FULL")) {
            (true, _) => Self::Quick,
            (false, true) => Self::Full,
            (false, false) => Self::Usual,
        }
    }

    fn pick<T: Copy>(self, quick: &[T], usual: &[T], full: &[T]) -> Vec<T> {
        match self {
            Self::Quick => quick.to_vec(),
            Self::Usual => usual.to_vec(),
            Self::Full => [usual, full].concat(),
        }
    }

    /// Runs of each size, of which the cheapest counts: whatever disturbs one makes it dearer.
    fn runs(self) -> usize {
        if self == Self::Quick { 1 } else { 2 }
    }

    /// Rows of a dimension along which their number stays the same.
    fn rows(self, usual: u64) -> u64 {
        if self == Self::Quick { usual / 4 } else { usual }
    }
}

/// What is made larger, and the work at each of its sizes.
struct Dimension {
    name: &'static str,
    unit: &'static str,
    cases: Vec<Case>,
}

struct Case {
    size: u64,
    shape: Shape,
    /// More sections for the settings of source and sink.
    source: String,
    sink: String,
}

impl Case {
    fn new(size: u64, shape: Shape) -> Self {
        Self { size, shape, source: String::new(), sink: String::new() }
    }
}

/// Rows of about 200 bytes, as in the other measurements.
fn usual(rows: u64) -> Shape {
    let columns = [("k", "INT NOT NULL"), ("c", "CHAR(120) NOT NULL"), ("pad", "CHAR(60) NOT NULL")];
    Shape {
        name: "growth",
        tables: 1,
        rows,
        partitions: 4,
        columns: columns.map(|(name, ty)| (name.to_owned(), ty)).to_vec(),
        value: |column| match column {
            0 => "i * 7919 % 1000000".to_owned(),
            1 => "RPAD(SHA2(i, 256), 119, 'c')".to_owned(),
            _ => "RPAD(SHA2(-i, 224), 59, 'p')".to_owned(),
        },
        in_transactions_of: None,
    }
}

/// Numbers, decimals and times by turns: a thousand of them fit into a row.
fn wide(columns: u64, rows: u64) -> Shape {
    let kinds = ["INT", "DECIMAL(12,3)", "DATETIME", "BIGINT"];
    let columns = (0..columns as usize - 1).map(|n| (format!("c{n}"), kinds[n % kinds.len()])).collect();
    let value: fn(usize) -> String = |n| match n % 4 {
        0 => format!("i + {n}"),
        1 => format!("i / 7 + {n}"),
        2 => "TIMESTAMPADD(SECOND, i, '2020-01-01')".to_owned(),
        _ => "i * 1000003".to_owned(),
    };
    Shape { columns, value, ..usual(rows) }
}

/// Along which the work grows.
fn growing(scale: Scale) -> Vec<Dimension> {
    let quick = &[100_000, 200_000, 400_000];
    let rows = scale.pick(quick, &[100_000, 300_000, 1_000_000], &[3_000_000, 10_000_000]);
    let columns = scale.pick(&[100, 300, 1000], &[10, 30, 100, 300, 1000], &[]);
    let tables = scale.pick(&[30, 100, 300], &[30, 100, 300, 1000], &[]);
    let backlog = scale.pick(quick, &[30_000, 100_000, 300_000, 1_000_000], &[]);
    let of_columns = scale.rows(40_000);
    let logged = |rows, each| Shape { in_transactions_of: Some(each), ..usual(rows) };
    let dimension = |name, unit, sizes: &[u64], shape: &dyn Fn(u64) -> Shape| Dimension {
        name,
        unit,
        cases: sizes.iter().map(|size| Case::new(*size, shape(*size))).collect(),
    };
    vec![
        dimension("rows", "rows of a snapshot", &rows, &usual),
        dimension("columns", "columns of a table", &columns, &|columns| wide(columns, of_columns)),
        dimension("tables", "tables of 100 rows", &tables, &|tables| Shape {
            tables,
            partitions: 1,
            ..usual(100)
        }),
        dimension("transaction", "rows of one transaction", &backlog, &|rows| logged(rows, rows)),
        dimension("backlog", "rows of a backlog, 100 a transaction", &backlog, &|rows| logged(rows, 100)),
    ]
}

/// Along which the work stays the same, and is only cut into other pieces.
fn steady(scale: Scale) -> Vec<Dimension> {
    let rows = scale.rows(300_000);
    let partitions = scale.pick(&[1, 8, 64], &[1, 4, 16, 64, 256], &[]);
    let batch = scale.pick(&[64, 1024, 16_384], &[64, 256, 1024, 4096, 16_384], &[]);
    let connections = scale.pick(&[1, 4, 16], &[1, 2, 4, 8, 16], &[]);
    let cuts = |kib: u64| format!("[limits]\ncut_interval_ms = 1000\ncut_bytes = {}\n", kib << 10);
    let partitioned = |size: &u64| {
        let partitions = u32::try_from(*size).unwrap();
        Case::new(*size, Shape { partitions, ..usual(rows) })
    };
    let batched = |size: &u64| Case { source: cuts(*size), ..Case::new(*size, usual(rows)) };
    let connected = |size: &u64| {
        let sink = format!("[limits]\nwriters = {size}\n");
        Case { source: cuts(1024), sink, ..Case::new(*size, usual(rows)) }
    };
    vec![
        Dimension {
            name: "partitions",
            unit: "partitions of the table's topic",
            cases: partitions.iter().map(partitioned).collect(),
        },
        Dimension {
            name: "batch",
            unit: "KiB of a cut, which a sink takes as a whole",
            cases: batch.iter().map(batched).collect(),
        },
        Dimension {
            name: "connections",
            unit: "connections of the sink that write at once",
            cases: connections.iter().map(connected).collect(),
        },
    ]
}

/// All dimensions; then the table, the charts, and what is worse than linear.
pub async fn measure() {
    let scale = Scale::chosen();
    let start_up = StartUp::of(&point(&Case::new(1, usual(1)), 3).await);
    println!("to start and to end: {start_up}");
    let mut curves = Vec::new();
    let all = growing(scale).into_iter().chain(steady(scale));
    for Dimension { name, unit, cases } in all.filter(|dimension| is_chosen(dimension.name)) {
        let mut curve = Curve::new(name, unit, start_up);
        for case in &cases {
            curve.add(point(case, scale.runs()).await);
        }
        curves.push(curve);
    }
    report(&curves);
    if scale != Scale::Quick {
        refuse_worse_than_linear(&curves);
    }
}

async fn point(case: &Case, runs: usize) -> Point {
    let Case { size, shape, source, sink } = case;
    let world = Arc::new(World::with("growth", &Options::default()).await);
    shape.make(&world).await;
    let options = Options {
        partitions: shape.partitions,
        source: source.clone(),
        sink: sink.clone(),
        ..Options::default()
    };
    let mut lanes = Vec::new();
    for run in 1..=runs {
        let lane = Lane::with(&world.name, "*", &format!("growth{run}"), &options).await;
        if shape.in_transactions_of.is_some() {
            lane.world.catch_up();
        }
        lanes.push(lane);
    }
    shape.write(&world).await;
    let mut point = Point::new(*size);
    for lane in lanes {
        point.source.push(lane.source(shape.count()));
        point.sink.push(lane.sink(shape.count()));
        finish(shape, &world, lane).await;
    }
    Arc::into_inner(world).unwrap().end().await;
    point
}
