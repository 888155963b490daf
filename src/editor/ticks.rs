//! Where a time axis has its marks, in seconds or in bars, and how times are written.

/// A mark on the time axis.
#[derive(Debug, Clone, PartialEq)]
pub struct Tick {
    /// Where, in seconds from the axis' begin.
    pub seconds: f64,
    /// What is written beside it.
    pub label: String,
}

/// Bars over a time axis.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bars {
    /// Bar number at the axis' begin, 1-based and with a fraction.
    pub first: f64,
    /// Length of a bar in seconds.
    pub seconds: f64,
}

/// Marks at round seconds: steps of 1, 2 or 5 times a power of ten, as many as fit in `most`.
pub fn in_seconds(total: f64, most: usize) -> Vec<Tick> {
    in_stretch(0.0, total, most)
}

/// As [`in_seconds`], on an axis from one time to another. The marks count from time 0.
pub fn in_stretch(from: f64, to: f64, most: usize) -> Vec<Tick> {
    let total = to - from;
    if !(total > 0.0 && total.is_finite() && from >= 0.0) || most == 0 {
        return Vec::new();
    }
    let rough = total / most as f64;
    let power = 10.0_f64.powf(rough.log10().floor());
    let step = [1.0, 2.0, 5.0, 10.0].map(|times| times * power).into_iter().find(|step| *step >= rough * 0.999_999);
    let step = step.unwrap_or(10.0 * power);
    let places = if step >= 1.0 { 0 } else { (-step.log10() - 1e-9).ceil() as usize };
    let first = (from / step * (1.0 - 1e-9)).ceil() as u64;
    let last = (to / step * (1.0 + 1e-9)).floor() as u64;
    (first..=last)
        .map(|index| index as f64 * step)
        .map(|seconds| Tick { seconds: seconds.min(to), label: axis_label(seconds, places) })
        .collect()
}

/// Marks at bar lines: every bar, or every 2, 4, 8 … so that as many as fit in `most` are left.
pub fn in_bars(total: f64, bars: Bars, most: usize) -> Vec<Tick> {
    let sane =
        total > 0.0 && total.is_finite() && bars.seconds > 1e-3 && bars.seconds.is_finite() && bars.first.is_finite();
    if !sane || most == 0 {
        return Vec::new();
    }
    let count = total / bars.seconds;
    let mut step = 1.0_f64;
    while count / step > most as f64 {
        step *= 2.0;
    }
    // Bars 1, 1 + step, 1 + 2 step … as a ruler in a host shows them.
    let first = ((bars.first - 1.0 - 1e-9) / step).ceil() * step + 1.0;
    let last = ((count - (first - bars.first)) / step + 1e-9).floor();
    if last < 0.0 {
        return Vec::new();
    }
    (0..=last as u32)
        .map(|index| first + f64::from(index) * step)
        .map(|bar| (bar, (bar - bars.first) * bars.seconds))
        .map(|(bar, seconds)| Tick { seconds: seconds.clamp(0.0, total), label: format!("{bar:.0}") })
        .collect()
}

fn axis_label(seconds: f64, places: usize) -> String {
    if seconds < 60.0 {
        return format!("{seconds:.places$} s");
    }
    let minutes = (seconds / 60.0 + 1e-9).floor();
    let steps = 10.0_f64.powi(places as i32);
    let seconds = ((seconds - minutes * 60.0).max(0.0) * steps + 1e-3).floor() / steps;
    let width = if places == 0 { 2 } else { 3 + places };
    format!("{minutes:.0}:{seconds:0width$.places$}")
}

/// A duration in words: `3.2 s`, `47 s`, `2 min 05 s`, `1 h 10 min`.
pub fn duration(seconds: f64) -> String {
    let seconds = seconds.max(0.0);
    if seconds < 9.95 {
        return format!("{seconds:.1} s");
    }
    let whole = seconds.round() as u64;
    match whole {
        0..60 => format!("{whole} s"),
        60..3600 => format!("{} min {:02} s", whole / 60, whole % 60),
        _ => format!("{} h {:02} min", whole / 3600, whole % 3600 / 60),
    }
}

/// A number of bytes in words, in steps of 1024 as file managers count: `812 kB`, `3.4 MB`.
pub fn bytes(bytes: u64) -> String {
    match bytes {
        0..1_024 => format!("{bytes} bytes"),
        1_024..1_048_576 => format!("{} kB", bytes >> 10),
        _ => format!("{:.1} MB", bytes as f64 / 1_048_576.0).replace(".0 MB", " MB"),
    }
}

/// A count with its thousands set apart: `1 234 567`.
pub fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push('\u{a0}');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(ticks: &[Tick]) -> Vec<&str> {
        ticks.iter().map(|tick| tick.label.as_str()).collect()
    }

    #[test]
    fn seconds_are_round_and_never_more_than_fit() {
        assert_eq!(labels(&in_seconds(12.0, 8)), ["0 s", "2 s", "4 s", "6 s", "8 s", "10 s", "12 s"]);
        assert_eq!(labels(&in_seconds(1.0, 5)), ["0.0 s", "0.2 s", "0.4 s", "0.6 s", "0.8 s", "1.0 s"]);
        assert_eq!(labels(&in_seconds(130.0, 3)), ["0 s", "50 s", "1:40"]);
        for most in 1..40 {
            for total in [0.3, 1.0, 7.7, 33.0, 61.0, 600.0] {
                let ticks = in_seconds(total, most);
                assert!(ticks.len() <= most + 1 && !ticks.is_empty(), "{total} in {most}");
                assert!(ticks.iter().all(|tick| tick.seconds <= total));
            }
        }
        assert!(in_seconds(0.0, 5).is_empty() && in_seconds(f64::NAN, 5).is_empty() && in_seconds(1.0, 0).is_empty());
    }

    #[test]
    fn a_stretch_that_is_looked_at_closer_has_marks_of_its_own() {
        assert_eq!(labels(&in_stretch(64.2, 66.2, 4)), ["1:04.5", "1:05.0", "1:05.5", "1:06.0"]);
        assert_eq!(labels(&in_stretch(2.0, 2.03, 3)), ["2.00 s", "2.01 s", "2.02 s", "2.03 s"]);
        assert_eq!(labels(&in_stretch(119.5, 121.5, 2)), ["2:00", "2:01"]);
        assert!(in_stretch(3.0, 2.0, 4).is_empty() && in_stretch(-1.0, 2.0, 4).is_empty());
    }

    #[test]
    fn bars_count_from_the_hosts_first() {
        let bars = Bars { first: 2.0, seconds: 2.0 };
        let ticks = in_bars(8.0, bars, 10);
        assert_eq!(labels(&ticks), ["2", "3", "4", "5", "6"]);
        assert!((ticks[1].seconds - 2.0).abs() < 1e-9);
        // A pin within a bar: the next bar line comes half a bar later.
        let ticks = in_bars(8.0, Bars { first: 1.5, seconds: 2.0 }, 10);
        assert_eq!(ticks[0].label, "2");
        assert!((ticks[0].seconds - 1.0).abs() < 1e-9);
        assert_eq!(labels(&in_bars(64.0, Bars { first: 1.0, seconds: 2.0 }, 5)), ["1", "9", "17", "25", "33"]);
        // The seed clip may reach back before the first bar.
        assert_eq!(labels(&in_bars(4.0, Bars { first: 0.0, seconds: 2.0 }, 10)), ["0", "1", "2"]);
        assert!(in_bars(8.0, Bars { first: 1.0, seconds: 0.0 }, 5).is_empty());
    }

    #[test]
    fn durations_and_sizes_read_well() {
        assert_eq!(duration(3.21), "3.2 s");
        assert_eq!(duration(9.96), "10 s");
        assert_eq!(duration(59.7), "1 min 00 s");
        assert_eq!(duration(125.0), "2 min 05 s");
        assert_eq!(duration(4_200.0), "1 h 10 min");
        assert_eq!(duration(-1.0), "0.0 s");
        assert_eq!(count(0), "0");
        assert_eq!(count(999), "999");
        assert_eq!(count(1_234_567), "1\u{a0}234\u{a0}567");
        assert_eq!(bytes(812), "812 bytes");
        assert_eq!(bytes(812 << 10), "812 kB");
        assert_eq!(bytes(3_565_158), "3.4 MB");
        assert_eq!(bytes(16 << 20), "16 MB");
    }
}
