//! A take at the host's rate: what `process()` reads while the renderer still writes.
//!
//! All buffers have their full length before the first frame is written, and one counter per alternative says how many
//! frames are ready. A writer stores frames and then raises the counter (release); a reader loads the counter (acquire)
//! and then reads below it.
//!
//! The seed clip's last milliseconds go over to what the model heard, which is one signal with the continuation: each
//! alternative has these frames of its own, and they are written with it.

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering};

use continuo_engine::seam::{crossfade, crossfade_frames};
use continuo_realtime::{Segment, TakeView};

/// `f32` bits that one thread writes and another reads.
pub type Cells = Box<[AtomicU32]>;

/// One alternative.
#[derive(Debug)]
struct Alternative {
    /// The end of the seed clip, channel by channel.
    crossfade: Vec<Cells>,
    /// The continuation.
    frames: Cells,
    /// How many frames of both together are there.
    ready: AtomicUsize,
}

/// A take's buffers at the host's rate.
#[derive(Debug)]
pub struct PlayTake {
    /// Distinguishes takes within a process.
    pub id: u64,
    /// Frames per second.
    pub rate_hz: u32,
    /// The seed clip before the crossfade, channel by channel.
    seed: Vec<Cells>,
    /// The rest of it, as it is in the clip.
    seed_end: Vec<Vec<f32>>,
    alternatives: Vec<Alternative>,
    complete: AtomicBool,
}

impl PlayTake {
    /// Buffers for `alternatives` mono continuations of `frames` frames each after a seed clip of one or two channels at
    /// `rate_hz` (no channel: no seed clip).
    pub fn new(rate_hz: u32, seed: &[Vec<f32>], alternatives: usize, frames: usize) -> Self {
        static NEXT_ID: AtomicU64 = AtomicU64::new(1);
        let seed = &seed[..seed.len().min(2)];
        let seed_frames = seed.iter().map(Vec::len).min().unwrap_or(0);
        let exact = seed_frames - crossfade_frames(rate_hz, seed_frames);
        let cells = |count: usize| -> Cells { (0..count).map(|_| AtomicU32::new(0)).collect() };
        Self {
            id: NEXT_ID.fetch_add(1, Ordering::Relaxed),
            rate_hz,
            seed: seed
                .iter()
                .map(|channel| channel[..exact].iter().map(|value| AtomicU32::new(value.to_bits())).collect())
                .collect(),
            seed_end: seed.iter().map(|channel| channel[exact..seed_frames].to_vec()).collect(),
            alternatives: (0..alternatives)
                .map(|_| Alternative {
                    crossfade: seed.iter().map(|_| cells(seed_frames - exact)).collect(),
                    frames: cells(frames),
                    ready: AtomicUsize::new(0),
                })
                .collect(),
            complete: AtomicBool::new(false),
        }
    }

    /// Frames of the seed clip.
    pub fn seed_frames(&self) -> usize {
        self.seed.first().map_or(0, |channel| channel.len()) + self.crossfade_frames()
    }

    /// Frames at the end of the seed clip that go over to what the model heard.
    pub fn crossfade_frames(&self) -> usize {
        self.seed_end.first().map_or(0, Vec::len)
    }

    /// Frames of a whole continuation.
    pub fn frames(&self) -> usize {
        self.alternatives.first().map_or(0, |alternative| alternative.frames.len())
    }

    /// Number of alternatives.
    pub fn alternatives(&self) -> usize {
        self.alternatives.len()
    }

    /// Frames of alternative `index` that are ready, from the seed clip's first on.
    pub fn ready(&self, index: usize) -> usize {
        let written = |alternative: &Alternative| alternative.ready.load(Ordering::Acquire);
        self.alternatives
            .get(index)
            .map_or(0, |alternative| self.seed_frames() - self.crossfade_frames() + written(alternative))
    }

    /// Appends frames to alternative `index`: first those before the seam as the model heard them, then the continuation.
    /// What goes beyond its full length is dropped. One thread at a time.
    pub fn append(&self, index: usize, frames: &[f32]) {
        let Some(alternative) = self.alternatives.get(index) else { return };
        let before = self.crossfade_frames();
        let ready = alternative.ready.load(Ordering::Relaxed);
        let (heard, generated) = frames.split_at(before.saturating_sub(ready).min(frames.len()));
        for (clip, cells) in self.seed_end.iter().zip(&alternative.crossfade) {
            for (at, frame) in (ready..).zip(heard) {
                cells[at].store(crossfade(clip[at], *frame, at, before).to_bits(), Ordering::Relaxed);
            }
        }
        let room = &alternative.frames[(ready + heard.len()).saturating_sub(before)..];
        for (cell, frame) in room.iter().zip(generated) {
            cell.store(frame.to_bits(), Ordering::Relaxed);
        }
        let count = heard.len() + room.len().min(generated.len());
        alternative.ready.store(ready + count, Ordering::Release);
    }

    /// Nothing more will be appended. Frames that rounding left over at the end are silence.
    pub fn close(&self) {
        for alternative in &self.alternatives {
            alternative.ready.store(self.crossfade_frames() + alternative.frames.len(), Ordering::Release);
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
        let frames = &alternative.frames;
        let continuation = Segment { left: frames, right: frames };
        let ready = alternative.ready.load(Ordering::Acquire);
        Some(if with_seed {
            TakeView::new(stereo(&self.seed), stereo(&alternative.crossfade), continuation, ready)
        } else {
            let ready = ready.saturating_sub(self.crossfade_frames());
            TakeView::new(Segment::EMPTY, Segment::EMPTY, continuation, ready)
        })
    }
}

/// One or two channels as left and right.
fn stereo(channels: &[Cells]) -> Segment<'_> {
    match channels {
        [] => Segment::EMPTY,
        [mono] => Segment { left: mono, right: mono },
        [left, right, ..] => Segment { left, right },
    }
}
