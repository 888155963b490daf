//! A file as it stands, without reading it, and names for new ones.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// A title as the name of a file: what systems do not take in names becomes an underscore.
pub(crate) fn plain_name(title: &str) -> String {
    title.chars().map(|c| if c.is_alphanumeric() || " ,.-_()".contains(c) { c } else { '_' }).collect()
}

/// What tells whether a file is still the one that was looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct File {
    path: PathBuf,
    bytes: u64,
    modified: Option<SystemTime>,
}

impl File {
    /// The file at `path`; `None` where there is none.
    pub(crate) fn at(path: &Path) -> Option<Self> {
        let metadata = fs::metadata(path).ok().filter(fs::Metadata::is_file)?;
        Some(Self { path: path.to_path_buf(), bytes: metadata.len(), modified: metadata.modified().ok() })
    }
}
