//! Why there is no evaluation.

use std::path::PathBuf;

use continuo_engine::audio::AudioError;
use continuo_engine::{EngineError, RuntimeError};

use crate::data::dataset::DatasetError;
use crate::export::ExportError;

/// Why models could not be evaluated.
#[derive(Debug, thiserror::Error)]
pub enum EvaluateError {
    /// The dataset.
    #[error(transparent)]
    Dataset(#[from] DatasetError),
    /// There is nothing to measure on.
    #[error(
        "{}: no recording is held out, so nothing here is unknown to a model that was trained on it. Prepare the dataset with \
         --holdout 0.05, or evaluate on another one",
        dir.display()
    )]
    NothingHeldOut {
        /// The dataset.
        dir: PathBuf,
    },
    /// Held-out recordings are there, but too short, or training recordings are.
    #[error(
        "{}: no {split} recording is {needed_seconds:.1} s long; the longest has {longest_seconds:.1} s. Give a smaller \
         --seconds, or prepare longer recordings",
        dir.display()
    )]
    TooShort {
        /// The dataset.
        dir: PathBuf,
        /// Of which kind.
        split: &'static str,
        /// Seconds that a clip and what follows it need.
        needed_seconds: f64,
        /// Seconds of the longest.
        longest_seconds: f64,
    },
    /// A run, or its draft package.
    #[error(transparent)]
    Export(#[from] ExportError),
    /// A model.
    #[error(transparent)]
    Engine(EngineError),
    /// Audio that cannot be brought to a model's rate.
    #[error(transparent)]
    Audio(#[from] AudioError),
    /// The ONNX Runtime library that was named.
    #[error(transparent)]
    Runtime(#[from] RuntimeError),
    /// A model can neither continue nor begin.
    #[error("{}: this model can neither continue a clip nor begin without one", file.display())]
    Mute {
        /// The package.
        file: PathBuf,
    },
    /// The system starts no threads.
    #[error("{threads} threads could not be started ({reason}); give fewer with --threads")]
    Threads {
        /// How many were asked for.
        threads: usize,
        /// What the system said.
        reason: String,
    },
    /// A report that could not be written, or a folder for drafts.
    #[error("{}: {action} failed: {source}", file.display())]
    Io {
        /// The file.
        file: PathBuf,
        /// What was being done.
        action: &'static str,
        /// The system's reason.
        source: std::io::Error,
    },
    /// Ctrl-C.
    #[error("stopped; no report was written")]
    Stopped,
}

impl From<EngineError> for EvaluateError {
    fn from(error: EngineError) -> Self {
        if matches!(error, EngineError::Cancelled) { Self::Stopped } else { Self::Engine(error) }
    }
}
