//! A take at the host's rate: what `process()` reads while the renderer still writes.
//!
//! All buffers have their full length before the first frame is written, and one counter per variation says how many
//! frames are ready. A writer stores frames and then raises the counter (release); a reader loads the counter (acquire)
//! and then reads below it.
//!
//! The seed clip's last milliseconds go over to what the model heard, which is one signal with the continuation: each
//! variation has these frames of its own, and they are written with it.
//!
//! What is stored is the sound as it was made. The factor that brings a variation to the clip's level stands beside it, and
//! is applied where it is read; who wants it sees no frame of the variation before it is known.

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering};

use continuo_engine::seam::{crossfade, crossfade_frames};
use continuo_realtime::{Frame, Segment, TakeView};

/// `f32` bits that one thread writes and another reads.
pub type Cells = Box<[AtomicU32]>;

/// The system has no memory for a take's buffers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OutOfMemory;

/// One variation.
#[derive(Debug)]
struct Variation {
    /// The end of the seed clip; as many channels as the clip or the continuation has, whichever has more.
    crossfade: Vec<Cells>,
    /// The continuation, one or two channels.
    channels: Vec<Cells>,
    /// How many frames of both together are there.
    ready: AtomicUsize,
    /// Bits of the factor that brings the continuation to the clip's level; 0 until that is known.
    level: AtomicU32,
}

/// A take's buffers at the host's rate.
#[derive(Debug)]
pub struct PlayTake {
    /// Distinguishes takes within a process.
    pub id: u64,
    /// Frames per second.
    pub rate_hz: u32,
    /// The song's tempo when the take was made, in quarter notes per minute, if that is known.
    pub tempo: Option<f64>,
    /// The seed clip before the crossfade, channel by channel.
    seed: Vec<Cells>,
    /// The rest of it, as it is in the clip.
    seed_end: Vec<Vec<f32>>,
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
        let seed = &seed[..seed.len().min(2)];
        let seed_frames = seed.iter().map(Vec::len).min().unwrap_or(0);
        let exact = seed_frames - crossfade_frames(rate_hz, seed_frames);
        for channel in seed {
            let cells = zeroed(exact)?;
            store(&cells, channel);
            take.seed.push(cells);
            take.seed_end.push(channel[exact..seed_frames].to_vec());
        }
        let channels = channels.clamp(1, 2);
        let crossfaded = if seed.is_empty() { 0 } else { channels.max(seed.len()) };
        for _ in 0..variations {
            let crossfade = (0..crossfaded).map(|_| zeroed(seed_frames - exact)).collect::<Result<_, _>>()?;
            let channels = (0..channels).map(|_| zeroed(frames)).collect::<Result<_, _>>()?;
            // What follows no clip has nothing to be as loud as.
            let level = AtomicU32::new(if seed.is_empty() { 1.0_f32.to_bits() } else { 0 });
            take.variations.push(Variation { crossfade, channels, ready: AtomicUsize::new(0), level });
        }
        Ok(take)
    }

    /// A take without a sound: what plays where there is none.
    pub fn silence() -> Self {
        static NEXT_ID: AtomicU64 = AtomicU64::new(1);
        Self {
            id: NEXT_ID.fetch_add(1, Ordering::Relaxed),
            rate_hz: 1,
            tempo: None,
            seed: Vec::new(),
            seed_end: Vec::new(),
            frames: 0,
            variations: Vec::new(),
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
        self.frames
    }

    /// Number of variations.
    pub fn variations(&self) -> usize {
        self.variations.len()
    }

    /// Frames of variation `index` that are ready, from the seed clip's first on; `matched` as in [`PlayTake::view`].
    pub fn ready(&self, index: usize, matched: bool) -> usize {
        let exact = self.seed_frames() - self.crossfade_frames();
        self.variations.get(index).map_or(0, |variation| exact + variation.ready(matched).1)
    }

    /// Says by which factor variation `index` is as loud as the clip. Once is for good: what has sounded does not change.
    pub fn set_level(&self, index: usize, factor: f32) {
        if let Some(variation) = self.variations.get(index) {
            let _ = variation.level.compare_exchange(0, factor.to_bits(), Ordering::AcqRel, Ordering::Acquire);
        }
    }

    /// Whether that is known.
    pub fn has_level(&self, index: usize) -> bool {
        self.variations.get(index).is_some_and(|variation| variation.level().is_some())
    }

    /// Appends frames to variation `index`, as many in each of its channels: first those before the seam as the model heard
    /// them, then the continuation. What goes beyond its full length is dropped. One thread at a time.
    pub fn append(&self, index: usize, channels: &[Vec<f32>]) {
        let Some(variation) = self.variations.get(index) else { return };
        let before = self.crossfade_frames();
        let ready = variation.ready.load(Ordering::Relaxed);
        let count = channels.iter().map(Vec::len).min().unwrap_or(0).min(before + self.frames - ready);
        let heard = count.min(before.saturating_sub(ready));
        for (channel, cells) in variation.crossfade.iter().enumerate() {
            // Of a mono clip or a mono continuation, both channels are the same.
            let clip = &self.seed_end[channel.min(self.seed_end.len() - 1)];
            let Some(frames) = channels.get(channel).or(channels.last()) else { continue };
            for (at, frame) in (ready..).zip(&frames[..heard]) {
                cells[at].store(crossfade(clip[at], *frame, at, before).to_bits(), Ordering::Relaxed);
            }
        }
        let from = (ready + heard).saturating_sub(before);
        for (cells, frames) in variation.channels.iter().zip(channels) {
            store(&cells[from..from + count - heard], &frames[heard..]);
        }
        variation.ready.store(ready + count, Ordering::Release);
    }

    /// Nothing more will be appended. Frames that rounding left over at the end are silence.
    pub fn close(&self) {
        for variation in &self.variations {
            variation.ready.store(self.crossfade_frames() + self.frames, Ordering::Release);
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

    /// The frames of variation `index` that are there, left and right, between two places of what [`PlayTake::view`] shows;
    /// `None` where there is no variation.
    pub fn frames_between(
        &self,
        index: usize,
        (with_seed, matched): (bool, bool),
        begin: i64,
        end: i64,
    ) -> Option<[Vec<f32>; 2]> {
        let view = self.view(index, with_seed, matched)?;
        let frames = (begin..end).filter_map(|frame| match view.frame(frame) {
            Frame::Ready([left, right]) => Some((left, right)),
            _ => None,
        });
        let (left, right) = frames.unzip();
        Some([left, right])
    }

    /// What `process()` reads: variation `index` (the last one there is, for a larger one), with or without the seed clip, and
    /// `matched` to the clip's level or as it was made.
    pub fn view(&self, index: usize, with_seed: bool, matched: bool) -> Option<TakeView<'_>> {
        let variation = self.variations.get(index).or(self.variations.last())?;
        let continuation = segment(&variation.channels);
        let (level, ready) = variation.ready(matched);
        let view = if with_seed {
            TakeView::new(segment(&self.seed), segment(&variation.crossfade), continuation, ready)
        } else {
            let ready = ready.saturating_sub(self.crossfade_frames());
            TakeView::new(Segment::EMPTY, Segment::EMPTY, continuation, ready)
        };
        Some(view.at_level(level))
    }
}

impl Variation {
    fn level(&self) -> Option<f32> {
        let level = self.level.load(Ordering::Acquire);
        (level != 0).then(|| f32::from_bits(level))
    }

    /// The factor of its level, and how many frames of crossfade and continuation can be read.
    fn ready(&self, matched: bool) -> (f32, usize) {
        let ready = self.ready.load(Ordering::Acquire);
        match self.level() {
            _ if !matched => (1.0, ready),
            Some(level) => (level, ready),
            None => (1.0, 0),
        }
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
