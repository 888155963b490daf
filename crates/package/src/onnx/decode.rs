//! Reading a graph that may be hostile.

use super::memory;
use super::schema::{FLOAT, INT64, ModelProto, NodeProto, TensorProto};
use prost::Message;

/// Decodes a model and refuses what has no place in a package.
///
/// # Errors
/// A sentence part that says what is wrong, to be shown behind the file's name.
pub fn decode(bytes: &[u8]) -> Result<ModelProto, String> {
    memory::check(bytes)?;
    let model = ModelProto::decode(bytes).map_err(|error| format!("is not an ONNX model ({error})"))?;
    let graph = model.graph.as_ref().ok_or("has no graph")?;
    if !model.functions.is_empty() || !model.training_info.is_empty() {
        return Err("has model-local functions or training information, which packages do not use".into());
    }
    if let Some(set) = model.opset_import.iter().find(|set| !is_standard(&set.domain)) {
        return Err(format!("needs operators of the domain {:?}; only standard operators are allowed", set.domain));
    }
    if !graph.sparse_initializer.is_empty() {
        return Err("has sparse weights, which packages do not use".into());
    }
    for tensor in &graph.initializer {
        check_tensor(tensor)?;
    }
    for node in &graph.node {
        check_node(node)?;
    }
    Ok(model)
}

fn is_standard(domain: &str) -> bool {
    domain.is_empty() || domain == "ai.onnx"
}

fn check_node(node: &NodeProto) -> Result<(), String> {
    if !is_standard(&node.domain) {
        return Err(format!(
            "uses {} of the domain {:?}; only standard operators are allowed",
            node.op_type, node.domain
        ));
    }
    for attribute in &node.attribute {
        let undecoded = attribute.g.is_some()
            || attribute.sparse_tensor.is_some()
            || !(attribute.graphs.is_empty() && attribute.tensors.is_empty() && attribute.sparse_tensors.is_empty());
        if undecoded {
            return Err(format!(
                "the node {:?} ({}) has a sub-graph or a list of tensors, which packages do not use",
                node.name, node.op_type
            ));
        }
        if let Some(tensor) = &attribute.t {
            check_tensor(tensor)?;
        }
    }
    Ok(())
}

/// Number of elements of a tensor, where its axes are sane and its content has that length.
fn check_tensor(tensor: &TensorProto) -> Result<(), String> {
    let name = &tensor.name;
    if tensor.data_location != 0 || !tensor.external_data.is_empty() {
        return Err(format!("the tensor {name:?} lies in another file, which is refused"));
    }
    let elements = tensor
        .dims
        .iter()
        .try_fold(1u64, |product, &axis| product.checked_mul(u64::try_from(axis).ok()?))
        .ok_or_else(|| format!("the tensor {name:?} has the impossible shape {:?}", tensor.dims))?;
    let width = match tensor.data_type {
        FLOAT => 4,
        INT64 => 8,
        // Other types are ONNX Runtime's to judge; the archive's limits bound them.
        _ => return Ok(()),
    };
    let stored = if tensor.raw_data.is_empty() {
        (if tensor.data_type == FLOAT { tensor.float_data.len() } else { tensor.int64_data.len() }) as u64
    } else {
        tensor.raw_data.len() as u64 / width
    };
    if stored != elements || !(tensor.raw_data.len() as u64).is_multiple_of(width) {
        return Err(format!("the tensor {name:?} holds {stored} values; its shape {:?} needs {elements}", tensor.dims));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::schema::*;
    use super::*;

    fn model_with(change: impl FnOnce(&mut ModelProto)) -> Vec<u8> {
        let graph = GraphProto {
            node: vec![NodeProto::new("Add", &["x", "w"], &["y"], vec![])],
            name: "g".into(),
            initializer: vec![TensorProto::from_f32("w", &[2], &[1.0, -2.5])],
            input: vec![ValueInfoProto::tensor("x", FLOAT, &[Err("B"), Ok(2)])],
            output: vec![ValueInfoProto::tensor("y", FLOAT, &[Err("B"), Ok(2)])],
            ..GraphProto::default()
        };
        let mut model = ModelProto {
            ir_version: IR_VERSION,
            graph: Some(graph),
            opset_import: vec![OperatorSetIdProto { domain: String::new(), version: OPSET }],
            ..ModelProto::default()
        };
        change(&mut model);
        model.encode_to_vec()
    }

    fn graph(model: &mut ModelProto) -> &mut GraphProto {
        model.graph.get_or_insert_default()
    }

    #[test]
    fn encode_then_decode_is_the_identity() {
        let model = decode(&model_with(|_| {})).expect("a plain model");
        let graph = model.graph.expect("a graph");
        assert_eq!(graph.initializer[0].to_f32(), Some(vec![1.0, -2.5]));
        assert_eq!(graph.input[0].tensor_shape(), Some((FLOAT, vec![-1, 2])));
    }

    #[test]
    fn what_reaches_outside_is_refused() {
        let refused = |bytes: Vec<u8>| decode(&bytes).expect_err("must be refused");
        let external = model_with(|model| graph(model).initializer[0].data_location = 1);
        assert!(refused(external).contains("another file"));
        let external = model_with(|model| graph(model).initializer[0].external_data.push(vec![]));
        assert!(refused(external).contains("another file"));
        let custom = model_with(|model| graph(model).node[0].domain = "com.evil".into());
        assert!(refused(custom).contains("com.evil"));
        let sub_graph = model_with(|model| {
            let attribute = AttributeProto { name: "body".into(), g: Some(vec![]), ..AttributeProto::default() };
            graph(model).node[0].attribute.push(attribute);
        });
        assert!(refused(sub_graph).contains("sub-graph"));
        assert!(refused(model_with(|model| model.functions.push(vec![]))).contains("functions"));
    }

    #[test]
    fn lying_shapes_are_refused() {
        for dims in [vec![3], vec![-1], vec![i64::MAX, i64::MAX], vec![]] {
            let bytes = model_with(|model| graph(model).initializer[0].dims.clone_from(&dims));
            assert!(decode(&bytes).is_err(), "{dims:?}");
        }
    }

    #[test]
    fn noise_is_refused_without_a_panic() {
        assert!(decode(b"").is_err());
        assert!(decode(b"not a protobuf at all, I promise").is_err());
        let whole = model_with(|_| {});
        for length in 0..whole.len() {
            let _ = decode(&whole[..length]);
        }
    }
}
