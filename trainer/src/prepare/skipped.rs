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
    /// How many frames of the dataset it would have been, if that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub frames: Option<u64>,
    /// The recording that it repeats.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub same_as: Option<String>,
}

impl Skipped {
    pub(crate) fn new(name: String, kind: SkipKind, reason: String) -> Self {
        Self { name, kind, reason, frames: None, same_as: None }
    }

    /// A file that repeats another one: `how` stands before its name.
    pub(crate) fn double(name: String, how: &str, first: &str) -> Self {
        let reason = format!("{how} {first}");
        Self { same_as: Some(first.to_owned()), ..Self::new(name, SkipKind::Duplicate, reason) }
    }

    pub(crate) fn with_frames(self, frames: u64) -> Self {
        Self { frames: Some(frames), ..self }
    }
}
