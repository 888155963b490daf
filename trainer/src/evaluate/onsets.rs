//! Where notes begin: peaks of the spectral flux.
//!
//! After Dixon, *Onset Detection Revisited*, 2006 (conference on digital audio effects), section 2.1 (flux) and 2.3 (choice of peaks), with the logarithmic
//! magnitudes of Böck, Krebs & Schedl, *Evaluating the Online Capabilities of Onset Detection Methods*, ISMIR 2012: the rise
//! of `ln(1 + γ·magnitude)` from one window to the next, summed over the bins in which it rises.

use super::spectrum::{HOP, WINDOW, each_spectrum, hann};

/// γ: magnitudes far below 1/γ of a full-scale sine do not count.
const COMPRESSION: f32 = 1_000.0;
/// A peak is the largest within so many seconds on either side, …
const ALONE_SECONDS: f64 = 0.03;
/// … and stands over the mean of so many seconds before and after it …
const AROUND_SECONDS: f64 = 0.1;
/// … by so much per bin (mean rise of the compressed magnitude, in nepers).
const RISE: f64 = 0.03;

/// Times at which notes begin, in seconds from the sound's start.
pub fn onsets(sound: &[f32], rate_hz: u32) -> Vec<f64> {
    let flux = flux(sound);
    let seconds_per_hop = HOP as f64 / f64::from(rate_hz);
    let hops = |seconds: f64| ((seconds / seconds_per_hop).round() as usize).max(1);
    let (alone, around) = (hops(ALONE_SECONDS), hops(AROUND_SECONDS));
    let within = |at: usize, reach: usize| &flux[at.saturating_sub(reach)..(at + reach + 1).min(flux.len())];
    let stands_out = |at: usize| {
        let mean = within(at, around).iter().sum::<f64>() / within(at, around).len() as f64;
        // The first of equal values counts.
        let before = &flux[at.saturating_sub(alone)..at];
        flux[at] >= mean + RISE
            && within(at, alone).iter().all(|&other| other <= flux[at])
            && before.iter().all(|&other| other < flux[at])
    };
    // A rise between two windows is in the middle of what only the second one holds.
    let time = |at: usize| ((at + 1) * HOP + WINDOW / 2) as f64 / f64::from(rate_hz);
    (0..flux.len()).filter(|&at| stands_out(at)).map(time).collect()
}

/// The mean rise per bin from each window to the next.
fn flux(sound: &[f32]) -> Vec<f64> {
    let mut before: Vec<f32> = Vec::new();
    let mut flux = Vec::new();
    each_spectrum(sound, &hann(WINDOW), HOP, |spectrum| {
        let now: Vec<f32> = spectrum.iter().map(|power| (COMPRESSION * power.sqrt()).ln_1p()).collect();
        if !before.is_empty() {
            let rise: f64 = now.iter().zip(&before).map(|(now, before)| f64::from((now - before).max(0.0))).sum();
            flux.push(rise / now.len() as f64);
        }
        before = now;
    });
    flux
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notes_are_counted_where_they_begin_and_a_held_tone_has_none() {
        let rate = 16_000;
        let mut sound = vec![0.0_f32; 4 * rate];
        let begins = [0.5, 0.9, 1.3, 2.0, 3.1];
        for (note, begin) in begins.iter().enumerate() {
            let from = (begin * rate as f64) as usize;
            for (t, value) in sound[from..].iter_mut().enumerate() {
                let seconds = t as f32 / rate as f32;
                let pitch = 220.0 * 2f32.powf(note as f32 * 5.0 / 12.0);
                let tone = |partial: f32| (std::f32::consts::TAU * pitch * partial * seconds).sin() / partial;
                *value += 0.2 * (-seconds / 0.3).exp() * (tone(1.0) + tone(2.0) + tone(3.0));
            }
        }
        let found = onsets(&sound, rate as u32);
        assert_eq!(found.len(), begins.len(), "{found:?}");
        assert!(found.iter().zip(begins).all(|(found, begin)| (found - begin).abs() < 0.05), "{found:?}");
        let held: Vec<f32> = (0..rate).map(|t| 0.3 * (t as f32 * 0.2).sin()).collect();
        assert_eq!(onsets(&held, rate as u32), [0.0; 0]);
        assert_eq!(onsets(&[0.0; 100], rate as u32), [0.0; 0]);
    }
}
