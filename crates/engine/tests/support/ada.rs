//! Discrete autoencoders with random weights.

use super::graph::Random;
use continuo_package::family::ada::{AdaShape, Autoencoder, Convolutions, FAMILY, Input, Quantiser, graph};
use continuo_package::family::wavenet::WaveNetShape;
use continuo_package::onnx::ModelProto;
use continuo_package::{
    Architecture, Defaults, FORMAT_VERSION, GraphId, Manifest, PackageWriter, Shape, Signal, TrainingFacts,
};
use prost::Message;
use std::path::Path;

fn wavenet(levels: u32, dilations: Vec<u32>, filter_width: u32) -> WaveNetShape {
    WaveNetShape {
        levels,
        dilations,
        filter_width,
        residual_channels: 18,
        dilation_channels: 16,
        skip_channels: 20,
        end_channels: 24,
        ..WaveNetShape::default()
    }
}

fn level(symbols: u32, hop: u32, codes: u32, quantiser: Quantiser) -> Autoencoder {
    Autoencoder {
        hop,
        codes,
        code_channels: if quantiser == Quantiser::Vq { 5 } else { 0 },
        quantiser,
        encoder: Convolutions { blocks: 3, cycle: 2, filter_width: 3, channels: 12 },
        modulator: Convolutions { blocks: 2, cycle: 2, filter_width: 3, channels: 10 },
        decoder: wavenet(symbols, vec![1, 2, 4, 1, 2, 4], 2),
    }
}

/// One level of 4 frames.
pub fn one_level() -> AdaShape {
    let autoencoders = vec![level(64, 4, 24, Quantiser::Vq)];
    AdaShape { levels: 64, input: Input::OneHot, autoencoders, prior: Some(wavenet(24, vec![1, 2, 1, 2], 3)) }
}

/// As one level, with a modulator that looks 63 codes ahead.
pub fn far_ahead() -> AdaShape {
    let mut shape = one_level();
    shape.autoencoders[0].modulator = Convolutions { blocks: 6, cycle: 6, filter_width: 3, channels: 10 };
    shape
}

/// Two levels of 4 and 2, over amplitudes.
pub fn two_levels() -> AdaShape {
    let autoencoders = vec![level(64, 4, 24, Quantiser::Amae), level(24, 2, 12, Quantiser::SoftmaxAmae)];
    AdaShape { levels: 64, input: Input::Continuous, autoencoders, prior: Some(wavenet(12, vec![1, 2, 4], 2)) }
}

/// Random weights, the same for the same tensor of a level, so that a codebook is one.
pub fn weights(id: GraphId, name: &str, axes: &[usize]) -> Vec<f32> {
    let hash = |seed: u64, byte: u8| (seed ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    let mut random = Random(name.bytes().fold(u64::from(id.level) + 9, hash));
    let bound = match axes {
        [_, inputs, taps] => (3.0 / (inputs * taps) as f32).sqrt(),
        _ => 1.0,
    };
    let louder = if name.contains("end.1") || name == "modulator.output.weight" { 3.0 } else { 1.0 };
    (0..axes.iter().product()).map(|_| random.signed() * bound * louder).collect()
}

/// The manifest of a discrete autoencoder of this shape at 16 kHz.
pub fn manifest(shape: &AdaShape) -> Manifest {
    Manifest {
        format_version: FORMAT_VERSION,
        name: "Random".into(),
        author: "The tests".into(),
        licence: "CC0-1.0".into(),
        sample_rate_hz: 16_000,
        channels: 1,
        signal: Signal::MuLaw { levels: shape.levels },
        reach: shape.reach(),
        architecture: Architecture::new(&FAMILY, shape.clone()),
        graphs: shape.graphs(),
        defaults: Defaults::default(),
        training: TrainingFacts::default(),
        run_id: "test".into(),
        trainer_version: "0".into(),
    }
}

/// Writes a package with random weights, with a change to each graph.
pub fn write(path: &Path, shape: &AdaShape, change: impl Fn(GraphId, &mut ModelProto)) {
    let mut writer = PackageWriter::new(manifest(shape), "Do as you like.\n");
    for id in shape.ids() {
        let mut model = graph::graph(shape, id, |name, axes| weights(id, name, axes)).expect("one of its graphs");
        change(id, &mut model);
        writer = writer.graph(id, model.encode_to_vec());
    }
    writer.write(path).expect("a folder that can be written");
}
