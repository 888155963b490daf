//! The configuration of a WaveNet, `family = "wavenet"`.

use continuo_package::Shape as _;
use continuo_package::family::wavenet::WaveNetShape;
use serde::{Deserialize, Serialize};

use crate::config::{ConfigFault, Corpus};
use crate::data::dataset::Order;
use crate::nn::{AdamSettings, Decay, Schedule};

/// The family's name.
pub const NAME: &str = "wavenet";

/// Everything that decides a run, given a dataset.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// `wavenet`.
    pub family: String,
    /// What the model is.
    pub model: Model,
    /// How it is trained.
    pub training: Training,
    /// How it is measured on held-out recordings.
    #[serde(default)]
    pub evaluation: Evaluation,
    /// What the recordings are; goes into the package's manifest.
    #[serde(default)]
    pub corpus: Corpus,
}

/// Hyper-parameters of a WaveNet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Model {
    /// Frames per second; the dataset must have the same.
    pub sample_rate_hz: u32,
    /// µ-law levels.
    pub levels: u32,
    /// How often the dilations start again from 1.
    pub stacks: u32,
    /// Layers per stack, with dilations 1, 2, 4, ….
    pub layers: u32,
    /// Taps of every dilated convolution.
    pub filter_width: u32,
    /// Channels between layers.
    pub residual_channels: u32,
    /// Channels of the gate's output.
    pub dilation_channels: u32,
    /// Channels summed over layers.
    pub skip_channels: u32,
    /// Channels between the two last convolutions.
    pub end_channels: u32,
    /// Whether convolutions have biases.
    #[serde(default = "yes")]
    pub biases: bool,
}

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
    /// Learning rate of Adam, at its highest.
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
    /// Adam's ε.
    #[serde(default = "epsilon")]
    pub epsilon: f64,
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

/// Measuring on held-out recordings.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Evaluation {
    /// Steps between measurements; 0 = only at the end.
    pub every_steps: u64,
    /// Chunks that are measured, always the same ones.
    pub chunks: usize,
    /// Frames of each chunk that count.
    pub chunk_frames: usize,
    /// Steps between previews, which are sounds in RUN/previews; 0 = none.
    pub preview_every_steps: u64,
}

impl Default for Evaluation {
    fn default() -> Self {
        Self { every_steps: 500, chunks: 32, chunk_frames: 16_384, preview_every_steps: 1_000 }
    }
}

fn yes() -> bool {
    true
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

impl Config {
    /// Reads and checks a configuration.
    ///
    /// # Errors
    /// [`ConfigFault`], which names the field.
    pub fn parse(text: &str) -> Result<Self, ConfigFault> {
        let config: Self = toml::from_str(text).map_err(|error| ConfigFault::Syntax(error.to_string()))?;
        config.validate()?;
        Ok(config)
    }

    fn validate(&self) -> Result<(), ConfigFault> {
        let (model, training) = (&self.model, &self.training);
        let check = ConfigFault::unless;
        check(self.family == NAME, "family", "must be \"wavenet\"")?;
        check((1_000..=384_000).contains(&model.sample_rate_hz), "model.sample_rate_hz", "must be 1000 to 384000")?;
        check((1..=64).contains(&model.stacks), "model.stacks", "must be 1 to 64")?;
        check((1..=20).contains(&model.layers), "model.layers", "must be 1 to 20")?;
        check(model.levels <= 65_536, "model.levels", "must be at most 65536")?;
        let shape = model.shape().validate();
        shape.map_err(|(field, reason)| ConfigFault::Value { field: "model", reason: format!("{field} {reason}") })?;
        check(training.steps > 0, "training.steps", "must be at least 1")?;
        check((1..=4096).contains(&training.batch), "training.batch", "must be 1 to 4096")?;
        check((1..=1 << 24).contains(&training.chunk_frames), "training.chunk_frames", "must be 1 to 16777216")?;
        let share = |value: f64| (0.0..1.0).contains(&value);
        check(
            training.learning_rate.is_finite() && training.learning_rate > 0.0,
            "training.learning_rate",
            "must be above 0",
        )?;
        check((0.0..=1.0).contains(&training.decay_to), "training.decay_to", "must be 0 to 1")?;
        check(share(training.beta1), "training.beta1", "must be at least 0 and below 1")?;
        check(share(training.beta2), "training.beta2", "must be at least 0 and below 1")?;
        check(share(training.average_decay), "training.average_decay", "must be at least 0 and below 1")?;
        check(training.epsilon.is_finite() && training.epsilon > 0.0, "training.epsilon", "must be above 0")?;
        check(
            training.clip_norm.is_finite() && training.clip_norm >= 0.0,
            "training.clip_norm",
            "must not be negative",
        )?;
        check(
            (0.0..=1.0).contains(&training.logit_penalty),
            "training.logit_penalty",
            "must be 0 to 1; 0.00001 bounds the logits without a cost that shows",
        )?;
        check(training.threads <= 1024, "training.threads", "must be at most 1024")?;
        check(
            training.checkpoint_minutes.is_finite() && training.checkpoint_minutes > 0.0,
            "training.checkpoint_minutes",
            "must be above 0",
        )?;
        check((1..=1 << 20).contains(&training.keep_checkpoints), "training.keep_checkpoints", "must be 1 to 1048576")?;
        check(training.log_every_steps > 0, "training.log_every_steps", "must be at least 1")?;
        let evaluation = &self.evaluation;
        check((1..=65_536).contains(&evaluation.chunks), "evaluation.chunks", "must be 1 to 65536")?;
        check((1..=1 << 24).contains(&evaluation.chunk_frames), "evaluation.chunk_frames", "must be 1 to 16777216")
    }
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

    /// Adam's constants.
    pub fn adam(&self) -> AdamSettings {
        AdamSettings { beta1: self.beta1, beta2: self.beta2, epsilon: self.epsilon }
    }
}

impl Model {
    /// The shape of the graph.
    pub fn shape(&self) -> WaveNetShape {
        WaveNetShape {
            levels: self.levels,
            dilations: WaveNetShape::doubling_dilations(self.stacks, self.layers),
            filter_width: self.filter_width,
            residual_channels: self.residual_channels,
            dilation_channels: self.dilation_channels,
            skip_channels: self.skip_channels,
            end_channels: self.end_channels,
            biases: self.biases,
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::path::{Path, PathBuf};

    use super::*;
    use crate::config;
    use crate::family::FAMILIES;

    fn configs() -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("configs")
    }

    fn text(name: &str) -> String {
        std::fs::read_to_string(configs().join(name)).unwrap()
    }

    #[test]
    fn shipped_configurations_are_valid_and_survive_a_round_trip() {
        let mut seen = 0;
        for entry in std::fs::read_dir(configs()).unwrap() {
            let path = entry.unwrap().path();
            let config = config::read(&path, FAMILIES).unwrap_or_else(|e| panic!("{e}"));
            let again = config::parse(&config.to_toml(), FAMILIES).unwrap();
            assert_eq!((again.family(), again.to_toml()), (config.family(), config.to_toml()));
            seen += 1;
        }
        assert!(seen >= 3);
    }

    #[test]
    fn the_2016_model_is_the_blog_post_s() {
        let config = Config::parse(&text("wavenet-piano-2016.toml")).unwrap();
        let shape = config.model.shape();
        assert_eq!(shape.dilations.len(), 55);
        assert_eq!(shape.receptive_field_frames(), 10_237);
        assert_eq!((shape.residual_channels, shape.dilation_channels, shape.skip_channels), (64, 64, 1024));
    }

    #[test]
    fn mistakes_are_named() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("my.toml");
        let good = text("wavenet-small.toml");
        let said = |from: &str, to: &str| {
            assert!(good.contains(from));
            std::fs::write(&file, good.replace(from, to)).unwrap();
            config::read(&file, FAMILIES).unwrap_err().to_string()
        };
        assert!(said("batch = ", "bach = ").contains("bach"));
        let zero = said("learning_rate = ", "learning_rate = -");
        assert!(zero.contains("my.toml") && zero.contains("training.learning_rate"), "{zero}");
        assert!(said("filter_width = 2", "filter_width = 1").contains("filter_width"));
        let unknown = said("family = \"wavenet\"", "family = \"wavnet\"");
        assert!(unknown.contains("family is \"wavnet\"; the families are: wavenet"), "{unknown}");
        let missing = said("family = \"wavenet\"", "");
        assert!(missing.contains("at the top of the file"), "{missing}");
    }
}
