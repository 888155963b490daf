//! In what arithmetic a device multiplies while it trains, and what keeps small gradients alive there.
//!
//! Weights, moments, averages, sums over a loss and everything the optimiser does are f32 in any case ("mixed precision",
//! Micikevicius et al. 2018): only what is multiplied in a pass is rounded.

use serde::{Deserialize, Serialize};

/// In what arithmetic a device multiplies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Precision {
    /// 32 bits.
    #[default]
    F32,
    /// bfloat16: the range of f32 in 16 bits.
    Bf16,
    /// IEEE half precision: finer than bfloat16, and nothing below 6e-8 or above 65 504. Gradients need a [`LossScale`].
    F16,
}

impl Precision {
    /// Whether it is the 32 bits that everything is computed in where nothing else is said.
    #[allow(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
    pub fn is_f32(&self) -> bool {
        *self == Self::F32
    }

    /// Its name in configurations.
    pub fn name(self) -> &'static str {
        match self {
            Self::F32 => "f32",
            Self::Bf16 => "bf16",
            Self::F16 => "f16",
        }
    }

    /// Burn's name for it, where it is not f32.
    pub fn lower(self) -> Option<burn::tensor::FloatDType> {
        match self {
            Self::F32 => None,
            Self::Bf16 => Some(burn::tensor::FloatDType::BF16),
            Self::F16 => Some(burn::tensor::FloatDType::F16),
        }
    }

    /// What a loss is multiplied with in this precision before it is differentiated; `None` where nothing needs it.
    pub fn loss_scale(self) -> Option<LossScale> {
        (self == Self::F16).then(LossScale::default)
    }
}

/// What the loss is multiplied with so that gradients stay above the smallest number, and divided by afterwards
/// (Micikevicius et al. 2018, section 3.2). It is halved when a gradient gets too large for the precision, and doubled when
/// none has for a long time; powers of two, so that scaling rounds nothing.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct LossScale {
    factor: f32,
    /// Steps since it changed.
    steps: u32,
}

/// At first, and at most.
const FIRST: f32 = 65_536.0;
const LARGEST: f32 = 16_777_216.0;
/// Steps without an overflow before it is doubled.
const PATIENCE: u32 = 2_000;

impl Default for LossScale {
    fn default() -> Self {
        Self { factor: FIRST, steps: 0 }
    }
}

impl LossScale {
    /// The factor.
    pub fn factor(&self) -> f32 {
        self.factor
    }

    /// A step was made with it.
    pub fn fits(&mut self) {
        self.steps += 1;
        if self.steps >= PATIENCE {
            *self = Self { factor: (self.factor * 2.0).min(LARGEST), steps: 0 };
        }
    }

    /// A gradient was too large. Gives back whether a smaller factor is left to try it with again: at 1 the gradient is no
    /// number by itself.
    pub fn overflows(&mut self) -> bool {
        let again = self.factor > 1.0;
        *self = Self { factor: (self.factor / 2.0).max(1.0), steps: 0 };
        again
    }

    /// Whether it is one that this program can have written.
    pub fn is_sound(&self) -> bool {
        (1.0..=LARGEST).contains(&self.factor) && self.factor.log2().fract() == 0.0 && self.steps < PATIENCE
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::float_cmp)] // Powers of two are exact.

    use super::*;

    #[test]
    fn the_loss_scale_falls_at_once_and_rises_after_long() {
        let mut scale = LossScale::default();
        assert!(scale.is_sound() && scale.overflows());
        assert_eq!(scale.factor(), FIRST / 2.0);
        (1..PATIENCE).for_each(|_| scale.fits());
        assert_eq!(scale.factor(), FIRST / 2.0);
        scale.fits();
        assert_eq!(scale.factor(), FIRST);
        assert_eq!((0..100).take_while(|_| scale.overflows()).count(), 16, "down to 1 and no further");
        assert_eq!(scale.factor(), 1.0);
        for _ in 0..100 * PATIENCE {
            scale.fits();
        }
        assert_eq!(scale.factor(), LARGEST);
    }

    #[test]
    fn one_that_this_program_cannot_have_written_is_not_sound() {
        for text in [r#"{"factor":3.0,"steps":0}"#, r#"{"factor":0.0,"steps":0}"#, r#"{"factor":2.0,"steps":2000}"#] {
            assert!(!serde_json::from_str::<LossScale>(text).is_ok_and(|scale| scale.is_sound()), "{text}");
        }
        let scale = LossScale::default();
        let again: LossScale =
            serde_json::from_str(&serde_json::to_string(&scale).unwrap_or_default()).unwrap_or(scale);
        assert_eq!(again, scale);
    }
}
