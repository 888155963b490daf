//! Why a bundle could not be made or installed.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

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
    /// The system that this runs on is not one that the bundler knows.
    #[error("no bundle layout for {os}/{arch}. Known: {known}", known = crate::Platform::names())]
    UnknownPlatform {
        /// `std::env::consts::OS`.
        os: String,
        /// `std::env::consts::ARCH`.
        arch: String,
    },
    /// There is no prebuilt ONNX Runtime for this platform.
    #[error("ONNX Runtime {version} is not published for {platform}; bundle for another platform", version = crate::runtime::VERSION)]
    NoRuntime {
        /// The platform.
        platform: crate::Platform,
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
