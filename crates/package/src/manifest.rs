//! `model.json`: what a model is, what it needs and where it comes from.

use crate::wavenet::WaveNetShape;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The newest `format_version` that this crate writes and reads.
pub const FORMAT_VERSION: u32 = 1;

/// The manifest of a model package.
///
/// Unknown fields are ignored, so that a package written by a newer trainer of the same format still opens.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    /// Format of the package; see [`FORMAT_VERSION`].
    pub format_version: u32,
    /// The model's name, as a user reads it.
    pub name: String,
    /// Who trained it.
    pub author: String,
    /// Licence of the weights, as an SPDX expression or a sentence; the full text is the entry `LICENCE`.
    pub licence: String,
    /// Which published system the model implements.
    pub family: Family,
    /// Frames per second of the audio that the model reads and writes.
    pub sample_rate_hz: u32,
    /// Audio channels.
    pub channels: u16,
    /// How amplitudes become codes.
    pub quantisation: Quantisation,
    /// Frames of the past that decide the next one.
    pub receptive_field_frames: u64,
    /// Whether frames follow one another, or come all at once.
    pub generation: Generation,
    /// The family's hyper-parameters, where a native kernel needs them.
    pub architecture: Architecture,
    /// The graphs by role.
    pub graphs: BTreeMap<GraphRole, GraphSpec>,
    /// How the model came to be.
    pub training: TrainingFacts,
    /// Identifies the training run.
    pub run_id: String,
    /// Version of the trainer that wrote the package.
    pub trainer_version: String,
}

/// The published systems that Continuo implements.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Family {
    /// WaveNet: van den Oord et al. 2016, and the systems built on it.
    Wavenet,
    /// SampleRNN: Mehri et al. 2017.
    Samplernn,
    /// Progressive GAN and VAE-GAN over raw audio.
    Gan,
    /// Autoregressive discrete autoencoders: Dieleman et al. 2018.
    Ada,
}

impl std::fmt::Display for Family {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Wavenet => "WaveNet",
            Self::Samplernn => "SampleRNN",
            Self::Gan => "GAN",
            Self::Ada => "autoregressive discrete autoencoder",
        })
    }
}

/// How amplitudes in [−1, 1] become codes. The arithmetic is in [`crate::quantise`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Quantisation {
    /// µ-law companding with µ = levels − 1.
    MuLaw {
        /// Number of codes.
        levels: u32,
    },
    /// Equal steps.
    Linear {
        /// Number of codes.
        levels: u32,
    },
    /// Real values.
    None,
}

/// Whether frames follow one another, or come all at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Generation {
    /// Each frame is drawn from a distribution given the frames before it.
    Autoregressive,
    /// One run of the graph makes this many frames.
    FixedLength {
        /// Frames per run.
        frames: u64,
    },
}

/// Hyper-parameters, for the families whose frame steps run in a native kernel.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Architecture {
    /// A WaveNet.
    Wavenet(WaveNetShape),
    /// Everything the engine needs is in the graphs.
    Graph,
}

/// What a graph is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum GraphRole {
    /// A causal graph over `T` frames with explicit state: primes on a whole clip and steps one frame.
    Step,
    /// Latent → audio.
    Generator,
    /// Audio → latent or codes.
    Encoder,
    /// Codes → conditioning.
    Modulator,
    /// A causal graph over codes.
    Prior,
}

impl std::fmt::Display for GraphRole {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Step => "step",
            Self::Generator => "generator",
            Self::Encoder => "encoder",
            Self::Modulator => "modulator",
            Self::Prior => "prior",
        })
    }
}

/// One ONNX graph of a package.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct GraphSpec {
    /// The entry in the archive, for example `step.onnx`. A plain file name.
    pub file: String,
    /// SHA-256 of the entry, hexadecimal.
    pub sha256: String,
    /// Inputs that are not state, in the graph's order.
    pub inputs: Vec<TensorSpec>,
    /// Outputs that are not state, in the graph's order.
    pub outputs: Vec<TensorSpec>,
    /// State that goes in at one run and comes out for the next.
    pub state: Vec<StatePair>,
}

/// A named tensor.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TensorSpec {
    /// Its name in the graph.
    pub name: String,
    /// Its element type.
    pub element: ElementType,
    /// Its axes: a length, or −1 where the caller chooses (`B` takes, `T` frames).
    pub shape: Vec<i64>,
}

/// A state tensor: the output of one run is the input of the next.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StatePair {
    /// Name of the input.
    pub input: String,
    /// Name of the output; same shape.
    pub output: String,
    /// Element type of both.
    pub element: ElementType,
    /// Axes of both; −1 is the number of takes.
    pub shape: Vec<i64>,
    /// The value of every element before the first frame.
    pub initial: f64,
}

/// Element types that graphs use at their boundary.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ElementType {
    /// 32-bit float.
    F32,
    /// 64-bit integer.
    I64,
}

/// How a model came to be. Facts as they were measured; nothing here changes what the engine does.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct TrainingFacts {
    /// The recordings: what they are, where they come from, their licence.
    pub corpus: String,
    /// Hours of audio in the training split.
    pub corpus_hours: f64,
    /// The model that training started from; none where it started from random weights. The figures below are those
    /// since then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub initial_model: Option<String>,
    /// Optimiser steps.
    pub steps: u64,
    /// Frames that contributed to the loss, over all steps.
    pub frames_seen: u64,
    /// Wall time of training, in seconds.
    pub wall_time_seconds: f64,
    /// The device, in words.
    pub device: String,
    /// Number of weights.
    pub parameters: u64,
    /// Negative log-likelihood per frame on held-out recordings, in nats.
    pub heldout_nll_nats: Option<f64>,
    /// The same in bits.
    pub heldout_nll_bits: Option<f64>,
    /// The same in nats for each precision that the engine can step the model in (`f32`, `bf16`, `int8`), on fewer
    /// frames: only the differences say something.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub precision_nll_nats: BTreeMap<String, f64>,
    /// Frames over which the held-out figure was measured.
    pub heldout_frames: u64,
    /// Largest difference between the trainer's logits and ONNX Runtime's at export.
    pub export_max_difference: Option<f64>,
    /// The training configuration, as TOML.
    pub config: String,
}
