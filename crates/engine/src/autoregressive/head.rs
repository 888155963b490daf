//! From what a network puts out to the next symbol, and from symbols to amplitudes.

use super::sampler::Sampler;
use crate::random::Place;
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
}

/// Passes the network's value on as the next amplitude.
#[derive(Debug, Clone, Copy)]
pub struct Real;

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

    fn draw(&mut self, values: &[f32], _place: Place) -> Option<f32> {
        values.first().copied().filter(|value| value.is_finite()).map(|value| value.clamp(-1.0, 1.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_real_head_passes_what_is_a_number() {
        let place = Place { variation: 0, frame: 0, channel: 0 };
        assert_eq!(Real.draw(&[0.25], place), Some(0.25));
        assert_eq!(Real.draw(&[3.0], place), Some(1.0));
        for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            assert_eq!(Real.draw(&[bad], place), None);
        }
        assert_eq!(Real.draw(&[], place), None);
        for (amplitude, value) in [(f32::NAN, 0.0f32), (-7.0, -1.0), (0.5, 0.5)] {
            assert_eq!(Real.encode(amplitude).to_bits(), value.to_bits());
        }
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
