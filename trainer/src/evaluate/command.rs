//! `evaluate`: what models are worth, held against held-out recordings and against each other.

use std::path::{Path, PathBuf};

use continuo_engine::{Families, LoadOptions, Model};
use continuo_package::{Reach, files};

use super::comparison::{Candidate, Comparison};
use super::error::EvaluateError;
use super::results::{Evaluation, Settings};
use super::{html, terminal};
use crate::cli::EvaluateArgs;
use crate::data::dataset::Dataset;
use crate::export::{self, ExportError};
use crate::family::FAMILIES;
use crate::training::run::Run;
use crate::training::stop;

/// Seconds of a held-out clip that models are given, unless one of them hears more.
const SEED_SECONDS: f64 = 2.0;

/// Seconds that sounds are not shortened below for the sake of one model.
const SHORTEST_SECONDS: f64 = 2.0;

/// `evaluate RUN|PACKAGE… --data DATASET`.
///
/// # Errors
/// [`EvaluateError`]; [`EvaluateError::Stopped`] after Ctrl-C. Nothing is then written.
pub fn run(args: &EvaluateArgs) -> Result<Evaluation, EvaluateError> {
    // What cannot be written in the end is said in the beginning.
    for file in [&args.html, &args.json].into_iter().flatten() {
        check_folder(file)?;
    }
    let dataset = Dataset::open(&args.data)?;
    let runtime = export::runtime::find(args.runtime.as_deref())?;
    stop::listen(stop::Hangup::Stops);
    let drafts = tempfile::tempdir().map_err(io(&std::env::temp_dir(), "creating a folder"))?;
    let candidates = candidates(&args.models, drafts.path())?;
    let threads = threads(args.threads);
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(threads)
        .build()
        .map_err(|error| EvaluateError::Threads { threads, reason: error.to_string() })?;
    let comparison = Comparison {
        dataset: &dataset,
        settings: settings(args, &candidates),
        families: Families::default(),
        options: LoadOptions { runtime, ..LoadOptions::default() },
        precision: args.precision.0,
    };
    let evaluation = pool.install(|| comparison.run(&candidates))?;
    print!("{}", terminal::text(&evaluation));
    if let Some(file) = &args.json {
        let json = serde_json::to_vec_pretty(&evaluation).map_err(std::io::Error::from);
        json.and_then(|json| files::replace_with(file, json)).map_err(io(file, "writing"))?;
    }
    if let Some(file) = &args.html {
        files::replace_with(file, html::page(&evaluation, args.audio)).map_err(io(file, "writing"))?;
    }
    Ok(evaluation)
}

fn io(file: &Path, action: &'static str) -> impl Fn(std::io::Error) -> EvaluateError {
    let file = file.to_path_buf();
    move |source| EvaluateError::Io { file: file.clone(), action, source }
}

fn check_folder(file: &Path) -> Result<(), EvaluateError> {
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty());
    match folder {
        Some(folder) if !folder.is_dir() => {
            let source = std::io::Error::new(std::io::ErrorKind::NotFound, "its folder does not exist");
            Err(EvaluateError::Io { file: file.to_path_buf(), action: "writing", source })
        }
        _ => Ok(()),
    }
}

/// Finds the packages, and turns runs into drafts.
fn candidates(models: &[PathBuf], drafts: &Path) -> Result<Vec<Candidate>, EvaluateError> {
    let mut candidates: Vec<Candidate> = Vec::new();
    for (at, path) in models.iter().enumerate() {
        let (package, own) = if Run::is_meant(path) {
            let draft = drafts.join(format!("draft-{at}.continuo"));
            let run = Run::open(path, FAMILIES).map_err(ExportError::from)?;
            export::draft(&run, &draft)?;
            (draft, run.dir.file_name().map(ToOwned::to_owned))
        } else {
            (path.clone(), path.file_stem().map(ToOwned::to_owned))
        };
        let (manifest, _) = Model::abilities_of(&package)?;
        let own = own.map_or_else(|| path.display().to_string(), |name| name.to_string_lossy().into_owned());
        let taken = |name: &str| candidates.iter().any(|other| other.name == name);
        let others = (2..).map(|number| format!("{own} ({number})"));
        let name = std::iter::once(own.clone()).chain(others).find(|name| !taken(name)).unwrap_or(own.clone());
        candidates.push(Candidate { name, path: path.clone(), package, manifest });
    }
    Ok(candidates)
}

fn settings(args: &EvaluateArgs, candidates: &[Candidate]) -> Settings {
    // What a model hears of the past it is given, and all are given the same.
    let heard = candidates.iter().filter_map(|model| {
        let frames = model.manifest.reach.frames()?;
        Some(frames as f64 / f64::from(model.manifest.sample_rate_hz))
    });
    // Phrases of one length may be shorter; then all sounds are, so that they can be compared.
    let shortest = candidates.iter().filter_map(|model| match model.manifest.reach {
        Reach::None { length_frames } => Some(length_frames as f64 / f64::from(model.manifest.sample_rate_hz)),
        _ => None,
    });
    Settings {
        clips: args.clips,
        seconds: shortest.fold(args.seconds, f64::min).max(SHORTEST_SECONDS),
        takes: args.takes,
        drift_seconds: args.drift_seconds,
        temperature: args.temperature,
        top_k: args.top_k,
        rng_seed: args.rng_seed,
        precision: args.precision.to_string(),
        seed_seconds: heard.fold(SEED_SECONDS, f64::max),
        chunks: args.chunks,
        chunk_frames: args.chunk_frames,
        search_hours: args.search_hours,
    }
}

fn threads(asked: usize) -> usize {
    if asked == 0 { std::thread::available_parallelism().map_or(1, std::num::NonZero::get) } else { asked }
}
