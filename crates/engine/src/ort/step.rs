//! Stepping a causal graph over codes in ONNX Runtime.

use super::graph::{Graph, GraphState, Tensor, Values};
use crate::runtime::Runtime;
use continuo_package::{ElementType, GraphSpec, StatePair};
use ort::session::IoBinding;
use ort::value::{DynTensor, DynValue, PrimitiveTensorElementType, Tensor as OrtTensor, ValueType};

/// A causal graph `codes [1, T] → logits [1, Q, T]` with its state pairs. One variation per run: how ONNX Runtime tiles a
/// batch depends on its size, and a variation's bits must not.
#[derive(Debug)]
pub struct StepGraph {
    graph: Graph,
    /// Names of the only input and the only output.
    codes: String,
    logits: String,
    /// `Q`
    levels: i64,
}

impl StepGraph {
    /// Loads a graph with one input of codes and one output of logits.
    ///
    /// # Errors
    /// What ONNX Runtime said, or why the graph is none of these.
    pub fn new(runtime: &Runtime, graph: &[u8], spec: &GraphSpec) -> Result<Self, String> {
        let ([codes], [logits]) = (&spec.inputs[..], &spec.outputs[..]) else {
            return Err("a step graph has one input and one output besides its state".into());
        };
        let levels = logits.shape.get(1).copied().filter(|&levels| levels > 0).ok_or("the logits have no levels")?;
        let (codes, logits) = (codes.name.clone(), logits.name.clone());
        Ok(Self { graph: Graph::new(runtime, graph, spec, 1)?, codes, logits, levels })
    }

    /// The state before the first step.
    ///
    /// # Errors
    /// What ONNX Runtime said.
    pub fn initial_state(&self) -> Result<GraphState, String> {
        self.graph.initial_state(1)
    }

    /// A state of which `content` gives every tensor; see [`Graph::state_of`].
    ///
    /// # Errors
    /// As [`Graph::state_of`].
    pub fn state_of(
        &self,
        content: impl FnMut(&StatePair, usize) -> Result<Values, String>,
    ) -> Result<GraphState, String> {
        self.graph.state_of(1, content)
    }

    /// Runs the graph over `codes` and moves the state on. `logits` gets `[Q, T]`, row by row.
    ///
    /// # Errors
    /// What ONNX Runtime said. The state is then of no more use.
    pub fn run(&self, state: &mut GraphState, codes: &[u32], logits: &mut Vec<f32>) -> Result<(), String> {
        let codes = Tensor::i64(&[1, codes.len() as i64], codes.iter().map(|&code| i64::from(code)).collect());
        match self.graph.run(state, vec![codes])?.pop() {
            Some(Tensor { values: Values::F32(values), .. }) => {
                *logits = values;
                Ok(())
            }
            _ => Err("there are no logits".into()),
        }
    }

    /// Binds tensors to the graph's inputs and outputs once, so that stepping moves no memory of its own.
    ///
    /// # Errors
    /// What ONNX Runtime said.
    pub fn bind(&self, state: &GraphState) -> Result<BoundState, String> {
        let text = |error: ort::Error| error.to_string();
        let session = self.graph.session();
        let allocator = session.allocator();
        let like = |value: &DynValue| -> Result<DynTensor, String> {
            let (ValueType::Tensor { ty, shape, .. }, true) = (value.dtype(), value.is_tensor()) else {
                return Err("a state is not a tensor".into());
            };
            DynTensor::new(allocator, *ty, shape.clone()).map_err(text)
        };
        let mut front = state.0.iter().map(like).collect::<Result<Vec<_>, _>>()?;
        let mut back = state.0.iter().map(like).collect::<Result<Vec<_>, _>>()?;
        for ((pair, from), to) in self.states().zip(&state.0).zip(&mut front) {
            match pair.element {
                ElementType::F32 => copy::<f32>(from, to)?,
                ElementType::I64 => copy::<i64>(from, to)?,
            }
        }
        let mut codes = OrtTensor::<i64>::new(allocator, [1i64, 1]).map_err(text)?;
        let mut logits = OrtTensor::<f32>::new(allocator, [1, self.levels, 1]).map_err(text)?;
        let bind = |from: &mut [DynTensor],
                    to: &mut [DynTensor],
                    codes: &mut OrtTensor<i64>,
                    logits: &mut OrtTensor<f32>|
         -> Result<IoBinding, ort::Error> {
            let mut binding = session.create_binding()?;
            binding.bind_input(&self.codes, &*codes)?;
            binding.bind_output(&self.logits, logits)?;
            for ((pair, from), to) in self.states().zip(from).zip(to) {
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
        let mut session = self.graph.session();
        // A binding may keep a copy of what was bound, so the code is bound anew.
        let binding = &mut state.bindings[state.turn];
        binding.bind_input(&self.codes, &state.codes).map_err(text)?;
        session.run_binding(binding).map_err(text)?;
        state.turn = 1 - state.turn;
        Ok(state.logits.extract_tensor().1)
    }

    /// Another variation with the same state.
    ///
    /// # Errors
    /// What ONNX Runtime said.
    pub fn copy(&self, state: &BoundState) -> Result<BoundState, String> {
        let newest = &state.states[state.turn];
        let copy = |(pair, value): (&StatePair, &DynTensor)| {
            Tensor::from_ort(&value.view().into_dyn(), pair.element)?.into_ort()
        };
        let values = self.states().zip(newest).map(copy).collect::<Result<_, _>>()?;
        self.bind(&GraphState(values))
    }

    fn states(&self) -> impl Iterator<Item = &StatePair> {
        self.graph.spec().state.iter()
    }
}

/// The state of one variation that is stepped frame by frame: two sets of tensors which are input and output by turns.
#[derive(Debug)]
pub struct BoundState {
    bindings: [IoBinding; 2],
    states: [Vec<DynTensor>; 2],
    codes: OrtTensor<i64>,
    logits: OrtTensor<f32>,
    /// The set that holds the newest state, and the binding that reads it.
    turn: usize,
}

fn copy<T: PrimitiveTensorElementType + Copy>(from: &DynValue, to: &mut DynTensor) -> Result<(), String> {
    let (_, from) = from.try_extract_tensor::<T>().map_err(|error| error.to_string())?;
    let (_, to) = to.try_extract_tensor_mut::<T>().map_err(|error| error.to_string())?;
    to.copy_from_slice(from);
    Ok(())
}
