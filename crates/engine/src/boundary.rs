//! What goes into a graph and comes out of it: as the graph says, as the manifest says, and as a WaveNet must have it.

use continuo_package::onnx::{self, GraphProto, ValueInfoProto};
use continuo_package::wavenet::{WaveNetShape, names};
use continuo_package::{ElementType, GraphSpec, StatePair, TensorSpec};
use std::collections::{BTreeMap, HashSet};

/// Names with element type and axes.
type Tensors = BTreeMap<String, (ElementType, Vec<i64>)>;

/// Checks that a graph has exactly the inputs and outputs that the manifest gives it.
///
/// # Errors
/// The tensor and what is wrong with it, to be shown behind the file's name.
pub(crate) fn check_manifest(spec: &GraphSpec, graph: &GraphProto) -> Result<(), String> {
    // Older exporters list initialisers among the inputs.
    let weights: HashSet<&str> = graph.initializer.iter().map(|tensor| tensor.name.as_str()).collect();
    let inputs = graph.input.iter().filter(|input| !weights.contains(input.name.as_str()));
    compare("input", &of_spec(&spec.inputs, &spec.state, |pair| &pair.input)?, &of_graph(inputs)?)?;
    compare("output", &of_spec(&spec.outputs, &spec.state, |pair| &pair.output)?, &of_graph(graph.output.iter())?)
}

/// Checks that a manifest's graph has the boundary of a WaveNet of this shape.
///
/// # Errors
/// The tensor and what is wrong with it, to be shown behind the file's name.
pub(crate) fn check_wavenet(spec: &GraphSpec, shape: &WaveNetShape) -> Result<(), String> {
    let expected = wavenet_spec(shape);
    let inputs = |spec: &GraphSpec| of_spec(&spec.inputs, &spec.state, |pair| &pair.input);
    let outputs = |spec: &GraphSpec| of_spec(&spec.outputs, &spec.state, |pair| &pair.output);
    compare("input", &inputs(&expected)?, &inputs(spec)?)?;
    compare("output", &outputs(&expected)?, &outputs(spec)?)?;
    let by_input = |spec: &GraphSpec| -> BTreeMap<String, StatePair> {
        spec.state.iter().map(|pair| (pair.input.clone(), pair.clone())).collect()
    };
    let found = by_input(spec);
    for (input, pair) in by_input(&expected) {
        match found.get(&input) {
            Some(other) if *other == pair => {}
            Some(other) => {
                return Err(format!(
                    "the state {input} goes to {} and starts at {}; it must go to {} and start at {}",
                    other.output, other.initial, pair.output, pair.initial
                ));
            }
            None => return Err(format!("{input} is no state, but must be carried from run to run")),
        }
    }
    Ok(())
}

/// The boundary of a WaveNet's graph, as an exporter writes it into the manifest: state in the order of the layers. The
/// file's name is `step.onnx`; the hash is filled in when the package is written.
pub fn wavenet_spec(shape: &WaveNetShape) -> GraphSpec {
    let history = i64::from(shape.filter_width) - 1;
    let tensor = |name: &str, element, shape: &[i64]| TensorSpec { name: name.into(), element, shape: shape.to_vec() };
    let causal = StatePair {
        input: names::STATE_CAUSAL.into(),
        output: names::next(names::STATE_CAUSAL),
        element: ElementType::I64,
        shape: vec![-1, history],
        initial: f64::from(shape.levels / 2),
    };
    let layer = |(layer, &dilation): (usize, &u32)| {
        let input = names::state_layer(layer);
        let output = names::next(&input);
        let shape = vec![-1, i64::from(shape.residual_channels), i64::from(dilation) * history];
        StatePair { input, output, element: ElementType::F32, shape, initial: 0.0 }
    };
    GraphSpec {
        file: "step.onnx".into(),
        sha256: String::new(),
        inputs: vec![tensor(names::CODES, ElementType::I64, &[-1, -1])],
        outputs: vec![tensor(names::LOGITS, ElementType::F32, &[-1, i64::from(shape.levels), -1])],
        state: std::iter::once(causal).chain(shape.dilations.iter().enumerate().map(layer)).collect(),
    }
}

fn of_spec(
    tensors: &[TensorSpec],
    state: &[StatePair],
    name: impl Fn(&StatePair) -> &String,
) -> Result<Tensors, String> {
    let mut all = Tensors::new();
    let plain = tensors.iter().map(|tensor| (&tensor.name, tensor.element, &tensor.shape));
    let carried = state.iter().map(|pair| (name(pair), pair.element, &pair.shape));
    for (name, element, shape) in plain.chain(carried) {
        if all.insert(name.clone(), (element, shape.clone())).is_some() {
            return Err(format!("the tensor {name} is in the manifest twice"));
        }
    }
    Ok(all)
}

fn of_graph<'a>(values: impl Iterator<Item = &'a ValueInfoProto>) -> Result<Tensors, String> {
    let mut all = Tensors::new();
    for value in values {
        let name = &value.name;
        let (element, shape) = value.tensor_shape().ok_or_else(|| format!("{name} has no shape"))?;
        let element = match element {
            onnx::FLOAT => ElementType::F32,
            onnx::INT64 => ElementType::I64,
            other => return Err(format!("{name} has the element type {other}; only float and int64 are used")),
        };
        if all.insert(name.clone(), (element, shape)).is_some() {
            return Err(format!("the tensor {name} is in the graph twice"));
        }
    }
    Ok(all)
}

fn compare(kind: &str, expected: &Tensors, found: &Tensors) -> Result<(), String> {
    for (name, expected) in expected {
        match found.get(name) {
            None => return Err(format!("the {kind} {name} is missing")),
            Some(found) if found == expected => {}
            Some(found) => {
                let ((element, shape), (wanted, axes)) = (found, expected);
                return Err(format!("the {kind} {name} is {element:?} {shape:?}; it must be {wanted:?} {axes:?}"));
            }
        }
    }
    match found.keys().find(|name| !expected.contains_key(*name)) {
        Some(name) => Err(format!("the {kind} {name} is not expected")),
        None => Ok(()),
    }
}
