//! The part of the ONNX schema that packages use (onnx.proto, IR version 9), for reading and for writing.
//!
//! Messages are declared by hand so that building needs no protobuf compiler; field numbers are the schema's. Fields
//! through which a graph could reach outside the package or hide something are declared too, so that [`decode`] can
//! refuse them. Everything else that the schema has and this file has not is skipped on reading.

use prost::Message;

/// The IR version that the trainer writes.
pub const IR_VERSION: i64 = 9;
/// The operator set that the trainer writes.
pub const OPSET: i64 = 18;
/// `TensorProto.DataType.FLOAT`.
pub const FLOAT: i32 = 1;
/// `TensorProto.DataType.INT64`.
pub const INT64: i32 = 7;

/// A model: one graph and what it needs.
#[derive(Clone, PartialEq, Message)]
pub struct ModelProto {
    /// Version of the IR.
    #[prost(int64, tag = "1")]
    pub ir_version: i64,
    /// The tool that wrote it.
    #[prost(string, tag = "2")]
    pub producer_name: String,
    /// Version of that tool.
    #[prost(string, tag = "3")]
    pub producer_version: String,
    /// The graph.
    #[prost(message, optional, tag = "7")]
    pub graph: Option<GraphProto>,
    /// Operator sets in use.
    #[prost(message, repeated, tag = "8")]
    pub opset_import: Vec<OperatorSetIdProto>,
    /// Training information, undecoded; refused.
    #[prost(bytes = "vec", repeated, tag = "20")]
    pub training_info: Vec<Vec<u8>>,
    /// Model-local functions, undecoded; refused.
    #[prost(bytes = "vec", repeated, tag = "25")]
    pub functions: Vec<Vec<u8>>,
}

/// An operator set in use.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct OperatorSetIdProto {
    /// Domain; empty for the standard operators.
    #[prost(string, tag = "1")]
    pub domain: String,
    /// Version.
    #[prost(int64, tag = "2")]
    pub version: i64,
}

/// A graph: nodes in topological order, weights, and its boundary.
#[derive(Clone, PartialEq, Message)]
pub struct GraphProto {
    /// Nodes in topological order.
    #[prost(message, repeated, tag = "1")]
    pub node: Vec<NodeProto>,
    /// Name.
    #[prost(string, tag = "2")]
    pub name: String,
    /// Weights and constants.
    #[prost(message, repeated, tag = "5")]
    pub initializer: Vec<TensorProto>,
    /// Inputs.
    #[prost(message, repeated, tag = "11")]
    pub input: Vec<ValueInfoProto>,
    /// Outputs.
    #[prost(message, repeated, tag = "12")]
    pub output: Vec<ValueInfoProto>,
    /// Sparse weights, undecoded; refused.
    #[prost(bytes = "vec", repeated, tag = "15")]
    pub sparse_initializer: Vec<Vec<u8>>,
}

/// One operation.
#[derive(Clone, PartialEq, Message)]
pub struct NodeProto {
    /// Names of the inputs; empty for one left out.
    #[prost(string, repeated, tag = "1")]
    pub input: Vec<String>,
    /// Names of the outputs.
    #[prost(string, repeated, tag = "2")]
    pub output: Vec<String>,
    /// Name of the node.
    #[prost(string, tag = "3")]
    pub name: String,
    /// The operator.
    #[prost(string, tag = "4")]
    pub op_type: String,
    /// Attributes.
    #[prost(message, repeated, tag = "5")]
    pub attribute: Vec<AttributeProto>,
    /// Domain of the operator; empty for the standard ones.
    #[prost(string, tag = "7")]
    pub domain: String,
}

/// A named attribute of a node.
#[derive(Clone, PartialEq, Message)]
pub struct AttributeProto {
    /// Name.
    #[prost(string, tag = "1")]
    pub name: String,
    /// A float.
    #[prost(float, tag = "2")]
    pub f: f32,
    /// An integer.
    #[prost(int64, tag = "3")]
    pub i: i64,
    /// A string.
    #[prost(bytes = "vec", tag = "4")]
    pub s: Vec<u8>,
    /// A tensor.
    #[prost(message, optional, tag = "5")]
    pub t: Option<TensorProto>,
    /// A graph, undecoded; refused (standard operators without control flow are enough for every family).
    #[prost(bytes = "vec", optional, tag = "6")]
    pub g: Option<Vec<u8>>,
    /// Floats.
    #[prost(float, repeated, packed = "false", tag = "7")]
    pub floats: Vec<f32>,
    /// Integers.
    #[prost(int64, repeated, packed = "false", tag = "8")]
    pub ints: Vec<i64>,
    /// Tensors, undecoded; refused.
    #[prost(bytes = "vec", repeated, tag = "10")]
    pub tensors: Vec<Vec<u8>>,
    /// Graphs, undecoded; refused.
    #[prost(bytes = "vec", repeated, tag = "11")]
    pub graphs: Vec<Vec<u8>>,
    /// Which of the fields is meant: 1 float, 2 integer, 3 string, 4 tensor, 6 floats, 7 integers.
    #[prost(int32, tag = "20")]
    pub r#type: i32,
    /// A sparse tensor, undecoded; refused.
    #[prost(bytes = "vec", optional, tag = "22")]
    pub sparse_tensor: Option<Vec<u8>>,
    /// Sparse tensors, undecoded; refused.
    #[prost(bytes = "vec", repeated, tag = "23")]
    pub sparse_tensors: Vec<Vec<u8>>,
}

/// A tensor with its content.
#[derive(Clone, PartialEq, Message)]
pub struct TensorProto {
    /// Axes.
    #[prost(int64, repeated, packed = "false", tag = "1")]
    pub dims: Vec<i64>,
    /// Element type, for example [`FLOAT`].
    #[prost(int32, tag = "2")]
    pub data_type: i32,
    /// Content of a float tensor, where it is not raw.
    #[prost(float, repeated, tag = "4")]
    pub float_data: Vec<f32>,
    /// Content of an int64 tensor, where it is not raw.
    #[prost(int64, repeated, tag = "7")]
    pub int64_data: Vec<i64>,
    /// Name.
    #[prost(string, tag = "8")]
    pub name: String,
    /// Content, little-endian.
    #[prost(bytes = "vec", tag = "9")]
    pub raw_data: Vec<u8>,
    /// Where the content lies when it is not here, undecoded; refused.
    #[prost(bytes = "vec", repeated, tag = "13")]
    pub external_data: Vec<Vec<u8>>,
    /// 0: here; 1: in another file (refused).
    #[prost(int32, tag = "14")]
    pub data_location: i32,
}

/// A named value at the boundary of a graph.
#[derive(Clone, PartialEq, Message)]
pub struct ValueInfoProto {
    /// Name.
    #[prost(string, tag = "1")]
    pub name: String,
    /// Type.
    #[prost(message, optional, tag = "2")]
    pub r#type: Option<TypeProto>,
}

/// The type of a value. Only tensors are declared.
#[derive(Clone, PartialEq, Message)]
pub struct TypeProto {
    /// A dense tensor.
    #[prost(message, optional, tag = "1")]
    pub tensor_type: Option<TensorTypeProto>,
}

/// Type and shape of a tensor.
#[derive(Clone, PartialEq, Message)]
pub struct TensorTypeProto {
    /// Element type, for example [`FLOAT`].
    #[prost(int32, tag = "1")]
    pub elem_type: i32,
    /// Shape.
    #[prost(message, optional, tag = "2")]
    pub shape: Option<TensorShapeProto>,
}

/// The axes of a tensor.
#[derive(Clone, PartialEq, Message)]
pub struct TensorShapeProto {
    /// The axes.
    #[prost(message, repeated, tag = "1")]
    pub dim: Vec<DimensionProto>,
}

/// One axis: a length or a name.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct DimensionProto {
    /// The length or the name.
    #[prost(oneof = "Dimension", tags = "1, 2")]
    pub value: Option<Dimension>,
}

/// A length, or the name of one that the caller chooses.
#[derive(Clone, PartialEq, Eq, prost::Oneof)]
pub enum Dimension {
    /// A fixed length.
    #[prost(int64, tag = "1")]
    Value(i64),
    /// A name, for example `T`.
    #[prost(string, tag = "2")]
    Param(String),
}

/// Decodes a model and refuses what has no place in a package.
///
/// # Errors
/// A sentence part that says what is wrong, to be shown behind the file's name.
pub fn decode(bytes: &[u8]) -> Result<ModelProto, String> {
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

impl TensorProto {
    /// A float tensor with raw content.
    pub fn from_f32(name: impl Into<String>, dims: &[usize], values: &[f32]) -> Self {
        Self {
            name: name.into(),
            dims: dims.iter().map(|&axis| axis as i64).collect(),
            data_type: FLOAT,
            raw_data: values.iter().flat_map(|value| value.to_le_bytes()).collect(),
            ..Self::default()
        }
    }

    /// An int64 tensor with raw content.
    pub fn from_i64(name: impl Into<String>, dims: &[usize], values: &[i64]) -> Self {
        Self {
            name: name.into(),
            dims: dims.iter().map(|&axis| axis as i64).collect(),
            data_type: INT64,
            raw_data: values.iter().flat_map(|value| value.to_le_bytes()).collect(),
            ..Self::default()
        }
    }

    /// The content of a float tensor in row-major order; `None` for another element type.
    pub fn to_f32(&self) -> Option<Vec<f32>> {
        if self.data_type != FLOAT {
            return None;
        }
        if self.raw_data.is_empty() {
            return Some(self.float_data.clone());
        }
        let values = self.raw_data.chunks_exact(4);
        Some(values.map(|bytes| f32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]])).collect())
    }
}

impl ValueInfoProto {
    /// A tensor at the boundary: axes by length (`Ok`) or by name (`Err`).
    pub fn tensor(name: impl Into<String>, elem_type: i32, axes: &[Result<i64, &str>]) -> Self {
        let dim = axes
            .iter()
            .map(|axis| match *axis {
                Ok(length) => Dimension::Value(length),
                Err(name) => Dimension::Param(name.into()),
            })
            .map(|value| DimensionProto { value: Some(value) })
            .collect();
        let tensor_type = TensorTypeProto { elem_type, shape: Some(TensorShapeProto { dim }) };
        Self { name: name.into(), r#type: Some(TypeProto { tensor_type: Some(tensor_type) }) }
    }

    /// Element type and axes (−1 for a named one), where this is a tensor with a shape.
    pub fn tensor_shape(&self) -> Option<(i32, Vec<i64>)> {
        let tensor = self.r#type.as_ref()?.tensor_type.as_ref()?;
        let axes = tensor.shape.as_ref()?.dim.iter();
        let lengths = axes.map(|axis| match axis.value {
            Some(Dimension::Value(length)) => length,
            _ => -1,
        });
        Some((tensor.elem_type, lengths.collect()))
    }
}

impl AttributeProto {
    /// An integer attribute.
    pub fn int(name: impl Into<String>, value: i64) -> Self {
        Self { name: name.into(), r#type: 2, i: value, ..Self::default() }
    }

    /// A list of integers.
    pub fn ints(name: impl Into<String>, values: &[i64]) -> Self {
        Self { name: name.into(), r#type: 7, ints: values.to_vec(), ..Self::default() }
    }
}

impl NodeProto {
    /// An operation of the standard domain.
    pub fn new(op_type: &str, inputs: &[&str], outputs: &[&str], attribute: Vec<AttributeProto>) -> Self {
        let owned = |names: &[&str]| names.iter().map(ToString::to_string).collect();
        Self {
            input: owned(inputs),
            output: owned(outputs),
            name: outputs.first().map(ToString::to_string).unwrap_or_default(),
            op_type: op_type.into(),
            attribute,
            ..Self::default()
        }
    }
}

#[cfg(test)]
mod tests {
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
