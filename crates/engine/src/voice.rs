//! What plays: the voice of a model, for some variations of one take.

use crate::error::EngineError;
use crate::kernels::Precision;
use crate::sampling::Sampling;
use crate::workers::Workers;
use std::fmt::Debug;
use std::ops::Range;
use std::sync::atomic::AtomicBool;

/// Most variations of one voice.
pub const MOST_VARIATIONS: u32 = 64;

/// What a voice is to do.
#[derive(Debug, Clone)]
pub struct VoiceRequest {
    /// How symbols are drawn.
    pub sampling: Sampling,
    /// Which of the model's classes is asked for; see [`crate::Abilities::classes`].
    pub class: u32,
    /// The variations' numbers.
    pub variations: Range<u32>,
    /// In what the products are computed; `None` leaves it to the model.
    pub precision: Option<Precision>,
    /// The threads that may be used.
    pub workers: Workers,
}

impl VoiceRequest {
    /// These variations on the calling thread, in the model's own precision.
    pub fn new(sampling: Sampling, variations: Range<u32>) -> Self {
        Self { sampling, class: 0, variations, precision: None, workers: Workers::alone() }
    }

    /// Checks what does not depend on the model.
    ///
    /// # Errors
    /// [`EngineError::Request`] for settings out of range, for no variations or for more than [`MOST_VARIATIONS`].
    pub fn validate(&self) -> Result<(), EngineError> {
        self.sampling.validate()?;
        let count = self.variations.end.saturating_sub(self.variations.start);
        if count == 0 || count > MOST_VARIATIONS {
            let reason = format!("is {count}; it must be from 1 to {MOST_VARIATIONS}");
            return Err(EngineError::Request { setting: "the number of variations", reason });
        }
        Ok(())
    }
}

/// A model that plays some variations of one take.
///
/// Each frame of a variation depends on the primed clip, the model, the precision, the settings, the variation's number and
/// the frame's index alone: not on which variations are generated together, nor on how priming and generating were cut into
/// calls, nor on the threads. After an error a voice is of no more use.
pub trait Voice: Debug + Send {
    /// Audio channels.
    fn channels(&self) -> usize;

    /// The variations' numbers.
    fn variations(&self) -> Range<u32>;

    /// The number of the next frame, counted from the first primed one.
    fn position(&self) -> u64;

    /// Takes in a clip in [−1, 1] at the model's rate, one slice per channel, as if every variation had generated it. A clip
    /// may come in pieces.
    ///
    /// # Errors
    /// [`EngineError::Cancelled`] when `cancel` became true; [`EngineError::Request`] where there is not one slice per channel,
    /// all of one length; [`EngineError::Session`] from ONNX Runtime.
    fn prime(&mut self, clip: &[&[f32]], cancel: &AtomicBool) -> Result<(), EngineError>;

    /// Does what comes before the first frame. Priming and generating do it as well; this tells how long it takes.
    ///
    /// # Errors
    /// [`EngineError::Cancelled`] when `cancel` became true, [`EngineError::Session`] from ONNX Runtime.
    fn begin(&mut self, cancel: &AtomicBool) -> Result<(), EngineError>;

    /// Generates frames and appends their amplitudes to the vectors: one per channel of each variation, variation by
    /// variation.
    ///
    /// # Errors
    /// [`EngineError::Cancelled`] when `cancel` became true: what was appended is then not of one length.
    /// [`EngineError::Request`] where there are not as many vectors; [`EngineError::NotFinite`] from a damaged model,
    /// [`EngineError::Session`] from ONNX Runtime.
    fn generate(&mut self, frames: usize, out: &mut [Vec<f32>], cancel: &AtomicBool) -> Result<(), EngineError>;

    /// How unlikely what was generated is under the model itself, whatever the temperature: per variation the mean negative
    /// log-likelihood of a symbol, in bits. Empty where the model gives no likelihood, and before anything was generated.
    fn bits_per_symbol(&self) -> Vec<f64> {
        Vec::new()
    }
}
