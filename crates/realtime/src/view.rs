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
    /// Factor of the continuation.
    level: f32,
}

impl<'a> TakeView<'a> {
    /// A view of `seed` (always ready) followed by `crossfade` and `continuation`, of which `ready` frames together can be
    /// read. Whoever counts them loads the count with acquire, so that the frames below it were stored before.
    pub const fn new(seed: Segment<'a>, crossfade: Segment<'a>, continuation: Segment<'a>, ready: usize) -> Self {
        let seed_frames = seed.len() + crossfade.len();
        let frames = seed_frames + continuation.len();
        let ready = seed.len().saturating_add(ready);
        let ready = if ready < frames { ready } else { frames };
        Self { seed, crossfade, continuation, seed_frames, ready, frames, level: 1.0 }
    }

    /// The same with the continuation louder or quieter by a factor, which comes in over the crossfade. Turned up, what would
    /// come near full scale or beyond is rounded off below it; 1 changes nothing, and quieter is only quieter.
    #[must_use]
    pub const fn at_level(self, level: f32) -> Self {
        Self { level, ..self }
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
            let index = index - self.seed.len();
            let part = (index + 1) as f32 / self.crossfade.len() as f32;
            Frame::Ready(leveled(self.crossfade.frame(index), 1.0 + (self.level - 1.0) * part))
        } else {
            Frame::Ready(leveled(self.continuation.frame(index - self.seed_frames), self.level))
        }
    }
}

/// Above this, what is turned up is rounded off.
const KNEE: f32 = 0.9;

fn leveled(frame: [f32; 2], level: f32) -> [f32; 2] {
    frame.map(|value| {
        let value = value * level;
        let size = value.abs();
        if level <= 1.0 || size <= KNEE {
            return value;
        }
        let over = (size - KNEE) / (1.0 - KNEE);
        // Goes on as steeply as below the knee, and never gets to full scale.
        (KNEE + (1.0 - KNEE) * over / (1.0 + over)).copysign(value)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cells(values: &[f32]) -> std::vec::Vec<AtomicU32> {
        values.iter().map(|value| AtomicU32::new(value.to_bits())).collect()
    }

    #[test]
    fn a_level_comes_in_over_the_crossfade_and_stays_below_full_scale() {
        let (seed, crossfade) = (cells(&[0.5; 10]), cells(&[0.5; 4]));
        let continuation = cells(&[0.5, -0.95, 0.01, 1.0, 3.0]);
        let both = |cells| Segment { left: cells, right: cells };
        let view = TakeView::new(both(&seed), both(&crossfade), both(&continuation), 9);
        let read = |view: TakeView<'_>| -> std::vec::Vec<f32> {
            (0..19)
                .map(|frame| match view.frame(frame) {
                    Frame::Ready([left, right]) if left == right => left,
                    other => panic!("{frame}: {other:?}"),
                })
                .collect()
        };
        let plain = read(view);
        assert_eq!(read(view.at_level(1.0)), plain);
        let quiet = read(view.at_level(0.5));
        assert_eq!(quiet[..10], plain[..10]);
        assert_eq!(quiet[10..], [0.4375, 0.375, 0.3125, 0.25, 0.25, -0.475, 0.005, 0.5, 1.5]);
        let loud = read(view.at_level(2.0));
        assert_eq!(loud[..10], plain[..10]);
        assert!(loud[10..15].is_sorted() && loud[16] == 0.02);
        assert!(loud[14..].iter().all(|value| value.abs() < 1.0));
        assert!(loud[15] < -KNEE && loud[17] > -loud[15] && loud[18] > loud[17], "{loud:?}");
    }
}
