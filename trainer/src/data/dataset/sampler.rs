//! Which chunk comes next: in order (Kresge & Ratzlaff train on 10-s chunks in order) or shuffled, the same on every
//! machine, and resumable from two numbers.

use serde::{Deserialize, Serialize};

use super::{Chunk, Dataset, DatasetError, Split};
use crate::random::{Purpose, Random};

/// What decides the order of an epoch, by its number.
pub(super) const ORDER: Purpose = Purpose::named("order of an epoch");

/// The order of the chunks of an epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Order {
    /// Recording after recording, from each one's first frame; what is left behind the last whole chunk comes in a chunk that
    /// ends with the recording. Every epoch is the same.
    Sequential,
    /// A new permutation per epoch; the grid of starts is moved at random per recording and epoch, so that a recording is not
    /// always cut in the same places. A chunk that would begin up to half a hop before a recording, or end as much behind it,
    /// is moved into it, so that first and last frames are drawn about as often as others.
    Shuffled,
}

/// Where a sampler stands; goes into a checkpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct SamplerCursor {
    /// Epochs finished.
    pub epoch: u64,
    /// Chunks of this epoch already given out.
    pub position: u64,
}

/// Gives out chunks for ever, epoch after epoch. Its order depends on the dataset, the lengths and the RNG seed alone.
#[derive(Debug, Clone)]
pub struct ChunkSampler {
    /// (recording, length in frames) of every recording that is long enough.
    recordings: Vec<(u32, u64)>,
    too_short: usize,
    chunk_frames: usize,
    hop_frames: usize,
    order: Order,
    rng_seed: u64,
    cursor: SamplerCursor,
    /// This epoch's chunks: (recording, start).
    epoch: Vec<(u32, u64)>,
}

impl ChunkSampler {
    /// A sampler over the chunks of `chunk_frames` frames of a split that start every `hop_frames` frames. For
    /// neighbouring chunks without overlap the two are equal; a causal model that needs context in front of each chunk
    /// takes `chunk_frames = context + hop_frames`.
    ///
    /// # Errors
    /// [`DatasetError::ZeroLength`]; [`DatasetError::NoChunks`] when no recording holds one whole chunk.
    pub fn new(
        dataset: &Dataset,
        split: Split,
        chunk_frames: usize,
        hop_frames: usize,
        order: Order,
        rng_seed: u64,
    ) -> Result<Self, DatasetError> {
        let recordings = long_enough(dataset, split, chunk_frames, hop_frames)?;
        let too_short = dataset.recordings(split).count() - recordings.len();
        let cursor = SamplerCursor { epoch: 0, position: 0 };
        let mut sampler =
            Self { recordings, too_short, chunk_frames, hop_frames, order, rng_seed, cursor, epoch: Vec::new() };
        sampler.lay_out_epoch();
        Ok(sampler)
    }

    /// The next chunk; begins the next epoch when this one is used up.
    pub fn next_chunk(&mut self) -> Chunk {
        if self.cursor.position >= self.epoch.len() as u64 {
            self.cursor.epoch += 1;
            self.cursor.position = 0;
            self.lay_out_epoch();
        }
        let (recording, start) = self.epoch[self.cursor.position as usize];
        self.cursor.position += 1;
        Chunk { recording: recording as usize, start, frames: self.chunk_frames }
    }

    /// Where the sampler stands.
    pub fn cursor(&self) -> SamplerCursor {
        self.cursor
    }

    /// Continues from a cursor of a sampler over the same dataset, split, lengths, order and seed.
    ///
    /// # Errors
    /// [`DatasetError::Cursor`] when the cursor lies outside its epoch: it belongs to other data or lengths.
    pub fn restore(&mut self, cursor: SamplerCursor) -> Result<(), DatasetError> {
        let before = std::mem::replace(&mut self.cursor, cursor);
        self.lay_out_epoch();
        let chunks = self.epoch.len() as u64;
        if cursor.position > chunks {
            self.cursor = before;
            self.lay_out_epoch();
            return Err(DatasetError::Cursor { epoch: cursor.epoch, position: cursor.position, chunks });
        }
        Ok(())
    }

    /// Chunks in the present epoch. Shuffled epochs differ by at most one chunk per recording.
    pub fn chunks_per_epoch(&self) -> usize {
        self.epoch.len()
    }

    /// Recordings that are shorter than one chunk and so never given out.
    pub fn too_short(&self) -> usize {
        self.too_short
    }

    fn lay_out_epoch(&mut self) {
        let mut random = Random::new(self.rng_seed, ORDER, self.cursor.epoch);
        self.epoch.clear();
        let hop = self.hop_frames as u64;
        for &(recording, frames) in &self.recordings {
            let last_start = frames - self.chunk_frames as u64;
            match self.order {
                Order::Sequential => {
                    let left = (!last_start.is_multiple_of(hop)).then_some(last_start);
                    let starts = (0..=last_start).step_by(self.hop_frames).chain(left);
                    self.epoch.extend(starts.map(|start| (recording, start)));
                }
                Order::Shuffled => {
                    // Counted from half a hop before the recording, so that a recording of one chunk gives one in every epoch.
                    let starts = (random.below(hop)..last_start + hop).step_by(self.hop_frames);
                    let moved = starts.map(|start| start.saturating_sub(hop / 2).min(last_start));
                    self.epoch.extend(moved.map(|start| (recording, start)));
                }
            }
        }
        if self.order == Order::Shuffled {
            random.shuffle(&mut self.epoch);
        }
    }
}

/// (recording, length in frames) of every recording of a split that holds a whole chunk.
///
/// # Errors
/// [`DatasetError::ZeroLength`]; [`DatasetError::NoChunks`] when there is none.
pub(super) fn long_enough(
    dataset: &Dataset,
    split: Split,
    chunk_frames: usize,
    hop_frames: usize,
) -> Result<Vec<(u32, u64)>, DatasetError> {
    if chunk_frames == 0 || hop_frames == 0 {
        return Err(DatasetError::ZeroLength { chunk_frames, hop_frames });
    }
    let of_split = || dataset.index().recordings.iter().enumerate().filter(|(_, r)| r.split == split);
    let recordings: Vec<(u32, u64)> =
        of_split().filter(|(_, r)| r.frames >= chunk_frames as u64).map(|(at, r)| (at as u32, r.frames)).collect();
    if recordings.is_empty() {
        let longest = of_split().map(|(_, r)| r.frames).max().unwrap_or(0);
        return Err(DatasetError::NoChunks { dir: dataset.dir().to_path_buf(), split, chunk_frames, longest });
    }
    Ok(recordings)
}
