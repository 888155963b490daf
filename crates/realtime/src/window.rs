//! Some frames of a take around the place where it is read between frames, copied once for many frames of output.

use crate::kernel::{MOST_HALF, half_width, sum, weigh};
use crate::pitch::Pitch;
use crate::view::{Frame, TakeView};

/// Frames that it holds.
const FRAMES: usize = 256;

/// Frames of a take; those that are outside of it or not there yet are silence.
pub(crate) struct Window {
    first: i64,
    channels: [[f32; FRAMES]; 2],
    /// Frames of output for which it is enough.
    pub(crate) count: usize,
}

impl Window {
    /// What reading at `position` with `pitch` needs for at most `frames` frames of output.
    pub(crate) fn new(view: &TakeView<'_>, position: i64, pitch: &Pitch, frames: usize) -> Self {
        let half = half_width(pitch.most());
        let room = (FRAMES - 2 * half - 1) as u64;
        // At least one: the fastest reading moves by 64 frames, and the widest kernel leaves 127.
        let count = ((room << 32) / pitch.most().max(1)).clamp(1, frames.max(1) as u64) as usize;
        let first = position - half as i64;
        let length = (2 * half + 1 + pitch.ahead(count as i64).max(0) as usize).min(FRAMES);
        let mut channels = [[0.0; FRAMES]; 2];
        let [left, right] = &mut channels;
        for (at, (l, r)) in (first..).zip(left[..length].iter_mut().zip(&mut right[..length])) {
            if let Frame::Ready([a, b]) = view.frame(at) {
                (*l, *r) = (a, b);
            }
        }
        Self { first, channels, count }
    }

    /// The take at a position and a fraction of a frame after it.
    pub(crate) fn read(&self, position: i64, pitch: &Pitch) -> [f32; 2] {
        let at = (position - self.first) as usize;
        if pitch.is_plain() {
            return [0, 1].map(|channel| self.channels[channel][at]);
        }
        let mut weights = [0.0; 2 * MOST_HALF];
        let half = weigh(pitch.step(), pitch.fraction(), &mut weights);
        let from = at + 1 - half;
        [0, 1].map(|channel| sum(&weights[..2 * half], &self.channels[channel][from..from + 2 * half]))
    }
}
