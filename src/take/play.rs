//! A take at the host's rate: what `process()` reads while the renderer still writes.
//!
//! All buffers have their full length before the first frame is written, and one counter per alternative says how many
//! frames are ready. A writer stores frames and then raises the counter (release); a reader loads the counter (acquire)
//! and then reads below it.

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering};

use continuo_realtime::{Segment, TakeView};

/// `f32` bits that one thread writes and another reads.
pub type Cells = Box<[AtomicU32]>;

/// One alternative's continuation.
#[derive(Debug)]
struct Alternative {
    frames: Cells,
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
    alternatives: Vec<Alternative>,
    complete: AtomicBool,
}

impl PlayTake {
    /// Buffers for `alternatives` mono continuations of `frames` frames each after a seed clip of one or two channels at
    /// `rate_hz` (no channel: no seed clip).
    pub fn new(rate_hz: u32, seed: &[Vec<f32>], alternatives: usize, frames: usize) -> Self {
        static NEXT_ID: AtomicU64 = AtomicU64::new(1);
        Self {
            id: NEXT_ID.fetch_add(1, Ordering::Relaxed),
            rate_hz,
            seed: seed
                .iter()
                .take(2)
                .map(|channel| channel.iter().map(|value| AtomicU32::new(value.to_bits())).collect())
                .collect(),
            alternatives: (0..alternatives)
                .map(|_| Alternative {
                    frames: (0..frames).map(|_| AtomicU32::new(0)).collect(),
                    ready: AtomicUsize::new(0),
                })
                .collect(),
            complete: AtomicBool::new(false),
        }
    }

    /// Frames of the seed clip.
    pub fn seed_frames(&self) -> usize {
        self.seed.first().map_or(0, |channel| channel.len())
    }

    /// Frames of a whole continuation.
    pub fn frames(&self) -> usize {
        self.alternatives.first().map_or(0, |alternative| alternative.frames.len())
    }

    /// Number of alternatives.
    pub fn alternatives(&self) -> usize {
        self.alternatives.len()
    }

    /// Frames of alternative `index` that are ready.
    pub fn ready(&self, index: usize) -> usize {
        self.alternatives.get(index).map_or(0, |alternative| alternative.ready.load(Ordering::Acquire))
    }

    /// Appends frames to alternative `index`; what goes beyond its full length is dropped. One thread at a time.
    pub fn append(&self, index: usize, frames: &[f32]) {
        let Some(alternative) = self.alternatives.get(index) else { return };
        let ready = alternative.ready.load(Ordering::Relaxed);
        let room = &alternative.frames[ready..];
        let count = room.len().min(frames.len());
        for (cell, frame) in room.iter().zip(frames) {
            cell.store(frame.to_bits(), Ordering::Relaxed);
        }
        alternative.ready.store(ready + count, Ordering::Release);
    }

    /// Nothing more will be appended. Frames that rounding left over at the end are silence.
    pub fn close(&self) {
        for alternative in &self.alternatives {
            alternative.ready.store(alternative.frames.len(), Ordering::Release);
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

    /// What `process()` reads: alternative `index` (the last one there is, for a larger one), with or without the seed clip.
    pub fn view(&self, index: usize, with_seed: bool) -> Option<TakeView<'_>> {
        let alternative = self.alternatives.get(index).or(self.alternatives.last())?;
        let seed = match self.seed.as_slice() {
            [mono] if with_seed => Segment { left: mono, right: mono },
            [left, right, ..] if with_seed => Segment { left, right },
            _ => Segment::EMPTY,
        };
        let frames = &alternative.frames;
        Some(TakeView::new(seed, Segment { left: frames, right: frames }, &alternative.ready))
    }
}
