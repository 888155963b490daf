//! Short-time spectra and correlation.

use anyhow::{Result, anyhow};
use realfft::RealFftPlanner;

/// Power spectra of a signal, one per hop.
pub struct Spectrogram {
    /// `[hop][bin]`, power, a full-scale sine is 1 (0 dB).
    pub power: Vec<Vec<f32>>,
    /// Frames between two spectra.
    pub hop: usize,
    /// Frames in a window.
    pub size: usize,
}

/// Spectra over Hann windows of `size` frames every `hop` frames; shorter signals give none.
pub fn spectrogram(signal: &[f32], size: usize, hop: usize) -> Result<Spectrogram> {
    let fft = RealFftPlanner::<f32>::new().plan_fft_forward(size);
    let window: Vec<f32> =
        (0..size).map(|i| (0.5 - 0.5 * (std::f64::consts::TAU * i as f64 / size as f64).cos()) as f32).collect();
    // A sine of amplitude 1 has its peak at half the window's sum.
    let scale = 2.0 / window.iter().sum::<f32>();
    let (mut input, mut output) = (fft.make_input_vec(), fft.make_output_vec());
    let mut power = Vec::new();
    for start in (0..(signal.len() + 1).saturating_sub(size)).step_by(hop) {
        for ((out, sample), weight) in input.iter_mut().zip(&signal[start..]).zip(&window) {
            *out = sample * weight;
        }
        fft.process(&mut input, &mut output).map_err(|error| anyhow!("{error}"))?;
        power.push(output.iter().map(|bin| (bin * scale).norm_sqr()).collect());
    }
    Ok(Spectrogram { power, hop, size })
}

/// Spectral flatness of one spectrum: geometric over arithmetic mean of the power. White noise has about 0.56 in a
/// single window, a steady tone nearly 0.
pub fn flatness(power: &[f32]) -> f64 {
    let count = power.len().max(1) as f64;
    let logs = power.iter().map(|&value| f64::from(value.max(1e-20)).ln()).sum::<f64>() / count;
    let mean = power.iter().map(|&value| f64::from(value)).sum::<f64>() / count;
    if mean > 0.0 { logs.exp() / mean } else { 1.0 }
}

/// The largest normalised cross-correlation of `pattern` with any stretch of `signal` of the same length, 0 to 1.
///
/// A copy of the pattern anywhere gives 1, also with another level or turned upside down.
pub fn likeness(signal: &[f32], pattern: &[f32]) -> Result<f64> {
    let energy = |part: &[f32]| part.iter().map(|&x| f64::from(x).powi(2)).sum::<f64>();
    let (length, target) = (pattern.len(), energy(pattern));
    if length == 0 || signal.len() < length || target <= 0.0 {
        return Ok(0.0);
    }
    let size = (signal.len() + length).next_power_of_two();
    let mut planner = RealFftPlanner::<f32>::new();
    let (forward, inverse) = (planner.plan_fft_forward(size), planner.plan_fft_inverse(size));
    let transform = |part: &[f32]| {
        let (mut input, mut output) = (forward.make_input_vec(), forward.make_output_vec());
        input[..part.len()].copy_from_slice(part);
        forward.process(&mut input, &mut output).map(|()| output).map_err(|error| anyhow!("{error}"))
    };
    let mut product = transform(signal)?;
    for (a, b) in product.iter_mut().zip(transform(pattern)?) {
        *a *= b.conj();
    }
    let mut lags = inverse.make_output_vec();
    // The first and last bins are real for real signals; rounding must not make them otherwise.
    if let Some(first) = product.first_mut() {
        first.im = 0.0;
    }
    if let Some(last) = product.last_mut() {
        last.im = 0.0;
    }
    inverse.process(&mut product, &mut lags).map_err(|error| anyhow!("{error}"))?;
    let mut here = energy(&signal[..length]);
    let mut best = 0.0_f64;
    // Stretches that are nearly silent beside the pattern would divide by nothing.
    let floor = target * 1e-4;
    for lag in 0..=signal.len() - length {
        if here > floor {
            best = best.max(f64::from(lags[lag]).abs() / size as f64 / (here * target).sqrt());
        }
        if lag + length < signal.len() {
            here += f64::from(signal[lag + length]).powi(2) - f64::from(signal[lag]).powi(2);
        }
    }
    Ok(best)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn noise(count: usize, random: &mut fastrand::Rng) -> Vec<f32> {
        (0..count).map(|_| random.f32() * 2.0 - 1.0).collect()
    }

    fn sine(count: usize, step: f32) -> Vec<f32> {
        (0..count).map(|i| (i as f32 * step).sin()).collect()
    }

    #[test]
    fn a_full_scale_sine_has_power_one_at_its_bin() {
        let signal = sine(4096, std::f32::consts::TAU * 64.0 / 1024.0);
        let spectra = spectrogram(&signal, 1024, 512).unwrap();
        assert_eq!(spectra.power.len(), 7);
        for power in &spectra.power {
            assert!((power[64] - 1.0).abs() < 1e-3, "{}", power[64]);
            assert!(power[100] < 1e-6);
        }
    }

    #[test]
    fn flatness_tells_noise_from_a_tone() {
        let mean = |signal: &[f32]| {
            let spectra = spectrogram(signal, 2048, 1024).unwrap().power;
            spectra.iter().map(|power| flatness(power)).sum::<f64>() / spectra.len() as f64
        };
        let (noisy, tonal) = (mean(&noise(48_000, &mut fastrand::Rng::with_seed(1))), mean(&sine(48_000, 0.05)));
        assert!((0.5..0.62).contains(&noisy), "{noisy}");
        assert!(tonal < 0.01, "{tonal}");
    }

    #[test]
    fn a_copy_is_found_wherever_it_lies_and_however_loud() {
        // One after the other: this generator's streams of neighbouring seeds are alike.
        let mut random = fastrand::Rng::with_seed(1);
        let pattern = noise(4_000, &mut random);
        let mut signal = noise(20_000, &mut random);
        assert!(likeness(&signal, &pattern).unwrap() < 0.15);
        for (out, sample) in signal[7_001..].iter_mut().zip(&pattern) {
            *out = -0.3 * sample;
        }
        assert!(likeness(&signal, &pattern).unwrap() > 0.99);
        assert!(likeness(&signal[..100], &pattern).unwrap().abs() < 1e-12);
    }
}
