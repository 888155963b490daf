//! A graph in ONNX Runtime, typed by its manifest, its state carried from run to run.

use crate::runtime::Runtime;
use continuo_package::{ElementType, GraphSpec, StatePair};
use ort::session::{Session, SessionInputValue};
use ort::value::{DynValue, Tensor as OrtTensor};
use std::borrow::Cow;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The content of a tensor, row by row.
#[derive(Debug, Clone, PartialEq)]
pub enum Values {
    /// 32-bit floats.
    F32(Vec<f32>),
    /// 64-bit integers.
    I64(Vec<i64>),
}

/// A tensor that goes in or comes out.
#[derive(Debug, Clone, PartialEq)]
pub struct Tensor {
    /// Its axes.
    pub shape: Vec<i64>,
    /// Its content.
    pub values: Values,
}

impl Tensor {
    /// A tensor of floats.
    pub fn f32(shape: &[i64], values: Vec<f32>) -> Self {
        Self { shape: shape.to_vec(), values: Values::F32(values) }
    }

    /// A tensor of integers.
    pub fn i64(shape: &[i64], values: Vec<i64>) -> Self {
        Self { shape: shape.to_vec(), values: Values::I64(values) }
    }

    pub(super) fn into_ort(self) -> Result<DynValue, String> {
        let text = |error: ort::Error| error.to_string();
        let length = match &self.values {
            Values::F32(values) => values.len(),
            Values::I64(values) => values.len(),
        };
        if self.shape.iter().try_fold(1i64, |product, &axis| product.checked_mul(axis)) != Some(length as i64) {
            return Err(format!("a tensor of shape {:?} cannot hold {length} values", self.shape));
        }
        Ok(match self.values {
            Values::F32(values) => OrtTensor::from_array((self.shape, values)).map_err(text)?.into_dyn(),
            Values::I64(values) => OrtTensor::from_array((self.shape, values)).map_err(text)?.into_dyn(),
        })
    }

    pub(super) fn from_ort(value: &DynValue, element: ElementType) -> Result<Self, String> {
        let text = |error: ort::Error| error.to_string();
        Ok(match element {
            ElementType::F32 => {
                let (shape, values) = value.try_extract_tensor::<f32>().map_err(text)?;
                Self::f32(shape, values.to_vec())
            }
            ElementType::I64 => {
                let (shape, values) = value.try_extract_tensor::<i64>().map_err(text)?;
                Self::i64(shape, values.to_vec())
            }
        })
    }
}

/// A loaded graph.
#[derive(Debug)]
pub struct Graph {
    session: Mutex<Session>,
    spec: GraphSpec,
}

/// The state between two runs, in the order of the manifest's pairs.
#[derive(Debug)]
pub struct GraphState(pub(super) Vec<DynValue>);

impl Graph {
    /// Loads a graph that runs on `threads` threads.
    ///
    /// # Errors
    /// What ONNX Runtime said.
    pub fn new(runtime: &Runtime, graph: &[u8], spec: &GraphSpec, threads: usize) -> Result<Self, String> {
        Ok(Self { session: Mutex::new(runtime.session(graph, threads)?), spec: spec.clone() })
    }

    /// The boundary, as the manifest gives it.
    pub fn spec(&self) -> &GraphSpec {
        &self.spec
    }

    /// The state of `batch` variations before the first step, as the manifest gives it.
    ///
    /// # Errors
    /// What ONNX Runtime said.
    pub fn initial_state(&self, batch: usize) -> Result<GraphState, String> {
        self.state_of(batch, |pair, elements| match pair.element {
            ElementType::F32 => Ok(Values::F32(vec![pair.initial as f32; elements])),
            ElementType::I64 => Ok(Values::I64(vec![pair.initial as i64; elements])),
        })
    }

    /// A state of which `content` gives every tensor: so many elements of the pair's type.
    ///
    /// # Errors
    /// What `content` or ONNX Runtime said, or a tensor of the wrong size.
    pub fn state_of(
        &self,
        batch: usize,
        mut content: impl FnMut(&StatePair, usize) -> Result<Values, String>,
    ) -> Result<GraphState, String> {
        let tensor = |pair: &StatePair| {
            let shape: Vec<i64> = pair.shape.iter().map(|&axis| if axis == -1 { batch as i64 } else { axis }).collect();
            let values = content(pair, shape.iter().product::<i64>() as usize)?;
            Tensor { shape, values }.into_ort()
        };
        self.spec.state.iter().map(tensor).collect::<Result<_, _>>().map(GraphState)
    }

    /// Runs the graph and moves the state on. Inputs and outputs are in the manifest's order.
    ///
    /// # Errors
    /// What ONNX Runtime said, or inputs that are not as many as the graph's. The state is then of no more use.
    pub fn run(&self, state: &mut GraphState, inputs: Vec<Tensor>) -> Result<Vec<Tensor>, String> {
        if inputs.len() != self.spec.inputs.len() {
            return Err(format!("{} inputs for a graph of {}", inputs.len(), self.spec.inputs.len()));
        }
        let mut all: Vec<(Cow<'_, str>, SessionInputValue<'_>)> = Vec::with_capacity(inputs.len() + state.0.len());
        for (spec, input) in self.spec.inputs.iter().zip(inputs) {
            all.push((spec.name.as_str().into(), input.into_ort()?.into()));
        }
        for (pair, value) in self.spec.state.iter().zip(std::mem::take(&mut state.0)) {
            all.push((pair.input.as_str().into(), value.into()));
        }
        let mut session = self.session();
        let mut outputs = session.run(all).map_err(|error| error.to_string())?;
        let missing = |name: &String| format!("{name} did not come out");
        for pair in &self.spec.state {
            state.0.push(outputs.remove(&pair.output).ok_or_else(|| missing(&pair.output))?);
        }
        let tensor = |spec: &continuo_package::TensorSpec| {
            Tensor::from_ort(outputs.get(&spec.name).ok_or_else(|| missing(&spec.name))?, spec.element)
        };
        self.spec.outputs.iter().map(tensor).collect()
    }

    pub(super) fn session(&self) -> MutexGuard<'_, Session> {
        self.session.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
