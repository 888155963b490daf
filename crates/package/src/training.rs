//! How a model came to be, as its exporter tells it.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Names of the figures that exporters write. Others are allowed; each name ends in its unit.
pub mod figures {
    /// Negative log-likelihood per frame on held-out recordings, in nats.
    pub const HELDOUT_NLL_NATS: &str = "heldout_nll_nats";
    /// The same in bits.
    pub const HELDOUT_NLL_BITS: &str = "heldout_nll_bits";
    /// Mean squared error of the next frame on held-out recordings, full scale being 1.
    pub const HELDOUT_SQUARED_ERROR: &str = "heldout_squared_error";
    /// Frames over which the held-out figures were measured.
    pub const HELDOUT_FRAMES: &str = "heldout_frames";
    /// Largest difference between the trainer's logits and ONNX Runtime's at export.
    pub const EXPORT_LOGIT_DIFFERENCE: &str = "export_largest_logit_difference";
    /// Largest difference between the trainer's values and ONNX Runtime's at export, full scale being 1.
    pub const EXPORT_VALUE_DIFFERENCE: &str = "export_largest_value_difference";
    /// Largest difference between their log-probabilities, of values that are not all but impossible, in nats.
    pub const EXPORT_LOG_PROBABILITY_DIFFERENCE: &str = "export_largest_log_probability_difference_nats";
}

/// How a model came to be. Facts as they were measured; of these the engine heeds `precision_nll_nats` alone.
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
    /// What was measured of the model, by name; see [`figures`].
    #[serde(default)]
    pub figures: BTreeMap<String, f64>,
    /// Negative log-likelihood per frame in nats for each precision that the engine can step the model in (`f32`,
    /// `bf16`, `int8`), on the same frames: only the differences say something.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub precision_nll_nats: BTreeMap<String, f64>,
    /// The training configuration, as TOML.
    pub config: String,
}

impl TrainingFacts {
    /// A figure by its name.
    pub fn figure(&self, name: &str) -> Option<f64> {
        self.figures.get(name).copied()
    }
}
