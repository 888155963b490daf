//! Random tensors in both precisions, and how near they are.

use burn::backend::Flex;
use burn::tensor::backend::Backend;
use burn::tensor::{DType, Tensor, TensorData};
use continuo_trainer::random::{Purpose, Random};

pub type Once = burn::backend::Autodiff<Flex>;
pub type Twice = burn::backend::Autodiff<Once>;

/// Random numbers of a test.
pub fn random(seed: u64) -> Random {
    Random::new(seed, Purpose::named("operations test"), 0)
}

/// Numbers between −1 and 1 that f32 holds exactly.
pub fn noise(len: usize, rng: &mut Random) -> Vec<f64> {
    (0..len).map(|_| f64::from(2.0 * rng.uniform() - 1.0)).collect()
}

/// A whole number of a range, the end included.
pub fn between(rng: &mut Random, from: usize, to: usize) -> usize {
    from + ((to - from + 1) as f32 * rng.uniform()) as usize % (to - from + 1)
}

pub fn single(values: &[f64]) -> Vec<f32> {
    values.iter().map(|&value| value as f32).collect()
}

/// A tensor of this precision.
pub fn tensor<B: Backend, const D: usize>(values: &[f64], shape: [usize; D], dtype: DType) -> Tensor<B, D> {
    let device = B::Device::default();
    Tensor::from_data(TensorData::new(values.to_vec(), shape), (&device, dtype))
}

pub fn read<B: Backend, const D: usize>(tensor: Tensor<B, D>) -> Vec<f64> {
    tensor.into_data().iter::<f64>().collect()
}

/// Asserts that two results agree to `tolerance` of the largest value, or of 0.01 where all are smaller.
#[track_caller]
pub fn assert_near(found: &[f64], expected: &[f64], tolerance: f64, what: &str) {
    assert_eq!(found.len(), expected.len(), "{what}: values");
    let largest = expected.iter().fold(1e-2f64, |most, value| most.max(value.abs()));
    for (place, (found, expected)) in found.iter().zip(expected).enumerate() {
        assert!(
            (found - expected).abs() <= tolerance * largest,
            "{what} at {place}: {found} is not {expected} (largest {largest})"
        );
    }
}

/// The derivatives of `f` at `values`, by each of them.
pub fn differences(values: &[f64], f: impl Fn(&[f64]) -> f64) -> Vec<f64> {
    let width = 1e-5;
    let mut values = values.to_vec();
    (0..values.len())
        .map(|place| {
            let middle = values[place];
            values[place] = middle + width;
            let above = f(&values);
            values[place] = middle - width;
            let below = f(&values);
            values[place] = middle;
            (above - below) / (2.0 * width)
        })
        .collect()
}
