//! From frames of a dataset to sequences of codes.

use continuo_package::Signal;

use crate::dataset::{Chunk, ChunkSampler, Dataset, DatasetError, Order, SamplerCursor, Split};

/// Every 16-bit amplitude's code.
#[derive(Debug, Clone)]
pub struct Coder {
    codes: Vec<u16>,
    silence: u16,
}

impl Coder {
    /// µ-law with this many levels (at most 65 536).
    pub fn mu_law(levels: u32) -> Self {
        let signal = Signal::MuLaw { levels };
        let codes = (0..=u16::MAX).map(|bits| signal.encode(f32::from(bits.cast_signed()) / 32_768.0) as u16).collect();
        Self { codes, silence: signal.silence() as u16 }
    }

    /// The code of a frame.
    pub fn code(&self, frame: i16) -> u16 {
        self.codes[usize::from(frame.cast_unsigned())]
    }

    /// `receptive` + `targets` codes, so that the first target is the frame at `start`; silence stands for what comes
    /// before the recording.
    pub fn sequence(&self, recording: &[i16], start: usize, targets: usize, receptive: usize) -> Vec<u16> {
        let missing = receptive.saturating_sub(start);
        let frames =
            &recording[(start + missing - receptive).min(recording.len())..recording.len().min(start + targets)];
        let mut codes = vec![self.silence; missing];
        codes.extend(frames.iter().map(|&frame| self.code(frame)));
        codes
    }
}

/// The batches of a run, one after another.
#[derive(Debug)]
pub struct Batches<'a> {
    dataset: &'a Dataset,
    sampler: ChunkSampler,
    coder: Coder,
    receptive: usize,
    batch: usize,
}

/// What batches are cut out of a dataset.
#[derive(Debug, Clone, Copy)]
pub struct Cut {
    /// Sequences per batch.
    pub batch: usize,
    /// Targets per sequence.
    pub targets: usize,
    /// Codes in front of the targets.
    pub receptive: usize,
    /// µ-law levels.
    pub levels: u32,
}

impl<'a> Batches<'a> {
    /// Batches of the training recordings.
    ///
    /// # Errors
    /// If no recording is as long as a sequence's targets.
    pub fn new(dataset: &'a Dataset, cut: Cut, order: Order, rng_seed: u64) -> Result<Self, DatasetError> {
        Ok(Self {
            dataset,
            sampler: ChunkSampler::new(dataset, Split::Train, cut.targets, cut.targets, order, rng_seed)?,
            coder: Coder::mu_law(cut.levels),
            receptive: cut.receptive,
            batch: cut.batch,
        })
    }

    /// The next batch.
    pub fn next_batch(&mut self) -> Vec<Vec<u16>> {
        (0..self.batch)
            .map(|_| {
                let chunk = self.sampler.next_chunk();
                sequence(self.dataset, &self.coder, &chunk, self.receptive)
            })
            .collect()
    }

    /// Where the next batch begins.
    pub fn cursor(&self) -> SamplerCursor {
        self.sampler.cursor()
    }

    /// Goes on from a cursor.
    ///
    /// # Errors
    /// If the cursor belongs to other data.
    pub fn restore(&mut self, cursor: SamplerCursor) -> Result<(), DatasetError> {
        self.sampler.restore(cursor)
    }

    /// Sequences in the present epoch.
    pub fn sequences_per_epoch(&self) -> usize {
        self.sampler.chunks_per_epoch()
    }
}

fn sequence(dataset: &Dataset, coder: &Coder, chunk: &Chunk, receptive: usize) -> Vec<u16> {
    let frames = dataset.recording(chunk.recording).map_or(&[][..], |recording| dataset.frames(recording));
    coder.sequence(frames, chunk.start as usize, chunk.frames, receptive)
}

/// The same `count` sequences of held-out recordings on every call, spread over all of them; fewer if there are fewer.
///
/// # Errors
/// If no held-out recording is as long as a sequence's targets.
pub fn held_out(dataset: &Dataset, cut: Cut, count: usize) -> Result<Vec<Vec<u16>>, DatasetError> {
    let mut sampler = ChunkSampler::new(dataset, Split::Heldout, cut.targets, cut.targets, Order::Sequential, 0)?;
    let all: Vec<Chunk> = (0..sampler.chunks_per_epoch()).map(|_| sampler.next_chunk()).collect();
    let coder = Coder::mu_law(cut.levels);
    let count = count.min(all.len());
    Ok((0..count).map(|i| sequence(dataset, &coder, &all[i * all.len() / count], cut.receptive)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sequence_before_the_recording_s_start_is_silence() {
        let coder = Coder::mu_law(256);
        let recording: Vec<i16> = (0..100).map(|t| t * 300).collect();
        let code = |t: usize| coder.code(recording[t]);
        let codes = coder.sequence(&recording, 0, 5, 3);
        assert_eq!(codes, [128, 128, 128, code(0), code(1), code(2), code(3), code(4)]);
        let codes = coder.sequence(&recording, 2, 2, 3);
        assert_eq!(codes, [128, code(0), code(1), code(2), code(3)]);
        let codes = coder.sequence(&recording, 96, 4, 3);
        assert_eq!(codes, (93..100).map(code).collect::<Vec<_>>());
    }

    #[test]
    fn the_coder_is_the_package_s_quantisation() {
        let coder = Coder::mu_law(256);
        let signal = Signal::MuLaw { levels: 256 };
        for frame in [i16::MIN, -1000, -1, 0, 1, 777, i16::MAX] {
            assert_eq!(u32::from(coder.code(frame)), signal.encode(f32::from(frame) / 32_768.0));
        }
        assert_eq!(coder.code(0), 128);
    }
}
