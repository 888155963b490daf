//! What can be wrong with a prepared dataset, in words that say which file and what to do.

use std::path::PathBuf;

use super::split::Split;

/// A dataset that cannot be opened or sampled.
#[derive(Debug, thiserror::Error)]
pub enum DatasetError {
    /// The folder holds no dataset.
    #[error("{}: not a dataset ({reason}); make one with `continuo-trainer prepare FOLDER --out {}`", dir.display(), dir.display())]
    NotADataset {
        /// The folder that was to be opened.
        dir: PathBuf,
        /// What is missing.
        reason: String,
    },
    /// A file of the dataset could not be read.
    #[error("{}: cannot read: {reason}", file.display())]
    Io {
        /// The file.
        file: PathBuf,
        /// The system's reason.
        reason: std::io::Error,
    },
    /// The index does not parse or contradicts itself or the frames file.
    #[error("{}: damaged: {reason}; prepare the dataset again", file.display())]
    Damaged {
        /// The file.
        file: PathBuf,
        /// The field and what is wrong with it.
        reason: String,
    },
    /// Written by another version of the trainer.
    #[error("{}: dataset format {found}, this trainer reads {known}; prepare the dataset again", file.display())]
    Version {
        /// The index file.
        file: PathBuf,
        /// The version in the file.
        found: u32,
        /// The version this trainer reads.
        known: u32,
    },
    /// No recording of the split is long enough for one chunk.
    #[error(
        "{}: the {split} split has no recording of {chunk_frames} frames or more (its longest has {longest}); \
         choose shorter chunks, or prepare more or longer recordings (or another --holdout)",
        dir.display()
    )]
    NoChunks {
        /// The dataset's folder.
        dir: PathBuf,
        /// Which split.
        split: Split,
        /// Chunk length asked for, in frames.
        chunk_frames: usize,
        /// The longest recording of the split, in frames.
        longest: u64,
    },
    /// A chunk or hop length of zero.
    #[error("chunk and hop lengths must be at least one frame (chunk {chunk_frames}, hop {hop_frames})")]
    ZeroLength {
        /// Chunk length asked for, in frames.
        chunk_frames: usize,
        /// Hop asked for, in frames.
        hop_frames: usize,
    },
    /// A cursor that belongs to another dataset or another chunk length.
    #[error(
        "the data cursor (epoch {epoch}, position {position}) does not fit an epoch of {chunks} chunks: \
         the run was started on another dataset or with another chunk length"
    )]
    Cursor {
        /// The cursor's epoch.
        epoch: u64,
        /// The cursor's position.
        position: u64,
        /// Number of chunks in that epoch here.
        chunks: u64,
    },
    /// A cursor of another way of sampling.
    #[error(
        "the data cursor does not fit how this run's batches are cut: the run was started with another configuration"
    )]
    OtherCursor,
}
