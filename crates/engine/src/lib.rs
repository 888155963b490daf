//! Inference for Continuo: model packages in, audio out. No host, no window, no training.
//!
//! A [`Model`] is a loaded package with its weights packed for this processor. A [`Generator`] steps it frame by frame
//! for several takes at once, [`render()`] drives a generator for an offline render that can be cancelled between frames,
//! and [`Model::forecast`] says beforehand how long one takes. Audio files are read and written in [`audio`]; [`seam`]
//! joins a continuation at the model's rate to a clip at the host's.
//!
//! Frame-by-frame sampling runs in SIMD kernels ([`kernels`]) which read their weights from the package's ONNX graph, and
//! is checked against ONNX Runtime ([`Runtime`]) on load; without that library, autoregressive models work all the same.

pub mod audio;
mod boundary;
mod check;
mod error;
mod forecast;
mod generator;
pub mod kernels;
mod loss;
mod model;
pub mod random;
mod render;
mod runtime;
mod sampler;
pub mod seam;
mod session;
mod takes;
pub mod weights;
mod workers;

pub use boundary::wavenet_spec;
pub use check::Verdict;
pub use continuo_package::Quantisation;
pub use error::{EngineError, RuntimeError};
pub use forecast::Workload;
pub use generator::{Generator, MOST_TAKES};
pub use kernels::Precision;
pub use model::{LoadOptions, MOST_LOSS_NATS, Model, Stepper, Stepping};
pub use render::{RenderBlock, RenderRequest, RenderSummary, render};
pub use runtime::Runtime;
pub use sampler::Sampling;
pub use session::{BoundState, SessionState, StepSession};
pub use workers::{MOST_THREADS, Workers};

/// The engine's version, part of every take's recipe.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

#[cfg(test)]
#[path = "../tests/support/mod.rs"]
mod support;
