//! How loud a recording is, and whether it was clipped.

use crate::data::dataset::Levels;

/// 50-ms windows below this RMS (−60 dBFS) count as silent.
const SILENT_RMS: f64 = 1e-3;
/// At or above this a source sample sits at full scale: the largest positive value of 16 bits, rounded down a little.
const FULL_SCALE: f32 = 0.999_96;
/// So many samples at full scale in a row are clipping and not a well-set peak.
const CLIPPED_RUN: u32 = 3;

/// Counts clipped samples of the source, per channel.
#[derive(Debug)]
pub(crate) struct ClipCounter {
    /// Length of the present run at full scale, with its sign, per channel.
    runs: Vec<(u32, bool)>,
    clipped: u64,
}

impl ClipCounter {
    pub(crate) fn new(channels: usize) -> Self {
        Self { runs: vec![(0, false); channels], clipped: 0 }
    }

    /// Takes interleaved frames.
    pub(crate) fn push(&mut self, frames: &[f32]) {
        // Hardly any block comes near full scale.
        if frames.iter().fold(0.0, |peak: f32, x| peak.max(x.abs())) < FULL_SCALE {
            self.runs.fill((0, false));
            return;
        }
        for frame in frames.chunks_exact(self.runs.len()) {
            for (&x, (run, negative)) in frame.iter().zip(&mut self.runs) {
                if x.abs() < FULL_SCALE {
                    *run = 0;
                    continue;
                }
                if *run == 0 || *negative != (x < 0.0) {
                    (*run, *negative) = (0, x < 0.0);
                }
                *run += 1;
                match (*run).cmp(&CLIPPED_RUN) {
                    std::cmp::Ordering::Less => {}
                    // The first ones of the run were not counted yet.
                    std::cmp::Ordering::Equal => self.clipped += u64::from(CLIPPED_RUN),
                    std::cmp::Ordering::Greater => self.clipped += 1,
                }
            }
        }
    }

    pub(crate) fn clipped(&self) -> u64 {
        self.clipped
    }
}

/// Measures prepared frames and turns them into i16.
#[derive(Debug, Clone)]
pub(crate) struct Meter {
    window: usize,
    in_window: usize,
    window_energy: f64,
    windows: u64,
    silent: u64,
    samples: u64,
    energy: f64,
    sum: f64,
    peak: f32,
    clamped: u64,
}

impl Meter {
    pub(crate) fn new(rate_hz: u32, channels: usize) -> Self {
        Self {
            window: (rate_hz as usize / 20).max(1) * channels,
            in_window: 0,
            window_energy: 0.0,
            windows: 0,
            silent: 0,
            samples: 0,
            energy: 0.0,
            sum: 0.0,
            peak: 0.0,
            clamped: 0,
        }
    }

    /// Measures interleaved frames and appends them to `out` as little-endian i16, rounded, clamped at full scale.
    pub(crate) fn push(&mut self, frames: &[f32], out: &mut Vec<u8>) {
        let before = out.len();
        out.resize(before + 2 * frames.len(), 0);
        let (places, _) = out[before..].as_chunks_mut::<2>();
        for (to, &x) in places.iter_mut().zip(frames) {
            let scaled = x * 32_768.0;
            // 1.0 itself becomes 32 767: that is rounding, not clamping.
            self.clamped += u64::from(scaled.abs() >= 32_768.5);
            *to = rounded(scaled.clamp(-32_768.0, 32_767.0)).to_le_bytes();
        }
        let mut left = frames;
        while !left.is_empty() {
            let (now, later) = left.split_at(left.len().min(self.window - self.in_window));
            for &x in now {
                let wide = f64::from(x);
                self.peak = self.peak.max(x.abs());
                self.sum += wide;
                self.energy += wide * wide;
                self.window_energy += wide * wide;
            }
            self.in_window += now.len();
            if self.in_window == self.window {
                self.close_window();
            }
            left = later;
        }
        self.samples += frames.len() as u64;
    }

    fn close_window(&mut self) {
        self.windows += 1;
        self.silent += u64::from((self.window_energy / self.in_window as f64).sqrt() < SILENT_RMS);
        (self.window_energy, self.in_window) = (0.0, 0);
    }

    pub(crate) fn finish(mut self, source_clipped: u64) -> Levels {
        if self.in_window > 0 {
            self.close_window();
        }
        let n = self.samples.max(1) as f64;
        Levels {
            peak: self.peak,
            rms: (self.energy / n).sqrt() as f32,
            dc: (self.sum / n) as f32,
            source_clipped,
            clamped: self.clamped,
            silent_share: self.silent as f32 / self.windows.max(1) as f32,
        }
    }
}

/// To the nearest whole number, halves away from 0, for a value within i16. Written with what every processor has an
/// instruction for, so that many are rounded at once.
fn rounded(value: f32) -> i16 {
    let whole = value as i32;
    let rest = value - whole as f32;
    (whole + i32::from(rest >= 0.5) - i32::from(rest <= -0.5)) as i16
}

/// A level in dB below full scale.
pub(crate) fn dbfs(level: f32) -> f32 {
    20.0 * level.max(1e-7).log10()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::float_cmp)]
    use super::*;

    #[test]
    fn clipping_is_three_in_a_row_on_one_side() {
        let count = |channels, x: &[f32]| {
            let mut counter = ClipCounter::new(channels);
            // Runs go on over the blocks' borders.
            x.chunks(channels).for_each(|frame| counter.push(frame));
            counter.clipped()
        };
        assert_eq!(count(1, &[0.0, 1.0, 1.0, 0.0, 1.0, 1.0]), 0);
        assert_eq!(count(1, &[1.0, 1.0, 1.0]), 3);
        assert_eq!(count(1, &[-1.0, -1.0, -1.0, -1.0, 0.5, 1.2, 1.3, 1.1]), 7);
        assert_eq!(count(1, &[1.0, 1.0, -1.0, -1.0, 1.0]), 0);
        assert_eq!(count(2, &[1.0, 0.0, 1.0, 0.0, 1.0, 0.0]), 3);
        assert_eq!(count(2, &[1.0, 0.0, 0.0, 1.0, 1.0, 0.0]), 0);
    }

    #[test]
    fn rounding_is_to_the_nearest_and_halves_go_away_from_zero() {
        let near = [0.0, 0.499_999_97, 0.5, 0.500_000_06, 1.5, 2.5, 32_766.5, 32_767.0, 12_345.499];
        for value in near.into_iter().flat_map(|x: f32| [x, -x]).chain([-32_768.0, -32_767.5]) {
            assert_eq!(f32::from(rounded(value)), value.round(), "{value}");
        }
    }

    #[test]
    fn levels_and_rounding() {
        let mut meter = Meter::new(20, 1);
        let mut out = Vec::new();
        meter.push(&[0.5, -0.5, 1.0, -1.0, 1.5, 0.0, 0.0], &mut out);
        let values: Vec<i16> = out.chunks(2).map(|b| i16::from_le_bytes([b[0], b[1]])).collect();
        assert_eq!(values, [16_384, -16_384, 32_767, -32_768, 32_767, 0, 0]);
        let levels = meter.finish(9);
        assert_eq!((levels.peak, levels.clamped, levels.source_clipped), (1.5, 1, 9));
        assert!((levels.dc - 1.5 / 7.0).abs() < 1e-6);
        assert!((levels.rms - (4.75_f32 / 7.0).sqrt()).abs() < 1e-6);
        assert!((levels.silent_share - 2.0 / 7.0).abs() < 1e-6);
        assert_eq!(dbfs(1.0), 0.0);
    }
}
