//! The hand-written passes against finite differences of a network written out in f64, and against Burn's autodiff.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;

use std::sync::Arc;

use common::{
    expected_loss, expected_outputs, odd_shape, plain_shape, real_shape, reference, sequences, small_shape, told_shape,
    weights,
};
use continuo_package::family::wavenet::WaveNetShape;
use continuo_trainer::family::wavenet::fused::Fused;
use continuo_trainer::family::wavenet::network::Network;
use continuo_trainer::family::wavenet::parameters::Table;
use continuo_trainer::family::wavenet::{Compute, Sequence};
use continuo_trainer::kernels::Level;

/// Every kind of head, with and without biases and classes.
fn shapes() -> [WaveNetShape; 6] {
    [odd_shape(true), odd_shape(false), small_shape(), real_shape(), told_shape(), plain_shape()]
}

#[test]
fn losses_and_outputs_are_the_reference_s() {
    for shape in shapes() {
        let table = Arc::new(Table::new(&shape));
        let values = weights(&table, 3);
        let mut reference = reference(&table, &values);
        // More targets than a tile holds, and not a whole number of tiles.
        let batch = sequences(&shape, 2, 131, 5);
        let expected = expected_loss(&mut reference, &batch);
        let rows = expected_outputs(&mut reference, &batch[1]);
        for level in Level::available() {
            let mut fused = Fused::new(&table, level, 2).unwrap();
            let loss = fused.loss(&values, &batch).unwrap();
            assert!((loss - expected).abs() < 1e-5, "{level}: {loss} is not {expected}");
            let logits = fused.outputs(&values, &batch[1]).unwrap();
            assert_eq!(logits.len(), rows.len());
            let worst = logits.iter().zip(&rows).map(|(a, b)| (f64::from(*a) - b).abs()).fold(0.0, f64::max);
            assert!(worst < 2e-5, "{level}: logits differ by {worst}");
        }
    }
}

#[test]
fn gradients_are_the_finite_differences() {
    for shape in shapes() {
        let table = Arc::new(Table::new(&shape));
        let values = weights(&table, 7);
        let batch = sequences(&shape, 2, 21, 9);
        let mut fused = Fused::new(&table, Level::detect(), 1).unwrap();
        let mut gradient = vec![0.0; table.weights()];
        fused.gradient(&values, &batch, &mut gradient).unwrap();
        let largest = gradient.iter().fold(0.0f32, |m, g| m.max(g.abs()));
        assert!(largest > 1e-2, "the gradient must not be trivial");
        let mut reference = reference(&table, &values);
        // Every tensor, at a few places of each.
        for tensor in table.tensors() {
            for step in 0..4 {
                let place = (step * 7919 + 13) % tensor.len();
                let middle = reference.weights_mut(&tensor.name)[place];
                let width = 1e-5;
                let mut loss_at = |value| {
                    reference.weights_mut(&tensor.name)[place] = value;
                    expected_loss(&mut reference, &batch)
                };
                let (above, below) = (loss_at(middle + width), loss_at(middle - width));
                loss_at(middle);
                let expected = (above - below) / (2.0 * width);
                let found = f64::from(gradient[tensor.offset + place]);
                assert!(
                    (found - expected).abs() < 2e-6 + 1e-4 * expected.abs(),
                    "{} at {place}: {found} is not {expected}",
                    tensor.name
                );
            }
        }
    }
}

#[test]
fn gradients_do_not_depend_on_threads_and_hardly_on_the_instruction_set() {
    let shape = odd_shape(true);
    let table = Arc::new(Table::new(&shape));
    let values = weights(&table, 1);
    let batch = sequences(&shape, 5, 200, 2);
    let gradient = |level, threads| {
        let mut gradient = vec![0.0; table.weights()];
        let loss = Fused::new(&table, level, threads).unwrap().gradient(&values, &batch, &mut gradient).unwrap();
        (loss.to_bits(), gradient)
    };
    let first = gradient(Level::detect(), 1);
    assert_eq!(first, gradient(Level::detect(), 3));
    for level in Level::available() {
        let other = gradient(level, 2);
        let worst = first.1.iter().zip(&other.1).fold(0.0f32, |m, (a, b)| m.max((a - b).abs()));
        assert!(worst < 2e-6, "{level}: {worst}");
    }
}

#[test]
fn sequences_that_do_not_fit_are_refused() {
    let shape = small_shape();
    let table = Arc::new(Table::new(&shape));
    let values = weights(&table, 1);
    let mut fused = Fused::new(&table, Level::detect(), 1).unwrap();
    let receptive = shape.receptive_field_frames() as usize;
    assert!(fused.loss(&values, &[vec![0_u16; receptive].into()]).is_err());
    assert!(fused.loss(&values, &[vec![32_u16; receptive + 1].into()]).is_err());
    assert!(fused.loss(&values, &[vec![31_u16; receptive + 1].into()]).is_ok());
    assert!(fused.loss(&values, &[vec![0.5_f32; receptive + 1].into()]).is_err(), "real values");
    let other = Sequence { class: 1, ..vec![31_u16; receptive + 1].into() };
    assert!(fused.loss(&values, &[other]).is_err(), "a class that is not there");
}

#[test]
fn gradients_are_those_of_burn_s_automatic_differentiation() {
    type Backend = burn::backend::Autodiff<burn::backend::Flex>;
    // Also with convolutions as products of matrices, as GPUs compute them.
    for (shape, products) in shapes().into_iter().flat_map(|shape| [(shape.clone(), false), (shape, true)]) {
        let table = Arc::new(Table::new(&shape));
        let values = weights(&table, 11);
        let batch = sequences(&shape, 3, 150, 13);
        let mut fused = Fused::new(&table, Level::detect(), 2).unwrap();
        let mut network = Network::<Backend>::new(&table, burn::backend::flex::FlexDevice, "test".into());
        if products {
            network = network.in_products();
        }
        let (mut ours, mut theirs) = (vec![0.0; table.weights()], vec![0.0; table.weights()]);
        // With a penalty strong enough to show in every tensor; the loss itself stays the cross-entropy.
        let penalty = if shape.is_real() { 0.0 } else { 0.3 };
        for compute in [&mut fused as &mut dyn Compute, &mut network] {
            compute.penalise_logits(penalty);
            compute.penalise_weights(0.01);
        }
        let loss = fused.gradient(&values, &batch, &mut ours).unwrap();
        let expected = network.gradient(&values, &batch, &mut theirs).unwrap();
        assert!((loss - expected).abs() < 2e-6, "{loss} is not {expected}");
        assert!((loss - fused.loss(&values, &batch).unwrap()).abs() < 1e-9, "the penalty is no part of the loss");
        for tensor in table.tensors() {
            let pairs = ours[tensor.range()].iter().zip(&theirs[tensor.range()]);
            let worst = pairs.fold(0.0f32, |worst, (a, b)| worst.max((a - b).abs()));
            assert!(worst < 2e-6, "{}: differs by {worst}", tensor.name);
            assert!(theirs[tensor.range()].iter().any(|&g| g.abs() > 1e-5), "{} has a gradient", tensor.name);
        }
        assert!((fused.loss(&values, &batch).unwrap() - network.loss(&values, &batch).unwrap()).abs() < 2e-6);
        let logits = fused.outputs(&values, &batch[0]).unwrap();
        let others = network.outputs(&values, &batch[0]).unwrap();
        assert!(logits.iter().zip(&others).all(|(a, b)| (a - b).abs() < 1e-5));
    }
}
