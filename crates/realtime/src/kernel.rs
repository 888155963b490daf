//! The kernel with which a take is read between its frames, or faster than it was made.
//!
//! A sinc under a Kaiser window, sixteen zero crossings to each side. Read at its own speed or slower, the kernel passes all
//! that the take has. Read faster, the kernel is stretched with the speed, so that what would come out above half the rate
//! (and be folded back) is left out, up to four times the speed; beyond, it stretches no further, so that one
//! voice never costs more than that.
//!
//! There is one kernel per quarter tone ([`RUNGS`]); a speed between two takes the wider one. Each lies in the table as it is
//! used: for a piece of the way from one frame to the next, cubic curves of what each frame around counts, eight frames side by
//! side, so that nothing is looked up frame by frame.

mod table;

use table::{FOURS, Four, RUNG_COUNT, RUNGS, Rung, STEPS};

pub(crate) use table::UNITY;

/// The kernel for one speed of reading.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Kernel {
    rung: Rung,
    /// Speeds that it serves: above the first, up to the second.
    steps: (u64, u64),
}

impl Kernel {
    /// The one for reading at `step` frames per output frame.
    pub(crate) fn at(step: u64) -> Self {
        let at = STEPS.partition_point(|most| *most < step).min(RUNG_COUNT - 1);
        let below = if at == 0 { 0 } else { STEPS[at - 1] + 1 };
        Self { rung: RUNGS[at], steps: (below, if at == RUNG_COUNT - 1 { u64::MAX } else { STEPS[at] }) }
    }

    /// Whether it is the one for `step` too.
    pub(crate) fn serves(&self, step: u64) -> bool {
        (self.steps.0..=self.steps.1).contains(&step)
    }

    /// How many frames it takes in on each side. A multiple of four, so that sums have whole vectors; 64 at most.
    pub(crate) fn half(&self) -> usize {
        self.rung.half
    }

    /// What the frames around a place count together, eighth by eighth: the place lies `fraction` (of 2^32) after the frame that
    /// stands at `half - 1` in `frames`, of which each channel has twice [`Kernel::half`]. [`totals`] adds the eighths up.
    #[inline]
    pub(crate) fn eighths<const CHANNELS: usize>(
        &self,
        fraction: u32,
        frames: [&[f32]; CHANNELS],
    ) -> [[f32; 8]; CHANNELS] {
        let Rung { half, pieces, first } = self.rung;
        let place = u64::from(fraction) * pieces as u64;
        let piece = (place >> 32) as usize;
        let part = (place & (UNITY - 1)) as f32 / UNITY as f32;
        let groups = half / 4;
        // Frames before the place are away from it by the fraction and whole frames, those after it by the rest of a frame and
        // whole frames; both are counted outwards.
        let [before, after] = [piece, pieces - 1 - piece].map(|piece| {
            let first = first + piece * groups;
            &FOURS[first..first + groups]
        });
        let before_frames = frames.map(|frames| &frames[..half].as_chunks::<4>().0[..groups]);
        let after_frames = frames.map(|frames| &frames[half..2 * half].as_chunks::<4>().0[..groups]);
        let mut sums = [[0.0_f32; 8]; CHANNELS];
        for (at, (before, after)) in before.iter().zip(after).enumerate() {
            let [d, c, b, a] = before.weights(part);
            let [e, f, g, h] = after.weights(1.0 - part);
            let weights = [a, b, c, d, e, f, g, h];
            for (sums, (before, after)) in sums.iter_mut().zip(before_frames.iter().zip(&after_frames)) {
                let (before, after) = (&before[groups - 1 - at], &after[at]);
                for lane in 0..4 {
                    sums[lane] += weights[lane] * before[lane];
                    sums[lane + 4] += weights[lane + 4] * after[lane];
                }
            }
        }
        sums
    }
}

/// The sums of many frames' eighths, always added up in the same order. (Were this done where the eighths are summed, the compiler
/// would arrange that loop for this sum, in halves of vectors.)
pub(crate) fn totals(eighths: &[[f32; 8]], totals: &mut [f32]) {
    for (total, [a, b, c, d, e, f, g, h]) in totals.iter_mut().zip(eighths) {
        *total = ((a + e) + (b + f)) + ((c + g) + (d + h));
    }
}

impl Four {
    /// What the four frames count at `part` of the piece.
    #[inline]
    fn weights(&self, part: f32) -> [f32; 4] {
        let Self([zero, one, two, three]) = self;
        let mut weights = [0.0; 4];
        for (lane, weight) in weights.iter_mut().enumerate() {
            *weight = zero[lane] + part * (one[lane] + part * (two[lane] + part * three[lane]));
        }
        weights
    }
}

/// How many frames the kernel takes in on each side when a take is read at `step` frames per output frame.
pub(crate) fn half_width(step: u64) -> usize {
    Kernel::at(step).half()
}

#[cfg(test)]
mod tests;
