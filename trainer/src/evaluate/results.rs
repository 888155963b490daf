//! What an evaluation found, as it is written to JSON and shown in reports.

use serde::Serialize;

use super::drift::Drift;
use super::figures::SoundFigures;
use super::likelihood::Likelihood;
use super::measured::Measured;
use super::memory::{Memory, Searched};
use super::squared_error::{OneStep, References, SquaredError};
use super::statistics::Mean;

/// What all models were evaluated with.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Settings {
    /// Held-out clips that were asked for.
    pub clips: usize,
    /// Seconds of each continuation.
    pub seconds: f64,
    /// Continuations of each clip.
    pub takes: u32,
    /// Seconds of the long continuation.
    pub drift_seconds: f64,
    /// Temperature; 1 is as the model learnt.
    pub temperature: f32,
    /// Likeliest codes that were drawn from; 0 = all.
    pub top_k: u32,
    /// What the random choices were made from.
    pub rng_seed: u64,
    /// In what products were computed; `auto` is each model's own.
    pub precision: String,
    /// Seconds of the held-out clip that are given.
    pub seed_seconds: f64,
    /// Held-out chunks for the likelihood, and frames that count in each.
    pub chunks: usize,
    /// Frames of a chunk.
    pub chunk_frames: usize,
    /// Hours of training audio that were searched at most.
    pub search_hours: f64,
}

/// Figures of many sounds: each one's mean over them.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SoundMeans {
    /// Root mean square in dB under full scale.
    pub level_db: Mean,
    /// Hz.
    pub centroid_hz: Mean,
    /// Notes that begin per second.
    pub onsets_per_second: Mean,
    /// dB; of the sounds that are not silent.
    pub noise_floor_db: Option<Mean>,
    /// 0 for tones, 0.56 for white noise.
    pub flatness: Mean,
    /// Per minute.
    pub pops_per_minute: Mean,
}

impl SoundMeans {
    /// Of these sounds; `None` of none.
    pub fn of(all: &[SoundFigures]) -> Option<Self> {
        let mean = |figure: fn(&SoundFigures) -> f64| Mean::of(&all.iter().map(figure).collect::<Vec<_>>());
        let floors: Vec<f64> = all.iter().filter_map(|figures| figures.noise_floor_db).collect();
        Some(Self {
            level_db: mean(|figures| figures.level_db)?,
            centroid_hz: mean(|figures| figures.centroid_hz)?,
            onsets_per_second: mean(|figures| figures.onsets_per_second)?,
            noise_floor_db: Mean::of(&floors),
            flatness: mean(|figures| figures.flatness)?,
            pops_per_minute: mean(|figures| figures.pops_per_minute)?,
        })
    }
}

/// Where a held-out clip lies.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ClipPlace {
    /// The recording.
    pub recording: String,
    /// Where what follows begins.
    pub start_seconds: f64,
}

/// Fréchet distances from the training audio that say what a model's is worth.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct FrechetReferences {
    /// Windows of training audio.
    pub training_windows: usize,
    /// Windows of each set that is held against it.
    pub windows: usize,
    /// Held-out audio: what a perfect model would have.
    pub heldout: Mean,
    /// White noise of the held-out audio's level.
    pub noise: f64,
    /// Digital silence.
    pub silence: f64,
}

/// The recordings at one rate.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CorpusResult {
    /// Frames per second.
    pub rate_hz: u32,
    /// The held-out clips.
    pub clips: Vec<ClipPlace>,
    /// Held-out chunks that the likelihood was measured on.
    pub chunks: Vec<ClipPlace>,
    /// What follows them.
    pub sound: SoundMeans,
    /// Squared errors of what is no model.
    pub squared_error: References,
    /// Fréchet distances of what is no model.
    pub frechet: FrechetReferences,
    /// The recording that the long continuation sets out from, as it goes on.
    pub drift: Option<Drift>,
    /// What held-out audio finds in the training audio: chance.
    pub memory: Option<Memory>,
    /// Recordings of training audio that were searched, of how many, and hours of them.
    pub searched: Searched,
    /// Mean log-mel spectrum in dB per band.
    pub spectrum_db: Vec<f64>,
}

/// Continuations that are no music any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Collapsed {
    /// Silent ones.
    pub silence: usize,
    /// Noise.
    pub noise: usize,
    /// Of so many.
    pub of: usize,
}

/// What was found of one model.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ModelResult {
    /// Short name, different from the others'.
    pub name: String,
    /// Run or package.
    pub path: String,
    /// The run that it comes from.
    pub run_id: String,
    /// Steps that it was trained for.
    pub steps: u64,
    /// Weights.
    pub weights: u64,
    /// Family and how much of the past it hears, in words.
    pub kind: String,
    /// Frames per second.
    pub rate_hz: u32,
    /// Its quantiser, in words.
    pub signal: String,
    /// What computed it.
    pub backend: String,
    /// Whether sounds are continuations of the clips; else they are phrases out of nothing.
    pub continues: bool,
    /// On the held-out chunks.
    pub likelihood: Measured<Likelihood>,
    /// After the held-out clips.
    pub squared_error: Measured<SquaredError>,
    /// Of the next frame alone.
    pub one_step: Measured<OneStep>,
    /// Of its sounds.
    pub sound: SoundMeans,
    /// Which of them are no music.
    pub collapsed: Collapsed,
    /// Fréchet distance from the training audio.
    pub frechet: Measured<Mean>,
    /// Of the long continuation.
    pub drift: Measured<Drift>,
    /// What its sounds find in the training audio.
    pub memory: Measured<Memory>,
    /// Mean log-mel spectrum in dB per band.
    pub spectrum_db: Vec<f64>,
    /// Sounds to listen to, for a page; clip and continuation, 16-bit.
    #[serde(skip)]
    pub sounds: Vec<Listen>,
}

/// A sound to listen to.
#[derive(Debug, Clone, PartialEq)]
pub struct Listen {
    /// What it is.
    pub caption: String,
    /// At the model's rate.
    pub sound: Vec<f32>,
}

/// All of it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Evaluation {
    /// Version of the trainer.
    pub trainer_version: String,
    /// The dataset.
    pub dataset: String,
    /// Its fingerprint.
    pub dataset_fingerprint: String,
    /// How it was done.
    pub settings: Settings,
    /// What the Fréchet distance is measured in.
    pub embedding: &'static str,
    /// The recordings, at each rate that a model has.
    pub corpus: Vec<CorpusResult>,
    /// The models, in the order in which they were named.
    pub models: Vec<ModelResult>,
}

impl Evaluation {
    /// The recordings at a model's rate.
    pub fn corpus_of(&self, model: &ModelResult) -> Option<&CorpusResult> {
        self.corpus.iter().find(|corpus| corpus.rate_hz == model.rate_hz)
    }
}
