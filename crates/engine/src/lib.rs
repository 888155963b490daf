//! Inference for Continuo: model packages in, audio out. No host, no window, no training.
//!
//! A [`Model`] is a loaded package with its weights packed for this processor. A [`Generator`] steps it frame by frame
//! for several takes at once, [`render`] drives a generator for an offline render that can be cancelled between frames,
//! and [`forecast`] says beforehand how long one takes. Audio files are read and written in [`audio`]; [`seam`] joins a
//! continuation at the model's rate to a clip at the host's.
//!
//! Frame-by-frame sampling runs in SIMD kernels ([`kernels`]) which read their weights from the package's ONNX graph, and
//! is checked against ONNX Runtime ([`runtime`], [`session`]) on load; without that library, autoregressive models work
//! all the same.

pub mod audio;
pub mod kernels;
pub mod seam;
pub mod weights;

#[cfg(test)]
#[path = "../tests/support/mod.rs"]
mod support;
