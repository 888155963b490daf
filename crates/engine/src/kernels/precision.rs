//! In what numbers weights and activations are multiplied.

use serde::{Deserialize, Serialize};

/// The numbers of a network's products. Everything between them (sums, gates, residuals) is 32-bit floating point.
///
/// Activations are rounded where a product reads them, and that is also how a layer's past is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Precision {
    /// 32-bit floating point: the model as it was trained.
    #[default]
    F32,
    /// bfloat16 weights and activations (8 bits of significand), summed in 32 bits.
    Bf16,
    /// 8-bit weights with a scale per output channel, 8-bit activations with a scale per frame, summed in 32-bit
    /// integers, exactly.
    Int8,
}

impl Precision {
    /// All of them, the most exact first, which is also the slowest.
    pub const ALL: [Self; 3] = [Self::F32, Self::Bf16, Self::Int8];

    /// The name in manifests, settings and on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::F32 => "f32",
            Self::Bf16 => "bf16",
            Self::Int8 => "int8",
        }
    }

    /// The precision of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|precision| precision.name() == name)
    }

    /// Values in one 32-bit word.
    pub(super) const fn per_word(self) -> usize {
        match self {
            Self::F32 => 1,
            Self::Bf16 => 2,
            Self::Int8 => 4,
        }
    }

    /// Words that hold `values` values.
    pub(super) const fn words(self, values: usize) -> usize {
        values.div_ceil(self.per_word())
    }
}

impl std::fmt::Display for Precision {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

/// The largest code of an 8-bit value; codes are symmetric, so that −128 never occurs.
pub(super) const MOST_CODE: f32 = 127.0;

/// One row of weights as 8-bit codes with their scale: `weight ≈ scale · code`.
pub(super) fn row_codes(row: &[f32]) -> (f32, Vec<i8>) {
    let largest = row.iter().fold(0f32, |largest, weight| largest.max(weight.abs()));
    if largest < f32::MIN_POSITIVE * MOST_CODE {
        return (0.0, vec![0; row.len()]);
    }
    let scale = largest / MOST_CODE;
    let code = |weight: &f32| (weight / scale).round_ties_even().clamp(-MOST_CODE, MOST_CODE) as i8;
    (scale, row.iter().map(code).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_come_back() {
        for precision in Precision::ALL {
            assert_eq!(Precision::named(precision.name()), Some(precision));
        }
        assert_eq!(Precision::named("int4"), None);
    }

    #[test]
    fn rows_keep_their_largest_weight_and_lose_half_a_code_at_most() {
        let row = [0.5f32, -1.0, 0.013, 0.0, 0.999];
        let (scale, codes) = row_codes(&row);
        assert_eq!(codes[1], -127);
        for (weight, code) in row.iter().zip(&codes) {
            assert!((weight - scale * f32::from(*code)).abs() <= scale * 0.5001);
        }
        assert_eq!(row_codes(&[0.0; 3]), (0.0, vec![0; 3]));
        assert_eq!(row_codes(&[1e-44, -1e-45]), (0.0, vec![0; 2]));
    }
}
