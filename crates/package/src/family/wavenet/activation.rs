//! What a layer's outputs go through.

use serde::{Deserialize, Serialize};

/// A function of each value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Activation {
    /// max(x, 0).
    #[default]
    Relu,
    /// tanh(x).
    Tanh,
    /// [`Activation::AMPLITUDE`] · tanh([`Activation::SLOPE`] · x), whose slope is about 1 between −1 and 1, so that full
    /// scale is not at the end of its range (`LeCun` et al., *Efficient backprop*, 1998, section 4.4).
    ScaledTanh,
    /// x itself.
    None,
}

impl Activation {
    /// The scaled tanh reaches from minus this to this.
    pub const AMPLITUDE: f32 = 1.7159;
    /// What the scaled tanh multiplies its argument with.
    pub const SLOPE: f32 = 2.0 / 3.0;

    /// Whether it is what the 2016 paper has.
    #[allow(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
    pub fn is_relu(&self) -> bool {
        *self == Self::Relu
    }

    /// Whether it leaves values as they are.
    #[allow(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
    pub fn is_none(&self) -> bool {
        *self == Self::None
    }

    /// Whether it keeps values within bounds.
    pub fn is_bounded(self) -> bool {
        matches!(self, Self::Tanh | Self::ScaledTanh)
    }

    /// Its value, in double precision: what others are held against.
    pub fn of(self, x: f64) -> f64 {
        match self {
            Self::Relu => x.max(0.0),
            Self::Tanh => x.tanh(),
            Self::ScaledTanh => f64::from(Self::AMPLITUDE) * (f64::from(Self::SLOPE) * x).tanh(),
            Self::None => x,
        }
    }
}

impl std::fmt::Display for Activation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Relu => "relu",
            Self::Tanh => "tanh",
            Self::ScaledTanh => "scaled-tanh",
            Self::None => "none",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_scaled_tanh_passes_full_scale_as_it_is() {
        // As LeCun et al. choose the constants: f(1) = 1 and f(−1) = −1.
        for x in [-1.0, 1.0] {
            assert!((Activation::ScaledTanh.of(x) - x).abs() < 1e-4);
        }
    }

    #[test]
    fn names_are_those_of_the_manifest() {
        for activation in [Activation::Relu, Activation::Tanh, Activation::ScaledTanh, Activation::None] {
            assert_eq!(serde_json::to_string(&activation).ok(), Some(format!("\"{activation}\"")));
        }
    }
}
