//! A stretch of time that is looked at closer. Pure functions of numbers, so that they can be tested without a window.

use crate::session::Peak;

/// Shortest stretch that is shown, in seconds.
const CLOSEST: f64 = 0.02;

/// The stretch of time that is seen, laid over a stretch of pixels.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct View {
    /// Time at the left edge, in seconds.
    pub from: f64,
    /// Time at the right edge, in seconds.
    pub to: f64,
}

impl View {
    /// Length in seconds.
    pub fn seconds(self) -> f64 {
        self.to - self.from
    }

    /// Pixel of a time on `left..left + width`; times outside of the view lie outside.
    pub fn x(self, left: f32, width: f32, seconds: f64) -> f32 {
        let part = (seconds - self.from) / self.seconds().max(f64::MIN_POSITIVE);
        // Far outside is as good as further outside, and pixels are no large numbers.
        left + width * part.clamp(-10.0, 10.0) as f32
    }

    /// Time at a pixel.
    pub fn seconds_at(self, left: f32, width: f32, x: f32) -> f64 {
        self.from + self.seconds() * f64::from((x - left) / width.max(1.0))
    }

    /// `factor` times closer around a time, which stays where it is, within `0..=total` seconds.
    #[must_use]
    pub fn zoomed(self, around: f64, factor: f64, total: f64) -> Self {
        let seconds = (self.seconds() / factor).clamp(CLOSEST.min(total), total);
        let part = (around - self.from) / self.seconds().max(f64::MIN_POSITIVE);
        Self::placed(around - part * seconds, seconds, total)
    }

    /// Later by so many seconds, within `0..=total`.
    #[must_use]
    pub fn scrolled(self, by: f64, total: f64) -> Self {
        Self::placed(self.from + by, self.seconds().min(total), total)
    }

    fn placed(from: f64, seconds: f64, total: f64) -> Self {
        let from = from.min(total - seconds).max(0.0);
        Self { from, to: from + seconds }
    }
}

/// Lowest and highest value of each of `width` pixel columns; none where there is no sound.
///
/// `peaks` are columns of `seconds_per_column` each, from time 0 on.
pub fn columns(peaks: &[Peak], seconds_per_column: f64, view: View, width: usize) -> Vec<Option<Peak>> {
    let at = |x: usize| (view.from + view.seconds() * x as f64 / width as f64) / seconds_per_column;
    (0..width)
        .map(|x| {
            let (from, to) = (at(x), at(x + 1));
            if to <= 0.0 || !to.is_finite() {
                return None;
            }
            let first = from.max(0.0) as usize;
            let (first, rest) =
                peaks.get(first..(to.ceil() as usize).max(first + 1).min(peaks.len()))?.split_first()?;
            Some(rest.iter().fold(*first, |all, peak| Peak { min: all.min.min(peak.min), max: all.max.max(peak.max) }))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(a: f64, b: f64) -> bool {
        (a - b).abs() < 1e-9
    }

    #[test]
    fn what_lies_under_the_pointer_stays_there() {
        let view = View { from: 10.0, to: 30.0 };
        for around in [10.0, 13.7, 30.0] {
            let x = view.x(100.0, 500.0, around);
            for factor in [0.8, 1.0, 1.5, 40.0] {
                let closer = view.zoomed(around, factor, 100.0);
                assert!(near(closer.seconds(), 20.0 / factor), "{closer:?}");
                assert!((closer.x(100.0, 500.0, around) - x).abs() < 1e-2, "{around} {factor}");
            }
        }
        assert!((view.seconds_at(100.0, 500.0, view.x(100.0, 500.0, 17.0)) - 17.0).abs() < 1e-4);
    }

    #[test]
    fn nobody_gets_out_of_the_file() {
        let view = View { from: 10.0, to: 30.0 };
        assert_eq!(view.zoomed(10.0, 1e-9, 40.0), View { from: 0.0, to: 40.0 });
        assert!(near(view.zoomed(20.0, 1e9, 40.0).seconds(), CLOSEST));
        assert_eq!(view.scrolled(-50.0, 40.0), View { from: 0.0, to: 20.0 });
        assert_eq!(view.scrolled(50.0, 40.0), View { from: 20.0, to: 40.0 });
        assert_eq!(view.scrolled(1.0, 5.0), View { from: 0.0, to: 5.0 });
        assert_eq!(View { from: 0.0, to: 0.01 }.zoomed(0.005, 2.0, 0.01), View { from: 0.0, to: 0.01 });
    }

    #[test]
    fn pixels_show_the_columns_that_they_cover_and_nothing_where_there_is_none() {
        let peaks: Vec<Peak> = (0..100_u8).map(|at| Peak { min: -f32::from(at), max: f32::from(at) }).collect();
        let seen = |from, to, width| columns(&peaks, 0.1, View { from, to }, width);
        let wide = seen(0.0, 10.0, 10);
        assert_eq!(wide[0], Some(Peak { min: -9.0, max: 9.0 }));
        assert_eq!(wide[9], Some(Peak { min: -99.0, max: 99.0 }));
        // Closer than a column: it is repeated.
        let close = seen(5.0, 5.2, 4);
        assert_eq!(close.iter().map(|peak| peak.unwrap().max).collect::<Vec<_>>(), [50.0, 50.0, 51.0, 51.0]);
        assert_eq!(seen(8.0, 12.0, 4), [seen(8.0, 9.0, 1)[0], seen(9.0, 10.0, 1)[0], None, None]);
        assert_eq!(columns(&[], 0.1, View { from: 0.0, to: 1.0 }, 2), [None, None]);
        assert_eq!(columns(&peaks, 0.0, View { from: 0.0, to: 1.0 }, 1), [None]);
    }
}
