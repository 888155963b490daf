//! How fast a take is read, in fixed point, so that a position never drifts.

use crate::kernel::UNITY;

/// The highest and the lowest transposition, in semitones: 64 frames and a 1024th of a frame at a time.
const MOST_SEMITONES: f64 = 72.0;
const LEAST_SEMITONES: f64 = -120.0;
/// The first of them in frames of the take per frame of output, of 2^32.
const MOST_STEP: u64 = UNITY << 6;

/// Frames of a take per frame of output, with the fraction of the frame where reading stands. It moves to another speed in a
/// straight line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Pitch {
    now: u64,
    target: u64,
    change: i64,
    left: u32,
    fraction: u32,
}

impl Pitch {
    /// As the take was made.
    pub(crate) const PLAIN: Self = Self { now: UNITY, target: UNITY, change: 0, left: 0, fraction: 0 };

    /// Transposed by `semitones`.
    pub(crate) fn at(semitones: f64) -> Self {
        let step = step_of(semitones);
        Self { now: step, target: step, ..Self::PLAIN }
    }

    /// Moves to another transposition within `frames` frames.
    pub(crate) fn glide(&mut self, semitones: f64, frames: u32) {
        let target = step_of(semitones);
        if target == self.target {
            return;
        }
        self.target = target;
        self.left = frames;
        if frames == 0 {
            self.now = target;
        } else {
            self.change = (target as i64 - self.now as i64) / i64::from(frames);
        }
    }

    /// Moves on at so many frames of the take per frame of output, of 2^32, at once.
    pub(crate) fn set_step(&mut self, step: u64) {
        let step = step.clamp(1, MOST_STEP);
        (self.now, self.target, self.left) = (step, step, 0);
    }

    /// How far reading stands after the frame at its position, in frames.
    pub(crate) fn part(&self) -> f64 {
        f64::from(self.fraction) / UNITY as f64
    }

    /// Whether the next frame is one of the take's own frames, read at the take's own speed.
    pub(crate) fn is_plain(&self) -> bool {
        self.now == UNITY && self.fraction == 0
    }

    /// Whether all frames from here on are, as long as nobody changes the pitch.
    pub(crate) fn stays_plain(&self) -> bool {
        self.is_plain() && self.left == 0
    }

    /// Frames of the take per frame of output, of 2^32.
    pub(crate) fn step(&self) -> u64 {
        self.now
    }

    /// The same at its highest from here on.
    pub(crate) fn most(&self) -> u64 {
        self.now.max(self.target)
    }

    /// How far reading stands after the frame at its position, of 2^32.
    pub(crate) fn fraction(&self) -> u32 {
        self.fraction
    }

    /// Moves on by one frame of output; gives by how many of the take.
    pub(crate) fn advance(&mut self) -> i64 {
        let reached = u64::from(self.fraction) + self.now;
        self.fraction = reached as u32;
        if self.left > 0 {
            self.left -= 1;
            self.now = if self.left == 0 { self.target } else { self.now.saturating_add_signed(self.change) };
        }
        (reached >> 32) as i64
    }

    /// Whether its speed stays.
    #[inline]
    pub(crate) fn rests(&self) -> bool {
        self.left == 0
    }

    /// Moves on by `count` frames of output at a speed that stays; gives by how many of the take.
    #[inline]
    pub(crate) fn run(&mut self, count: usize) -> i64 {
        let reached = u64::from(self.fraction) + self.now.saturating_mul(count as u64);
        self.fraction = reached as u32;
        (reached >> 32) as i64
    }

    /// How many frames of output come before a frame of the take that is `ahead` frames from here, at most `most`.
    #[inline]
    pub(crate) fn frames_to(&self, ahead: i64, most: u32) -> u32 {
        // Farther than any fade is long, and short enough for the shift.
        let ahead = (ahead.clamp(0, 1 << 26) as u64) << 32;
        let (way, most) = (ahead.saturating_sub(u64::from(self.fraction)), u64::from(most));
        // Mostly it is far enough, and a division takes long.
        if way >= most.saturating_mul(self.now) { most as u32 } else { way.div_ceil(self.now.max(1)).min(most) as u32 }
    }

    /// The end of what `frames` frames of output read at most, counted from here, without the kernel's reach.
    pub(crate) fn ahead(&self, frames: i64) -> i64 {
        let moved = i128::from(frames) * i128::from(self.most()) + i128::from(self.fraction);
        i64::try_from((moved >> 32) + i128::from(moved & i128::from(u32::MAX) != 0)).unwrap_or(i64::MAX)
    }
}

/// Frames per frame of output for a transposition, of 2^32; exact for whole octaves.
fn step_of(semitones: f64) -> u64 {
    let semitones = if semitones.is_nan() { 0.0 } else { semitones.clamp(LEAST_SEMITONES, MOST_SEMITONES) };
    (exp2(semitones / 12.0) * UNITY as f64 + 0.5) as u64
}

/// 2 to the power of `x`, for the transpositions that there are. (`f64::exp2` is not in `core`.)
fn exp2(x: f64) -> f64 {
    let whole = if x < 0.0 { x as i64 - 1 } else { x as i64 };
    let part = (x - whole as f64) * core::f64::consts::LN_2;
    let (mut term, mut total) = (1.0, 1.0);
    for n in 1..20 {
        term *= part / f64::from(n);
        total += term;
    }
    total * f64::from_bits(((whole + 1023) as u64) << 52)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn semitones_are_ratios_and_octaves_are_exact() {
        for octave in -10..=6 {
            let step = (UNITY as f64 * 2_f64.powi(octave)) as u64;
            assert_eq!(step_of(f64::from(octave) * 12.0), step, "{octave}");
        }
        for cents in -12_000..=7_200 {
            let semitones = f64::from(cents) / 100.0;
            let wanted = (semitones / 12.0).exp2() * UNITY as f64;
            assert!((step_of(semitones) as f64 - wanted).abs() <= 1.0 + wanted * 1e-13, "{semitones}");
        }
        assert_eq!((step_of(f64::NAN), step_of(1e300), step_of(-1e300)), (UNITY, UNITY << 6, UNITY >> 10));
    }

    #[test]
    fn a_glide_lands_on_its_target() {
        let mut pitch = Pitch::at(0.0);
        pitch.glide(7.0, 100);
        let steps: std::vec::Vec<u64> = (0..150).map(|_| (pitch.step(), pitch.advance()).0).collect();
        assert!(steps[..101].is_sorted_by(|a, b| a < b) && steps[100..].iter().all(|step| *step == step_of(7.0)));
    }

    #[test]
    fn what_lies_ahead_is_never_less_than_what_is_read() {
        for semitones in [-30.0, -0.1, 0.0, 0.1, 12.0, 71.9] {
            let mut pitch = Pitch::at(semitones);
            pitch.glide(semitones / 2.0, 37);
            let (end, mut at) = (pitch.ahead(100), 0);
            for _ in 0..99 {
                at += pitch.advance();
            }
            assert!(at < end, "{semitones}: {at}, {end}");
            let mut steady = Pitch::at(semitones);
            let (frames, mut at) = (steady.frames_to(50, 1_000_000), 0);
            for _ in 1..frames {
                at += steady.advance();
            }
            assert!(at < 50 && at + steady.advance() >= 50, "{semitones}");
        }
    }
}
