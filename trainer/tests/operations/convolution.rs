use burn::tensor::module;
use burn::tensor::ops::{ConvOptions, ConvTransposeOptions};
use burn::tensor::{DType, Tensor};
use continuo_trainer::kernels::Level;
use continuo_trainer::kernels::convolution::{self, Axes, Convolution};
use continuo_trainer::nn::ops::{Operations, conv_transpose1d, conv1d};
use continuo_trainer::random::Random;

use crate::common::{Once, assert_near, between, noise, random, read, single, tensor};

/// Calls `f` with every product that a convolution sums: places in x, in the weights and in y.
fn each_product(convolution: &Convolution, axes: &Axes, mut f: impl FnMut(usize, usize, usize)) {
    let Axes { batch, inputs, outputs, kernel, length, frames } = *axes;
    for (b, o, t) in (0..batch).flat_map(|b| (0..outputs).flat_map(move |o| (0..frames).map(move |t| (b, o, t)))) {
        for (c, k) in (0..inputs).flat_map(|c| (0..kernel).map(move |k| (c, k))) {
            let padded = t * convolution.stride + k * convolution.dilation;
            if let Some(u) = padded.checked_sub(convolution.padding.0).filter(|&u| u < length) {
                f((b * inputs + c) * length + u, (o * inputs + c) * kernel + k, (b * outputs + o) * frames + t);
            }
        }
    }
}

/// The three operations in double precision.
struct Reference {
    y: Vec<f64>,
    x: Vec<f64>,
    weight: Vec<f64>,
}

/// Operands of a convolution.
struct Operands {
    convolution: Convolution,
    axes: Axes,
    x: Vec<f64>,
    weight: Vec<f64>,
    y: Vec<f64>,
    of_outputs: Vec<f64>,
    of_inputs: Vec<f64>,
}

impl Operands {
    fn new(convolution: Convolution, axes: Axes, rng: &mut Random) -> Self {
        let Axes { batch, inputs, outputs, kernel, length, frames } = axes;
        Self {
            convolution,
            axes,
            x: noise(batch * inputs * length, rng),
            weight: noise(outputs * inputs * kernel, rng),
            y: noise(batch * outputs * frames, rng),
            of_outputs: noise(outputs, rng),
            of_inputs: noise(inputs, rng),
        }
    }

    fn reference(&self) -> Reference {
        let Axes { batch, inputs, outputs, length, frames, .. } = self.axes;
        let spread = |biases: &[f64], frames: usize| -> Vec<f64> {
            (0..batch).flat_map(|_| biases.iter().flat_map(move |&bias| vec![bias; frames])).collect()
        };
        assert_eq!((self.of_outputs.len(), self.of_inputs.len()), (outputs, inputs));
        let mut all = Reference {
            y: spread(&self.of_outputs, frames),
            x: spread(&self.of_inputs, length),
            weight: vec![0.0; self.weight.len()],
        };
        each_product(&self.convolution, &self.axes, |x, weight, y| {
            all.y[y] += self.x[x] * self.weight[weight];
            all.x[x] += self.y[y] * self.weight[weight];
            all.weight[weight] += self.x[x] * self.y[y];
        });
        all
    }

    /// What the kernels make of it: y, x and the weights.
    fn compute(&self, level: Level) -> [Vec<f32>; 3] {
        let [x, weight, y] = [&self.x, &self.weight, &self.y].map(|values| single(values));
        let (of_outputs, of_inputs) = (single(&self.of_outputs), single(&self.of_inputs));
        // What was there before must not matter.
        let mut found = [vec![7.0; y.len()], vec![7.0; x.len()], vec![7.0; weight.len()]];
        let [to_y, to_x, to_weight] = &mut found;
        let (convolution, axes) = (&self.convolution, &self.axes);
        convolution::forward(level, convolution, axes, (&x, &weight, &of_outputs), to_y);
        convolution::input_gradient(level, convolution, axes, (&y, &weight, &of_inputs), to_x);
        convolution::weight_gradient(level, convolution, axes, (&x, &y), to_weight);
        found
    }
}

/// A convolution of random shape, most of them odd.
fn any(rng: &mut Random) -> (Convolution, Axes) {
    loop {
        let convolution = Convolution {
            stride: between(rng, 1, 6),
            dilation: between(rng, 1, 4),
            padding: (between(rng, 0, 9), between(rng, 0, 5)),
        };
        let (kernel, length) = (between(rng, 1, 9), between(rng, 1, 40) * between(rng, 1, 6));
        if let Some(frames) = convolution.frames(length, kernel) {
            let (inputs, outputs) = (between(rng, 1, 21), between(rng, 1, 37));
            let batch = between(rng, 1, 3);
            return (convolution, Axes { batch, inputs, outputs, kernel, length, frames });
        }
    }
}

/// Shapes that families have, among them what is worth sharing among threads.
fn usual() -> Vec<(Convolution, Axes)> {
    let axes = |batch, inputs, outputs, kernel, length, convolution: Convolution| {
        let frames = convolution.frames(length, kernel).unwrap();
        (convolution, Axes { batch, inputs, outputs, kernel, length, frames })
    };
    let strided = |stride, before, after| Convolution { stride, dilation: 1, padding: (before, after) };
    vec![
        axes(2, 1, 64, 25, 1024, strided(4, 11, 10)),
        axes(2, 64, 96, 25, 256, strided(4, 11, 10)),
        axes(5, 130, 128, 25, 16, strided(4, 11, 10)),
        axes(2, 32, 48, 2, 700, Convolution { stride: 1, dilation: 128, padding: (0, 0) }),
        axes(1, 40, 40, 1, 500, strided(1, 0, 0)),
        axes(1, 16, 16, 3, 90, strided(7, 0, 2)),
    ]
}

#[test]
fn the_three_operations_are_the_sums_at_every_level() {
    let mut rng = random(1);
    let shapes: Vec<_> = (0..60).map(|_| any(&mut rng)).chain(usual()).collect();
    for (convolution, axes) in shapes {
        let operands = Operands::new(convolution, axes, &mut rng);
        let expected = operands.reference();
        for level in Level::available() {
            let what = format!("{level} {convolution:?} {axes:?}");
            let found = operands.compute(level).map(|values| values.into_iter().map(f64::from).collect::<Vec<_>>());
            assert_near(&found[0], &expected.y, 3e-6, &format!("y, {what}"));
            assert_near(&found[1], &expected.x, 3e-6, &format!("x, {what}"));
            assert_near(&found[2], &expected.weight, 3e-6, &format!("weight, {what}"));
        }
    }
}

#[test]
fn results_do_not_depend_on_threads() {
    let mut rng = random(2);
    for (convolution, axes) in usual() {
        let operands = Operands::new(convolution, axes, &mut rng);
        let on = |threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            let found = pool.install(|| operands.compute(Level::detect()));
            found.map(|values| values.into_iter().map(f32::to_bits).collect::<Vec<_>>())
        };
        let one = on(1);
        assert!(one == on(2) && one == on(5), "{convolution:?} {axes:?}");
    }
}

#[test]
fn lengths_are_those_of_windows() {
    let mut rng = random(3);
    for _ in 0..500 {
        let (convolution, Axes { kernel, length, frames, .. }) = any(&mut rng);
        let begins = (0..1000).filter(|t| {
            t * convolution.stride + convolution.dilation * (kernel - 1)
                < convolution.padding.0 + length + convolution.padding.1
        });
        assert_eq!(frames, begins.count());
        if let Some(shortest) = convolution.transposed_length(frames, kernel) {
            assert!(shortest <= length && length < shortest + convolution.stride, "{convolution:?}");
            assert_eq!(convolution.frames(shortest, kernel), Some(frames));
        }
    }
    let convolution = Convolution { stride: 4, dilation: 1, padding: (11, 10) };
    assert_eq!((convolution.frames(4096, 25), convolution.transposed_length(1024, 25)), (Some(1024), Some(4096)));
    assert_eq!(convolution.frames(3, 25), None);
    assert_eq!(Convolution { stride: 0, ..convolution }.frames(100, 25), None);
}

/// Tensors of a convolution and a transposed one: operands and gradients of a weighted sum of the result.
fn differentiated<B: Operations + burn::tensor::backend::AutodiffBackend>(
    operands: &Operands,
    dtype: DType,
    transposed: bool,
    apply: impl Fn(Tensor<B, 3>, Tensor<B, 3>, Option<Tensor<B, 1>>) -> Tensor<B, 3>,
) -> Vec<Vec<f64>> {
    let Axes { batch, inputs, outputs, kernel, length, frames } = operands.axes;
    let (x, y) = ((&operands.x, [batch, inputs, length]), (&operands.y, [batch, outputs, frames]));
    let (from, to) = if transposed { (y, x) } else { (x, y) };
    let bias = if transposed { &operands.of_inputs } else { &operands.of_outputs };
    let from = tensor::<B, 3>(from.0, from.1, dtype).require_grad();
    let weight = tensor::<B, 3>(&operands.weight, [outputs, inputs, kernel], dtype).require_grad();
    let bias = tensor::<B, 1>(bias, [bias.len()], dtype).require_grad();
    let result = apply(from.clone(), weight.clone(), Some(bias.clone()));
    let weighted = result.clone() * tensor::<B, 3>(to.0, to.1, dtype);
    let gradients = weighted.sum().backward();
    vec![
        read(result),
        read(from.grad(&gradients).unwrap()),
        read(weight.grad(&gradients).unwrap()),
        read(bias.grad(&gradients).unwrap()),
    ]
}

#[test]
fn gradients_are_those_of_burn_s_own_operations() {
    let mut rng = random(4);
    let mut tried = 0;
    while tried < 25 {
        let (convolution, axes) = any(&mut rng);
        let padding = convolution.padding.0.min(convolution.padding.1);
        let convolution = Convolution { padding: (padding, padding), ..convolution };
        let Some(frames) = convolution.frames(axes.length, axes.kernel) else { continue };
        let Some(shortest) = convolution.transposed_length(frames, axes.kernel) else { continue };
        let axes = Axes { frames, ..axes };
        let Convolution { stride, dilation, .. } = convolution;
        let operands = Operands::new(convolution, axes, &mut rng);
        for dtype in [DType::F32, DType::F64] {
            let tolerance = if dtype == DType::F32 { 1e-5 } else { 1e-12 };
            for transposed in [false, true] {
                let ours = differentiated::<Once>(&operands, dtype, transposed, |x, weight, bias| {
                    if transposed {
                        conv_transpose1d(x, weight, bias, axes.length, &convolution)
                    } else {
                        conv1d(x, weight, bias, &convolution)
                    }
                });
                let theirs = differentiated::<Once>(&operands, DType::F64, transposed, |x, weight, bias| {
                    if transposed {
                        let more = axes.length - shortest;
                        let options = ConvTransposeOptions::new([stride], [padding], [more], [dilation], 1);
                        module::conv_transpose1d(x, weight, bias, options)
                    } else {
                        module::conv1d(x, weight, bias, ConvOptions::new([stride], [padding], [dilation], 1))
                    }
                });
                for (name, (ours, theirs)) in ["result", "input", "weight", "bias"].iter().zip(ours.iter().zip(&theirs))
                {
                    assert_near(ours, theirs, tolerance, &format!("{name} {convolution:?} {axes:?}"));
                }
            }
        }
        tried += 1;
    }
}

#[test]
fn an_operand_without_a_gradient_gets_none() {
    let x = tensor::<Once, 3>(&noise(60, &mut random(5)), [1, 2, 30], DType::F32);
    let weight = tensor::<Once, 3>(&noise(18, &mut random(6)), [3, 2, 3], DType::F32).require_grad();
    let gradients = conv1d(x.clone(), weight.clone(), None, &Convolution::default()).sum().backward();
    assert!(x.grad(&gradients).is_none());
    // The gradient of a sum over frames is the sum of the input's window.
    let of_weight = read(weight.grad(&gradients).unwrap());
    let first: f64 = read(x.narrow(1, 0, 1).narrow(2, 0, 28)).iter().sum();
    assert!((of_weight[0] - first).abs() < 1e-5);
}

#[test]
fn views_are_read_as_they_are_seen() {
    // Frames and channels exchanged, and a slice: neither lies straight on in memory.
    let mut rng = random(7);
    let values = noise(2 * 30 * 4, &mut rng);
    let weight = tensor::<Once, 3>(&noise(24, &mut rng), [2, 4, 3], DType::F32);
    let view = tensor::<Once, 3>(&values, [2, 30, 4], DType::F32).swap_dims(1, 2).narrow(2, 3, 20);
    let copy = tensor::<Once, 3>(&read(view.clone()), [2, 4, 20], DType::F32);
    let convolution = Convolution { stride: 2, dilation: 1, padding: (1, 0) };
    let [seen, copied] = [view, copy].map(|x| read(conv1d(x, weight.clone(), None, &convolution)));
    assert_eq!(seen, copied);
}

#[test]
#[should_panic(expected = "channels of the input and of the weights")]
fn channels_that_do_not_fit_are_refused() {
    let x = tensor::<Once, 3>(&[0.0; 30], [1, 3, 10], DType::F32);
    let weight = tensor::<Once, 3>(&[0.0; 8], [2, 2, 2], DType::F32);
    let _ = conv1d(x, weight, None, &Convolution::default());
}
