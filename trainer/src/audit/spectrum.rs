//! The average spectrum of a stream, in constant memory, and what is read from it: third octaves, the centre, where it ends.

use std::f64::consts::TAU;
use std::sync::Arc;

use realfft::num_complex::Complex;
use realfft::{RealFftPlanner, RealToComplex};

/// Lowest third octave, in Hz: below it a window of an eighth of a second tells little.
const LOWEST_HZ: f64 = 45.0;
/// Least power of what counts as sound, in dB under a full-scale sine per line of the spectrum: rounding to 16 bits leaves
/// -129 dB.
const FLOOR_DB: f64 = -118.0;
/// So far under the strongest part nothing counts either.
const RANGE_DB: f64 = 95.0;
/// Width over which power is averaged before it is compared, in Hz.
const SMOOTHING_HZ: f64 = 200.0;
/// Within a seventh of an octave music falls by a few dB; what falls by so many was cut off.
const SHARP_DB: f64 = 20.0;

/// Power by frequency, the mean over all windows of a stream. Windows follow each other without overlap, about an eighth of
/// a second long, and each takes one channel, in turn: channels that cancel out in the sum are heard all the same.
pub(crate) struct AverageSpectrum {
    rate_hz: u32,
    channels: usize,
    fft: Arc<dyn RealToComplex<f32>>,
    weights: Vec<f32>,
    scale: f32,
    input: Vec<f32>,
    output: Vec<Complex<f32>>,
    filled: usize,
    channel: usize,
    sums: Vec<f64>,
    windows: u64,
}

impl AverageSpectrum {
    pub(crate) fn new(rate_hz: u32, channels: usize) -> Self {
        let length = (rate_hz as usize / 8).next_power_of_two().clamp(256, 1 << 16);
        let fft = RealFftPlanner::<f32>::new().plan_fft_forward(length);
        let hann = |i: usize| (0.5 - 0.5 * (TAU * i as f64 / length as f64).cos()) as f32;
        let weights: Vec<f32> = (0..length).map(hann).collect();
        // A sine of amplitude 1 has its peak at half the window's sum.
        let scale = 2.0 / weights.iter().sum::<f32>();
        let (input, output) = (fft.make_input_vec(), fft.make_output_vec());
        let sums = vec![0.0; output.len()];
        Self {
            rate_hz,
            channels: channels.max(1),
            fft,
            weights,
            scale,
            input,
            output,
            filled: 0,
            channel: 0,
            sums,
            windows: 0,
        }
    }

    /// Takes interleaved frames.
    pub(crate) fn push(&mut self, frames: &[f32]) {
        for frame in frames.chunks_exact(self.channels) {
            self.input[self.filled] = frame[self.channel];
            self.filled += 1;
            if self.filled == self.input.len() {
                self.transform();
            }
        }
    }

    fn transform(&mut self) {
        self.input.iter_mut().zip(&self.weights).for_each(|(value, weight)| *value *= weight);
        // Buffers of the lengths that the transform itself has made cannot be of the wrong length.
        let done = self.fft.process(&mut self.input, &mut self.output);
        debug_assert!(done.is_ok());
        for (sum, bin) in self.sums.iter_mut().zip(&self.output) {
            *sum += f64::from((bin * self.scale).norm_sqr());
        }
        self.windows += 1;
        self.filled = 0;
        self.channel = (self.channel + 1) % self.channels;
    }

    /// The spectrum; a full-scale sine has 1. Sounds shorter than one window are taken with silence behind them.
    pub(crate) fn finish(mut self) -> Spectrum {
        if self.windows == 0 && self.filled > 0 {
            self.input[self.filled..].fill(0.0);
            self.transform();
        }
        let windows = self.windows.max(1) as f64;
        let power = self.sums.iter().map(|sum| sum / windows).collect();
        Spectrum { power, hz_per_bin: f64::from(self.rate_hz) / self.input.len() as f64 }
    }
}

/// Power by frequency.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Spectrum {
    power: Vec<f64>,
    hz_per_bin: f64,
}

/// Where a spectrum ends.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Edge {
    /// Above this there is nothing, in Hz.
    pub(crate) hz: f64,
    /// Whether it ends as if cut off, well below half the rate.
    pub(crate) sharp: bool,
}

impl Spectrum {
    fn nyquist_hz(&self) -> f64 {
        self.hz_per_bin * (self.power.len() - 1) as f64
    }

    /// Mean power from one frequency to another.
    fn mean(&self, from_hz: f64, to_hz: f64) -> f64 {
        let last = self.power.len() - 1;
        let first = ((from_hz / self.hz_per_bin).ceil().max(0.0) as usize).min(last);
        let end = ((to_hz / self.hz_per_bin).floor().max(0.0) as usize).clamp(first, last);
        self.power[first..=end].iter().sum::<f64>() / (end - first + 1) as f64
    }

    /// The centre of power, in Hz; `None` of silence.
    pub(crate) fn centroid_hz(&self) -> Option<f64> {
        let power: f64 = self.power.iter().sum();
        let weighted: f64 = self.power.iter().enumerate().map(|(bin, value)| bin as f64 * value).sum();
        (power > 0.0).then(|| self.hz_per_bin * weighted / power)
    }

    /// The highest frequency with something there. 0 of silence.
    pub(crate) fn edge(&self) -> Edge {
        let strongest = self.power.iter().copied().fold(0.0, f64::max);
        let least = db(strongest) - RANGE_DB;
        let floor = 10_f64.powf(FLOOR_DB.max(least) / 10.0);
        let nyquist = self.nyquist_hz();
        let mut hz = nyquist;
        while hz > 0.0 && self.mean(hz - SMOOTHING_HZ, hz) < floor {
            hz -= SMOOTHING_HZ / 4.0;
        }
        let hz = hz.max(0.0);
        let above = db(self.mean(1.06 * hz, 1.2 * hz)).max(FLOOR_DB - 12.0);
        let sharp = hz > 0.0 && hz < 0.9 * nyquist && db(self.mean(0.8 * hz, 0.94 * hz)) - above > SHARP_DB;
        Edge { hz, sharp }
    }

    /// Power of every third octave below half the rate, in dB relative to all of it; -200 where there is nothing.
    pub(crate) fn thirds_db(&self, rate_hz: u32) -> Vec<f32> {
        let total: f64 = self.power.iter().sum::<f64>().max(1e-30);
        thirds(rate_hz).iter().map(|third| db(self.sum(third) / total) as f32).collect()
    }

    fn sum(&self, third: &Third) -> f64 {
        let bin = |hz: f64| hz / self.hz_per_bin;
        let within = bin(third.low_hz).ceil() as usize..(bin(third.high_hz).ceil() as usize).min(self.power.len());
        match self.power.get(within).filter(|bins| !bins.is_empty()) {
            Some(bins) => bins.iter().sum(),
            // Narrower than a line: the nearest stands for it.
            None => self.power[(bin(third.hz).round() as usize).min(self.power.len() - 1)],
        }
    }
}

/// A third of an octave, by its centre and edges in Hz (IEC 61260, base ten).
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Third {
    pub(crate) hz: f64,
    low_hz: f64,
    high_hz: f64,
}

/// The third octaves whose centres lie below half the rate.
pub(crate) fn thirds(rate_hz: u32) -> Vec<Third> {
    let centre = |i: i32| 10_f64.powf(f64::from(i) / 10.0);
    let half = 10_f64.powf(0.05);
    (16..)
        .map(centre)
        .skip_while(|&hz| hz < LOWEST_HZ)
        .take_while(|&hz| hz < f64::from(rate_hz) / 2.0)
        .map(|hz| Third { hz, low_hz: hz / half, high_hz: hz * half })
        .collect()
}

/// Power in dB; -200 of nothing.
pub(crate) fn db(power: f64) -> f64 {
    if power > 1e-20 { 10.0 * power.log10() } else { -200.0 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::{Purpose, Random};

    fn spectrum(rate_hz: u32, sound: &[f32]) -> Spectrum {
        let mut average = AverageSpectrum::new(rate_hz, 1);
        sound.chunks(777).for_each(|block| average.push(block));
        average.finish()
    }

    fn noise(frames: usize) -> Vec<f32> {
        let mut random = Random::new(1, Purpose::named("noise of the tests"), 0);
        (0..frames).map(|_| 0.2 * (random.uniform() - 0.5)).collect()
    }

    #[test]
    fn a_sine_is_in_its_third_and_at_its_centre() {
        let sine: Vec<f32> = (0..32_000).map(|t| (0.5 * (f64::from(t) * TAU / 16.0).sin()) as f32).collect();
        let found = spectrum(16_000, &sine);
        assert!((found.centroid_hz().unwrap_or(0.0) - 1_000.0).abs() < 2.0);
        let thirds = thirds(16_000);
        assert!((thirds[0].hz - 50.1).abs() < 0.1 && (thirds[thirds.len() - 1].hz - 7_943.0).abs() < 1.0);
        for (third, level) in thirds.iter().zip(found.thirds_db(16_000)) {
            let here = (third.hz - 1_000.0).abs() < 1.0;
            assert!(if here { level > -0.1 } else { level < -40.0 }, "{} Hz: {level}", third.hz);
        }
        let edge = found.edge();
        assert!((1_000.0..1_400.0).contains(&edge.hz), "{edge:?}");
    }

    #[test]
    fn noise_ends_at_half_the_rate_and_resampled_noise_where_it_was_cut() {
        let whole = spectrum(44_100, &noise(88_200)).edge();
        assert!(whole.hz > 21_500.0 && !whole.sharp, "{whole:?}");
        let clip = continuo_engine::audio::Clip { sample_rate_hz: 22_050, channels: vec![noise(44_100)] };
        let up = continuo_engine::audio::resample(&clip, 44_100).map(|clip| clip.mono()).unwrap_or_default();
        let cut = spectrum(44_100, &up).edge();
        assert!((10_300.0..11_600.0).contains(&cut.hz) && cut.sharp, "{cut:?}");
        // What 16 bits leave of it is no sound.
        let rounded: Vec<f32> = up.iter().map(|x| (x * 32_768.0).round() / 32_768.0).collect();
        let cut = spectrum(44_100, &rounded).edge();
        assert!((10_300.0..11_600.0).contains(&cut.hz) && cut.sharp, "{cut:?}");
    }

    #[test]
    fn silence_and_crumbs_have_a_spectrum_too() {
        for sound in [&[][..], &[0.5], &vec![0.0; 5_000]] {
            let found = spectrum(8_000, sound);
            assert!(found.thirds_db(8_000).iter().all(|level| level.is_finite()));
            assert!(found.edge().hz.is_finite());
        }
        assert_eq!(spectrum(8_000, &vec![0.0; 5_000]).centroid_hz(), None);
        assert!(thirds(1_000).len() > 8);
    }
}
