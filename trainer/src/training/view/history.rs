//! The course of a figure over a run, in a bounded number of points however long the run is.

/// Most stretches that are told apart: more than a chart has dots.
const MOST: usize = 512;

/// A figure after a step.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Point {
    /// Steps made.
    pub step: u64,
    /// The figure.
    pub value: f64,
}

/// Some points in a row: the lowest and the highest of them.
#[derive(Debug, Clone, Copy)]
struct Stretch {
    low: Point,
    high: Point,
    points: u64,
}

impl Stretch {
    fn of(point: Point) -> Self {
        Self { low: point, high: point, points: 1 }
    }

    fn with(self, other: Self) -> Self {
        Self {
            low: if other.low.value < self.low.value { other.low } else { self.low },
            high: if other.high.value > self.high.value { other.high } else { self.high },
            points: self.points + other.points,
        }
    }
}

/// A course. Of stretches of equally many points it keeps the lowest and the highest; when there are too many stretches,
/// each two become one.
#[derive(Debug, Clone)]
pub struct Series {
    first: Option<Point>,
    last: Option<Point>,
    stretches: Vec<Stretch>,
    /// Points in a full stretch.
    points_each: u64,
}

impl Default for Series {
    fn default() -> Self {
        Self { first: None, last: None, stretches: Vec::new(), points_each: 1 }
    }
}

impl Series {
    /// Adds a point. One that is no number, or not of a later step than the last, is left out.
    pub fn push(&mut self, step: u64, value: f64) {
        let point = Point { step, value };
        if !value.is_finite() || self.last.is_some_and(|last| last.step >= step) {
            return;
        }
        self.first.get_or_insert(point);
        self.last = Some(point);
        match self.stretches.last_mut() {
            Some(open) if open.points < self.points_each => *open = open.with(Stretch::of(point)),
            _ => self.stretches.push(Stretch::of(point)),
        }
        if self.stretches.len() > MOST {
            self.points_each *= 2;
            self.stretches =
                self.stretches.chunks(2).filter_map(|pair| pair.iter().copied().reduce(Stretch::with)).collect();
        }
    }

    /// The newest point.
    pub fn last(&self) -> Option<Point> {
        self.last
    }

    /// The points that are kept, in order of their steps: the first and the last, and the extremes between them.
    pub fn points(&self) -> Vec<Point> {
        let extremes = self.stretches.iter().flat_map(|stretch| {
            let (low, high) = (stretch.low, stretch.high);
            if low.step <= high.step { [low, high] } else { [high, low] }
        });
        let mut points: Vec<Point> = self.first.into_iter().chain(extremes).chain(self.last).collect();
        points.dedup_by_key(|point| point.step);
        points
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A falling line with a spike down and one up.
    fn value(step: u64) -> f64 {
        match step {
            70_001 => -5.0,
            123_456 => 50.0,
            _ => 10.0 - step as f64 * 1e-5,
        }
    }

    #[test]
    fn a_course_is_bounded_and_keeps_its_shape() {
        let mut series = Series::default();
        assert_eq!((series.points(), series.last()), (Vec::new(), None));
        for step in 1..=300_000 {
            series.push(step, value(step));
            assert!(series.stretches.len() <= MOST);
        }
        let points = series.points();
        assert!(points.len() > MOST / 2 && points.len() <= 2 * MOST + 2, "{}", points.len());
        assert!(points.windows(2).all(|pair| pair[0].step < pair[1].step), "points are in order");
        assert_eq!(points[0], Point { step: 1, value: value(1) });
        assert_eq!(series.last(), Some(Point { step: 300_000, value: value(300_000) }));
        assert_eq!(points.last().copied(), series.last());
        assert!(points.iter().all(|point| (point.value - value(point.step)).abs() < 1e-12), "nothing is made up");
        for spike in [70_001, 123_456] {
            assert!(points.iter().any(|point| point.step == spike), "the spike at {spike} is kept");
        }
        // All parts of the run have as many points.
        let early = points.iter().filter(|point| point.step <= 150_000).count();
        assert!((early * 2).abs_diff(points.len()) < points.len() / 5, "{early} of {}", points.len());
    }

    #[test]
    fn few_points_are_all_kept_and_bad_ones_left_out() {
        let mut series = Series::default();
        for (step, value) in [(1, 3.0), (1, 9.0), (2, f64::NAN), (5, 2.0), (4, 7.0), (6, f64::INFINITY), (7, 1.0)] {
            series.push(step, value);
        }
        let kept: Vec<_> = series.points().iter().map(|point| (point.step, point.value)).collect();
        assert_eq!(kept, [(1, 3.0), (5, 2.0), (7, 1.0)]);
    }
}
