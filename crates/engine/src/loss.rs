//! What a model loses in a precision, measured on real audio.

use crate::error::EngineError;
use crate::kernels::Precision;
use crate::model::Model;
use std::sync::Arc;

/// Sequences that are stepped together.
const TOGETHER: usize = 8;

impl Model {
    /// The mean negative log-likelihood of codes under the model computed in `precision`, in nats per frame.
    ///
    /// Each sequence primes with its first receptive field; every later code counts. All have the same length.
    ///
    /// # Errors
    /// [`EngineError::Request`] for sequences of different lengths or with nothing to count; as
    /// [`Generator::step`](crate::Generator::step).
    pub fn loss_nats(self: &Arc<Self>, precision: Precision, sequences: &[Vec<u32>]) -> Result<f64, EngineError> {
        let refuse = |reason: String| EngineError::Request { setting: "the sequences", reason };
        let reach = usize::try_from(self.manifest().receptive_field_frames).unwrap_or(usize::MAX);
        let length = sequences.first().map_or(0, Vec::len);
        if length <= reach {
            return Err(refuse(format!("hold {length} frames; they need more than the receptive field of {reach}")));
        }
        if sequences.iter().any(|sequence| sequence.len() != length) {
            return Err(refuse("differ in length".into()));
        }
        let levels = self.levels() as usize;
        let (mut total, mut count) = (0.0, 0u64);
        for (group, together) in sequences.chunks(TOGETHER).enumerate() {
            let failed = |reason| self.session_failed(reason);
            let mut takes = self.one_take(Some(precision))?;
            takes.part(together.len()).map_err(failed)?;
            let primed: Vec<u32> = together.iter().flat_map(|codes| &codes[..reach - 1]).copied().collect();
            takes.feed(&primed, 0).map_err(failed)?;
            let mut newest = vec![0; together.len()];
            for frame in reach - 1..length - 1 {
                together.iter().zip(&mut newest).for_each(|(codes, newest)| *newest = codes[frame]);
                let stride = takes.step(&newest).map_err(failed)?;
                for (take, (codes, logits)) in together.iter().zip(takes.logits().chunks_exact(stride)).enumerate() {
                    let wanted = logits[..levels].get(codes[frame + 1] as usize);
                    let wanted = wanted.ok_or_else(|| refuse(format!("hold a code above {}", levels - 1)))?;
                    let loss = log_sum_exp(&logits[..levels]) - f64::from(*wanted);
                    if !loss.is_finite() {
                        let take = (group * TOGETHER + take) as u32;
                        return Err(EngineError::NotFinite { path: self.path().to_owned(), take, frame: frame as u64 });
                    }
                    total += loss;
                    count += 1;
                }
            }
        }
        Ok(total / count as f64)
    }
}

fn log_sum_exp(logits: &[f32]) -> f64 {
    let largest = f64::from(logits.iter().copied().fold(f32::NEG_INFINITY, f32::max));
    largest + logits.iter().map(|&logit| (f64::from(logit) - largest).exp()).sum::<f64>().ln()
}
