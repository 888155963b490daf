//! Numbers and lengths of time as people say them.

use jiff::{SignedDuration, ZonedDateTime};

/// A length of time as people say it.
pub fn duration(seconds: f64) -> String {
    let seconds = seconds.max(0.0).round() as u64;
    match (seconds / 3600, seconds / 60 % 60, seconds % 60) {
        (0, 0, s) => format!("{s} s"),
        (0, m, s) => format!("{m} min {s:02} s"),
        (h, m, _) => format!("{h} h {m:02} min"),
    }
}

/// The same in as few words as make sense at a glance: `40 s`, `12 min`, `3 h 05 min`, `4 d 06 h`.
pub fn about(seconds: f64) -> String {
    let seconds = seconds.max(0.0).round() as u64;
    match (seconds / 86_400, seconds / 3600 % 24, seconds / 60 % 60) {
        (0, 0, 0) => format!("{seconds} s"),
        (0, 0, m) => format!("{m} min"),
        (0, h, m) => format!("{h} h {m:02} min"),
        (d, h, _) => format!("{d} d {h:02} h"),
    }
}

/// A whole number with its thousands apart: `11 000`.
pub fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(' ');
        }
        text.push(digit);
    }
    text
}

/// A figure, short and of much the same width from one moment to the next.
pub fn figure(value: f64) -> String {
    let size = value.abs();
    if value == 0.0 {
        "0".to_owned()
    } else if !(1e-3..1e5).contains(&size) {
        format!("{value:.2e}")
    } else if size >= 100.0 {
        format!("{value:.1}")
    } else {
        format!("{value:.4}")
    }
}

/// When something will be that many seconds from now, on the clock of this place: `14:35`, `Tue 09:10`, `3 Jan 09:10`.
/// Nothing if it is too far away to have a date.
pub fn clock(seconds_from_now: f64) -> Option<String> {
    let now = ZonedDateTime::now();
    let then = SignedDuration::try_from_secs_f64(seconds_from_now).ok().and_then(|wait| now.checked_add(wait).ok())?;
    let format = if then.date() == now.date() {
        "%H:%M"
    } else if seconds_from_now < 6.0 * 86_400.0 {
        "%a %H:%M"
    } else if then.year() == now.year() {
        "%-d %b %H:%M"
    } else {
        "%-d %b %Y"
    };
    Some(then.strftime(format).to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_well() {
        assert_eq!([0, 999, 1_000, 1_234_567].map(count), ["0", "999", "1 000", "1 234 567"]);
        assert_eq!(
            [0.0, 2.704_41, 123.456, 0.000_12, -1e9].map(figure),
            ["0", "2.7044", "123.5", "1.20e-4", "-1.00e9"]
        );
        assert_eq!([3.2, 65.0, 7_500.0].map(duration), ["3 s", "1 min 05 s", "2 h 05 min"]);
        assert_eq!([3.2, 65.0, 7_500.0, 4.26 * 86_400.0].map(about), ["3 s", "1 min", "2 h 05 min", "4 d 06 h"]);
    }

    #[test]
    fn the_clock_tells_any_time() {
        assert_eq!(clock(0.0).map(|text| text.len()), Some(5));
        assert!(clock(4.0 * 86_400.0).is_some_and(|text| text.len() == 9));
        assert!(clock(40.0 * 86_400.0).is_some());
        assert!([f64::INFINITY, f64::NAN, 1e30].into_iter().all(|seconds| clock(seconds).is_none()));
    }
}
