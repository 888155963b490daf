//! Stepping a causal graph over codes or real values in ONNX Runtime.

use super::graph::{Graph, GraphState, Tensor, Values};
use crate::runtime::Runtime;
use crate::symbol::Symbol;
use continuo_package::{ElementType, GraphSpec, StatePair};
use ort::session::IoBinding;
use ort::value::{DynTensor, DynValue, PrimitiveTensorElementType, Tensor as OrtTensor, ValueType};

/// A causal graph `symbols [1, T] → outputs [1, Q, T]` with its state pairs, which may be told a class `[1]` besides, or values
/// `[1, C, T]` of every frame. One
/// variation per run: how ONNX Runtime tiles a batch depends on its size, and a variation's bits must not.
#[derive(Debug)]
pub struct StepGraph {
    graph: Graph,
    /// Names of the input of symbols and the only output.
    symbols: String,
    outputs: String,
    /// Name of the class, where the graph is told one.
    class: Option<String>,
    /// Name and `C` of the values, where the graph is told some.
    told: Option<(String, usize)>,
    /// `Q`
    width: i64,
}

impl StepGraph {
    /// Loads a graph with one input of codes or real values, perhaps a class, and one output.
    ///
    /// # Errors
    /// What ONNX Runtime said, or why the graph is none of these.
    pub fn new(runtime: &Runtime, graph: &[u8], spec: &GraphSpec) -> Result<Self, String> {
        let ([symbols, told @ ..], [outputs]) = (&spec.inputs[..], &spec.outputs[..]) else {
            return Err("a step graph has one input and one output besides its state".into());
        };
        let (class, told) = match told {
            [] => (None, None),
            [class] if class.element == ElementType::I64 => (Some(class.name.clone()), None),
            [told] => match told.shape[..] {
                [_, channels, _] if channels > 0 => (None, Some((told.name.clone(), channels as usize))),
                _ => return Err("what a step graph is told has no width".into()),
            },
            _ => return Err("a step graph is told one thing at most".into()),
        };
        let width = outputs.shape.get(1).copied().filter(|&width| width > 0).ok_or("the output has no width")?;
        let (symbols, outputs) = (symbols.name.clone(), outputs.name.clone());
        Ok(Self { graph: Graph::new(runtime, graph, spec, 1)?, symbols, outputs, class, told, width })
    }

    /// `C`: values that the graph is told of every frame; 0 where it is told none.
    pub fn told_width(&self) -> usize {
        self.told.as_ref().map_or(0, |(_, width)| *width)
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

    /// Runs the graph over `symbols` and moves the state on. `outputs` gets `[Q, T]`, row by row. A graph without classes does
    /// not heed the class.
    ///
    /// # Errors
    /// What ONNX Runtime said. The state is then of no more use.
    pub fn run<S: Symbol>(
        &self,
        state: &mut GraphState,
        class: u32,
        symbols: &[S],
        outputs: &mut Vec<f32>,
    ) -> Result<(), String> {
        self.run_told(state, class, symbols, &[], outputs)
    }

    /// As [`StepGraph::run`], where the graph is told `told` `[C, T]`, row by row, of the frames that are predicted.
    ///
    /// # Errors
    /// As [`StepGraph::run`].
    pub fn run_told<S: Symbol>(
        &self,
        state: &mut GraphState,
        class: u32,
        symbols: &[S],
        told: &[f32],
        outputs: &mut Vec<f32>,
    ) -> Result<(), String> {
        let class = self.class.as_ref().map(|_| Tensor::i64(&[1], vec![class.into()]));
        let axes = |width: usize| [1, width as i64, symbols.len() as i64];
        let told = self.told.as_ref().map(|(_, width)| Tensor::f32(&axes(*width), told.to_vec()));
        let inputs = std::iter::once(S::tensor(symbols)).chain(class).chain(told).collect();
        match self.graph.run(state, inputs)?.pop() {
            Some(Tensor { values: Values::F32(values), .. }) => {
                *outputs = values;
                Ok(())
            }
            _ => Err("there is no output of floats".into()),
        }
    }

    /// Binds tensors to the graph's inputs and outputs once, so that stepping moves no memory of its own.
    ///
    /// # Errors
    /// What ONNX Runtime said.
    pub fn bind<S: Symbol>(&self, state: &GraphState, class: u32) -> Result<BoundState<S>, String> {
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
        let mut symbols = OrtTensor::<S::Element>::new(allocator, [1i64, 1]).map_err(text)?;
        let mut outputs = OrtTensor::<f32>::new(allocator, [1, self.width, 1]).map_err(text)?;
        let mut asked = OrtTensor::<i64>::new(allocator, [1i64]).map_err(text)?;
        asked.extract_tensor_mut().1.fill(class.into());
        let mut told = OrtTensor::<f32>::new(allocator, [1, self.told_width().max(1) as i64, 1]).map_err(text)?;
        told.extract_tensor_mut().1.fill(0.0);
        let bind = |from: &mut [DynTensor],
                    to: &mut [DynTensor],
                    symbols: &mut OrtTensor<S::Element>,
                    outputs: &mut OrtTensor<f32>|
         -> Result<IoBinding, ort::Error> {
            let mut binding = session.create_binding()?;
            binding.bind_input(&self.symbols, &*symbols)?;
            if let Some(class) = &self.class {
                binding.bind_input(class, &asked)?;
            }
            if let Some((name, _)) = &self.told {
                binding.bind_input(name, &told)?;
            }
            binding.bind_output(&self.outputs, outputs)?;
            for ((pair, from), to) in self.states().zip(from).zip(to) {
                binding.bind_input(&pair.input, &*from)?;
                binding.bind_output(&pair.output, to)?;
            }
            Ok(binding)
        };
        let there = bind(&mut front, &mut back, &mut symbols, &mut outputs).map_err(text)?;
        let again = bind(&mut back, &mut front, &mut symbols, &mut outputs).map_err(text)?;
        let states = [front, back];
        Ok(BoundState { bindings: [there, again], states, symbols, outputs, class: asked, told, turn: 0 })
    }

    /// Runs the graph over one frame and moves the state on; gives the `Q` outputs for the next.
    ///
    /// # Errors
    /// What ONNX Runtime said. The state is then of no more use.
    pub fn step<'a, S: Symbol>(&self, state: &'a mut BoundState<S>, symbol: S) -> Result<&'a [f32], String> {
        let text = |error: ort::Error| error.to_string();
        let (_, symbols) = state.symbols.extract_tensor_mut();
        symbols.fill(symbol.element());
        let mut session = self.graph.session();
        // A binding may keep a copy of what was bound, so the symbol is bound anew.
        let binding = &mut state.bindings[state.turn];
        binding.bind_input(&self.symbols, &state.symbols).map_err(text)?;
        if let Some((name, _)) = &self.told {
            binding.bind_input(name, &state.told).map_err(text)?;
        }
        session.run_binding(binding).map_err(text)?;
        state.turn = 1 - state.turn;
        Ok(state.outputs.extract_tensor().1)
    }

    /// Another variation with the same state.
    ///
    /// # Errors
    /// What ONNX Runtime said.
    pub fn copy<S: Symbol>(&self, state: &BoundState<S>) -> Result<BoundState<S>, String> {
        let newest = &state.states[state.turn];
        let copy = |(pair, value): (&StatePair, &DynTensor)| {
            Tensor::from_ort(&value.view().into_dyn(), pair.element)?.into_ort()
        };
        let values = self.states().zip(newest).map(copy).collect::<Result<_, _>>()?;
        let class = state.class.extract_tensor().1.first().copied().unwrap_or_default();
        let mut copy = self.bind(&GraphState(values), u32::try_from(class).unwrap_or_default())?;
        copy.tell(state.told.extract_tensor().1)?;
        Ok(copy)
    }

    fn states(&self) -> impl Iterator<Item = &StatePair> {
        self.graph.spec().state.iter()
    }
}

/// The state of one variation that is stepped frame by frame: two sets of tensors which are input and output by turns.
#[derive(Debug)]
pub struct BoundState<S: Symbol> {
    bindings: [IoBinding; 2],
    states: [Vec<DynTensor>; 2],
    symbols: OrtTensor<S::Element>,
    outputs: OrtTensor<f32>,
    class: OrtTensor<i64>,
    /// What the graph is told of the frames to come; one value where it is told nothing.
    told: OrtTensor<f32>,
    /// The set that holds the newest state, and the binding that reads it.
    turn: usize,
}

impl<S: Symbol> BoundState<S> {
    /// Tells the graph these values in the frames to come, until it is told others.
    ///
    /// # Errors
    /// That there are too many or too few.
    pub fn tell(&mut self, values: &[f32]) -> Result<(), String> {
        let (_, told) = self.told.extract_tensor_mut();
        if told.len() != values.len() {
            return Err(format!("it was told {} values in place of {}", values.len(), told.len()));
        }
        told.copy_from_slice(values);
        Ok(())
    }
}

fn copy<T: PrimitiveTensorElementType + Copy>(from: &DynValue, to: &mut DynTensor) -> Result<(), String> {
    let (_, from) = from.try_extract_tensor::<T>().map_err(|error| error.to_string())?;
    let (_, to) = to.try_extract_tensor_mut::<T>().map_err(|error| error.to_string())?;
    to.copy_from_slice(from);
    Ok(())
}
