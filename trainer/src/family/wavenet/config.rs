//! The configuration of a WaveNet, `family = "wavenet"`.

use continuo_package::Shape as _;
use continuo_package::family::wavenet::{Activation, WaveNetShape};
use serde::{Deserialize, Serialize};

use super::optimisation::Training;
use crate::config::{ConfigFault, Corpus, Plan};
use crate::training::checkpoint::Keep;

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
    /// What the network says of the next frame.
    #[serde(default)]
    pub head: Head,
    /// µ-law levels; none with a real value.
    #[serde(default, skip_serializing_if = "is_zero")]
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
    /// What the sum of the skip paths and the first of the two last convolutions go through.
    #[serde(default, skip_serializing_if = "Activation::is_relu")]
    pub activation: Activation,
    /// What a real value goes through at the end.
    #[serde(default = "none", skip_serializing_if = "Activation::is_none")]
    pub output: Activation,
    /// Folders of the dataset, by name, each of which holds one kind of recordings (a composer, an instrument): the network
    /// is told which, and in the plugin one chooses. Without them it is told nothing.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub classes: Vec<String>,
}

/// What a network says of the next frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Head {
    /// How likely each code is.
    #[default]
    Softmax,
    /// One real value, trained with the squared error (Kresge & Ratzlaff).
    Real,
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

impl Evaluation {
    /// What the loop has to know, together with how it trains.
    pub(in crate::family) fn plan(&self, training: &Training) -> Plan {
        Plan {
            steps: training.steps,
            checkpoint_minutes: training.checkpoint_minutes,
            keep: Keep { newest: training.keep_checkpoints, every_steps: training.keep_every_steps },
            log_every_steps: training.log_every_steps,
            preview_every_steps: self.preview_every_steps,
            measure_every_steps: self.every_steps,
            rng_seed: training.rng_seed,
            precision: training.precision,
        }
    }

    /// Checks every value.
    pub(in crate::family) fn validate(&self) -> Result<(), ConfigFault> {
        let check = ConfigFault::unless;
        check((1..=65_536).contains(&self.chunks), "evaluation.chunks", "must be 1 to 65536")?;
        check((1..=1 << 24).contains(&self.chunk_frames), "evaluation.chunk_frames", "must be 1 to 16777216")
    }
}

fn yes() -> bool {
    true
}

fn none() -> Activation {
    Activation::None
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
fn is_zero(levels: &u32) -> bool {
    *levels == 0
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
        match model.head {
            Head::Softmax => check((2..=65_536).contains(&model.levels), "model.levels", "must be 2 to 65536")?,
            Head::Real => check(model.levels == 0, "model.levels", "must be left out where head is \"real\"")?,
        }
        let shape = model.shape().validate();
        shape.map_err(|(field, reason)| ConfigFault::Value { field: "model", reason: format!("{field} {reason}") })?;
        training.validate()?;
        check(
            !(model.is_real() && training.logit_penalty > 0.0),
            "training.logit_penalty",
            "must be 0 where head is \"real\": there are no logits",
        )?;
        self.evaluation.validate()
    }
}

impl Model {
    /// Whether real values come out.
    pub fn is_real(&self) -> bool {
        self.head == Head::Real
    }

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
            activation: self.activation,
            output: self.output,
            classes: self.classes.clone(),
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
        assert!(seen >= 6);
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
    fn the_long_models_see_as_far_as_the_paper_says() {
        // Kresge & Ratzlaff: five stacks of 1 to 4096, "nearly 3 s" at 16 kHz.
        let shape = Config::parse(&text("gated-long-piano.toml")).unwrap().model.shape();
        assert_eq!((shape.dilations.len(), shape.dilations.iter().max()), (65, Some(&4096)));
        assert_eq!(shape.receptive_field_frames(), 40_957);
        let one =
            text("gated-long-piano.toml").replace("stacks = 5", "stacks = 1").replace("layers = 13", "layers = 15");
        assert_eq!(Config::parse(&one).unwrap().model.shape().receptive_field_frames(), 32_769);
        let small = Config::parse(&text("gated-long-small.toml")).unwrap();
        assert!(small.model.shape().is_real());
    }

    #[test]
    fn what_does_not_go_with_real_values_is_named() {
        let good = text("gated-long-small.toml");
        let said = |from: &str, to: &str| {
            assert!(good.contains(from));
            Config::parse(&good.replace(from, to)).unwrap_err().to_string()
        };
        assert!(said("head = \"real\"", "head = \"real\"\nlevels = 256").contains("model.levels"));
        assert!(said("head = \"real\"", "").contains("model.levels"), "a softmax needs levels");
        assert!(said("output = \"scaled-tanh\"", "output = \"relu\"").contains("output"));
        assert!(said("l2 = ", "logit_penalty = ").contains("training.logit_penalty"));
        assert!(said("rho = 0.9", "rho = 1.0").contains("training.rho"));
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
