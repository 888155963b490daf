//! The audio as a model sees it: codes (µ-law or linear quantisation) or real values, and how far back it looks.
//!
//! µ-law follows ITU-T G.711's continuous curve with µ = levels − 1, rounded as the public tensorflow-wavenet rounds
//! (van den Oord et al., *WaveNet*, 2016, section 2.2), so that models trained by either agree on every code.

use serde::{Deserialize, Serialize};

/// What a model takes an amplitude in [−1, 1] for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Signal {
    /// One of `levels` codes: µ-law companding with µ = levels − 1.
    MuLaw {
        /// Number of codes.
        levels: u32,
    },
    /// One of `levels` codes, equal steps apart.
    Linear {
        /// Number of codes.
        levels: u32,
    },
    /// A real value.
    #[serde(alias = "none")]
    Real,
}

/// How much of the past decides what comes next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Reach {
    /// This many frames, the newest included: a receptive field.
    Frames {
        /// Frames of audio.
        frames: u64,
    },
    /// All of it, through a recurrent state.
    Unbounded,
    /// None: all frames come at once.
    None {
        /// Frames that one run makes.
        length_frames: u64,
    },
}

impl std::fmt::Display for Signal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::MuLaw { levels } => write!(f, "µ-law, {levels} levels"),
            Self::Linear { levels } => write!(f, "linear, {levels} levels"),
            Self::Real => f.write_str("real values"),
        }
    }
}

impl Reach {
    /// The receptive field, where there is one.
    pub fn frames(self) -> Option<u64> {
        match self {
            Self::Frames { frames } => Some(frames),
            Self::Unbounded | Self::None { .. } => None,
        }
    }

    /// Frames of audio that decide the next one, of at most `available`.
    pub fn heard(self, available: u64) -> u64 {
        match self {
            Self::Frames { frames } => frames.min(available),
            Self::Unbounded => available,
            Self::None { .. } => 0,
        }
    }
}

impl Signal {
    /// Number of codes, or `None` for a model of real values.
    pub fn levels(self) -> Option<u32> {
        match self {
            Self::MuLaw { levels } | Self::Linear { levels } => Some(levels),
            Self::Real => None,
        }
    }

    /// The code that stands for silence.
    pub fn silence(self) -> u32 {
        self.encode(0.0)
    }

    /// The code of an amplitude in [−1, 1]; values outside are clamped, NaN is silence.
    ///
    /// Where the signal is real there are no codes and the result is 0.
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
            Self::Real => 0,
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
            Self::Real => 0.0,
        }
    }

    /// Every code's amplitude, in order: a table for [`Signal::decode`]. Empty where the signal is real.
    pub fn table(self) -> Vec<f32> {
        (0..self.levels().unwrap_or(0)).map(|code| self.decode(code)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CASES: [Signal; 4] = [
        Signal::MuLaw { levels: 256 },
        Signal::MuLaw { levels: 64 },
        Signal::Linear { levels: 256 },
        Signal::Linear { levels: 65_536 },
    ];

    #[test]
    fn decode_then_encode_is_the_identity() {
        for signal in CASES {
            for code in 0..signal.levels().unwrap_or(0) {
                assert_eq!(signal.encode(signal.decode(code)), code, "{signal:?}");
            }
        }
    }

    #[test]
    fn agrees_with_tensorflow_wavenet() {
        // mu_law_encode of tensorflow-wavenet on these amplitudes, 256 channels.
        let mu_law = Signal::MuLaw { levels: 256 };
        let expected = [(-1.0, 0), (-0.5, 16), (-0.01, 98), (0.0, 128), (0.01, 157), (0.5, 239), (1.0, 255)];
        for (amplitude, code) in expected {
            assert_eq!(mu_law.encode(amplitude), code, "at {amplitude}");
        }
    }

    #[test]
    fn is_monotonic_and_survives_anything() {
        for signal in CASES {
            let codes: Vec<u32> = (-2000..=2000).map(|step| signal.encode(step as f32 / 1500.0)).collect();
            assert!(codes.windows(2).all(|pair| pair[0] <= pair[1]));
            assert_eq!(signal.encode(f32::NAN), signal.silence());
            assert_eq!(signal.encode(f32::INFINITY), signal.levels().unwrap_or(0) - 1);
            assert_eq!(signal.encode(f32::NEG_INFINITY), 0);
        }
    }
}
