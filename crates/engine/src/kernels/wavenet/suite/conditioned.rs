//! Gates that are told something at every frame, for every instruction set and precision.

use super::{random_symbols, weights};
use crate::family::wavenet::WaveNetWeights;
use crate::kernels::packed::{BLOCK, Block, floats};
use crate::kernels::suite::suite;
use crate::kernels::wavenet::{PackedWaveNet, Scratch, WaveNetState};
use crate::kernels::{Kernel, Precision};
use crate::support::graph::{Random, crooked, real, small, wavenet_graph};
use continuo_package::family::wavenet::WaveNetShape;
use continuo_package::family::wavenet::reference::Reference;
use continuo_package::onnx::TensorProto;

suite! {
    agrees_with_the_equations,
    being_told_nothing_is_being_told_zero,
    variations_are_told_apart,
    many_frames_per_pass_are_told_the_same,
    what_is_told_and_not_finite_reaches_the_outputs,
}

/// Frames that are told the same.
const HOP: usize = 4;

fn packed(shape: &WaveNetShape, precision: Precision) -> PackedWaveNet {
    PackedWaveNet::new(&weights(shape, 7), precision, 0).expect("small enough")
}

/// What the gates are told, `[L·2D]`, in one hop of one variation.
fn told(shape: &WaveNetShape, variation: usize, hop: usize) -> Vec<f32> {
    let mut random = Random((variation * 1000 + hop) as u64);
    (0..shape.conditioning_channels()).map(|_| random.signed()).collect()
}

fn outputs_of(net: &PackedWaveNet) -> Vec<Block> {
    vec![Block::default(); net.logits_stride() / BLOCK]
}

/// The outputs after each of these symbols, one frame at a time.
fn stepped(net: &PackedWaveNet, kernel: Kernel, variation: usize, symbols: &[u32]) -> (Vec<Vec<f32>>, WaveNetState) {
    let (mut state, mut scratch, mut outputs) = (net.new_state(), Scratch::default(), outputs_of(net));
    let mut step = |(frame, symbol): (usize, &u32)| {
        if frame % HOP == 0 {
            net.tell(&mut state, &told(net.shape(), variation, frame / HOP));
        }
        net.step(kernel, &mut scratch, std::slice::from_mut(&mut state), &[*symbol], &mut outputs);
        floats(&outputs)[..net.shape().outputs() as usize].to_vec()
    };
    let all = symbols.iter().enumerate().map(&mut step).collect();
    (all, state)
}

fn agrees_with_the_equations(kernel: Kernel, precision: Precision) {
    let allowed = match precision {
        Precision::F32 => 1e-5,
        Precision::Bf16 => 0.01,
        Precision::Int8 => 0.03,
    };
    for shape in [crooked(), small(), real()] {
        let symbols = random_symbols(&shape, 100, 3);
        let (found, _) = stepped(&packed(&shape, precision), kernel, 0, &symbols);
        let graph = wavenet_graph(&shape, 7).graph.expect("a graph");
        let find = |name: &str| graph.initializer.iter().find(|tensor| tensor.name == name);
        let mut reference = Reference::new(&shape, |name, _| find(name).and_then(TensorProto::to_f32).expect("one"));
        let (mut error, mut energy) = (0f64, 0f64);
        for (frame, (&symbol, found)) in symbols.iter().zip(&found).enumerate() {
            let symbol = if shape.is_real() { f32::from_bits(symbol).into() } else { f64::from(symbol) };
            let told: Vec<f64> = told(&shape, 0, frame / HOP).into_iter().map(f64::from).collect();
            for (expected, &found) in reference.step_told(symbol, Some(&told)).into_iter().zip(found) {
                error += (expected - f64::from(found)).powi(2);
                energy += expected.powi(2);
            }
        }
        let share = (error / energy).sqrt();
        assert!(share < allowed, "{} in {precision}: outputs differ by {share} of themselves", kernel.name());
    }
}

fn being_told_nothing_is_being_told_zero(kernel: Kernel, precision: Precision) {
    for shape in [small(), crooked()] {
        let net = packed(&shape, precision);
        for batch in [1, 2, 5, 9] {
            let run = |is_told: bool| {
                let (mut states, mut scratch) = (vec![net.new_state(); batch], Scratch::default());
                if is_told {
                    let zero = vec![0.0; shape.conditioning_channels()];
                    for state in &mut states {
                        net.tell(state, &zero);
                    }
                }
                let mut outputs = vec![Block::default(); batch * net.logits_stride() / BLOCK];
                let symbols = random_symbols(&shape, 20 * batch, 4);
                for symbols in symbols.chunks(batch) {
                    net.step(kernel, &mut scratch, &mut states, symbols, &mut outputs);
                }
                outputs
            };
            assert!(run(true) == run(false), "{precision}, a batch of {batch}");
        }
    }
}

fn variations_are_told_apart(kernel: Kernel, precision: Precision) {
    for shape in [small(), crooked()] {
        let (net, frames) = (packed(&shape, precision), 30);
        let symbols: Vec<Vec<u32>> = (0..11).map(|variation| random_symbols(&shape, frames, variation)).collect();
        let alone: Vec<_> = (0..11).map(|variation| stepped(&net, kernel, variation, &symbols[variation]).0).collect();
        assert_ne!(alone[0], alone[1]);
        for batch in 2..=11 {
            let (mut states, mut scratch) = (vec![net.new_state(); batch], Scratch::default());
            let stride = net.logits_stride();
            let mut outputs = vec![Block::default(); batch * stride / BLOCK];
            for frame in 0..frames {
                for (variation, state) in states.iter_mut().enumerate().filter(|_| frame % HOP == 0) {
                    net.tell(state, &told(&shape, variation, frame / HOP));
                }
                let now: Vec<u32> = (0..batch).map(|variation| symbols[variation][frame]).collect();
                net.step(kernel, &mut scratch, &mut states, &now, &mut outputs);
                for (variation, found) in floats(&outputs).chunks(stride).enumerate() {
                    let found = &found[..shape.outputs() as usize];
                    assert_eq!(found, &alone[variation][frame][..], "variation {variation} of {batch}, frame {frame}");
                }
            }
        }
    }
}

fn many_frames_per_pass_are_told_the_same(kernel: Kernel, precision: Precision) {
    for shape in [small(), crooked(), real()] {
        let net = packed(&shape, precision);
        let symbols = random_symbols(&shape, 40, 8);
        let (expected, state) = stepped(&net, kernel, 2, &symbols);
        let (mut primed, mut scratch, mut outputs) = (net.new_state(), Scratch::default(), outputs_of(&net));
        for (hop, symbols) in symbols.chunks(HOP).enumerate() {
            net.tell(&mut primed, &told(&shape, 2, hop));
            let states = std::slice::from_mut(&mut primed);
            if hop % 3 == 0 {
                net.step(kernel, &mut scratch, states, symbols, &mut outputs);
            } else {
                net.prime(kernel, &mut scratch, states, &symbols[..HOP - 1], 1);
                net.step(kernel, &mut scratch, states, &symbols[HOP - 1..], &mut outputs);
            }
            assert_eq!(&floats(&outputs)[..shape.outputs() as usize], &expected[hop * HOP + HOP - 1][..], "hop {hop}");
        }
        assert!(primed == state, "{precision}");
    }
}

fn what_is_told_and_not_finite_reaches_the_outputs(kernel: Kernel, precision: Precision) {
    for shape in [small(), crooked()] {
        let net = packed(&shape, precision);
        let mut values = told(&shape, 0, 0);
        values[1] = f32::NAN;
        for batch in [1, 3] {
            let mut states = vec![net.new_state(); batch];
            for state in &mut states {
                net.tell(state, &values);
            }
            assert!(!net.is_told_numbers(&states[0]));
            let mut outputs = vec![Block::default(); batch * net.logits_stride() / BLOCK];
            net.step(kernel, &mut Scratch::default(), &mut states, &vec![1; batch], &mut outputs);
            // 8-bit codes cannot say it, so whoever tells looks beforehand.
            let said = kernel.highest(&floats(&outputs)[..shape.outputs() as usize]).is_none();
            assert_eq!(said, precision != Precision::Int8, "{precision}, a batch of {batch}");
        }
    }
}

#[test]
fn a_shared_frame_is_told_what_one_alone_is() {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(2).build().unwrap();
    for (shape, precision) in [small(), crooked()].iter().flat_map(|shape| Precision::ALL.map(|p| (shape, p))) {
        let (net, kernel) = (packed(shape, precision), Kernel::best());
        let run = |is_shared: bool| {
            let (mut state, mut scratch, mut outputs) = (net.new_state(), Scratch::default(), outputs_of(&net));
            let (mut code, mut heard) = (1, Vec::new());
            for hop in 0..6 {
                net.tell(&mut state, &told(shape, 1, hop));
                let mut frames = 0;
                let mut next = |logits: &[Block], code: &mut u32| {
                    heard.push(floats(logits)[..shape.outputs() as usize].to_vec());
                    *code = (*code * 7 + 3) % shape.levels;
                    frames += 1;
                    frames < HOP
                };
                if is_shared {
                    net.generate_split(kernel, &pool, &mut scratch, &mut state, &mut code, &mut next);
                } else {
                    net.generate_alone(kernel, &mut scratch, &mut state, &mut code, &mut outputs, &mut next);
                }
            }
            (heard, state)
        };
        assert!(run(true) == run(false), "{precision}");
    }
}

#[test]
fn weights_of_another_family_are_read_under_its_prefix() {
    use continuo_package::family::wavenet::graph::part_graph;
    use continuo_package::family::wavenet::{Part, names};
    let shape = small();
    let part = Part { prefix: "decoder.", conditioned: true, amplitudes: true };
    let mut random = Random(4);
    let mut values = |_: &str, axes: &[usize]| (0..axes.iter().product()).map(|_| random.signed()).collect();
    let graph = part_graph(&shape, part, &mut values).graph.expect("a graph");
    let row = graph.initializer.iter().find(|tensor| tensor.name == "decoder.causal.tap0.weight").unwrap();
    let row = row.to_f32().unwrap();
    let found = WaveNetWeights::of_part(&shape, part, &graph).expect("a part");
    let table = &found.causal_taps[0];
    assert_eq!(table.len(), (shape.levels * shape.residual_channels) as usize);
    for (code, amplitude) in [(0, -1.0), (255, 1.0)] {
        let found = &table[code * row.len()..];
        assert!(found.iter().zip(&row).all(|(found, weight)| (found - amplitude * weight).abs() < 1e-6), "code {code}");
    }
    let whole = WaveNetWeights::of_part(&shape, Part { amplitudes: false, ..part }, &graph);
    assert!(whole.unwrap_err().contains(&part.weight(&names::causal_tap(0))));
}
