//! One suite of tests, instantiated for every implementation of the kernels.

use super::contract::{Epilogue, Gated, Inputs, Kernel};
use super::packed::{Arena, BLOCK, Block, Rows, blocks_for, floats, floats_mut};
use super::precision::{CODE_OFFSET, MOST_CODE, Precision, bf16_bits, row_codes};
use super::wavenet::{PackedWaveNet, Scratch, WaveNetState};
use crate::family::wavenet::WaveNetWeights;
use crate::support::graph::{Random, crooked, small, wavenet_graph};
use continuo_package::family::wavenet::WaveNetShape;
use continuo_package::family::wavenet::reference::Reference;
use continuo_package::onnx::TensorProto;
use proptest::prelude::*;

fn weights(shape: &WaveNetShape, rng_seed: u64) -> WaveNetWeights {
    let model = wavenet_graph(shape, rng_seed);
    WaveNetWeights::from_graph(shape, &model.graph.expect("a graph")).expect("a WaveNet")
}

/// The same network in double precision.
fn reference(shape: &WaveNetShape, rng_seed: u64) -> Reference {
    let graph = wavenet_graph(shape, rng_seed).graph.expect("a graph");
    let find = |name: &str| graph.initializer.iter().find(|tensor| tensor.name == name);
    Reference::new(shape, |name, _| find(name).and_then(TensorProto::to_f32).expect("a weight"))
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

fn packed(shape: &WaveNetShape, rng_seed: u64, precision: Precision) -> PackedWaveNet {
    PackedWaveNet::new(&weights(shape, rng_seed), precision).expect("small enough")
}

pub(super) fn agrees_with_the_equations(kernel: Kernel, precision: Precision) {
    // What rounding to the precision may do to logits, as a part of them (root mean square).
    let allowed = match precision {
        Precision::F32 => 1e-5,
        Precision::Bf16 => 0.01,
        Precision::Int8 => 0.03,
    };
    for shape in [crooked(), small(), WaveNetShape { biases: true, ..crooked() }] {
        let net = packed(&shape, 7, precision);
        let codes = random_codes(&shape, 150, 3);
        let found = logits_of(&net, kernel, &mut net.new_state(), &codes);
        let mut reference = reference(&shape, 7);
        let (mut error, mut energy) = (0f64, 0f64);
        for (&code, found) in codes.iter().zip(&found) {
            for (expected, &found) in reference.step(code).into_iter().zip(found) {
                error += (expected - f64::from(found)).powi(2);
                energy += expected.powi(2);
            }
        }
        let part = (error / energy).sqrt();
        assert!(part < allowed, "{} in {precision}: logits differ by {part} of themselves", kernel.name());
        let lively = found.iter().flatten().fold(0f32, |largest, value| largest.max(value.abs()));
        assert!(lively > 0.5, "the random network says nothing");
    }
}

/// What a product of one precision reads of a column's part: the values that its words stand for.
fn rounded(precision: Precision, values: &[f32]) -> Vec<f64> {
    match precision {
        Precision::F32 => values.iter().copied().map(f64::from).collect(),
        Precision::Bf16 => values.iter().map(|&value| f64::from(from_bf16(bf16_bits(value)))).collect(),
        Precision::Int8 => {
            let largest = values.iter().fold(0f32, |largest, value| largest.max(value.abs()));
            let inverse = if largest > 1e-30 { MOST_CODE / largest } else { 0.0 };
            let scale = f64::from(largest * (1.0 / MOST_CODE));
            values.iter().map(|&value| f64::from((value * inverse).round_ties_even()) * scale).collect()
        }
    }
}

fn from_bf16(bits: u16) -> f32 {
    f32::from_bits(u32::from(bits) << 16)
}

/// Encodes columns of `parts` vectors of `inputs` values, as a pass does.
fn encoded(kernel: Kernel, precision: Precision, x: &[Vec<Vec<f32>>], slack: usize) -> (Vec<u32>, usize, Vec<f32>) {
    let (parts, inputs) = (x[0].len(), x[0][0].len());
    let width = precision.words(inputs);
    let stride = parts * width + slack;
    let (mut words, mut scales) = (vec![0; x.len() * stride], Vec::new());
    for (column, words) in x.iter().zip(words.chunks_exact_mut(stride)) {
        for (part, to) in column.iter().zip(words.chunks_exact_mut(width.max(1))) {
            let mut values = vec![Block::default(); blocks_for(inputs)];
            floats_mut(&mut values)[..inputs].copy_from_slice(part);
            let mut whole = vec![0; precision.words(values.len() * BLOCK)];
            let scale = kernel.encode(precision, &values, &mut whole);
            to[..width].copy_from_slice(&whole[..width]);
            if precision == Precision::Int8 {
                scales.push(scale);
            }
        }
    }
    (words, stride, scales)
}

/// One product against the sum of what its words stand for, in double precision.
fn check_product(kernel: Kernel, precision: Precision, sizes: [usize; 4], rng_seed: u64) {
    let [rows, parts, inputs, columns] = sizes;
    let mut random = Random(rng_seed);
    let all_inputs = parts * inputs;
    let weights: Vec<f32> = (0..rows * all_inputs).map(|_| random.signed()).collect();
    let bias: Vec<f32> = (0..rows).map(|_| random.signed()).collect();
    // Parts of very different loudness, so that a scale in the wrong place shows.
    let x: Vec<Vec<Vec<f32>>> = (0..columns)
        .map(|column| {
            let loudness = |part: usize| 10f32.powi((column + part) as i32 % 3 - 1);
            (0..parts).map(|part| (0..inputs).map(|_| random.signed() * loudness(part)).collect()).collect()
        })
        .collect();
    let mut arena = Arena::with_capacity(precision, 0);
    let all: Vec<_> = (0..rows).map(Some).collect();
    let shape = Rows { rows: &all, parts, inputs, scaled: true };
    let place = arena.push(shape, |row, input| weights[row * all_inputs + input], Some(|row: usize| bias[row]));
    let (words, stride, scales) = encoded(kernel, precision, &x, 3);
    let blocks = rows.div_ceil(BLOCK);
    for epilogue in [Epilogue::Store, Epilogue::Relu, Epilogue::AddTo] {
        let mut y = vec![Block([0.25; BLOCK]); blocks * columns];
        let seen = Inputs { words: &words, stride, scales: &scales };
        kernel.product(arena.matrix(place), columns, seen, &mut y, epilogue, None);
        for (column, x) in x.iter().enumerate() {
            let x: Vec<f64> = x.iter().flat_map(|part| rounded(precision, part)).collect();
            let loudest = x.iter().fold(1f64, |loudest, x| loudest.max(x.abs()));
            for row in 0..blocks * BLOCK {
                let sum = if row < rows {
                    let row_weights = &weights[row * all_inputs..][..all_inputs];
                    let terms = read_back(precision, row_weights).into_iter().zip(&x).map(|(weight, x)| weight * x);
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
                let close = (found - expected).abs() < 1e-5 * loudest * (1.0 + all_inputs as f64).sqrt();
                assert!(
                    close,
                    "{} in {precision}: {rows}×{parts}×{inputs}, column {column} of {columns}, row {row}: {found} for \
                     {expected}",
                    kernel.name()
                );
            }
        }
    }
}

/// A product that is made one part after another, by rows of several hands, is the product.
pub(super) fn parts_and_shares_make_the_whole(kernel: Kernel, precision: Precision) {
    let mut random = Random(23);
    let (rows, parts, inputs, columns) = (300, 6, 12, 3);
    let weights: Vec<f32> = (0..rows * parts * inputs).map(|_| random.signed()).collect();
    let all: Vec<_> = (0..rows).map(Some).collect();
    let x: Vec<Vec<Vec<f32>>> =
        (0..columns).map(|_| (0..parts).map(|_| (0..inputs).map(|_| random.signed()).collect()).collect()).collect();
    let blocks = blocks_for(rows);
    // A scale for each part, and one for all.
    for scaled in [true, false] {
        let mut arena = Arena::with_capacity(precision, 0);
        let shape = Rows { rows: &all, parts, inputs, scaled };
        let weight = |row: usize, input: usize| weights[row * parts * inputs + input];
        let matrix = arena.push(shape, weight, Some(|row: usize| row as f32 * 0.01));
        let matrix = arena.matrix(matrix);
        let (words, stride, _) = encoded(kernel, precision, &x, 0);
        let each = if scaled { parts } else { 1 };
        let scales: Vec<f32> = (0..columns * each).map(|place| 0.5 + place as f32).collect();
        let mut whole = vec![Block::default(); columns * blocks];
        let seen = Inputs { words: &words, stride, scales: &scales };
        kernel.product(matrix, columns, seen, &mut whole, Epilogue::Relu, None);
        for (cuts, steps) in [
            (vec![0.0, 1.0], vec![0, 1, 2, 3, 4, 5, 6]),
            (vec![0.0, 0.1, 1.0], vec![0, 4, 6]),
            (vec![0.0, 0.4, 0.7, 1.0], vec![0, 1, 3, 6]),
        ] {
            for column in 0..columns {
                let mut y = vec![Block::default(); blocks];
                for cut in cuts.windows(2) {
                    let (first, share) = matrix.share(cut[0], cut[1]);
                    for step in steps.windows(2) {
                        let width = stride / parts;
                        let words = &words[column * stride + step[0] * width..][..(step[1] - step[0]) * width];
                        let scales = &scales[column * each + if scaled { step[0] } else { 0 }..];
                        let seen = Inputs { words, stride: width, scales };
                        let y = &mut y[first..first + share.blocks];
                        kernel.product_of(share, step[0]..step[1], 1, seen, y, Epilogue::Relu, None);
                    }
                }
                assert!(y == whole[column * blocks..][..blocks], "{precision}, column {column}, {cuts:?}, {steps:?}");
            }
        }
    }
}

/// A row of weights as it is packed.
fn read_back(precision: Precision, row: &[f32]) -> Vec<f64> {
    match precision {
        Precision::F32 => row.iter().copied().map(f64::from).collect(),
        Precision::Bf16 => row.iter().map(|&weight| f64::from(from_bf16(bf16_bits(weight)))).collect(),
        Precision::Int8 => {
            let (scale, codes) = row_codes(row);
            codes.into_iter().map(|code| f64::from(code) * f64::from(scale)).collect()
        }
    }
}

pub(super) fn products_of_named_sizes_are_right(kernel: Kernel, precision: Precision) {
    for sizes in [
        [1, 1, 1, 1],
        [16, 1, 5, 1],
        [17, 2, 3, 2],
        [64, 1, 64, 3],
        [65, 3, 7, 4],
        [128, 2, 33, 5],
        [130, 1, 8, 8],
        [300, 1, 20, 11],
        [256, 1, 1_100, 16],
        [48, 1, 0, 2],
    ] {
        check_product(kernel, precision, sizes, 11);
    }
}

pub(super) fn products_of_any_size_are_right(kernel: Kernel, precision: Precision) {
    let sizes = (1usize..200, 1usize..4, 1usize..70, 1usize..18, any::<u64>());
    let config = ProptestConfig { cases: 40, failure_persistence: None, ..ProptestConfig::default() };
    proptest!(config, |((rows, parts, inputs, columns, seed) in sizes)| {
        check_product(kernel, precision, [rows, parts, inputs, columns], seed);
    });
}

/// The largest sum that codes can make still fits: no instruction on the way may saturate.
pub(super) fn the_loudest_codes_do_not_saturate(kernel: Kernel, precision: Precision) {
    let inputs = 64;
    let all: Vec<_> = (0..32).map(Some).collect();
    for (weight, x) in [(1.0f32, 1.0f32), (-1.0, 1.0), (1.0, -1.0), (-1.0, -1.0)] {
        let mut arena = Arena::with_capacity(precision, 0);
        let shape = Rows { rows: &all, parts: 1, inputs, scaled: false };
        let place = arena.push(shape, |_, _| weight, None::<fn(usize) -> f32>);
        let (words, stride, scales) = encoded(kernel, precision, &[vec![vec![x; inputs]]], 0);
        let mut y = vec![Block::default(); 2];
        let seen = Inputs { words: &words, stride, scales: &scales };
        kernel.product(arena.matrix(place), 1, seen, &mut y, Epilogue::Store, None);
        for &found in floats(&y) {
            assert!((found - weight * x * inputs as f32).abs() < 1e-4, "{}: {found}", kernel.name());
        }
    }
}

pub(super) fn gate_is_within_its_bound(kernel: Kernel, precision: Precision) {
    // The stated bounds are 5e-7 in f32 and 5e-6 below, for every pair of finite inputs; to them comes half a step of the
    // precision.
    let bound = match precision {
        Precision::F32 => 5e-7,
        Precision::Bf16 => 1.0 / 512.0 + 5e-6,
        Precision::Int8 => 0.5 / 127.0 + 5e-6,
    };
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
                let mut words = [0u32; BLOCK];
                kernel.gate(precision, &h, &mut words);
                let z = values(precision, &words);
                (0..chunk.len()).for_each(|lane| check(h[0].0[lane], h[1].0[lane], z[lane]));
            }
        }
    }
    assert!(largest < bound, "{}: the gate is off by {largest:e}", kernel.name());
}

/// The values that a gate's words stand for.
fn values(precision: Precision, words: &[u32]) -> Vec<f32> {
    match precision {
        Precision::F32 => words.iter().copied().map(f32::from_bits).collect(),
        Precision::Bf16 => {
            words.iter().flat_map(|word| [from_bf16(*word as u16), from_bf16((word >> 16) as u16)]).collect()
        }
        Precision::Int8 => {
            let value = |code: u8| (f32::from(code) - f32::from(CODE_OFFSET)) / MOST_CODE;
            words.iter().flat_map(|word| word.to_ne_bytes().map(value)).collect()
        }
    }
}

/// The gate behind a product is the gate of what the product would store.
pub(super) fn a_product_and_its_gate_are_the_same_in_one(kernel: Kernel, precision: Precision) {
    let mut random = Random(5);
    let (pairs, inputs, columns) = (3, 24, 5);
    let weights: Vec<f32> = (0..pairs * 2 * BLOCK * inputs).map(|_| random.signed()).collect();
    let all: Vec<_> = (0..pairs * 2 * BLOCK).map(Some).collect();
    let mut arena = Arena::with_capacity(precision, 0);
    let shape = Rows { rows: &all, parts: 1, inputs, scaled: false };
    let place = arena.push(shape, |row, input| weights[row * inputs + input], None::<fn(usize) -> f32>);
    let x: Vec<_> = (0..columns).map(|_| vec![(0..inputs).map(|_| random.signed()).collect()]).collect();
    let (words, stride, scales) = encoded(kernel, precision, &x, 0);
    let mut h = vec![Block::default(); columns * pairs * 2];
    let wide = precision.words(pairs * BLOCK);
    let mut z = vec![0; columns * (wide + 2)];
    let gate = Gated { words: &mut z, stride: wide + 2 };
    let seen = Inputs { words: &words, stride, scales: &scales };
    kernel.product(arena.matrix(place), columns, seen, &mut h, Epilogue::Store, Some(gate));
    // What goes into a gate need not be stored.
    kernel.product(arena.matrix(place), columns, seen, &mut h, Epilogue::Store, None);
    for (h, z) in h.chunks_exact(pairs * 2).zip(z.chunks_exact(wide + 2)) {
        let mut expected = vec![0; wide];
        kernel.gate(precision, h, &mut expected);
        assert_eq!(z[..wide], expected);
        assert_eq!(z[wide..], [0, 0], "beyond the gate");
    }
}

pub(super) fn takes_do_not_change_each_others_bits(kernel: Kernel, precision: Precision) {
    let shape = small();
    let net = packed(&shape, 5, precision);
    let frames = 40;
    let alone: Vec<Vec<Vec<f32>>> = (0..17)
        .map(|take| {
            let codes = random_codes(&shape, frames, take);
            logits_of(&net, kernel, &mut net.new_state(), &codes)
        })
        .collect();
    for takes in 1..=17usize {
        let mut states = vec![net.new_state(); takes];
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

pub(super) fn many_frames_per_pass_are_the_same_bits(kernel: Kernel, precision: Precision) {
    for shape in [small(), crooked()] {
        let net = packed(&shape, 5, precision);
        let codes = random_codes(&shape, 100, 8);
        let mut stepped = net.new_state();
        let expected = logits_of(&net, kernel, &mut stepped, &codes);
        for chunk in [1, 2, 3, 7, 15, 16, 17, 33, 100] {
            let mut state = net.new_state();
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

pub(super) fn silence_is_what_feeding_it_leaves(kernel: Kernel, precision: Precision) {
    for shape in [small(), crooked()] {
        let net = packed(&shape, 5, precision);
        let mut fed = net.new_state();
        let reach = shape.receptive_field_frames() as usize;
        let codes = vec![shape.levels / 2; reach];
        net.advance(kernel, &mut Scratch::default(), std::slice::from_mut(&mut fed), &codes, None);
        let mut silent = net.new_state();
        net.silence(kernel, &mut Scratch::default(), &mut silent, shape.levels / 2);
        assert!(silent.tensors() == fed.tensors(), "{precision}");
        let codes = random_codes(&shape, 40, 8);
        assert_eq!(logits_of(&net, kernel, &mut silent, &codes), logits_of(&net, kernel, &mut fed, &codes));
    }
}

pub(super) fn a_state_from_tensors_goes_on_as_the_original(kernel: Kernel, precision: Precision) {
    let shape = crooked();
    let net = packed(&shape, 21, precision);
    let codes = random_codes(&shape, 60, 4);
    let mut state = net.new_state();
    logits_of(&net, kernel, &mut state, &codes[..40]);
    let expected = logits_of(&net, kernel, &mut state.clone(), &codes[40..]);
    let mut copy = net.new_state();
    let (causal, layers) = state.tensors();
    copy.set(kernel, &causal, &layers);
    let found = logits_of(&net, kernel, &mut copy, &codes[40..]);
    if precision == Precision::Int8 {
        // A frame's scale is computed anew, which may round it otherwise in the last bit.
        let pairs = found.iter().flatten().zip(expected.iter().flatten());
        assert!(pairs.fold(0f32, |worst, (a, b)| worst.max((a - b).abs())) < 0.05);
    } else {
        assert_eq!(found, expected);
    }
}

/// The suite for one implementation in every precision; a processor without it says so and does not count as a pass in
/// silence.
macro_rules! suite {
    ($module:ident, $name:literal) => {
        mod $module {
            suite!(@ f32, F32, $name);
            suite!(@ bf16, Bf16, $name);
            suite!(@ int8, Int8, $name);
        }
    };
    (@ $module:ident, $precision:ident, $name:literal) => {
        mod $module {
            use crate::kernels::{Kernel, Precision, suite};

            fn with(test: fn(Kernel, Precision)) {
                match Kernel::named($name) {
                    Some(kernel) => test(kernel, Precision::$precision),
                    None => eprintln!("not run: this processor has no {}", $name),
                }
            }

            #[test]
            fn agrees_with_the_equations() {
                with(suite::agrees_with_the_equations);
            }
            #[test]
            fn products_of_named_sizes_are_right() {
                with(suite::products_of_named_sizes_are_right);
            }
            #[test]
            fn products_of_any_size_are_right() {
                with(suite::products_of_any_size_are_right);
            }
            #[test]
            fn the_loudest_codes_do_not_saturate() {
                with(suite::the_loudest_codes_do_not_saturate);
            }
            #[test]
            fn gate_is_within_its_bound() {
                with(suite::gate_is_within_its_bound);
            }
            #[test]
            fn a_product_and_its_gate_are_the_same_in_one() {
                with(suite::a_product_and_its_gate_are_the_same_in_one);
            }
            #[test]
            fn takes_do_not_change_each_others_bits() {
                with(suite::takes_do_not_change_each_others_bits);
            }
            #[test]
            fn many_frames_per_pass_are_the_same_bits() {
                with(suite::many_frames_per_pass_are_the_same_bits);
            }
            #[test]
            fn parts_and_shares_make_the_whole() {
                with(suite::parts_and_shares_make_the_whole);
            }
            #[test]
            fn silence_is_what_feeding_it_leaves() {
                with(suite::silence_is_what_feeding_it_leaves);
            }
            #[test]
            fn a_state_from_tensors_goes_on_as_the_original() {
                with(suite::a_state_from_tensors_goes_on_as_the_original);
            }
        }
    };
}

suite!(scalar, "scalar");
#[cfg(target_arch = "x86_64")]
suite!(avx2, "AVX2");
#[cfg(target_arch = "x86_64")]
suite!(avx2_vnni, "AVX2 VNNI");
#[cfg(target_arch = "x86_64")]
suite!(avx512, "AVX-512");
#[cfg(target_arch = "x86_64")]
suite!(avx512_vnni, "AVX-512 VNNI");
#[cfg(target_arch = "x86_64")]
suite!(avx512_vnni_bf16, "AVX-512 VNNI BF16");
#[cfg(target_arch = "aarch64")]
suite!(neon, "NEON");

#[test]
fn vector_implementations_agree_to_the_bit() {
    let shape = crooked();
    let codes = random_codes(&shape, 64, 1);
    // bfloat16 products round in their own way where the processor has an instruction for them.
    for precision in [Precision::F32, Precision::Int8] {
        let net = packed(&shape, 2, precision);
        let runs: Vec<_> = Kernel::available()
            .filter(|kernel| kernel.name() != "scalar")
            .map(|kernel| logits_of(&net, kernel, &mut net.new_state(), &codes))
            .collect();
        assert!(runs.windows(2).all(|pair| pair[0] == pair[1]), "{precision}");
    }
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
    assert!(super::wavenet::packed_lines(&shape, Precision::F32) > super::wavenet::MOST_LINES);
    assert!(super::wavenet::packed_lines(&small(), Precision::F32) < 10_000);
    let net = PackedWaveNet::new(&weights(&small(), 1), Precision::F32);
    assert!(net.is_ok());
}

#[test]
fn the_estimate_of_packed_memory_is_what_packing_takes() {
    for shape in [small(), crooked(), WaveNetShape { biases: true, ..crooked() }] {
        for precision in Precision::ALL {
            let (net, estimate) = (packed(&shape, 2, precision), super::wavenet::packed_lines(&shape, precision));
            assert!(net.lines() as u64 <= estimate, "{precision}: {} of {estimate}", net.lines());
            assert!(net.lines() as u64 * 10 > estimate * 9, "{precision}: {} of {estimate}", net.lines());
        }
    }
}

#[test]
fn the_best_kernel_is_the_first_that_is_there() {
    assert_eq!(Some(Kernel::best()), Kernel::available().next());
    assert!(Kernel::available().any(|kernel| kernel.name() == "scalar"));
    assert_eq!(Kernel::named("abacus"), None);
    let mut h = [Block::default(); 2];
    floats_mut(&mut h)[0] = 1.0;
    let mut z = [0u32; BLOCK];
    Kernel::best().gate(Precision::F32, &h, &mut z);
    assert!((f32::from_bits(z[0]) - 0.5 * 1f32.tanh()).abs() < 1e-6);
}

#[test]
fn a_take_goes_on_alone_where_nobody_comes_to_help() {
    let shape = crooked();
    for precision in Precision::ALL {
        let (net, kernel) = (packed(&shape, 2, precision), Kernel::best());
        let generated = |split: Option<(&rayon::ThreadPool, &dyn Fn())>| {
            let (mut scratch, mut state, mut code) = (Scratch::default(), net.new_state(), 1);
            let mut logits = vec![Block::default(); net.logits_stride() / BLOCK];
            let mut heard = Vec::new();
            let mut next = |logits: &[Block], code: &mut u32| {
                heard.push(floats(logits)[..shape.levels as usize].to_vec());
                *code = (*code * 7 + 3) % shape.levels;
                if let (4, Some((_, release))) = (heard.len(), split) {
                    release();
                }
                heard.len() < 60
            };
            let in_time = if let Some((pool, _)) = split {
                net.generate_split(kernel, pool, &mut scratch, &mut state, &mut code, &mut next)
            } else {
                net.generate_alone(kernel, &mut scratch, &mut state, &mut code, &mut logits, &mut next);
                true
            };
            (heard, state, in_time)
        };
        let (expected, expected_state, _) = generated(None);
        let pool = rayon::ThreadPoolBuilder::new().num_threads(2).build().unwrap();
        let (heard, state, _) = generated(Some((&pool, &|| {})));
        assert!(heard == expected && state == expected_state, "{precision}: with help");

        // A helper that is kept busy until some frames later.
        let (release, released) = std::sync::mpsc::channel();
        let (busy, is_busy) = std::sync::mpsc::channel();
        pool.spawn(move || {
            busy.send(()).unwrap();
            released.recv().unwrap();
        });
        is_busy.recv().unwrap();
        let (heard, state, in_time) = generated(Some((&pool, &|| release.send(()).unwrap())));
        assert!(!in_time, "{precision}: nobody can have come");
        assert!(heard == expected && state == expected_state, "{precision}: without help");
    }
}
