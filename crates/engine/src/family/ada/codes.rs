//! What draws codes: a prior, or the local model of the level above. Either is a voice whose frames are codes.

use crate::autoregressive::{Autoregressive, Head, Sampler};
use crate::family::wavenet::NetStepper;
use crate::random::Place;
use crate::sampling::Sampling;

/// A voice of codes.
pub(super) type Codes = Autoregressive<NetStepper<u32>, CodeHead>;

/// Where steps are counted from at the seam: what lies before it has numbers too.
pub(super) const SEAM: u64 = 1 << 32;

/// Draws codes. As amplitudes, they are counted from the one that stands for endless silence.
#[derive(Debug, Clone)]
pub(super) struct CodeHead {
    sampler: Sampler,
    sampling: Sampling,
    codes: u32,
    silence: u32,
    /// The level whose codes these are.
    level: u32,
    /// The number of the frame at the seam.
    seam_frame: u64,
    frames_per_code: u64,
}

impl CodeHead {
    /// For the codes of a level, of which the one at the seam begins with this frame, and each stands for so many.
    pub fn new(
        sampling: Sampling,
        (codes, silence): (u32, u32),
        level: usize,
        seam_frame: u64,
        frames_per_code: u64,
    ) -> Self {
        // Codes have settings of their own; the seed is the same, and the places tell the numbers apart.
        let sampling = Sampling { temperature: sampling.code_temperature, top_k: sampling.code_top_k, ..sampling };
        let (sampler, level) = (Sampler::default(), level as u32);
        Self { sampler, sampling, codes, silence, level, seam_frame, frames_per_code }
    }

    /// A code as an amplitude.
    pub fn amplitude(&self, code: u32) -> f32 {
        // Both are below 2^16, so this is exact.
        code as f32 - self.silence as f32
    }

    /// The code of an amplitude.
    pub fn code(&self, amplitude: f32) -> u32 {
        ((amplitude + self.silence as f32) as u32).min(self.codes - 1)
    }
}

impl Head for CodeHead {
    type Symbol = u32;

    fn outputs(&self) -> usize {
        self.codes as usize
    }

    fn encode(&self, amplitude: f32) -> u32 {
        self.code(amplitude)
    }

    fn decode(&self, code: u32) -> f32 {
        self.amplitude(code)
    }

    /// The number for a code is that of the frame it begins with, on a channel that no audio has.
    fn draw(&mut self, logits: &[f32], place: Place) -> Option<u32> {
        let codes = place.frame.saturating_sub(SEAM);
        let frame = self.seam_frame + codes * self.frames_per_code;
        self.sampler.draw(logits, &self.sampling, Place { frame, channel: u32::MAX - self.level, ..place })
    }

    fn surprise(&mut self, logits: &[f32], code: u32) -> Option<f64> {
        self.sampler.surprise(logits, code)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_and_amplitudes_are_the_same() {
        let head = CodeHead::new(Sampling::default(), (65_536, 40_000), 0, 5, 8);
        for code in [0, 1, 39_999, 40_000, 40_001, 65_535] {
            assert_eq!(head.encode(head.decode(code)), code);
        }
        assert_eq!(head.encode(0.0), 40_000);
    }

    #[test]
    fn a_codes_number_is_its_frames_and_no_samples() {
        // The code of an even distribution says which number was drawn.
        let drawn = |level, step, variation| {
            let mut head = CodeHead::new(Sampling::default(), (4096, 0), level, 1000, 8);
            head.draw(&[0.0; 4096], Place { variation, frame: SEAM + step, channel: 0 }).unwrap()
        };
        let of_frame = |frame, channel| {
            let place = Place { variation: 3, frame, channel };
            (crate::random::uniform(0, place) * 4096.0) as u32
        };
        assert_eq!(drawn(0, 2, 3), of_frame(1016, u32::MAX));
        assert_eq!(drawn(1, 2, 3), of_frame(1016, u32::MAX - 1));
        assert_ne!(drawn(0, 2, 3), of_frame(1016, 0));
        assert_ne!(drawn(0, 2, 3), drawn(0, 2, 4));
    }
}
