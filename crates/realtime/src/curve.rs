//! The curve of fades that keep the power: a quarter of a sine, and its mirror image on the other side.

use crate::sine::sine;

/// Pieces of the table; between two entries it is a straight line, off by less than a millionth.
const PIECES: usize = 1_024;

static QUARTER: [f32; PIECES + 2] = {
    let mut table = [0.0; PIECES + 2];
    let mut at = 0;
    while at < PIECES + 2 {
        table[at] = sine(core::f64::consts::FRAC_PI_2 * at as f64 / PIECES as f64) as f32;
        at += 1;
    }
    table
};

/// The sine from 0 (silence) to `whole` (a quarter of its period, full level) at `part`.
pub(crate) fn quarter(part: u64, whole: u64) -> f32 {
    if part >= whole {
        return 1.0;
    }
    let place = part as f64 / whole as f64 * PIECES as f64;
    let index = place as usize;
    let (low, high) = (QUARTER[index], QUARTER[index + 1]);
    low + (place - index as f64) as f32 * (high - low)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_sides_together_keep_the_power() {
        for whole in [1, 3, 240, 2_400, 96_001_u64] {
            for part in 0..whole.min(5_000) {
                let (rising, falling) = (quarter(2 * part + 1, 2 * whole), quarter(2 * (whole - part) - 1, 2 * whole));
                assert!((rising * rising + falling * falling - 1.0).abs() < 2e-6, "{part} of {whole}");
            }
        }
        assert_eq!((quarter(0, 10), quarter(10, 10), quarter(11, 10)), (0.0, 1.0, 1.0));
    }
}
