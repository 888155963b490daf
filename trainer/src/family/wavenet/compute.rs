//! What computes a WaveNet's loss and gradient.

use continuo_package::family::wavenet::WaveNetShape;

use super::sequence::{Sequence, Symbols};
use crate::data::dataset::{Chunk, Dataset};
use crate::nn::{Diverged, LossScale, Moved, Network, Precision, Unmoved};
use crate::peers::PeersError;

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
    /// Codes for a model of real values, or the other way round.
    #[error("a sequence holds {found}; the model takes {wanted}")]
    Symbols {
        /// What it holds.
        found: &'static str,
        /// What it should.
        wanted: &'static str,
    },
    /// A class that the model does not have.
    #[error("a sequence is of class {class}, counted from 0; the model has {classes}")]
    Class {
        /// The class.
        class: usize,
        /// How many there are.
        classes: usize,
    },
    /// The device has too little memory.
    #[error(
        "{device}: a batch of {sequences} × {frames} frames does not fit ({reason}). Halve `batch`, or chunk_frames where \
         the batch is 1 already"
    )]
    Memory {
        /// Which device.
        device: String,
        /// Sequences of the batch.
        sequences: usize,
        /// Frames of each that count for the loss.
        frames: usize,
        /// What the device said.
        reason: String,
    },
    /// The device does not multiply in the precision that is wanted.
    #[error("{device} does not compute in {}. Set training.precision to another, or leave it out for f32", precision.name())]
    Precision {
        /// Which device.
        device: String,
        /// What it was to compute in.
        precision: Precision,
    },
    /// A loss, gradient or weight is no number.
    #[error(transparent)]
    Diverged(#[from] Diverged),
    /// Another worker is lost.
    #[error(transparent)]
    Peers(#[from] PeersError),
    /// The device failed.
    #[error("{device}: {reason}")]
    Device {
        /// Which.
        device: String,
        /// What it said.
        reason: String,
    },
}

impl From<Unmoved> for ComputeError {
    fn from(unmoved: Unmoved) -> Self {
        match unmoved {
            Unmoved::Diverged(diverged) => diverged.into(),
            Unmoved::Peers(error) => error.into(),
        }
    }
}

/// Checks that sequences fit a model, and counts their targets.
///
/// # Errors
/// What does not fit.
pub fn count_targets(shape: &WaveNetShape, batch: &[Sequence]) -> Result<usize, ComputeError> {
    let receptive = shape.receptive_field_frames() as usize;
    let classes = shape.classes.len().max(1);
    let mut targets = 0;
    for sequence in batch {
        if sequence.len() <= receptive {
            return Err(ComputeError::TooShort { frames: sequence.len(), receptive });
        }
        match &sequence.symbols {
            Symbols::Codes(_) if shape.is_real() => {
                return Err(ComputeError::Symbols { found: "codes", wanted: "real values" });
            }
            Symbols::Values(_) if !shape.is_real() => {
                return Err(ComputeError::Symbols { found: "real values", wanted: "codes" });
            }
            Symbols::Codes(codes) => {
                if let Some(&code) = codes.iter().find(|&&code| u32::from(code) >= shape.levels) {
                    return Err(ComputeError::Code { code, levels: shape.levels });
                }
            }
            Symbols::Values(_) => {}
        }
        if sequence.class >= classes {
            return Err(ComputeError::Class { class: sequence.class, classes });
        }
        targets += sequence.len() - receptive;
    }
    Ok(targets)
}

/// Something that computes a WaveNet's loss and gradient from the flat vector of its weights.
///
/// The loss is the cross-entropy in nats, or where values are real the squared error.
pub trait Compute {
    /// The device, in words.
    fn device(&self) -> String;

    /// From now on, gradients are those of the cross-entropy plus `weight` times the logits' mean square. At first the
    /// weight is 0. A model of real values has no logits.
    fn penalise_logits(&mut self, weight: f64);

    /// From now on, gradients are those of the loss plus `weight` times half the sum of all squared weights, biases not among
    /// them. At first the weight is 0.
    fn penalise_weights(&mut self, weight: f64);

    /// From now on, a pass multiplies in this precision, with f32 weights, losses and gradients around it. At first it is f32,
    /// and what computes in nothing else stays at that.
    ///
    /// # Errors
    /// [`ComputeError::Precision`] if the device does not have it.
    fn multiply_in(&mut self, _precision: Precision) -> Result<(), ComputeError> {
        Ok(())
    }

    /// In what precision a pass multiplies.
    fn precision(&self) -> Precision {
        Precision::F32
    }

    /// What losses are multiplied with, where the precision needs it; a part of what the next step depends on.
    fn loss_scale(&self) -> Option<LossScale> {
        None
    }

    /// Goes on with a loss scale. One that is not needed is forgotten.
    fn set_loss_scale(&mut self, _scale: LossScale) {}

    /// The mean loss over all targets of the batch; the gradient of it, and of the penalty on logits if there is one, goes to
    /// `gradient`.
    ///
    /// # Errors
    /// [`ComputeError`] if the sequences do not fit the model, or the device fails.
    fn gradient(&mut self, values: &[f32], batch: &[Sequence], gradient: &mut [f32]) -> Result<f64, ComputeError>;

    /// The mean loss over all targets of the batch.
    ///
    /// # Errors
    /// As [`Compute::gradient`].
    fn loss(&mut self, values: &[f32], batch: &[Sequence]) -> Result<f64, ComputeError>;

    /// The logits `[N, Q]` of one sequence, row by row, for its last N frames; or what values are computed for them, `[N, 1]`.
    ///
    /// # Errors
    /// As [`Compute::gradient`].
    fn outputs(&mut self, values: &[f32], sequence: &Sequence) -> Result<Vec<f32>, ComputeError>;

    /// The same with the network kept where it is computed, if this can do so.
    fn resident(&mut self) -> Option<&mut dyn Resident> {
        None
    }
}

/// Something that trains a network on the device that computes it: weights, moments and average stay there between steps.
pub trait Resident {
    /// Copies a network to the device, to be trained there from now on. Gives back whether its optimiser runs there.
    ///
    /// # Errors
    /// [`ComputeError`] if the device fails.
    fn load(&mut self, network: &Network) -> Result<bool, ComputeError>;

    /// Trains one step of the run, counted from 0: what [`Compute::gradient`] and [`Network::update`] do together. The only
    /// loss is [`Compute::gradient`]'s.
    ///
    /// # Errors
    /// As [`Compute::gradient`]; [`ComputeError::Diverged`] if a loss, gradient or weight is no number.
    fn step(&mut self, batch: &[Sequence], number: u64) -> Result<Moved, ComputeError>;

    /// Copies the training recordings of a dataset to the device, where there is room for them, in place of those that it held.
    /// Gives back whether it holds them.
    ///
    /// # Errors
    /// [`ComputeError`] if the device fails.
    fn hold(&mut self, dataset: &Dataset) -> Result<bool, ComputeError>;

    /// As [`Resident::step`], on chunks of the dataset that the device holds, each with its receptive field in front.
    ///
    /// # Errors
    /// As [`Resident::step`]; [`ComputeError::Device`] if a chunk is of another dataset.
    fn step_at(&mut self, chunks: &[Chunk], number: u64) -> Result<Moved, ComputeError>;

    /// Copies the network back.
    ///
    /// # Errors
    /// [`ComputeError`] if the device fails.
    fn read(&mut self, network: &mut Network) -> Result<(), ComputeError>;

    /// Waits until the device has done all that it was asked for.
    fn settle(&mut self);
}
