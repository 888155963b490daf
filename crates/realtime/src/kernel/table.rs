//! The kernels, computed while this is compiled.

use crate::sine::sine;

/// Zero crossings of the sinc to each side.
pub(super) const CROSSINGS: usize = 16;
/// Curves from one zero crossing to the next. They are 98 dB off at half the rate, and 24 dB less each octave below.
const PIECES: usize = 8;
/// The Kaiser window's parameter: 90 dB in the stop band.
const BETA: f64 = 9.0;
/// How far the kernel is stretched at most: two octaves up nothing is folded back.
pub(super) const MOST_STRETCH: usize = 4;
/// One frame per output frame, in the fixed point of positions: 32 bits after the point.
pub(crate) const UNITY: u64 = 1 << 32;

/// Kernels per octave of speed.
const PER_OCTAVE: usize = 24;
/// Kernels from the take's own speed up to the widest one's.
pub(super) const RUNG_COUNT: usize = 1 + PER_OCTAVE * MOST_STRETCH.ilog2() as usize;

/// A kernel in the table.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rung {
    /// Frames on each side.
    pub(super) half: usize,
    /// Pieces from one frame to the next.
    pub(super) pieces: usize,
    /// Its first group in [`FOURS`]. A piece has a quarter of `half` of them.
    pub(super) first: usize,
}

/// What four frames side by side count within a piece: the factors of powers 0 to 3 of the part of the piece that is done,
/// 0..=1. Aligned as vectors like it.
#[derive(Debug, Clone, Copy)]
#[repr(align(64))]
pub(super) struct Four(pub(super) [[f32; 4]; 4]);

/// The stretch of each rung, of the one before times a quarter tone.
const STRETCHES: [f64; RUNG_COUNT] = {
    // 2^(1/24), to the last bit.
    const QUARTER_TONE: f64 = 1.029_302_236_643_492;
    let mut stretches = [1.0; RUNG_COUNT];
    let mut rung = 1;
    while rung < RUNG_COUNT {
        // Whole octaves are exact.
        stretches[rung] = if rung % PER_OCTAVE == 0 {
            2.0 * stretches[rung - PER_OCTAVE]
        } else {
            stretches[rung - 1] * QUARTER_TONE
        };
        rung += 1;
    }
    stretches
};

/// The highest speed for each rung, in frames per output frame of 2^32: its own, and a millionth more for what rounding makes
/// of whole semitones.
pub(super) static STEPS: [u64; RUNG_COUNT] = {
    let mut steps = [0; RUNG_COUNT];
    let mut rung = 0;
    while rung < RUNG_COUNT {
        steps[rung] = (STRETCHES[rung] * UNITY as f64 * (1.0 + 1e-6)) as u64;
        rung += 1;
    }
    steps
};

const PLAN: ([Rung; RUNG_COUNT], usize) = {
    let mut rungs = [Rung { half: 0, pieces: 0, first: 0 }; RUNG_COUNT];
    let (mut rung, mut first) = (0, 0);
    while rung < RUNG_COUNT {
        let half = whole_above(CROSSINGS as f64 * STRETCHES[rung]).next_multiple_of(4);
        let pieces = whole_above(PIECES as f64 / STRETCHES[rung]);
        rungs[rung] = Rung { half, pieces, first };
        first += pieces * half / 4;
        rung += 1;
    }
    (rungs, first)
};

pub(super) static RUNGS: [Rung; RUNG_COUNT] = PLAN.0;

/// Half of each rung (kernels are symmetric): piece after piece, frames outwards.
#[allow(long_running_const_eval)]
pub(super) static FOURS: [Four; PLAN.1] = {
    let mut fours = [Four([[0.0; 4]; 4]); PLAN.1];
    let mut rung = 0;
    while rung < RUNG_COUNT {
        let Rung { half, pieces, first } = PLAN.0[rung];
        let line = half_of(STRETCHES[rung], half, pieces);
        let mut at = 0;
        while at < pieces * half {
            let (piece, frame) = (at / half, at % half);
            // The piece's begin, its thirds, and its end.
            let from = (frame * pieces + piece) * 3;
            let (a, b, c, d) = (line[from], line[from + 1], line[from + 2], line[from + 3]);
            let factors = [
                a,
                -5.5 * a + 9.0 * b - 4.5 * c + d,
                9.0 * a - 22.5 * b + 18.0 * c - 4.5 * d,
                -4.5 * a + 13.5 * b - 13.5 * c + 4.5 * d,
            ];
            let mut power = 0;
            while power < factors.len() {
                fours[first + piece * half / 4 + frame / 4].0[power][frame % 4] = factors[power] as f32;
                power += 1;
            }
            at += 1;
        }
        rung += 1;
    }
    fours
};

/// Places in half a kernel: the ends and thirds of its pieces.
const PLACES: usize = 800;

/// Half of a stretched kernel (it is symmetric), at every third of a piece from its middle on.
const fn half_of(stretch: f64, half: usize, pieces: usize) -> [f64; PLACES] {
    let mut line = [0.0; PLACES];
    let mut at = 0;
    while at <= 3 * pieces * half {
        line[at] = kernel(at as f64 / (3 * pieces) as f64 / stretch) / stretch;
        at += 1;
    }
    line
}

/// The kernel at a distance from its middle.
const fn kernel(distance: f64) -> f64 {
    if distance == 0.0 {
        return 1.0;
    }
    let edge = distance / CROSSINGS as f64;
    if edge >= 1.0 {
        return 0.0;
    }
    let (k, part) = (distance as usize, distance - distance as usize as f64);
    let sign = if k.is_multiple_of(2) { 1.0 } else { -1.0 };
    let sinc = sign * sin_pi(part) / (core::f64::consts::PI * distance);
    sinc * bessel(BETA * BETA * (1.0 - edge * edge)) / MIDDLE
}

const MIDDLE: f64 = bessel(BETA * BETA);

/// The sine of π·`x` for `x` from 0 to 1.
const fn sin_pi(x: f64) -> f64 {
    sine(core::f64::consts::PI * if x > 0.5 { 1.0 - x } else { x })
}

/// The modified Bessel function of the first kind and order 0, of the root of `square`.
const fn bessel(square: f64) -> f64 {
    let (mut term, mut total, mut n) = (1.0, 1.0, 1.0);
    while term > total * 1e-12 {
        term *= square / 4.0 / (n * n);
        total += term;
        n += 1.0;
    }
    total
}

/// The smallest whole number that is not below `value`, but for rounding.
const fn whole_above(value: f64) -> usize {
    let whole = value as usize;
    if value - whole as f64 > 1e-9 { whole + 1 } else { whole }
}
