//! The model package `NAME.continuo`: one zip file with a manifest, ONNX graphs, a preview and a licence.
//!
//! This crate is the boundary that the trainer and the plugin share. It knows the file, its manifest ([`Manifest`]), the
//! ONNX schema ([`onnx`]) and the names of the tensors in a graph ([`wavenet::names`]); it knows no runtime, no training
//! and no host. A package is untrusted input: every size is bounded before memory is taken, no entry leaves the archive,
//! every graph is hashed, and each refusal names the file, the field and what to do ([`PackageError`]).

pub mod archive;
mod error;
pub mod files;
pub mod hash;
pub mod manifest;
pub mod onnx;
pub mod quantise;
pub mod runtime_file;
mod validate;
pub mod wavenet;

pub use archive::{Package, PackageWriter};
pub use error::PackageError;
pub use manifest::{
    Architecture, ElementType, Family, Generation, GraphRole, GraphSpec, Manifest, Quantisation, StatePair, TensorSpec,
    TrainingFacts,
};
