//! Level, colour and noisiness of a sound.

use super::spectrum::{WINDOW, spectra};

/// What a listener would say of a sound first.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Listening {
    /// Root mean square, in dB under full scale; −200 for digital silence.
    pub level_db: f64,
    /// Mean of the spectrum's centre, in Hz, weighted by power.
    pub centroid_hz: f64,
    /// Geometric over arithmetic mean of the power, the mean over all windows that are not silent: near 0 for tones, 0.56 for
    /// white noise in single windows; 0 for silence.
    pub flatness: f64,
}

/// Windows this far under full scale are silent.
const SILENT_POWER: f64 = 1e-9;

/// Listens to a sound of one channel at a rate.
pub fn listen(sound: &[f32], rate_hz: u32) -> Listening {
    let square = sound.iter().map(|&x| f64::from(x).powi(2)).sum::<f64>() / sound.len().max(1) as f64;
    let level_db = if square > 0.0 { 10.0 * square.log10() } else { -200.0 };
    let (mut weighted, mut power, mut flat, mut heard) = (0.0, 0.0, 0.0, 0);
    for spectrum in spectra(sound) {
        let sum: f64 = spectrum.iter().map(|&bin| f64::from(bin)).sum();
        if sum < SILENT_POWER {
            continue;
        }
        heard += 1;
        flat += flatness(&spectrum);
        power += sum;
        weighted += spectrum.iter().enumerate().map(|(bin, &value)| bin as f64 * f64::from(value)).sum::<f64>();
    }
    let hz_per_bin = f64::from(rate_hz) / WINDOW as f64;
    let centroid_hz = if power > 0.0 { hz_per_bin * weighted / power } else { 0.0 };
    Listening { level_db, centroid_hz, flatness: flat / f64::from(heard.max(1)) }
}

fn flatness(spectrum: &[f32]) -> f64 {
    let count = spectrum.len() as f64;
    let logs = spectrum.iter().map(|&bin| f64::from(bin.max(1e-20)).ln()).sum::<f64>() / count;
    let mean = spectrum.iter().map(|&bin| f64::from(bin)).sum::<f64>() / count;
    logs.exp() / mean
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::{Purpose, Random};

    #[test]
    fn tones_noise_and_silence_are_told_apart() {
        let tone: Vec<f32> = (0..16_000).map(|t| 0.5 * (t as f32 * std::f32::consts::TAU / 16.0).sin()).collect();
        let heard = listen(&tone, 16_000);
        assert!((heard.level_db + 9.03).abs() < 0.05 && (heard.centroid_hz - 1_000.0).abs() < 2.0, "{heard:?}");
        assert!(heard.flatness < 1e-3, "{heard:?}");
        let mut random = Random::new(1, Purpose::named("noise of the tests"), 0);
        let noise: Vec<f32> = (0..16_000).map(|_| random.uniform() - 0.5).collect();
        let heard = listen(&noise, 16_000);
        assert!(heard.flatness > 0.4 && (heard.centroid_hz - 4_000.0).abs() < 200.0, "{heard:?}");
        assert_eq!(listen(&[0.0; 4_096], 16_000), Listening { level_db: -200.0, centroid_hz: 0.0, flatness: 0.0 });
        assert!(listen(&[], 16_000).level_db < -100.0);
    }
}
