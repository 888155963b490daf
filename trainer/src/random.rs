//! Random numbers that depend on what they are for, not on what was drawn before.
//!
//! All come from the engine's Philox generator. A sequence is named by the run's seed, a purpose and an index (a tensor, an
//! epoch, a step), so that a resumed run draws what an uninterrupted one would have drawn without a generator's state in
//! its checkpoint, and a new purpose leaves the numbers of the others as they were.

use continuo_engine::random::philox4x32;

/// What a sequence of numbers is drawn for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Purpose(u32);

impl Purpose {
    /// The purpose of this name. Different names give different purposes but for one pair of names in four thousand
    /// million (FNV-1a, 32 bits).
    pub const fn named(name: &str) -> Self {
        let bytes = name.as_bytes();
        let mut hash = 0x811c_9dc5_u32;
        let mut index = 0;
        while index < bytes.len() {
            hash = (hash ^ bytes[index] as u32).wrapping_mul(0x0100_0193);
            index += 1;
        }
        Self(hash)
    }
}

/// One sequence of numbers.
#[derive(Debug, Clone)]
pub struct Random {
    key: [u32; 2],
    purpose: u32,
    index: u64,
    /// Blocks of four words drawn so far.
    block: u32,
    words: [u32; 4],
    /// Words of the newest block that are still to be given out.
    left: usize,
}

impl Random {
    /// The sequence of this seed, purpose and index, from its first number on.
    pub fn new(rng_seed: u64, purpose: Purpose, index: u64) -> Self {
        let key = [rng_seed as u32, (rng_seed >> 32) as u32];
        Self { key, purpose: purpose.0, index, block: 0, words: [0; 4], left: 0 }
    }

    /// The next 32 bits.
    fn word(&mut self) -> u32 {
        if self.left == 0 {
            let counter = [self.block, self.purpose, self.index as u32, (self.index >> 32) as u32];
            self.words = philox4x32(counter, self.key);
            self.block = self.block.wrapping_add(1);
            self.left = self.words.len();
        }
        self.left -= 1;
        self.words[self.words.len() - 1 - self.left]
    }

    /// The next 64 bits.
    pub fn bits(&mut self) -> u64 {
        u64::from(self.word()) << 32 | u64::from(self.word())
    }

    /// The next number from 0 (included) to 1 (excluded), 24 bits.
    pub fn uniform(&mut self) -> f32 {
        (self.word() >> 8) as f32 / (1u32 << 24) as f32
    }

    /// The next whole number below `n`, by the high half of a product (Lemire 2019, without the rejection: the bias is
    /// below `n / 2^64`).
    pub fn below(&mut self, n: u64) -> u64 {
        ((u128::from(self.bits()) * u128::from(n)) >> 64) as u64
    }

    /// Brings `items` into a random order (Fisher & Yates).
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for i in (1..items.len()).rev() {
            items.swap(i, self.below(i as u64 + 1) as usize);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sequence_depends_on_seed_purpose_and_index_alone() {
        let draw = |rng_seed, purpose: &str, index| {
            let mut random = Random::new(rng_seed, Purpose::named(purpose), index);
            (0..9).map(|_| random.bits()).collect::<Vec<_>>()
        };
        let here = draw(7, "weights", 3);
        assert_eq!(here, draw(7, "weights", 3));
        for other in [
            draw(8, "weights", 3),
            draw(7 | 1 << 40, "weights", 3),
            draw(7, "order", 3),
            draw(7, "weights", 3 | 1 << 40),
        ] {
            assert!(here.iter().zip(&other).all(|(a, b)| a != b), "two sequences meet");
        }
    }

    #[test]
    fn numbers_are_spread_evenly() {
        let mut random = Random::new(1, Purpose::named("test"), 0);
        let (mut tens, mut sum) = ([0u32; 10], 0.0);
        for _ in 0..20_000 {
            tens[random.below(10) as usize] += 1;
            let value = random.uniform();
            assert!((0.0..1.0).contains(&value));
            sum += f64::from(value);
        }
        assert!(tens.iter().all(|&count| (1_840..2_160).contains(&count)), "{tens:?}");
        assert!((sum / 20_000.0 - 0.5).abs() < 0.01);
        let mut items: Vec<u32> = (0..100).collect();
        random.shuffle(&mut items);
        assert!(items.windows(2).filter(|pair| pair[1] < pair[0]).count() > 30);
        items.sort_unstable();
        assert!(items.into_iter().eq(0..100));
    }
}
