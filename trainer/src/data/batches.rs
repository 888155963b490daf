//! From frames of a dataset to batches `[B, C, T]`, of codes or of real values.

use std::ops::Range;

use continuo_package::Signal;
use serde::{Deserialize, Serialize};

use crate::data::dataset::{
    Chunk, ChunkSampler, Dataset, DatasetError, Order, SamplerCursor, Split, StreamCursor, StreamSampler,
};

/// Which batches a task is trained on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BatchPlan {
    /// `B`: sequences in a batch.
    pub sequences: usize,
    /// Frames of each sequence that are new: sequences of a recording overlap in them at its ends at most.
    pub frames: usize,
    /// Frames in front of them that were new before, such as a receptive field; silence before a recording's start.
    pub context: usize,
    /// How amplitudes become codes; [`Signal::Real`] gives real values in [−1, 1].
    pub signal: Signal,
    /// In order or shuffled.
    pub order: Order,
    /// Whether each sequence goes on where the one in its place in the last batch ended, as a state that is carried from
    /// step to step needs it. Recordings, not chunks, are then in order or shuffled.
    pub carried: bool,
}

/// The values of a batch, row by row.
#[derive(Debug, Clone, PartialEq)]
pub enum Values {
    /// Codes.
    Codes(Vec<u16>),
    /// Real values; full scale is 1.
    Frames(Vec<f32>),
}

/// Sequences `[B, C, T]`, `T` being context and new frames together.
#[derive(Debug, Clone, PartialEq)]
pub struct Batch {
    /// `[B, C, T]`.
    pub shape: [usize; 3],
    /// The values, `T` running fastest.
    pub values: Values,
    /// Per sequence whether it begins a recording, so that no state is carried into it.
    pub begins: Vec<bool>,
    /// Per sequence the folder of its recording; see [`crate::data::dataset::Recording::folder`].
    pub folders: Vec<String>,
}

impl Batch {
    fn empty(plan: &BatchPlan, channels: usize) -> Self {
        let values = if plan.signal == Signal::Real { Values::Frames(Vec::new()) } else { Values::Codes(Vec::new()) };
        Self { shape: [0, channels, plan.context + plan.frames], values, begins: Vec::new(), folders: Vec::new() }
    }

    /// The codes `[C, T]` of each sequence; none for real values.
    pub fn codes(&self) -> impl Iterator<Item = &[u16]> {
        let codes: &[u16] = match &self.values {
            Values::Codes(codes) => codes,
            Values::Frames(_) => &[],
        };
        codes.chunks_exact((self.shape[1] * self.shape[2]).max(1))
    }

    /// The real values `[C, T]` of each sequence; none for codes.
    pub fn frames(&self) -> impl Iterator<Item = &[f32]> {
        let frames: &[f32] = match &self.values {
            Values::Frames(frames) => frames,
            Values::Codes(_) => &[],
        };
        frames.chunks_exact((self.shape[1] * self.shape[2]).max(1))
    }
}

/// Every 16-bit amplitude's code.
#[derive(Debug, Clone)]
pub struct Coder {
    codes: Vec<u16>,
    silence: u16,
}

impl Coder {
    /// A table for a quantisation of at most 65 536 levels.
    pub fn new(signal: Signal) -> Self {
        let codes = (0..=u16::MAX).map(|bits| signal.encode(amplitude(bits.cast_signed())) as u16).collect();
        Self { codes, silence: signal.silence() as u16 }
    }

    /// The code of one channel of a frame.
    pub fn code(&self, frame: i16) -> u16 {
        self.codes[usize::from(frame.cast_unsigned())]
    }

    /// The code of silence.
    pub fn silence(&self) -> u16 {
        self.silence
    }

    /// `context` + `frames` codes of one channel, so that the first after the context is the frame at `start`; silence
    /// stands for what comes before the recording.
    pub fn sequence(&self, recording: &[i16], start: usize, frames: usize, context: usize) -> Vec<u16> {
        let mut codes = Vec::with_capacity(context + frames);
        extend(&mut codes, recording, (1, 0), (start, frames, context), self.silence, |frame| self.code(frame));
        codes
    }
}

/// The same of real values.
pub fn real_sequence(recording: &[i16], start: usize, frames: usize, context: usize) -> Vec<f32> {
    let mut values = Vec::with_capacity(context + frames);
    extend(&mut values, recording, (1, 0), (start, frames, context), 0.0, amplitude);
    values
}

fn amplitude(frame: i16) -> f32 {
    f32::from(frame) / 32_768.0
}

/// Appends one channel (`channel` of `channels`) of `context + frames` frames; those before the recording are `before`.
fn extend<T: Copy>(
    to: &mut Vec<T>,
    recording: &[i16],
    (channels, channel): (usize, usize),
    (start, frames, context): (usize, usize, usize),
    before: T,
    value: impl Fn(i16) -> T,
) {
    let missing = context.saturating_sub(start);
    to.extend(std::iter::repeat_n(before, missing));
    let frames = recording.chunks_exact(channels).skip(start + missing - context).take(context + frames - missing);
    to.extend(frames.map(|frame| value(frame[channel])));
}

/// Where the next batch begins; goes into a checkpoint.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum BatchCursor {
    /// Sequences that have nothing to do with one another.
    Chunks(SamplerCursor),
    /// Sequences that go on from batch to batch.
    Streams(StreamCursor),
}

#[derive(Debug)]
enum Sampler {
    Chunks(ChunkSampler),
    Streams(StreamSampler),
}

/// Where a sequence lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// Its new frames.
    pub chunk: Chunk,
    /// Whether it begins a recording.
    pub begins: bool,
}

/// The batches of a run, one after another.
#[derive(Debug)]
pub struct Batches<'a> {
    dataset: &'a Dataset,
    sampler: Sampler,
    coder: Option<Coder>,
    plan: BatchPlan,
    /// The rows that are given out.
    rows: Range<usize>,
}

impl<'a> Batches<'a> {
    /// Batches of the training recordings. Their order depends on the dataset, the plan and the seed alone.
    ///
    /// # Errors
    /// If no recording has as many frames as are new in a sequence.
    pub fn new(dataset: &'a Dataset, plan: BatchPlan, rng_seed: u64) -> Result<Self, DatasetError> {
        let sampler = if plan.carried {
            let sampler = StreamSampler::new(dataset, Split::Train, plan.frames, plan.sequences, plan.order, rng_seed)?;
            Sampler::Streams(sampler)
        } else {
            let (length, order) = (plan.frames, plan.order);
            Sampler::Chunks(ChunkSampler::new(dataset, Split::Train, length, length, order, rng_seed)?)
        };
        Ok(Self { dataset, sampler, coder: coder(&plan), plan, rows: 0..plan.sequences })
    }

    /// What they were planned as.
    pub fn plan(&self) -> &BatchPlan {
        &self.plan
    }

    /// Gives out these rows of each batch only. The others are passed over, so all workers stand at the same place.
    #[must_use]
    pub fn of_rows(mut self, rows: Range<usize>) -> Self {
        self.rows = rows;
        self
    }

    /// The rows of each batch that are given out; all of them unless somebody said otherwise.
    pub fn rows(&self) -> Range<usize> {
        self.rows.clone()
    }

    /// The next batch, of the rows that are given out.
    pub fn next_batch(&mut self) -> Batch {
        let places = self.next_places();
        self.cut(&places)
    }

    /// Where the sequences of the next batch lie, of the rows that are given out, for a device that holds the dataset.
    pub fn next_places(&mut self) -> Vec<Place> {
        let next = |row| match &mut self.sampler {
            Sampler::Chunks(sampler) => Place { chunk: sampler.next_chunk(), begins: true },
            Sampler::Streams(sampler) => {
                let (chunk, begins) = sampler.next_chunk(row);
                Place { chunk, begins }
            }
        };
        // Each row is drawn, so that all workers stand at the same place.
        let places: Vec<Place> = (0..self.plan.sequences).map(next).collect();
        let own = |(row, place): (usize, Place)| self.rows.contains(&row).then_some(place);
        places.into_iter().enumerate().filter_map(own).collect()
    }

    /// The batch of some places.
    pub fn cut(&self, places: &[Place]) -> Batch {
        let mut batch = Batch::empty(&self.plan, self.dataset.channels());
        for Place { chunk, begins } in places {
            push(&mut batch, self.dataset, self.coder.as_ref(), chunk, (self.plan.context, *begins));
        }
        batch
    }

    /// What they are cut from.
    pub fn dataset(&self) -> &'a Dataset {
        self.dataset
    }

    /// Where the next batch begins.
    pub fn cursor(&self) -> BatchCursor {
        match &self.sampler {
            Sampler::Chunks(sampler) => BatchCursor::Chunks(sampler.cursor()),
            Sampler::Streams(sampler) => BatchCursor::Streams(sampler.cursor()),
        }
    }

    /// Goes on from a cursor.
    ///
    /// # Errors
    /// If the cursor belongs to other data or another plan.
    pub fn restore(&mut self, cursor: &BatchCursor) -> Result<(), DatasetError> {
        match (&mut self.sampler, cursor) {
            (Sampler::Chunks(sampler), BatchCursor::Chunks(cursor)) => sampler.restore(*cursor),
            (Sampler::Streams(sampler), BatchCursor::Streams(cursor)) => sampler.restore(cursor),
            _ => Err(DatasetError::OtherCursor),
        }
    }

    /// Recordings of the split that are shorter than a sequence and so never given out, and their frames.
    pub fn too_short(&self) -> (usize, u64) {
        let short =
            self.dataset.recordings(Split::Train).filter(|recording| recording.frames < self.plan.frames as u64);
        short.fold((0, 0), |(count, frames), recording| (count + 1, frames + recording.frames))
    }

    /// Sequences in the present epoch.
    pub fn sequences_per_epoch(&self) -> usize {
        match &self.sampler {
            Sampler::Chunks(sampler) => sampler.chunks_per_epoch(),
            Sampler::Streams(sampler) => sampler.chunks_per_epoch(),
        }
    }
}

fn coder(plan: &BatchPlan) -> Option<Coder> {
    (plan.signal != Signal::Real).then(|| Coder::new(plan.signal))
}

/// Appends the sequence of a chunk to a batch, channel by channel.
fn push(batch: &mut Batch, dataset: &Dataset, coder: Option<&Coder>, chunk: &Chunk, (context, begins): (usize, bool)) {
    let recording = dataset.recording(chunk.recording).map_or(&[][..], |recording| dataset.frames(recording));
    let channels = batch.shape[1];
    let place = (chunk.start as usize, chunk.frames, context);
    for channel in 0..channels {
        match (&mut batch.values, coder) {
            (Values::Codes(codes), Some(coder)) => {
                extend(codes, recording, (channels, channel), place, coder.silence, |frame| coder.code(frame));
            }
            (Values::Frames(frames), _) => {
                extend(frames, recording, (channels, channel), place, 0.0, amplitude);
            }
            (Values::Codes(_), None) => {}
        }
    }
    batch.shape[0] += 1;
    batch.begins.push(begins);
    batch.folders.push(dataset.recording(chunk.recording).map_or("", |recording| recording.folder()).to_owned());
}

/// The same sequences of held-out recordings on every call, as many as the plan says and spread over all of them; fewer if
/// there are fewer, none if nothing is held out.
///
/// # Errors
/// If recordings are held out, but none has as many frames as are new in a sequence.
pub fn held_out(dataset: &Dataset, plan: &BatchPlan) -> Result<Batch, DatasetError> {
    let mut batch = Batch::empty(plan, dataset.channels());
    if dataset.total_frames(Split::Heldout) == 0 {
        return Ok(batch);
    }
    let mut sampler = ChunkSampler::new(dataset, Split::Heldout, plan.frames, plan.frames, Order::Sequential, 0)?;
    // No frame is measured twice: chunks that end with their recording overlap with those before.
    let on_grid = |chunk: &Chunk| chunk.start.is_multiple_of(plan.frames as u64);
    let all: Vec<Chunk> = (0..sampler.chunks_per_epoch()).map(|_| sampler.next_chunk()).filter(on_grid).collect();
    let coder = coder(plan);
    let count = plan.sequences.min(all.len());
    for i in 0..count {
        push(&mut batch, dataset, coder.as_ref(), &all[i * all.len() / count], (plan.context, true));
    }
    Ok(batch)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::data::dataset::tests::{Lengths, write};

    const MU_LAW: Signal = Signal::MuLaw { levels: 256 };

    #[test]
    fn a_sequence_before_the_recording_s_start_is_silence() {
        let coder = Coder::new(MU_LAW);
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
        let coder = Coder::new(MU_LAW);
        for frame in [i16::MIN, -1000, -1, 0, 1, 777, i16::MAX] {
            assert_eq!(u32::from(coder.code(frame)), MU_LAW.encode(f32::from(frame) / 32_768.0));
        }
        assert_eq!((coder.code(0), coder.silence()), (128, 128));
    }

    fn dataset(channels: u16, lengths: &Lengths) -> (tempfile::TempDir, Dataset) {
        let dir = tempfile::tempdir().unwrap();
        write(dir.path(), channels, lengths);
        let dataset = Dataset::open(dir.path()).unwrap();
        (dir, dataset)
    }

    fn real(sequences: usize, frames: usize, context: usize, carried: bool) -> BatchPlan {
        BatchPlan { sequences, frames, context, signal: Signal::Real, order: Order::Sequential, carried }
    }

    /// What the dataset of the tests holds at a frame of a channel.
    fn value(recording: i16, t: i16) -> f32 {
        f32::from(recording * 1000 + t) / 32_768.0
    }

    #[test]
    fn real_frames_of_two_channels_are_planar() {
        let (_dir, dataset) = dataset(2, &[(7, Split::Train), (3, Split::Heldout)]);
        let mut batches = Batches::new(&dataset, real(2, 3, 1, false), 0).unwrap();
        let batch = batches.next_batch();
        assert_eq!((batch.shape, batch.codes().count()), ([2, 2, 4], 0));
        let rows: Vec<&[f32]> = batch.frames().collect();
        let first = [0.0, value(0, 0), value(0, 1), value(0, 2)];
        let second = [value(0, 2), value(0, 3), value(0, 4), value(0, 5)];
        // The tests' dataset has the same in both channels.
        assert_eq!(rows, [[first, first].concat(), [second, second].concat()]);
        let held = held_out(&dataset, &real(9, 3, 0, false)).unwrap();
        assert_eq!((held.shape, held.frames().next().unwrap()[0].to_bits()), ([1, 2, 3], value(1, 0).to_bits()));
        assert!(held_out(&dataset, &real(1, 4, 0, false)).is_err());
    }

    #[test]
    fn workers_rows_together_are_the_batch_and_all_stand_at_one_place() {
        let (_dir, dataset) = dataset(1, &[(30, Split::Train), (11, Split::Train)]);
        for carried in [false, true] {
            let plan = BatchPlan { order: Order::Shuffled, ..real(4, 3, 2, carried) };
            let new = || Batches::new(&dataset, plan, 9).unwrap();
            let (mut whole, mut parts) = (new(), [new().of_rows(0..2), new().of_rows(2..4)]);
            assert_eq!((whole.rows(), parts[1].rows()), (0..4, 2..4));
            for _ in 0..7 {
                let all = whole.next_batch();
                let [first, second] = parts.each_mut().map(Batches::next_batch);
                assert_eq!(first.shape, [2, 1, 5]);
                assert_eq!([&first.begins[..], &second.begins].concat(), all.begins);
                let both: Vec<&[f32]> = first.frames().chain(second.frames()).collect();
                assert_eq!(both, all.frames().collect::<Vec<_>>());
                assert!(parts.iter().all(|part| part.cursor() == whole.cursor()));
            }
        }
    }

    #[test]
    fn codes_of_two_channels_are_planar_and_without_held_out_recordings_there_is_no_sequence() {
        let (_dir, dataset) = dataset(2, &[(7, Split::Train)]);
        let plan = BatchPlan { signal: MU_LAW, ..real(1, 3, 1, false) };
        let batch = Batches::new(&dataset, plan, 0).unwrap().next_batch();
        let code = |t| MU_LAW.encode(value(0, t)) as u16;
        let channel = [128, code(0), code(1), code(2)];
        assert_eq!(batch.codes().collect::<Vec<_>>(), [[channel, channel].concat()]);
        assert_eq!(held_out(&dataset, &plan).unwrap().shape, [0, 2, 4]);
    }

    #[test]
    fn carried_sequences_go_on_where_the_last_batch_ended() {
        let lengths = [(7, Split::Train), (2, Split::Train), (9, Split::Train), (5, Split::Train)];
        let (_dir, dataset) = dataset(1, &lengths);
        let plan = real(2, 3, 0, true);
        let mut batches = Batches::new(&dataset, plan, 4).unwrap();
        let mut seen = Vec::new();
        let mut ends: [Option<f32>; 2] = [None; 2];
        for _ in 0..9 {
            let batch = batches.next_batch();
            for ((row, begins), end) in batch.frames().zip(&batch.begins).zip(&mut ends) {
                let goes_on = end.is_some_and(|end| (row[0] - end - 1.0 / 32_768.0).abs() < 1e-9);
                assert_eq!(goes_on, !begins, "either a recording begins or the last one goes on");
                *end = row.last().copied();
                seen.push((row[0] * 32_768.0) as u32);
            }
        }
        // Recordings 0, 2 and 3 by turns (1 is too short), two at a time, each from its first frame to its last chunk.
        assert_eq!(seen[..12], [0, 2000, 3, 2003, 3000, 2006, 0, 2000, 3, 2003, 3000, 2006]);

        for cut in 0..9 {
            let mut first = Batches::new(&dataset, BatchPlan { order: Order::Shuffled, ..plan }, 4).unwrap();
            let all: Vec<Batch> = (0..9).map(|_| first.next_batch()).collect();
            let mut first = Batches::new(&dataset, *first.plan(), 4).unwrap();
            (0..cut).for_each(|_| drop(first.next_batch()));
            let cursor = serde_json::from_str(&serde_json::to_string(&first.cursor()).unwrap()).unwrap();
            let mut second = Batches::new(&dataset, *first.plan(), 4).unwrap();
            second.restore(&cursor).unwrap();
            assert_eq!((cut..9).map(|_| second.next_batch()).collect::<Vec<_>>(), all[cut..], "cut at {cut}");
        }
        let chunks = Batches::new(&dataset, real(2, 3, 0, false), 4).unwrap().cursor();
        assert!(batches.restore(&chunks).is_err(), "a cursor of another kind");
    }
}
