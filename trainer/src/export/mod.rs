//! `export`: from a run to a model package.

pub mod defaults;
mod error;
mod preview;
pub mod runtime;

use std::path::Path;

use continuo_engine::{LoadOptions, Model};
use continuo_package::{Defaults, Manifest};
pub use error::ExportError;

use crate::cli::ExportArgs;
use crate::config::Corpus;
use crate::data::dataset::Split;
use crate::device::Device;
use crate::family::FAMILIES;
use crate::task::{ModelPackage, Task, Verification};
use crate::training::checkpoint::{Checkpoint, Progress};
use crate::training::run::{Run, RunError};
use defaults::Choice;

/// What an export made.
#[derive(Debug, Clone)]
pub struct Exported {
    /// The manifest as it was written.
    pub manifest: Manifest,
    /// Size of the file in bytes.
    pub bytes: u64,
}

/// `export RUN --out NAME.continuo`.
///
/// # Errors
/// [`ExportError`]; nothing is then written.
pub fn run(args: &ExportArgs) -> Result<Exported, ExportError> {
    let runtime = runtime::find(args.runtime.as_deref())?
        .ok_or_else(|| ExportError::NoRuntime { places: runtime::candidates(args.runtime.as_deref()) })?;
    let run = Run::open(&args.run, FAMILIES)?;
    let dataset = run.dataset(args.data.as_deref())?;
    let (mut task, progress) = trained(&run)?;
    let mut package = package(&run, task.as_ref(), &progress)?;
    let mut parts = Vec::new();
    for dir in &args.with {
        let part = Run::open(dir, FAMILIES)?;
        let data = part.dataset(None)?;
        let (task, _) = trained(&part)?;
        let refuse = |reason| ExportError::NoPart { run: dir.clone(), reason };
        task.join(&mut package).map_err(refuse)?;
        parts.push((task, data));
    }
    let facts = &mut package.manifest.training;
    facts.corpus_hours = dataset.total_frames(Split::Train) as f64 / f64::from(run.config.sample_rate_hz()) / 3600.0;
    let check = Verification { runtime: &runtime, dataset: &dataset };
    for line in task.verify(&mut package, &check).map_err(ExportError::Task)? {
        println!("{line}");
    }

    for (task, dataset) in &mut parts {
        let check = Verification { runtime: &runtime, dataset };
        for line in task.verify(&mut package, &check).map_err(ExportError::Task)? {
            println!("{line}");
        }
    }

    let folder = temporary()?;
    let draft = folder.path().join("draft.continuo");
    package.write_draft(&draft)?;
    let options = LoadOptions { runtime: Some(runtime), ..LoadOptions::default() };
    let model = Model::load(&draft, &options)?;
    let choice = Choice { temperature: args.temperature, top_k: args.top_k };
    let defaults = defaults::find(&model, defaults::recordings(&dataset), choice)?;
    if let Some(sampling) = defaults {
        println!("default settings: temperature {}, top_k {}", sampling.temperature, sampling.top_k);
        let (temperature, top_k) = (Some(sampling.temperature), Some(sampling.top_k));
        package.manifest.defaults = Defaults { temperature, top_k, ..package.manifest.defaults };
    }

    let manifest = &mut package.manifest;
    manifest.name = args.name.clone().unwrap_or_else(|| {
        args.out.file_stem().map_or_else(|| "model".to_owned(), |stem| stem.to_string_lossy().into_owned())
    });
    manifest.author.clone_from(&args.author);
    manifest.licence.clone_from(&args.licence);
    let licence = licence_text(args, manifest, run.config.corpus())?;
    let preview = preview::wav(&model, &dataset, defaults.unwrap_or_default(), folder.path())?;
    package.writer(&licence).preview(preview).write(&args.out)?;
    let bytes = std::fs::metadata(&args.out)
        .map_err(|source| ExportError::Io { file: args.out.clone(), action: "reading", source })?
        .len();
    // The file is only good if the engine takes it.
    let model = Model::load(&args.out, &options)?;
    println!(
        "{}: {:.1} MB, {} weights, stepped by {}",
        args.out.display(),
        bytes as f64 / 1e6,
        package.manifest.training.parameters,
        model.backend(None)
    );
    Ok(Exported { manifest: package.manifest, bytes })
}

/// The task of a run, in the state of its newest checkpoint, on the CPU.
///
/// # Errors
/// If there is no checkpoint that is whole.
pub fn trained(run: &Run) -> Result<(Box<dyn Task>, Progress), RunError> {
    let mut task = run.config.task(&Device::Cpu).map_err(RunError::Task)?;
    let (checkpoint, refused) = Checkpoint::newest(&run.checkpoints())?;
    for reason in refused {
        eprintln!("{reason}; taking the one before");
    }
    checkpoint.restore(task.as_mut())?;
    Ok((task, checkpoint.progress))
}

/// A package without preview or licence, for rendering from a run that is not exported.
///
/// # Errors
/// If there is no checkpoint, or the file cannot be written.
pub fn draft(run: &Run, file: &Path) -> Result<(), ExportError> {
    let (task, progress) = trained(run)?;
    Ok(package(run, task.as_ref(), &progress)?.write_draft(file)?)
}

/// The task's package with the run's facts in it.
fn package(run: &Run, task: &dyn Task, progress: &Progress) -> Result<ModelPackage, ExportError> {
    let mut package = task.package().map_err(ExportError::Task)?;
    package.manifest.run_id.clone_from(&run.file.run_id);
    let corpus = run.config.corpus();
    let or = |text: &str, missing: &str| if text.is_empty() { missing.to_owned() } else { text.to_owned() };
    let facts = &mut package.manifest.training;
    facts.corpus =
        format!("{} (licence: {})", or(&corpus.description, "not described"), or(&corpus.licence, "not stated"));
    facts.initial_model.clone_from(&run.file.initial_model);
    facts.steps = progress.step;
    facts.frames_seen = progress.frames_seen;
    facts.wall_time_seconds = progress.wall_seconds;
    facts.device.clone_from(&progress.device);
    facts.config = run.config.to_toml();
    Ok(package)
}

fn temporary() -> Result<tempfile::TempDir, ExportError> {
    let failed = |source| ExportError::Io { file: std::env::temp_dir(), action: "creating a folder", source };
    tempfile::tempdir().map_err(failed)
}

fn licence_text(args: &ExportArgs, manifest: &Manifest, corpus: &Corpus) -> Result<String, ExportError> {
    if let Some(file) = &args.licence_file {
        return std::fs::read_to_string(file).map_err(|source| ExportError::Io {
            file: file.clone(),
            action: "reading",
            source,
        });
    }
    Ok(format!(
        "{}\nLicence of the weights: {}\nAuthor: {}\n\nTrained on: {}\nLicence of the recordings: {}\n",
        manifest.name, manifest.licence, manifest.author, corpus.description, corpus.licence
    ))
}
