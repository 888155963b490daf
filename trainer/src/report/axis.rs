//! Axes: where values lie, and which of them are written down.

/// How values become places.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Scale {
    /// In proportion.
    #[default]
    Linear,
    /// In proportion to the logarithm; values must be above 0, others are left out.
    Log,
}

/// One axis of a plot.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Axis {
    /// What it measures, with its unit.
    pub label: String,
    /// How.
    pub scale: Scale,
    /// From where to where; `None` for what the values need.
    pub range: Option<(f64, f64)>,
}

impl Axis {
    /// A linear axis as long as its values need.
    pub fn new(label: impl Into<String>) -> Self {
        Self { label: label.into(), ..Self::default() }
    }

    /// A logarithmic one.
    pub fn log(label: impl Into<String>) -> Self {
        Self { label: label.into(), scale: Scale::Log, range: None }
    }

    /// The same from one value to another.
    #[must_use]
    pub fn within(self, from: f64, to: f64) -> Self {
        Self { range: Some((from, to)), ..self }
    }

    /// The axis over these values.
    pub(super) fn over(&self, values: impl Iterator<Item = f64>) -> Span {
        let log = self.scale == Scale::Log;
        let good = |value: &f64| value.is_finite() && (!log || *value > 0.0);
        let all = values.filter(good).fold((f64::INFINITY, f64::NEG_INFINITY), |(a, b), x| (a.min(x), b.max(x)));
        let (mut from, mut to) = self.range.filter(|(a, b)| good(a) && good(b)).unwrap_or(all);
        if from > to {
            (from, to) = if log { (1.0, 10.0) } else { (0.0, 1.0) };
        }
        if self.range.is_none() && !log {
            let step = step(to - from);
            (from, to) = ((from / step).floor() * step, (to / step).ceil() * step);
        }
        if to <= from {
            (from, to) = if log { (from / 2.0, to * 2.0) } else { (from - 0.5, to + 0.5) };
        }
        Span { from, to, log }
    }
}

/// An axis that knows its ends.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Span {
    from: f64,
    to: f64,
    log: bool,
}

impl Span {
    /// Where a value lies, 0–1 within the axis; `None` of what has no place.
    pub(super) fn place(&self, value: f64) -> Option<f64> {
        if !value.is_finite() || (self.log && value <= 0.0) {
            return None;
        }
        let (from, to, value) =
            if self.log { (self.from.ln(), self.to.ln(), value.ln()) } else { (self.from, self.to, value) };
        Some((value - from) / (to - from))
    }

    /// The same, held within the axis.
    pub(super) fn inside(&self, value: f64) -> Option<f64> {
        self.place(value).map(|place| place.clamp(0.0, 1.0))
    }

    /// Values to write down, with their words.
    pub(super) fn ticks(&self) -> Vec<(f64, String)> {
        let mut ticks = Vec::new();
        if self.log {
            let decades = (self.to / self.from).log10();
            let multiples: &[f64] = if decades < 2.5 { &[1.0, 2.0, 5.0] } else { &[1.0] };
            let (first, last) = (self.from.log10().floor() as i32, self.to.log10().ceil() as i32);
            // An axis over all that a double can hold still has few ticks.
            let every = ((last - first) / 8).max(1) as usize;
            for decade in (first..=last).step_by(every) {
                let tens = 10_f64.powi(decade);
                ticks.extend(multiples.iter().map(|multiple| multiple * tens).filter(|value| self.holds(*value)));
            }
        } else {
            let step = step(self.to - self.from);
            let first = (self.from / step).ceil();
            ticks.extend((0..32).map(|i| (first + f64::from(i)) * step).take_while(|value| self.holds(*value)));
        }
        ticks.into_iter().map(|value| (value, number(value))).collect()
    }

    fn holds(&self, value: f64) -> bool {
        self.place(value).is_some_and(|place| (-1e-9..=1.0 + 1e-9).contains(&place))
    }
}

/// A step of 1, 2 or 5 times a power of ten that gives about six of them in a range.
fn step(range: f64) -> f64 {
    if !(range.is_finite() && range > 0.0) {
        return 1.0;
    }
    let rough = range / 6.0;
    let tens = 10_f64.powf(rough.log10().floor());
    let times = match rough / tens {
        x if x <= 1.0 => 1.0,
        x if x <= 2.0 => 2.0,
        x if x <= 5.0 => 5.0,
        _ => 10.0,
    };
    (times * tens).max(f64::MIN_POSITIVE)
}

/// A value of a tick: short, with `k`, `M` and `G` for thousands.
pub(super) fn number(value: f64) -> String {
    let size = value.abs();
    let (value, unit) = match size {
        s if s >= 1e15 || (s < 1e-4 && s > 0.0) => return format!("{value:.0e}"),
        s if s >= 1e9 => (value / 1e9, "G"),
        s if s >= 1e6 => (value / 1e6, "M"),
        s if s >= 1e4 => (value / 1e3, "k"),
        _ => (value, ""),
    };
    let text = format!("{value:.4}");
    let text = text.trim_end_matches('0').trim_end_matches('.');
    format!("{}{unit}", if text == "-0" { "0" } else { text }.replace('-', "\u{2212}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ticks(axis: &Axis, values: &[f64]) -> Vec<String> {
        axis.over(values.iter().copied()).ticks().into_iter().map(|(_, text)| text).collect()
    }

    #[test]
    fn ticks_are_round_and_few() {
        assert_eq!(ticks(&Axis::new(""), &[0.0, 23.0]), ["0", "5", "10", "15", "20", "25"]);
        assert_eq!(ticks(&Axis::new(""), &[-61.0, -12.0, f64::NAN]), ["−70", "−60", "−50", "−40", "−30", "−20", "−10"]);
        assert_eq!(
            ticks(&Axis::log(""), &[50.0, 8_000.0, 0.0, -3.0]),
            ["50", "100", "200", "500", "1000", "2000", "5000"]
        );
        for values in [&[][..], &[3.0], &[f64::NAN], &[0.0, 1e308], &[-1e-300, 1e-300], &[f64::MAX, f64::MIN]] {
            for axis in
                [Axis::new(""), Axis::log(""), Axis::new("").within(f64::NAN, 1.0), Axis::log("").within(0.0, 1.0)]
            {
                assert!(axis.over(values.iter().copied()).ticks().len() < 60, "{values:?}");
            }
        }
    }

    #[test]
    fn places_are_in_proportion() {
        let span = Axis::log("").over([10.0, 1_000.0].into_iter());
        assert!((span.place(100.0).unwrap_or(0.0) - 0.5).abs() < 1e-12);
        assert_eq!((span.place(0.0), span.inside(1e9)), (None, Some(1.0)));
        assert_eq!(number(16_000.0), "16k");
        assert_eq!(number(-0.000_01), "-1e-5");
    }
}
