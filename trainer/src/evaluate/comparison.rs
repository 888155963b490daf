//! Models side by side: the recordings are measured once for each rate, then one model after the other.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::path::PathBuf;

use continuo_engine::{Families, LoadOptions, Model, Precision};
use continuo_package::Manifest;

use super::corpus;
use super::embedding::{DESCRIPTION, Embedding};
use super::error::EvaluateError;
use super::frechet::Yardstick;
use super::measured::Measured;
use super::memory;
use super::model::{Bench, Subject};
use super::reference::{Audio, Cuts, Reference};
use super::results::{CorpusResult, Evaluation, ModelResult, Settings};
use crate::data::dataset::Dataset;
use crate::names;
use crate::training::stop;

/// A model to evaluate.
#[derive(Debug)]
pub struct Candidate {
    /// Short name, different from the others'.
    pub name: String,
    /// Run or package, as it was named.
    pub path: PathBuf,
    /// Itself, or the draft of a run.
    pub package: PathBuf,
    /// The package's manifest.
    pub manifest: Manifest,
}

/// What models are compared with and how.
#[derive(Debug)]
pub struct Comparison<'a> {
    /// The recordings.
    pub dataset: &'a Dataset,
    /// How.
    pub settings: Settings,
    /// The families that models may be of.
    pub families: Families,
    /// How models are loaded.
    pub options: LoadOptions,
    /// In what they are computed; `None` is each one's own.
    pub precision: Option<Precision>,
}

/// All models of one rate.
struct OfRate<'a> {
    bench: Bench<'a>,
    corpus: CorpusResult,
    windows: Vec<Vec<f32>>,
}

impl Comparison<'_> {
    /// Evaluates models, on the threads of the pool that calls.
    ///
    /// # Errors
    /// [`EvaluateError`]; [`EvaluateError::Stopped`] after Ctrl-C.
    pub fn run(&self, candidates: &[Candidate]) -> Result<Evaluation, EvaluateError> {
        let mut rates: BTreeMap<u32, OfRate<'_>> = BTreeMap::new();
        for rate_hz in candidates.iter().map(|model| model.manifest.sample_rate_hz) {
            if let Entry::Vacant(place) = rates.entry(rate_hz) {
                place.insert(of_rate(self.dataset, &self.settings, rate_hz)?);
            }
        }
        let mut models: Vec<(ModelResult, Vec<Vec<f32>>)> = Vec::new();
        for candidate in candidates {
            let Some(of_rate) = rates.get(&candidate.manifest.sample_rate_hz) else { continue };
            let model = Model::load_one_of(&self.families, &candidate.package, &self.options)?;
            let subject = Subject {
                model: &model,
                name: candidate.name.clone(),
                path: names::text(&candidate.path).into_owned(),
                precision: self.precision,
            };
            models.push(subject.evaluate(&of_rate.bench)?);
        }
        for of_rate in rates.values_mut() {
            look_for_copies(of_rate, &mut models, &self.settings)?;
        }
        if stop::requested() {
            return Err(EvaluateError::Stopped);
        }
        Ok(Evaluation {
            trainer_version: env!("CARGO_PKG_VERSION").to_owned(),
            dataset: names::text(self.dataset.dir()).into_owned(),
            dataset_fingerprint: self.dataset.fingerprint().to_owned(),
            settings: self.settings.clone(),
            embedding: DESCRIPTION,
            corpus: rates.into_values().map(|of_rate| of_rate.corpus).collect(),
            models: models.into_iter().map(|(result, _)| result).collect(),
        })
    }
}

fn of_rate<'a>(dataset: &'a Dataset, settings: &'a Settings, rate_hz: u32) -> Result<OfRate<'a>, EvaluateError> {
    let audio = Audio { dataset, rate_hz };
    let cuts = Cuts {
        clips: settings.clips,
        seed_seconds: settings.seed_seconds,
        seconds: settings.seconds,
        drift_seconds: settings.drift_seconds,
        chunks: settings.chunks,
        chunk_frames: settings.chunk_frames,
    };
    let reference = Reference::new(audio, &cuts)?;
    let embedding = Embedding::new(rate_hz);
    let training: Vec<Vec<f64>> = reference.training.iter().flat_map(|sound| embedding.of(sound)).collect();
    let too_short = || EvaluateError::TooShort {
        dir: dataset.dir().to_path_buf(),
        split: "training",
        needed_seconds: 2.0,
        longest_seconds: settings.seconds,
    };
    let yardstick = Yardstick::new(&training).ok_or_else(too_short)?;
    let bench = Bench { settings, audio, reference, embedding, yardstick };
    let (corpus, windows) = corpus::measure(&bench).ok_or_else(too_short)?;
    eprintln!(
        "{rate_hz} Hz: {} clips of {} held-out recordings, {} chunks of {} frames, {:.0} s of training audio to compare with",
        corpus.clips.len(),
        corpus::recordings(&corpus),
        corpus.chunks.len(),
        settings.chunk_frames,
        bench.reference.training.iter().map(Vec::len).sum::<usize>() as f64 / f64::from(rate_hz)
    );
    Ok(OfRate { bench, corpus, windows })
}

/// The seconds of all models of one rate and of the recordings themselves, in one pass over the training audio.
fn look_for_copies(
    of_rate: &mut OfRate<'_>,
    models: &mut [(ModelResult, Vec<Vec<f32>>)],
    settings: &Settings,
) -> Result<(), EvaluateError> {
    if settings.search_hours <= 0.0 || stop::requested() {
        return Ok(());
    }
    let rate = of_rate.corpus.rate_hz;
    let mut windows = std::mem::take(&mut of_rate.windows);
    let own = windows.len();
    let mut of_rate_models: Vec<_> = models.iter_mut().filter(|(model, _)| model.rate_hz == rate).collect();
    let mut ends = Vec::new();
    for (_, sounds) in &mut of_rate_models {
        windows.append(sounds);
        ends.push(windows.len());
    }
    let (found, searched) =
        memory::search(of_rate.bench.audio, &windows, &of_rate.bench.reference.training, settings.search_hours)?;
    of_rate.corpus.searched = searched;
    let between = |from: usize, to: usize| {
        let finds = found[from..to].iter().flatten().cloned();
        memory::sum_up(finds.map(|find| memory::Found { window: find.window - from, ..find }).collect())
    };
    of_rate.corpus.memory = between(0, own);
    let mut from = own;
    for ((model, _), to) in of_rate_models.into_iter().zip(ends) {
        model.memory = between(from, to)
            .map_or_else(|| Measured::not_applicable("there is nothing to recognise in its sounds"), Measured::Value);
        from = to;
    }
    Ok(())
}
