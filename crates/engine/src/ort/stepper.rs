//! Variations that ONNX Runtime steps.

use super::step::{BoundState, StepGraph};
use crate::autoregressive::{Stepper, Told};
use crate::symbol::Symbol;
use std::sync::Arc;

/// Variations that ONNX Runtime steps, one after another and one frame per run: how it rounds depends on the number of
/// frames and variations in a run, and a variation's bits must not.
#[derive(Debug)]
pub struct GraphStepper<S: Symbol> {
    graph: Arc<StepGraph>,
    states: Vec<BoundState<S>>,
    class: u32,
    outputs: Vec<f32>,
}

impl<S: Symbol> GraphStepper<S> {
    /// One variation of this class before its first frame.
    ///
    /// # Errors
    /// What ONNX Runtime said.
    pub fn new(graph: Arc<StepGraph>, class: u32) -> Result<Self, String> {
        let states = vec![graph.bind(&graph.initial_state()?, class)?];
        Ok(Self { graph, states, class, outputs: Vec::new() })
    }

    /// Tells each variation what holds from now on.
    fn tell(&mut self, told: Option<Told<'_>>) -> Result<(), String> {
        let Some(told) = told else { return Ok(()) };
        let width = told.values.len() / self.states.len().max(1);
        let mut each = self.states.iter_mut().zip(told.values.chunks_exact(width.max(1)));
        each.try_for_each(|(state, values)| state.tell(values))
    }
}

impl<S: Symbol> Stepper for GraphStepper<S> {
    type Symbol = S;

    fn restart(&mut self) -> Result<(), String> {
        self.states = vec![self.graph.bind(&self.graph.initial_state()?, self.class)?];
        Ok(())
    }

    fn batch(&self) -> usize {
        self.states.len()
    }

    fn fork(&self, batch: usize) -> Result<Self, String> {
        let first = self.states.first().ok_or("there is no variation to copy")?;
        let states = (0..batch).map(|_| self.graph.copy(first)).collect::<Result<_, _>>()?;
        Ok(Self { graph: Arc::clone(&self.graph), states, class: self.class, outputs: Vec::new() })
    }

    fn prime(&mut self, symbols: &[S], told: Option<Told<'_>>, _steps_after: usize) -> Result<(), String> {
        self.tell(told)?;
        let steps = symbols.len() / self.states.len().max(1);
        for (state, symbols) in self.states.iter_mut().zip(symbols.chunks_exact(steps.max(1))) {
            for &symbol in symbols {
                self.graph.step(state, symbol)?;
            }
        }
        Ok(())
    }

    fn step(&mut self, symbols: &[S], told: Option<Told<'_>>) -> Result<usize, String> {
        self.tell(told)?;
        self.outputs.clear();
        for (state, &symbol) in self.states.iter_mut().zip(symbols) {
            self.outputs.extend_from_slice(self.graph.step(state, symbol)?);
        }
        Ok(self.outputs.len() / self.states.len().max(1))
    }

    fn outputs(&self) -> &[f32] {
        &self.outputs
    }
}
