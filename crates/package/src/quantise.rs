//! Amplitude ↔ code: µ-law and linear quantisation.
//!
//! µ-law follows ITU-T G.711's continuous curve with µ = levels − 1, rounded as the public tensorflow-wavenet rounds
//! (van den Oord et al., *WaveNet*, 2016, section 2.2), so that models trained by either agree on every code.

use crate::manifest::Quantisation;

impl Quantisation {
    /// Number of codes, or `None` for a model of real values.
    pub fn levels(self) -> Option<u32> {
        match self {
            Self::MuLaw { levels } | Self::Linear { levels } => Some(levels),
            Self::None => None,
        }
    }

    /// The code that stands for silence.
    pub fn silence(self) -> u32 {
        self.encode(0.0)
    }

    /// The code of an amplitude in [−1, 1]; values outside are clamped, NaN is silence.
    ///
    /// Without quantisation there are no codes and the result is 0.
    pub fn encode(self, amplitude: f32) -> u32 {
        let amplitude = if amplitude.is_nan() { 0.0 } else { f64::from(amplitude.clamp(-1.0, 1.0)) };
        match self {
            Self::MuLaw { levels } => {
                let mu = f64::from(levels - 1);
                let curved = amplitude.signum() * (mu * amplitude.abs()).ln_1p() / mu.ln_1p();
                f64::midpoint(curved, 1.0).mul_add(mu, 0.5) as u32
            }
            Self::Linear { levels } => {
                let top = f64::from(levels - 1);
                f64::midpoint(amplitude, 1.0).mul_add(top, 0.5) as u32
            }
            Self::None => 0,
        }
    }

    /// The amplitude of a code, in [−1, 1]. Codes above the last are taken as the last.
    pub fn decode(self, code: u32) -> f32 {
        match self {
            Self::MuLaw { levels } => {
                let mu = f64::from(levels - 1);
                let curved = 2.0 * (f64::from(code.min(levels - 1)) / mu) - 1.0;
                (curved.signum() / mu * (curved.abs() * mu.ln_1p()).exp_m1()) as f32
            }
            Self::Linear { levels } => (2.0 * f64::from(code.min(levels - 1)) / f64::from(levels - 1) - 1.0) as f32,
            Self::None => 0.0,
        }
    }

    /// Every code's amplitude, in order: a table for [`Quantisation::decode`]. Empty without quantisation.
    pub fn table(self) -> Vec<f32> {
        (0..self.levels().unwrap_or(0)).map(|code| self.decode(code)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CASES: [Quantisation; 4] = [
        Quantisation::MuLaw { levels: 256 },
        Quantisation::MuLaw { levels: 64 },
        Quantisation::Linear { levels: 256 },
        Quantisation::Linear { levels: 65_536 },
    ];

    #[test]
    fn decode_then_encode_is_the_identity() {
        for quantisation in CASES {
            for code in 0..quantisation.levels().unwrap_or(0) {
                assert_eq!(quantisation.encode(quantisation.decode(code)), code, "{quantisation:?}");
            }
        }
    }

    #[test]
    fn agrees_with_tensorflow_wavenet() {
        // mu_law_encode of tensorflow-wavenet on these amplitudes, 256 channels.
        let mu_law = Quantisation::MuLaw { levels: 256 };
        let expected = [(-1.0, 0), (-0.5, 16), (-0.01, 98), (0.0, 128), (0.01, 157), (0.5, 239), (1.0, 255)];
        for (amplitude, code) in expected {
            assert_eq!(mu_law.encode(amplitude), code, "at {amplitude}");
        }
    }

    #[test]
    fn is_monotonic_and_survives_anything() {
        for quantisation in CASES {
            let codes: Vec<u32> = (-2000..=2000).map(|step| quantisation.encode(step as f32 / 1500.0)).collect();
            assert!(codes.windows(2).all(|pair| pair[0] <= pair[1]));
            assert_eq!(quantisation.encode(f32::NAN), quantisation.silence());
            assert_eq!(quantisation.encode(f32::INFINITY), quantisation.levels().unwrap_or(0) - 1);
            assert_eq!(quantisation.encode(f32::NEG_INFINITY), 0);
        }
    }
}
