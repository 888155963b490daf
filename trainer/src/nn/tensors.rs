//! Named tensors in one flat vector.
//!
//! What treats weights alike (optimisers, averages, clipping, checkpoints) sees the vector; what knows the model looks
//! tensors up by name.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

/// One tensor of a flat vector.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedTensor {
    /// Its name; for a weight that is exported, the one in the graph.
    pub name: String,
    /// Its axes.
    pub shape: Vec<usize>,
    /// Index of its first value in the flat vector.
    pub offset: usize,
}

impl NamedTensor {
    /// Number of values.
    pub fn len(&self) -> usize {
        self.shape.iter().product()
    }

    /// Whether it has no values.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Where its values lie in the flat vector.
    pub fn range(&self) -> Range<usize> {
        self.offset..self.offset + self.len()
    }
}

/// Which tensors a flat vector holds, and where.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TensorLayout {
    tensors: Vec<NamedTensor>,
    by_name: BTreeMap<String, usize>,
    len: usize,
}

impl TensorLayout {
    /// Tensors of these names and axes, one behind the other. Of two with the same name, only the first is found by it.
    pub fn new(tensors: impl IntoIterator<Item = (String, Vec<usize>)>) -> Self {
        let mut layout = Self::default();
        for (name, shape) in tensors {
            let tensor = NamedTensor { name, shape, offset: layout.len };
            layout.len += tensor.len();
            layout.by_name.entry(tensor.name.clone()).or_insert(layout.tensors.len());
            layout.tensors.push(tensor);
        }
        layout
    }

    /// The tensors, in the order of the vector.
    pub fn tensors(&self) -> &[NamedTensor] {
        &self.tensors
    }

    /// Values in all of them.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are no values.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The tensor of this name.
    pub fn find(&self, name: &str) -> Option<&NamedTensor> {
        self.by_name.get(name).map(|&index| &self.tensors[index])
    }
}

/// Named tensors with their values.
#[derive(Debug, Clone, PartialEq)]
pub struct Tensors {
    /// What lies where.
    pub layout: Arc<TensorLayout>,
    /// The values: as many as the layout has.
    pub values: Vec<f32>,
}

impl Tensors {
    /// All zeros.
    pub fn zeros(layout: Arc<TensorLayout>) -> Self {
        Self { values: vec![0.0; layout.len()], layout }
    }

    /// The values of a tensor; empty if there is none of this name.
    pub fn get(&self, name: &str) -> &[f32] {
        self.layout.find(name).map_or(&[], |tensor| &self.values[tensor.range()])
    }

    /// The values of a tensor, to be written; empty if there is none of this name.
    pub fn get_mut(&mut self, name: &str) -> &mut [f32] {
        match self.layout.find(name).map(NamedTensor::range) {
            Some(range) => &mut self.values[range],
            None => &mut [],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tensors_lie_one_behind_the_other_and_are_found_by_name() {
        let shapes = [("a", vec![2, 3]), ("b", vec![]), ("c", vec![4])];
        let layout = Arc::new(TensorLayout::new(shapes.map(|(name, shape)| (name.to_owned(), shape))));
        assert_eq!(layout.len(), 11, "a tensor without axes has one value");
        assert_eq!(layout.find("c").map(NamedTensor::range), Some(7..11));
        assert_eq!(layout.find("d"), None);
        let mut tensors = Tensors::zeros(layout);
        tensors.get_mut("b").fill(5.0);
        assert_eq!((tensors.values[6].to_bits(), tensors.get("b").len()), (5f32.to_bits(), 1));
        assert!(tensors.get("d").is_empty() && tensors.get_mut("d").is_empty());
    }
}
