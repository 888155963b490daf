//! Logarithmic mel spectra: what the embedding and the search for copies compare sounds by.
//!
//! Mel scale of O'Shaughnessy (*Speech Communication*, 1987): `2595 · log10(1 + f / 700)`. Triangular bands, each of the mean
//! power of its bins, so that a band's width is no loudness.

use super::spectrum::{each_spectrum, hann};

/// Lowest edge of the lowest band, in Hz.
const LOWEST_HZ: f64 = 40.0;
/// Highest edge of the highest band, in Hz, where the rate allows it.
const HIGHEST_HZ: f64 = 8_000.0;
/// Power that is taken for silence: −90 dB under a full-scale sine.
const FLOOR: f32 = 1e-9;

/// Bands of mel spectra at a rate.
#[derive(Debug, Clone)]
pub struct MelBands {
    weights: Vec<f32>,
    hop: usize,
    /// Per band its first bin and the weights of that and the following ones; they add up to 1.
    bands: Vec<(usize, Vec<f32>)>,
}

impl MelBands {
    /// So many bands between 40 Hz and 8 kHz (or half the rate), of windows of about twice `hop_seconds` or more.
    pub fn new(rate_hz: u32, hop_seconds: f64, count: usize) -> Self {
        let rate = f64::from(rate_hz);
        let hop = ((hop_seconds * rate).round() as usize).max(1);
        let window = (2 * hop).next_power_of_two().max(64);
        let mel = |hz: f64| 2_595.0 * (hz / 700.0).ln_1p() / std::f64::consts::LN_10;
        let hz = |mel: f64| 700.0 * ((mel * std::f64::consts::LN_10 / 2_595.0).exp() - 1.0);
        let (low, high) = (mel(LOWEST_HZ), mel(HIGHEST_HZ.min(rate / 2.0)));
        let edge = |at: usize| hz(low + (high - low) * at as f64 / (count + 1) as f64) * window as f64 / rate;
        let band = |at: usize| {
            let (left, middle, right) = (edge(at), edge(at + 1), edge(at + 2));
            let first = left.floor() as usize;
            let last = (right.ceil() as usize).min(window / 2);
            let weight = |bin: usize| {
                let bin = bin as f64;
                ((bin - left) / (middle - left)).min((right - bin) / (right - middle)).max(0.0)
            };
            let weights: Vec<f64> = (first..=last).map(weight).collect();
            let sum: f64 = weights.iter().sum();
            if sum > 0.0 {
                (first, weights.into_iter().map(|weight| (weight / sum) as f32).collect())
            } else {
                // A band between two bins has the nearest one.
                ((middle.round() as usize).min(window / 2), vec![1.0])
            }
        };
        Self { weights: hann(window), hop, bands: (0..count).map(band).collect() }
    }

    /// Bands.
    pub fn count(&self) -> usize {
        self.bands.len()
    }

    /// Frames of audio from one spectrum to the next.
    pub fn hop(&self) -> usize {
        self.hop
    }

    /// Frames of audio of a window.
    pub fn window(&self) -> usize {
        self.weights.len()
    }

    /// Natural logarithms of the bands' power, `[T, bands]` in one vector: at least −20.7, 0 for a full-scale sine that has
    /// its band for itself.
    pub fn of(&self, sound: &[f32]) -> Vec<f32> {
        let mut all = Vec::with_capacity(self.bands.len() * (sound.len() / self.hop + 1));
        each_spectrum(sound, &self.weights, self.hop, |spectrum| {
            all.extend(self.bands.iter().map(|(first, weights)| {
                let power: f32 = weights.iter().zip(&spectrum[*first..]).map(|(weight, bin)| weight * bin).sum();
                power.max(FLOOR).ln()
            }));
        });
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tone_is_in_the_band_of_its_pitch_and_white_noise_is_level() {
        for rate in [4_000, 16_000, 44_100, 96_000] {
            let bands = MelBands::new(rate, 0.016, 32);
            let tone = |hz: f32| -> Vec<f32> {
                (0..rate).map(|t| 0.5 * (std::f32::consts::TAU * hz * t as f32 / rate as f32).sin()).collect()
            };
            let loudest = |hz: f32| {
                let mel = bands.of(&tone(hz));
                assert_eq!(mel.len() % 32, 0);
                (0..32).max_by(|&a, &b| mel[320 + a].total_cmp(&mel[320 + b])).unwrap_or(99)
            };
            let places = [150.0, 300.0, 700.0, 1_500.0].map(loudest);
            assert!(places.windows(2).all(|pair| pair[0] < pair[1]), "{rate}: {places:?}");
        }
        let mut random = crate::random::Random::new(1, crate::random::Purpose::named("noise of the tests"), 0);
        let noise: Vec<f32> = (0..64_000).map(|_| random.uniform() - 0.5).collect();
        let bands = MelBands::new(16_000, 0.016, 32);
        let mel = bands.of(&noise);
        let mean = |band: usize| mel.chunks(32).map(|row| f64::from(row[band])).sum::<f64>() * 32.0 / mel.len() as f64;
        let means: Vec<f64> = (0..32).map(mean).collect();
        let (low, high) = means.iter().fold((f64::MAX, f64::MIN), |(low, high), &x| (low.min(x), high.max(x)));
        assert!(high - low < 1.5, "{means:?}");
        assert!(bands.of(&[0.0; 2_048]).iter().all(|&value| (value - FLOOR.ln()).abs() < 1e-5));
    }
}
