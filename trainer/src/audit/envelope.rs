//! The course of a recording's level, in a few hundred values however long it is: what tells copies of one performance.

/// Most values that are kept.
const MOST: usize = 512;

/// Collects the course of the level.
#[derive(Debug)]
pub(crate) struct EnvelopeMeter {
    channels: usize,
    window_frames: u64,
    in_window: u64,
    energy: f64,
    values: Vec<f64>,
}

impl EnvelopeMeter {
    pub(crate) fn new(rate_hz: u32, channels: usize) -> Self {
        let window_frames = u64::from(rate_hz / 20).max(1);
        Self { channels: channels.max(1), window_frames, in_window: 0, energy: 0.0, values: Vec::new() }
    }

    pub(crate) fn push(&mut self, frames: &[f32]) {
        for frame in frames.chunks_exact(self.channels) {
            self.energy += frame.iter().map(|&x| f64::from(x).powi(2)).sum::<f64>();
            self.in_window += 1;
            if self.in_window == self.window_frames {
                self.values.push(self.energy);
                (self.energy, self.in_window) = (0.0, 0);
                if self.values.len() == MOST {
                    self.values = halved(&self.values);
                    self.window_frames *= 2;
                }
            }
        }
    }

    pub(crate) fn finish(self) -> Envelope {
        Envelope { window_frames: self.window_frames, values: self.values }
    }
}

fn halved(values: &[f64]) -> Vec<f64> {
    values.chunks_exact(2).map(|pair| pair[0] + pair[1]).collect()
}

/// The course of a level: energies of windows of equal length.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Envelope {
    window_frames: u64,
    values: Vec<f64>,
}

/// Fewest windows of which a likeness says anything: five seconds.
const FEWEST: usize = 100;
/// A level that moves less, as its deviation beside its mean, is like any other that does not move.
const LEAST_MOTION: f64 = 0.15;
/// Quarters of a window by which two recordings may lie apart: encoders put silence in front.
const MOST_LAG: usize = 8;
/// Least correlation of two courses of one performance. Copies through MP3 at 64 kbit/s have 0.9999, piano pieces among
/// each other up to 0.6.
const ALIKE: f64 = 0.95;

impl Envelope {
    /// Whether two courses are the same up to their level.
    pub(crate) fn is_like(&self, other: &Self) -> bool {
        let (mut a, mut b) = (self.values.clone(), other.values.clone());
        let (mut of_a, mut of_b) = (self.window_frames, other.window_frames);
        while of_a < of_b {
            (a, of_a) = (halved(&a), of_a * 2);
        }
        while of_b < of_a {
            (b, of_b) = (halved(&b), of_b * 2);
        }
        if of_a != of_b || a.len().min(b.len()) < FEWEST {
            return false;
        }
        let (mean, deviation) = moments(&amplitudes(&a));
        if deviation < LEAST_MOTION * mean {
            return false;
        }
        let mut lags = (0..=MOST_LAG).flat_map(|lag| [(lag, 0), (0, lag)]);
        lags.any(|(of_a, of_b)| correlation(&amplitudes(&later(&a, of_a)), &amplitudes(&later(&b, of_b))) > ALIKE)
    }
}

/// The same course begun so many quarters of a window later.
fn later(values: &[f64], quarters: usize) -> Vec<f64> {
    let (whole, part) = (quarters / 4, (quarters % 4) as f64 / 4.0);
    let from = values.get(whole..).unwrap_or(&[]);
    let next = from.iter().skip(1).chain(from.last());
    from.iter().zip(next).map(|(now, next)| (1.0 - part) * now + part * next).collect()
}

/// Amplitudes of windows of twice the length, which forgive what is still shifted within a window.
fn amplitudes(energies: &[f64]) -> Vec<f64> {
    halved(energies).into_iter().map(f64::sqrt).collect()
}

/// Mean and standard deviation.
fn moments(values: &[f64]) -> (f64, f64) {
    let count = values.len().max(1) as f64;
    let mean = values.iter().sum::<f64>() / count;
    let square = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / count;
    (mean, square.sqrt())
}

fn correlation(a: &[f64], b: &[f64]) -> f64 {
    let length = a.len().min(b.len());
    let (a, b) = (&a[..length], &b[..length]);
    let ((mean_a, deviation_a), (mean_b, deviation_b)) = (moments(a), moments(b));
    let product = a.iter().zip(b).map(|(a, b)| (a - mean_a) * (b - mean_b)).sum::<f64>() / length.max(1) as f64;
    product / (deviation_a * deviation_b).max(1e-30)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::{Purpose, Random};

    /// Ten notes a second of uneven level.
    fn notes(seed: u64, seconds: usize) -> Vec<f32> {
        let mut random = Random::new(seed, Purpose::named("notes of the tests"), 0);
        let mut level = 0.0;
        (0..seconds * 8_000)
            .map(|t| {
                if t % 800 == 0 {
                    level = 0.05 + 0.4 * random.uniform();
                }
                level * ((t % 20) as f32 / 10.0 - 1.0)
            })
            .collect()
    }

    fn envelope(sound: &[f32]) -> Envelope {
        let mut meter = EnvelopeMeter::new(8_000, 1);
        sound.chunks(333).for_each(|block| meter.push(block));
        meter.finish()
    }

    #[test]
    fn a_copy_is_told_at_another_level_and_a_little_later() {
        for seconds in [10, 60] {
            let (a, b) = (notes(1, seconds), notes(2, seconds));
            let quieter: Vec<f32> = std::iter::repeat_n(0.0, 300).chain(a.iter().map(|x| 0.3 * x)).collect();
            assert!(envelope(&a).is_like(&envelope(&quieter)) && envelope(&a).is_like(&envelope(&a)));
            assert!(!envelope(&a).is_like(&envelope(&b)));
        }
        assert!(!envelope(&notes(1, 2)).is_like(&envelope(&notes(1, 2))), "too short to tell");
        let steady = vec![0.1; 80_000];
        assert!(!envelope(&steady).is_like(&envelope(&steady)), "every steady sound is like every other");
        assert!(envelope(&notes(3, 300)).values.len() < MOST);
    }
}
