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

    /// Whether both channels are one.
    fn is_mono(&self) -> bool {
        core::ptr::eq(self.left, self.right)
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

    /// Whether left and right are the same everywhere.
    pub(crate) fn is_mono(&self) -> bool {
        [self.seed, self.crossfade, self.continuation].iter().all(|segment| segment.len() == 0 || segment.is_mono())
    }

    /// The frames from `first` on, as [`TakeView::frame`] has them; silence where there are none or they are missing. Of a take
    /// that is mono, `channels` may be one.
    pub(crate) fn copy<const CHANNELS: usize>(&self, first: i64, channels: [&mut [f32]; CHANNELS]) {
        let (seed, seam) = (self.seed.len() as i64, self.seed_frames as i64);
        let ready = self.ready as i64;
        for (side, channel) in channels.into_iter().enumerate() {
            let cells = |segment: &Segment<'a>| if side == 0 { segment.left } else { segment.right };
            channel.fill(0.0);
            let part = |from: i64, until: i64| {
                let of_channel = |at: i64| (at.min(ready) - first).clamp(0, channel.len() as i64) as usize;
                of_channel(from)..of_channel(until)
            };
            let (before, over, after) = (part(0, seed), part(seed, seam), part(seam, self.frames as i64));
            // Where a part begins within its segment.
            let begin = |of: i64| (first - of).max(0).unsigned_abs() as usize;
            if !before.is_empty() {
                for (value, cell) in channel[before].iter_mut().zip(&cells(&self.seed)[begin(0)..]) {
                    *value = f32::from_bits(cell.load(Ordering::Relaxed));
                }
            }
            if !over.is_empty() {
                let from = begin(seed);
                let length = self.crossfade.len() as f32;
                for (at, (value, cell)) in channel[over].iter_mut().zip(&cells(&self.crossfade)[from..]).enumerate() {
                    let part = (from + at + 1) as f32 / length;
                    *value = leveled(f32::from_bits(cell.load(Ordering::Relaxed)), 1.0 + (self.level - 1.0) * part);
                }
            }
            if !after.is_empty() {
                let cells = &cells(&self.continuation)[begin(seam)..];
                if self.level.to_bits() == 1.0_f32.to_bits() {
                    for (value, cell) in channel[after].iter_mut().zip(cells) {
                        *value = f32::from_bits(cell.load(Ordering::Relaxed));
                    }
                } else {
                    for (value, cell) in channel[after].iter_mut().zip(cells) {
                        *value = leveled(f32::from_bits(cell.load(Ordering::Relaxed)), self.level);
                    }
                }
            }
        }
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
            let level = 1.0 + (self.level - 1.0) * part;
            Frame::Ready(self.crossfade.frame(index).map(|value| leveled(value, level)))
        } else {
            Frame::Ready(self.continuation.frame(index - self.seed_frames).map(|value| leveled(value, self.level)))
        }
    }
}

/// Above this, what is turned up is rounded off.
const KNEE: f32 = 0.9;

fn leveled(value: f32, level: f32) -> f32 {
    let value = value * level;
    let size = value.abs();
    if level <= 1.0 || size <= KNEE {
        return value;
    }
    let over = (size - KNEE) / (1.0 - KNEE);
    // Goes on as steeply as below the knee, and never gets to full scale.
    (KNEE + (1.0 - KNEE) * over / (1.0 + over)).copysign(value)
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

    #[test]
    fn copies_are_its_frames_and_silence_around_them() {
        let sound = |from: usize, frames: usize| {
            cells(&(from..from + frames).map(|frame| frame as f32 / 100.0 - 0.5).collect::<std::vec::Vec<f32>>())
        };
        let (seed, other, crossfade) = (sound(1, 20), sound(50, 20), sound(7, 5));
        let (continuation, right) = (sound(30, 70), sound(90, 70));
        let stereo = TakeView::new(
            Segment { left: &seed, right: &other },
            Segment { left: &crossfade, right: &crossfade },
            Segment { left: &continuation, right: &right },
            60,
        );
        let both = |cells| Segment { left: cells, right: cells };
        let mono = TakeView::new(both(&seed), both(&crossfade), both(&continuation), 75);
        assert!(mono.is_mono() && !stereo.is_mono());
        for view in [stereo, mono, stereo.at_level(0.5), mono.at_level(2.5)] {
            for (first, frames) in [(-7, 4), (-3, 10), (0, 200), (12, 8), (18, 5), (21, 3), (40, 9), (70, 40), (200, 3)]
            {
                let [mut left, mut right] = [0, 1].map(|_| std::vec![9.0; frames]);
                view.copy(first, [&mut left, &mut right]);
                for (at, (l, r)) in (first..).zip(left.iter().zip(&right)) {
                    let wanted = if let Frame::Ready(frame) = view.frame(at) { frame } else { [0.0; 2] };
                    assert_eq!([*l, *r], wanted, "frame {at} from {first}");
                }
                let mut one = std::vec![9.0; frames];
                view.copy(first, [&mut one]);
                assert_eq!(one, left);
            }
        }
    }
}
