//! Why there is no package.

use std::path::PathBuf;

use continuo_engine::audio::AudioError;
use continuo_engine::{EngineError, RuntimeError};
use continuo_package::PackageError;

use crate::task::TaskError;
use crate::training::run::RunError;

/// Why a run cannot be exported.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// The run.
    #[error(transparent)]
    Run(#[from] RunError),
    /// A run that was to be exported along with it.
    #[error("{}: {reason}", run.display())]
    NoPart {
        /// Its folder.
        run: PathBuf,
        /// Why it is no part of the model.
        reason: String,
    },
    /// A file.
    #[error("{}: {action} failed: {source}", file.display())]
    Io {
        /// The file.
        file: PathBuf,
        /// What was being done.
        action: &'static str,
        /// The system's reason.
        source: std::io::Error,
    },
    /// There is nothing to compare the graph with.
    #[error(
        "the exported graph cannot be checked: the ONNX Runtime library was not found in {}. Name it with --runtime or \
         in the variable CONTINUO_ONNXRUNTIME, or fetch it with `cargo xtask fetch-runtime`",
        places.iter().map(|place| place.display().to_string()).collect::<Vec<_>>().join(", ")
    )]
    NoRuntime {
        /// Where it was looked for.
        places: Vec<PathBuf>,
    },
    /// The library does not load.
    #[error(transparent)]
    Runtime(#[from] RuntimeError),
    /// The model is not what was trained, or cannot be written.
    #[error(transparent)]
    Task(TaskError),
    /// The package.
    #[error(transparent)]
    Package(#[from] PackageError),
    /// The preview, or the search for default settings.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// The preview's file.
    #[error(transparent)]
    Audio(#[from] AudioError),
}
