//! The weights of a WaveNet, as the graph holds them.

use continuo_package::Shape;
use continuo_package::family::wavenet::{Part, WaveNetShape, names};
use continuo_package::onnx::{FLOAT, GraphProto, TensorProto};
use std::collections::HashMap;

/// A convolution's weights `[rows, channels, taps]` with its bias `[rows]`.
#[derive(Debug, Clone, PartialEq)]
pub struct Matrix {
    values: Vec<f32>,
    bias: Option<Vec<f32>>,
    rows: usize,
    inputs: usize,
}

impl Matrix {
    /// A matrix of `rows` rows, row by row.
    ///
    /// # Errors
    /// What does not fit together.
    pub fn new(values: Vec<f32>, bias: Option<Vec<f32>>, rows: usize) -> Result<Self, String> {
        if rows == 0 || !values.len().is_multiple_of(rows) || bias.as_ref().is_some_and(|bias| bias.len() != rows) {
            return Err(format!("{} weights do not make {rows} rows", values.len()));
        }
        let inputs = values.len() / rows;
        Ok(Self { values, bias, rows, inputs })
    }

    /// Rows: channels out.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Weights per row: channels in times taps.
    pub fn inputs(&self) -> usize {
        self.inputs
    }

    /// One weight.
    pub fn weight(&self, row: usize, input: usize) -> f32 {
        self.values[row * self.inputs + input]
    }

    /// The bias, one value per row.
    pub fn bias(&self) -> Option<&[f32]> {
        self.bias.as_deref()
    }
}

/// The weights of one layer.
#[derive(Debug, Clone, PartialEq)]
pub struct LayerWeights {
    /// `[2D, R, F]`, tanh rows before sigmoid rows.
    pub dilated: Matrix,
    /// Per class what is added to its bias, `[G, 2D]`; empty without classes.
    pub class_biases: Vec<f32>,
    /// `[R, D]`; the last layer has none.
    pub residual: Option<Matrix>,
    /// `[S, D]`
    pub skip: Matrix,
}

/// The weights of a WaveNet.
#[derive(Debug, Clone, PartialEq)]
pub struct WaveNetWeights {
    shape: WaveNetShape,
    /// Per tap `[Q, R]`, `[1, R]` for real values; the last tap is the newest frame.
    pub causal_taps: Vec<Vec<f32>>,
    /// `[R]`
    pub causal_bias: Option<Vec<f32>>,
    /// From the input to the output.
    pub layers: Vec<LayerWeights>,
    /// `[E, S]` and `[Q, E]`.
    pub end: [Matrix; 2],
}

impl WaveNetWeights {
    /// Reads the initialisers of a graph, each under its name in [`names`], with exactly the shape that the
    /// hyper-parameters give it, and finite.
    ///
    /// # Errors
    /// The tensor and what is wrong with it, to be shown behind the file's name.
    pub fn from_graph(shape: &WaveNetShape, graph: &GraphProto) -> Result<Self, String> {
        Self::read(shape, Part::default(), graph)
    }

    /// As [`WaveNetWeights::from_graph`], of a WaveNet that is a part of another family's model. Where codes enter as
    /// amplitudes, each gets the row of its own that its amplitude makes of the only one.
    ///
    /// # Errors
    /// As [`WaveNetWeights::from_graph`].
    pub fn of_part(shape: &WaveNetShape, part: Part, graph: &GraphProto) -> Result<Self, String> {
        let mut weights = Self::read(shape, part, graph)?;
        if part.amplitudes {
            // As the graph computes it.
            let step = 2.0 / (shape.levels - 1) as f32;
            let amplitude = |code: u32| code as f32 * step - 1.0;
            for tap in &mut weights.causal_taps {
                let row = std::mem::take(tap);
                let rows = (0..shape.levels).flat_map(|code| row.iter().map(move |weight| amplitude(code) * weight));
                *tap = rows.collect();
            }
        }
        Ok(weights)
    }

    fn read(shape: &WaveNetShape, part: Part, graph: &GraphProto) -> Result<Self, String> {
        shape.validate().map_err(|(field, reason)| format!("architecture.{field} {reason}"))?;
        let mut tensors = HashMap::with_capacity(graph.initializer.len());
        for tensor in &graph.initializer {
            if tensors.insert(tensor.name.as_str(), tensor).is_some() {
                return Err(format!("the tensor {} is there twice", tensor.name));
            }
        }
        let reader = Reader { tensors, part, biases: shape.biases };
        let [q, r, d, s, e, f] = [
            shape.outputs(),
            shape.residual_channels,
            shape.dilation_channels,
            shape.skip_channels,
            shape.end_channels,
            shape.filter_width,
        ]
        .map(|axis| axis as usize);

        let rows = if part.amplitudes { 1 } else { q };
        let tap = |tap| reader.values(&names::causal_tap(tap), &[rows, r]);
        let causal_taps = (0..f).map(tap).collect::<Result<_, _>>()?;
        let causal_bias = reader.bias(names::CAUSAL_BIAS, r)?;
        let count = shape.dilations.len();
        let layer = |layer| -> Result<LayerWeights, String> {
            let weight = names::dilated_weight(layer);
            let dilated = reader.matrix(&weight, &names::dilated_bias(layer), &[2 * d, r, f])?;
            let class_biases = match shape.classes.len() {
                0 => Vec::new(),
                classes => reader.values(&names::class_bias(layer), &[classes, 2 * d])?,
            };
            let (weight, bias) = (names::residual_weight(layer), names::residual_bias(layer));
            let residual = if layer + 1 == count {
                reader.absent(&weight)?;
                reader.absent(&bias)?;
                None
            } else {
                Some(reader.matrix(&weight, &bias, &[r, d, 1])?)
            };
            let skip = reader.matrix(&names::skip_weight(layer), &names::skip_bias(layer), &[s, d, 1])?;
            Ok(LayerWeights { dilated, class_biases, residual, skip })
        };
        let layers = (0..count).map(layer).collect::<Result<_, _>>()?;
        let end = [
            reader.matrix(&names::end_weight(0), &names::end_bias(0), &[e, s, 1])?,
            reader.matrix(&names::end_weight(1), &names::end_bias(1), &[q, e, 1])?,
        ];
        Ok(Self { shape: shape.clone(), causal_taps, causal_bias, layers, end })
    }

    /// The hyper-parameters.
    pub fn shape(&self) -> &WaveNetShape {
        &self.shape
    }
}

struct Reader<'a> {
    tensors: HashMap<&'a str, &'a TensorProto>,
    part: Part,
    biases: bool,
}

impl Reader<'_> {
    fn values(&self, name: &str, axes: &[usize]) -> Result<Vec<f32>, String> {
        let name = self.part.weight(name);
        let tensor = self.tensors.get(name.as_str()).ok_or_else(|| format!("the tensor {name} is missing"))?;
        if tensor.data_type != FLOAT {
            return Err(format!("the tensor {name} does not hold 32-bit floats (type {})", tensor.data_type));
        }
        if !tensor.dims.iter().copied().eq(axes.iter().map(|&axis| axis as i64)) {
            return Err(format!("the tensor {name} has the shape {:?}; the architecture needs {axes:?}", tensor.dims));
        }
        let values = tensor.to_f32().unwrap_or_default();
        // The schema checks this too, when a package is opened; a graph may come from elsewhere.
        if values.len() != axes.iter().product::<usize>() {
            return Err(format!("the tensor {name} holds {} values; {axes:?} needs more or fewer", values.len()));
        }
        if let Some(position) = values.iter().position(|value| !value.is_finite()) {
            return Err(format!("the tensor {name} holds {} at position {position}", values[position]));
        }
        Ok(values)
    }

    fn bias(&self, name: &str, length: usize) -> Result<Option<Vec<f32>>, String> {
        if self.biases {
            return self.values(name, &[length]).map(Some);
        }
        self.absent(name).map(|()| None)
    }

    fn matrix(&self, weight: &str, bias: &str, axes: &[usize; 3]) -> Result<Matrix, String> {
        let bias = self.bias(bias, axes[0])?;
        Matrix::new(self.values(weight, axes)?, bias, axes[0])
    }

    fn absent(&self, name: &str) -> Result<(), String> {
        let name = self.part.weight(name);
        if self.tensors.contains_key(name.as_str()) {
            return Err(format!("the tensor {name} is there, but the architecture has none"));
        }
        Ok(())
    }
}
