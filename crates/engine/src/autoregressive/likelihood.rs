//! How likely a network holds real audio to be.

use super::stepper::{Stepper, Told};
use crate::error::EngineError;
use crate::source::Source;

/// Sequences that are stepped together.
const TOGETHER: usize = 8;

/// The mean negative log-likelihood of codes, in nats per frame.
///
/// Each sequence primes with its first `reach` codes; every later one counts. All have the same length.
///
/// # Errors
/// [`EngineError::Request`] for sequences of different lengths or with nothing to count; [`EngineError::NotFinite`] from a
/// damaged model, [`EngineError::Session`] from ONNX Runtime.
pub(crate) fn nll_nats<S: Stepper<Symbol = u32>>(
    source: &Source,
    stepper: &S,
    reach: usize,
    levels: usize,
    sequences: &[Vec<u32>],
) -> Result<f64, EngineError> {
    told_nll_nats(source, stepper, reach, levels, sequences, |_| Ok(Untold))
}

/// What a network is told of recordings that are known to their ends.
pub(crate) trait Teller {
    /// What it is told of the frame with this number; `None` where it is told nothing.
    fn tell(&mut self, frame: usize) -> Result<Option<Told<'_>>, EngineError>;
}

/// Tells nothing.
struct Untold;

impl Teller for Untold {
    fn tell(&mut self, _frame: usize) -> Result<Option<Told<'_>>, EngineError> {
        Ok(None)
    }
}

/// As [`nll_nats`], of a network that is told something: `teller` is asked for what of sequences that are stepped together.
///
/// # Errors
/// As [`nll_nats`].
pub(crate) fn told_nll_nats<S: Stepper<Symbol = u32>, T: Teller>(
    source: &Source,
    stepper: &S,
    reach: usize,
    levels: usize,
    sequences: &[Vec<u32>],
    teller: impl Fn(&[Vec<u32>]) -> Result<T, EngineError>,
) -> Result<f64, EngineError> {
    let refuse = |reason: String| EngineError::Request { setting: "the sequences", reason };
    let failed = |reason| source.failed(reason);
    let length = sequences.first().map_or(0, Vec::len);
    if length <= reach {
        return Err(refuse(format!("hold {length} frames; they need more than the receptive field of {reach}")));
    }
    if sequences.iter().any(|sequence| sequence.len() != length) {
        return Err(refuse("differ in length".into()));
    }
    let (mut total, mut count) = (0.0, 0u64);
    for (group, together) in sequences.chunks(TOGETHER).enumerate() {
        let mut stepper = stepper.fork(together.len()).map_err(failed)?;
        if let Some(code) = together.iter().flatten().find(|&&code| code as usize >= levels) {
            return Err(refuse(format!("hold {code}, a code above {}", levels - 1)));
        }
        let mut teller = teller(together)?;
        let mut heard = 0;
        while heard < reach - 1 {
            // A code leads to the frame behind it, and that is what the network is told of.
            let told = teller.tell(heard + 1)?;
            let until = told.map_or(reach - 1, |told| (heard + told.steps.max(1)).min(reach - 1));
            let primed: Vec<u32> = together.iter().flat_map(|codes| &codes[heard..until]).copied().collect();
            stepper.prime(&primed, told, reach - 1 - until).map_err(failed)?;
            heard = until;
        }
        let mut newest = vec![0; together.len()];
        for frame in reach - 1..length - 1 {
            together.iter().zip(&mut newest).for_each(|(codes, newest)| *newest = codes[frame]);
            let stride = stepper.step(&newest, teller.tell(frame + 1)?).map_err(failed)?;
            for (index, (codes, logits)) in together.iter().zip(stepper.outputs().chunks_exact(stride)).enumerate() {
                let logits = logits.get(..levels).ok_or_else(|| failed(format!("{stride} logits came out")))?;
                let loss = log_sum_exp(logits) - f64::from(logits[codes[frame + 1] as usize]);
                if !loss.is_finite() {
                    return Err(source.not_finite((group * TOGETHER + index) as u32, frame as u64));
                }
                total += loss;
                count += 1;
            }
        }
    }
    Ok(total / count as f64)
}

fn log_sum_exp(logits: &[f32]) -> f64 {
    let largest = f64::from(logits.iter().copied().fold(f32::NEG_INFINITY, f32::max));
    largest + logits.iter().map(|&logit| (f64::from(logit) - largest).exp()).sum::<f64>().ln()
}
