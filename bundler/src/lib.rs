//! Lays out what a host loads: `Continuo.clap` and `Continuo.vst3` with the runtime library and the presets.
//!
//! The layout is the same contract that the plugin looks things up by ([`layout`]); archives and sums are in
//! [`archive`], the user's plugin folders in [`install`], and the ONNX Runtime library that goes into a bundle is taken
//! out of its published wheel in [`runtime`]. Everything is put in place in one step, so that an interrupted run leaves
//! either the old bundle or the new one ([`place`]).

pub mod archive;
pub mod elf;
mod error;
pub mod floor;
pub mod install;
pub mod layout;
pub mod place;
pub mod platform;
pub mod plist;
pub mod runtime;
pub mod vst3;
pub mod vstpreset;

pub use continuo_package::hash::sha256_hex;
pub use error::BundleError;
pub use layout::{Bundles, Parts, lay_out};
pub use platform::Platform;
