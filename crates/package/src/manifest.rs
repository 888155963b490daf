//! `model.json`: what a model is, what it needs and where it comes from.

use crate::family::Architecture;
use crate::graph::{GraphId, GraphSpec};
use crate::signal::{Reach, Signal};
use crate::training::TrainingFacts;
use serde::{Deserialize, Serialize};

/// The newest `format_version`, and the one that this crate writes.
pub const FORMAT_VERSION: u32 = 2;

/// The manifest of a model package, format 2.
///
/// Unknown fields are ignored, so that a package written by a newer trainer of the same format still opens. A package of
/// format 1 opens as if it had been written in format 2.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Manifest {
    /// Format of the package; see [`FORMAT_VERSION`].
    pub format_version: u32,
    /// The model's name, as a user reads it.
    pub name: String,
    /// Who trained it.
    pub author: String,
    /// Licence of the weights, as an SPDX expression or a sentence; the full text is the entry `LICENCE`.
    pub licence: String,
    /// Frames per second of the audio that the model reads and writes.
    pub sample_rate_hz: u32,
    /// Audio channels.
    pub channels: u16,
    /// What the model takes an amplitude for.
    pub signal: Signal,
    /// How much of the past decides what comes next.
    pub reach: Reach,
    /// The family, and its hyper-parameters.
    pub architecture: Architecture,
    /// Every graph, each with its own role and level.
    pub graphs: Vec<GraphSpec>,
    /// The settings that a render starts with.
    pub defaults: Defaults,
    /// How the model came to be.
    pub training: TrainingFacts,
    /// Identifies the training run.
    pub run_id: String,
    /// Version of the trainer that wrote the package.
    pub trainer_version: String,
}

/// The settings that suit a model, as its exporter found them; what is not there is the plugin's own default.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Defaults {
    /// Divides the logits before the softmax.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub temperature: Option<f32>,
    /// Likeliest values that are drawn from; 0 is all of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub top_k: Option<u32>,
    /// Standard deviation of the white noise that a model of real values adds at temperature 1, full scale being 1: what its
    /// mean squared error leaves open. None: each value is played as it was computed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub noise: Option<f32>,
}

impl Manifest {
    /// The description of a graph.
    pub fn graph(&self, id: GraphId) -> Option<&GraphSpec> {
        self.graphs.iter().find(|graph| graph.id == id)
    }
}
