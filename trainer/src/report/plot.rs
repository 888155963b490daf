//! Curves, as SVG.

use std::fmt::Write as _;

use super::axis::{Axis, Span};
use super::page::escape;

/// Size of a plot in its own units, and the margins around its frame: left, top, right, bottom.
const SIZE: (f64, f64) = (800.0, 340.0);
const MARGINS: (f64, f64, f64, f64) = (64.0, 12.0, 16.0, 46.0);
/// Colours that the page's style names.
const COLOURS: usize = 8;
/// Height of a line of the legend.
const LEGEND_LINE: f64 = 18.0;

/// A curve.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Series {
    /// What it is.
    pub name: String,
    /// Its points; one that is no number interrupts it.
    pub points: Vec<(f64, f64)>,
    /// Whether it is drawn in dashes.
    pub dashed: bool,
}

/// An area between two curves.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Band {
    /// What it is.
    pub name: String,
    /// Place, lower and upper value.
    pub points: Vec<(f64, f64, f64)>,
}

/// A place on the first axis to point out.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Mark {
    /// Where.
    pub at: f64,
    /// What is there.
    pub name: String,
}

/// Curves and areas over one pair of axes.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Lines {
    /// To the right.
    pub x: Axis,
    /// Upwards.
    pub y: Axis,
    /// Areas, behind the curves.
    pub bands: Vec<Band>,
    /// Curves, each in a colour of its own.
    pub series: Vec<Series>,
    /// Places to point out.
    pub marks: Vec<Mark>,
}

impl Lines {
    /// The drawing. Values outside the axes' ranges are drawn at their edges.
    pub fn svg(&self) -> String {
        let points = || self.series.iter().flat_map(|series| &series.points);
        let areas = || self.bands.iter().flat_map(|band| &band.points);
        let x = self.x.over(points().map(|p| p.0).chain(areas().map(|p| p.0)));
        let y = self.y.over(points().map(|p| p.1).chain(areas().flat_map(|p| [p.1, p.2])));
        let frame = Frame::new(self.series.len() + self.bands.len());
        let mut svg = frame.begin(&format!("{} over {}", self.y.label, self.x.label));
        frame.axes(&mut svg, (&self.x, x), (&self.y, y));
        for (at, band) in self.bands.iter().enumerate() {
            let colour = at % COLOURS;
            let place = |x_value, y_value| Some((frame.x(x.inside(x_value)?), frame.y(y.inside(y_value)?)));
            let there = band.points.iter().filter_map(|&(at, low, _)| place(at, low));
            let back = band.points.iter().rev().filter_map(|&(at, _, high)| place(at, high));
            let outline: String = there.chain(back).fold(String::new(), |mut all, (x, y)| {
                let _ = write!(all, "{x:.1},{y:.1} ");
                all
            });
            let _ = writeln!(
                svg,
                "<polygon points=\"{}\" style=\"fill:var(--c{colour});opacity:.2\"/>",
                outline.trim_end()
            );
        }
        for (at, series) in self.series.iter().enumerate() {
            let mut path = String::new();
            let mut pen = 'M';
            for &(at, value) in &series.points {
                let (Some(x), Some(y)) = (x.inside(at), y.inside(value)) else {
                    pen = 'M';
                    continue;
                };
                let _ = write!(path, "{pen}{:.1} {:.1}", frame.x(x), frame.y(y));
                pen = 'L';
            }
            let dashes = if series.dashed { ";stroke-dasharray:5 4" } else { "" };
            let _ = writeln!(
                svg,
                "<path d=\"{path}\" style=\"fill:none;stroke:var(--c{});stroke-width:1.6{dashes}\"/>",
                at % COLOURS
            );
        }
        for mark in &self.marks {
            if let Some(place) = x.place(mark.at).filter(|place| (0.0..=1.0).contains(place)) {
                frame.mark(&mut svg, place, &mark.name);
            }
        }
        let curves = self.series.iter().enumerate().map(|(at, series)| (at, series.name.as_str(), false));
        let areas = self.bands.iter().enumerate().map(|(at, band)| (at, band.name.as_str(), true));
        frame.legend(&mut svg, curves.chain(areas));
        svg.push_str("</svg>");
        svg
    }
}

/// Where a plot's axes lie.
#[derive(Debug, Clone, Copy)]
pub(super) struct Frame {
    height: f64,
}

#[allow(clippy::unused_self, reason = "all frames are alike so far; positions are asked of one all the same")]
impl Frame {
    /// With room for so many lines of a legend below.
    pub(super) fn new(legend: usize) -> Self {
        let lines = if legend < 2 { 0 } else { legend.div_ceil(2) };
        Self { height: SIZE.1 + LEGEND_LINE * lines as f64 }
    }

    pub(super) fn x(self, place: f64) -> f64 {
        MARGINS.0 + place * (SIZE.0 - MARGINS.0 - MARGINS.2)
    }

    pub(super) fn y(self, place: f64) -> f64 {
        SIZE.1 - MARGINS.3 - place * (SIZE.1 - MARGINS.1 - MARGINS.3)
    }

    /// The first tag, with what the drawing shows for who cannot see it.
    pub(super) fn begin(self, label: &str) -> String {
        let label = escape(label);
        let (width, height) = (SIZE.0, self.height);
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" role=\"img\" \
             aria-label=\"{label}\">\n<title>{label}</title>\n"
        )
    }

    pub(super) fn axes(self, svg: &mut String, x: (&Axis, Span), y: (&Axis, Span)) {
        for (value, text) in x.1.ticks() {
            let Some(at) = x.1.place(value).map(|place| self.x(place)) else { continue };
            self.line(svg, (at, self.y(0.0)), (at, self.y(1.0)));
            let _ = writeln!(
                svg,
                "<text x=\"{at:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{text}</text>",
                self.y(0.0) + 16.0
            );
        }
        for (value, text) in y.1.ticks() {
            let Some(at) = y.1.place(value).map(|place| self.y(place)) else { continue };
            self.line(svg, (self.x(0.0), at), (self.x(1.0), at));
            let _ = writeln!(
                svg,
                "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{text}</text>",
                self.x(0.0) - 6.0,
                at + 4.0
            );
        }
        let (middle, label) = (self.x(0.5), escape(&x.0.label));
        let _ = writeln!(
            svg,
            "<text class=\"dim\" x=\"{middle:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{label}</text>",
            self.y(0.0) + 36.0
        );
        let (middle, label) = (self.y(0.5), escape(&y.0.label));
        let _ = writeln!(
            svg,
            "<text class=\"dim\" transform=\"translate(14 {middle:.1}) rotate(-90)\" text-anchor=\"middle\">{label}</text>"
        );
    }

    fn line(self, svg: &mut String, from: (f64, f64), to: (f64, f64)) {
        let ((x1, y1), (x2, y2)) = (from, to);
        let _ = writeln!(svg, "<line class=\"grid\" x1=\"{x1:.1}\" y1=\"{y1:.1}\" x2=\"{x2:.1}\" y2=\"{y2:.1}\"/>");
    }

    pub(super) fn mark(self, svg: &mut String, place: f64, name: &str) {
        let (x, top, bottom) = (self.x(place), self.y(1.0), self.y(0.0));
        let (anchor, beside) = if place > 0.5 { ("end", x - 4.0) } else { ("start", x + 4.0) };
        let _ = writeln!(
            svg,
            "<line x1=\"{x:.1}\" y1=\"{top:.1}\" x2=\"{x:.1}\" y2=\"{bottom:.1}\" \
             style=\"stroke:var(--bad);stroke-dasharray:3 3\"/>\
             <text class=\"dim\" x=\"{beside:.1}\" y=\"{:.1}\" text-anchor=\"{anchor}\">{}</text>",
            top + 12.0,
            escape(name)
        );
    }

    /// Two columns below the axes; none for a single entry, which the axis' label names.
    fn legend<'a>(self, svg: &mut String, entries: impl Iterator<Item = (usize, &'a str, bool)>) {
        let entries: Vec<_> = entries.collect();
        if entries.len() < 2 {
            return;
        }
        for (place, (colour, name, area)) in entries.into_iter().enumerate() {
            let x = self.x(0.5 * (place % 2) as f64);
            let y = SIZE.1 + LEGEND_LINE * (place / 2) as f64;
            let (height, opacity) = if area { (10.0, 0.3) } else { (3.0, 1.0) };
            let _ = writeln!(
                svg,
                "<rect x=\"{x:.1}\" y=\"{:.1}\" width=\"18\" height=\"{height}\" \
                 style=\"fill:var(--c{});opacity:{opacity}\"/><text x=\"{:.1}\" y=\"{:.1}\">{}</text>",
                y + 5.0 - height / 2.0,
                colour % COLOURS,
                x + 24.0,
                y + 9.0,
                escape(name)
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::page::well_formed;
    use super::*;

    #[test]
    fn a_plot_is_well_formed_whatever_it_shows() {
        let odd = [0.0, -1.0, f64::NAN, f64::INFINITY, 1e300, 5.0];
        for x in [Axis::new("a < b"), Axis::log("Hz")] {
            for count in 0..odd.len() {
                let points: Vec<(f64, f64)> = odd[..count].iter().map(|&v| (v, -v)).collect();
                let band = odd[..count].iter().map(|&v| (v, v, 2.0 * v)).collect();
                let lines = Lines {
                    x: x.clone(),
                    y: Axis::new("dB").within(-10.0, 10.0),
                    bands: vec![Band { name: "<&>".into(), points: band }],
                    series: vec![Series { name: "one".into(), points, dashed: true }],
                    marks: vec![Mark { at: 1.0, name: "\"here\"".into() }],
                };
                let svg = lines.svg();
                assert_eq!(well_formed(&svg), Ok(()));
                assert!(!svg.contains("NaN") && !svg.contains("inf"), "{svg}");
            }
        }
        assert_eq!(well_formed(&Lines::default().svg()), Ok(()));
    }

    #[test]
    fn a_curve_runs_from_corner_to_corner_and_breaks_at_what_is_no_number() {
        let points = vec![(0.0, 0.0), (1.0, 1.0), (2.0, f64::NAN), (3.0, 3.0), (4.0, 4.0)];
        let axis = || Axis::new("").within(0.0, 4.0);
        let series = vec![Series { points, ..Series::default() }];
        let svg = Lines { x: axis(), y: axis(), series, ..Lines::default() }.svg();
        let frame = Frame::new(1);
        let path = svg.split("<path d=\"").nth(1).and_then(|rest| rest.split('"').next()).unwrap_or_default();
        assert!(path.starts_with(&format!("M{:.1} {:.1}L", frame.x(0.0), frame.y(0.0))), "{path}");
        assert!(path.ends_with(&format!("L{:.1} {:.1}", frame.x(1.0), frame.y(1.0))), "{path}");
        assert_eq!(path.matches('M').count(), 2);
    }
}
