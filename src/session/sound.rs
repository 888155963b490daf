//! What there is to play to the user.

use std::path::PathBuf;
use std::sync::Arc;

use super::trim::SeedTrim;
use crate::files::File;
use crate::take::play::PlayTake;

/// What there is to hear.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sound {
    /// A variation of the take that is shown, its seed clip before it.
    Take {
        /// Which, from 0.
        variation: usize,
    },
    /// What the next render goes on from.
    Seed,
    /// An audio file.
    File(PathBuf),
    /// The sound that a model's package brings along.
    Preview(PathBuf),
}

/// What is played to the user, or was last.
#[derive(Debug, Clone)]
pub(super) struct Listening {
    pub(super) sound: Sound,
    /// Of the take that is played; the sound has ended when another one is, or none.
    pub(super) id: u64,
}

/// A file's sound at the host's rate, kept so that the next click is heard at once.
#[derive(Debug, Clone)]
pub(crate) struct Prepared {
    /// The file as it was.
    pub(crate) file: File,
    /// The part of it.
    pub(crate) trim: Option<SeedTrim>,
    /// Its sound.
    pub(crate) play: Arc<PlayTake>,
}
