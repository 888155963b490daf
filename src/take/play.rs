//! A take at the host's rate: what `process()` reads while the renderer still writes.
//!
//! All buffers have their full length before the first frame is written, and one counter per alternative says how many
//! frames are ready. A writer stores frames and then raises the counter (release); a reader loads the counter (acquire)
//! and then reads below it.

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering};

use continuo_realtime::{Segment, TakeView};

/// `f32` bits that one thread writes and another reads.
pub type Cells = Box<[AtomicU32]>;

/// The system has no memory for a take's buffers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OutOfMemory;

/// The continuation in one variation.
#[derive(Debug)]
struct Variation {
    /// One or two channels.
    channels: Vec<Cells>,
    ready: AtomicUsize,
}

/// A take's buffers at the host's rate.
#[derive(Debug)]
pub struct PlayTake {
    /// Distinguishes takes within a process.
    pub id: u64,
    /// Frames per second.
    pub rate_hz: u32,
    seed: Vec<Cells>,
    frames: usize,
    variations: Vec<Variation>,
    complete: AtomicBool,
}

impl PlayTake {
    /// Buffers for `variations` continuations of `frames` frames and one or two `channels` each, after a seed clip of one or
    /// two channels at `rate_hz` (no channel: no seed clip).
    ///
    /// # Errors
    /// [`OutOfMemory`]
    pub fn new(
        rate_hz: u32,
        seed: &[Vec<f32>],
        variations: usize,
        channels: usize,
        frames: usize,
    ) -> Result<Self, OutOfMemory> {
        let mut take = Self { rate_hz, frames, ..Self::silence() };
        for channel in seed.iter().take(2) {
            let cells = zeroed(channel.len())?;
            store(&cells, channel);
            take.seed.push(cells);
        }
        for _ in 0..variations {
            let channels = (0..channels.clamp(1, 2)).map(|_| zeroed(frames)).collect::<Result<_, _>>()?;
            take.variations.push(Variation { channels, ready: AtomicUsize::new(0) });
        }
        Ok(take)
    }

    /// A take without a sound: what plays where there is none.
    pub fn silence() -> Self {
        static NEXT_ID: AtomicU64 = AtomicU64::new(1);
        Self {
            id: NEXT_ID.fetch_add(1, Ordering::Relaxed),
            rate_hz: 1,
            seed: Vec::new(),
            frames: 0,
            variations: Vec::new(),
            complete: AtomicBool::new(false),
        }
    }

    /// Frames of the seed clip.
    pub fn seed_frames(&self) -> usize {
        self.seed.first().map_or(0, |channel| channel.len())
    }

    /// Frames of a whole continuation.
    pub fn frames(&self) -> usize {
        self.frames
    }

    /// Number of variations.
    pub fn variations(&self) -> usize {
        self.variations.len()
    }

    /// Frames of variation `index` that are ready.
    pub fn ready(&self, index: usize) -> usize {
        self.variations.get(index).map_or(0, |variation| variation.ready.load(Ordering::Acquire))
    }

    /// Appends frames to variation `index`, as many in each of its channels; what goes beyond its full length is dropped.
    /// One thread at a time.
    pub fn append(&self, index: usize, channels: &[Vec<f32>]) {
        let Some(variation) = self.variations.get(index) else { return };
        let ready = variation.ready.load(Ordering::Relaxed);
        let count = channels.iter().map(Vec::len).min().unwrap_or(0).min(self.frames - ready);
        for (cells, frames) in variation.channels.iter().zip(channels) {
            store(&cells[ready..ready + count], frames);
        }
        variation.ready.store(ready + count, Ordering::Release);
    }

    /// Nothing more will be appended. Frames that rounding left over at the end are silence.
    pub fn close(&self) {
        for variation in &self.variations {
            variation.ready.store(self.frames, Ordering::Release);
        }
        self.complete.store(true, Ordering::Release);
    }

    /// Nothing more will come, though the take is not whole.
    pub fn abandon(&self) {
        self.complete.store(true, Ordering::Release);
    }

    /// Whether nothing more will be appended.
    pub fn is_complete(&self) -> bool {
        self.complete.load(Ordering::Acquire)
    }

    /// What `process()` reads: variation `index` (the last one there is, for a larger one), with or without the seed clip.
    pub fn view(&self, index: usize, with_seed: bool) -> Option<TakeView<'_>> {
        let variation = self.variations.get(index).or(self.variations.last())?;
        let seed = if with_seed { segment(&self.seed) } else { Segment::EMPTY };
        Some(TakeView::new(seed, segment(&variation.channels), &variation.ready))
    }
}

/// What is heard of one or two channels.
fn segment(channels: &[Cells]) -> Segment<'_> {
    match channels {
        [] => Segment::EMPTY,
        [mono] => Segment { left: mono, right: mono },
        [left, right, ..] => Segment { left, right },
    }
}

/// Silence, if there is memory for it.
fn zeroed(frames: usize) -> Result<Cells, OutOfMemory> {
    let mut cells = Vec::new();
    cells.try_reserve_exact(frames).map_err(|_| OutOfMemory)?;
    cells.resize_with(frames, AtomicU32::default);
    Ok(cells.into_boxed_slice())
}

fn store(cells: &[AtomicU32], values: &[f32]) {
    for (cell, value) in cells.iter().zip(values) {
        cell.store(value.to_bits(), Ordering::Relaxed);
    }
}
