//! A reading head: one position that moves through one take, with its fades.

use crate::view::{Frame, TakeView};

/// Which audio a head reads. The plugin turns it into a [`TakeView`] for each block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Source {
    /// Which of the plugin's take slots.
    pub slot: u8,
    /// Which variation of the take.
    pub variation: u8,
    /// Whether the seed clip comes first.
    pub with_seed: bool,
}

/// Fade lengths in frames.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Fades {
    /// Against clicks: jumps, stops, stealing, missing frames, the take's end.
    pub(crate) declick: u32,
    /// After a note's end.
    pub(crate) release: u32,
}

impl Fades {
    pub(crate) const fn at(rate_hz: u32) -> Self {
        // 5 ms and 60 ms.
        Self {
            declick: if rate_hz < 400 { 2 } else { rate_hz / 200 },
            release: if rate_hz < 100 { 6 } else { rate_hz / 50 * 3 },
        }
    }
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct Head {
    pub(crate) source: Source,
    /// The take's frame that is read next.
    pub(crate) position: i64,
    level: f32,
    /// Fade steps that are open, 0..=declick. It rises by one per frame and never exceeds the frames that are left to read,
    /// so it closes in time before the take's end and before frames that are not there yet.
    open: u32,
    /// Frames left of a fade-out, and its whole length.
    closing: Option<(u32, u32)>,
    /// Whether a frame of it was heard.
    heard: bool,
}

impl Head {
    /// A head at `position`. A `soft` one fades in, because the take is in the middle of a sound there.
    pub(crate) fn new(source: Source, position: i64, level: f32, soft: bool, fades: Fades) -> Self {
        Self { source, position, level, open: if soft { 0 } else { fades.declick }, closing: None, heard: false }
    }

    /// Fades out over `frames`, or goes on with a fade-out that ends sooner.
    pub(crate) fn close(&mut self, frames: u32) {
        let frames = frames.max(1);
        self.closing = Some(match self.closing {
            // From the present level on, so that a shorter fade takes over without a step.
            Some((left, whole)) if left > frames => {
                self.level *= left as f32 / whole as f32;
                (frames, frames)
            }
            Some(closing) => closing,
            None => (frames, frames),
        });
    }

    /// Whether a frame of it was heard: what was not need not fade out.
    pub(crate) fn was_heard(&self) -> bool {
        self.heard
    }

    pub(crate) fn closing_frames(&self) -> Option<u32> {
        self.closing.map(|(left, _)| left)
    }

    /// Adds its frames to `left` and `right`; `false` when it has nothing more to say. Counts missing frames.
    pub(crate) fn mix(
        &mut self,
        view: &TakeView<'_>,
        left: &mut [f32],
        right: &mut [f32],
        fades: Fades,
        missing: &mut u64,
    ) -> bool {
        for (l, r) in left.iter_mut().zip(right) {
            let readable = (view.ready() as i64 - self.position).clamp(0, i64::from(fades.declick)) as u32;
            self.open = (self.open + 1).min(readable);
            let mut gain = self.level;
            if self.open < fades.declick {
                gain *= self.open as f32 / fades.declick as f32;
            }
            if let Some((remaining, whole)) = &mut self.closing {
                if *remaining == 0 {
                    return false;
                }
                gain *= *remaining as f32 / *whole as f32;
                *remaining -= 1;
            }
            match view.frame(self.position) {
                Frame::Ready([a, b]) => {
                    self.heard = true;
                    *l += a * gain;
                    *r += b * gain;
                }
                Frame::Missing => *missing += 1,
                Frame::Outside => return false,
            }
            self.position += 1;
        }
        self.closing.is_none_or(|(remaining, _)| remaining > 0)
    }
}
