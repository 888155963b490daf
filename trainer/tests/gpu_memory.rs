//! A GPU that runs out of memory. In a process of its own, so that nothing of it is left for other tests.

#![cfg(feature = "gpu")]
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;

use common::gpu::both;
use common::{sequences, small_shape, weights};
use continuo_trainer::family::wavenet::{Compute as _, ComputeError};

#[test]
fn a_batch_that_does_not_fit_is_named_and_smaller_ones_go_on() {
    let shape = small_shape();
    let (table, mut cpu, mut gpu) = both(&shape);
    let values = weights(&table, 3);
    let mut gradient = vec![0.0; table.weights()];
    // One layer's inputs alone are 16 channels of 8 × 2^22 frames: 2 GiB, more than a buffer may have.
    let batch = vec![vec![0_u16; (1 << 22) + shape.receptive_field_frames() as usize].into(); 8];
    let error = gpu.gradient(&values, &batch, &mut gradient).unwrap_err();
    assert!(matches!(error, ComputeError::Memory { sequences: 8, frames: 4_194_304, .. }), "{error}");
    assert!(error.to_string().contains("a batch of 8 × 4194304 frames does not fit"), "{error}");
    let batch = sequences(&shape, 2, 40, 5);
    let (a, b) = (cpu.loss(&values, &batch).unwrap(), gpu.loss(&values, &batch).unwrap());
    assert!((a - b).abs() < 5e-6, "{b} is not {a}");
}
