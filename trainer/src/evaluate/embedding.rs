//! What a second of sound is, as a vector: the embedding of the Fréchet audio distance. No network is needed for it, so the
//! distance is the same wherever it is computed.
//!
//! Per window of 1 s, over its mel spectra every 16 ms in 32 bands (40 Hz to 8 kHz, natural logarithms of power, floor
//! −90 dB): per band the mean, the standard deviation, and the mean size of the change from spectrum to spectrum. 96 numbers:
//! colour and level, how they vary, and how fast. Order and harmony are not in it.

use super::mel::MelBands;

const BANDS: usize = 32;
const HOP_SECONDS: f64 = 0.016;
/// Seconds of a window, and from one window to the next.
pub const WINDOW_SECONDS: f64 = 1.0;
/// Seconds from one window to the next.
pub const STEP_SECONDS: f64 = 0.5;
/// Numbers per window.
pub const DIMENSIONS: usize = 3 * BANDS;
/// What it is, for a report.
pub const DESCRIPTION: &str = "96 numbers per 1 s window (one every 0.5 s): mean, standard deviation and mean absolute change \
     of 32 log-mel bands, 40 Hz to 8 kHz, every 16 ms; each divided by its standard deviation over the training audio, or by 0.5 where that is less";

/// Embeds sounds of one rate.
#[derive(Debug)]
pub struct Embedding {
    bands: MelBands,
    window: usize,
    step: usize,
}

impl Embedding {
    /// For sounds of this rate. Embeddings of two rates are not to be compared.
    pub fn new(rate_hz: u32) -> Self {
        let bands = MelBands::new(rate_hz, HOP_SECONDS, BANDS);
        // As many spectra as lie wholly within the second.
        let frames = (WINDOW_SECONDS * f64::from(rate_hz)) as usize;
        let window = frames.saturating_sub(bands.window()) / bands.hop() + 1;
        Self { bands, window, step: ((STEP_SECONDS / HOP_SECONDS).round() as usize).max(1) }
    }

    /// The vectors of a sound's windows; none of a sound of less than a second.
    pub fn of(&self, sound: &[f32]) -> Vec<Vec<f64>> {
        let mel = self.bands.of(sound);
        let rows: Vec<&[f32]> = mel.chunks_exact(BANDS).collect();
        rows.windows(self.window).step_by(self.step).map(vector).collect()
    }

    /// The mean log-mel spectrum of sounds, in dB per band; `None` of nothing.
    pub fn mean_spectrum_db<'a>(&self, sounds: impl Iterator<Item = &'a [f32]>) -> Option<Vec<f64>> {
        let (mut sums, mut count) = (vec![0.0; BANDS], 0u64);
        for sound in sounds {
            for row in self.bands.of(sound).chunks_exact(BANDS) {
                sums.iter_mut().zip(row).for_each(|(sum, &value)| *sum += f64::from(value));
                count += 1;
            }
        }
        let db = 10.0 / std::f64::consts::LN_10 / count as f64;
        (count > 0).then(|| sums.into_iter().map(|sum| sum * db).collect())
    }
}

/// Of the spectra of one window.
fn vector(rows: &[&[f32]]) -> Vec<f64> {
    let count = rows.len() as f64;
    let mut all = vec![0.0; DIMENSIONS];
    for band in 0..BANDS {
        let values = || rows.iter().map(|row| f64::from(row[band]));
        let mean = values().sum::<f64>() / count;
        let deviation = (values().map(|value| (value - mean).powi(2)).sum::<f64>() / count).sqrt();
        let changes = values().zip(values().skip(1)).map(|(before, now)| (now - before).abs()).sum::<f64>();
        all[band] = mean;
        all[BANDS + band] = deviation;
        all[2 * BANDS + band] = changes / (count - 1.0).max(1.0);
    }
    all
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn there_is_a_vector_for_each_half_second_and_it_tells_sounds_apart() {
        for rate in [8_000, 16_000, 44_100] {
            let embedding = Embedding::new(rate);
            let sound = |seconds: f64| -> Vec<f32> {
                (0..(seconds * f64::from(rate)) as usize).map(|t| 0.3 * (t as f32 * 0.1).sin()).collect()
            };
            for (seconds, windows) in [(0.9, 0), (1.001, 1), (1.4, 1), (1.55, 2), (10.0, 19)] {
                let found = embedding.of(&sound(seconds)).len();
                assert_eq!(found, windows, "{rate}: {seconds} s");
            }
            let held = embedding.of(&sound(1.01)).remove(0);
            assert_eq!(held.len(), DIMENSIONS);
            // In the bands that hold it; elsewhere there is nothing but what the window spreads.
            let loudest = (0..BANDS).max_by(|&a, &b| held[a].total_cmp(&held[b])).unwrap();
            let varies = [BANDS + loudest, 2 * BANDS + loudest].map(|at| held[at]);
            assert!(varies.iter().all(|&varies| varies < 0.1), "a held tone does not vary: {varies:?}");
            let mut broken = sound(1.01);
            broken[..rate as usize / 2].fill(0.0);
            let broken = embedding.of(&broken).remove(0);
            assert!(broken[BANDS..2 * BANDS].iter().any(|&deviation| deviation > 3.0));
        }
        let embedding = Embedding::new(16_000);
        let tone = vec![0.0_f32; 16_000];
        let spectrum = embedding.mean_spectrum_db([tone.as_slice()].into_iter()).unwrap();
        assert!(spectrum.iter().all(|db| (db + 90.0).abs() < 0.01), "{spectrum:?}");
        assert!(embedding.mean_spectrum_db(std::iter::empty()).is_none());
    }
}
