//! One suite of tests, instantiated for every implementation of the kernels.

use super::contract::{Epilogue, Kernel};
use super::packed::{Arena, BLOCK, Block, floats, floats_mut};
use super::wavenet::{PackedWaveNet, Scratch, WaveNetState};
use crate::support::graph::{Random, crooked, small, wavenet_graph};
use crate::weights::{Matrix, WaveNetWeights};
use continuo_package::wavenet::WaveNetShape;

/// A WaveNet in double precision, written down from the equations alone: no packing, no rings, no vectors.
struct Plain<'a> {
    weights: &'a WaveNetWeights,
    codes: Vec<u32>,
    /// Per layer its inputs of all frames, oldest first.
    seen: Vec<Vec<Vec<f64>>>,
}

impl<'a> Plain<'a> {
    fn new(weights: &'a WaveNetWeights) -> Self {
        let shape = weights.shape();
        let codes = vec![shape.levels / 2; shape.filter_width as usize - 1];
        Self { weights, codes, seen: vec![vec![]; shape.dilations.len()] }
    }

    fn product(matrix: &Matrix, x: &[f64]) -> Vec<f64> {
        let bias = |row| matrix.bias().map_or(0.0, |bias: &[f32]| f64::from(bias[row]));
        let sum = |row| x.iter().enumerate().map(|(input, x)| f64::from(matrix.weight(row, input)) * x).sum::<f64>();
        (0..matrix.rows()).map(|row| bias(row) + sum(row)).collect()
    }

    fn step(&mut self, code: u32) -> Vec<f64> {
        let shape = self.weights.shape();
        let (r, d, f) =
            (shape.residual_channels as usize, shape.dilation_channels as usize, shape.filter_width as usize);
        self.codes.push(code);
        let newest = &self.codes[self.codes.len() - f..];
        let mut x: Vec<f64> =
            (0..r).map(|row| self.weights.causal_bias.as_ref().map_or(0.0, |bias| f64::from(bias[row]))).collect();
        for (table, &code) in self.weights.causal_taps.iter().zip(newest) {
            (0..r).for_each(|row| x[row] += f64::from(table[code as usize * r + row]));
        }
        let mut skip = vec![0.0; shape.skip_channels as usize];
        for (i, layer) in self.weights.layers.iter().enumerate() {
            self.seen[i].push(x.clone());
            let now = self.seen[i].len() - 1;
            let mut inputs = vec![0.0; r * f];
            for tap in 0..f {
                let back = (f - 1 - tap) * shape.dilations[i] as usize;
                if let Some(past) = now.checked_sub(back) {
                    (0..r).for_each(|channel| inputs[channel * f + tap] = self.seen[i][past][channel]);
                }
            }
            let h = Self::product(&layer.dilated, &inputs);
            let z: Vec<f64> = (0..d).map(|row| h[row].tanh() / (1.0 + (-h[d + row]).exp())).collect();
            skip.iter_mut().zip(Self::product(&layer.skip, &z)).for_each(|(sum, part)| *sum += part);
            if let Some(residual) = &layer.residual {
                x.iter_mut().zip(Self::product(residual, &z)).for_each(|(x, part)| *x += part);
            }
        }
        let relu = |values: Vec<f64>| values.into_iter().map(|value| value.max(0.0)).collect::<Vec<_>>();
        let y = relu(Self::product(&self.weights.end[0], &relu(skip)));
        Self::product(&self.weights.end[1], &y)
    }
}

fn weights(shape: &WaveNetShape, rng_seed: u64) -> WaveNetWeights {
    let model = wavenet_graph(shape, rng_seed);
    WaveNetWeights::from_graph(shape, &model.graph.expect("a graph")).expect("a WaveNet")
}

fn random_codes(shape: &WaveNetShape, count: usize, rng_seed: u64) -> Vec<u32> {
    let mut random = Random(rng_seed);
    (0..count).map(|_| (random.bits() % u64::from(shape.levels)) as u32).collect()
}

fn logits_of(net: &PackedWaveNet, kernel: Kernel, state: &mut WaveNetState, codes: &[u32]) -> Vec<Vec<f32>> {
    let mut scratch = Scratch::default();
    let mut logits = vec![Block::default(); net.logits_stride() / BLOCK];
    let one = |code: &u32| {
        net.advance(kernel, &mut scratch, std::slice::from_mut(state), &[*code], Some(&mut logits));
        floats(&logits)[..net.shape().levels as usize].to_vec()
    };
    codes.iter().map(one).collect()
}

pub(super) fn agrees_with_the_equations(kernel: Kernel) {
    for shape in [crooked(), small(), WaveNetShape { biases: true, ..crooked() }] {
        let weights = weights(&shape, 7);
        let net = PackedWaveNet::new(&weights).expect("small enough");
        let codes = random_codes(&shape, 150, 3);
        let found = logits_of(&net, kernel, &mut WaveNetState::new(&shape), &codes);
        let mut plain = Plain::new(&weights);
        let mut largest = 0f64;
        for (&code, found) in codes.iter().zip(&found) {
            for (expected, &found) in plain.step(code).into_iter().zip(found) {
                largest = largest.max((expected - f64::from(found)).abs());
            }
        }
        assert!(largest < 1e-4, "{}: logits differ by {largest}", kernel.name());
        let lively = found.iter().flatten().fold(0f32, |largest, value| largest.max(value.abs()));
        assert!(lively > 0.5, "the random network says nothing");
    }
}

pub(super) fn products_of_any_size_are_right(kernel: Kernel) {
    let mut random = Random(11);
    for (rows, inputs, columns) in [
        (1, 1, 1),
        (16, 5, 1),
        (17, 3, 2),
        (64, 64, 3),
        (65, 7, 4),
        (128, 33, 5),
        (130, 8, 8),
        (300, 20, 11),
        (48, 0, 2),
    ] {
        let weights: Vec<f32> = (0..rows * inputs).map(|_| random.signed()).collect();
        let bias: Vec<f32> = (0..rows).map(|_| random.signed()).collect();
        let stride = inputs + 3;
        let x: Vec<f32> = (0..columns * stride).map(|_| random.signed()).collect();
        let mut arena = Arena::default();
        let all: Vec<_> = (0..rows).map(Some).collect();
        let place = arena.push(&all, inputs, |row, input| weights[row * inputs + input], Some(|row: usize| bias[row]));
        let blocks = rows.div_ceil(BLOCK);
        for epilogue in [Epilogue::Store, Epilogue::Relu, Epilogue::AddTo] {
            let mut y = vec![Block([0.25; BLOCK]); blocks * columns];
            kernel.product(arena.matrix(place), columns, (&x, stride), &mut y, epilogue);
            for column in 0..columns {
                for row in 0..blocks * BLOCK {
                    let sum: f64 = if row < rows {
                        let terms = (0..inputs).map(|input| {
                            f64::from(weights[row * inputs + input]) * f64::from(x[column * stride + input])
                        });
                        f64::from(bias[row]) + terms.sum::<f64>()
                    } else {
                        0.0
                    };
                    let expected = match epilogue {
                        Epilogue::Store => sum,
                        Epilogue::Relu => sum.max(0.0),
                        Epilogue::AddTo => sum + 0.25,
                    };
                    let found = f64::from(floats(&y)[column * blocks * BLOCK + row]);
                    let close = (found - expected).abs() < 1e-5 * (1.0 + inputs as f64).sqrt();
                    assert!(close, "{rows}×{inputs}, column {column} of {columns}, row {row}: {found} for {expected}");
                }
            }
        }
    }
}

pub(super) fn gate_is_within_its_bound(kernel: Kernel) {
    // The stated bound is 5e-7 for every pair of finite inputs.
    let mut inputs: Vec<f32> = (-2000..=2000).map(|step| step as f32 / 100.0).collect();
    inputs.extend([0.0, -0.0, 1e-30, -1e-30, 1e-4, -1e-4, 88.0, -88.0, 1e4, -1e4, f32::MAX, f32::MIN]);
    let others = [-90.0f32, -20.0, -3.3, -0.5, 0.0, 0.1, 2.0, 17.0, 300.0];
    let mut largest = 0f64;
    let mut check = |a: f32, b: f32, z: f32| {
        let expected = f64::from(a).tanh() / (1.0 + (-f64::from(b)).exp());
        largest = largest.max((f64::from(z) - expected).abs());
    };
    for chunk in inputs.chunks(BLOCK) {
        for other in others {
            for swapped in [false, true] {
                let mut h = [Block::default(), Block([other; BLOCK])];
                h[0].0[..chunk.len()].copy_from_slice(chunk);
                if swapped {
                    h.swap(0, 1);
                }
                let mut z = [0f32; BLOCK];
                kernel.gate(&h, &mut z);
                (0..chunk.len()).for_each(|lane| check(h[0].0[lane], h[1].0[lane], z[lane]));
            }
        }
    }
    assert!(largest < 5e-7, "{}: the gate is off by {largest:e}", kernel.name());
}

pub(super) fn takes_do_not_change_each_others_bits(kernel: Kernel) {
    let shape = small();
    let net = PackedWaveNet::new(&weights(&shape, 5)).expect("small enough");
    let frames = 40;
    let alone: Vec<Vec<Vec<f32>>> = (0..9)
        .map(|take| {
            let codes = random_codes(&shape, frames, take);
            logits_of(&net, kernel, &mut WaveNetState::new(&shape), &codes)
        })
        .collect();
    for takes in 1..=9usize {
        let mut states = vec![WaveNetState::new(&shape); takes];
        let codes: Vec<Vec<u32>> = (0..takes).map(|take| random_codes(&shape, frames, take as u64)).collect();
        let stride = net.logits_stride();
        let mut logits = vec![Block::default(); takes * stride / BLOCK];
        let mut scratch = Scratch::default();
        for frame in 0..frames {
            let now: Vec<u32> = codes.iter().map(|codes| codes[frame]).collect();
            net.advance(kernel, &mut scratch, &mut states, &now, Some(&mut logits));
            for (take, alone) in alone.iter().enumerate().take(takes) {
                let found = &floats(&logits)[take * stride..][..256];
                assert_eq!(found, &alone[frame][..], "take {take} of {takes} at frame {frame}");
            }
        }
    }
}

pub(super) fn many_frames_per_pass_are_the_same_bits(kernel: Kernel) {
    for shape in [small(), crooked()] {
        let net = PackedWaveNet::new(&weights(&shape, 5)).expect("small enough");
        let codes = random_codes(&shape, 100, 8);
        let mut stepped = WaveNetState::new(&shape);
        let expected = logits_of(&net, kernel, &mut stepped, &codes);
        for chunk in [1, 2, 3, 7, 15, 16, 17, 33, 100] {
            let mut state = WaveNetState::new(&shape);
            let mut scratch = Scratch::default();
            let mut logits = vec![Block::default(); net.logits_stride() / BLOCK];
            for (index, part) in codes.chunks(chunk).enumerate() {
                let wanted = (index % 2 == 0 || index == 99 / chunk).then_some(&mut logits[..]);
                net.advance(kernel, &mut scratch, std::slice::from_mut(&mut state), part, wanted);
            }
            assert_eq!(&floats(&logits)[..shape.levels as usize], &expected[99][..], "chunks of {chunk}");
            assert!(state == stepped, "the state after chunks of {chunk}");
        }
    }
}

pub(super) fn a_state_from_tensors_goes_on_as_the_original(kernel: Kernel) {
    let shape = crooked();
    let net = PackedWaveNet::new(&weights(&shape, 21)).expect("small enough");
    let codes = random_codes(&shape, 60, 4);
    let mut state = WaveNetState::new(&shape);
    logits_of(&net, kernel, &mut state, &codes[..40]);
    let expected = logits_of(&net, kernel, &mut state.clone(), &codes[40..]);
    let mut copy = WaveNetState::new(&shape);
    let (causal, layers) = state.tensors();
    copy.set(&causal, &layers);
    assert_eq!(logits_of(&net, kernel, &mut copy, &codes[40..]), expected);
}

/// The suite for one implementation; a processor without it says so and does not count as a pass in silence.
macro_rules! suite {
    ($module:ident, $name:literal) => {
        mod $module {
            use super::Kernel;

            fn with(test: fn(Kernel)) {
                match Kernel::named($name) {
                    Some(kernel) => test(kernel),
                    None => eprintln!("not run: this processor has no {}", $name),
                }
            }

            #[test]
            fn agrees_with_the_equations() {
                with(super::agrees_with_the_equations);
            }
            #[test]
            fn products_of_any_size_are_right() {
                with(super::products_of_any_size_are_right);
            }
            #[test]
            fn gate_is_within_its_bound() {
                with(super::gate_is_within_its_bound);
            }
            #[test]
            fn takes_do_not_change_each_others_bits() {
                with(super::takes_do_not_change_each_others_bits);
            }
            #[test]
            fn many_frames_per_pass_are_the_same_bits() {
                with(super::many_frames_per_pass_are_the_same_bits);
            }
            #[test]
            fn a_state_from_tensors_goes_on_as_the_original() {
                with(super::a_state_from_tensors_goes_on_as_the_original);
            }
        }
    };
}

suite!(scalar, "scalar");
#[cfg(target_arch = "x86_64")]
suite!(avx2, "AVX2");
#[cfg(target_arch = "x86_64")]
suite!(avx512, "AVX-512");
#[cfg(target_arch = "aarch64")]
suite!(neon, "NEON");

#[test]
fn vector_implementations_agree_to_the_bit() {
    let shape = crooked();
    let net = PackedWaveNet::new(&weights(&shape, 2)).expect("small enough");
    let codes = random_codes(&shape, 64, 1);
    let runs: Vec<_> = Kernel::available()
        .filter(|kernel| kernel.name() != "scalar")
        .map(|kernel| logits_of(&net, kernel, &mut WaveNetState::new(&shape), &codes))
        .collect();
    assert!(runs.windows(2).all(|pair| pair[0] == pair[1]));
}

#[test]
fn padding_that_would_exhaust_memory_is_refused() {
    // One-channel rows padded to sixteen: a file of 300 MB would take more than 4 GiB.
    let shape = WaveNetShape {
        levels: 2,
        dilations: vec![1; 40],
        filter_width: 64,
        residual_channels: 16_384,
        dilation_channels: 1,
        skip_channels: 1,
        end_channels: 1,
        biases: false,
    };
    assert!(super::wavenet::packed_blocks(&shape) > super::wavenet::MOST_BLOCKS);
    assert!(super::wavenet::packed_blocks(&small()) < 10_000);
}

#[test]
fn the_estimate_of_packed_memory_is_what_packing_takes() {
    for shape in [small(), crooked(), WaveNetShape { biases: true, ..crooked() }] {
        let net = PackedWaveNet::new(&weights(&shape, 2)).expect("small enough");
        assert!(net.blocks() as u64 <= super::wavenet::packed_blocks(&shape));
        assert!(net.blocks() as u64 * 10 > super::wavenet::packed_blocks(&shape) * 9);
    }
}

#[test]
fn the_best_kernel_is_the_first_that_is_there() {
    assert_eq!(Some(Kernel::best()), Kernel::available().next());
    assert!(Kernel::available().any(|kernel| kernel.name() == "scalar"));
    assert_eq!(Kernel::named("abacus"), None);
    let mut h = [Block::default(); 2];
    floats_mut(&mut h)[0] = 1.0;
    let mut z = [0f32; BLOCK];
    Kernel::best().gate(&h, &mut z);
    assert!((z[0] - 0.5 * 1f32.tanh()).abs() < 1e-6);
}
