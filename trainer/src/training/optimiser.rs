//! Adam, clipping by the global norm, the learning rate's course and the average of the weights.

use crate::config::{Decay, Training};

/// Adam (Kingma & Ba 2015, algorithm 1) over one flat vector.
#[derive(Debug, Clone, PartialEq)]
pub struct Adam {
    /// First moments.
    pub m: Vec<f32>,
    /// Second moments.
    pub v: Vec<f32>,
    /// Steps made.
    pub step: u64,
}

impl Adam {
    /// Before the first step, for `len` weights.
    pub fn new(len: usize) -> Self {
        Self { m: vec![0.0; len], v: vec![0.0; len], step: 0 }
    }

    /// One step against `gradient`.
    pub fn update(&mut self, training: &Training, learning_rate: f64, values: &mut [f32], gradient: &[f32]) {
        self.step += 1;
        let exponent = i32::try_from(self.step).unwrap_or(i32::MAX);
        let (beta1, beta2) = (training.beta1 as f32, training.beta2 as f32);
        let rate = (learning_rate / (1.0 - training.beta1.powi(exponent))) as f32;
        let correction = (1.0 / (1.0 - training.beta2.powi(exponent))) as f32;
        let epsilon = training.epsilon as f32;
        let moments = self.m.iter_mut().zip(self.v.iter_mut());
        for ((value, &g), (m, v)) in values.iter_mut().zip(gradient).zip(moments) {
            *m = beta1 * *m + (1.0 - beta1) * g;
            *v = beta2 * *v + (1.0 - beta2) * g * g;
            *value -= rate * *m / ((*v * correction).sqrt() + epsilon);
        }
    }
}

/// Scales `gradient` down to a Euclidean norm of `limit` over all weights together (Pascanu et al. 2013); 0 = no limit.
/// Gives back the norm before.
pub fn clip(gradient: &mut [f32], limit: f64) -> f64 {
    let norm = gradient.iter().map(|&g| f64::from(g) * f64::from(g)).sum::<f64>().sqrt();
    if limit > 0.0 && norm > limit {
        let scale = (limit / norm) as f32;
        for value in gradient {
            *value *= scale;
        }
    }
    norm
}

/// The learning rate of a step, counted from 0: a straight rise over the warm-up, then constant, then the decay over
/// the last steps.
pub fn learning_rate(training: &Training, step: u64) -> f64 {
    let rise = if step < training.warmup_steps { (step + 1) as f64 / training.warmup_steps as f64 } else { 1.0 };
    let start = training.steps.saturating_sub(training.decay_steps);
    let fall = if training.decay == Decay::None || step < start || training.decay_steps == 0 {
        1.0
    } else {
        let progress = ((step - start + 1) as f64 / training.decay_steps as f64).min(1.0);
        let left = match training.decay {
            Decay::Cosine => f64::midpoint(1.0, (std::f64::consts::PI * progress).cos()),
            _ => 1.0 - progress,
        };
        training.decay_to + (1.0 - training.decay_to) * left
    };
    training.learning_rate * rise * fall
}

/// Moves `average` towards `values` after the step of this number (from 1): Polyak averaging with an exponential
/// window, which grows with the steps at first so that the initial weights are soon forgotten.
pub fn average(average: &mut [f32], values: &[f32], decay: f64, step: u64) {
    let decay = decay.min((1.0 + step as f64) / (10.0 + step as f64)) as f32;
    for (average, &value) in average.iter_mut().zip(values) {
        *average = if decay == 0.0 { value } else { value + decay * (*average - value) };
    }
}

#[cfg(test)]
mod tests {
    // Values that no arithmetic has touched are equal, not close.
    #![allow(clippy::float_cmp)]

    use super::*;
    use crate::config::Config;
    use std::path::Path;

    fn training() -> Training {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("configs/wavenet-small.toml");
        Config::read(&file).unwrap_or_else(|e| panic!("{e}")).training
    }

    #[test]
    fn adam_makes_the_steps_of_the_paper() {
        // By hand: at the first step the update is the rate times the gradient's sign; the second follows from m and v.
        let training = Training { beta1: 0.9, beta2: 0.99, epsilon: 1e-12, ..training() };
        let mut adam = Adam::new(2);
        let mut values = [1.0, -1.0];
        adam.update(&training, 0.1, &mut values, &[0.5, -20.0]);
        assert!((values[0] - 0.9).abs() < 1e-6 && (values[1] + 0.9).abs() < 1e-6, "{values:?}");
        adam.update(&training, 0.1, &mut values, &[-0.5, -20.0]);
        let m = (0.9 * 0.05 - 0.1 * 0.5) / (1.0 - 0.81);
        let v = (0.99 * 0.0025 + 0.01 * 0.25) / (1.0 - 0.9801);
        assert!((f64::from(values[0]) - (0.9 - 0.1 * m / f64::sqrt(v))).abs() < 1e-6, "{values:?}");
    }

    #[test]
    fn clipping_is_by_the_norm_of_everything() {
        let mut gradient = [3.0, 4.0];
        assert!((clip(&mut gradient, 0.0) - 5.0).abs() < 1e-12);
        assert_eq!(gradient, [3.0, 4.0]);
        clip(&mut gradient, 10.0);
        assert_eq!(gradient, [3.0, 4.0]);
        clip(&mut gradient, 1.0);
        assert!((gradient[0] - 0.6).abs() < 1e-6 && (gradient[1] - 0.8).abs() < 1e-6);
    }

    #[test]
    fn the_learning_rate_rises_stays_and_falls() {
        for decay in [Decay::Linear, Decay::Cosine] {
            let training = Training {
                steps: 100,
                learning_rate: 2.0,
                warmup_steps: 10,
                decay,
                decay_steps: 20,
                decay_to: 0.1,
                ..training()
            };
            let rate = |step| learning_rate(&training, step);
            assert!((rate(0) - 0.2).abs() < 1e-12 && (rate(9) - 2.0).abs() < 1e-12);
            assert!((rate(50) - 2.0).abs() < 1e-12);
            assert!((rate(89) - 1.1).abs() < 1e-12, "half-way down");
            assert!((rate(99) - 0.2).abs() < 1e-12 && (rate(500) - 0.2).abs() < 1e-12);
        }
    }

    #[test]
    fn the_average_follows_the_weights() {
        let mut mean = [0.0];
        average(&mut mean, &[1.0], 0.0, 1);
        assert_eq!(mean, [1.0]);
        // Far into a run the window is the configured one.
        average(&mut mean, &[2.0], 0.75, 1_000_000);
        assert!((mean[0] - 1.25).abs() < 1e-6);
        // Early on it is short: (1 + 1) / (10 + 1) of the old value stays.
        let mut mean = [11.0];
        average(&mut mean, &[0.0], 0.999, 1);
        assert!((mean[0] - 2.0).abs() < 1e-5);
    }
}
