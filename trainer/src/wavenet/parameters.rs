//! All weights of a WaveNet in one flat vector, with the names and shapes of the exported graph.
//!
//! Everything that treats weights alike (Adam, averages, clipping, checkpoints) sees the vector; everything that knows
//! the model (the CPU path, the Burn module, the ONNX writer) looks tensors up by name.

use std::sync::Arc;

use continuo_package::family::wavenet::{WaveNetShape, names};

use crate::rng::SplitMix64;

/// One named tensor of the flat vector.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tensor {
    /// Its name in the exported graph.
    pub name: String,
    /// Its axes.
    pub shape: Vec<usize>,
    /// Index of its first value.
    pub offset: usize,
}

impl Tensor {
    /// Number of values.
    pub fn len(&self) -> usize {
        self.shape.iter().product()
    }

    /// Whether it has no values.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Where its values lie in the flat vector.
    pub fn range(&self) -> std::ops::Range<usize> {
        self.offset..self.offset + self.len()
    }
}

/// The tensors of a shape, in the order of the flat vector.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table {
    /// The hyper-parameters.
    pub shape: WaveNetShape,
    /// The tensors.
    pub tensors: Vec<Tensor>,
    /// Values in all of them.
    pub len: usize,
}

impl Table {
    /// The tensors of a WaveNet of this shape.
    pub fn new(shape: &WaveNetShape) -> Self {
        let size = |value: u32| value as usize;
        let [q, r, d, s, e, f] = [
            size(shape.levels),
            size(shape.residual_channels),
            size(shape.dilation_channels),
            size(shape.skip_channels),
            size(shape.end_channels),
            size(shape.filter_width),
        ];
        let mut table = Self { shape: shape.clone(), tensors: Vec::new(), len: 0 };
        for tap in 0..f {
            table.push(names::causal_tap(tap), &[q, r]);
        }
        table.push_bias(names::CAUSAL_BIAS.to_owned(), r);
        let layers = shape.dilations.len();
        for layer in 0..layers {
            table.push(names::dilated_weight(layer), &[2 * d, r, f]);
            table.push_bias(names::dilated_bias(layer), 2 * d);
            table.push(names::skip_weight(layer), &[s, d, 1]);
            table.push_bias(names::skip_bias(layer), s);
            if layer + 1 < layers {
                table.push(names::residual_weight(layer), &[r, d, 1]);
                table.push_bias(names::residual_bias(layer), r);
            }
        }
        table.push(names::end_weight(0), &[e, s, 1]);
        table.push_bias(names::end_bias(0), e);
        table.push(names::end_weight(1), &[q, e, 1]);
        table.push_bias(names::end_bias(1), q);
        table
    }

    fn push(&mut self, name: String, shape: &[usize]) {
        let tensor = Tensor { name, shape: shape.to_vec(), offset: self.len };
        self.len += tensor.len();
        self.tensors.push(tensor);
    }

    fn push_bias(&mut self, name: String, channels: usize) {
        if self.shape.biases {
            self.push(name, &[channels]);
        }
    }

    /// The tensor of this name.
    pub fn find(&self, name: &str) -> Option<&Tensor> {
        self.tensors.iter().find(|tensor| tensor.name == name)
    }
}

/// The weights of a model.
#[derive(Debug, Clone)]
pub struct Parameters {
    /// What lies where.
    pub table: Arc<Table>,
    /// The values.
    pub values: Vec<f32>,
}

impl Parameters {
    /// Fresh weights: Glorot's uniform distribution as in tensorflow-wavenet, biases zero. The input of the causal
    /// convolution is one-hot, so that each of its outputs sums F weights, not F·Q: its fan-in is F.
    pub fn initial(shape: &WaveNetShape, rng_seed: u64) -> Self {
        let table = Table::new(shape);
        let mut values = vec![0.0; table.len];
        let mut rng = SplitMix64::new(rng_seed);
        for tensor in &table.tensors {
            let taps = shape.filter_width as usize;
            let (fan_in, fan_out) = match tensor.shape[..] {
                [outputs, inputs, taps] => (inputs * taps, outputs * taps),
                [_, outputs] => (taps, outputs),
                _ => continue,
            };
            let limit = (6.0 / (fan_in + fan_out) as f32).sqrt();
            for value in &mut values[tensor.range()] {
                *value = limit * (2.0 * rng.uniform() - 1.0);
            }
        }
        Self { table: Arc::new(table), values }
    }

    /// The values of a tensor; empty if the model has none of this name.
    pub fn get(&self, name: &str) -> &[f32] {
        self.table.find(name).map_or(&[], |tensor| &self.values[tensor.range()])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_holds_as_many_weights_as_the_shape_says() {
        for biases in [false, true] {
            let shape = WaveNetShape {
                levels: 256,
                dilations: WaveNetShape::doubling_dilations(2, 4),
                filter_width: 3,
                residual_channels: 24,
                dilation_channels: 20,
                skip_channels: 40,
                end_channels: 36,
                biases,
            };
            assert_eq!(Table::new(&shape).len as u64, shape.parameters());
        }
    }

    #[test]
    fn initial_weights_depend_on_the_seed_alone() {
        let shape = WaveNetShape {
            levels: 16,
            dilations: vec![1, 2],
            filter_width: 2,
            residual_channels: 4,
            dilation_channels: 4,
            skip_channels: 4,
            end_channels: 4,
            biases: true,
        };
        let first = Parameters::initial(&shape, 1);
        assert_eq!(first.values, Parameters::initial(&shape, 1).values);
        assert_ne!(first.values, Parameters::initial(&shape, 2).values);
        assert!(first.get(names::CAUSAL_BIAS).iter().all(|&bias| bias == 0.0));
        assert!(first.get(&names::end_weight(1)).iter().any(|&weight| weight != 0.0));
    }
}
