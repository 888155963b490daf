//! Whether a graph has the inputs and outputs that the manifest gives it.

use super::schema::{FLOAT, GraphProto, INT64, ValueInfoProto};
use crate::graph::{ElementType, GraphSpec, StatePair, TensorSpec};
use std::collections::{BTreeMap, HashSet};

/// Names with element type and axes.
type Tensors = BTreeMap<String, (ElementType, Vec<i64>)>;

/// Checks that a graph has exactly the inputs and outputs that the manifest gives it.
///
/// # Errors
/// The tensor and what is wrong with it, to be shown behind the file's name.
pub fn check_boundary(spec: &GraphSpec, graph: &GraphProto) -> Result<(), String> {
    // Older exporters list initialisers among the inputs.
    let weights: HashSet<&str> = graph.initializer.iter().map(|tensor| tensor.name.as_str()).collect();
    let inputs = graph.input.iter().filter(|input| !weights.contains(input.name.as_str()));
    compare("input", &of_spec(&spec.inputs, &spec.state, |pair| &pair.input)?, &of_graph(inputs)?)?;
    compare("output", &of_spec(&spec.outputs, &spec.state, |pair| &pair.output)?, &of_graph(graph.output.iter())?)
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
            FLOAT => ElementType::F32,
            INT64 => ElementType::I64,
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
