use burn::backend::Flex;
use burn::tensor::{DType, Int, Tensor, TensorData};
use continuo_trainer::nn::ops::softmax_loss;

use crate::common::{Once, assert_near, noise, random, read, tensor};

/// Losses and the gradient of their weighted sum.
fn losses(
    logits: &[f64],
    [rows, classes]: [usize; 2],
    targets: &[i32],
    weights: &[f64],
    dtype: DType,
) -> [Vec<f64>; 2] {
    let device = burn::backend::flex::FlexDevice;
    let logits = tensor::<Once, 2>(logits, [rows, classes], dtype).require_grad();
    let targets = Tensor::<Once, 1, Int>::from_data(TensorData::new(targets.to_vec(), [rows]), &device);
    let losses = softmax_loss(logits.clone(), targets);
    let gradients = (losses.clone() * tensor::<Once, 1>(weights, [rows], dtype)).sum().backward();
    [read(losses), read(logits.grad(&gradients).unwrap())]
}

#[test]
fn losses_and_their_gradients_are_those_of_the_softmax() {
    let mut rng = random(20);
    for [rows, classes] in [[1, 2], [7, 256], [33, 19], [5, 16], [3, 1]] {
        // Far from zero, so that the shift matters.
        let logits: Vec<f64> =
            noise(rows * classes, &mut rng).iter().map(|x| f64::from(200.0f32 + 9.0 * *x as f32)).collect();
        let targets: Vec<i32> = (0..rows).map(|row| (row * 7919 % classes) as i32).collect();
        let weights = noise(rows, &mut rng);
        let (mut expected, mut gradient) = (Vec::new(), Vec::new());
        for ((row, &target), weight) in logits.chunks(classes).zip(&targets).zip(&weights) {
            let target = target as usize;
            let total: f64 = row.iter().map(|x| (x - row[target]).exp()).sum();
            expected.push(total.ln());
            gradient.extend(
                row.iter().enumerate().map(|(class, x)| {
                    weight * ((x - row[target]).exp() / total - f64::from(u8::from(class == target)))
                }),
            );
        }
        for (dtype, tolerance) in [(DType::F32, 3e-6), (DType::F64, 1e-12)] {
            let [found, of_logits] = losses(&logits, [rows, classes], &targets, &weights, dtype);
            assert_near(&found, &expected, tolerance * 10.0, "losses");
            assert_near(&of_logits, &gradient, tolerance, "gradient");
        }
    }
}

#[test]
#[should_panic(expected = "of 3 classes")]
fn a_target_that_is_no_class_is_refused() {
    let device = burn::backend::flex::FlexDevice;
    let logits = tensor::<Flex, 2>(&[0.0; 6], [2, 3], DType::F32);
    let _ = softmax_loss(logits, Tensor::from_data(TensorData::new(vec![2, 3], [2]), &device));
}
