//! Random numbers that depend on where they are used, not on what was drawn before.
//!
//! Philox4x32-10 (Salmon, Moraes, Dror & Shaw, *Parallel Random Numbers: As Easy as 1, 2, 3*, SC 2011, section 3.3):
//! a keyed bijection of a 128-bit counter. With the variation and the frame in the counter, a variation's numbers are the
//! same however many are rendered together and wherever a render begins.

const MULTIPLIERS: [u32; 2] = [0xd251_1f53, 0xcd9e_8d57];
const WEYL: [u32; 2] = [0x9e37_79b9, 0xbb67_ae85];
const ROUNDS: u32 = 10;

/// Philox4x32-10 of a counter under a key.
pub fn philox4x32(mut counter: [u32; 4], mut key: [u32; 2]) -> [u32; 4] {
    let product = |multiplier: u32, word: u32| {
        let wide = u64::from(multiplier) * u64::from(word);
        ((wide >> 32) as u32, wide as u32)
    };
    for round in 0..ROUNDS {
        if round > 0 {
            key = [key[0].wrapping_add(WEYL[0]), key[1].wrapping_add(WEYL[1])];
        }
        let (high0, low0) = product(MULTIPLIERS[0], counter[0]);
        let (high1, low1) = product(MULTIPLIERS[1], counter[2]);
        counter = [high1 ^ counter[1] ^ key[0], low1, high0 ^ counter[3] ^ key[1], low0];
    }
    counter
}

/// Where a number is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// The variation's number.
    pub variation: u32,
    /// The frame, or the step of a model of codes, counted from the first primed one.
    pub frame: u64,
    /// The channel.
    pub channel: u32,
}

/// The number for one place: from 0 (included) to 1 (excluded), 53 bits.
pub fn uniform(rng_seed: u64, place: Place) -> f64 {
    let [high, low, ..] = words(rng_seed, place);
    from_words(high, low)
}

/// A draw from the standard normal distribution for one place (Box & Muller, *A Note on the Generation of Random Normal
/// Deviates*, 1958).
pub fn normal(rng_seed: u64, place: Place) -> f64 {
    let [a, b, c, d] = words(rng_seed, place);
    // Above 0, whose logarithm is none.
    let radius = (-2.0 * (1.0 - from_words(a, b)).ln()).sqrt();
    radius * (std::f64::consts::TAU * from_words(c, d)).cos()
}

fn words(rng_seed: u64, place: Place) -> [u32; 4] {
    let counter = [place.frame as u32, (place.frame >> 32) as u32, place.variation, place.channel];
    philox4x32(counter, [rng_seed as u32, (rng_seed >> 32) as u32])
}

fn from_words(high: u32, low: u32) -> f64 {
    let bits = (u64::from(high) << 32 | u64::from(low)) >> 11;
    bits as f64 / (1u64 << 53) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn agrees_with_random123() {
        // Known answers of the Random123 library (kat_vectors, philox4x32 10).
        let pi = [0x243f_6a88, 0x85a3_08d3, 0x1319_8a2e, 0x0370_7344];
        let known = [
            ([0; 4], [0; 2], [0x6627_e8d5, 0xe169_c58d, 0xbc57_ac4c, 0x9b00_dbd8]),
            ([u32::MAX; 4], [u32::MAX; 2], [0x408f_276d, 0x41c8_3b0e, 0xa20b_c7c6, 0x6d54_51fd]),
            (pi, [0xa409_3822, 0x299f_31d0], [0xd16c_fe09, 0x94fd_cceb, 0x5001_e420, 0x2412_6ea1]),
        ];
        for (counter, key, expected) in known {
            assert_eq!(philox4x32(counter, key), expected);
        }
    }

    #[test]
    fn normal_is_normal() {
        let count = 50_000;
        let draw = |frame| normal(3, Place { variation: 1, frame, channel: 0 });
        let moment = |power| (0..count).map(|frame| draw(frame).powi(power)).sum::<f64>() / count as f64;
        // Within four standard errors of the moments 0, 1, 0 and 3.
        for (power, expected, error) in [(1, 0.0, 1.0f64), (2, 1.0, 2.0), (3, 0.0, 15.0), (4, 3.0, 96.0)] {
            let allowed = 4.0 * (error / count as f64).sqrt();
            assert!((moment(power) - expected).abs() < allowed, "moment {power}: {}", moment(power));
        }
    }

    #[test]
    fn uniform_is_uniform_and_tells_places_apart() {
        let uniform = |rng_seed, variation, frame| super::uniform(rng_seed, Place { variation, frame, channel: 0 });
        let count = 20_000;
        let mut bins = [0u32; 16];
        let mut sum = 0.0;
        for frame in 0..count {
            let value = uniform(5, 2, frame);
            assert!((0.0..1.0).contains(&value));
            bins[(value * 16.0) as usize] += 1;
            sum += value;
        }
        assert!((sum / count as f64 - 0.5).abs() < 0.01);
        // Chi-squared with 15 degrees of freedom: above 37.7 in one of a thousand generators.
        let expected = count as f64 / 16.0;
        let chi: f64 = bins.iter().map(|&bin| (f64::from(bin) - expected).powi(2) / expected).sum();
        assert!(chi < 37.7, "{chi}");
        let here = uniform(1, 1, 1);
        for other in [
            uniform(2, 1, 1),
            uniform(1 << 32 | 1, 1, 1),
            uniform(1, 2, 1),
            uniform(1, 1, 2),
            uniform(1, 1, 1 << 32 | 1),
            super::uniform(1, Place { variation: 1, frame: 1, channel: 1 }),
        ] {
            assert!((here - other).abs() > 1e-9);
        }
    }
}
