//! ONNX Runtime behind types: [`Graph`] is any graph of a package with its state pairs, [`StepGraph`] one that takes codes
//! or real values, frame by frame.

mod graph;
mod step;
mod stepper;

pub use graph::{Graph, GraphState, Tensor, Values};
pub use step::{BoundState, StepGraph};
pub use stepper::GraphStepper;
