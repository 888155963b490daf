//! The model package `NAME.continuo`: one zip file with a manifest, ONNX graphs, a preview and a licence.
//!
//! This crate is the boundary that the trainer and the plugin share. It knows the file, its manifest ([`Manifest`]), the
//! ONNX schema ([`onnx`]) and what each family's models are made of ([`family`]); it knows no runtime, no training and no
//! host. A package is untrusted input: every size is bounded before memory is taken, no entry leaves the archive, every
//! graph is hashed, and each refusal names the file, the field and what to do ([`PackageError`]).

mod archive;
mod error;
pub mod family;
pub mod files;
mod format1;
mod graph;
pub mod hash;
mod manifest;
mod name;
pub mod onnx;
pub mod runtime_file;
mod signal;
mod training;
mod validate;
mod write;

pub use archive::Package;
pub use error::PackageError;
pub use family::{Architecture, Families, Family, Shape};
pub use graph::{ElementType, GraphId, GraphRole, GraphSpec, StatePair, TensorSpec};
pub use manifest::{Defaults, FORMAT_VERSION, Manifest};
pub use signal::{Reach, Signal};
pub use training::{TrainingFacts, figures};
pub use write::PackageWriter;
