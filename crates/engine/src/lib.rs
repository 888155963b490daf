//! Inference for Continuo: model packages in, audio out. No host, no window, no training.
//!
//! A [`Model`] is a loaded package with its weights packed for this processor; its [`Abilities`] say what it can do,
//! whatever its family. A [`Voice`] plays several variations of one take at once, [`render()`] drives a voice for an offline
//! render that can be cancelled between frames, and [`Forecasts`] say beforehand how long one takes. Audio files are read
//! and written in [`audio`]; [`seam`] joins a continuation at the model's rate to a clip at the host's.
//!
//! Models that draw one frame after another share one voice ([`autoregressive`]), which runs in SIMD kernels ([`kernels`])
//! that read their weights from the package's ONNX graph and is checked against ONNX Runtime ([`Runtime`]) on load; without
//! that library, such models work all the same. Each family has one module in [`family`].

mod abilities;
pub mod audio;
pub mod autoregressive;
mod backend;
mod error;
pub mod family;
mod forecast;
pub mod kernels;
mod model;
pub mod ort;
pub mod random;
mod render;
mod runtime;
mod sampling;
pub mod seam;
mod source;
mod symbol;
mod verdict;
mod version;
mod voice;
mod workers;

pub use abilities::{Abilities, Setting};
pub use backend::{Backend, LoadOptions, MOST_LOSS_NATS, Stepping};
// The plugin knows the package through the engine alone.
pub use continuo_package::{Signal, files, hash, runtime_file};
pub use error::{EngineError, RuntimeError};
pub use family::Families;
pub use forecast::{Forecasts, Workload};
pub use kernels::Precision;
pub use model::Model;
pub use render::{RenderBlock, RenderRequest, RenderSummary, render};
pub use runtime::Runtime;
pub use sampling::Sampling;
pub use source::Source;
pub use symbol::Symbol;
pub use verdict::Verdict;
pub use version::VERSION;
pub use voice::{MOST_VARIATIONS, Voice, VoiceRequest};
pub use workers::{MOST_THREADS, Workers};

#[cfg(test)]
#[path = "../tests/support/mod.rs"]
mod support;
