//! Derivatives of derivatives: what a critic's gradient penalty (Gulrajani et al. 2017) asks for.

use burn::backend::Flex;
use burn::tensor::activation::leaky_relu;
use burn::tensor::{DType, Tensor};
use continuo_trainer::nn::ops::{Convolution, Operations, conv_transpose1d, conv1d, lstm};

use crate::common::{Once, Twice, assert_near, differences, noise, random, read, tensor};

const FIRST: Convolution = Convolution { stride: 3, dilation: 2, padding: (2, 1) };
const SECOND: Convolution = Convolution { stride: 4, dilation: 1, padding: (3, 0) };
const LENGTH: usize = 23;

/// Shapes of the critic's weights.
const SHAPES: [&[usize]; 4] = [&[5, 2, 4], &[5], &[5, 3, 6], &[3]];

/// Two convolutions, one of them transposed, with functions between whose second derivatives are not zero.
fn critic<B: Operations>(x: Tensor<B, 3>, weights: [Tensor<B, 1>; 4]) -> Tensor<B, 1> {
    let [first, first_bias, second, second_bias] = weights;
    let y = conv1d(x, first.reshape([5, 2, 4]), Some(first_bias), &FIRST);
    let y = leaky_relu(y, 0.2).tanh();
    let [_, _, frames] = y.dims();
    let length = SECOND.transposed_length(frames, 6).unwrap() + 2;
    let z = conv_transpose1d(y, second.reshape([5, 3, 6]), Some(second_bias), length, &SECOND);
    (z.clone().tanh() * z).sum()
}

/// The weights, each flat.
fn split(weights: &[f64]) -> [&[f64]; 4] {
    let mut rest = weights;
    SHAPES.map(|shape| {
        let (here, after) = rest.split_at(shape.iter().product());
        rest = after;
        here
    })
}

/// (‖∂critic/∂x‖ − 1)², of a gradient that was computed already.
fn penalty<B: Operations, const D: usize>(gradient: Tensor<B, D>) -> Tensor<B, 1> {
    let norm = (gradient.clone() * gradient).sum().sqrt();
    (norm - 1.0).powi_scalar(2)
}

/// The penalty, with one derivative.
fn value(x: &[f64], weights: &[f64], dtype: DType) -> f64 {
    let x = tensor::<Once, 3>(x, [2, 2, LENGTH], dtype).require_grad();
    let weights = split(weights).map(|values| tensor::<Once, 1>(values, [values.len()], dtype));
    let gradients = critic(x.clone(), weights).backward();
    read(penalty::<Flex, 3>(x.grad(&gradients).unwrap()))[0]
}

/// The penalty and its gradient by all weights, with two derivatives.
fn differentiated(x: &[f64], weights: &[f64], dtype: DType) -> (f64, Vec<f64>) {
    let x = tensor::<Twice, 3>(x, [2, 2, LENGTH], dtype).require_grad();
    let inner = split(weights).map(|values| tensor::<Once, 1>(values, [values.len()], dtype).require_grad());
    let gradients = critic(x.clone(), inner.clone().map(Tensor::from_inner)).backward();
    let penalty = penalty::<Once, 3>(x.grad(&gradients).unwrap());
    let gradients = penalty.clone().backward();
    (
        read(penalty)[0],
        // The last bias adds nothing to the slope where it is linear; here it is not.
        inner.iter().flat_map(|weight| read(weight.grad(&gradients).unwrap())).collect(),
    )
}

#[test]
fn a_gradient_penalty_is_differentiated_through_convolutions() {
    let mut rng = random(30);
    let x = noise(2 * 2 * LENGTH, &mut rng);
    let count: usize = SHAPES.iter().map(|shape| shape.iter().product::<usize>()).sum();
    let weights = noise(count, &mut rng);
    let expected = differences(&weights, |weights| value(&x, weights, DType::F64));
    assert!(expected.iter().all(|slope| slope.abs() > 1e-9), "every weight matters");
    let (exact, gradient) = differentiated(&x, &weights, DType::F64);
    assert!((exact - value(&x, &weights, DType::F64)).abs() < 1e-9);
    assert_near(&gradient, &expected, 1e-6, "in double precision");
    // And through our kernels.
    let (penalty, gradient) = differentiated(&x, &weights, DType::F32);
    assert!((penalty / exact - 1.0).abs() < 1e-4, "{penalty} is not {exact}");
    assert_near(&gradient, &expected, 1e-4, "in single precision");
}

/// An LSTM of three units over four steps, as a function of its inputs.
#[allow(clippy::needless_pass_by_value, reason = "one signature for all")]
fn recurrent<B: Operations>(x: Tensor<B, 3>, weights: &[Tensor<B, 1>; 3]) -> Tensor<B, 1> {
    let device = x.device();
    let zeros = || Tensor::<B, 2>::zeros([2, 3], (&device, x.dtype()));
    let [input, state, bias] = weights.clone();
    let (y, (hidden, cells)) =
        lstm(x.clone(), (zeros(), zeros()), input.reshape([12, 2]), state.reshape([12, 3]), bias);
    (y.clone() * y).sum() + hidden.sum() + (cells.clone() * cells).sum()
}

#[test]
fn a_gradient_penalty_is_differentiated_through_a_recurrent_layer() {
    let mut rng = random(31);
    let x = noise(4 * 2 * 2, &mut rng);
    let weights = noise(24 + 36 + 12, &mut rng);
    let parts = |weights: &[f64]| [weights[..24].to_vec(), weights[24..60].to_vec(), weights[60..].to_vec()];
    let value = |weights: &[f64]| {
        let x = tensor::<Once, 3>(&x, [4, 2, 2], DType::F64).require_grad();
        let weights = parts(weights).map(|values| tensor::<Once, 1>(&values, [values.len()], DType::F64));
        let gradients = recurrent(x.clone(), &weights).backward();
        read(penalty::<Flex, 3>(x.grad(&gradients).unwrap()))[0]
    };
    let expected = differences(&weights, value);
    for (dtype, tolerance) in [(DType::F64, 1e-6), (DType::F32, 1e-4)] {
        let x = tensor::<Twice, 3>(&x, [4, 2, 2], dtype).require_grad();
        let inner = parts(&weights).map(|values| tensor::<Once, 1>(&values, [values.len()], dtype).require_grad());
        let gradients = recurrent(x.clone(), &inner.clone().map(Tensor::from_inner)).backward();
        let gradients = penalty::<Once, 3>(x.grad(&gradients).unwrap()).backward();
        let found: Vec<f64> = inner.iter().flat_map(|weight| read(weight.grad(&gradients).unwrap())).collect();
        assert_near(&found, &expected, tolerance, &format!("{dtype:?}"));
    }
}
