//! Why a bundle could not be made or installed.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use continuo_package::runtime_file::RuntimeFileError;

/// A refusal: names the file and what to do about it.
#[derive(Debug, thiserror::Error)]
pub enum BundleError {
    /// A file or folder cannot be read, written, or replaced.
    #[error("{path}: {action} failed: {source}. {advice}", path = path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What was being done, as a noun ("writing").
        action: &'static str,
        /// What the system said.
        source: std::io::Error,
        /// The way out.
        advice: &'static str,
    },
    /// A part that every bundle has is missing.
    #[error("{path}: {what} is missing. {advice}", path = path.display())]
    Missing {
        /// Where it was expected.
        path: PathBuf,
        /// What it is.
        what: &'static str,
        /// The way out.
        advice: &'static str,
    },
    /// Something other than a plain file or folder lies among the presets.
    #[error("{path}: neither a plain file nor a folder. Only those go into a bundle; replace the link by what it names", path = path.display())]
    NotPlain {
        /// The entry.
        path: PathBuf,
    },
    /// A factory model is not a whole package.
    #[error("a factory model is damaged: {0}")]
    Model(#[from] continuo_package::PackageError),
    /// A factory patch is none.
    #[error("a factory patch is damaged: {path}: {reason}. Put a whole one in its place", path = path.display())]
    Patch {
        /// The patch.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The system that this runs on is not one that the bundler knows.
    #[error("no bundle layout for {os}/{arch}. Known: {known}")]
    UnknownPlatform {
        /// `std::env::consts::OS`.
        os: String,
        /// `std::env::consts::ARCH`.
        arch: String,
        /// The names of the platforms that it does know.
        known: String,
    },
    /// There is no prebuilt ONNX Runtime for this platform.
    #[error("ONNX Runtime {version} is not published for {platform}; bundle for another platform")]
    NoRuntime {
        /// The version.
        version: &'static str,
        /// The platform's name.
        platform: &'static str,
    },
    /// A downloaded wheel is not the one whose hash is pinned.
    #[error(
        "{path}: SHA-256 is {found}, expected {expected}. The download is damaged or was replaced; delete it and run again",
        path = path.display()
    )]
    WrongHash {
        /// The wheel.
        path: PathBuf,
        /// Pinned hash, hex.
        expected: String,
        /// Hash of the file, hex.
        found: String,
    },
    /// An archive cannot be read or written.
    #[error("{path}: {reason}. {advice}", path = path.display())]
    Archive {
        /// The archive.
        path: PathBuf,
        /// What the archive library said.
        reason: String,
        /// The way out.
        advice: &'static str,
    },
    /// A library's own description cannot be read or changed.
    #[error("{path}: {reason}. Fetch or build it again", path = path.display())]
    Library {
        /// The library.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A library would not load on the oldest system that Continuo promises to run on.
    #[error(
        "{path}: it would not load with glibc {oldest}, for want of {functions}. See src/glibc.rs for how such a function is replaced",
        path = path.display()
    )]
    TooNew {
        /// The library.
        path: PathBuf,
        /// What it must load with.
        oldest: String,
        /// The functions, each with the version that it came with.
        functions: String,
    },
    /// ONNX Runtime's library is not what it was when it was unpacked.
    #[error("{path}: {source}. Delete it and fetch it again: cargo xtask fetch-runtime", path = path.display())]
    Runtime {
        /// The library.
        path: PathBuf,
        /// What is wrong with it.
        source: RuntimeFileError,
    },
    /// The system names no home folder to install into.
    #[error(
        "the home folder is unknown, so there is no plugin folder to install into. Set HOME, or copy the bundles by hand"
    )]
    NoHome,
}

impl BundleError {
    /// An IO failure with the advice that fits what the system said.
    pub(crate) fn io(path: &Path, action: &'static str, source: std::io::Error) -> Self {
        let advice = match source.kind() {
            ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => {
                "Give yourself write permission there, or choose another folder"
            }
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded => "Free some space on that disk",
            ErrorKind::NotADirectory | ErrorKind::AlreadyExists => "A file is in the way; move it",
            ErrorKind::NotFound => "Check that the path exists",
            ErrorKind::ResourceBusy | ErrorKind::ExecutableFileBusy => "Close the program that uses it",
            _ => "Check the disk and try again",
        };
        Self::Io { path: path.to_owned(), action, source, advice }
    }
}
