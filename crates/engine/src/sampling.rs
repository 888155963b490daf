//! How the next symbol is drawn.

use crate::error::EngineError;

/// How codes are drawn.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Sampling {
    /// Divides the logits before the softmax: below 1 is more predictable, above 1 wilder. 0 takes the likeliest code.
    pub temperature: f32,
    /// Only the so many likeliest codes are drawn; 0 draws from all.
    pub top_k: u32,
    /// The temperature of the codes that a sound is made after, where the model has such: what is played, and not how it sounds.
    #[serde(default = "one")]
    pub code_temperature: f32,
    /// Only the so many likeliest of those codes are drawn; 0 draws from all.
    #[serde(default)]
    pub code_top_k: u32,
    /// Chooses among the possible continuations.
    pub rng_seed: u64,
}

fn one() -> f32 {
    1.0
}

impl Default for Sampling {
    fn default() -> Self {
        Self { temperature: 1.0, top_k: 0, code_temperature: 1.0, code_top_k: 0, rng_seed: 0 }
    }
}

/// The largest temperature: far beyond it every model is white noise.
const MOST_TEMPERATURE: f32 = 100.0;

impl Sampling {
    /// Checks the settings.
    ///
    /// # Errors
    /// [`EngineError::Request`]
    pub fn validate(&self) -> Result<(), EngineError> {
        for (setting, temperature) in
            [("the temperature", self.temperature), ("the temperature of the codes", self.code_temperature)]
        {
            if !(0.0..=MOST_TEMPERATURE).contains(&temperature) {
                let reason = format!("is {temperature}; it must be from 0 to {MOST_TEMPERATURE}");
                return Err(EngineError::Request { setting, reason });
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_out_of_range_are_refused() {
        for temperature in [-0.1, 101.0, f32::NAN, f32::INFINITY] {
            let error = Sampling { temperature, ..Sampling::default() }.validate().unwrap_err();
            assert!(error.to_string().starts_with("the temperature is"), "{error}");
            let error = Sampling { code_temperature: temperature, ..Sampling::default() }.validate().unwrap_err();
            assert!(error.to_string().starts_with("the temperature of the codes is"), "{error}");
        }
        assert!(Sampling::default().validate().is_ok());
    }
}
