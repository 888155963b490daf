//! What is wrong with a patch, in sentences that name the file, the field and what to do.

use std::path::PathBuf;

use crate::resources::ResourceError;

/// Why a patch cannot be read, loaded or written.
#[derive(Debug, thiserror::Error)]
pub enum PatchError {
    /// The file cannot be read.
    #[error("the patch {} cannot be read ({source}); choose another one, or put the file back", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The file is longer than any patch.
    #[error("{} is longer than any patch ({} KiB at most); choose another file", path.display(), most_bytes >> 10)]
    TooLong {
        /// The file.
        path: PathBuf,
        /// Most bytes of a patch.
        most_bytes: u64,
    },
    /// The file is none of ours, or a damaged one.
    #[error("{} is not a patch of Continuo's ({reason}); choose another file, or put an undamaged copy in its place", path.display())]
    NotAPatch {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A newer Continuo has written it.
    #[error("{} was saved by a newer Continuo (patches of version {version}, this one reads version {known}); install the newer Continuo to load it", path.display())]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its version.
        version: u64,
        /// The newest one that is read here.
        known: u64,
    },
    /// Something in it is not what it should be.
    #[error("the patch {}: `{field}` {reason}; mend that line, or choose another patch", path.display())]
    Field {
        /// The file.
        path: PathBuf,
        /// The field, as the file calls it.
        field: String,
        /// What is wrong with it.
        reason: String,
    },
    /// Its model is not here.
    #[error(
        "the patch {} plays the model {model}, which is not here; put that file into {folder}, then load the patch again",
        path.display()
    )]
    NoModel {
        /// The patch's file.
        path: PathBuf,
        /// The model's file name.
        model: String,
        /// The folder that is looked at for models of the user's.
        folder: String,
    },
    /// Its model is here and cannot be used.
    #[error("the patch {} plays the model {model}, which cannot be used ({reason}); put an undamaged copy in its place", path.display())]
    BadModel {
        /// The patch's file.
        path: PathBuf,
        /// The model's file name.
        model: String,
        /// What is wrong with it.
        reason: String,
    },
    /// Its seed clip is not here.
    #[error("the patch {} carries on from the clip {clip}, which is not here; put that file into {folder}, or choose a clip of your own", path.display())]
    NoClip {
        /// The patch's file.
        path: PathBuf,
        /// The clip's file name.
        clip: String,
        /// The folder that is looked at for clips of the user's.
        folder: String,
    },
    /// The shipped files are not there.
    #[error(transparent)]
    Resource(#[from] ResourceError),
    /// The system names no folder for user data.
    #[error("this account has no folder for user data, where patches could be kept")]
    NoDataFolder,
    /// A patch of this name is there.
    #[error("there is a patch called {0} already; choose another name, or delete that one first")]
    Exists(String),
    /// The name is none.
    #[error("a patch needs a name of 1 to {most} letters; type one, then save again")]
    NoName {
        /// Most letters.
        most: usize,
    },
    /// It is not one of the user's own.
    #[error("{} is no patch of your own, so it stays as it is; save a copy under another name", .0.display())]
    NotYours(PathBuf),
    /// It cannot be written, renamed or deleted.
    #[error("{}: the patch could not be written ({source}); free some space, or make the folder writable", path.display())]
    NotWritten {
        /// File or folder.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
}

impl PatchError {
    /// The system's number of what it said; 0 where it said nothing.
    pub fn os_error(&self) -> i32 {
        match self {
            Self::Unreadable { source, .. } | Self::NotWritten { source, .. } => source.raw_os_error().unwrap_or(0),
            _ => 0,
        }
    }
}
