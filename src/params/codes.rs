//! How the codes are chosen that a sound is made after, where the model has such: what is played, while temperature and top-k
//! decide how it sounds.

use std::sync::Arc;

use nice_plug::prelude::*;

use super::text::{decimals, number};
use crate::wildness::{self, MOST_TEMPERATURE};

/// What decides which codes come next. A state without them is of a time when no model had codes.
#[derive(Params)]
pub struct CodeParams {
    /// Sampling temperature of the codes; 0 always takes the likeliest.
    #[id = "code_temperature"]
    pub temperature: FloatParam,
    /// Sample from the so many likeliest codes only; 0 is off.
    #[id = "code_top_k"]
    pub top_k: IntParam,
}

impl Default for CodeParams {
    fn default() -> Self {
        let most = MOST_TEMPERATURE;
        Self {
            temperature: FloatParam::new("Code temperature", 1.0, FloatRange::Linear { min: 0.0, max: most })
                .with_value_to_string(Arc::new(|value| decimals(f64::from(value), 3)))
                .with_string_to_value(Arc::new(|text| number(text, &[]))),
            top_k: IntParam::new("Code top k", 0, IntRange::Linear { min: 0, max: 256 })
                .with_value_to_string(Arc::new(|value| if value == 0 { "off".to_owned() } else { value.to_string() }))
                .with_string_to_value(Arc::new(|text| {
                    let text = text.trim();
                    if text.eq_ignore_ascii_case("off") { Some(0) } else { text.parse().ok() }
                })),
        }
    }
}

impl CodeParams {
    /// Temperature and top-k at a wildness from 0 to 1.
    pub fn settings(&self, wildness: f32) -> (f32, u32) {
        wildness::settings(wildness, self.temperature.value(), self.top_k.value().unsigned_abs())
    }
}
