//! Putting messages together, and reading tensors and shapes out of them.

use super::schema::{
    AttributeProto, Dimension, DimensionProto, FLOAT, INT64, NodeProto, TensorProto, TensorShapeProto, TensorTypeProto,
    TypeProto, ValueInfoProto,
};

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
