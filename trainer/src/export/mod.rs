//! `export`: from a run to a model package.

pub mod graph;
pub mod parity;
mod reference;
pub mod runtime;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use continuo_engine::audio::{AudioError, Clip, WavFormat, write_wav};
use continuo_engine::{
    EngineError, LoadOptions, Model, Precision, RenderRequest, RuntimeError, Sampling, Stepping, Workers,
};
use continuo_package::family::wavenet::{FAMILY, WaveNetShape, names};
use continuo_package::{
    Architecture, Defaults, FORMAT_VERSION, GraphId, GraphRole, Manifest, PackageError, PackageWriter, Shape, Signal,
    TrainingFacts, figures,
};

use crate::cli::ExportArgs;
use crate::config::Config;
use crate::dataset::{Dataset, Split};
use crate::kernels::Level;
use crate::training::batches::{Cut, held_out};
use crate::training::checkpoint::Checkpoint;
use crate::training::run::{Run, RunError};
use crate::wavenet::Compute as _;
use crate::wavenet::fused::Fused;
use crate::wavenet::parameters::{Parameters, Table};
use parity::{Parity, ParityError, TOLERANCE};

/// The only graph of a WaveNet.
const STEP: GraphId = GraphId::of(GraphRole::Step);

/// Frames of each piece of audio on which the logits are compared, and how many pieces.
const COMPARED_FRAMES: usize = 4096;
const COMPARED_PIECES: usize = 4;
/// Pieces on which the precisions are measured: the loss of one piece depends on it far more than on the precision, but
/// the difference does not.
const MEASURED_PIECES: usize = 16;
/// Seconds of the preview: of the recording, and of its continuation.
const PREVIEW_SEED_SECONDS: f64 = 2.0;
const PREVIEW_SECONDS: f64 = 6.0;
/// The preview's settings: what the plugin starts with.
const PREVIEW_SAMPLING: Sampling = Sampling { temperature: 1.0, top_k: 0, rng_seed: 1 };

/// Why a run cannot be exported.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// The run.
    #[error(transparent)]
    Run(#[from] RunError),
    /// A file.
    #[error("{}: {action} failed: {source}", file.display())]
    Io {
        /// The file.
        file: PathBuf,
        /// What was being done.
        action: &'static str,
        /// The system's reason.
        source: std::io::Error,
    },
    /// There is nothing to compare the graph with.
    #[error(
        "the exported graph cannot be checked: the ONNX Runtime library was not found in {}. Name it with --runtime or \
         in the variable CONTINUO_ONNXRUNTIME, or fetch it with `cargo xtask fetch-runtime`",
        places.iter().map(|place| place.display().to_string()).collect::<Vec<_>>().join(", ")
    )]
    NoRuntime {
        /// Where it was looked for.
        places: Vec<PathBuf>,
    },
    /// The library does not load.
    #[error(transparent)]
    Runtime(#[from] RuntimeError),
    /// The comparison failed to run.
    #[error(transparent)]
    Parity(#[from] ParityError),
    /// The comparison found a difference.
    #[error(
        "the exported graph is not the trained model: over {} frames its logits differ from the trainer's by up to {:.2e}; \
         {TOLERANCE:.0e} is the limit. Against double precision the trainer rounds by {:.2e} and ONNX Runtime by {:.2e}. \
         Nothing was written. If both round by about as much, this is f32 in a sharply trained model: weights some hundred steps \
         apart differ in it by half, so train a little further with `continuo-trainer resume RUN --steps N` and export again",
        found.frames, found.largest, found.own, found.runtime
    )]
    Different {
        /// What was found.
        found: Parity,
    },
    /// No recording is long enough for the comparison.
    #[error(
        "the exported graph cannot be checked: no recording of the dataset has {frames} frames. Nothing was written; \
         prepare a dataset with at least one longer recording and name it with --data"
    )]
    NothingToCompare {
        /// Frames that one recording must have.
        frames: usize,
    },
    /// The package.
    #[error(transparent)]
    Package(#[from] PackageError),
    /// The preview.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// The preview's file.
    #[error(transparent)]
    Audio(#[from] AudioError),
}

/// What an export made.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Exported {
    /// Trainer against ONNX Runtime.
    pub parity: Parity,
    /// Size of the file in bytes.
    pub bytes: u64,
    /// Held-out loss in nats, if there are held-out recordings.
    pub heldout_nats: Option<f64>,
}

/// `export RUN --out NAME.continuo`.
///
/// # Errors
/// [`ExportError`]; nothing is then written.
pub fn run(args: &ExportArgs) -> Result<Exported, ExportError> {
    let runtime = runtime::find(args.runtime.as_deref())?
        .ok_or_else(|| ExportError::NoRuntime { places: runtime::candidates(args.runtime.as_deref()) })?;
    let run = Run::open(&args.run)?;
    let dataset = run.dataset(args.data.as_deref())?;
    let (parameters, checkpoint) = averaged(&run)?;
    let shape = &parameters.table.shape;
    let mut compute = Fused::new(&parameters.table, Level::detect(), 0).map_err(RunError::from)?;

    let receptive = shape.receptive_field_frames() as usize;
    let evaluation = &run.config.evaluation;
    let cut = Cut { batch: 1, targets: evaluation.chunk_frames, receptive, levels: shape.levels };
    let measured = if dataset.total_frames(Split::Heldout) == 0 {
        Vec::new()
    } else {
        held_out(&dataset, cut, evaluation.chunks).map_err(RunError::from)?
    };
    let heldout_nats = if measured.is_empty() {
        None
    } else {
        Some(compute.loss(&parameters.values, &measured).map_err(RunError::from)?)
    };

    let pieces = audio(&dataset, receptive + COMPARED_FRAMES, shape.levels, COMPARED_PIECES);
    let graph = graph::encode(&parameters);
    let parity = parity::compare(&runtime, &graph, shape, &mut compute, &parameters.values, &pieces)?;
    println!(
        "trainer and ONNX Runtime: largest difference of a logit {:.2e} over {} frames of real audio (limit {TOLERANCE:.0e}; \
         against double precision: trainer {:.2e}, ONNX Runtime {:.2e})",
        parity.largest, parity.frames, parity.own, parity.runtime
    );
    // A comparison of nothing would pass whatever the graph is.
    if parity.frames == 0 {
        return Err(ExportError::NothingToCompare { frames: receptive + COMPARED_FRAMES });
    }
    if parity.largest > TOLERANCE {
        return Err(ExportError::Different { found: parity });
    }

    let precision_nll_nats = precision_losses(&run, &graph, &dataset, shape)?;
    for (precision, nats) in &precision_nll_nats {
        println!("computed in {precision}: {:.4} bits per frame on real audio", nats / std::f64::consts::LN_2);
    }
    let measured_figures = [
        (figures::HELDOUT_NLL_NATS, heldout_nats),
        (figures::HELDOUT_NLL_BITS, heldout_nats.map(|nats| nats / std::f64::consts::LN_2)),
        (figures::HELDOUT_FRAMES, heldout_nats.map(|_| (measured.len() * evaluation.chunk_frames) as f64)),
        (figures::EXPORT_LOGIT_DIFFERENCE, Some(parity.largest)),
    ];
    let facts = TrainingFacts {
        precision_nll_nats,
        figures: measured_figures
            .into_iter()
            .filter_map(|(name, value): (&str, Option<f64>)| Some((name.to_owned(), value?)))
            .collect(),
        ..facts(&run, &checkpoint, Some(&dataset))
    };
    let name = args.name.clone().unwrap_or_else(|| {
        args.out.file_stem().map_or_else(|| "model".to_owned(), |stem| stem.to_string_lossy().into_owned())
    });
    let manifest = Manifest {
        author: args.author.clone(),
        licence: args.licence.clone(),
        training: facts,
        ..manifest(&run, name)
    };
    let licence = licence_text(args, &manifest, &run.config)?;
    let preview = preview(&manifest, &licence, &graph, &dataset, &runtime)?;
    let bytes = {
        let writer = PackageWriter::new(manifest, licence).graph(STEP, graph).preview(preview);
        writer.write(&args.out)?;
        std::fs::metadata(&args.out)
            .map_err(|source| ExportError::Io { file: args.out.clone(), action: "reading", source })?
            .len()
    };
    // The file is only good if the engine takes it.
    let options = LoadOptions { runtime: Some(runtime), ..LoadOptions::default() };
    let model = Model::load(&args.out, &options)?;
    println!(
        "{}: {:.1} MB, {} weights, stepped by {}",
        args.out.display(),
        bytes as f64 / 1e6,
        shape.parameters(),
        model.backend(None)
    );
    if let Some(nats) = heldout_nats {
        println!("held-out: {nats:.4} nats, {:.4} bits per frame", nats / std::f64::consts::LN_2);
    }
    Ok(Exported { parity, bytes, heldout_nats })
}

/// Takes the mean over the levels out of the last convolution, so that each frame's logits have mean zero.
///
/// Training leaves that mean free, since a softmax does not see it, and it grows to half of the logits' size. Without
/// it every runtime rounds them less, and the distribution is the same.
pub fn centre_logits(parameters: &mut Parameters) {
    for name in [names::end_weight(1), names::end_bias(1)] {
        let Some(tensor) = parameters.table.find(&name) else { continue };
        let levels = parameters.table.shape.levels as usize;
        let values = &mut parameters.values[tensor.range()];
        // [Q, E, 1] or [Q]: what follows one level is a row.
        let row = values.len() / levels;
        for column in 0..row {
            let sum: f64 = values[column..].iter().step_by(row).map(|&value| f64::from(value)).sum();
            let mean = sum / levels as f64;
            for value in values[column..].iter_mut().step_by(row) {
                *value = (f64::from(*value) - mean) as f32;
            }
        }
    }
}

/// The averaged weights of a run's newest checkpoint, as they are exported.
///
/// # Errors
/// If there is none that is whole.
pub fn averaged(run: &Run) -> Result<(Parameters, Checkpoint), RunError> {
    let table = Arc::new(Table::new(&run.config.model.shape()));
    let (checkpoint, refused) = Checkpoint::newest(&run.checkpoints(), table.len)?;
    for reason in refused {
        eprintln!("{reason}; taking the one before");
    }
    let mut parameters = Parameters { table, values: checkpoint.average.clone() };
    centre_logits(&mut parameters);
    Ok((parameters, checkpoint))
}

/// A package without preview or licence, for rendering from a run that is not exported.
///
/// # Errors
/// If there is no checkpoint, or the file cannot be written.
pub fn draft(run: &Run, file: &Path) -> Result<(), ExportError> {
    let (parameters, checkpoint) = averaged(run)?;
    let manifest = Manifest { training: facts(run, &checkpoint, None), ..manifest(run, "draft".into()) };
    let graph = graph::encode(&parameters);
    Ok(PackageWriter::new(manifest, "A draft of a run.").graph(STEP, graph).write(file)?)
}

fn manifest(run: &Run, name: String) -> Manifest {
    let shape = run.config.model.shape();
    Manifest {
        format_version: FORMAT_VERSION,
        name,
        author: "unknown".into(),
        licence: "NOASSERTION".into(),
        sample_rate_hz: run.config.model.sample_rate_hz,
        channels: 1,
        signal: Signal::MuLaw { levels: shape.levels },
        reach: shape.reach(),
        graphs: shape.graphs(),
        architecture: Architecture::new(&FAMILY, shape),
        defaults: Defaults::default(),
        training: TrainingFacts::default(),
        run_id: run.file.run_id.clone(),
        trainer_version: env!("CARGO_PKG_VERSION").into(),
    }
}

fn facts(run: &Run, checkpoint: &Checkpoint, dataset: Option<&Dataset>) -> TrainingFacts {
    let corpus = &run.config.corpus;
    let description = if corpus.description.is_empty() { "not described" } else { &corpus.description };
    let licence = if corpus.licence.is_empty() { "not stated" } else { &corpus.licence };
    let frames = dataset.map_or(0, |dataset| dataset.total_frames(Split::Train));
    let progress = &checkpoint.progress;
    TrainingFacts {
        corpus: format!("{description} (licence: {licence})"),
        corpus_hours: frames as f64 / f64::from(run.config.model.sample_rate_hz) / 3600.0,
        initial_model: run.file.initial_model.clone(),
        steps: progress.step,
        frames_seen: progress.frames_seen,
        wall_time_seconds: progress.wall_seconds,
        device: progress.device.clone(),
        parameters: run.config.model.shape().parameters(),
        config: run.config.to_toml(),
        ..TrainingFacts::default()
    }
}

/// Sequences of real audio: held-out recordings where there are any, from the middle of each.
fn audio(dataset: &Dataset, length: usize, levels: u32, most: usize) -> Vec<Vec<u16>> {
    let coder = crate::training::batches::Coder::mu_law(levels);
    let usable = |split| dataset.recordings(split).filter(move |r| r.frames >= length as u64);
    usable(Split::Heldout)
        .chain(usable(Split::Train))
        .take(most)
        .map(|recording| {
            let frames = dataset.frames(recording);
            let start = (frames.len() - length) / 2;
            frames[start..start + length].iter().map(|&frame| coder.code(frame)).collect()
        })
        .collect()
}

/// What the model loses in each precision that the engine can step it in, on the same audio.
fn precision_losses(
    run: &Run,
    graph: &[u8],
    dataset: &Dataset,
    shape: &WaveNetShape,
) -> Result<BTreeMap<String, f64>, ExportError> {
    let receptive = shape.receptive_field_frames() as usize;
    let pieces = audio(dataset, receptive + COMPARED_FRAMES, shape.levels, MEASURED_PIECES);
    let sequences: Vec<Vec<u32>> =
        pieces.iter().map(|codes| codes.iter().map(|&code| u32::from(code)).collect()).collect();
    if sequences.is_empty() {
        return Ok(BTreeMap::new());
    }
    let folder = tempfile::tempdir().map_err(|source| ExportError::Io {
        file: std::env::temp_dir(),
        action: "creating a folder",
        source,
    })?;
    let package = folder.path().join("measured.continuo");
    PackageWriter::new(manifest(run, "measured".into()), "-").graph(STEP, graph.to_vec()).write(&package)?;
    let model = Model::load(&package, &LoadOptions { stepping: Stepping::Native, ..LoadOptions::default() })?;
    let mut losses = BTreeMap::new();
    for precision in Precision::ALL {
        match model.nll_nats(precision, &sequences) {
            Ok(nats) => drop(losses.insert(precision.name().to_owned(), nats)),
            // Then it is not chosen by itself; the model is none the worse.
            Err(error @ (EngineError::NeedsRuntime { .. } | EngineError::NotFinite { .. })) => {
                eprintln!("not measured in {precision}: {error}");
            }
            Err(error) => return Err(error.into()),
        }
    }
    Ok(losses)
}

fn licence_text(args: &ExportArgs, manifest: &Manifest, config: &Config) -> Result<String, ExportError> {
    if let Some(file) = &args.licence_file {
        return std::fs::read_to_string(file).map_err(|source| ExportError::Io {
            file: file.clone(),
            action: "reading",
            source,
        });
    }
    Ok(format!(
        "{}\nLicence of the weights: {}\nAuthor: {}\n\nTrained on: {}\nLicence of the recordings: {}\n",
        manifest.name, manifest.licence, manifest.author, config.corpus.description, config.corpus.licence
    ))
}

/// A recording and how the model carries on from it, rendered by the engine that the plugin uses; a WAV file.
fn preview(
    manifest: &Manifest,
    licence: &str,
    graph: &[u8],
    dataset: &Dataset,
    runtime: &continuo_engine::Runtime,
) -> Result<Vec<u8>, ExportError> {
    let folder = tempfile::tempdir().map_err(|source| ExportError::Io {
        file: std::env::temp_dir(),
        action: "creating a folder",
        source,
    })?;
    let package = folder.path().join("preview.continuo");
    PackageWriter::new(manifest.clone(), licence).graph(STEP, graph.to_vec()).write(&package)?;
    let options = LoadOptions { runtime: Some(runtime.clone()), ..LoadOptions::default() };
    let model = Model::load(&package, &options)?;
    let rate = f64::from(manifest.sample_rate_hz);
    let wanted = (PREVIEW_SEED_SECONDS * rate) as usize;
    // The loudest of a few places in the middle of a recording: a preview should not begin in a rest.
    let mut recordings = dataset.recordings(Split::Heldout).chain(dataset.recordings(Split::Train));
    let seed: Vec<f32> =
        recordings.find(|recording| recording.frames >= 2 * wanted as u64).map_or_else(Vec::new, |r| {
            let frames = dataset.frames(r);
            let energy = |start: &usize| {
                frames[*start..*start + wanted].iter().map(|&frame| i64::from(frame).pow(2)).sum::<i64>()
            };
            let start = (0..8).map(|i| i * (frames.len() - wanted) / 8).max_by_key(energy).unwrap_or(0);
            frames[start..start + wanted].iter().map(|&frame| f32::from(frame) / 32_768.0).collect()
        });
    let mut sound = seed.clone();
    let clip = Clip { sample_rate_hz: manifest.sample_rate_hz, channels: vec![seed] };
    let request = RenderRequest {
        seed: (clip.frames() > 0).then_some(clip),
        frames: (PREVIEW_SECONDS * rate) as u64,
        sampling: PREVIEW_SAMPLING,
        variations: 0..1,
        precision: None,
        workers: Workers::alone(),
    };
    continuo_engine::render(&model, &request, &AtomicBool::new(false), &mut |block| {
        sound.extend(block.sound.iter().take(1).copied().flatten());
    })?;
    let wav = folder.path().join("preview.wav");
    let clip = Clip { sample_rate_hz: manifest.sample_rate_hz, channels: vec![sound] };
    write_wav(&wav, &clip, WavFormat::I16)?;
    std::fs::read(&wav).map_err(|source| ExportError::Io { file: wav.clone(), action: "reading", source })
}
