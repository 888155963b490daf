//! A piece of a dataset.

use serde::{Deserialize, Serialize};

/// A stretch of one recording.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Chunk {
    /// The recording's place in [`super::Index::recordings`].
    pub recording: usize,
    /// First frame within the recording.
    pub start: u64,
    /// Length in frames: always the sampler's chunk length.
    pub frames: usize,
}
