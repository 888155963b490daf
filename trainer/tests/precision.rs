//! Passes that multiply in half precision, with f32 around them: on Burn's CPU backend, and by hand in bfloat16.

#![allow(clippy::unwrap_used)]

mod common;

use std::sync::Arc;

use burn::backend::flex::FlexDevice;
use burn::backend::{Autodiff, Flex};
use common::{odd_shape, real_shape, sequences, small_shape, weights};
use continuo_package::family::wavenet::WaveNetShape;
use continuo_trainer::family::wavenet::Compute;
use continuo_trainer::family::wavenet::fused::Fused;
use continuo_trainer::family::wavenet::network::Network;
use continuo_trainer::family::wavenet::parameters::Table;
use continuo_trainer::family::wavenet::sequence::Sequence;
use continuo_trainer::kernels::Level;
use continuo_trainer::kernels::bf16::Bf16;
use continuo_trainer::nn::{LossScale, Precision};

type Reference = Network<Autodiff<Flex>>;

fn network(table: &Arc<Table>, precision: Precision, by_tap: bool) -> Reference {
    let network = Reference::new(table, FlexDevice, "flex".into());
    let mut network = if by_tap { network.in_products() } else { network };
    network.multiply_in(precision).unwrap();
    network
}

fn gradient(network: &mut dyn Compute, values: &[f32], batch: &[Sequence]) -> (f64, Vec<f32>) {
    let mut gradient = vec![0.0; values.len()];
    (network.gradient(values, batch, &mut gradient).unwrap(), gradient)
}

/// The norm of the difference against the norm.
fn distance(a: &[f32], b: &[f32]) -> f64 {
    let norm = |values: &mut dyn Iterator<Item = f64>| values.map(|x| x * x).sum::<f64>().sqrt();
    let difference = norm(&mut a.iter().zip(b).map(|(&a, &b)| f64::from(a) - f64::from(b)));
    difference / norm(&mut b.iter().map(|&b| f64::from(b)))
}

fn shapes() -> [WaveNetShape; 3] {
    [odd_shape(true), small_shape(), real_shape()]
}

#[test]
fn gradients_in_half_precision_are_those_in_f32_as_far_as_its_digits_go() {
    for shape in shapes() {
        let table = Arc::new(Table::new(&shape));
        let (values, batch) = (weights(&table, 3), sequences(&shape, 2, 60, 5));
        let (loss, expected) = gradient(&mut network(&table, Precision::F32, true), &values, &batch);
        for (precision, digits) in [(Precision::Bf16, 2f64.powi(-8)), (Precision::F16, 2f64.powi(-11))] {
            for by_tap in [true, false] {
                let mut half = network(&table, precision, by_tap);
                let (found, gradient) = gradient(&mut half, &values, &batch);
                let apart = distance(&gradient, &expected);
                assert!((found - loss).abs() < 2.0 * digits * loss, "{found} is not {loss}");
                assert!(apart < 16.0 * digits, "{precision:?}: apart by {apart}");
                assert!(apart > digits / 50.0, "{precision:?}: {apart} is what f32 has");
                // What is measured is f32's.
                let (a, b) = (half.loss(&values, &batch).unwrap(), loss);
                assert!((a - b).abs() < 1e-6, "{a} is not {b}");
            }
        }
    }
}

#[test]
fn a_loss_scale_that_is_too_large_falls_until_the_gradient_fits() {
    let shape = small_shape();
    let table = Arc::new(Table::new(&shape));
    // Few targets, so that each has a large share.
    let (values, batch) = (weights(&table, 3), sequences(&shape, 1, 3, 5));
    let mut half = network(&table, Precision::F16, true);
    let (_, expected) = gradient(&mut half, &values, &batch);
    assert_eq!(half.loss_scale(), Some(LossScale::default()), "the first scale fits");
    let largest: LossScale = serde_json::from_str(r#"{"factor":16777216.0,"steps":0}"#).unwrap();
    half.set_loss_scale(largest);
    let (_, found) = gradient(&mut half, &values, &batch);
    let scale = half.loss_scale().unwrap();
    assert!(scale.factor() < largest.factor() && scale.factor() > 1.0, "{scale:?}");
    assert!(distance(&found, &expected) < 1e-3);
    // Small gradients are lost. A factor far below 1 makes them as small as a thousand times as many targets would.
    let batch = sequences(&shape, 2, 200, 5);
    let (_, expected) = gradient(&mut network(&table, Precision::F32, true), &values, &batch);
    let apart = |factor: f32| {
        let mut half = network(&table, Precision::F16, true);
        half.set_loss_scale(serde_json::from_value(serde_json::json!({ "factor": factor, "steps": 0 })).unwrap());
        distance(&gradient(&mut half, &values, &batch).1, &expected)
    };
    let (with, without) = (apart(LossScale::default().factor()), apart(2f32.powi(-10)));
    assert!(with < 4e-3 && without > 10.0 * with, "{with} with it, {without} without");
}

#[test]
fn only_f16_has_a_loss_scale() {
    let table = Arc::new(Table::new(&small_shape()));
    for (precision, scale) in
        [(Precision::F32, None), (Precision::Bf16, None), (Precision::F16, Some(LossScale::default()))]
    {
        let mut network = network(&table, precision, true);
        assert_eq!((network.precision(), network.loss_scale()), (precision, scale));
        let mut smaller = LossScale::default();
        smaller.overflows();
        network.set_loss_scale(smaller);
        assert_eq!(network.loss_scale(), scale.map(|_| smaller));
    }
}

fn by_hand(table: &Arc<Table>, bf16: Option<Bf16>) -> Fused {
    Fused::new(table, Level::detect(), 2).unwrap().in_bf16(bf16)
}

#[test]
fn gradients_by_hand_in_bf16_are_as_close_as_the_networks() {
    let digits = 2f64.powi(-8);
    for shape in shapes() {
        let table = Arc::new(Table::new(&shape));
        // Tiles of an odd number of frames, and more than one of them.
        let (values, batch) = (weights(&table, 3), sequences(&shape, 3, 133, 5));
        let mut whole = by_hand(&table, None);
        let (loss, expected) = gradient(&mut whole, &values, &batch);
        let (_, network) = gradient(&mut network(&table, Precision::Bf16, true), &values, &batch);
        for bf16 in Bf16::available() {
            let mut half = by_hand(&table, Some(bf16));
            let (found, gradient) = gradient(&mut half, &values, &batch);
            assert!((found - loss).abs() < 2.0 * digits * loss, "{bf16:?}: {found} is not {loss}");
            let (apart, between) = (distance(&gradient, &expected), distance(&gradient, &network));
            assert!(apart < 16.0 * digits && between < 16.0 * digits, "{bf16:?}: apart by {apart} and {between}");
            assert!(apart > digits / 50.0, "{bf16:?}: {apart} is what f32 has");
            // What is measured is f32's, to the bit.
            let [half_loss, whole_loss] = [&mut half, &mut whole].map(|pass| pass.loss(&values, &batch).unwrap());
            assert_eq!(half_loss.to_bits(), whole_loss.to_bits());
            assert_eq!(half.outputs(&values, &batch[0]).unwrap(), whole.outputs(&values, &batch[0]).unwrap());
        }
    }
}

#[test]
fn the_cpu_multiplies_in_bf16_where_the_processor_does_and_says_what_it_does() {
    let table = Arc::new(Table::new(&small_shape()));
    for (wanted, used) in [
        (Precision::F32, Precision::F32),
        (Precision::F16, Precision::F32),
        (Precision::Bf16, if Bf16::native().is_some() { Precision::Bf16 } else { Precision::F32 }),
    ] {
        let mut cpu = by_hand(&table, None);
        cpu.multiply_in(wanted).unwrap();
        assert_eq!(cpu.precision(), used, "{wanted:?}");
    }
}

#[test]
fn training_in_bf16_ends_where_training_in_f32_does() {
    let shape = small_shape();
    let table = Arc::new(Table::new(&shape));
    // Codes that can be foretold: each is the one before and its distance again.
    let heard = |seed: usize| {
        let codes = (0..400).map(|frame: usize| (frame * (1 + seed % 5) % 32) as u16).collect();
        Sequence { symbols: continuo_trainer::family::wavenet::sequence::Symbols::Codes(codes), class: 0 }
    };
    let (batch, heldout): (Vec<_>, Vec<_>) = ((0..4).map(heard).collect(), vec![heard(4)]);
    let trained = |bf16: Option<Bf16>| {
        let mut compute = by_hand(&table, bf16);
        let mut values = weights(&table, 3);
        let before = compute.loss(&values, &heldout).unwrap();
        let mut gradient = vec![0.0; values.len()];
        for _ in 0..60 {
            compute.gradient(&values, &batch, &mut gradient).unwrap();
            values.iter_mut().zip(&gradient).for_each(|(value, slope)| *value -= 0.05 * slope);
        }
        (before, compute.loss(&values, &batch).unwrap())
    };
    let (before, whole) = trained(None);
    assert!(whole < 0.8 * before, "nothing was learnt: {before} to {whole}");
    for bf16 in Bf16::available() {
        let (_, half) = trained(Some(bf16));
        assert!((half - whole).abs() < 0.02 * whole, "{bf16:?}: {half} where f32 has {whole}");
    }
}
