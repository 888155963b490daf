//! The ends of parameters' ranges.

use nice_plug::prelude::{FloatRange, IntRange};

/// Least and greatest value.
pub fn bounds(range: &FloatRange) -> (f32, f32) {
    match range {
        FloatRange::Linear { min, max }
        | FloatRange::Skewed { min, max, .. }
        | FloatRange::SymmetricalSkewed { min, max, .. } => (*min, *max),
        FloatRange::Reversed(range) => bounds(range),
    }
}

/// Least and greatest whole number.
pub fn whole_bounds(range: &IntRange) -> (i32, i32) {
    match range {
        IntRange::Linear { min, max } => (*min, *max),
        IntRange::Reversed(range) => whole_bounds(range),
    }
}
