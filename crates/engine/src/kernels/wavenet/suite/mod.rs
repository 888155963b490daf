//! The WaveNet's tests, instantiated for every instruction set and precision.

use super::network::{MOST_LINES, PackedWaveNet, packed_lines};
use super::{Scratch, WaveNetState};
use crate::family::wavenet::WaveNetWeights;
use crate::kernels::packed::{BLOCK, Block, floats};
use crate::kernels::suite::suite;
use crate::kernels::{Kernel, Precision};
use crate::support::graph::{Random, crooked, real, small, told, wavenet_graph};
use continuo_package::family::wavenet::WaveNetShape;
use continuo_package::family::wavenet::reference::Reference;
use continuo_package::onnx::TensorProto;

mod conditioned;

suite! {
    agrees_with_the_equations,
    variations_do_not_change_each_others_bits,
    many_frames_per_pass_are_the_same_bits,
    silence_is_what_priming_with_it_leaves,
    a_state_from_tensors_goes_on_as_the_original,
    what_is_not_finite_reaches_the_outputs,
}

fn weights(shape: &WaveNetShape, rng_seed: u64) -> WaveNetWeights {
    let model = wavenet_graph(shape, rng_seed);
    WaveNetWeights::from_graph(shape, &model.graph.expect("a graph")).expect("a WaveNet")
}

/// The same network in double precision.
fn reference(shape: &WaveNetShape, rng_seed: u64) -> Reference {
    let graph = wavenet_graph(shape, rng_seed).graph.expect("a graph");
    let find = |name: &str| graph.initializer.iter().find(|tensor| tensor.name == name);
    let mut reference = Reference::new(shape, |name, _| find(name).and_then(TensorProto::to_f32).expect("a weight"));
    reference.set_class(class(shape));
    reference
}

/// The class that the tests ask for.
fn class(shape: &WaveNetShape) -> usize {
    shape.classes.len().saturating_sub(1)
}

/// Codes, or the bits of real values.
fn random_symbols(shape: &WaveNetShape, count: usize, rng_seed: u64) -> Vec<u32> {
    let mut random = Random(rng_seed);
    let mut symbol = || {
        let code = |bits: u64| (bits % u64::from(shape.levels)) as u32;
        if shape.is_real() { random.signed().to_bits() } else { code(random.bits()) }
    };
    (0..count).map(|_| symbol()).collect()
}

fn logits_of(net: &PackedWaveNet, kernel: Kernel, state: &mut WaveNetState, codes: &[u32]) -> Vec<Vec<f32>> {
    let mut scratch = Scratch::default();
    let mut logits = vec![Block::default(); net.logits_stride() / BLOCK];
    let one = |code: &u32| {
        net.step(kernel, &mut scratch, std::slice::from_mut(state), &[*code], &mut logits);
        floats(&logits)[..net.shape().outputs() as usize].to_vec()
    };
    codes.iter().map(one).collect()
}

fn packed(shape: &WaveNetShape, rng_seed: u64, precision: Precision) -> PackedWaveNet {
    PackedWaveNet::new(&weights(shape, rng_seed), precision, class(shape)).expect("small enough")
}

fn agrees_with_the_equations(kernel: Kernel, precision: Precision) {
    // What rounding to the precision may do to logits, as a share of them (root mean square).
    let allowed = match precision {
        Precision::F32 => 1e-5,
        Precision::Bf16 => 0.01,
        Precision::Int8 => 0.03,
    };
    for shape in [crooked(), small(), WaveNetShape { biases: true, ..crooked() }, real(), told()] {
        let net = packed(&shape, 7, precision);
        let codes = random_symbols(&shape, 150, 3);
        let found = logits_of(&net, kernel, &mut net.new_state(), &codes);
        let mut reference = reference(&shape, 7);
        let (mut error, mut energy) = (0f64, 0f64);
        for (&code, found) in codes.iter().zip(&found) {
            let symbol = if shape.is_real() { f32::from_bits(code).into() } else { f64::from(code) };
            for (expected, &found) in reference.step_symbol(symbol).into_iter().zip(found) {
                error += (expected - f64::from(found)).powi(2);
                energy += expected.powi(2);
            }
        }
        let share = (error / energy).sqrt();
        assert!(share < allowed, "{} in {precision}: logits differ by {share} of themselves", kernel.name());
        let lively = found.iter().flatten().fold(0f32, |largest, value| largest.max(value.abs()));
        assert!(lively > 0.5, "the random network says nothing");
    }
}

fn variations_do_not_change_each_others_bits(kernel: Kernel, precision: Precision) {
    let shape = small();
    let net = packed(&shape, 5, precision);
    let frames = 40;
    let alone: Vec<Vec<Vec<f32>>> = (0..17)
        .map(|variation| {
            let codes = random_symbols(&shape, frames, variation);
            logits_of(&net, kernel, &mut net.new_state(), &codes)
        })
        .collect();
    for batch in 1..=17usize {
        let mut states = vec![net.new_state(); batch];
        let codes: Vec<Vec<u32>> =
            (0..batch).map(|variation| random_symbols(&shape, frames, variation as u64)).collect();
        let stride = net.logits_stride();
        let mut logits = vec![Block::default(); batch * stride / BLOCK];
        let mut scratch = Scratch::default();
        for frame in 0..frames {
            let now: Vec<u32> = codes.iter().map(|codes| codes[frame]).collect();
            net.step(kernel, &mut scratch, &mut states, &now, &mut logits);
            for (variation, alone) in alone.iter().enumerate().take(batch) {
                let found = &floats(&logits)[variation * stride..][..256];
                assert_eq!(found, &alone[frame][..], "variation {variation} of {batch} at frame {frame}");
            }
        }
    }
}

fn many_frames_per_pass_are_the_same_bits(kernel: Kernel, precision: Precision) {
    for shape in [small(), crooked(), real()] {
        let net = packed(&shape, 5, precision);
        let codes = random_symbols(&shape, 100, 8);
        let mut stepped = net.new_state();
        let expected = logits_of(&net, kernel, &mut stepped, &codes);
        for chunk in [1, 2, 3, 7, 15, 16, 17, 33, 100] {
            let mut state = net.new_state();
            let mut scratch = Scratch::default();
            let mut logits = vec![Block::default(); net.logits_stride() / BLOCK];
            for (index, codes) in codes.chunks(chunk).enumerate() {
                let states = std::slice::from_mut(&mut state);
                if index % 2 == 0 || index == 99 / chunk {
                    net.step(kernel, &mut scratch, states, codes, &mut logits);
                } else {
                    net.prime(kernel, &mut scratch, states, codes, 0);
                }
            }
            assert_eq!(&floats(&logits)[..shape.outputs() as usize], &expected[99][..], "chunks of {chunk}");
            assert!(state == stepped, "the state after chunks of {chunk}");
        }
    }
}

fn silence_is_what_priming_with_it_leaves(kernel: Kernel, precision: Precision) {
    for shape in [small(), crooked(), real()] {
        let net = packed(&shape, 5, precision);
        let mut fed = net.new_state();
        let reach = shape.receptive_field_frames() as usize;
        let codes = vec![shape.levels / 2; reach];
        net.prime(kernel, &mut Scratch::default(), std::slice::from_mut(&mut fed), &codes, 0);
        let mut silent = net.new_state();
        net.prime_with_silence(kernel, &mut Scratch::default(), &mut silent, shape.levels / 2);
        assert!(silent.tensors() == fed.tensors(), "{precision}");
        let codes = random_symbols(&shape, 40, 8);
        assert_eq!(logits_of(&net, kernel, &mut silent, &codes), logits_of(&net, kernel, &mut fed, &codes));
    }
}

fn a_state_from_tensors_goes_on_as_the_original(kernel: Kernel, precision: Precision) {
    let shape = crooked();
    let net = packed(&shape, 21, precision);
    let codes = random_symbols(&shape, 60, 4);
    let mut state = net.new_state();
    logits_of(&net, kernel, &mut state, &codes[..40]);
    let expected = logits_of(&net, kernel, &mut state.clone(), &codes[40..]);
    let mut copy = net.new_state();
    let (causal, layers) = state.tensors();
    copy.set(kernel, &causal, &layers);
    let found = logits_of(&net, kernel, &mut copy, &codes[40..]);
    if precision == Precision::Int8 {
        // A frame's scale is computed anew, which may round it otherwise in the last bit.
        let mut pairs = found.iter().flatten().zip(expected.iter().flatten());
        assert!(pairs.all(|(a, b)| (a - b).abs() < 0.05));
    } else {
        assert_eq!(found, expected);
    }
}

/// A symbol that is not silence; as a real value, more than the largest weight can be multiplied with.
fn loud(shape: &WaveNetShape) -> u32 {
    if shape.is_real() { 4f32.to_bits() } else { 1 }
}

/// A network of finite numbers whose first layer sees what is none.
fn overflowing(shape: &WaveNetShape, precision: Precision) -> PackedWaveNet {
    let mut weights = weights(shape, 5);
    weights.causal_taps.iter_mut().flatten().for_each(|weight| *weight = f32::MAX);
    PackedWaveNet::new(&weights, precision, class(shape)).expect("small enough")
}

fn what_is_not_finite_reaches_the_outputs(kernel: Kernel, precision: Precision) {
    for shape in [small(), crooked(), real(), told()] {
        let net = overflowing(&shape, precision);
        for batch in [1, 2, 9] {
            let (mut states, mut scratch) = (vec![net.new_state(); batch], Scratch::default());
            let mut logits = vec![Block::default(); batch * net.logits_stride() / BLOCK];
            net.step(kernel, &mut scratch, &mut states, &vec![loud(&shape); batch], &mut logits);
            for logits in floats(&logits).chunks(net.logits_stride()) {
                assert_eq!(kernel.highest(&logits[..shape.outputs() as usize]), None, "a batch of {batch}");
            }
            // The room that it leaves behind does not spoil what comes next.
            let good = packed(&shape, 5, precision);
            let mut states = vec![good.new_state(); batch];
            good.step(kernel, &mut scratch, &mut states, &vec![1; batch], &mut logits);
            assert!(kernel.highest(&floats(&logits)[..shape.outputs() as usize]).is_some());
        }
    }
}

#[test]
fn what_is_not_finite_reaches_the_logits_of_a_shared_frame() {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
    for precision in Precision::ALL {
        let net = overflowing(&small(), precision);
        let (kernel, mut code, mut frames) = (Kernel::best(), 1, 0);
        let mut next = |logits: &[Block], _: &mut u32| {
            assert_eq!(kernel.highest(floats(logits)), None, "{precision}");
            frames += 1;
            frames < 3
        };
        net.generate_split(kernel, &pool, &mut Scratch::default(), &mut net.new_state(), &mut code, &mut next);
        assert_eq!(frames, 3);
    }
}

#[test]
fn vector_implementations_agree_to_the_bit() {
    let shape = crooked();
    let codes = random_symbols(&shape, 64, 1);
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
        ..WaveNetShape::default()
    };
    assert!(packed_lines(&shape, Precision::F32) > MOST_LINES);
    assert!(packed_lines(&small(), Precision::F32) < 10_000);
    let net = PackedWaveNet::new(&weights(&small(), 1), Precision::F32, 0);
    assert!(net.is_ok());
}

#[test]
fn the_estimate_of_packed_memory_is_what_packing_takes() {
    for shape in [small(), crooked(), WaveNetShape { biases: true, ..crooked() }] {
        for precision in Precision::ALL {
            let (net, estimate) = (packed(&shape, 2, precision), packed_lines(&shape, precision));
            assert!(net.lines() as u64 <= estimate, "{precision}: {} of {estimate}", net.lines());
            assert!(net.lines() as u64 * 10 > estimate * 9, "{precision}: {} of {estimate}", net.lines());
        }
    }
}

#[test]
fn a_variation_goes_on_alone_where_nobody_comes_to_help() {
    let shapes = [crooked(), real()];
    for (shape, precision) in shapes.iter().flat_map(|shape| Precision::ALL.map(|precision| (shape, precision))) {
        let (net, kernel) = (packed(shape, 2, precision), Kernel::best());
        let generated = |split: Option<(&rayon::ThreadPool, &dyn Fn())>| {
            let (mut scratch, mut state, mut code) = (Scratch::default(), net.new_state(), 1);
            let mut logits = vec![Block::default(); net.logits_stride() / BLOCK];
            let mut heard = Vec::new();
            let mut next = |logits: &[Block], code: &mut u32| {
                heard.push(floats(logits)[..shape.outputs() as usize].to_vec());
                *code = if shape.is_real() { floats(logits)[0].to_bits() } else { (*code * 7 + 3) % shape.levels };
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
