//! Bars as SVG.

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
