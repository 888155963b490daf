//! Variations that ONNX Runtime steps.

use super::step::{BoundState, StepGraph};
use crate::autoregressive::Stepper;
use std::sync::Arc;

/// Variations that ONNX Runtime steps, one after another and one frame per run: how it rounds depends on the number of
/// frames and variations in a run, and a variation's bits must not.
#[derive(Debug)]
pub struct GraphStepper {
    graph: Arc<StepGraph>,
    states: Vec<BoundState>,
    logits: Vec<f32>,
}

impl GraphStepper {
    /// One variation before its first frame.
    ///
    /// # Errors
    /// What ONNX Runtime said.
    pub fn new(graph: Arc<StepGraph>) -> Result<Self, String> {
        let states = vec![graph.bind(&graph.initial_state()?)?];
        Ok(Self { graph, states, logits: Vec::new() })
    }
}

impl Stepper for GraphStepper {
    type Symbol = u32;

    fn restart(&mut self) -> Result<(), String> {
        self.states = vec![self.graph.bind(&self.graph.initial_state()?)?];
        Ok(())
    }

    fn batch(&self) -> usize {
        self.states.len()
    }

    fn fork(&self, batch: usize) -> Result<Self, String> {
        let first = self.states.first().ok_or("there is no variation to copy")?;
        let states = (0..batch).map(|_| self.graph.copy(first)).collect::<Result<_, _>>()?;
        Ok(Self { graph: Arc::clone(&self.graph), states, logits: Vec::new() })
    }

    fn prime(&mut self, codes: &[u32], _condition: Option<&[f32]>, _steps_after: usize) -> Result<(), String> {
        let steps = codes.len() / self.states.len().max(1);
        for (state, codes) in self.states.iter_mut().zip(codes.chunks_exact(steps.max(1))) {
            for &code in codes {
                self.graph.step(state, code)?;
            }
        }
        Ok(())
    }

    fn step(&mut self, codes: &[u32], _condition: Option<&[f32]>) -> Result<usize, String> {
        self.logits.clear();
        for (state, &code) in self.states.iter_mut().zip(codes) {
            self.logits.extend_from_slice(self.graph.step(state, code)?);
        }
        Ok(self.logits.len() / self.states.len().max(1))
    }

    fn outputs(&self) -> &[f32] {
        &self.logits
    }
}
