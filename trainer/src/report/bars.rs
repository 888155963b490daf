//! Bars, as SVG: how often, and of what a whole is made.

use std::fmt::Write as _;

use super::axis::Axis;
use super::page::escape;
use super::plot::{Frame, Mark};

/// Width of a row of bars in its own units, of the names before them, and the height of a row.
const WIDTH: f64 = 800.0;
const NAMES: f64 = 150.0;
const ROW: f64 = 30.0;

/// A histogram of values in so many columns of equal width over the axis. What is no number is left out; values outside
/// the axis count at its ends.
pub fn histogram(x: &Axis, count_label: &str, values: &[f64], columns: usize, marks: &[Mark]) -> String {
    let span = x.over(values.iter().copied());
    let columns = columns.clamp(1, 200);
    let mut counts = vec![0_u32; columns];
    for place in values.iter().filter_map(|&value| span.inside(value)) {
        let column = ((place * columns as f64) as usize).min(columns - 1);
        counts[column] += 1;
    }
    let most = counts.iter().copied().max().unwrap_or(0).max(1);
    let y = Axis::new(count_label);
    let heights = y.over([0.0, f64::from(most)].into_iter());
    let frame = Frame::new(0);
    let mut svg = frame.begin(&format!("{count_label} over {}", x.label));
    frame.axes(&mut svg, (x, span), (&y, heights));
    for (column, &count) in counts.iter().enumerate().filter(|(_, count)| **count > 0) {
        let Some(height) = heights.place(f64::from(count)) else { continue };
        let (left, right) = (frame.x(column as f64 / columns as f64), frame.x((column + 1) as f64 / columns as f64));
        let (top, bottom) = (frame.y(height), frame.y(0.0));
        let _ = writeln!(
            svg,
            "<rect x=\"{left:.1}\" y=\"{top:.1}\" width=\"{:.1}\" height=\"{:.1}\" style=\"fill:var(--c0)\">\
             <title>{count}</title></rect>",
            (right - left - 1.0).max(0.5),
            bottom - top
        );
    }
    for mark in marks {
        if let Some(place) = span.place(mark.at).filter(|place| (0.0..=1.0).contains(place)) {
            frame.mark(&mut svg, place, &mark.name);
        }
    }
    svg.push_str("</svg>");
    svg
}

/// A part of a bar.
#[derive(Debug, Clone, PartialEq)]
pub struct Part {
    /// What it is.
    pub name: String,
    /// How much, at least 0; what is no number counts as 0.
    pub value: f64,
    /// The value in words.
    pub text: String,
}

/// A bar and its parts, one after the other.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// What it is.
    pub name: String,
    /// Its parts.
    pub parts: Vec<Part>,
}

/// Bars below each other, the longest over the whole width; equal names have equal colours and stand once in the legend.
pub fn bars(label: &str, rows: &[Row]) -> String {
    let size = |part: &Part| if part.value.is_finite() { part.value.max(0.0) } else { 0.0 };
    let longest = rows.iter().map(|row| row.parts.iter().map(size).sum::<f64>()).fold(0.0, f64::max);
    let mut names: Vec<(&str, &str)> = Vec::new();
    for part in rows.iter().flat_map(|row| &row.parts) {
        if !names.iter().any(|(name, _)| *name == part.name) {
            names.push((&part.name, &part.text));
        }
    }
    let height = ROW * rows.len() as f64 + 8.0 + 20.0 * names.len() as f64;
    let label = escape(label);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" role=\"img\" aria-label=\"{label}\">\n\
         <title>{label}</title>\n"
    );
    for (at, row) in rows.iter().enumerate() {
        let y = ROW * at as f64;
        let _ = writeln!(
            svg,
            "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>",
            NAMES - 8.0,
            y + 19.0,
            escape(&row.name)
        );
        let mut x = NAMES;
        for part in &row.parts {
            let width = if longest > 0.0 { (WIDTH - NAMES) * size(part) / longest } else { 0.0 };
            let colour = names.iter().position(|(name, _)| *name == part.name).unwrap_or(0) % 8;
            let _ = writeln!(
                svg,
                "<rect x=\"{x:.1}\" y=\"{:.1}\" width=\"{width:.1}\" height=\"{:.1}\" style=\"fill:var(--c{colour})\">\
                 <title>{}: {}</title></rect>",
                y + 3.0,
                ROW - 6.0,
                escape(&part.name),
                escape(&part.text)
            );
            x += width;
        }
    }
    for (at, (name, text)) in names.iter().enumerate() {
        let y = ROW * rows.len() as f64 + 8.0 + 20.0 * at as f64;
        // With several bars a name has several values, which stand in the bars alone.
        let words = if rows.len() == 1 { format!("{name}: {text}") } else { (*name).to_owned() };
        let _ = writeln!(
            svg,
            "<rect x=\"{NAMES}\" y=\"{:.1}\" width=\"12\" height=\"12\" style=\"fill:var(--c{})\"/>\
             <text x=\"{:.1}\" y=\"{:.1}\">{}</text>",
            y,
            at % 8,
            NAMES + 18.0,
            y + 10.5,
            escape(&words)
        );
    }
    svg.push_str("</svg>");
    svg
}

#[cfg(test)]
mod tests {
    use super::super::page::well_formed;
    use super::*;

    #[test]
    fn every_value_is_counted_once() {
        let axis = Axis::new("dBFS").within(-60.0, 0.0);
        let values = [-70.0, -59.0, -31.0, -29.0, -1.0, 0.0, 3.0, f64::NAN];
        let svg = histogram(&axis, "recordings", &values, 6, &[Mark { at: -20.0, name: "median".into() }]);
        assert_eq!(well_formed(&svg), Ok(()));
        let counts: Vec<u32> = svg
            .split("<title>")
            .skip(2)
            .filter_map(|rest| rest.split('<').next().and_then(|text| text.parse().ok()))
            .collect();
        assert_eq!(counts, [2, 1, 1, 3]);
        for values in [&[][..], &[f64::NAN], &[1.0]] {
            assert_eq!(well_formed(&histogram(&Axis::default(), "", values, 0, &[])), Ok(()));
        }
    }

    #[test]
    fn bars_share_the_width_in_proportion() {
        let part = |name: &str, value: f64| Part { name: name.into(), value, text: format!("{value} h") };
        let row = |name: &str, parts| Row { name: name.into(), parts };
        let svg = bars("hours", &[row("all", vec![part("kept", 3.0), part("silent", 1.0), part("odd", f64::NAN)])]);
        assert_eq!(well_formed(&svg), Ok(()));
        assert!(
            svg.contains("width=\"487.5\"") && svg.contains("width=\"162.5\"") && svg.contains("width=\"0.0\""),
            "{svg}"
        );
        assert!(svg.contains("kept: 3 h"));
        assert_eq!(well_formed(&bars("none", &[])), Ok(()));
    }
}
