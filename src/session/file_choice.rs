//! The model and the seed clip in use, as files.

use std::path::PathBuf;

use crate::resources::DEFAULT_MODEL;

/// Where a file in use comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// Shipped with Continuo.
    Factory,
    /// Chosen by the user.
    Chosen,
    /// Recorded from the sidechain input.
    Captured,
}

/// A model or seed file in use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileChoice {
    /// What to show: the file's name, or `captured`.
    pub name: String,
    /// Where it lies; `None` for the factory default before its first use and for a capture.
    pub path: Option<PathBuf>,
    /// Where it comes from.
    pub origin: Origin,
}

impl FileChoice {
    pub(crate) fn factory_model() -> Self {
        Self { name: DEFAULT_MODEL.to_owned(), path: None, origin: Origin::Factory }
    }

    pub(crate) fn factory_seed() -> Self {
        Self { name: "factory seed clip".to_owned(), path: None, origin: Origin::Factory }
    }

    pub(crate) fn chosen(path: PathBuf) -> Self {
        let name =
            path.file_name().map_or_else(|| path.display().to_string(), |name| name.to_string_lossy().into_owned());
        Self { name, path: Some(path), origin: Origin::Chosen }
    }
}
