//! Chunks that go on where the last one ended, several recordings side by side: for networks that carry a state from batch
//! to batch.

use serde::{Deserialize, Serialize};

use super::sampler::{ORDER, long_enough};
use super::{Chunk, Dataset, DatasetError, Order, Split};
use crate::random::Random;

/// Where a sampler stands; goes into a checkpoint.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StreamCursor {
    /// Recordings begun, over all epochs.
    pub begun: u64,
    /// Per row the place of its recording in the index, and the first frame of its next chunk; none before the first.
    pub rows: Vec<Option<(u32, u64)>>,
}

/// Gives out chunks for ever, row by row: each goes on in its recording, and takes the next one when that is used up.
///
/// The order of the recordings is that of the dataset, or a new permutation per epoch; it depends on the dataset and the
/// RNG seed alone. What is left of a recording behind its last whole chunk is not given out.
#[derive(Debug, Clone)]
pub struct StreamSampler {
    /// (recording, length in frames) of every recording that is long enough.
    recordings: Vec<(u32, u64)>,
    chunk_frames: usize,
    order: Order,
    rng_seed: u64,
    cursor: StreamCursor,
}

impl StreamSampler {
    /// A sampler of `rows` rows over a split.
    ///
    /// # Errors
    /// [`DatasetError::ZeroLength`]; [`DatasetError::NoChunks`] when no recording holds one whole chunk.
    pub fn new(
        dataset: &Dataset,
        split: Split,
        chunk_frames: usize,
        rows: usize,
        order: Order,
        rng_seed: u64,
    ) -> Result<Self, DatasetError> {
        let recordings = long_enough(dataset, split, chunk_frames, chunk_frames)?;
        let cursor = StreamCursor { begun: 0, rows: vec![None; rows] };
        Ok(Self { recordings, chunk_frames, order, rng_seed, cursor })
    }

    /// The next chunk of a row, and whether it begins a recording.
    pub fn next_chunk(&mut self, row: usize) -> (Chunk, bool) {
        let goes_on = self.cursor.rows[row].filter(|&(recording, start)| self.holds(recording, start));
        let (recording, start) = goes_on.unwrap_or_else(|| {
            self.cursor.begun += 1;
            (self.recording(self.cursor.begun - 1), 0)
        });
        self.cursor.rows[row] = Some((recording, start + self.chunk_frames as u64));
        (Chunk { recording: recording as usize, start, frames: self.chunk_frames }, start == 0)
    }

    /// Whether a recording holds a chunk from this frame on.
    fn holds(&self, recording: u32, start: u64) -> bool {
        let found = self.recordings.binary_search_by_key(&recording, |&(at, _)| at);
        found.is_ok_and(|place| start.saturating_add(self.chunk_frames as u64) <= self.recordings[place].1)
    }

    /// The recording that is the `begun`-th to be begun, counted from 0.
    fn recording(&self, begun: u64) -> u32 {
        let count = self.recordings.len() as u64;
        let place = (begun % count) as usize;
        match self.order {
            Order::Sequential => self.recordings[place].0,
            Order::Shuffled => {
                let mut order: Vec<u32> = self.recordings.iter().map(|&(recording, _)| recording).collect();
                Random::new(self.rng_seed, ORDER, begun / count).shuffle(&mut order);
                order[place]
            }
        }
    }

    /// Where the sampler stands.
    pub fn cursor(&self) -> StreamCursor {
        self.cursor.clone()
    }

    /// Continues from a cursor of a sampler over the same dataset, split, length and rows.
    ///
    /// # Errors
    /// [`DatasetError::OtherCursor`] when the cursor cannot be one of this sampler's.
    pub fn restore(&mut self, cursor: &StreamCursor) -> Result<(), DatasetError> {
        let length = self.chunk_frames as u64;
        let fits = |&(recording, start): &(u32, u64)| {
            start % length == 0 && start.checked_sub(length).is_some_and(|last| self.holds(recording, last))
        };
        if cursor.rows.len() != self.cursor.rows.len() || !cursor.rows.iter().flatten().all(fits) {
            return Err(DatasetError::OtherCursor);
        }
        self.cursor = cursor.clone();
        Ok(())
    }

    /// Chunks of all recordings together.
    pub fn chunks_per_epoch(&self) -> usize {
        self.recordings.iter().map(|(_, frames)| (frames / self.chunk_frames as u64) as usize).sum()
    }
}
