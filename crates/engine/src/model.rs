//! A model package, loaded and ready to play.

use crate::abilities::Abilities;
use crate::backend::{Backend, LoadOptions};
use crate::error::EngineError;
use crate::family::{Families, LoadedFamily, Loader};
use crate::kernels::Precision;
use crate::voice::{Voice, VoiceRequest};
use continuo_package::{Manifest, Package, PackageError};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A loaded model. It is shared: voices hold their own state and only read here.
#[derive(Debug)]
pub struct Model {
    path: PathBuf,
    manifest: Manifest,
    content_hash: String,
    family: Box<dyn LoadedFamily>,
}

impl Model {
    /// Loads a package, checks its graphs against its manifest, and chooses what computes it.
    ///
    /// Takes a second or less for a model of a few million weights; call it from a thread that may block.
    ///
    /// # Errors
    /// [`EngineError`]: the package's refusals; [`EngineError::Graph`] where graph and architecture disagree;
    /// [`EngineError::NeedsRuntime`] and [`EngineError::Session`] where ONNX Runtime is needed and missing or fails.
    pub fn load(path: &Path, options: &LoadOptions) -> Result<Arc<Self>, EngineError> {
        Self::load_one_of(&Families::default(), path, options)
    }

    /// As [`Model::load`], of these families.
    ///
    /// # Errors
    /// As [`Model::load`].
    pub fn load_one_of(families: &Families, path: &Path, options: &LoadOptions) -> Result<Arc<Self>, EngineError> {
        let mut package = Package::open_with(path, &families.packages())?;
        let loader = loader_of(families, path, &package.manifest)?;
        let family = (loader.load)(&mut package, options)?;
        let Package { path, content_hash, manifest, .. } = package;
        Ok(Arc::new(Self { path, manifest, content_hash, family }))
    }

    /// What the model in a package can do, found out without loading it.
    ///
    /// # Errors
    /// The package's refusals.
    pub fn abilities_of(path: &Path) -> Result<(Manifest, Abilities), EngineError> {
        let manifest = Package::read_manifest(path)?;
        let loader = loader_of(&Families::default(), path, &manifest).copied()?;
        let abilities = (loader.abilities)(&manifest);
        Ok((manifest, abilities))
    }

    /// The WAV file that a package brings along to show what the model does; `None` where there is none. Nothing is loaded.
    ///
    /// # Errors
    /// [`EngineError::Package`].
    pub fn preview_of(path: &Path) -> Result<Option<Vec<u8>>, EngineError> {
        Ok(Package::read_preview(path)?)
    }

    /// The manifest.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// SHA-256 of the package file, hexadecimal: the identity of the model.
    pub fn content_hash(&self) -> &str {
        &self.content_hash
    }

    /// The file that the model came from.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Frames per second of what the model reads and writes.
    pub fn sample_rate_hz(&self) -> u32 {
        self.manifest.sample_rate_hz
    }

    /// What the model can do.
    pub fn abilities(&self) -> &Abilities {
        self.family.abilities()
    }

    /// A voice at frame 0.
    ///
    /// # Errors
    /// [`EngineError::Request`] for what is out of range or would take too much memory; [`EngineError::NeedsRuntime`] where
    /// packing the weights in a precision would.
    pub fn voice(&self, request: &VoiceRequest) -> Result<Box<dyn Voice>, EngineError> {
        self.family.voice(request)
    }

    /// What computes a request for this precision, and why; `None` is what the model is computed in where a request does not
    /// say.
    pub fn backend(&self, precision: Option<Precision>) -> Backend {
        self.family.backend(precision)
    }

    /// The mean negative log-likelihood of codes under the model computed in `precision`, in nats per frame.
    ///
    /// Each sequence primes with its first receptive field; every later code counts. All have the same length.
    ///
    /// # Errors
    /// [`EngineError::Request`] for sequences of different lengths or with nothing to count; as [`Voice::generate`].
    pub fn nll_nats(&self, precision: Precision, sequences: &[Vec<u32>]) -> Result<f64, EngineError> {
        self.family.nll_nats(precision, sequences)
    }
}

fn loader_of<'a>(families: &'a Families, path: &Path, manifest: &Manifest) -> Result<&'a Loader, EngineError> {
    let unknown = || {
        let (path, family) = (path.to_owned(), manifest.architecture.family().tag.to_owned());
        EngineError::Package(PackageError::UnknownFamily { path, family })
    };
    families.loader_of(manifest).ok_or_else(unknown)
}
