//! Stepping a causal graph in ONNX Runtime, its state carried from run to run.

use crate::runtime::Runtime;
use continuo_package::wavenet::names;
use continuo_package::{ElementType, GraphSpec, StatePair};
use ort::session::{Session, SessionInputValue};
use ort::value::{DynValue, Tensor};
use std::borrow::Cow;
use std::sync::{Mutex, PoisonError};

/// A causal graph `codes [1, T] → logits [1, Q, T]` with its state pairs. One take per run: how ONNX Runtime tiles a
/// batch depends on its size, and a take's bits must not.
#[derive(Debug)]
pub struct StepSession {
    session: Mutex<Session>,
    state: Vec<StatePair>,
}

/// The state of one take between two runs, in the order of the manifest's pairs.
#[derive(Debug)]
pub struct SessionState(Vec<DynValue>);

impl StepSession {
    /// Loads a graph.
    ///
    /// # Errors
    /// What ONNX Runtime said.
    pub fn new(runtime: &Runtime, graph: &[u8], spec: &GraphSpec) -> Result<Self, String> {
        let session = runtime.session(graph, 1)?;
        Ok(Self { session: Mutex::new(session), state: spec.state.clone() })
    }

    /// The state before the first frame, as the manifest gives it.
    ///
    /// # Errors
    /// What ONNX Runtime said.
    pub fn initial_state(&self) -> Result<SessionState, String> {
        let value = |pair: &StatePair| {
            let shape: Vec<i64> = pair.shape.iter().map(|&axis| if axis == -1 { 1 } else { axis }).collect();
            let elements = shape.iter().product::<i64>() as usize;
            match pair.element {
                ElementType::F32 => tensor_f32(&shape, vec![pair.initial as f32; elements]),
                ElementType::I64 => tensor_i64(&shape, vec![pair.initial as i64; elements]),
            }
        };
        self.state.iter().map(value).collect::<Result<_, _>>().map(SessionState)
    }

    /// A state with this content, in the manifest's order: codes for integer tensors, values for float ones.
    ///
    /// # Errors
    /// What ONNX Runtime said, or a tensor of the wrong size.
    pub fn state_of(&self, codes: &[u32], layers: &[Vec<f32>]) -> Result<SessionState, String> {
        let mut layers = layers.iter();
        let value = |pair: &StatePair| {
            let shape: Vec<i64> = pair.shape.iter().map(|&axis| if axis == -1 { 1 } else { axis }).collect();
            match pair.element {
                ElementType::I64 => tensor_i64(&shape, codes.iter().map(|&code| i64::from(code)).collect()),
                ElementType::F32 => tensor_f32(&shape, layers.next().ok_or("a layer is missing")?.clone()),
            }
        };
        self.state.iter().map(value).collect::<Result<_, _>>().map(SessionState)
    }

    /// Runs the graph over `codes` and moves the state on. `logits` gets `[Q, T]`, row by row.
    ///
    /// # Errors
    /// What ONNX Runtime said. The state is then of no more use.
    pub fn run(&self, state: &mut SessionState, codes: &[u32], logits: &mut Vec<f32>) -> Result<(), String> {
        let text = |error: ort::Error| error.to_string();
        let codes = tensor_i64(&[1, codes.len() as i64], codes.iter().map(|&code| i64::from(code)).collect())?;
        let mut inputs: Vec<(Cow<'_, str>, SessionInputValue<'_>)> = Vec::with_capacity(self.state.len() + 1);
        inputs.push((names::CODES.into(), codes.into()));
        for (pair, value) in self.state.iter().zip(std::mem::take(&mut state.0)) {
            inputs.push((pair.input.as_str().into(), value.into()));
        }
        let mut session = self.session.lock().unwrap_or_else(PoisonError::into_inner);
        let mut outputs = session.run(inputs).map_err(text)?;
        let found = outputs.get(names::LOGITS).ok_or("there are no logits")?;
        let (_, values) = found.try_extract_tensor::<f32>().map_err(text)?;
        logits.clear();
        logits.extend_from_slice(values);
        for pair in &self.state {
            let next = outputs.remove(&pair.output).ok_or_else(|| format!("{} did not come out", pair.output))?;
            state.0.push(next);
        }
        Ok(())
    }

    /// A copy of a state, for takes that part after the same clip.
    ///
    /// # Errors
    /// What ONNX Runtime said.
    pub fn copy(&self, state: &SessionState) -> Result<SessionState, String> {
        let text = |error: ort::Error| error.to_string();
        let copy = |(pair, value): (&StatePair, &DynValue)| match pair.element {
            ElementType::F32 => {
                let (shape, values) = value.try_extract_tensor::<f32>().map_err(text)?;
                tensor_f32(shape, values.to_vec())
            }
            ElementType::I64 => {
                let (shape, values) = value.try_extract_tensor::<i64>().map_err(text)?;
                tensor_i64(shape, values.to_vec())
            }
        };
        self.state.iter().zip(&state.0).map(copy).collect::<Result<_, _>>().map(SessionState)
    }
}

fn tensor_f32(shape: &[i64], values: Vec<f32>) -> Result<DynValue, String> {
    check_size(shape, values.len())?;
    Ok(Tensor::from_array((shape.to_vec(), values)).map_err(|error| error.to_string())?.into_dyn())
}

fn tensor_i64(shape: &[i64], values: Vec<i64>) -> Result<DynValue, String> {
    check_size(shape, values.len())?;
    Ok(Tensor::from_array((shape.to_vec(), values)).map_err(|error| error.to_string())?.into_dyn())
}

fn check_size(shape: &[i64], length: usize) -> Result<(), String> {
    if shape.iter().product::<i64>() == length as i64 {
        return Ok(());
    }
    Err(format!("a tensor of shape {shape:?} cannot hold {length} values"))
}
