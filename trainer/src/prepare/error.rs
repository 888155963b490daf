//! Why no dataset came about.

use std::io;
use std::path::{Path, PathBuf};

/// A reason to stop. A bad recording is none: it is skipped and named (see [`super::Skipped`]).
#[derive(Debug, thiserror::Error)]
pub enum PrepareError {
    /// The folder of recordings is not there or is not a folder.
    #[error("{}: not a folder that can be read ({reason}); give the folder that holds the recordings", path.display())]
    Folder {
        /// The path given.
        path: PathBuf,
        /// The system's reason.
        reason: io::Error,
    },
    /// The folder holds no file at all.
    #[error("{}: no files in it or below it", path.display())]
    NoFiles {
        /// The path given.
        path: PathBuf,
    },
    /// Every file was skipped.
    #[error(
        "{}: none of its {} files became a recording (the reasons are above); no dataset was made",
        path.display(), skipped.len()
    )]
    NothingImported {
        /// The path given.
        path: PathBuf,
        /// Every file with its reason.
        skipped: Vec<super::Skipped>,
    },
    /// A dataset is there already.
    #[error("{}: there is a dataset already; give --force to replace it, or another --out", out.display())]
    Exists {
        /// The dataset's folder.
        out: PathBuf,
    },
    /// Something that is no dataset is in the way. Not even `--force` replaces that.
    #[error("{}: exists and is no dataset, so it is not replaced; give another --out", out.display())]
    InTheWay {
        /// What was to become the dataset's folder.
        out: PathBuf,
    },
    /// The recordings lie inside the dataset's folder.
    #[error("{}: the recordings in {} lie inside it; give another --out", out.display(), folder.display())]
    Overlap {
        /// What was to become the dataset's folder.
        out: PathBuf,
        /// The folder of recordings.
        folder: PathBuf,
    },
    /// Another `prepare` writes the same dataset.
    #[error("{}: another `prepare` is writing this dataset; wait for it or give another --out", partial.display())]
    Busy {
        /// The folder that it writes.
        partial: PathBuf,
    },
    /// No space left.
    #[error("{}: the disk is full; free some space or put the dataset on another disk (nothing was left behind)", path.display())]
    DiskFull {
        /// The file that was being written.
        path: PathBuf,
    },
    /// The system refused.
    #[error("{}: cannot {doing}: {reason}", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What was tried.
        doing: &'static str,
        /// The system's reason.
        reason: io::Error,
    },
    /// Ctrl-C.
    #[error("interrupted; no dataset was made and nothing was left behind")]
    Cancelled,
}

impl PrepareError {
    /// The right variant for an IO error: a full disk has its own.
    pub(crate) fn io(path: &Path, doing: &'static str, reason: io::Error) -> Self {
        let path = path.to_path_buf();
        match reason.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::DiskFull { path },
            _ => Self::Io { path, doing, reason },
        }
    }
}
