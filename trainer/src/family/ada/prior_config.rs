//! The configuration of a prior over codes, `family = "ada"` with `stage = "prior"`.

use continuo_package::Shape as _;
use continuo_package::family::wavenet::{Activation, WaveNetShape};
use serde::{Deserialize, Serialize};

use super::config::Stage;
use crate::codes::dataset::MOST_CODES;
use crate::config::{ConfigFault, Corpus};
use crate::family::wavenet::config as wavenet;
use crate::family::wavenet::optimisation::Training;

/// Everything that decides the run of a prior, given a dataset of codes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// `ada`.
    pub family: String,
    /// `prior`.
    pub stage: Stage,
    /// What the model is.
    pub model: Model,
    /// How it is trained; frames are codes.
    pub training: Training,
    /// How it is measured on held-out recordings; frames are codes.
    #[serde(default)]
    pub evaluation: wavenet::Evaluation,
    /// What the recordings are.
    #[serde(default)]
    pub corpus: Corpus,
}

/// A WaveNet over codes (Dieleman et al. 2018, section 4.1 and appendix A).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Model {
    /// Codes of the level that it goes on from.
    pub codes: u32,
    /// Codes per second, rounded to a whole number: what the dataset of codes has.
    pub codes_per_second: u32,
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
}

impl Model {
    /// The WaveNet over codes.
    pub fn shape(&self) -> WaveNetShape {
        WaveNetShape {
            levels: self.codes,
            dilations: WaveNetShape::doubling_dilations(self.stacks, self.layers),
            filter_width: self.filter_width,
            residual_channels: self.residual_channels,
            dilation_channels: self.dilation_channels,
            skip_channels: self.skip_channels,
            end_channels: self.end_channels,
            ..WaveNetShape::default()
        }
    }
}

impl Config {
    /// Reads and checks a configuration.
    ///
    /// # Errors
    /// [`ConfigFault`], which names the field.
    pub fn parse(text: &str) -> Result<Self, ConfigFault> {
        let config: Self = toml::from_str(text).map_err(|error| ConfigFault::Syntax(error.to_string()))?;
        let check = ConfigFault::unless;
        let model = &config.model;
        check((2..=MOST_CODES).contains(&model.codes), "model.codes", "must be 2 to 512")?;
        check((1..=384_000).contains(&model.codes_per_second), "model.codes_per_second", "must be 1 to 384000")?;
        check((1..=64).contains(&model.stacks), "model.stacks", "must be 1 to 64")?;
        check((1..=20).contains(&model.layers), "model.layers", "must be 1 to 20")?;
        let shape = model.shape().validate();
        shape.map_err(|(field, reason)| ConfigFault::Value { field: "model", reason: format!("{field} {reason}") })?;
        config.training.validate()?;
        config.evaluation.validate()?;
        Ok(config)
    }

    /// The same model as a WaveNet whose frames are codes.
    pub fn as_wavenet(&self) -> wavenet::Config {
        let model = &self.model;
        wavenet::Config {
            family: wavenet::NAME.into(),
            model: wavenet::Model {
                sample_rate_hz: model.codes_per_second,
                head: wavenet::Head::Softmax,
                levels: model.codes,
                stacks: model.stacks,
                layers: model.layers,
                filter_width: model.filter_width,
                residual_channels: model.residual_channels,
                dilation_channels: model.dilation_channels,
                skip_channels: model.skip_channels,
                end_channels: model.end_channels,
                biases: true,
                activation: Activation::Relu,
                output: Activation::None,
                classes: Vec::new(),
            },
            training: self.training.clone(),
            // What is heard of codes alone is no sound.
            evaluation: wavenet::Evaluation { preview_every_steps: 0, ..self.evaluation.clone() },
            corpus: self.corpus.clone(),
        }
    }
}
