//! Costs at several sizes, and how they grow.
//!
//! A cost is the CPU time (user and system) of a whole process, less that of one which has a single row to move. CPU
//! time, since the time of the clock is also that of the servers, which share the machine. The *exponent* is the
//! slope of the line through the logarithms of costs and sizes, by least squares: 0 means that the size does not
//! matter, 1 that twice the size costs twice as much. A part that is the same for each row hides what grows behind it,
//! so the slope of the last step stands beside it. Costs that are less than what was taken off are left out, since an
//! error in that would bend the line, and those below [`COST_MIN_S`], since the kernel tells hundredths of seconds.

use std::fmt;

use serde_json::{Value, json};

use super::chart::{self, Line};
use super::is_set;
use super::report::{Run, earlier, environment, keep, keep_json};

const COST_MIN_S: f64 = 0.1;

/// An exponent over this is worse than linear: what is beyond 1 is the error of the measurement.
const LINEAR_MAX: f64 = 1.1;

/// Along this one librdkafka's own work grows faster, which cannot be had otherwise (bench/README.md): so far it may.
const LIBRDKAFKAS: (&str, f64) = ("tables", 1.5);

/// The runs at one size.
pub struct Point {
    pub size: u64,
    pub source: Vec<Run>,
    pub sink: Vec<Run>,
}

impl Point {
    pub fn new(size: u64) -> Self {
        Self { size, source: Vec::new(), sink: Vec::new() }
    }

    fn runs(&self, side: Side) -> &[Run] {
        match side {
            Side::Source => &self.source,
            Side::Sink => &self.sink,
        }
    }

    fn least(&self, side: Side, of: impl Fn(&Run) -> f64) -> f64 {
        self.runs(side).iter().map(of).fold(f64::INFINITY, f64::min)
    }

    fn cpu(&self, side: Side) -> f64 {
        self.least(side, |run| run.cpu_seconds.unwrap_or(0.0))
    }

    fn wall(&self, side: Side) -> f64 {
        self.least(side, |run| run.seconds)
    }
}

/// Which process.
#[derive(Clone, Copy, Debug)]
enum Side {
    Source,
    Sink,
}

const SIDES: [(Side, &str); 2] = [(Side::Source, "source"), (Side::Sink, "sink")];

/// CPU seconds of processes that have next to nothing to do.
#[derive(Clone, Copy)]
pub struct StartUp {
    source: f64,
    sink: f64,
}

impl StartUp {
    pub fn of(point: &Point) -> Self {
        Self { source: point.cpu(Side::Source), sink: point.cpu(Side::Sink) }
    }

    fn side(self, side: Side) -> f64 {
        match side {
            Side::Source => self.source,
            Side::Sink => self.sink,
        }
    }
}

impl fmt::Display for StartUp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "source {:.2} s of CPU, sink {:.2} s", self.source, self.sink)
    }
}

/// One dimension.
pub struct Curve {
    name: &'static str,
    unit: &'static str,
    start_up: StartUp,
    points: Vec<Point>,
}

impl Curve {
    pub fn new(name: &'static str, unit: &'static str, start_up: StartUp) -> Self {
        Self { name, unit, start_up, points: Vec::new() }
    }

    /// Adds a point, and says so at once.
    pub fn add(&mut self, point: Point) {
        let side = |side| format!("{:.2} s, CPU {:.2} s", point.wall(side), point.cpu(side));
        let (source, sink) = (side(Side::Source), side(Side::Sink));
        println!("{}: {} {}: source {source}; sink {sink}", self.name, point.size, self.unit);
        self.points.push(point);
    }

    /// Sizes and costs that are large enough to be told.
    fn costs(&self, side: Side) -> Vec<(f64, f64)> {
        let taken_off = self.start_up.side(side);
        let cost = |p: &Point| (p.size as f64, p.cpu(side) - taken_off);
        self.points.iter().map(cost).filter(|(_, cost)| *cost >= taken_off.max(COST_MIN_S)).collect()
    }

    fn growth(&self, side: Side) -> Option<Growth> {
        let costs = self.costs(side);
        Some(Growth { exponent: line(&costs)?.0, last_step: line(costs.last_chunk::<2>()?)?.0 })
    }

    fn table_row(&self) -> String {
        let sizes: Vec<String> = self.points.iter().map(|p| p.size.to_string()).collect();
        let sides = SIDES.map(|(side, _)| {
            let costs: Vec<String> = self.points.iter().map(|p| format!("{:.2}", p.cpu(side))).collect();
            format!("{} | {}", costs.join(", "), shown(self.growth(side)))
        });
        format!("| {}: {} | {} |\n", self.unit, sizes.join(", "), sides.join(" | "))
    }

    fn json(&self) -> Value {
        let of = |side| {
            json!({
                "cpu_seconds": self.points.iter().map(|p| cpus(p.runs(side))).collect::<Vec<_>>(),
                "seconds": self.points.iter().map(|p| walls(p.runs(side))).collect::<Vec<_>>(),
                "peak_rss_bytes": self.points.iter().map(|p| peak(p.runs(side))).collect::<Vec<_>>(),
                "exponent": self.growth(side).map(|growth| growth.exponent),
                "exponent_of_last_step": self.growth(side).map(|growth| growth.last_step),
            })
        };
        json!({
            "dimension": self.name,
            "unit": self.unit,
            "sizes": self.points.iter().map(|p| p.size).collect::<Vec<_>>(),
            "source": of(Side::Source),
            "sink": of(Side::Sink),
        })
    }

    fn chart(&self) -> String {
        let lines = SIDES.map(|(side, name)| {
            let costs = self.costs(side);
            Line {
                name: format!("{name}: exponent {}", shown(self.growth(side))),
                fit: line(&costs),
                points: costs,
                beside: self.points.iter().map(|p| (p.size as f64, p.wall(side))).collect(),
            }
        });
        chart::lines("CPU s without start-up (filled), s by the clock (hollow)", self.unit, &lines)
    }
}

/// How a side's cost grows.
#[derive(Clone, Copy)]
struct Growth {
    exponent: f64,
    last_step: f64,
}

fn shown(growth: Option<Growth>) -> String {
    growth.map_or("-".to_owned(), |g| format!("{:.2} (last step {:.2})", g.exponent, g.last_step))
}

/// The line through the logarithms: its slope, and its height at 1.
fn line(points: &[(f64, f64)]) -> Option<(f64, f64)> {
    let n = points.len() as f64;
    let logs: Vec<(f64, f64)> = points.iter().map(|(x, y)| (x.ln(), y.ln())).collect();
    let (x, y) = (logs.iter().map(|l| l.0).sum::<f64>() / n, logs.iter().map(|l| l.1).sum::<f64>() / n);
    let spread: f64 = logs.iter().map(|l| (l.0 - x).powi(2)).sum();
    let slope = logs.iter().map(|l| (l.0 - x) * (l.1 - y)).sum::<f64>() / spread;
    (points.len() >= 2).then(|| (slope, (y - slope * x).exp()))
}

fn cpus(runs: &[Run]) -> Vec<Option<f64>> {
    runs.iter().map(|run| run.cpu_seconds).collect()
}

fn walls(runs: &[Run]) -> Vec<f64> {
    runs.iter().map(|run| run.seconds).collect()
}

fn peak(runs: &[Run]) -> Option<u64> {
    runs.iter().filter_map(|run| run.peak_bytes).max()
}

/// Prints the table, and keeps figures and charts.
pub fn report(curves: &[Curve]) {
    let mut text = String::from(
        "\n| what grows | source: CPU s | exponent | sink: CPU s | exponent |\n|---|---|---|---|---|\n",
    );
    for curve in curves {
        text += &curve.table_row();
        keep(&format!("growth-{}.svg", curve.name), &curve.chart());
    }
    println!("{text}");
    let mut json = environment();
    json["start_up_cpu_seconds"] =
        curves.first().map_or(Value::Null, |c| json!({"source": c.start_up.source, "sink": c.start_up.sink}));
    let measured = |name: &Value| curves.iter().any(|curve| *name == *curve.name);
    // What `ONLY` leaves out stays as it was.
    let mut all: Vec<Value> = earlier("growth")["dimensions"].as_array().cloned().unwrap_or_default();
    all.retain(|curve| is_set("ONLY") && !measured(&curve["dimension"]));
    all.extend(curves.iter().map(Curve::json));
    json["dimensions"] = all.into();
    keep_json("growth", &json);
}

/// A cost that grows faster than its size is a defect.
pub fn refuse_worse_than_linear(curves: &[Curve]) {
    let sides = curves.iter().flat_map(|curve| SIDES.map(|(side, name)| (curve, side, name)));
    let worse = sides.filter_map(|(curve, side, name)| {
        let most = if curve.name == LIBRDKAFKAS.0 { LIBRDKAFKAS.1 } else { LINEAR_MAX };
        let growth = curve.growth(side).filter(|growth| growth.exponent > most)?;
        Some(format!("{}, {name}: {}", curve.name, shown(Some(growth))))
    });
    let worse: Vec<String> = worse.collect();
    assert!(worse.is_empty(), "worse than linear: {worse:#?}");
}

#[test]
fn an_exponent_is_a_slope_of_logarithms() {
    let points = |of: fn(f64) -> f64| [10.0, 30.0, 100.0].map(|x| (x, of(x)));
    for (wanted, points) in [(1.0, points(|x| 7.0 * x)), (2.0, points(|x| x * x)), (0.0, points(|_| 3.0))] {
        let (slope, _) = line(&points).unwrap();
        assert!((slope - wanted).abs() < 1e-9, "{slope} instead of {wanted}");
    }
    assert!(line(&[(10.0, 1.0)]).is_none());
}
