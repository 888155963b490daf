//! What computes a WaveNet's loss and gradient.

/// Why a pass cannot run.
#[derive(Debug, thiserror::Error)]
pub enum ComputeError {
    /// The threads could not be started.
    #[error("the threads for training could not be started: {reason}. Set `threads` in the configuration lower")]
    Threads {
        /// What the system said.
        reason: String,
    },
    /// A sequence without a single target.
    #[error(
        "a sequence of {frames} frames is not longer than the receptive field of {receptive}. Choose longer chunks"
    )]
    TooShort {
        /// Codes in the sequence.
        frames: usize,
        /// The model's receptive field.
        receptive: usize,
    },
    /// A code that the model does not have.
    #[error("code {code} does not exist in a model of {levels} levels. Prepare the dataset again")]
    Code {
        /// The code.
        code: u16,
        /// `Q`.
        levels: u32,
    },
    /// The device failed.
    #[error("{device}: {reason}")]
    Device {
        /// Which.
        device: String,
        /// What it said.
        reason: String,
    },
}

/// Something that computes a WaveNet's loss and gradient from the flat vector of its weights.
///
/// A sequence is receptive field + N codes: each of the last N is predicted from the receptive field before it.
pub trait Compute {
    /// The device, in words.
    fn device(&self) -> String;

    /// From now on, gradients are those of the cross-entropy plus `weight` times the logits' mean square. At first the
    /// weight is 0.
    fn penalise_logits(&mut self, weight: f64);

    /// The mean cross-entropy over all targets of the batch, in nats; the gradient of it, and of the penalty on logits if
    /// there is one, goes to `gradient`.
    ///
    /// # Errors
    /// [`ComputeError`] if the sequences do not fit the model, or the device fails.
    fn gradient(&mut self, values: &[f32], batch: &[Vec<u16>], gradient: &mut [f32]) -> Result<f64, ComputeError>;

    /// The mean cross-entropy over all targets of the batch, in nats.
    ///
    /// # Errors
    /// As [`Compute::gradient`].
    fn loss(&mut self, values: &[f32], batch: &[Vec<u16>]) -> Result<f64, ComputeError>;

    /// The logits `[N, Q]` of one sequence, row by row, for the last N frames of `codes`.
    ///
    /// # Errors
    /// As [`Compute::gradient`].
    fn logits(&mut self, values: &[f32], codes: &[u16]) -> Result<Vec<f32>, ComputeError>;
}
