//! From what a network puts out to the next symbol, and from symbols to amplitudes.

use super::sampler::Sampler;
use crate::random::{Place, normal};
use crate::sampling::Sampling;
use continuo_package::Signal;
use std::fmt::Debug;
use std::sync::Arc;

/// Draws symbols, and knows what they stand for.
pub trait Head: Clone + Debug + Send {
    /// A code, or a real value.
    type Symbol;

    /// Values that a network puts out for one channel of one step.
    fn outputs(&self) -> usize;

    /// The symbol of an amplitude; one that is not a number is silence.
    fn encode(&self, amplitude: f32) -> Self::Symbol;

    /// The amplitude of a symbol.
    fn decode(&self, symbol: Self::Symbol) -> f32;

    /// The next symbol; `None` where one of the outputs is not a finite number.
    fn draw(&mut self, outputs: &[f32], place: Place) -> Option<Self::Symbol>;

    /// How unlikely a symbol is under the model, whatever the settings it was drawn with, in nats; `None` where the model gives
    /// no likelihood.
    fn surprise(&mut self, outputs: &[f32], symbol: Self::Symbol) -> Option<f64>;
}

/// Draws codes from the softmax of logits.
#[derive(Debug, Clone)]
pub struct Softmax {
    signal: Signal,
    amplitudes: Arc<[f32]>,
    sampling: Sampling,
    sampler: Sampler,
}

impl Softmax {
    /// For a signal of codes; a real one has none, and then no code is ever drawn.
    pub fn new(signal: Signal, sampling: Sampling) -> Self {
        Self { signal, amplitudes: signal.table().into(), sampling, sampler: Sampler::default() }
    }
}

impl Head for Softmax {
    type Symbol = u32;

    fn outputs(&self) -> usize {
        self.amplitudes.len()
    }

    fn encode(&self, amplitude: f32) -> u32 {
        self.signal.encode(amplitude)
    }

    fn decode(&self, code: u32) -> f32 {
        self.amplitudes.get(code as usize).copied().unwrap_or_default()
    }

    fn draw(&mut self, logits: &[f32], place: Place) -> Option<u32> {
        self.sampler.draw(logits, &self.sampling, place)
    }

    fn surprise(&mut self, logits: &[f32], code: u32) -> Option<f64> {
        self.sampler.surprise(logits, code)
    }
}

/// Passes the network's value on as the next amplitude, or adds noise to it: a network that is trained with the squared error
/// puts out the mean of what may come, and what it leaves out is as loud as its error.
#[derive(Debug, Clone, Copy, Default)]
pub struct Real {
    /// Standard deviation of the noise.
    deviation: f64,
    rng_seed: u64,
}

impl Real {
    /// With white noise of `noise` times the temperature.
    pub fn with_noise(noise: f32, sampling: Sampling) -> Self {
        Self { deviation: f64::from(noise) * f64::from(sampling.temperature), rng_seed: sampling.rng_seed }
    }
}

impl Head for Real {
    type Symbol = f32;

    fn outputs(&self) -> usize {
        1
    }

    fn encode(&self, amplitude: f32) -> f32 {
        if amplitude.is_nan() { 0.0 } else { amplitude.clamp(-1.0, 1.0) }
    }

    fn decode(&self, value: f32) -> f32 {
        value
    }

    fn draw(&mut self, values: &[f32], place: Place) -> Option<f32> {
        let value = values.first().copied().filter(|value| value.is_finite())?;
        let noise = if self.deviation > 0.0 { self.deviation * normal(self.rng_seed, place) } else { 0.0 };
        Some((f64::from(value) + noise).clamp(-1.0, 1.0) as f32)
    }

    fn surprise(&mut self, _values: &[f32], _value: f32) -> Option<f64> {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_real_head_passes_what_is_a_number() {
        let place = Place { variation: 0, frame: 0, channel: 0 };
        let mut real = Real::default();
        assert_eq!(real.draw(&[0.25], place), Some(0.25));
        assert_eq!(real.draw(&[3.0], place), Some(1.0));
        for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            assert_eq!(real.draw(&[bad], place), None);
        }
        assert_eq!(real.draw(&[], place), None);
        for (amplitude, value) in [(f32::NAN, 0.0f32), (-7.0, -1.0), (0.5, 0.5)] {
            assert_eq!(real.encode(amplitude).to_bits(), value.to_bits());
        }
    }

    #[test]
    fn noise_is_as_loud_as_stated_and_depends_on_its_place() {
        let draw = |temperature, variation, frame| {
            let sampling = Sampling { temperature, rng_seed: 5, ..Sampling::default() };
            let place = Place { variation, frame, channel: 0 };
            Real::with_noise(0.02, sampling).draw(&[0.25], place).map(f64::from).unwrap_or_default()
        };
        assert_eq!(draw(0.0, 0, 0).to_bits(), 0.25f64.to_bits(), "temperature 0 adds none");
        for temperature in [0.5f32, 1.0] {
            let squares: f64 = (0..10_000).map(|frame| (draw(temperature, 0, frame) - 0.25).powi(2)).sum();
            let (found, stated) = ((squares / 10_000.0).sqrt(), 0.02 * f64::from(temperature));
            assert!((found / stated - 1.0).abs() < 0.04, "{found} in place of {stated}");
        }
        assert_eq!(draw(1.0, 2, 9).to_bits(), draw(1.0, 2, 9).to_bits());
        assert_ne!(draw(1.0, 2, 9).to_bits(), draw(1.0, 3, 9).to_bits());
    }

    #[test]
    fn codes_stand_for_the_signals_amplitudes() {
        let signal = Signal::MuLaw { levels: 256 };
        let head = Softmax::new(signal, Sampling::default());
        assert_eq!(head.outputs(), 256);
        for code in 0..256 {
            assert_eq!(head.encode(head.decode(code)), code);
        }
        assert!(head.decode(256).abs() < f32::EPSILON);
    }
}
