//! A network in training: its weights, what trains them, and their average.

use super::optimiser::{Optimiser, clip};
use super::schedule::Schedule;
use super::tensors::Tensors;
use crate::peers::{Peers, PeersError};

/// A gradient or weight that is no number.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
#[error("{what} is {value}")]
pub struct Diverged {
    /// Which.
    pub what: &'static str,
    /// What it is.
    pub value: f64,
}

impl Diverged {
    /// [`Diverged::what`] where it is the gradient.
    pub const GRADIENT: &str = "the norm of the gradient";
}

/// Why a step was not made.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum Unmoved {
    /// Something is no number any more.
    #[error(transparent)]
    Diverged(#[from] Diverged),
    /// Another worker is lost.
    #[error(transparent)]
    Peers(#[from] PeersError),
}

/// A network with an optimiser of its own. A family may have several.
#[derive(Debug)]
pub struct Network {
    /// Its name within the family.
    pub name: &'static str,
    /// The weights.
    pub weights: Tensors,
    /// Their moving average, in the same layout: what is measured and exported.
    pub average: Vec<f32>,
    /// What trains them.
    pub optimiser: Box<dyn Optimiser>,
    /// The learning rate's course.
    pub schedule: Schedule,
    /// Largest norm of the gradient over all weights together; larger ones are scaled down. 0 = no limit.
    pub clip_norm: f64,
    /// Decay of the average; 0 = the weights themselves.
    pub average_decay: f64,
    /// The workers that train it together: every gradient is averaged over them.
    pub peers: Peers,
}

impl Network {
    /// Before the first step: the average is the weights.
    pub fn new(name: &'static str, weights: Tensors, optimiser: Box<dyn Optimiser>, schedule: Schedule) -> Self {
        let average = weights.values.clone();
        Self {
            name,
            weights,
            average,
            optimiser,
            schedule,
            clip_norm: 0.0,
            average_decay: 0.0,
            peers: Peers::default(),
        }
    }

    /// Starts from these weights in place of its own. They must be as many.
    pub fn start_from(&mut self, values: &[f32]) {
        self.weights.values.copy_from_slice(values);
        self.average.copy_from_slice(values);
    }

    /// Moves the weights one step against `gradient` (the mean over this worker's rows; it becomes that over all workers'
    /// and is clipped), at the learning rate of the run's `step`, counted from 0, and lets the average follow. Gives back
    /// the gradient's norm before clipping.
    ///
    /// # Errors
    /// [`Diverged`] if the norm is no number, and nothing is changed then; or if a weight or its average is none after the
    /// step, and the network is of no more use. [`PeersError`] if another worker is lost; nothing is changed then.
    pub fn update(&mut self, gradient: &mut [f32], step: u64) -> Result<f64, Unmoved> {
        self.peers.mean(gradient)?;
        let norm = clip(gradient, self.clip_norm);
        if !norm.is_finite() {
            return Err(Diverged { what: Diverged::GRADIENT, value: norm }.into());
        }
        self.optimiser.update(self.schedule.learning_rate(step), &mut self.weights.values, gradient);
        follow(&mut self.average, &self.weights.values, self.average_decay, self.optimiser.steps());
        for (what, values) in [("a weight", &self.weights.values), ("an averaged weight", &self.average)] {
            if let Some(&value) = values.iter().find(|value| !value.is_finite()) {
                return Err(Diverged { what, value: value.into() }.into());
            }
        }
        Ok(norm)
    }
}

/// How much of the average stays after the step of this number (from 1): the configured decay, and less at first, so that
/// the initial weights are soon forgotten.
pub(super) fn averaging(decay: f64, step: u64) -> f32 {
    decay.min((1.0 + step as f64) / (10.0 + step as f64)) as f32
}

/// Moves `average` towards `values` after the step of this number (from 1): Polyak averaging with an exponential window.
fn follow(average: &mut [f32], values: &[f32], decay: f64, step: u64) {
    let decay = averaging(decay, step);
    for (average, &value) in average.iter_mut().zip(values) {
        *average = if decay == 0.0 { value } else { value + decay * (*average - value) };
    }
}

#[cfg(test)]
mod tests {
    // Values that no arithmetic has touched are equal, not close.
    #![allow(clippy::float_cmp)]

    use std::sync::Arc;

    use super::*;
    use crate::nn::{Adam, AdamSettings, TensorLayout};

    #[test]
    fn the_average_follows_the_weights() {
        let mut mean = [0.0];
        follow(&mut mean, &[1.0], 0.0, 1);
        assert_eq!(mean, [1.0]);
        // Far into a run the window is the configured one.
        follow(&mut mean, &[2.0], 0.75, 1_000_000);
        assert!((mean[0] - 1.25).abs() < 1e-6);
        // Early on it is short: (1 + 1) / (10 + 1) of the old value stays.
        let mut mean = [11.0];
        follow(&mut mean, &[0.0], 0.999, 1);
        assert!((mean[0] - 2.0).abs() < 1e-5);
    }

    #[test]
    fn a_step_clips_moves_and_averages_and_a_gradient_that_is_no_number_changes_nothing() {
        let layout = Arc::new(TensorLayout::new([("w".to_owned(), vec![2])]));
        let adam = Adam::new(AdamSettings { beta1: 0.9, beta2: 0.999, epsilon: 1e-8 }, 2);
        let mut network = Network::new("net", Tensors::zeros(layout), Box::new(adam), Schedule::constant(0.5));
        network.clip_norm = 1.0;
        let mut gradient = [30.0, -40.0];
        assert!((network.update(&mut gradient, 0).unwrap_or(0.0) - 50.0).abs() < 1e-9);
        assert!((gradient[0] - 0.6).abs() < 1e-6, "clipped");
        // As exact as 1 − 0.999 is in f32.
        assert!((network.weights.values[0] + 0.5).abs() < 1e-5 && (network.weights.values[1] - 0.5).abs() < 1e-5);
        assert_eq!(network.average, network.weights.values, "without a decay the average is the weights");
        let before = network.weights.clone();
        assert!(network.update(&mut [f32::NAN, 0.0], 1).is_err());
        assert_eq!((&network.weights, network.optimiser.steps()), (&before, 1));
    }
}
