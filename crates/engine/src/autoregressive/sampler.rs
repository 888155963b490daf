//! From logits to the code of the next frame.

use crate::kernels::Kernel;
use crate::random::{self, Place};
use crate::sampling::Sampling;

/// Values that are taken together.
const RUN: usize = 16;

/// Draws codes; holds what it needs for that between frames.
///
/// All kernels give the same weights, so what is drawn does not depend on which one is there.
#[derive(Debug, Clone)]
pub(crate) struct Sampler {
    kernel: Kernel,
    weights: Vec<f32>,
    sums: Vec<f64>,
    ranked: Vec<f32>,
}

impl Default for Sampler {
    fn default() -> Self {
        Self { kernel: Kernel::best(), weights: Vec::new(), sums: Vec::new(), ranked: Vec::new() }
    }
}

impl Sampler {
    /// The code for a place; `None` where a logit is not a finite number.
    ///
    /// Ties go to the lower code: for the likeliest code, and at the edge of the `top_k` likeliest.
    pub fn draw(&mut self, logits: &[f32], sampling: &Sampling, place: Place) -> Option<u32> {
        let highest = self.kernel.highest(logits)?;
        let likeliest = logits.iter().position(|&logit| logit >= highest)?;
        if sampling.temperature < f32::MIN_POSITIVE || sampling.top_k == 1 {
            return Some(likeliest as u32);
        }
        self.kernel.weigh(logits, highest, 1.0 / sampling.temperature, &mut self.weights);
        let kept = sampling.top_k as usize;
        if kept > 0 && kept < logits.len() {
            self.keep_likeliest(logits, kept);
        }
        let wanted = random::uniform(sampling.rng_seed, place);
        Some(self.at(wanted).unwrap_or(likeliest) as u32)
    }

    /// How unlikely a code is in the softmax of logits, whatever the settings it was drawn with, in nats.
    pub fn surprise(&mut self, logits: &[f32], code: u32) -> Option<f64> {
        let highest = self.kernel.highest(logits)?;
        let logit = *logits.get(code as usize)?;
        self.kernel.weigh(logits, highest, 1.0, &mut self.weights);
        let total: f64 = self.weights.iter().copied().map(f64::from).sum();
        Some(total.ln() - (f64::from(logit) - f64::from(highest)))
    }

    /// The code at which the running sum of the weights passes `wanted` times their total.
    fn at(&mut self, wanted: f64) -> Option<usize> {
        // Sums of runs do not wait for one another; the running sum then goes over runs, and within one only.
        self.sums.clear();
        self.sums.extend(self.weights.chunks(RUN).map(|run| run.iter().copied().map(f64::from).sum::<f64>()));
        let wanted = wanted * self.sums.iter().sum::<f64>();
        let mut before = 0.0;
        for (index, (run, sum)) in self.weights.chunks(RUN).zip(&self.sums).enumerate() {
            if before + sum > wanted {
                let mut within = 0.0;
                let passed = run.iter().position(|&weight| {
                    within += f64::from(weight);
                    before + within > wanted
                });
                return passed.map(|code| index * RUN + code);
            }
            before += sum;
        }
        None
    }

    /// Sets the weights of all but the `kept` likeliest codes to zero.
    fn keep_likeliest(&mut self, logits: &[f32], kept: usize) {
        self.ranked.clear();
        self.ranked.extend_from_slice(logits);
        let (_, &mut edge, _) = self.ranked.select_nth_unstable_by(kept - 1, |a, b| b.total_cmp(a));
        let mut at_edge = kept - logits.iter().filter(|&&logit| logit > edge).count();
        for (&logit, weight) in logits.iter().zip(&mut self.weights) {
            // −0 and 0 are equal here, as they are to the softmax.
            let keep = logit > edge || (logit >= edge && at_edge > 0);
            if keep && logit <= edge {
                at_edge -= 1;
            }
            if !keep {
                *weight = 0.0;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(variation: u32, frame: u64) -> Place {
        Place { variation, frame, channel: 0 }
    }

    fn draw(logits: &[f32], temperature: f32, top_k: u32, frame: u64) -> Option<u32> {
        Sampler::default().draw(
            logits,
            &Sampling { temperature, top_k, rng_seed: 9, ..Sampling::default() },
            place(0, frame),
        )
    }

    fn histogram(logits: &[f32], temperature: f32, top_k: u32, draws: u64) -> Vec<f64> {
        let mut counts = vec![0.0; logits.len()];
        let mut sampler = Sampler::default();
        let sampling = Sampling { temperature, top_k, rng_seed: 1, ..Sampling::default() };
        for frame in 0..draws {
            counts[sampler.draw(logits, &sampling, place(3, frame)).unwrap() as usize] += 1.0 / draws as f64;
        }
        counts
    }

    #[test]
    fn surprise_is_the_negative_logarithm_of_the_softmax() {
        let logits = [0.0f32, 1.0, -1.0, 2.0];
        let total: f64 = logits.iter().map(|&logit| f64::from(logit).exp()).sum();
        let mut sampler = Sampler::default();
        for (code, &logit) in (0..).zip(&logits) {
            let found = sampler.surprise(&logits, code).unwrap();
            assert!((found - (total.ln() - f64::from(logit))).abs() < 1e-6, "{code}: {found}");
        }
        assert_eq!(sampler.surprise(&logits, 4), None);
        assert_eq!(sampler.surprise(&[f32::NAN], 0), None);
    }

    #[test]
    fn frequencies_are_the_softmax() {
        let logits = [0.0f32, 1.0, -1.0, 2.0];
        for temperature in [0.5f32, 1.0, 3.0] {
            let weights: Vec<f64> = logits.iter().map(|logit| f64::from(logit / temperature).exp()).collect();
            let total: f64 = weights.iter().sum();
            for (found, weight) in histogram(&logits, temperature, 0, 40_000).iter().zip(&weights) {
                assert!((found - weight / total).abs() < 0.01, "at {temperature}: {found} for {}", weight / total);
            }
        }
    }

    #[test]
    fn top_k_keeps_the_likeliest_and_ties_by_code() {
        let found = histogram(&[0.0, 1.0, 1.0, 1.0, -3.0], 1.0, 2, 10_000);
        assert!((found[1] - 0.5).abs() < 0.02 && (found[2] - 0.5).abs() < 0.02, "{found:?}");
        let signed_zeros = histogram(&[-0.0, 0.0, -0.0, -1.0], 1.0, 2, 1_000);
        assert!((signed_zeros[0] + signed_zeros[1] - 1.0).abs() < 1e-9, "{signed_zeros:?}");
        // More than there are is all.
        assert_eq!(histogram(&[0.0, 1.0], 1.0, 5, 500), histogram(&[0.0, 1.0], 1.0, 0, 500));
    }

    #[test]
    fn no_temperature_takes_the_first_of_the_likeliest() {
        for frame in 0..20 {
            assert_eq!(draw(&[0.0, 4.0, 4.0, 1.0], 0.0, 0, frame), Some(1));
            assert_eq!(draw(&[0.0, 4.0, 4.0, 1.0], 1.0, 1, frame), Some(1));
            assert_eq!(draw(&[5.0, -4.0, 4.0, 1.0], 1e-6, 0, frame), Some(0));
        }
    }

    #[test]
    fn what_is_no_distribution_is_refused() {
        for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            assert_eq!(draw(&[0.0, bad, 1.0], 1.0, 0, 0), None);
            assert_eq!(draw(&[bad, 0.0, 1.0], 0.0, 0, 0), None);
        }
        assert_eq!(draw(&[], 1.0, 0, 0), None);
        // Logits near the ends of the range are still numbers.
        assert_eq!(draw(&[f32::MIN, 3e38], 1.0, 0, 0), Some(1));
    }
}
