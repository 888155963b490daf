//! What can be wrong with a checkpoint, and what to do.

use std::path::PathBuf;

/// A checkpoint that cannot be written or read.
#[derive(Debug, thiserror::Error)]
pub enum CheckpointError {
    /// The file or its folder cannot be written or read.
    #[error("{}: {action} failed: {source}. Check that the disk has space and the folder may be written", file.display())]
    Io {
        /// The file.
        file: PathBuf,
        /// What was being done.
        action: &'static str,
        /// The system's reason.
        source: std::io::Error,
    },
    /// The file is not a whole checkpoint.
    #[error("{}: not a usable checkpoint: {reason}", file.display())]
    Damaged {
        /// The file.
        file: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A weight that is no number: nothing that follows from it would be one.
    #[error(
        "step {step}: {tensor} holds {value}. It is not saved; the checkpoints are from before. Lower learning_rate"
    )]
    NotFinite {
        /// The step.
        step: u64,
        /// The tensor.
        tensor: String,
        /// The value.
        value: f32,
    },
    /// The checkpoint is whole, but of another model.
    #[error("{}: the checkpoint is not of this run's model: {reason}. Was RUN/config.toml changed?", file.display())]
    OtherModel {
        /// The file.
        file: PathBuf,
        /// What does not fit.
        reason: String,
    },
    /// Only checkpoints of the form before this one are there.
    #[error(
        "{}: its checkpoints were written by an earlier trainer in a form that this one does not read. Export the run with \
         that trainer, then go on from the package: `continuo-trainer train CONFIG.toml --init NAME.continuo …`",
        dir.display()
    )]
    Old {
        /// The folder.
        dir: PathBuf,
    },
    /// No checkpoint in the folder can be used.
    #[error("{}: no usable checkpoint{reason}. Start the run again with `continuo-trainer train`", dir.display())]
    NoneLeft {
        /// The folder.
        dir: PathBuf,
        /// What was wrong with those that are there.
        reason: String,
    },
}
