//! The ONNX writer: a WaveNet as one causal graph over `T ≥ 1` frames with explicit state, in standard operators.
//!
//! Opset 18, IR 9. The graph primes on a whole clip and steps one frame: what a layer needs of the past goes in as
//! `state.layer.{i}` and comes out as `next_state.layer.{i}`. The trainer exports with it, and the tests of the engine and the
//! plugin make their models with it.

use super::{Activation, Part, WaveNetShape, names};
use crate::family::writer::Writer;
use crate::onnx::{AttributeProto, FLOAT, INT64, ModelProto, NodeProto, TensorProto, ValueInfoProto};

/// Axis names that the caller of the graph chooses the length of: takes and frames.
const TAKES: Result<i64, &str> = Err("B");
const FRAMES: Result<i64, &str> = Err("T");

/// The graph of a WaveNet of this shape. `weights` is asked for the values of each tensor by its name and axes, in the order
/// of [`tensors`].
pub fn step_graph(shape: &WaveNetShape, weights: impl FnMut(&str, &[usize]) -> Vec<f32>) -> ModelProto {
    part_graph(shape, Part::default(), weights)
}

/// As [`step_graph`], of a WaveNet that is a part of another family's model.
pub fn part_graph(shape: &WaveNetShape, part: Part, mut weights: impl FnMut(&str, &[usize]) -> Vec<f32>) -> ModelProto {
    let mut writer = Writer::default();
    writer.graph.name = "step".into();
    for (name, axes) in part_tensors(shape, part) {
        let values = weights(&name, &axes);
        writer.graph.initializer.push(TensorProto::from_f32(name, &axes, &values));
    }
    let (symbols, element, output) = boundary(shape);
    writer.graph.input.push(ValueInfoProto::tensor(symbols, element, &[TAKES, FRAMES]));
    if !shape.classes.is_empty() {
        writer.graph.input.push(ValueInfoProto::tensor(names::CLASS, INT64, &[TAKES]));
        writer.constant("class.frames", &[2]);
    }
    if part.conditioned {
        let channels = Ok(shape.conditioning_channels() as i64);
        writer.graph.input.push(ValueInfoProto::tensor(names::CONDITIONING, FLOAT, &[TAKES, channels, FRAMES]));
    }
    let outputs = [TAKES, Ok(i64::from(shape.outputs())), FRAMES];
    writer.graph.output.push(ValueInfoProto::tensor(output, FLOAT, &outputs));

    let named = |name: String| part.weight(&name);
    let mut x = causal(&mut writer, shape, part);
    let gate = i64::from(shape.dilation_channels);
    writer.constant("gate.halves", &[gate, gate]);
    let mut skip: Option<String> = None;
    let count = shape.dilations.len();
    for layer in 0..count {
        let z = gated(&mut writer, shape, part, layer, &x);
        let name = |part: &str| format!("layer.{layer}.{part}");
        let own = name("skip");
        writer.conv(&z, &named(names::skip_weight(layer)), &named(names::skip_bias(layer)), &own, 1, 1);
        skip = Some(match skip {
            Some(sum) => writer.op("Add", &[&sum, &own], name("skip.sum")),
            None => own,
        });
        if layer + 1 < count {
            let own = name("residual");
            writer.conv(&z, &named(names::residual_weight(layer)), &named(names::residual_bias(layer)), &own, 1, 1);
            x = writer.op("Add", &[&x, &own], format!("layer.{}.input", layer + 1));
        }
    }
    let skip = writer.activation(shape.activation, skip.unwrap_or(x), "skip");
    writer.conv(&skip, &named(names::end_weight(0)), &named(names::end_bias(0)), "end.0", 1, 1);
    let end = writer.activation(shape.activation, "end.0".into(), "end.0");
    if shape.output == Activation::None {
        writer.conv(&end, &named(names::end_weight(1)), &named(names::end_bias(1)), output, 1, 1);
    } else {
        writer.conv(&end, &named(names::end_weight(1)), &named(names::end_bias(1)), "end.1", 1, 1);
        let value = writer.activation(shape.output, "end.1".into(), "end.1");
        writer.op("Identity", &[&value], output.into());
    }

    writer.finish()
}

/// Name and element type of what goes in, and the name of what comes out.
fn boundary(shape: &WaveNetShape) -> (&'static str, i32, &'static str) {
    if shape.is_real() { (names::VALUES, FLOAT, names::NEXT_VALUE) } else { (names::CODES, INT64, names::LOGITS) }
}

/// Names and axes of the weights of a shape, in the order in which a graph holds them.
pub fn tensors(shape: &WaveNetShape) -> Vec<(String, Vec<usize>)> {
    part_tensors(shape, Part::default())
}

/// As [`tensors`], of a WaveNet that is a part of another family's model.
pub fn part_tensors(shape: &WaveNetShape, part: Part) -> Vec<(String, Vec<usize>)> {
    let [q, r, d, s, e, f] = [
        shape.outputs(),
        shape.residual_channels,
        shape.dilation_channels,
        shape.skip_channels,
        shape.end_channels,
        shape.filter_width,
    ]
    .map(|value| value as usize);
    let layers = shape.dilations.len();
    let rows = if part.amplitudes { 1 } else { q };
    let mut tensors: Vec<(String, Vec<usize>)> = (0..f).map(|tap| (names::causal_tap(tap), vec![rows, r])).collect();
    let bias = |tensors: &mut Vec<_>, name: String, channels: usize| {
        if shape.biases {
            tensors.push((name, vec![channels]));
        }
    };
    bias(&mut tensors, names::CAUSAL_BIAS.to_owned(), r);
    for layer in 0..layers {
        tensors.push((names::dilated_weight(layer), vec![2 * d, r, f]));
        bias(&mut tensors, names::dilated_bias(layer), 2 * d);
        if !shape.classes.is_empty() {
            tensors.push((names::class_bias(layer), vec![shape.classes.len(), 2 * d]));
        }
        tensors.push((names::skip_weight(layer), vec![s, d, 1]));
        bias(&mut tensors, names::skip_bias(layer), s);
        if layer + 1 < layers {
            tensors.push((names::residual_weight(layer), vec![r, d, 1]));
            bias(&mut tensors, names::residual_bias(layer), r);
        }
    }
    for (index, (outputs, inputs)) in [(e, s), (q, e)].into_iter().enumerate() {
        tensors.push((names::end_weight(index), vec![outputs, inputs, 1]));
        bias(&mut tensors, names::end_bias(index), outputs);
    }
    for (name, _) in &mut tensors {
        *name = part.weight(name);
    }
    tensors
}

/// The causal convolution, as a sum over its taps: of table rows for codes, which are one-hot vectors; of multiples of one row
/// for real values. Gives back the name of its `[B, R, T]`.
fn causal(writer: &mut Writer, shape: &WaveNetShape, part: Part) -> String {
    let history = i64::from(shape.filter_width) - 1;
    let (symbols, element, _) = boundary(shape);
    let next = writer.state(names::STATE_CAUSAL, element, &[TAKES, Ok(history)]);
    let seen = format!("{symbols}.seen");
    writer.node("Concat", &[names::STATE_CAUSAL, symbols], &seen, vec![AttributeProto::int("axis", 1)]);
    writer.slice(&seen, &next, -history, i64::MAX, 1);
    if shape.is_real() {
        writer.constant("values.channel", &[2]);
    }
    let mut sum: Option<String> = None;
    for tap in 0..shape.filter_width as usize {
        let heard = format!("{symbols}.tap{tap}");
        let end = tap as i64 - history;
        writer.slice(&seen, &heard, tap as i64, if end == 0 { i64::MAX } else { end }, 1);
        let (weight, own) = (part.weight(&names::causal_tap(tap)), format!("causal.tap{tap}"));
        if shape.is_real() {
            let column = writer.op("Unsqueeze", &[&heard, "values.channel"], format!("{heard}.column"));
            writer.op("Mul", &[&column, &weight], own.clone());
        } else {
            writer.embed(&heard, &weight, &own, part.amplitudes.then_some(shape.levels));
        }
        sum = Some(match sum {
            Some(sum) => writer.op("Add", &[&sum, &own], format!("causal.sum{tap}")),
            None => own,
        });
    }
    let mut sum = sum.unwrap_or_default();
    let bias = part.weight(names::CAUSAL_BIAS);
    if writer.has(&bias) {
        sum = writer.op("Add", &[&sum, &bias], "causal.biased".into());
    }
    writer.node("Transpose", &[&sum], "layer.0.input", vec![AttributeProto::ints("perm", &[0, 2, 1])]);
    "layer.0.input".into()
}

/// A layer's dilated convolution over its state and input, and the gate. Gives back the name of `z`.
fn gated(writer: &mut Writer, shape: &WaveNetShape, part: Part, layer: usize, x: &str) -> String {
    let name = |part: &str| format!("layer.{layer}.{part}");
    let dilation = i64::from(shape.dilations[layer]);
    let length = dilation * (i64::from(shape.filter_width) - 1);
    let state = names::state_layer(layer);
    let next = writer.state(&state, FLOAT, &[TAKES, Ok(i64::from(shape.residual_channels)), Ok(length)]);
    let (seen, mut h) = (name("seen"), name("h"));
    writer.node("Concat", &[&state, x], &seen, vec![AttributeProto::int("axis", 2)]);
    writer.slice(&seen, &next, -length, i64::MAX, 2);
    let taps = i64::from(shape.filter_width);
    let (weight, bias) = (part.weight(&names::dilated_weight(layer)), part.weight(&names::dilated_bias(layer)));
    writer.conv(&seen, &weight, &bias, &h, taps, dilation);
    if !shape.classes.is_empty() {
        let (rows, told) = (name("class.row"), name("class"));
        writer.node(
            "Gather",
            &[&part.weight(&names::class_bias(layer)), names::CLASS],
            &rows,
            vec![AttributeProto::int("axis", 0)],
        );
        writer.op("Unsqueeze", &[&rows, "class.frames"], told.clone());
        h = writer.op("Add", &[&h, &told], name("h.told"));
    }
    if part.conditioned {
        let (rows, told) = (2 * i64::from(shape.dilation_channels), name("conditioning"));
        writer.slice(names::CONDITIONING, &told, rows * layer as i64, rows * (layer as i64 + 1), 1);
        h = writer.op("Add", &[&h, &told], name("h.conditioned"));
    }
    let (filter, gate) = (name("filter"), name("gate"));
    let axis = vec![AttributeProto::int("axis", 1)];
    writer.graph.node.push(NodeProto::new("Split", &[&h, "gate.halves"], &[&filter, &gate], axis));
    let tanh = writer.op("Tanh", &[&filter], name("tanh"));
    let sigmoid = writer.op("Sigmoid", &[&gate], name("sigmoid"));
    writer.op("Mul", &[&tanh, &sigmoid], name("z"))
}
