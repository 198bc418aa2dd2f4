//! Bars, and lines over logarithmic scales, as SVG.

use super::report::Spread;

const WIDTH: f64 = 960.0;
const LEFT: f64 = 440.0;
const ROW: f64 = 34.0;
const TOP: f64 = 40.0;

/// A bar for each median, a line for its range.
pub fn bars(title: &str, all: &[(&str, Spread)]) -> String {
    let most = all.iter().map(|(_, spread)| spread.max).fold(1.0, f64::max);
    let x = |value: f64| LEFT + (WIDTH - LEFT - 90.0) * value / most;
    let height = TOP + ROW * all.len() as f64 + 10.0;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" font-family=\"sans-serif\" font-size=\"13\">\n\
         <rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n<text x=\"10\" y=\"22\" font-weight=\"bold\">{title}</text>\n"
    );
    for (row, (name, spread)) in all.iter().enumerate() {
        let top = TOP + ROW * row as f64;
        let middle = top + 11.0;
        svg += &format!(
            "<text x=\"{}\" y=\"{}\" text-anchor=\"end\">{name}</text>\n\
             <rect x=\"{LEFT}\" y=\"{top}\" width=\"{:.1}\" height=\"22\" fill=\"#4878a8\"/>\n\
             <line x1=\"{:.1}\" y1=\"{middle}\" x2=\"{:.1}\" y2=\"{middle}\" stroke=\"black\"/>\n\
             <text x=\"{:.1}\" y=\"{}\">{:.0}</text>\n",
            LEFT - 8.0,
            top + 16.0,
            x(spread.median) - LEFT,
            x(spread.min),
            x(spread.max),
            x(spread.max) + 6.0,
            top + 16.0,
            spread.median,
        );
    }
    svg + "</svg>\n"
}

/// What is drawn in one colour: points and the line fitted to them (its slope between logarithms, and its height
/// at 1), and hollow points beside them.
pub struct Line {
    pub name: String,
    pub points: Vec<(f64, f64)>,
    pub fit: Option<(f64, f64)>,
    pub beside: Vec<(f64, f64)>,
}

const SIDE: f64 = 420.0;
const MARGIN: f64 = 60.0;
const COLOURS: [&str; 2] = ["#4878a8", "#b8602c"];

/// A logarithmic scale over whole powers of ten.
struct Scale {
    from: f64,
    powers: f64,
}

impl Scale {
    fn over(values: impl Iterator<Item = f64> + Clone) -> Self {
        let (least, most) = (values.clone().fold(f64::MAX, f64::min), values.fold(f64::MIN, f64::max));
        let from = least.log10().floor();
        Self { from, powers: (most.log10().ceil() - from).max(1.0) }
    }

    /// From 0 to 1.
    fn place(&self, value: f64) -> f64 {
        (value.log10() - self.from) / self.powers
    }

    fn marks(&self) -> impl Iterator<Item = f64> {
        (0..=self.powers as i32).map(|power| 10_f64.powf(self.from + f64::from(power)))
    }
}

/// Costs over sizes, both by their logarithms, so that an exponent is a slope.
pub fn lines(title: &str, unit: &str, all: &[Line]) -> String {
    let every = || all.iter().flat_map(|line| line.points.iter().chain(&line.beside)).copied();
    let (sizes, costs) = (Scale::over(every().map(|p| p.0)), Scale::over(every().map(|p| p.1)));
    let x = |size| MARGIN + SIDE * sizes.place(size);
    let y = |cost| MARGIN + SIDE * (1.0 - costs.place(cost));
    let (whole, end) = (SIDE + 2.0 * MARGIN, MARGIN + SIDE);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {whole} {whole}\" font-family=\"sans-serif\" font-size=\"13\">\n\
         <rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n<text x=\"10\" y=\"22\" font-weight=\"bold\">{title}</text>\n\
         <text x=\"{}\" y=\"{}\" text-anchor=\"middle\">{unit}</text>\n",
        whole / 2.0,
        whole - 14.0
    );
    for mark in sizes.marks() {
        let at = x(mark);
        svg += &format!(
            "<line x1=\"{at:.1}\" y1=\"{MARGIN}\" x2=\"{at:.1}\" y2=\"{end}\" stroke=\"#ddd\"/>\n\
             <text x=\"{at:.1}\" y=\"{}\" text-anchor=\"middle\">{mark}</text>\n",
            end + 18.0
        );
    }
    for mark in costs.marks() {
        let at = y(mark);
        svg += &format!(
            "<line x1=\"{MARGIN}\" y1=\"{at:.1}\" x2=\"{end}\" y2=\"{at:.1}\" stroke=\"#ddd\"/>\n\
             <text x=\"{}\" y=\"{:.1}\" text-anchor=\"end\">{mark} s</text>\n",
            MARGIN - 6.0,
            at + 4.0
        );
    }
    for (number, (line, colour)) in all.iter().zip(COLOURS).enumerate() {
        svg += &drawn(line, colour, 40.0 + 16.0 * number as f64, (&x, &y));
    }
    svg + "</svg>\n"
}

/// One of them, with its name at a height.
fn drawn(
    line: &Line,
    colour: &str,
    height: f64,
    (x, y): (&dyn Fn(f64) -> f64, &dyn Fn(f64) -> f64),
) -> String {
    let mut svg = format!("<text x=\"{MARGIN}\" y=\"{height}\" fill=\"{colour}\">{}</text>\n", line.name);
    for (points, fill) in [(&line.points, colour), (&line.beside, "none")] {
        for (size, cost) in points {
            let (x, y) = (x(*size), y(*cost));
            svg += &format!(
                "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"4\" stroke=\"{colour}\" fill=\"{fill}\"/>\n"
            );
        }
    }
    if let (Some((slope, at_one)), [(from, _), .., (to, _)]) = (line.fit, line.points.as_slice()) {
        let [a, b] = [from, to].map(|size| (x(*size), y(at_one * size.powf(slope))));
        svg += &format!(
            "<line x1=\"{:.1}\" y1=\"{:.1}\" x2=\"{:.1}\" y2=\"{:.1}\" stroke=\"{colour}\"/>\n",
            a.0, a.1, b.0, b.1
        );
    }
    svg
}
