//! The learning rate's course over the steps of a run.

use serde::{Deserialize, Serialize};

/// A learning rate that rises over a warm-up, stays, and falls over the last steps.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Schedule {
    /// Steps of the run.
    pub steps: u64,
    /// The learning rate at its highest.
    pub learning_rate: f64,
    /// Steps over which it rises from 0 in a straight line.
    pub warmup_steps: u64,
    /// How it falls.
    pub decay: Decay,
    /// The last steps, over which it falls.
    pub decay_steps: u64,
    /// Share that is left of it at the last step.
    pub decay_to: f64,
}

/// How a learning rate falls over the last `decay_steps`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Decay {
    /// It does not.
    #[default]
    None,
    /// In a straight line.
    Linear,
    /// Along half a cosine.
    Cosine,
}

impl Schedule {
    /// The same rate at every step.
    pub fn constant(learning_rate: f64) -> Self {
        Self { steps: 0, learning_rate, warmup_steps: 0, decay: Decay::None, decay_steps: 0, decay_to: 1.0 }
    }

    /// The learning rate of a step, counted from 0.
    pub fn learning_rate(&self, step: u64) -> f64 {
        let rise = if step < self.warmup_steps { (step + 1) as f64 / self.warmup_steps as f64 } else { 1.0 };
        let start = self.steps.saturating_sub(self.decay_steps);
        let fall = if self.decay == Decay::None || step < start || self.decay_steps == 0 {
            1.0
        } else {
            let progress = ((step - start + 1) as f64 / self.decay_steps as f64).min(1.0);
            let left = match self.decay {
                Decay::Cosine => f64::midpoint(1.0, (std::f64::consts::PI * progress).cos()),
                _ => 1.0 - progress,
            };
            self.decay_to + (1.0 - self.decay_to) * left
        };
        self.learning_rate * rise * fall
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_learning_rate_rises_stays_and_falls() {
        for decay in [Decay::Linear, Decay::Cosine] {
            let schedule =
                Schedule { steps: 100, learning_rate: 2.0, warmup_steps: 10, decay, decay_steps: 20, decay_to: 0.1 };
            let rate = |step| schedule.learning_rate(step);
            assert!((rate(0) - 0.2).abs() < 1e-12 && (rate(9) - 2.0).abs() < 1e-12);
            assert!((rate(50) - 2.0).abs() < 1e-12);
            assert!((rate(89) - 1.1).abs() < 1e-12, "half-way down");
            assert!((rate(99) - 0.2).abs() < 1e-12 && (rate(500) - 0.2).abs() < 1e-12);
        }
        let constant = Schedule::constant(0.5);
        assert!([0, 9, 1 << 40].iter().all(|&step| (constant.learning_rate(step) - 0.5).abs() < 1e-15));
    }
}
