//! The Fréchet audio distance: how far apart two sets of sounds lie, each taken for a normal distribution of its vectors.
//!
//! Kilgour et al., *Fréchet Audio Distance*, Interspeech 2019 (section 3), after Heusel et al. 2017:
//! `|μ₁ − μ₂|² + tr(Σ₁ + Σ₂ − 2 (Σ₁^½ Σ₂ Σ₁^½)^½)`, over the vectors of [`super::embedding`] in place of a network's. Few windows
//! make it too large (Gui et al., *Adapting Fréchet Audio Distance for Generative Music Evaluation*, 2024), so every set that is
//! held against the training audio has the same number of windows, and the held-out audio's own distance stands beside.

use super::embedding::DIMENSIONS;
use super::symmetric::Symmetric;

/// Mean and covariance of vectors.
#[derive(Debug, Clone)]
pub struct Normal {
    mean: Vec<f64>,
    covariance: Symmetric,
}

impl Normal {
    /// Of these vectors; `None` of fewer than two.
    pub fn of<'a>(vectors: impl Iterator<Item = &'a [f64]> + Clone) -> Option<Self> {
        let count = vectors.clone().count() as f64;
        let size = vectors.clone().next()?.len();
        if count < 2.0 {
            return None;
        }
        let mut mean = vec![0.0; size];
        for vector in vectors.clone() {
            mean.iter_mut().zip(vector).for_each(|(sum, value)| *sum += value / count);
        }
        let mut sums = vec![0.0; size * size];
        let mut apart = vec![0.0; size];
        for vector in vectors {
            apart.iter_mut().zip(vector.iter().zip(&mean)).for_each(|(apart, (value, mean))| *apart = value - mean);
            for (row, &left) in apart.iter().enumerate() {
                let row = &mut sums[row * size..=row * size + row];
                row.iter_mut().zip(&apart).for_each(|(sum, right)| *sum += left * right);
            }
        }
        let covariance = Symmetric::from_lower(size, |row, column| sums[row * size + column] / (count - 1.0));
        Some(Self { mean, covariance })
    }
}

/// Smallest unit, in nepers of power (2 dB): what hardly varies in the training audio, as an empty band, is not magnified.
const LEAST_UNIT: f64 = 0.5;

/// The set that others are held against, and the unit of each dimension: its standard deviation in that set, or half a neper.
#[derive(Debug)]
pub struct Yardstick {
    units: Vec<f64>,
    normal: Normal,
    root: Symmetric,
    windows: usize,
}

impl Yardstick {
    /// Of the training audio's vectors; `None` of fewer than two.
    pub fn new(vectors: &[Vec<f64>]) -> Option<Self> {
        let raw = Normal::of(vectors.iter().map(Vec::as_slice))?;
        let variance = |at: usize| raw.covariance.entry(at, at);
        let units: Vec<f64> = (0..raw.mean.len()).map(|at| variance(at).sqrt().max(LEAST_UNIT)).collect();
        let scaled: Vec<Vec<f64>> = vectors.iter().map(|vector| in_units(vector, &units)).collect();
        let normal = Normal::of(scaled.iter().map(Vec::as_slice))?;
        let root = normal.covariance.square_root();
        Some(Self { units, normal, root, windows: vectors.len() })
    }

    /// Windows that it was made of.
    pub fn windows(&self) -> usize {
        self.windows
    }

    /// A vector in the yardstick's units.
    pub fn measure(&self, vector: &[f64]) -> Vec<f64> {
        in_units(vector, &self.units)
    }

    /// The distance of vectors that were [measured](Self::measure); `None` of fewer than two.
    pub fn distance<'a>(&self, vectors: impl Iterator<Item = &'a [f64]> + Clone) -> Option<f64> {
        let other = Normal::of(vectors)?;
        let apart: f64 = self.normal.mean.iter().zip(&other.mean).map(|(a, b)| (a - b).powi(2)).sum();
        let (values, _) = self.root.around(&other.covariance).eigen();
        let shared: f64 = values.iter().map(|value| value.max(0.0).sqrt()).sum();
        let spread = self.normal.covariance.trace() + other.covariance.trace() - 2.0 * shared;
        // Two sets that are one another come out as zero but for rounding.
        Some(apart + spread.max(0.0))
    }
}

fn in_units(vector: &[f64], units: &[f64]) -> Vec<f64> {
    vector.iter().zip(units).map(|(value, unit)| value / unit).collect()
}

/// Fewest windows of which a distance is worth something; with fewer than there are dimensions, most of the spread is unseen.
pub const FEWEST_WINDOWS: usize = DIMENSIONS;

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::random::{Purpose, Random};

    /// Normal numbers (Box & Muller) with a standard deviation per dimension and a mean.
    fn vectors(count: usize, deviations: &[f64], mean: f64, index: u64) -> Vec<Vec<f64>> {
        let mut random = Random::new(5, Purpose::named("vectors of the tests"), index);
        let mut draw = || {
            let (a, b) = (1.0 - f64::from(random.uniform()), f64::from(random.uniform()));
            (-2.0 * a.ln()).sqrt() * (std::f64::consts::TAU * b).cos()
        };
        (0..count).map(|_| deviations.iter().map(|deviation| mean + deviation * draw()).collect()).collect()
    }

    fn distance(yardstick: &Yardstick, vectors: &[Vec<f64>]) -> f64 {
        let measured: Vec<Vec<f64>> = vectors.iter().map(|vector| yardstick.measure(vector)).collect();
        yardstick.distance(measured.iter().map(Vec::as_slice)).unwrap()
    }

    #[test]
    fn the_distance_of_normal_distributions_is_the_one_that_theory_gives() {
        let deviations = [1.0, 2.0, 0.5, 4.0];
        let training = vectors(20_000, &deviations, 0.0, 0);
        let yardstick = Yardstick::new(&training).unwrap();
        assert!(distance(&yardstick, &training) < 1e-9, "from itself");
        assert!(distance(&yardstick, &vectors(20_000, &deviations, 0.0, 1)) < 0.005, "of another sample");
        // In units of the training set, each dimension has a deviation of 1; twice that is (2 − 1)² away in each.
        let wider: Vec<f64> = deviations.iter().map(|deviation| 2.0 * deviation).collect();
        let found = distance(&yardstick, &vectors(20_000, &wider, 0.0, 2));
        assert!((found - 4.0).abs() < 0.1, "{found}");
        // Moved by 1: (1/1)² + (1/2)² + (1/0.5)² + (1/4)².
        let found = distance(&yardstick, &vectors(20_000, &deviations, 1.0, 3));
        assert!((found - 5.3125).abs() < 0.15, "{found}");
        assert!(Yardstick::new(&training[..1]).is_none());
        assert!(yardstick.distance(training[..1].iter().map(Vec::as_slice)).is_none());
    }

    #[test]
    fn directions_count() {
        // Along one diagonal, and along the other: the same deviations, and far apart. Covariances [[1, ±c], [±c, 1]] commute,
        // so the distance is Σ (√λ − √λ′)² = 2 (√(1 + c) − √(1 − c))².
        let c: f64 = 0.8;
        let turned = |sign: f64, index| -> Vec<Vec<f64>> {
            vectors(20_000, &[1.0, 1.0], 0.0, index)
                .into_iter()
                .map(|v| vec![v[0], sign * c * v[0] + (1.0 - c * c).sqrt() * v[1]])
                .collect()
        };
        let yardstick = Yardstick::new(&turned(1.0, 4)).unwrap();
        let found = distance(&yardstick, &turned(-1.0, 5));
        let expected = 2.0 * ((1.0 + c).sqrt() - (1.0 - c).sqrt()).powi(2);
        assert!((found - expected).abs() < 0.05, "{found}, expected {expected}");
    }
}
