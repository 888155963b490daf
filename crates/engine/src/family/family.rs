//! What a family does with a model that was opened.

use crate::abilities::Abilities;
use crate::backend::{Backend, LoadOptions};
use crate::error::EngineError;
use crate::kernels::Precision;
use crate::voice::{Voice, VoiceRequest};
use continuo_package::{Manifest, Package};
use std::fmt::Debug;

/// A model of one family, loaded and shared: voices hold their own state and only read here.
pub trait LoadedFamily: Debug + Send + Sync {
    /// What the model can do.
    fn abilities(&self) -> &Abilities;

    /// A voice at frame 0.
    ///
    /// # Errors
    /// [`EngineError::Request`] for what the model cannot do or what would take too much memory;
    /// [`EngineError::NeedsRuntime`] where packing in a precision would.
    fn voice(&self, request: &VoiceRequest) -> Result<Box<dyn Voice>, EngineError>;

    /// What computes a request for this precision, and why; `None` is the model's own.
    fn backend(&self, precision: Option<Precision>) -> Backend;

    /// The mean negative log-likelihood of codes computed in `precision`, in nats per frame: what a precision costs.
    ///
    /// # Errors
    /// [`EngineError::Request`] for sequences of different lengths or with nothing to count, or where the model gives no
    /// likelihood; as [`Voice::generate`].
    fn nll_nats(&self, precision: Precision, sequences: &[Vec<u32>]) -> Result<f64, EngineError>;
}

/// Loads a model of a family out of its package.
pub type Load = fn(&mut Package, &LoadOptions) -> Result<Box<dyn LoadedFamily>, EngineError>;

/// How models of a family are loaded.
#[derive(Debug, Clone, Copy)]
pub struct Loader {
    /// The family's tag and the reading of its hyper-parameters.
    pub family: continuo_package::Family,
    /// What a model with this manifest can do, without loading it.
    pub abilities: fn(&Manifest) -> Abilities,
    /// Loads a model; may take its graphs out of the package.
    pub load: Load,
}
