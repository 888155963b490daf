//! A discrete autoencoder's local model and prior beside ONNX Runtime on the same graphs: one take, one core.

use super::common::runtime;
use super::common::support::graph::Random;
use super::step_micros;
use continuo_engine::family::wavenet::WaveNetWeights;
use continuo_engine::kernels::packed::{BLOCK, Block};
use continuo_engine::kernels::wavenet::{PackedWaveNet, Scratch};
use continuo_engine::kernels::{Kernel, Precision};
use continuo_engine::ort::StepGraph;
use continuo_package::family::wavenet::graph::part_graph;
use continuo_package::family::wavenet::{Part, WaveNetShape};
use continuo_package::{GraphId, GraphRole};
use prost::Message;
use serde_json::{Value, json};
use std::hint::black_box;

/// Frames of each code of the local model.
const HOP: usize = 8;
/// Frames of each code of the prior: 250 codes per second at 16 kHz.
const PRIOR_HOP: f64 = 64.0;

/// The paper's local model at hop 8: 4 × 8 dilations, 64 inner and 384 residual channels.
fn local_model() -> WaveNetShape {
    WaveNetShape {
        dilations: WaveNetShape::doubling_dilations(4, 8),
        residual_channels: 384,
        dilation_channels: 64,
        skip_channels: 256,
        end_channels: 256,
        ..WaveNetShape::default()
    }
}

/// A prior of 30 blocks of 512 channels.
fn prior() -> WaveNetShape {
    WaveNetShape {
        dilations: WaveNetShape::doubling_dilations(3, 10),
        filter_width: 3,
        residual_channels: 512,
        dilation_channels: 512,
        skip_channels: 256,
        end_channels: 256,
        ..WaveNetShape::default()
    }
}

/// Microseconds of a step by precision, and of ONNX Runtime with bound tensors.
fn times(name: &str, shape: &WaveNetShape, part: Part, json: &mut Vec<Value>) -> ([f64; 3], f64) {
    let mut random = Random(5);
    let model = part_graph(shape, part, |_, axes| {
        let fan_in: usize = axes.iter().skip(1).product::<usize>().max(1);
        let bound = (3.0 / fan_in as f32).sqrt();
        (0..axes.iter().product()).map(|_| random.signed() * bound).collect()
    });
    let spec = shape.part_graph(part, GraphId::of(GraphRole::Step), 1);
    let session = StepGraph::new(&runtime(), &model.encode_to_vec(), &spec).unwrap();
    let mut state = session.bind::<u32>(&session.initial_state().unwrap(), 0).unwrap();
    let told: Vec<f32> = (0..session.told_width()).map(|_| random.signed()).collect();
    let mut frames = 0;
    let onnx = step_micros(|| {
        if !told.is_empty() && frames % HOP == 0 {
            state.tell(&told).unwrap();
        }
        frames += 1;
        black_box(session.step(&mut state, black_box(100)).unwrap());
    });
    let weights = WaveNetWeights::of_part(shape, part, model.graph.as_ref().unwrap()).unwrap();
    let kernel = Kernel::best();
    let micros = Precision::ALL.map(|precision| {
        let net = PackedWaveNet::new(&weights, precision, 0).unwrap();
        let (mut state, mut scratch) = (net.new_state(), Scratch::default());
        let mut logits = vec![Block::default(); net.logits_stride() / BLOCK];
        let mut frames = 0;
        let micros = step_micros(|| {
            if !told.is_empty() && frames % HOP == 0 {
                net.tell(&mut state, &told);
            }
            frames += 1;
            net.step(kernel, &mut scratch, std::slice::from_mut(&mut state), &[black_box(100)], &mut logits);
        });
        println!("{name:<28} {:<6} {micros:>10.1} µs {onnx:>10.1} µs {:>8.1} ×", precision.name(), onnx / micros);
        json.push(json!({
            "network": name, "kernel": kernel.name(), "precision": precision, "takes": 1, "cores": 1,
            "micros_per_step": micros, "onnx_runtime_micros": onnx, "times_onnx_runtime": onnx / micros,
        }));
        micros
    });
    (micros, onnx)
}

/// The rows of discrete autoencoders.
pub fn rows(json: &mut Vec<Value>) {
    println!("\n{:<28} {:<6} {:>13} {:>13} {:>10}", "discrete autoencoder", "", "kernel", "ONNX Runtime", "× ONNX");
    let part = Part { prefix: "decoder.", conditioned: true, amplitudes: false };
    let (local, _) = times("local model, hop 8", &local_model(), part, json);
    let (prior, _) = times("prior, 30 × 512", &prior(), Part { prefix: "prior.", ..Part::default() }, json);
    for precision in Precision::ALL {
        let share = prior[precision as usize] / PRIOR_HOP / local[precision as usize];
        println!(
            "prior at 250 codes per second, {}: {:.1} % of the local model's time",
            precision.name(),
            share * 100.0
        );
        json.push(json!({"work": "prior beside the local model", "precision": precision, "share": share}));
    }
}
