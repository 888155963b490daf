//! The course of the losses as a chart.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Color, Modifier, Style};
use ratatui::symbols::Marker;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Axis, Chart, Dataset, GraphType, Widget as _};

use super::history::Point;
use super::status::Status;
use super::words::{count, figure};

/// The colours of the two courses; their dots differ as well.
pub const TRAINING: Color = Color::Cyan;
/// Of held-out recordings.
pub const HELDOUT: Color = Color::Yellow;

/// Rows below which a chart says nothing.
pub const LEAST_HEIGHT: u16 = 6;
/// Rows above which it says no more.
pub const MOST_HEIGHT: u16 = 14;
/// Columns of two charts side by side.
const TWO: u16 = 76;

/// A course with how it is drawn.
struct Course {
    name: String,
    points: Vec<Point>,
    colour: Color,
    marker: Marker,
    sign: &'static str,
    graph: GraphType,
}

/// Whether there is a course to be drawn.
pub fn is_worth_it(status: &Status) -> bool {
    status.training.1.points().len().max(status.heldout.points().len()) >= 2
}

/// Draws the courses into an area.
pub fn draw(status: &Status, area: Rect, simple: bool, buffer: &mut Buffer) {
    let (marker, sign) = if simple { (Marker::HalfBlock, "▄") } else { (Marker::Braille, "⣀⡠") };
    let training = Course {
        name: status.training.0.clone(),
        points: status.training.1.points(),
        colour: TRAINING,
        marker,
        sign,
        graph: GraphType::Line,
    };
    let heldout = Course {
        name: format!("held-out {}", status.facts.judged_by),
        points: status.heldout.points(),
        colour: HELDOUT,
        marker: Marker::Dot,
        sign: "•",
        graph: GraphType::Scatter,
    };
    if status.one_unit() || heldout.points.is_empty() {
        plot(&[training, heldout], area, buffer);
    } else if training.points.is_empty() {
        plot(&[heldout], area, buffer);
    } else if area.width >= TWO {
        let half = area.width / 2;
        plot(&[training], Rect { width: half - 2, ..area }, buffer);
        plot(&[heldout], Rect { x: area.x + half, width: area.width - half, ..area }, buffer);
    } else {
        plot(&[training], area, buffer);
    }
}

fn plot(courses: &[Course], area: Rect, buffer: &mut Buffer) {
    let shown = || courses.iter().filter(|course| !course.points.is_empty());
    let last_step = shown().filter_map(|course| course.points.last()).map(|point| point.step).max().unwrap_or(0);
    let Some([low, high]) = range(courses, last_step) else { return };
    let grey = Style::new().add_modifier(Modifier::DIM);
    let caption: Vec<Span> = shown()
        .flat_map(|course| {
            let sign = Span::styled(format!("{} ", course.sign), Style::new().fg(course.colour));
            [sign, Span::raw(format!("{}   ", course.name))]
        })
        .chain([Span::styled("over steps", grey)])
        .collect();
    let indent = area.width.min(2);
    buffer.set_line(area.x + indent, area.y, &Line::from(caption), area.width - indent);
    let dots: Vec<Vec<(f64, f64)>> =
        shown().map(|course| course.points.iter().map(|point| (point.step as f64, point.value)).collect()).collect();
    let datasets = shown()
        .zip(&dots)
        .map(|(course, dots)| {
            let style = Style::new().fg(course.colour);
            Dataset::default().data(dots).marker(course.marker).graph_type(course.graph).style(style)
        })
        .collect();
    let area = Rect { y: area.y + 1, height: area.height - 1, ..area };
    let levels = if area.height >= 7 { vec![low, low.midpoint(high), high] } else { vec![low, high] };
    let levels = levels.into_iter().map(|level| Line::from(format!("{:>8}", figure(level))));
    Chart::new(datasets)
        .x_axis(
            Axis::default()
                .bounds([0.0, last_step.max(1) as f64])
                .labels(["0".to_owned(), count(last_step / 2), count(last_step)])
                .style(grey),
        )
        .y_axis(Axis::default().bounds([low, high]).labels(levels).style(grey))
        .render(area, buffer);
}

/// The values that are shown: all but the fall of the first steps, beside which the rest of the run would be a flat line.
fn range(courses: &[Course], last_step: u64) -> Option<[f64; 2]> {
    let all = || courses.iter().flat_map(|course| &course.points);
    let later = || all().filter(|point| point.step > last_step / 10);
    let of = |values: &mut dyn Iterator<Item = f64>| {
        values.fold([f64::INFINITY, f64::NEG_INFINITY], |[low, high], value| [low.min(value), high.max(value)])
    };
    let values = |points: &mut dyn Iterator<Item = &Point>| of(&mut points.map(|point| point.value));
    let [low, high] = if later().count() >= 8 { values(&mut later()) } else { values(&mut all()) };
    // A flat line has room on both sides.
    let room = if high > low { (high - low) * 0.05 } else { (high.abs() * 0.05).max(1e-6) };
    let range = [low - room, high + room];
    range.iter().all(|bound| bound.is_finite()).then_some(range)
}
