//! Why the engine could not do what it was asked.

use crate::audio::AudioError;
use continuo_package::PackageError;
use std::path::PathBuf;

/// A refusal: names the file, what is wrong with it, and what to do about it.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// The package could not be read.
    #[error(transparent)]
    Package(#[from] PackageError),
    /// The seed clip could not be brought to the model's rate.
    #[error(transparent)]
    Audio(#[from] AudioError),
    /// ONNX Runtime could not be loaded.
    #[error(transparent)]
    Runtime(#[from] RuntimeError),
    /// A graph does not agree with the manifest or with the architecture.
    #[error("{path}: {entry}: {reason}. Export the model again, or get it from its author again", path = path.display())]
    Graph {
        /// The package.
        path: PathBuf,
        /// The graph's entry in the package.
        entry: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The model cannot be stepped without ONNX Runtime, which is not at hand.
    #[error(
        "{path}: this model needs the ONNX Runtime library ({reason}), which was not found. \
         Reinstall Continuo with its resources folder, or choose another model",
        path = path.display()
    )]
    NeedsRuntime {
        /// The package.
        path: PathBuf,
        /// Why the native kernel will not do.
        reason: String,
    },
    /// ONNX Runtime refused the graph or failed in running it.
    #[error("{path}: {entry}: ONNX Runtime failed in {action}: {reason}. Export the model again, or choose another", path = path.display())]
    Session {
        /// The package.
        path: PathBuf,
        /// The graph's entry in the package.
        entry: String,
        /// What was being done, as a gerund ("loading the graph").
        action: &'static str,
        /// What ONNX Runtime said.
        reason: String,
    },
    /// A setting of a request is out of range.
    #[error("{setting} {reason}")]
    Request {
        /// The setting, in words.
        setting: &'static str,
        /// What it is and must be.
        reason: String,
    },
    /// The model gave no distribution for a frame.
    #[error(
        "{path}: the model's output for variation {variation}, frame {frame} is not a number. \
         The model is damaged or was trained badly; choose another",
        path = path.display()
    )]
    NotFinite {
        /// The package.
        path: PathBuf,
        /// The variation.
        variation: u32,
        /// The frame, counted from the first primed one.
        frame: u64,
    },
    /// The system starts no more threads.
    #[error("{threads} threads for rendering could not be started ({reason}); set fewer, or close other programs")]
    Threads {
        /// How many were asked for.
        threads: usize,
        /// What the system said.
        reason: String,
    },
    /// The caller asked to stop.
    #[error("the render was cancelled")]
    Cancelled,
}

/// ONNX Runtime could not be loaded.
#[derive(Debug, thiserror::Error)]
#[error("{path}: the ONNX Runtime library cannot be used: {reason}. {advice}", path = path.display())]
pub struct RuntimeError {
    /// Where the library was looked for.
    pub path: PathBuf,
    /// What the system or the library said.
    pub reason: String,
    /// The way out.
    pub advice: &'static str,
}
