//! The ONNX writer: encoder and modulator of each level, feed-forward over a whole sequence, and the local models and the prior,
//! which are WaveNets with explicit state. Standard operators, opset 18, IR 9.

use super::names::{self, Stack};
use super::{AdaShape, Autoencoder, Convolutions, Quantiser};
use crate::family::wavenet::graph::part_graph;
use crate::family::writer::Writer;
use crate::graph::{GraphId, GraphRole};
use crate::onnx::{AttributeProto, FLOAT, INT64, ModelProto, TensorProto, ValueInfoProto};

pub use super::tensors;

/// Axis names that the caller of the graph chooses the length of: takes and steps.
const TAKES: Result<i64, &str> = Err("B");
const STEPS: Result<i64, &str> = Err("T");

/// One graph of a model of this shape, which is one of [`AdaShape::ids`]; `None` for any other. `weights` is asked for the
/// values of each tensor by its name and axes, in the order of [`tensors`].
pub fn graph(shape: &AdaShape, id: GraphId, mut weights: impl FnMut(&str, &[usize]) -> Vec<f32>) -> Option<ModelProto> {
    let GraphId { role, level } = id;
    let autoencoder = shape.autoencoder(level)?;
    match role {
        GraphRole::Encoder | GraphRole::Modulator => {
            let mut writer = Writer::default();
            writer.graph.name = role.to_string();
            for (name, axes) in tensors(shape, id) {
                let values = weights(&name, &axes);
                writer.graph.initializer.push(TensorProto::from_f32(name, &axes, &values));
            }
            if role == GraphRole::Encoder {
                encoder(&mut writer, shape, level, autoencoder);
            } else {
                modulator(&mut writer, autoencoder);
            }
            Some(writer.finish())
        }
        GraphRole::Step => Some(part_graph(&autoencoder.decoder, shape.decoder_part(level), weights)),
        GraphRole::Prior if level == shape.top() => {
            Some(part_graph(shape.prior.as_ref()?, shape.prior_part(), weights))
        }
        GraphRole::Prior | GraphRole::Generator => None,
    }
}

/// Symbols in, one code per hop out.
fn encoder(writer: &mut Writer, shape: &AdaShape, level: u32, autoencoder: &Autoencoder) {
    let stack = Stack::Encoder;
    writer.graph.input.push(ValueInfoProto::tensor(names::CODES, INT64, &[TAKES, STEPS]));
    // The codes are fewer than the symbols, so their axis has a name of its own.
    writer.graph.output.push(ValueInfoProto::tensor(names::LEVEL_CODES, INT64, &[TAKES, Err("T_CODES")]));
    let amplitudes = shape.has_amplitudes(level).then_some(shape.levels);
    let rows = writer.embed(names::CODES, &stack.input_weight(), "input.rows", amplitudes);
    let biased = writer.op("Add", &[&rows, &stack.input_bias()], "input.biased".into());
    writer.node("Transpose", &[&biased], "block.0.input", vec![AttributeProto::ints("perm", &[0, 2, 1])]);
    let x = blocks(writer, stack, autoencoder.encoder, "block.0.input".into());
    let hop = i64::from(autoencoder.hop);
    let pooling = vec![AttributeProto::ints("kernel_shape", &[hop]), AttributeProto::ints("strides", &[hop])];
    writer.node("AveragePool", &[&x], "pooled", pooling);
    writer.conv("pooled", &stack.output_weight(), &stack.output_bias(), "output", 1, 1);
    let scores = match autoencoder.quantiser {
        Quantiser::Vq => {
            // The nearest vector e has the largest z·e − |e|²/2.
            writer.constant("codebook.taps", &[2]);
            writer.constant("codebook.channels", &[1]);
            writer.graph.initializer.push(TensorProto::from_f32("codebook.half", &[], &[-0.5]));
            let vectors = writer.op("Unsqueeze", &[names::CODEBOOK, "codebook.taps"], "codebook.weight".into());
            let keep = vec![AttributeProto::int("keepdims", 0)];
            writer.node("ReduceSumSquare", &[names::CODEBOOK, "codebook.channels"], "codebook.squares", keep);
            let bias = writer.op("Mul", &["codebook.squares", "codebook.half"], "codebook.bias".into());
            writer.op("Conv", &["output", &vectors, &bias], "scores".into())
        }
        Quantiser::Amae => writer.op("Relu", &["output"], "scores".into()),
        Quantiser::SoftmaxAmae => "output".into(),
    };
    let largest = vec![AttributeProto::int("axis", 1), AttributeProto::int("keepdims", 0)];
    writer.node("ArgMax", &[&scores], names::LEVEL_CODES, largest);
}

/// Codes in, what each layer's gate gets out.
fn modulator(writer: &mut Writer, autoencoder: &Autoencoder) {
    let stack = Stack::Modulator;
    let channels = autoencoder.decoder.conditioning_channels() as i64;
    writer.graph.input.push(ValueInfoProto::tensor(names::LEVEL_CODES, INT64, &[TAKES, STEPS]));
    writer.graph.output.push(ValueInfoProto::tensor(names::CONDITIONING, FLOAT, &[TAKES, Ok(channels), STEPS]));
    let turned = || vec![AttributeProto::ints("perm", &[0, 2, 1])];
    if autoencoder.quantiser == Quantiser::Vq {
        let rows = writer.embed(names::LEVEL_CODES, names::CODEBOOK, "code.rows", None);
        writer.node("Transpose", &[&rows], "code", turned());
        writer.conv("code", &stack.input_weight(), &stack.input_bias(), "block.0.input", 1, 1);
    } else {
        let rows = writer.embed(names::LEVEL_CODES, &stack.input_weight(), "input.rows", None);
        let biased = writer.op("Add", &[&rows, &stack.input_bias()], "input.biased".into());
        writer.node("Transpose", &[&biased], "block.0.input", turned());
    }
    let x = blocks(writer, stack, autoencoder.modulator, "block.0.input".into());
    writer.conv(&x, &stack.output_weight(), &stack.output_bias(), names::CONDITIONING, 1, 1);
}

/// The residual blocks, and the `ReLU` behind them. Gives back the name of its `[B, W, T]`.
fn blocks(writer: &mut Writer, stack: Stack, sizes: Convolutions, mut x: String) -> String {
    let taps = i64::from(sizes.filter_width);
    for block in 0..sizes.blocks {
        let name = |part: &str| format!("block.{block}.{part}");
        let before = writer.op("Relu", &[&x], name("before"));
        let (dilation, padding) = (i64::from(sizes.dilation(block)), i64::from(sizes.padding(block)));
        let weights = [stack.dilated_weight(block), stack.dilated_bias(block)];
        let weights = [weights[0].as_str(), weights[1].as_str()];
        let dilated = name("dilated");
        writer.padded_conv(&before, weights, &dilated, taps, dilation, padding);
        let between = writer.op("Relu", &[&dilated], name("between"));
        let mixed = name("mixed");
        writer.conv(&between, &stack.mix_weight(block), &stack.mix_bias(block), &mixed, 1, 1);
        x = writer.op("Add", &[&x, &mixed], format!("block.{}.input", block + 1));
    }
    writer.op("Relu", &[&x], "blocks".into())
}
