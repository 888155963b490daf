//! How a WaveNet is trained: `[training]` of its configuration.

use serde::{Deserialize, Serialize};

use crate::config::ConfigFault;
use crate::data::dataset::Order;
use crate::nn::{Adam, AdamSettings, Decay, Optimiser, Precision, RmsProp, RmsPropSettings, Schedule, Sgd};

/// Optimisation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Training {
    /// Steps of the optimiser after which training is finished.
    pub steps: u64,
    /// Sequences per step.
    pub batch: usize,
    /// Frames of each sequence that count for the loss; the receptive field comes in front of them.
    pub chunk_frames: usize,
    /// Shuffled over the whole dataset, or recording after recording.
    #[serde(default = "shuffled")]
    pub order: Order,
    /// What turns gradients into steps.
    #[serde(default)]
    pub optimiser: Kind,
    /// The learning rate at its highest.
    pub learning_rate: f64,
    /// Steps over which the learning rate rises from 0.
    #[serde(default)]
    pub warmup_steps: u64,
    /// How the learning rate falls towards the end.
    #[serde(default)]
    pub decay: Decay,
    /// The last steps, over which it falls; 0 with `decay = "none"`.
    #[serde(default)]
    pub decay_steps: u64,
    /// Share of the learning rate that is left at the last step.
    #[serde(default)]
    pub decay_to: f64,
    /// Adam's decay of the first moment.
    #[serde(default = "beta1")]
    pub beta1: f64,
    /// Adam's decay of the second moment.
    #[serde(default = "beta2")]
    pub beta2: f64,
    /// Adam's and RMSprop's ε.
    #[serde(default = "epsilon")]
    pub epsilon: f64,
    /// RMSprop's decay of the mean square.
    #[serde(default = "rho")]
    pub rho: f64,
    /// Share of the last step that RMSprop and SGD make again.
    #[serde(default)]
    pub momentum: f64,
    /// Weight of half the sum of all squared weights, biases not among them, in what is minimised (L2 regularisation, as
    /// tensorflow-wavenet has it). 0 = none.
    #[serde(default)]
    pub l2: f64,
    /// Largest norm of the gradient over all weights together; larger ones are scaled down. 0 = no limit.
    #[serde(default)]
    pub clip_norm: f64,
    /// Weight of the logits' mean square in what is minimised (never in the losses that are shown). Where a frame is
    /// certain, as in digital silence, cross-entropy alone lets logits grow for ever, which gains nothing. 0 = none.
    #[serde(default)]
    pub logit_penalty: f64,
    /// Decay of the moving average of the weights, which is what is measured and exported. 0 = the weights themselves.
    #[serde(default = "average")]
    pub average_decay: f64,
    /// Decides the initial weights and the order of the chunks.
    #[serde(default)]
    pub rng_seed: u64,
    /// In what arithmetic a GPU multiplies; weights, sums and the optimiser stay f32. The CPU computes in f32 in any case.
    #[serde(default, skip_serializing_if = "Precision::is_f32")]
    pub precision: Precision,
    /// Threads on the CPU; 0 = one per core. Results do not depend on it.
    #[serde(default)]
    pub threads: usize,
    /// Minutes between checkpoints.
    #[serde(default = "checkpoint_minutes")]
    pub checkpoint_minutes: f64,
    /// So many of the newest checkpoints stay; the one that measured best stays in any case.
    #[serde(default = "keep_checkpoints")]
    pub keep_checkpoints: usize,
    /// Checkpoints of every so many steps stay for good; 0 = none.
    #[serde(default)]
    pub keep_every_steps: u64,
    /// Steps between lines of the log.
    #[serde(default = "log_every_steps")]
    pub log_every_steps: u64,
}

/// What turns gradients into steps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Kingma & Ba 2015.
    #[default]
    Adam,
    /// Tieleman & Hinton 2012.
    RmsProp,
    /// Stochastic gradient descent with momentum.
    Sgd,
}

fn shuffled() -> Order {
    Order::Shuffled
}
fn beta1() -> f64 {
    0.9
}
fn beta2() -> f64 {
    0.999
}
fn rho() -> f64 {
    0.9
}
fn epsilon() -> f64 {
    1e-8
}
fn average() -> f64 {
    0.999
}
fn checkpoint_minutes() -> f64 {
    5.0
}
fn keep_checkpoints() -> usize {
    2
}
fn log_every_steps() -> u64 {
    50
}

impl Training {
    /// The learning rate's course.
    pub fn schedule(&self) -> Schedule {
        Schedule {
            steps: self.steps,
            learning_rate: self.learning_rate,
            warmup_steps: self.warmup_steps,
            decay: self.decay,
            decay_steps: self.decay_steps,
            decay_to: self.decay_to,
        }
    }

    /// The optimiser, before its first step, for `len` weights.
    pub fn optimiser(&self, len: usize) -> Box<dyn Optimiser> {
        let Self { beta1, beta2, epsilon, rho, momentum, .. } = *self;
        match self.optimiser {
            Kind::Adam => Box::new(Adam::new(AdamSettings { beta1, beta2, epsilon }, len)),
            Kind::RmsProp => Box::new(RmsProp::new(RmsPropSettings { decay: rho, momentum, epsilon }, len)),
            Kind::Sgd => Box::new(Sgd::new(momentum, len)),
        }
    }

    /// Checks every value.
    pub(in crate::family) fn validate(&self) -> Result<(), ConfigFault> {
        let check = ConfigFault::unless;
        let share = |value: f64| (0.0..1.0).contains(&value);
        check(self.steps > 0, "training.steps", "must be at least 1")?;
        check((1..=4096).contains(&self.batch), "training.batch", "must be 1 to 4096")?;
        check((1..=1 << 24).contains(&self.chunk_frames), "training.chunk_frames", "must be 1 to 16777216")?;
        check(self.learning_rate.is_finite() && self.learning_rate > 0.0, "training.learning_rate", "must be above 0")?;
        check((0.0..=1.0).contains(&self.decay_to), "training.decay_to", "must be 0 to 1")?;
        check(share(self.beta1), "training.beta1", "must be at least 0 and below 1")?;
        check(share(self.rho), "training.rho", "must be at least 0 and below 1")?;
        check(share(self.momentum), "training.momentum", "must be at least 0 and below 1")?;
        check((0.0..=1.0).contains(&self.l2), "training.l2", "must be 0 to 1")?;
        check(share(self.beta2), "training.beta2", "must be at least 0 and below 1")?;
        check(share(self.average_decay), "training.average_decay", "must be at least 0 and below 1")?;
        check(self.epsilon.is_finite() && self.epsilon > 0.0, "training.epsilon", "must be above 0")?;
        check(self.clip_norm.is_finite() && self.clip_norm >= 0.0, "training.clip_norm", "must not be negative")?;
        check(
            (0.0..=1.0).contains(&self.logit_penalty),
            "training.logit_penalty",
            "must be 0 to 1; 0.00001 bounds the logits without a cost that shows",
        )?;
        check(self.threads <= 1024, "training.threads", "must be at most 1024")?;
        check(
            self.checkpoint_minutes.is_finite() && self.checkpoint_minutes > 0.0,
            "training.checkpoint_minutes",
            "must be above 0",
        )?;
        check((1..=1 << 20).contains(&self.keep_checkpoints), "training.keep_checkpoints", "must be 1 to 1048576")?;
        check(self.log_every_steps > 0, "training.log_every_steps", "must be at least 1")
    }
}
