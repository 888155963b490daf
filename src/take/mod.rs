//! A take: the recipe that made it and its sound.
//!
//! Both are saved with the host's project, so that it opens and bounces identically on another machine, without the
//! model and without the seed file. The sound is kept at the model's rate, exactly as it was generated; what plays at the
//! host's rate is computed from it again ([`play`]).

pub mod bench;
pub mod pack;
pub mod play;
pub mod store;

use std::sync::Arc;

use continuo_engine::audio::Clip;
use continuo_engine::{Precision, Quantisation};
use serde::{Deserialize, Serialize};

/// Everything that decided what a take sounds like.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Recipe {
    /// The model's name as its manifest gives it.
    pub model_name: String,
    /// The model package's file name.
    pub model_file: String,
    /// SHA-256 of the model package, hexadecimal.
    pub model_sha256: String,
    /// The model's rate in Hz; the rate of the continuation.
    pub model_rate_hz: u32,
    /// Where the seed clip came from, for people; `None` for an unconditional take.
    pub seed_name: Option<String>,
    /// Sampling temperature.
    pub temperature: f32,
    /// Likeliest values sampled from; 0 = all.
    pub top_k: u32,
    /// The number that fixed the random choices.
    pub rng_seed: u64,
    /// Alternatives made.
    pub takes: u32,
    /// Generated frames at the model's rate.
    pub frames: u64,
    /// In what the model was computed; takes of before there was a choice were made in f32.
    #[serde(default)]
    pub precision: Precision,
    /// How the model rounds what it hears; none for takes of before this was kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quantisation: Option<Quantisation>,
    /// Version of the engine that generated it.
    pub engine_version: String,
}

impl Recipe {
    /// The recipe in a line, for people.
    pub fn describe(&self) -> String {
        use std::fmt::Write as _;
        let mut text = match &self.seed_name {
            Some(seed) => format!("{} continues {seed}", self.model_name),
            None => format!("{}, unconditional", self.model_name),
        };
        let _ = write!(text, " · temperature {}", self.temperature);
        if self.top_k > 0 {
            let _ = write!(text, " · top {}", self.top_k);
        }
        let _ = write!(text, " · RNG seed {}", self.rng_seed);
        if self.precision != Precision::F32 {
            let _ = write!(text, " · {}", self.precision);
        }
        text
    }
}

/// A finished take.
#[derive(Debug, Clone, PartialEq)]
pub struct Take {
    /// How it was made.
    pub recipe: Recipe,
    /// The seed clip; `None` for an unconditional take.
    pub seed: Option<Arc<Clip>>,
    /// The continuation of every alternative at the model's rate; mono, all of the same length.
    pub continuations: Vec<Arc<Vec<f32>>>,
}
