//! Some frames of a take around the place where it is read between frames, copied once for many frames of output.

use crate::kernel::{Kernel, totals};
use crate::pitch::Pitch;
use crate::view::TakeView;

/// Frames that it holds: enough for 64 frames of output two octaves up.
const FRAMES: usize = 512;

/// Frames of output that are read at once.
pub(crate) const CHUNK: usize = 32;

/// Frames of a take; those that are outside of it or not there yet are silence.
pub(crate) struct Window {
    first: i64,
    channels: [[f32; FRAMES]; 2],
    /// Whether only the first channel is there, which is both.
    mono: bool,
    kernel: Kernel,
    /// What [`Window::read`] has read, before and after it was added up. It lies here so that it need not be cleared for each call.
    eighths: [[[f32; 8]; CHUNK]; 2],
    totals: [[f32; CHUNK]; 2],
    /// Frames of output for which it is enough.
    pub(crate) count: usize,
}

impl Window {
    /// What reading at `position` with `pitch` needs for at most `frames` frames of output.
    pub(crate) fn new(view: &TakeView<'_>, position: i64, pitch: &Pitch, frames: usize) -> Self {
        let half = Kernel::at(pitch.most()).half();
        let room = (FRAMES - 2 * half - 1) as u64;
        // At least one: the fastest reading moves by 64 frames, and the widest kernel leaves 383.
        let count = ((room << 32) / pitch.most().max(1)).clamp(1, frames.max(1) as u64) as usize;
        let first = position - half as i64;
        let length = (2 * half + 1 + pitch.ahead(count as i64).max(0) as usize).min(FRAMES);
        let mut channels = [[0.0; FRAMES]; 2];
        let mono = view.is_mono();
        let [left, right] = &mut channels;
        if mono {
            view.copy(first, [&mut left[..length]]);
        } else {
            view.copy(first, [&mut left[..length], &mut right[..length]]);
        }
        let (eighths, totals) = ([[[0.0; 8]; CHUNK]; 2], [[0.0; CHUNK]; 2]);
        Self { first, channels, mono, kernel: Kernel::at(pitch.step()), eighths, totals, count }
    }

    /// Frames that are taken in on each side of a place between two frames.
    #[inline]
    pub(crate) fn reach(&mut self, pitch: &Pitch) -> usize {
        if pitch.is_plain() {
            return 0;
        }
        if !self.kernel.serves(pitch.step()) {
            self.kernel = Kernel::at(pitch.step());
        }
        self.kernel.half()
    }

    /// Left and right at the next `count` places, [`CHUNK`] at most, from a position and the fraction of a frame after it on.
    pub(crate) fn read(&mut self, position: i64, pitch: &Pitch, count: usize) -> &[[f32; CHUNK]; 2] {
        let count = count.min(CHUNK);
        if self.mono {
            self.sum::<1>(position, *pitch, count);
            self.totals[1] = self.totals[0];
        } else {
            self.sum::<2>(position, *pitch, count);
        }
        &self.totals
    }

    fn sum<const CHANNELS: usize>(&mut self, position: i64, mut pitch: Pitch, count: usize) {
        let mut at = (position - self.first) as usize;
        for frame in 0..count {
            let half = self.reach(&pitch);
            if half == 0 {
                for (eighths, channel) in self.eighths.iter_mut().zip(&self.channels) {
                    eighths[frame] = [channel[at], 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0];
                }
            } else {
                let frames: [&[f32]; CHANNELS] =
                    core::array::from_fn(|channel| &self.channels[channel][at + 1 - half..at + 1 + half]);
                let sums = self.kernel.eighths(pitch.fraction(), frames);
                for (eighths, sums) in self.eighths.iter_mut().zip(sums) {
                    eighths[frame] = sums;
                }
            }
            at += pitch.advance() as usize;
        }
        for (out, eighths) in self.totals.iter_mut().zip(&self.eighths).take(CHANNELS) {
            totals(&eighths[..count], &mut out[..count]);
        }
    }
}
