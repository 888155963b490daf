//! Why a package could not be read or written.

use std::path::PathBuf;

/// A refusal: names the file, the part of it that is wrong, and what to do about it.
#[derive(Debug, thiserror::Error)]
pub enum PackageError {
    /// The file cannot be opened, read, created or replaced.
    #[error("{path}: {action} failed: {source}. {advice}", path = path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What was being done, as a noun ("reading").
        action: &'static str,
        /// What the system said.
        source: std::io::Error,
        /// The way out.
        advice: &'static str,
    },
    /// The file is not a zip archive, or its directory is damaged (a truncated download looks like this).
    #[error(
        "{path}: not a readable .continuo package ({reason}). The file is damaged or incomplete; copy or download it again",
        path = path.display()
    )]
    NotAnArchive {
        /// The package.
        path: PathBuf,
        /// What the archive reader said.
        reason: String,
    },
    /// An entry that every package must have is missing.
    #[error("{path}: the entry {entry} is missing. The package is incomplete; export it again", path = path.display())]
    MissingEntry {
        /// The package.
        path: PathBuf,
        /// The entry's name.
        entry: String,
    },
    /// An entry that has no place in a package (an absolute path, `..`, a link, an encrypted or unknown entry).
    #[error(
        "{path}: the entry {entry:?} is refused: {reason}. Do not use this package; get it from its author again",
        path = path.display()
    )]
    ForbiddenEntry {
        /// The package.
        path: PathBuf,
        /// The entry's name as stored.
        entry: String,
        /// Why.
        reason: &'static str,
    },
    /// An entry is larger than any real one.
    #[error(
        "{path}: the entry {entry} is {size} bytes; the limit is {limit}. The package is damaged or hostile; get it again",
        path = path.display()
    )]
    TooLarge {
        /// The package.
        path: PathBuf,
        /// The entry.
        entry: String,
        /// Size in bytes, as declared or as unpacked so far.
        size: u64,
        /// Limit in bytes.
        limit: u64,
    },
    /// There is less free memory than it takes to open an entry.
    #[error(
        "{path}: opening {entry} takes {needed} bytes of memory, which are not free. Close other programs, or choose a \
         smaller model",
        path = path.display()
    )]
    Memory {
        /// The package.
        path: PathBuf,
        /// The entry.
        entry: String,
        /// Bytes that it takes.
        needed: u64,
    },
    /// The content of an entry does not have the hash that the manifest gives.
    #[error(
        "{path}: {entry} is not what its author packed: the file was changed or damaged on its way. Copy or download it again",
        path = path.display()
    )]
    HashMismatch {
        /// The package.
        path: PathBuf,
        /// The entry.
        entry: String,
        /// Hash in the manifest, hex.
        expected: String,
        /// Hash of the content, hex.
        found: String,
    },
    /// `model.json` is not JSON, or not a manifest.
    #[error("{path}: model.json cannot be read: {reason}. Export the model again", path = path.display())]
    Manifest {
        /// The package.
        path: PathBuf,
        /// What serde said, with line and column.
        reason: String,
    },
    /// A newer trainer wrote this package.
    #[error(
        "{path}: package format {found} is newer than this version of Continuo reads ({supported}). Update Continuo",
        path = path.display()
    )]
    NewerFormat {
        /// The package.
        path: PathBuf,
        /// `format_version` in the manifest.
        found: u32,
        /// The newest format this crate reads.
        supported: u32,
    },
    /// The model is of a family that this version does not have.
    #[error(
        "{path}: this is a model of the family {family:?}, which this version of Continuo does not play. \
         Update Continuo, or choose another model",
        path = path.display()
    )]
    UnknownFamily {
        /// The package.
        path: PathBuf,
        /// The family, as the manifest names it.
        family: String,
    },
    /// A manifest field has a value that cannot be true.
    #[error("{path}: model.json: {field} {reason}. Export the model again", path = path.display())]
    Field {
        /// The package.
        path: PathBuf,
        /// The field, as a JSON path.
        field: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A graph is not a valid ONNX model for a package.
    #[error("{path}: {entry}: {reason}. Export the model again", path = path.display())]
    Graph {
        /// The package.
        path: PathBuf,
        /// The graph's entry.
        entry: String,
        /// What is wrong with it.
        reason: String,
    },
}
