//! Where things of the waveform lie. Pure functions of numbers, so that they can be tested without a window.

use crate::session::Peak;

/// Most that a quiet take is enlarged by.
const MOST_ENLARGED: f32 = 8.0;

/// Lowest and highest value of each of the pixel columns that are ready.
///
/// `peaks` are the first of `total` columns, spread over `width` pixel columns. Pixel columns beyond the ready peaks are
/// left out, so that a growing take ends where it ends.
pub fn columns(peaks: &[Peak], total: usize, width: usize) -> Vec<Peak> {
    let ready = peaks.len().min(total);
    if total == 0 || width == 0 || ready == 0 {
        return Vec::new();
    }
    (0..width)
        .map_while(|x| {
            let from = x * total / width;
            let to = ((x + 1) * total / width).max(from + 1).min(ready);
            let (first, rest) = peaks.get(from..to)?.split_first()?;
            Some(rest.iter().fold(*first, |all, peak| Peak { min: all.min.min(peak.min), max: all.max.max(peak.max) }))
        })
        .collect()
}

/// Factor by which a take is enlarged so that its loudest value nearly fills its lane; a quiet take only so far.
pub fn enlargement(takes: &[Vec<Peak>]) -> f32 {
    let loudest = takes.iter().flatten().fold(0.0_f32, |loudest, peak| loudest.max(peak.max).max(-peak.min));
    if loudest <= 0.0 { 1.0 } else { (0.94 / loudest).clamp(0.94, MOST_ENLARGED) }
}

/// Top and bottom of `count` lanes in `height`, `gap` apart; the `selected` one is `emphasis` times as high as the others.
pub fn lanes(height: f32, count: usize, selected: usize, gap: f32, emphasis: f32) -> Vec<(f32, f32)> {
    if count == 0 {
        return Vec::new();
    }
    let selected = selected.min(count - 1);
    let room = (height - gap * (count - 1) as f32).max(0.0);
    let unit = room / (count as f32 - 1.0 + emphasis);
    let mut top = 0.0;
    (0..count)
        .map(|lane| {
            let bottom = top + if lane == selected { unit * emphasis } else { unit };
            let place = (top, bottom);
            top = bottom + gap;
            place
        })
        .collect()
}

/// Least height of a lane that does not play.
const LEAST: f32 = 14.0;

/// How many times as high as the others the selected one of `count` lanes is: `most`, if they all can be seen in `height` then; less
/// where they cannot, but never under `least`.
pub fn emphasis(height: f32, count: usize, gap: f32, least: f32, most: f32) -> f32 {
    let others = count.saturating_sub(1) as f32;
    ((height - gap * others) / LEAST - others).clamp(least, most)
}

/// Least height in which `count` lanes can be read.
pub fn least_height(count: usize, gap: f32, emphasis: f32) -> f32 {
    LEAST * (count.saturating_sub(1) as f32 + emphasis) + gap * count.saturating_sub(1) as f32
}

/// A stretch of time laid over a stretch of pixels.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Axis {
    /// Pixel at which time 0 lies.
    pub left: f32,
    /// Pixels over the whole time.
    pub width: f32,
    /// The whole time in seconds.
    pub seconds: f64,
}

impl Axis {
    /// Pixel of a time; times outside lie at the nearer end.
    pub fn x(&self, seconds: f64) -> f32 {
        if self.seconds <= 0.0 {
            return self.left;
        }
        self.left + self.width * (seconds / self.seconds).clamp(0.0, 1.0) as f32
    }

    /// Time at a pixel, if the pixel is within.
    pub fn seconds_at(&self, x: f32) -> Option<f64> {
        let part = f64::from(x - self.left) / f64::from(self.width);
        (self.width > 0.0 && (0.0..=1.0).contains(&part)).then_some(part * self.seconds)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ramp(count: usize) -> Vec<Peak> {
        (0..count).map(|index| Peak { min: -(index as f32), max: index as f32 }).collect()
    }

    #[test]
    fn pixel_columns_take_the_extremes_of_what_they_cover() {
        let columns = columns(&ramp(100), 100, 10);
        assert_eq!(columns.len(), 10);
        assert_eq!(columns[0], Peak { min: -9.0, max: 9.0 });
        assert_eq!(columns[9], Peak { min: -99.0, max: 99.0 });
    }

    #[test]
    fn fewer_columns_than_pixels_are_repeated_and_none_is_lost() {
        let wide = columns(&ramp(3), 3, 10);
        assert_eq!(wide.len(), 10);
        let shown: Vec<f32> = wide.iter().map(|peak| peak.max).collect();
        assert_eq!(shown, [0.0, 0.0, 0.0, 0.0, 1.0, 1.0, 1.0, 2.0, 2.0, 2.0]);
        for width in 1..200 {
            let loudest = columns(&ramp(64), 64, width).iter().fold(0.0_f32, |loudest, peak| loudest.max(peak.max));
            assert!((loudest - 63.0).abs() < f32::EPSILON, "width {width}");
        }
    }

    #[test]
    fn the_emphasis_leaves_room_for_the_others() {
        for count in 1..=16 {
            for height in [40.0, 90.0, 200.0, 600.0] {
                let emphasis = emphasis(height, count, 4.0, 2.5, 8.0);
                assert!((2.5..=8.0).contains(&emphasis));
                assert!(emphasis < 2.6 || least_height(count, 4.0, emphasis) <= height + 0.01, "{count} in {height}");
            }
        }
    }

    #[test]
    fn a_growing_take_ends_where_it_ends() {
        assert_eq!(columns(&ramp(50), 100, 10).len(), 5);
        assert_eq!(columns(&ramp(55), 100, 10).len(), 6);
        assert!(columns(&[], 100, 10).is_empty());
        assert!(columns(&ramp(5), 0, 10).is_empty());
        assert!(columns(&ramp(5), 100, 0).is_empty());
        assert_eq!(columns(&ramp(200), 100, 10).len(), 10);
    }

    #[test]
    fn a_quiet_take_is_enlarged_but_silence_is_not() {
        let at = |level: f32| vec![vec![Peak { min: -level, max: level / 2.0 }]];
        assert!((enlargement(&at(0.47)) - 2.0).abs() < 1e-5);
        assert!((enlargement(&at(1.0)) - 0.94).abs() < 1e-5);
        assert!((enlargement(&at(1e-6)) - MOST_ENLARGED).abs() < 1e-5);
        assert!((enlargement(&at(0.0)) - 1.0).abs() < f32::EPSILON);
        assert!((enlargement(&[]) - 1.0).abs() < f32::EPSILON);
    }

    #[test]
    fn lanes_fill_the_height_without_overlap() {
        for count in 1..=16 {
            for selected in 0..17 {
                let lanes = lanes(300.0, count, selected, 4.0, 3.0);
                assert_eq!(lanes.len(), count);
                assert!(lanes[0].0.abs() < 1e-3 && (lanes[count - 1].1 - 300.0).abs() < 1e-2);
                for pair in lanes.windows(2) {
                    assert!((pair[1].0 - pair[0].1 - 4.0).abs() < 1e-3);
                }
                let tallest = lanes.iter().map(|(top, bottom)| bottom - top).fold(0.0_f32, f32::max);
                let (top, bottom) = lanes[selected.min(count - 1)];
                assert!((bottom - top - tallest).abs() < 1e-3);
            }
        }
        assert!(lanes(300.0, 0, 0, 4.0, 3.0).is_empty());
    }

    #[test]
    fn the_axis_goes_both_ways() {
        let axis = Axis { left: 100.0, width: 400.0, seconds: 16.0 };
        assert!((axis.x(4.0) - 200.0).abs() < 1e-4);
        assert!((axis.x(99.0) - 500.0).abs() < 1e-4);
        assert!(axis.seconds_at(200.0).is_some_and(|seconds| (seconds - 4.0).abs() < 1e-9));
        assert_eq!(axis.seconds_at(99.0), None);
        assert_eq!(axis.seconds_at(501.0), None);
        assert_eq!(Axis { seconds: 0.0, ..axis }.x(3.0).to_bits(), 100.0_f32.to_bits());
        assert_eq!(Axis { width: 0.0, ..axis }.seconds_at(100.0), None);
    }
}
