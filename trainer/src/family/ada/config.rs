//! The configuration of one level, `family = "ada"`.

use continuo_package::family::ada::{AdaShape, Autoencoder, Convolutions, Input, Quantiser};
use continuo_package::family::wavenet::{Activation, WaveNetShape};
use continuo_package::{Shape as _, Signal};
use serde::{Deserialize, Serialize};

use super::codebook::Averages;
use super::model::Model as LevelModel;
use crate::codes::dataset::MOST_CODES;
use crate::config::{ConfigFault, Corpus};
use crate::family::wavenet::config::Evaluation;
use crate::family::wavenet::optimisation::Training;

/// The family's name.
pub const NAME: &str = "ada";

/// Which of the networks a run trains.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stage {
    /// Encoder, modulator and local model of one level.
    #[default]
    Autoencoder,
    /// A WaveNet over the codes of a level.
    Prior,
}

/// Everything that decides the run of a level, given a dataset: of audio, or of codes for level 1.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// `ada`.
    pub family: String,
    /// `autoencoder`.
    #[serde(default)]
    pub stage: Stage,
    /// 0 reads audio, 1 the codes of level 0.
    #[serde(default)]
    pub level: u32,
    /// What the model is.
    pub model: Model,
    /// How codes are chosen and learnt.
    pub quantiser: Quantising,
    /// How it is trained.
    pub training: Training,
    /// How it is measured on held-out recordings.
    #[serde(default)]
    pub evaluation: Evaluation,
    /// What the recordings are; goes into the package's manifest.
    #[serde(default)]
    pub corpus: Corpus,
}

/// Which amplitudes the codes of the audio stand for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Law {
    /// µ-law, as in the paper.
    #[default]
    MuLaw,
    /// Equal steps.
    Linear,
}

/// Hyper-parameters of a level (Dieleman et al. 2018, figure 2 and appendix A).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Model {
    /// Frames per second, or codes per second for level 1; the dataset must have the same.
    pub sample_rate_hz: u32,
    /// Codes of the audio; for level 1, codes of level 0.
    pub levels: u32,
    /// Which amplitudes they stand for.
    #[serde(default)]
    pub law: Law,
    /// As what they enter encoder and local model.
    #[serde(default)]
    pub input: Input,
    /// Frames per code: the encoder's outputs are averaged over so many. Any product of poolings.
    pub hop: u32,
    /// Residual blocks over the frames.
    pub encoder: Convolutions,
    /// Residual blocks over the codes.
    pub modulator: Convolutions,
    /// The local model.
    pub decoder: Decoder,
}

/// The local model: a WaveNet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Decoder {
    /// How often the dilations start again from 1.
    pub stacks: u32,
    /// Layers per stack, with dilations 1, 2, 4, ….
    pub layers: u32,
    /// Taps of every dilated convolution.
    pub filter_width: u32,
    /// Channels between layers.
    pub residual_channels: u32,
    /// Channels of the gate's output; the paper's inner blocks.
    pub dilation_channels: u32,
    /// Channels summed over layers.
    pub skip_channels: u32,
    /// Channels between the two last convolutions.
    pub end_channels: u32,
    /// What the sum of the skip paths and the first of the two last convolutions go through.
    #[serde(default, skip_serializing_if = "Activation::is_relu")]
    pub activation: Activation,
}

/// How codes are chosen and learnt.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Quantising {
    /// `vq`, `amae` or `softmax-amae`.
    pub kind: Quantiser,
    /// How many codes there are.
    pub codes: u32,
    /// Channels of a codebook's vector; none without one.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub code_channels: u32,
    /// Weight of what is added to the likelihood: β of the commitment (equation 2), or ν of what spreads an AMAE's codes.
    pub penalty: f64,
    /// γ: how much of the codebook's averages stays at each step; and of the counts of how often codes are used.
    #[serde(default = "gamma")]
    pub gamma: f64,
    /// Codes of a codebook that are used less than this share of an even use begin again at a query of the batch. 0 = never,
    /// as in the paper.
    #[serde(default)]
    pub restart_below: f64,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
fn is_zero(channels: &u32) -> bool {
    *channels == 0
}

fn gamma() -> f64 {
    0.99
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
        let (model, training, quantiser) = (&self.model, &self.training, &self.quantiser);
        let check = ConfigFault::unless;
        check(self.family == NAME, "family", "must be \"ada\"")?;
        check(self.level <= 1, "level", "must be 0 or 1")?;
        if self.level == 0 {
            check((1_000..=384_000).contains(&model.sample_rate_hz), "model.sample_rate_hz", "must be 1000 to 384000")?;
        } else {
            let reason = "must be 1 to 384000: codes per second of level 0";
            check((1..=384_000).contains(&model.sample_rate_hz), "model.sample_rate_hz", reason)?;
            check(
                model.input == Input::OneHot,
                "model.input",
                "must be \"one-hot\" for level 1: codes are no amplitudes",
            )?;
            check(model.law == Law::MuLaw, "model.law", "must be left out for level 1")?;
            check(model.levels <= MOST_CODES, "model.levels", "must be at most 512 for level 1")?;
        }
        check((2..=MOST_CODES).contains(&quantiser.codes), "quantiser.codes", "must be 2 to 512")?;
        check((1..=64).contains(&model.decoder.stacks), "model.decoder.stacks", "must be 1 to 64")?;
        check((1..=20).contains(&model.decoder.layers), "model.decoder.layers", "must be 1 to 20")?;
        let shape = self.shape().validate();
        shape.map_err(|(field, reason)| ConfigFault::Value { field: "model", reason: format!("{field} {reason}") })?;
        let share = |value: f64| (0.0..1.0).contains(&value);
        let penalty = quantiser.penalty;
        check(penalty.is_finite() && penalty >= 0.0, "quantiser.penalty", "must not be negative")?;
        check(share(quantiser.gamma), "quantiser.gamma", "must be at least 0 and below 1")?;
        check(share(quantiser.restart_below), "quantiser.restart_below", "must be at least 0 and below 1")?;
        let restarts = quantiser.kind == Quantiser::Vq || quantiser.restart_below == 0.0;
        check(restarts, "quantiser.restart_below", "must be left out where there is no codebook")?;
        training.validate()?;
        check(training.precision.is_f32(), "training.precision", "must be left out: this family trains in f32")?;
        let hops = |frames: usize| frames.is_multiple_of(model.hop as usize);
        check(hops(training.chunk_frames), "training.chunk_frames", "must be a multiple of model.hop")?;
        check(hops(self.evaluation.chunk_frames), "evaluation.chunk_frames", "must be a multiple of model.hop")?;
        self.evaluation.validate()
    }

    /// The level as the only one of a model.
    pub fn shape(&self) -> AdaShape {
        let (model, decoder) = (&self.model, &self.model.decoder);
        let decoder = WaveNetShape {
            levels: model.levels,
            dilations: WaveNetShape::doubling_dilations(decoder.stacks, decoder.layers),
            filter_width: decoder.filter_width,
            residual_channels: decoder.residual_channels,
            dilation_channels: decoder.dilation_channels,
            skip_channels: decoder.skip_channels,
            end_channels: decoder.end_channels,
            activation: decoder.activation,
            ..WaveNetShape::default()
        };
        let autoencoder = Autoencoder {
            hop: model.hop,
            codes: self.quantiser.codes,
            code_channels: self.quantiser.code_channels,
            quantiser: self.quantiser.kind,
            encoder: model.encoder,
            modulator: model.modulator,
            decoder,
        };
        AdaShape { levels: model.levels, input: model.input, autoencoders: vec![autoencoder], prior: None }
    }

    /// The level in training; `None` never, since [`Config::shape`] has one level.
    pub fn level_model(&self) -> Option<LevelModel> {
        LevelModel::new(self.shape())
    }

    /// What the dataset's amplitudes are taken for.
    pub fn signal(&self) -> Signal {
        let levels = self.model.levels;
        match self.model.law {
            Law::MuLaw => Signal::MuLaw { levels },
            Law::Linear => Signal::Linear { levels },
        }
    }

    /// What the codebook is learnt with.
    pub fn averages(&self) -> Averages {
        Averages {
            decay: self.quantiser.gamma,
            restart_below: self.quantiser.restart_below,
            polyak: self.training.average_decay,
            rng_seed: self.training.rng_seed,
        }
    }
}
