//! What can be read of a take during one block.

use core::sync::atomic::{AtomicU32, Ordering};

/// Stereo audio as `f32` bits. A mono sound names the same slice twice.
#[derive(Debug, Clone, Copy)]
pub struct Segment<'a> {
    /// Left channel.
    pub left: &'a [AtomicU32],
    /// Right channel; as long as the left one.
    pub right: &'a [AtomicU32],
}

impl Segment<'_> {
    /// No audio.
    pub const EMPTY: Segment<'static> = Segment { left: &[], right: &[] };

    const fn len(&self) -> usize {
        if self.left.len() < self.right.len() { self.left.len() } else { self.right.len() }
    }

    fn frame(&self, index: usize) -> [f32; 2] {
        let value = |channel: &[AtomicU32]| f32::from_bits(channel[index].load(Ordering::Relaxed));
        [value(self.left), value(self.right)]
    }
}

/// One frame of a take.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Frame {
    /// Left and right.
    Ready([f32; 2]),
    /// Not generated yet.
    Missing,
    /// Before the take's first frame or after its last.
    Outside,
}

/// A take as it stands at the start of a block, at the host's rate: the seed clip as it is, its end as it goes over to
/// what the model heard, the continuation.
///
/// How many frames are ready is said once, when the view is made, so that a whole block sees one state.
#[derive(Debug, Clone, Copy)]
pub struct TakeView<'a> {
    seed: Segment<'a>,
    /// The last frames of the seed clip, crossfaded; written as the continuation is.
    crossfade: Segment<'a>,
    continuation: Segment<'a>,
    /// Frames before the seam.
    seed_frames: usize,
    ready: usize,
    frames: usize,
}

impl<'a> TakeView<'a> {
    /// A view of `seed` (always ready) followed by `crossfade` and `continuation`, of which `ready` frames together can be
    /// read. Whoever counts them loads the count with acquire, so that the frames below it were stored before.
    pub const fn new(seed: Segment<'a>, crossfade: Segment<'a>, continuation: Segment<'a>, ready: usize) -> Self {
        let seed_frames = seed.len() + crossfade.len();
        let frames = seed_frames + continuation.len();
        let ready = seed.len().saturating_add(ready);
        Self { seed, crossfade, continuation, seed_frames, ready: if ready < frames { ready } else { frames }, frames }
    }

    /// Frames of the whole take.
    pub fn frames(&self) -> usize {
        self.frames
    }

    /// Frames from the first one that can be read.
    pub fn ready(&self) -> usize {
        self.ready
    }

    /// Frames of the seed clip.
    pub fn seed_frames(&self) -> usize {
        self.seed_frames
    }

    /// The frame at `index` from the take's first frame.
    pub fn frame(&self, index: i64) -> Frame {
        let Ok(index) = usize::try_from(index) else { return Frame::Outside };
        if index >= self.frames {
            Frame::Outside
        } else if index >= self.ready {
            Frame::Missing
        } else if index < self.seed.len() {
            Frame::Ready(self.seed.frame(index))
        } else if index < self.seed_frames {
            Frame::Ready(self.crossfade.frame(index - self.seed.len()))
        } else {
            Frame::Ready(self.continuation.frame(index - self.seed_frames))
        }
    }
}
