//! How loud it is between the partials: the noise that a quantiser, or a model that is unsure, lays under every note.

use super::spectrum::{blackman_harris, each_spectrum};
use super::statistics::median;

/// Seconds of a window, rounded up to a power of two of frames: long enough to part the partials of low notes.
const WINDOW_SECONDS: f64 = 0.2;
/// The band that is looked at, in Hz; its upper end is at most 95 % of half the rate.
const BAND_HZ: (f64, f64) = (1_000.0, 8_000.0);
/// A partial is a bin that is the largest of its neighbours and stands so many dB over the median of those around it.
const PARTIAL_DB: f64 = 10.0;
/// Bins on either side that this median is taken of.
const AROUND: usize = 20;
/// Bins on either side of a partial that are its own: half of the window's main lobe, and one more.
const LOBE: usize = 5;
/// Power of a window under which it is silent and says nothing of what lies under notes.
const SILENT_POWER: f64 = 1e-9;
/// What digital silence is taken for, in dB.
const LOWEST_DB: f64 = -160.0;

/// The median level of the bins between the partials from 1 to 8 kHz, in dB under a full-scale sine, the mean over all windows
/// that are not silent; `None` where all are, or the rate leaves nothing of the band.
///
/// A window of 0.2 s or a little more (Blackman-Harris), its successor half a window later. In each, the bins that stand 10 dB over the
/// median of the 41 around them are partials; they and five bins on either side are left out, and of the others the median is
/// taken.
pub fn noise_floor_db(sound: &[f32], rate_hz: u32) -> Option<f64> {
    let rate = f64::from(rate_hz);
    let window = ((WINDOW_SECONDS * rate) as usize).next_power_of_two().max(64);
    let bin = |hz: f64| (hz * window as f64 / rate).round() as usize;
    let band = bin(BAND_HZ.0)..bin(BAND_HZ.1.min(0.475 * rate));
    if band.len() <= 2 * AROUND {
        return None;
    }
    let mut levels = Vec::new();
    each_spectrum(sound, &blackman_harris(window), window / 2, |spectrum| {
        let power: f64 = spectrum.iter().map(|&bin| f64::from(bin)).sum();
        if power >= SILENT_POWER {
            levels.extend(between_partials(&spectrum[band.clone()]));
        }
    });
    (!levels.is_empty()).then(|| levels.iter().sum::<f64>() / levels.len() as f64)
}

/// The median of what is no partial, in dB.
fn between_partials(band: &[f32]) -> Option<f64> {
    let db: Vec<f64> = band.iter().map(|&bin| 10.0 * f64::from(bin).log10()).map(|db| db.max(LOWEST_DB)).collect();
    let mut is_partial = vec![false; db.len()];
    for (at, &level) in db.iter().enumerate() {
        let is_peak = at.checked_sub(1).is_none_or(|left| db[left] <= level)
            && db.get(at + 1).is_none_or(|&right| right <= level);
        let around = &db[at.saturating_sub(AROUND)..(at + AROUND + 1).min(db.len())];
        if is_peak && median(around).is_some_and(|middle| level >= middle + PARTIAL_DB) {
            let end = (at + LOBE + 1).min(db.len());
            is_partial[at.saturating_sub(LOBE)..end].fill(true);
        }
    }
    let rest: Vec<f64> = db.iter().zip(&is_partial).filter(|(_, partial)| !**partial).map(|(db, _)| *db).collect();
    median(&rest)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::random::{Purpose, Random};

    /// Partials of a low note up to 7 kHz, and noise of a peak under them.
    fn note(noise: f32) -> Vec<f32> {
        let mut random = Random::new(1, Purpose::named("noise of the tests"), 0);
        let sine = |t: f64, n: f64| (t * n * std::f64::consts::TAU * 140.0 / 16_000.0).sin();
        let partials = |t: f64| (1..50).map(|n| sine(t, f64::from(n))).sum::<f64>() as f32;
        (0..32_000).map(|t| 0.01 * partials(f64::from(t)) + noise * (2.0 * random.uniform() - 1.0)).collect()
    }

    #[test]
    fn the_noise_under_a_note_is_measured_and_its_partials_are_not() {
        let quiet = noise_floor_db(&note(0.001), 16_000).unwrap();
        let loud = noise_floor_db(&note(0.01), 16_000).unwrap();
        assert!((loud - quiet - 20.0).abs() < 2.0, "{quiet} and {loud}");
        // The window spreads white noise of variance σ² to 4 σ² · 2.004 / N per bin; the median of its power is ln 2 of that.
        let expected = 10.0 * (0.01_f64.powi(2) / 3.0 * 8.018 / 4_096.0 * std::f64::consts::LN_2).log10();
        assert!((loud - expected).abs() < 1.5, "{loud}, expected {expected}");
        // Far louder partials change nothing.
        let louder: Vec<f32> = note(0.0).iter().zip(note(0.001)).map(|(tones, all)| 4.0 * tones + all).collect();
        assert!((noise_floor_db(&louder, 16_000).unwrap() - quiet).abs() < 2.0);
        assert_eq!(noise_floor_db(&vec![0.0; 16_000], 16_000), None);
        assert_eq!(noise_floor_db(&note(0.01), 1_000), None);
    }
}
