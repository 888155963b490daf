//! The trainer's logits against ONNX Runtime's, on the graph that was just written.

use continuo_engine::Runtime;
use continuo_engine::ort::StepGraph;
use continuo_package::family::wavenet::WaveNetShape;

use super::reference;
use crate::wavenet::{Compute, ComputeError};

/// The largest difference of a logit between the trainer's pass and ONNX Runtime that an export may show.
pub const TOLERANCE: f64 = 1e-4;

/// What the comparison found.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Parity {
    /// Largest absolute difference of a logit: the trainer's pass against ONNX Runtime. This is what decides.
    pub largest: f64,
    /// The same of the trainer's pass against the model in double precision: what it rounds by.
    pub own: f64,
    /// The same of ONNX Runtime against the model in double precision.
    pub runtime: f64,
    /// Frames compared.
    pub frames: usize,
}

/// Why the comparison could not be made.
#[derive(Debug, thiserror::Error)]
pub enum ParityError {
    /// ONNX Runtime refused the graph or failed.
    #[error("ONNX Runtime: {0}")]
    Session(String),
    /// The trainer's own pass failed.
    #[error(transparent)]
    Compute(#[from] ComputeError),
}

/// Compares on `sequences` of codes (receptive field + N each): once over all frames in one run, and once in runs of
/// uneven lengths, single frames among them, with the state carried from run to run.
///
/// # Errors
/// [`ParityError`].
pub fn compare(
    runtime: &Runtime,
    graph: &[u8],
    shape: &WaveNetShape,
    compute: &mut dyn Compute,
    values: &[f32],
    sequences: &[Vec<u16>],
) -> Result<Parity, ParityError> {
    let session = StepGraph::new(runtime, graph, &shape.step_graph()).map_err(ParityError::Session)?;
    let levels = shape.levels as usize;
    let receptive = shape.receptive_field_frames() as usize;
    let mut parity = Parity { largest: 0.0, own: 0.0, runtime: 0.0, frames: 0 };
    for sequence in sequences {
        let inputs: Vec<u32> = sequence[..sequence.len() - 1].iter().map(|&code| u32::from(code)).collect();
        let expected = reference::logits(shape, values, &inputs);
        let own = compute.logits(values, sequence)?;
        if own.len() != expected.len() {
            let reason = format!("the trainer gave {} logits; {} were expected", own.len(), expected.len());
            return Err(ParityError::Session(reason));
        }
        let differences = own.iter().zip(&expected).map(|(&own, &exact)| (f64::from(own) - exact).abs());
        parity.own = differences.fold(parity.own, larger);
        for lengths in [&[usize::MAX][..], &[receptive + 3, 1, 1, 17, 1, 500, usize::MAX]] {
            let mut state = session.initial_state().map_err(ParityError::Session)?;
            let mut logits = Vec::new();
            let mut position = 0_usize;
            for &length in lengths {
                let end = inputs.len().min(position.saturating_add(length));
                if end == position {
                    break;
                }
                let run = &inputs[position..end];
                session.run(&mut state, run, &mut logits).map_err(ParityError::Session)?;
                if logits.len() != levels * run.len() {
                    let reason = format!("{} logits came out for {} frames", logits.len(), run.len());
                    return Err(ParityError::Session(reason));
                }
                // `logits` is [Q, T]; the trainer's rows begin where the receptive field is full.
                for frame in position.max(receptive - 1)..end {
                    let at = (frame + 1 - receptive) * levels;
                    let rows = own[at..at + levels].iter().zip(&expected[at..at + levels]);
                    for (level, (&ours, &exact)) in rows.enumerate() {
                        let theirs = f64::from(logits[level * run.len() + frame - position]);
                        parity.largest = larger(parity.largest, (theirs - f64::from(ours)).abs());
                        parity.runtime = larger(parity.runtime, (theirs - exact).abs());
                    }
                }
                position = end;
            }
        }
        parity.frames += expected.len() / levels;
    }
    Ok(parity)
}

/// The larger of two differences; NaN is the largest of all.
fn larger(a: f64, b: f64) -> f64 {
    if b.is_nan() { f64::INFINITY } else { a.max(b) }
}
