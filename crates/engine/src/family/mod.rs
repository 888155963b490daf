//! The families: one module each for what its models can do and what plays them. Nothing else in this crate knows one of
//! them by name.

pub mod ada;
#[expect(clippy::module_inception, reason = "what a family is, beside the families")]
mod family;
pub mod wavenet;

pub use family::{LoadedFamily, Loader};

use continuo_package::Manifest;

/// The families that a model may be of.
#[derive(Debug, Clone)]
pub struct Families(Vec<Loader>);

impl Default for Families {
    /// All that this version of Continuo has.
    fn default() -> Self {
        Self(vec![wavenet::LOADER, ada::LOADER])
    }
}

impl Families {
    /// These, and another one.
    #[must_use]
    pub fn with(mut self, loader: Loader) -> Self {
        self.0.retain(|other| other.family != loader.family);
        self.0.push(loader);
        self
    }

    /// How they read manifests.
    pub fn packages(&self) -> continuo_package::Families {
        self.0.iter().fold(continuo_package::Families::default(), |all, loader| all.with(loader.family))
    }

    /// The one that a model is of.
    pub fn loader_of(&self, manifest: &Manifest) -> Option<&Loader> {
        self.0.iter().find(|loader| loader.family == *manifest.architecture.family())
    }
}
