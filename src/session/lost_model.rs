//! A model that is named and not there, and one that was found in its place.

use std::path::PathBuf;

/// How much of a hash is shown: enough to tell models apart.
const SHOWN: usize = 12;

/// A model that is not where it was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LostModel {
    /// Where it was.
    pub path: PathBuf,
    /// The SHA-256 of its package, hexadecimal; `None` where nobody has noted it down.
    pub sha256: Option<String>,
}

/// A model that was found in place of one that is lost, and is another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OtherModel {
    /// Where it is.
    pub path: PathBuf,
    /// The SHA-256 of its package, hexadecimal.
    pub sha256: String,
    /// The SHA-256 of the one that is lost.
    pub wanted: String,
}

/// The beginning of a hash, for people.
pub fn short(sha256: &str) -> &str {
    sha256.get(..SHOWN).unwrap_or(sha256)
}
