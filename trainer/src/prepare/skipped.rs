//! What was left out, and why.

use serde::{Deserialize, Serialize};

/// Why a file was left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SkipKind {
    /// No audio.
    NotAudio,
    /// Audio of a kind that is not read.
    Unsupported,
    /// Audio that could not be decoded.
    Damaged,
    /// No frames.
    Empty,
    /// Nothing to hear.
    Silent,
    /// The same recording is in the dataset already.
    Duplicate,
    /// The system did not let it be read.
    Unreadable,
}

/// A file that was left out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Skipped {
    /// Path below the imported folder, as [`crate::names::text`] writes it.
    pub name: String,
    /// What sort of reason.
    pub kind: SkipKind,
    /// The reason, in words.
    pub reason: String,
}

impl Skipped {
    pub(super) fn new(name: String, kind: SkipKind, reason: String) -> Self {
        Self { name, kind, reason }
    }
}
