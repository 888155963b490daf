//! The trainer's pass against ONNX Runtime, for a model of real values.

use continuo_engine::Runtime;
use continuo_engine::ort::StepGraph;
use continuo_package::family::wavenet::WaveNetShape;

use super::compute::Compute;
use super::parity::{ParityError, cuts};
use super::sequence::Sequence;

/// The largest difference of a value, full scale being 1: some three steps of 16-bit audio, and as much as logits are allowed.
pub const MOST_DIFFERENCE: f64 = 1e-4;

/// Frames compared, and the largest absolute difference of a value.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct ValueParity {
    /// Frames compared.
    pub frames: usize,
    /// Largest absolute difference; infinite where a value is no number.
    pub difference: f64,
}

impl ValueParity {
    /// Nothing if both are the same model, else what differs.
    ///
    /// # Errors
    /// The bound that is broken, in words.
    pub fn check(&self) -> Result<(), String> {
        if self.difference <= MOST_DIFFERENCE {
            return Ok(());
        }
        Err(format!("values differ by up to {:.2e}; {MOST_DIFFERENCE:.0e} is the limit", self.difference))
    }
}

/// Compares on `sequences` of real values (receptive field + N each): once over all frames in one run, and once in runs of
/// uneven lengths with the state carried from run to run.
///
/// # Errors
/// [`ParityError`].
pub fn compare(
    runtime: &Runtime,
    graph: &[u8],
    shape: &WaveNetShape,
    compute: &mut dyn Compute,
    values: &[f32],
    sequences: &[Sequence],
) -> Result<ValueParity, ParityError> {
    let session = StepGraph::new(runtime, graph, &shape.step_graph()).map_err(ParityError::Session)?;
    let receptive = shape.receptive_field_frames() as usize;
    let mut found = ValueParity::default();
    for sequence in sequences {
        let heard = sequence.values();
        let inputs = &heard[..heard.len() - 1];
        let own = compute.outputs(values, sequence)?;
        found.frames += own.len();
        for lengths in cuts(receptive) {
            let mut state = session.initial_state().map_err(ParityError::Session)?;
            let (mut all, mut outputs) = (Vec::new(), Vec::new());
            for length in lengths {
                let end = inputs.len().min(all.len().saturating_add(length));
                if end == all.len() {
                    break;
                }
                let run = &inputs[all.len()..end];
                session.run(&mut state, sequence.class as u32, run, &mut outputs).map_err(ParityError::Session)?;
                all.extend_from_slice(&outputs);
            }
            let theirs = all.get(receptive - 1..).unwrap_or_default();
            if theirs.len() != own.len() {
                let reason = format!("{} values came out for {} frames", all.len(), inputs.len());
                return Err(ParityError::Session(reason));
            }
            for (a, b) in own.iter().zip(theirs) {
                let apart = f64::from(a - b).abs();
                found.difference = if apart.is_finite() { found.difference.max(apart) } else { f64::INFINITY };
            }
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_number_is_a_difference() {
        let found = |difference| ValueParity { frames: 1, difference };
        assert!(found(1e-5).check().is_ok());
        assert!(found(1e-3).check().is_err_and(|reason| reason.contains("1.00e-3")));
        assert!(found(f64::INFINITY).check().is_err());
    }
}
