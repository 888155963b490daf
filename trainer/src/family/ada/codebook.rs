//! The codebook of a VQ-VAE, learnt by exponential moving averages, and how much each code is used.
//!
//! van den Oord et al. 2017, *Neural Discrete Representation Learning*, appendix A.1, which Dieleman et al. 2018 (section 3.1)
//! follow: `N ← γ N + (1 − γ) n`, `m ← γ m + (1 − γ) Σ q`, `k = m / N`, n being how many queries of the batch a code was
//! nearest to and Σ q their sum. No gradient trains it, so it is a buffer of the task. An AMAE has no vectors: of it only the
//! counts are kept.
//!
//! The papers do not say where the vectors begin, nor what becomes of codes that nothing is near to any more, save that runs
//! whose codebook collapsed were thrown away. Here they begin at queries of the first batch; dead codes are counted and told,
//! and with `restart_below` they begin again at a query of the batch.

use std::sync::Arc;

use crate::nn::{TensorLayout, Tensors};
use crate::peers::{Peers, PeersError};
use crate::random::{Purpose, Random};

/// Tensors of the buffer.
const VECTORS: &str = "vectors";
const AVERAGE: &str = "average";
const COUNTS: &str = "counts";
const SUMS: &str = "sums";

/// Which query a code begins at.
const BEGIN: Purpose = Purpose::named("queries at which codes begin");

/// A code is dead where it is used less than this share of what it would be if all were used alike.
pub const DEAD_SHARE: f64 = 0.01;

/// Below this, a count has decayed for so long that its quotient has lost bits.
const LEAST_COUNT: f32 = 1e-20;

/// What a codebook is learnt with.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Averages {
    /// γ: how much of the averages stays at each step.
    pub decay: f64,
    /// Codes that are used less than this share of an even use begin again at a query of the batch; 0 = never.
    pub restart_below: f64,
    /// Decay of the vectors' own average, which goes with the averaged weights: it is measured and exported.
    pub polyak: f64,
    /// Decides at which query a code begins.
    pub rng_seed: u64,
}

/// Codes with their use, and their vectors where they have some.
#[derive(Debug, Clone, PartialEq)]
pub struct Codebook {
    codes: usize,
    /// Width of a vector; 0 where there are none.
    width: usize,
    tensors: Tensors,
}

/// What a batch was quantised to.
#[derive(Debug, Clone, Copy)]
pub struct Seen<'a> {
    /// The code of each query.
    pub codes: &'a [u32],
    /// `[N, D]`: the queries one after another; nothing where codes have no vectors.
    pub queries: &'a [f32],
}

impl Codebook {
    /// Before the first batch.
    pub fn new(codes: usize, width: usize) -> Self {
        let counts = (COUNTS.to_owned(), vec![codes]);
        let tensors = if width == 0 {
            vec![counts]
        } else {
            let of_width = |name: &str| (name.to_owned(), vec![codes, width]);
            vec![of_width(VECTORS), of_width(AVERAGE), counts, of_width(SUMS)]
        };
        Self { codes, width, tensors: Tensors::zeros(Arc::new(TensorLayout::new(tensors))) }
    }

    /// The buffer of a checkpoint.
    pub fn tensors(&self) -> &Tensors {
        &self.tensors
    }

    /// The same, to be restored.
    pub fn tensors_mut(&mut self) -> &mut Tensors {
        &mut self.tensors
    }

    /// `[K, D]`.
    pub fn vectors(&self) -> &[f32] {
        self.tensors.get(VECTORS)
    }

    /// `[K, D]`: their average, which belongs to the averaged weights.
    pub fn average(&self) -> &[f32] {
        self.tensors.get(AVERAGE)
    }

    /// The vectors of a model that is gone on from. They must be as many.
    pub fn start_from(&mut self, vectors: &[f32]) {
        self.tensors.get_mut(VECTORS).copy_from_slice(vectors);
        self.tensors.get_mut(AVERAGE).copy_from_slice(vectors);
        // As if each had been used alike, so that none begins again at once.
        self.tensors.get_mut(COUNTS).fill(1.0);
        self.tensors.get_mut(SUMS).copy_from_slice(vectors);
    }

    /// Moving counts of how often each code is used.
    pub fn counts(&self) -> &[f32] {
        self.tensors.get(COUNTS)
    }

    /// Whether nothing was ever quantised.
    pub fn is_fresh(&self) -> bool {
        self.counts().iter().all(|&count| count == 0.0)
    }

    /// Lets every code begin at a query of the first batch, `[N, D]`.
    ///
    /// # Errors
    /// If another worker is lost.
    pub fn begin(&mut self, queries: &[f32], rng_seed: u64, peers: &Peers) -> Result<(), PeersError> {
        if self.width == 0 || queries.is_empty() {
            return Ok(());
        }
        let mut candidates = self.candidates(queries, rng_seed, 0, peers);
        total(&mut candidates, peers)?;
        self.tensors.get_mut(VECTORS).copy_from_slice(&candidates);
        self.tensors.get_mut(AVERAGE).copy_from_slice(&candidates);
        Ok(())
    }

    /// A query of this worker's rows for each code that is its own to choose for, and zeros for the others'.
    fn candidates(&self, queries: &[f32], rng_seed: u64, step: u64, peers: &Peers) -> Vec<f32> {
        let rows = (queries.len() / self.width) as u64;
        let mut random = Random::new(rng_seed, BEGIN, step);
        let mut candidates = vec![0.0; self.codes * self.width];
        for (code, candidate) in candidates.chunks_exact_mut(self.width).enumerate() {
            let row = random.below(rows) as usize;
            if code % peers.workers() == peers.worker() {
                candidate.copy_from_slice(&queries[row * self.width..][..self.width]);
            }
        }
        candidates
    }

    /// Moves the averages after the step of this number, counted from 0. Gives back how many codes began again.
    ///
    /// # Errors
    /// If another worker is lost; nothing is changed then.
    pub fn follow(
        &mut self,
        seen: Seen<'_>,
        averages: &Averages,
        step: u64,
        peers: &Peers,
    ) -> Result<usize, PeersError> {
        let (codes, width) = (self.codes, self.width);
        let mut of_batch = vec![0.0_f32; codes + codes * width];
        let (counts, sums) = of_batch.split_at_mut(codes);
        for (row, &code) in seen.codes.iter().enumerate() {
            let code = code as usize;
            counts[code] += 1.0;
            let query = &seen.queries[row * width..][..width];
            sums[code * width..][..width].iter_mut().zip(query).for_each(|(sum, value)| *sum += value);
        }
        let restarts = width > 0 && averages.restart_below > 0.0 && !seen.queries.is_empty();
        if restarts {
            of_batch.extend(self.candidates(seen.queries, averages.rng_seed, step + 1, peers));
        }
        total(&mut of_batch, peers)?;
        let (counts, rest) = of_batch.split_at(codes);
        let (sums, candidates) = rest.split_at(codes * width);
        // The first batch is the average of all batches so far.
        let decay = if self.is_fresh() { 0.0 } else { averages.decay as f32 };
        let follow = |average: &mut [f32], values: &[f32]| {
            for (average, &value) in average.iter_mut().zip(values) {
                *average = decay * *average + (1.0 - decay) * value;
            }
        };
        follow(self.tensors.get_mut(COUNTS), counts);
        if width == 0 {
            return Ok(0);
        }
        follow(self.tensors.get_mut(SUMS), sums);
        let mut restarted = 0;
        let all: f32 = self.counts().iter().sum();
        let even = all / codes as f32;
        // As a network's average: short at first, so that the beginning is soon forgotten.
        let polyak = averages.polyak.min((2.0 + step as f64) / (11.0 + step as f64)) as f32;
        for code in 0..codes {
            let place = code * width..(code + 1) * width;
            let begins = restarts && f64::from(self.counts()[code]) < averages.restart_below * f64::from(even);
            if begins {
                restarted += 1;
                self.tensors.get_mut(COUNTS)[code] = even;
                let sums = &mut self.tensors.get_mut(SUMS)[place.clone()];
                sums.iter_mut().zip(&candidates[place.clone()]).for_each(|(sum, value)| *sum = even * value);
            }
            // A code that nothing was near to for long stays where it is: its average is 0 / 0.
            let count = self.counts()[code];
            if count > LEAST_COUNT {
                let vector: Vec<f32> = self.tensors.get(SUMS)[place.clone()].iter().map(|sum| sum / count).collect();
                self.tensors.get_mut(VECTORS)[place.clone()].copy_from_slice(&vector);
                let decay = if begins { 0.0 } else { polyak };
                let average = &mut self.tensors.get_mut(AVERAGE)[place];
                average.iter_mut().zip(vector).for_each(|(mean, value)| *mean = value + decay * (*mean - value));
            }
        }
        Ok(restarted)
    }

    /// How many codes an even use would need to be as spread as this one is, `exp(H)` of the moving counts, and how many are
    /// dead. Dieleman et al. 2018, section 3.1: the codebook's perplexity.
    pub fn use_of_codes(&self) -> Use {
        Use::of(self.counts().iter().map(|&count| f64::from(count)))
    }
}

/// Sums over all workers.
fn total(values: &mut [f32], peers: &Peers) -> Result<(), PeersError> {
    peers.mean(values)?;
    let workers = peers.workers() as f32;
    for value in values {
        *value *= workers;
    }
    Ok(())
}

/// How codes are used.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Use {
    /// `exp` of the entropy in nats: 1 where one code is used alone, K where all are alike.
    pub perplexity: f64,
    /// Codes that are used less than [`DEAD_SHARE`] of an even use.
    pub dead: usize,
}

impl Use {
    /// The use that these counts, one per code, tell of.
    pub fn of(counts: impl Iterator<Item = f64> + Clone) -> Self {
        let (codes, all) = counts.clone().fold((0_usize, 0.0), |(codes, all), count| (codes + 1, all + count));
        if all <= 0.0 {
            return Self { perplexity: 1.0, dead: codes };
        }
        let entropy = |count: f64| if count > 0.0 { -(count / all) * (count / all).ln() } else { 0.0 };
        let nats: f64 = counts.clone().map(entropy).sum();
        let least = DEAD_SHARE * all / codes as f64;
        Self { perplexity: nats.exp(), dead: counts.filter(|&count| count < least).count() }
    }
}

#[cfg(test)]
mod tests {
    // Values that are small binary fractions are equal, not close.
    #![allow(clippy::unwrap_used, clippy::float_cmp)]

    use super::*;

    const AVERAGES: Averages = Averages { decay: 0.75, restart_below: 0.0, polyak: 0.0, rng_seed: 3 };

    fn alone() -> Peers {
        Peers::default()
    }

    #[test]
    fn vectors_are_moving_means_of_the_queries_that_were_nearest() {
        let mut book = Codebook::new(3, 2);
        assert!(book.is_fresh());
        let first = Seen { codes: &[0, 1, 0], queries: &[1.0, 2.0, -4.0, 0.5, 3.0, 6.0] };
        book.follow(first, &AVERAGES, 0, &alone()).unwrap();
        // (1, 2) and (3, 6); (−4, 0.5); nothing.
        assert_eq!(book.vectors(), [2.0, 4.0, -4.0, 0.5, 0.0, 0.0]);
        assert_eq!(book.counts(), [2.0, 1.0, 0.0]);
        let second = Seen { codes: &[1], queries: &[-8.0, 0.0] };
        book.follow(second, &AVERAGES, 1, &alone()).unwrap();
        // N = ¾·1 + ¼·1, m = ¾·(−4, 0.5) + ¼·(−8, 0). The first code keeps its vector while its count falls.
        assert_eq!(book.vectors(), [2.0, 4.0, -5.0, 0.375, 0.0, 0.0]);
        assert_eq!(book.counts(), [1.5, 1.0, 0.0]);
        assert_eq!(book.average(), book.vectors(), "without a decay the average is the vectors");
        let slow = Averages { polyak: 0.5, ..AVERAGES };
        book.follow(Seen { codes: &[0], queries: &[8.0, 8.0] }, &slow, 9, &alone()).unwrap();
        // N = ¾·1.5 + ¼·1, m = ¾·(3, 6) + ¼·(8, 8); half-way there.
        let moved = [4.25 / 1.375, 6.5 / 1.375];
        assert!((book.vectors()[0] - moved[0]).abs() < 1e-6 && (book.vectors()[1] - moved[1]).abs() < 1e-6);
        assert!((book.average()[0] - f32::midpoint(2.0, moved[0])).abs() < 1e-6, "{:?}", book.average());
        book.tensors_mut().get_mut(COUNTS).copy_from_slice(&[1.5, 1.0, 0.0]);
        let used = book.use_of_codes();
        let entropy = -(0.6 * 0.6_f64.ln() + 0.4 * 0.4_f64.ln());
        assert!((used.perplexity - entropy.exp()).abs() < 1e-6 && used.dead == 1, "{used:?}");
    }

    #[test]
    fn dead_codes_begin_again_at_a_query_of_the_batch_where_that_is_asked_for() {
        let queries = [7.0, 9.0];
        let seen = Seen { codes: &[0, 0], queries: &queries };
        let mut kept = Codebook::new(4, 1);
        assert_eq!(kept.follow(seen, &AVERAGES, 0, &alone()).unwrap(), 0);
        assert_eq!(kept.vectors(), [8.0, 0.0, 0.0, 0.0]);
        let averages = Averages { restart_below: 0.1, ..AVERAGES };
        let mut book = Codebook::new(4, 1);
        assert_eq!(book.follow(seen, &averages, 0, &alone()).unwrap(), 3);
        assert!((book.vectors()[0] - 8.0).abs() < 1e-6);
        assert!(book.vectors()[1..].iter().all(|vector| queries.contains(vector)), "{:?}", book.vectors());
        assert_eq!(book.use_of_codes().dead, 0);
        assert_eq!(book.follow(seen, &averages, 1, &alone()).unwrap(), 0, "they are given time");
    }

    #[test]
    fn a_fresh_codebook_begins_at_queries_and_another_seed_at_others() {
        let queries: Vec<f32> = (0..40).map(|value| value as f32).collect();
        let begun = |seed| {
            let mut book = Codebook::new(8, 2);
            book.begin(&queries, seed, &alone()).unwrap();
            book.vectors().to_vec()
        };
        assert!(begun(1).chunks(2).all(|row| row[0] % 2.0 == 0.0 && (row[1] - row[0] - 1.0).abs() < 1e-6));
        assert_eq!(begun(1), begun(1));
        assert_ne!(begun(1), begun(2));
    }

    #[test]
    fn perplexity_counts_codes_as_if_they_were_used_alike() {
        let of = |counts: &[f64]| Use::of(counts.iter().copied());
        assert!((of(&[5.0; 16]).perplexity - 16.0).abs() < 1e-9);
        assert_eq!(of(&[0.0, 9.0, 0.0]), Use { perplexity: 1.0, dead: 2 });
        assert_eq!(of(&[0.0; 4]), Use { perplexity: 1.0, dead: 4 });
    }
}
