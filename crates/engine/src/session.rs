//! Stepping a causal graph in ONNX Runtime, its state carried from run to run.

use crate::runtime::Runtime;
use continuo_package::wavenet::names;
use continuo_package::{ElementType, GraphSpec, StatePair};
use ort::session::{IoBinding, Session, SessionInputValue};
use ort::value::{DynTensor, DynValue, PrimitiveTensorElementType, Tensor, ValueType};
use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

/// A causal graph `codes [1, T] → logits [1, Q, T]` with its state pairs. One take per run: how ONNX Runtime tiles a
/// batch depends on its size, and a take's bits must not.
#[derive(Debug)]
pub struct StepSession {
    session: Mutex<Session>,
    state: Vec<StatePair>,
    /// `Q`
    levels: i64,
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
        let logits = spec.outputs.iter().find(|output| output.name == names::LOGITS);
        let levels = logits.and_then(|output| output.shape.get(1).copied()).ok_or("there are no logits")?;
        Ok(Self { session: Mutex::new(session), state: spec.state.clone(), levels })
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

    /// A state with this content: the codes before the first frame, and each layer's inputs `[R, d·(F − 1)]`.
    ///
    /// # Errors
    /// What ONNX Runtime said, or a tensor of the wrong size.
    pub fn state_of(&self, codes: &[u32], layers: &[Vec<f32>]) -> Result<SessionState, String> {
        // The manifest's order need not be the layers'.
        let by_name: HashMap<String, &Vec<f32>> =
            layers.iter().enumerate().map(|(layer, values)| (names::state_layer(layer), values)).collect();
        let value = |pair: &StatePair| {
            let shape: Vec<i64> = pair.shape.iter().map(|&axis| if axis == -1 { 1 } else { axis }).collect();
            match pair.element {
                ElementType::I64 => tensor_i64(&shape, codes.iter().map(|&code| i64::from(code)).collect()),
                ElementType::F32 => {
                    let values = by_name.get(&pair.input).ok_or_else(|| format!("{} is no layer", pair.input))?;
                    tensor_f32(&shape, (*values).clone())
                }
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

    /// Binds tensors to the graph's inputs and outputs once, so that stepping moves no memory of its own.
    ///
    /// # Errors
    /// What ONNX Runtime said.
    pub fn bind(&self, state: &SessionState) -> Result<BoundState, String> {
        let text = |error: ort::Error| error.to_string();
        let session = self.session.lock().unwrap_or_else(PoisonError::into_inner);
        let allocator = session.allocator();
        let like = |value: &DynValue| -> Result<DynTensor, String> {
            let (ValueType::Tensor { ty, shape, .. }, true) = (value.dtype(), value.is_tensor()) else {
                return Err("a state is not a tensor".into());
            };
            DynTensor::new(allocator, *ty, shape.clone()).map_err(text)
        };
        let mut front = state.0.iter().map(like).collect::<Result<Vec<_>, _>>()?;
        let mut back = state.0.iter().map(like).collect::<Result<Vec<_>, _>>()?;
        for ((pair, from), to) in self.state.iter().zip(&state.0).zip(&mut front) {
            match pair.element {
                ElementType::F32 => copy::<f32>(from, to)?,
                ElementType::I64 => copy::<i64>(from, to)?,
            }
        }
        let mut codes = Tensor::<i64>::new(allocator, [1i64, 1]).map_err(text)?;
        let mut logits = Tensor::<f32>::new(allocator, [1, self.levels, 1]).map_err(text)?;
        let bind = |from: &mut [DynTensor],
                    to: &mut [DynTensor],
                    codes: &mut Tensor<i64>,
                    logits: &mut Tensor<f32>|
         -> Result<IoBinding, ort::Error> {
            let mut binding = session.create_binding()?;
            binding.bind_input(names::CODES, &*codes)?;
            binding.bind_output(names::LOGITS, logits)?;
            for ((pair, from), to) in self.state.iter().zip(from).zip(to) {
                binding.bind_input(&pair.input, &*from)?;
                binding.bind_output(&pair.output, to)?;
            }
            Ok(binding)
        };
        let there = bind(&mut front, &mut back, &mut codes, &mut logits).map_err(text)?;
        let again = bind(&mut back, &mut front, &mut codes, &mut logits).map_err(text)?;
        Ok(BoundState { bindings: [there, again], states: [front, back], codes, logits, turn: 0 })
    }

    /// Runs the graph over one frame and moves the state on; gives the `Q` logits of the next.
    ///
    /// # Errors
    /// What ONNX Runtime said. The state is then of no more use.
    pub fn step<'a>(&self, state: &'a mut BoundState, code: u32) -> Result<&'a [f32], String> {
        let text = |error: ort::Error| error.to_string();
        let (_, codes) = state.codes.extract_tensor_mut();
        codes.fill(i64::from(code));
        let mut session = self.session.lock().unwrap_or_else(PoisonError::into_inner);
        // A binding may keep a copy of what was bound, so the code is bound anew.
        let binding = &mut state.bindings[state.turn];
        binding.bind_input(names::CODES, &state.codes).map_err(text)?;
        session.run_binding(binding).map_err(text)?;
        state.turn = 1 - state.turn;
        Ok(state.logits.extract_tensor().1)
    }

    /// Another take with the same state.
    ///
    /// # Errors
    /// What ONNX Runtime said.
    pub fn copy(&self, state: &BoundState) -> Result<BoundState, String> {
        let newest = &state.states[state.turn];
        let copy = |(pair, value): (&StatePair, &DynTensor)| match pair.element {
            ElementType::F32 => {
                let (shape, values) = value.try_extract_tensor::<f32>().map_err(|error| error.to_string())?;
                tensor_f32(shape, values.to_vec())
            }
            ElementType::I64 => {
                let (shape, values) = value.try_extract_tensor::<i64>().map_err(|error| error.to_string())?;
                tensor_i64(shape, values.to_vec())
            }
        };
        let values = self.state.iter().zip(newest).map(copy).collect::<Result<_, _>>()?;
        self.bind(&SessionState(values))
    }
}

/// The state of one take that is stepped frame by frame: two sets of tensors which are input and output by turns.
#[derive(Debug)]
pub struct BoundState {
    bindings: [IoBinding; 2],
    states: [Vec<DynTensor>; 2],
    codes: Tensor<i64>,
    logits: Tensor<f32>,
    /// The set that holds the newest state, and the binding that reads it.
    turn: usize,
}

fn copy<T: PrimitiveTensorElementType + Copy>(from: &DynValue, to: &mut DynTensor) -> Result<(), String> {
    let (_, from) = from.try_extract_tensor::<T>().map_err(|error| error.to_string())?;
    let (_, to) = to.try_extract_tensor_mut::<T>().map_err(|error| error.to_string())?;
    to.copy_from_slice(from);
    Ok(())
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
