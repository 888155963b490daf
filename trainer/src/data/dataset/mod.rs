//! A prepared dataset: one file of interleaved little-endian i16 frames, memory-mapped, and an index beside it.
//!
//! ```text
//! DATASET/index.json     recordings: name, offset, frames, split, source, SHA-256, levels (see `Index`)
//! DATASET/frames.i16     all recordings one after the other, [T, C] interleaved
//! DATASET/skipped.json   what `prepare` left out, each with its reason
//! ```
//!
//! A dataset folder either is complete or does not exist: `prepare` works in `DATASET.partial` and renames.

mod chunk;
mod error;
mod index;
mod sampler;
mod split;
mod streams;

use std::fs::File;
use std::path::{Path, PathBuf};

use continuo_package::hash::sha256_hex;
use memmap2::Mmap;

pub use chunk::Chunk;
pub use error::DatasetError;
pub use index::{FORMAT_VERSION, Index, Levels, Recording, Trimmed};
pub use sampler::{ChunkSampler, Order, SamplerCursor};
pub use split::Split;
pub use streams::{StreamCursor, StreamSampler};

/// Name of the index inside a dataset's folder.
pub const INDEX_FILE: &str = "index.json";
/// Name of the frames file inside a dataset's folder.
pub const FRAMES_FILE: &str = "frames.i16";
/// Name of the list of skipped files inside a dataset's folder.
pub const SKIPPED_FILE: &str = "skipped.json";

/// Largest index that is read, in bytes: about half a million recordings.
const MAX_INDEX_BYTES: u64 = 1 << 28;

/// An open dataset. Cheap to share between threads: the frames stay in the page cache.
#[derive(Debug)]
pub struct Dataset {
    dir: PathBuf,
    index: Index,
    fingerprint: String,
    /// `None` when the dataset holds no frames: an empty file cannot be mapped.
    map: Option<Mmap>,
}

impl Dataset {
    /// Opens the dataset in `dir` and checks that the index and the frames file agree.
    ///
    /// # Errors
    /// [`DatasetError`] when the folder holds no dataset, a file cannot be read, or index and frames disagree.
    pub fn open(dir: &Path) -> Result<Self, DatasetError> {
        let index_path = dir.join(INDEX_FILE);
        let not_a_dataset = |reason: String| DatasetError::NotADataset { dir: dir.to_path_buf(), reason };
        let io = |file: &Path| {
            let file = file.to_path_buf();
            move |reason| DatasetError::Io { file, reason }
        };
        let meta = std::fs::metadata(&index_path).map_err(|e| match e.kind() {
            std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory => {
                not_a_dataset(format!("it has no {INDEX_FILE}"))
            }
            _ => io(&index_path)(e),
        })?;
        if meta.len() > MAX_INDEX_BYTES {
            return Err(DatasetError::Damaged {
                file: index_path,
                reason: format!("{} bytes is larger than any index", meta.len()),
            });
        }
        let bytes = std::fs::read(&index_path).map_err(io(&index_path))?;
        let index = Index::from_json(&bytes, &index_path)?;

        let frames_path = dir.join(FRAMES_FILE);
        let file = File::open(&frames_path).map_err(|e| match e.kind() {
            std::io::ErrorKind::NotFound => not_a_dataset(format!("it has no {FRAMES_FILE}")),
            _ => io(&frames_path)(e),
        })?;
        let bytes_found = file.metadata().map_err(io(&frames_path))?.len();
        let bytes_wanted = index.frames_total.checked_mul(2 * u64::from(index.channels));
        if bytes_wanted != Some(bytes_found) {
            return Err(DatasetError::Damaged {
                file: frames_path,
                reason: format!(
                    "{bytes_found} bytes, but the index tells of {} frames of {} channels",
                    index.frames_total, index.channels
                ),
            });
        }
        let map = if bytes_found == 0 {
            None
        } else {
            // SAFETY: the map is read-only and the file is written once by `prepare`, under another name, before it is
            // renamed into place; nothing in this program writes to a finished dataset. A foreign process that
            // truncates the file while it is mapped would raise SIGBUS, as with every memory-mapped file.
            Some(unsafe { Mmap::map(&file) }.map_err(io(&frames_path))?)
        };
        Ok(Self { dir: dir.to_path_buf(), index, fingerprint: sha256_hex(&bytes), map })
    }

    /// The folder.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The whole index.
    pub fn index(&self) -> &Index {
        &self.index
    }

    /// Hex SHA-256 of the index: changes when any recording, its order or its split does. For checkpoints, so that a
    /// run is not resumed on other data unnoticed.
    pub fn fingerprint(&self) -> &str {
        &self.fingerprint
    }

    /// Frames per second.
    pub fn sample_rate_hz(&self) -> u32 {
        self.index.sample_rate_hz
    }

    /// Channels per frame (1 or 2).
    pub fn channels(&self) -> usize {
        usize::from(self.index.channels)
    }

    /// The recordings of one split, in the order of the file.
    pub fn recordings(&self, split: Split) -> impl Iterator<Item = &Recording> {
        self.index.recordings.iter().filter(move |r| r.split == split)
    }

    /// Frames in one split.
    pub fn total_frames(&self, split: Split) -> u64 {
        self.recordings(split).map(|r| r.frames).sum()
    }

    /// A recording by its place in [`Index::recordings`], as [`Chunk::recording`] gives it.
    pub fn recording(&self, at: usize) -> Option<&Recording> {
        self.index.recordings.get(at)
    }

    /// The frames of a recording of *this* dataset, interleaved `[T, C]`; full scale is 32 768. Empty for a recording
    /// that lies outside the file (one of another dataset).
    pub fn frames(&self, recording: &Recording) -> &[i16] {
        let Some(map) = &self.map else { return &[] };
        // `Index::from_json` has checked these products for every recording of this index.
        let first = recording.offset as usize * self.channels();
        let count = recording.frames as usize * self.channels();
        let all: &[i16] = bytemuck::cast_slice(map);
        all.get(first..first.saturating_add(count)).unwrap_or(&[])
    }

    /// The frames of one chunk, interleaved `[T, C]`. Empty for a chunk of another dataset.
    pub fn chunk(&self, chunk: &Chunk) -> &[i16] {
        let Some(recording) = self.recording(chunk.recording) else { return &[] };
        let first = chunk.start as usize * self.channels();
        let count = chunk.frames * self.channels();
        self.frames(recording).get(first..first.saturating_add(count)).unwrap_or(&[])
    }
}

// The file is little-endian and is mapped as it lies; no supported system is anything else.
#[cfg(target_endian = "big")]
compile_error!("datasets are mapped as little-endian i16");

#[cfg(test)]
pub(crate) mod tests;
