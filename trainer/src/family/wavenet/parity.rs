//! The trainer's pass against ONNX Runtime, on the graph that was just written.
//!
//! What a model is, is the distribution that it draws from; so that is what is bounded. The logits themselves are only
//! looked at: f32 rounds those of a well-trained model, which are large, by more than it rounds small ones, and a difference
//! in the logit of a code that is never drawn is heard by nobody.

use continuo_engine::Runtime;
use continuo_engine::ort::StepGraph;
use continuo_engine::random::{self, Place};
use continuo_package::family::wavenet::WaveNetShape;

use super::compute::{Compute, ComputeError};
use super::sequence::Sequence;

/// Frames of real audio on which a graph is compared.
pub const COMPARED_FRAMES: usize = 16_000;
/// Frames of these for which a code is drawn.
pub const DRAWN_FRAMES: usize = 4_000;
/// The largest difference of a log-probability, in nats, of codes that are likelier than [`LEAST_PROBABILITY`] in either.
pub const MOST_LOG_PROBABILITY: f64 = 1e-3;
/// Less likely codes are not compared: at 16 000 frames per second, one is drawn in a minute.
pub const LEAST_PROBABILITY: f64 = 1e-6;
/// The largest difference of the mean negative log-likelihood, in nats per frame.
pub const MOST_LIKELIHOOD_NATS: f64 = 1e-5;
/// Where a random number falls this close to the edge between two codes' shares of [0, 1), rounding decides between them, and
/// both are right.
const EDGE: f64 = 1e-4;

/// What the comparison found.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Parity {
    /// Frames compared.
    pub frames: usize,
    /// Largest absolute difference of a logit. Reported, not bounded.
    pub logit: f64,
    /// Largest absolute difference of a log-probability that counts, in nats.
    pub log_probability: f64,
    /// Absolute difference of the mean negative log-likelihoods, in nats per frame.
    pub likelihood_nats: f64,
    /// Frames for which a code was drawn from both.
    pub drawn: usize,
    /// Frames for which the codes differed.
    pub drawn_differently: usize,
}

impl Parity {
    /// Nothing if both are the same model, else what differs.
    ///
    /// # Errors
    /// Which bound is broken, in words.
    pub fn check(&self) -> Result<(), String> {
        if self.log_probability > MOST_LOG_PROBABILITY {
            let found = self.log_probability;
            return Err(format!(
                "log-probabilities differ by up to {found:.2e}; {MOST_LOG_PROBABILITY:.0e} is the limit"
            ));
        }
        if self.likelihood_nats > MOST_LIKELIHOOD_NATS {
            let found = self.likelihood_nats;
            return Err(format!(
                "mean likelihoods differ by {found:.2e} nats; {MOST_LIKELIHOOD_NATS:.0e} is the limit"
            ));
        }
        if self.drawn_differently > 0 {
            return Err(format!(
                "of {} codes that were drawn from both, {} differ",
                self.drawn, self.drawn_differently
            ));
        }
        Ok(())
    }
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

/// Lengths of the runs into which a sequence is cut: one, and uneven ones with single frames among them.
pub fn cuts(receptive: usize) -> [Vec<usize>; 2] {
    [vec![usize::MAX], vec![receptive + 3, 1, 1, 17, 1, 500, usize::MAX]]
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
    sequences: &[Sequence],
) -> Result<Parity, ParityError> {
    let session = StepGraph::new(runtime, graph, &shape.step_graph()).map_err(ParityError::Session)?;
    let levels = shape.levels as usize;
    let receptive = shape.receptive_field_frames() as usize;
    let mut comparison = Comparison::default();
    for sequence in sequences {
        let codes = sequence.codes();
        let inputs: Vec<u32> = codes[..codes.len() - 1].iter().map(|&code| u32::from(code)).collect();
        let own = compute.outputs(values, sequence)?;
        if own.len() != levels * (sequence.len() - receptive) {
            let reason = format!("the trainer gave {} logits for {} frames", own.len(), sequence.len());
            return Err(ParityError::Session(reason));
        }
        let first_frame = comparison.found.frames;
        for lengths in cuts(receptive) {
            let mut state = session.initial_state().map_err(ParityError::Session)?;
            let mut logits = Vec::new();
            let mut position = 0_usize;
            comparison.found.frames = first_frame;
            for length in lengths {
                let end = inputs.len().min(position.saturating_add(length));
                if end == position {
                    break;
                }
                let run = &inputs[position..end];
                session.run(&mut state, sequence.class as u32, run, &mut logits).map_err(ParityError::Session)?;
                if logits.len() != levels * run.len() {
                    let reason = format!("{} logits came out for {} frames", logits.len(), run.len());
                    return Err(ParityError::Session(reason));
                }
                // `logits` is [Q, T]; the trainer's rows begin where the receptive field is full.
                for frame in position.max(receptive - 1)..end {
                    let at = (frame + 1 - receptive) * levels;
                    let theirs = logits[frame - position..].iter().step_by(run.len());
                    comparison.frame(&own[at..at + levels], theirs, usize::from(codes[frame + 1]));
                }
                position = end;
            }
        }
    }
    Ok(comparison.result())
}

/// What is gathered frame by frame.
#[derive(Debug, Default)]
pub(in crate::family) struct Comparison {
    found: Parity,
    /// Sum of the differences of the likelihoods, in nats, and how many.
    likelihood: (f64, usize),
    ours: Distribution,
    theirs: Distribution,
}

impl Comparison {
    /// Takes in the logits of a frame whose code is `code`.
    pub(in crate::family) fn frame<'a>(&mut self, ours: &[f32], theirs: impl Iterator<Item = &'a f32>, code: usize) {
        self.ours.set(ours.iter());
        self.theirs.set(theirs);
        let found = &mut self.found;
        let least = LEAST_PROBABILITY.ln();
        for (level, (&a, &b)) in self.ours.log_probabilities.iter().zip(&self.theirs.log_probabilities).enumerate() {
            let logits = self.ours.logits[level] - self.theirs.logits[level];
            found.logit = larger(found.logit, logits.abs());
            if a.max(b) > least || a.is_nan() || b.is_nan() {
                found.log_probability = larger(found.log_probability, (a - b).abs());
            }
        }
        self.likelihood.0 += self.ours.log_probabilities[code] - self.theirs.log_probabilities[code];
        self.likelihood.1 += 1;
        if found.frames < DRAWN_FRAMES {
            let number = random::uniform(1, Place { variation: 0, frame: found.frames as u64, channel: 0 });
            found.drawn += 1;
            found.drawn_differently += usize::from(self.ours.draws_otherwise(&self.theirs, number));
        }
        found.frames += 1;
    }

    /// What was found.
    pub(in crate::family) fn result(self) -> Parity {
        let (sum, count) = self.likelihood;
        Parity { likelihood_nats: larger(0.0, (sum / count.max(1) as f64).abs()), ..self.found }
    }
}

/// What a code is drawn from.
#[derive(Debug, Default)]
struct Distribution {
    logits: Vec<f64>,
    log_probabilities: Vec<f64>,
}

impl Distribution {
    fn set<'a>(&mut self, logits: impl Iterator<Item = &'a f32>) {
        self.logits.clear();
        self.logits.extend(logits.map(|&logit| f64::from(logit)));
        let highest = self.logits.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let sum: f64 = self.logits.iter().map(|logit| (logit - highest).exp()).sum();
        let all = highest + sum.ln();
        self.log_probabilities.clear();
        self.log_probabilities.extend(self.logits.iter().map(|logit| logit - all));
    }

    /// The code whose share of [0, 1) holds a number, and the share's end.
    fn draw(&self, number: f64) -> usize {
        let mut end = 0.0;
        let found = self.log_probabilities.iter().position(|log_probability| {
            end += log_probability.exp();
            end > number
        });
        found.unwrap_or(self.log_probabilities.len() - 1)
    }

    /// Whether another code is drawn from `other` with the same number, which is not at the edge between the two.
    fn draws_otherwise(&self, other: &Self, number: f64) -> bool {
        let (ours, theirs) = (self.draw(number), other.draw(number));
        let lower = ours.min(theirs);
        let end: f64 = self.log_probabilities[..=lower].iter().map(|log_probability| log_probability.exp()).sum();
        let at_the_edge = (end - number).abs() <= EDGE;
        ours != theirs && !at_the_edge
    }
}

/// The larger of two differences; NaN is the largest of all.
fn larger(a: f64, b: f64) -> f64 {
    if b.is_nan() { f64::INFINITY } else { a.max(b) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Compares the same frame `frames` times.
    fn compared(ours: &[f32], theirs: &[f32], frames: usize) -> Parity {
        let mut comparison = Comparison::default();
        (0..frames).for_each(|_| comparison.frame(ours, theirs.iter(), 0));
        comparison.result()
    }

    #[test]
    fn rounding_of_large_logits_passes_and_another_distribution_does_not() {
        // Far down the tail, and the same for all codes: nobody hears it, though the logits differ by 0.5.
        let found = compared(&[40.0, 39.0, 1.0], &[40.5, 39.5, 1.2], DRAWN_FRAMES);
        assert!(found.check().is_ok() && found.logit > 0.49, "{found:?}");
        assert_eq!((found.frames, found.drawn, found.drawn_differently), (DRAWN_FRAMES, DRAWN_FRAMES, 0));
        // A likelihood that is off by a little, everywhere.
        let found = compared(&[0.0, 0.0], &[1e-4, 0.0], 10);
        assert!(found.check().is_err_and(|reason| reason.contains("likelihoods")), "{found:?}");
        let found = compared(&[0.0, 0.0], &[0.01, 0.0], 10);
        assert!(found.check().is_err_and(|reason| reason.contains("log-probabilities")), "{found:?}");
        let found = compared(&[0.0, 0.0], &[f32::NAN, 0.0], 1);
        assert!(found.check().is_err(), "{found:?}");
    }

    #[test]
    fn a_draw_counts_unless_it_is_at_the_edge() {
        let mut ours = Distribution::default();
        let mut theirs = Distribution::default();
        ours.set([0.0, 0.0].iter());
        theirs.set([0.1, 0.0].iter());
        // Shares end at 0.5 and 0.525.
        assert_eq!([0.49, 0.51, 0.53].map(|number| ours.draws_otherwise(&theirs, number)), [false, true, false]);
        assert!(!ours.draws_otherwise(&theirs, 0.50005), "at the edge");
        theirs.set([f32::NAN, 0.0].iter());
        assert!(ours.draws_otherwise(&theirs, 0.1));
    }
}
