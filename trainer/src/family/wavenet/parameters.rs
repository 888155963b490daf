//! The tensors of a WaveNet in one flat vector, with the names and shapes of the exported graph.

use std::sync::Arc;

use continuo_package::family::wavenet::{WaveNetShape, graph};

use crate::nn::{NamedTensor, TensorLayout, Tensors};
use crate::random::{Purpose, Random};

/// What the first weights are drawn for, tensor by tensor.
const INITIAL: Purpose = Purpose::named("initial weights of a WaveNet");

/// The tensors of a shape, in the order of the flat vector.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table {
    /// The hyper-parameters.
    pub shape: WaveNetShape,
    /// The tensors.
    pub layout: Arc<TensorLayout>,
}

impl Table {
    /// The tensors of a WaveNet of this shape.
    pub fn new(shape: &WaveNetShape) -> Self {
        let layout = TensorLayout::new(graph::tensors(shape));
        Self { shape: shape.clone(), layout: Arc::new(layout) }
    }

    /// The tensors.
    pub fn tensors(&self) -> &[NamedTensor] {
        self.layout.tensors()
    }

    /// Number of weights.
    pub fn weights(&self) -> usize {
        self.layout.len()
    }

    /// The tensor of this name.
    pub fn find(&self, name: &str) -> Option<&NamedTensor> {
        self.layout.find(name)
    }
}

/// Whether a tensor is added to what is multiplied with weights: of a convolution, or of a class.
pub fn is_bias(name: &str) -> bool {
    name.ends_with("bias")
}

/// Fresh weights: Glorot's uniform distribution as in tensorflow-wavenet, biases zero. The input of the causal convolution
/// is one-hot, so that each of its outputs sums F weights, not F·Q: its fan-in is F. One real value is one input.
pub fn initial(table: &Table, rng_seed: u64) -> Tensors {
    let mut weights = Tensors::zeros(Arc::clone(&table.layout));
    for (index, tensor) in table.tensors().iter().enumerate() {
        if is_bias(&tensor.name) {
            continue;
        }
        let taps = table.shape.filter_width as usize;
        let (fan_in, fan_out) = match tensor.shape[..] {
            [outputs, inputs, taps] => (inputs * taps, outputs * taps),
            [_, outputs] => (taps, outputs),
            _ => continue,
        };
        let limit = (6.0 / (fan_in + fan_out) as f32).sqrt();
        let mut random = Random::new(rng_seed, INITIAL, index as u64);
        for value in &mut weights.values[tensor.range()] {
            *value = limit * (2.0 * random.uniform() - 1.0);
        }
    }
    weights
}

#[cfg(test)]
mod tests {
    use super::*;
    use continuo_package::family::wavenet::names;

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
                ..WaveNetShape::default()
            };
            assert_eq!(Table::new(&shape).weights() as u64, shape.parameters());
        }
    }

    #[test]
    fn initial_weights_depend_on_the_seed_alone() {
        let table = Table::new(&WaveNetShape {
            levels: 16,
            dilations: vec![1, 2],
            filter_width: 2,
            residual_channels: 4,
            dilation_channels: 4,
            skip_channels: 4,
            end_channels: 4,
            ..WaveNetShape::default()
        });
        let first = initial(&table, 1);
        assert_eq!(first, initial(&table, 1));
        assert_ne!(first.values, initial(&table, 2).values);
        assert!(first.get(names::CAUSAL_BIAS).iter().all(|&bias| bias == 0.0));
        assert!(first.get(&names::end_weight(1)).iter().any(|&weight| weight != 0.0));
    }
}
