//! A WaveNet as a model package, and whether the package is the model.

use std::collections::BTreeMap;
use std::path::PathBuf;

use continuo_engine::{EngineError, LoadOptions, Model, Precision, Stepping};
use continuo_package::family::wavenet::{FAMILY, WaveNetShape, graph, names};
use continuo_package::{
    Architecture, Defaults, FORMAT_VERSION, GraphId, GraphRole, Manifest, PackageError, Shape as _, TrainingFacts,
    figures,
};
use prost::Message as _;

use super::compute::{Compute, ComputeError};
use super::config::Config;
use super::parameters::Table;
use super::parity::{self, COMPARED_FRAMES, ParityError};
use super::sequence::{Sequence, Symbols};
use super::signal::{class_of, sequences, signal};
use super::value_parity;
use crate::data::batches::{BatchPlan, Coder, held_out, real_sequence};
use crate::data::dataset::{Dataset, DatasetError, Recording, Split};
use crate::nn::Tensors;
use crate::task::{ModelPackage, Verification};

/// The only graph of a WaveNet.
const STEP: GraphId = GraphId::of(GraphRole::Step);

/// Frames of each piece of audio on which the graph is compared, and how many pieces.
const PIECE_FRAMES: usize = COMPARED_FRAMES / COMPARED_PIECES;
const COMPARED_PIECES: usize = 4;
/// Pieces on which the precisions are measured: the loss of one piece depends on it far more than on the precision, but
/// the difference does not.
const MEASURED_PIECES: usize = 16;

/// Why a graph could not be found to be the trained model.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    /// The comparison failed to run.
    #[error(transparent)]
    Parity(#[from] ParityError),
    /// The comparison found a difference.
    #[error(
        "the exported graph is not the trained model: over {frames} frames of real audio, {reason}. Nothing was written. This is a \
         fault of the trainer or of ONNX Runtime, not of the run: try another library with --runtime, and report it with \
         the run's configuration"
    )]
    Different {
        /// Frames compared.
        frames: usize,
        /// Which bound is broken.
        reason: String,
    },
    /// There is too little audio for the comparison.
    #[error(
        "the exported graph cannot be checked: the recordings of the dataset hold {found} stretches of {PIECE_FRAMES} frames, and \
         {COMPARED_PIECES} are needed. Nothing was written; train on more or longer recordings"
    )]
    TooLittleAudio {
        /// Stretches that there are.
        found: usize,
    },
    /// The package for the measurement.
    #[error(transparent)]
    Package(#[from] PackageError),
    /// The measurement.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// The trainer's own pass.
    #[error(transparent)]
    Compute(#[from] ComputeError),
    /// The held-out sequences.
    #[error(transparent)]
    Dataset(#[from] DatasetError),
    /// No room for the package that is measured.
    #[error("{}: creating a folder failed: {source}", dir.display())]
    Temporary {
        /// The folder for temporary files.
        dir: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
}

/// The weights that are exported.
#[derive(Debug)]
pub struct Exported<'a> {
    table: &'a Table,
    weights: Tensors,
}

impl<'a> Exported<'a> {
    /// The averaged weights of a run, with the logits centred where there are some.
    pub fn new(table: &'a Table, average: &[f32]) -> Self {
        let mut weights = Tensors { layout: table.layout.clone(), values: average.to_vec() };
        if !table.shape.is_real() {
            centre_logits(&mut weights, table.shape.levels as usize);
        }
        Self { table, weights }
    }

    /// The values, in the order of the table.
    pub fn values(&self) -> &[f32] {
        &self.weights.values
    }

    /// The serialised graph.
    pub fn graph(&self) -> Vec<u8> {
        let mut graph = graph::step_graph(&self.table.shape, |name, _| self.weights.get(name).to_vec());
        graph.producer_name = "continuo-trainer".into();
        graph.producer_version = env!("CARGO_PKG_VERSION").into();
        graph.encode_to_vec()
    }
}

/// Takes the mean over the levels out of the last convolution, so that each frame's logits have mean zero.
///
/// Training leaves that mean free, since a softmax does not see it, and it grows to half of the logits' size. Without
/// it every runtime rounds them less, and the distribution is the same.
pub fn centre_logits(weights: &mut Tensors, levels: usize) {
    centre(weights, levels, &[names::end_weight(1), names::end_bias(1)]);
}

/// The same for weight and bias of a last convolution under other names.
pub fn centre(weights: &mut Tensors, levels: usize, names: &[String]) {
    for name in names {
        let values = weights.get_mut(name);
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

/// The package of a run's averaged weights.
pub fn package(config: &Config, table: &Table, average: &[f32]) -> ModelPackage {
    let shape = &table.shape;
    let manifest = Manifest {
        format_version: FORMAT_VERSION,
        name: "draft".into(),
        author: "unknown".into(),
        licence: "NOASSERTION".into(),
        sample_rate_hz: config.model.sample_rate_hz,
        channels: 1,
        signal: signal(shape),
        reach: shape.reach(),
        graphs: shape.graphs(),
        architecture: Architecture::new(&FAMILY, shape.clone()),
        defaults: Defaults::default(),
        training: TrainingFacts { parameters: shape.parameters(), ..TrainingFacts::default() },
        run_id: String::new(),
        trainer_version: env!("CARGO_PKG_VERSION").into(),
    };
    let graph = Exported::new(table, average).graph();
    ModelPackage { manifest, graphs: BTreeMap::from([(STEP, graph)]) }
}

/// Checks that the package's graph is the trained model, measures its likelihood on the held-out sequences of `heldout` and
/// in each precision, and writes both into its manifest.
///
/// # Errors
/// [`VerifyError`].
pub fn verify(
    exported: &Exported<'_>,
    heldout: &BatchPlan,
    compute: &mut dyn Compute,
    package: &mut ModelPackage,
    check: &Verification<'_>,
) -> Result<Vec<String>, VerifyError> {
    let shape = &exported.table.shape;
    let bits = |nats: f64| nats / std::f64::consts::LN_2;
    let mut said = Vec::new();

    let pieces = pieces(check.dataset, shape, heldout, COMPARED_PIECES);
    if pieces.len() < COMPARED_PIECES {
        return Err(VerifyError::TooLittleAudio { found: pieces.len() });
    }
    let graph = package.graphs.get(&STEP).map_or(&[][..], Vec::as_slice);
    if shape.is_real() {
        return verify_values(exported, heldout, compute, package, check, &pieces);
    }
    let found = parity::compare(check.runtime, graph, shape, compute, exported.values(), &pieces)?;
    said.push(format!(
        "trainer and ONNX Runtime over {} frames of real audio: log-probabilities within {:.2e}, mean likelihoods within {:.2e} \
         nats, {} of {} drawn codes the same (logits within {:.2e})",
        found.frames,
        found.log_probability,
        found.likelihood_nats,
        found.drawn - found.drawn_differently,
        found.drawn,
        found.logit
    ));
    found.check().map_err(|reason| VerifyError::Different { frames: found.frames, reason })?;

    let figures = &mut package.manifest.training.figures;
    figures.insert(figures::EXPORT_LOGIT_DIFFERENCE.into(), found.logit);
    figures.insert(figures::EXPORT_LOG_PROBABILITY_DIFFERENCE.into(), found.log_probability);
    let measured = sequences(shape, &held_out(check.dataset, heldout)?);
    if !measured.is_empty() {
        let nats = compute.loss(exported.values(), &measured)?;
        figures.insert(figures::HELDOUT_NLL_NATS.into(), nats);
        figures.insert(figures::HELDOUT_NLL_BITS.into(), bits(nats));
        figures.insert(figures::HELDOUT_FRAMES.into(), (measured.len() * heldout.frames) as f64);
        said.push(format!("held-out: {nats:.4} nats, {:.4} bits per frame", bits(nats)));
    }
    let losses = precision_losses(package, shape, check.dataset, heldout)?;
    for (precision, nats) in &losses {
        said.push(format!("computed in {precision}: {:.4} bits per frame on real audio", bits(*nats)));
    }
    package.manifest.training.precision_nll_nats = losses;
    Ok(said)
}

/// Sequences of real audio, context and [`PIECE_FRAMES`] new frames each: first one from the middle of every recording, held-out
/// ones before others, then what lies beside those. Fewer than `most` if there are fewer.
fn pieces(dataset: &Dataset, shape: &WaveNetShape, plan: &BatchPlan, most: usize) -> Vec<Sequence> {
    let coder = (!shape.is_real()).then(|| Coder::new(plan.signal));
    let recordings: Vec<&Recording> =
        [Split::Heldout, Split::Train].into_iter().flat_map(|split| dataset.recordings(split)).collect();
    let mut places: Vec<(usize, usize, usize)> = Vec::new();
    for (at, recording) in recordings.iter().enumerate() {
        let frames = dataset.frames(recording);
        let count = frames.len() / PIECE_FRAMES;
        let first = (frames.len() - count * PIECE_FRAMES) / 2;
        // From the middle outwards.
        let mut order: Vec<usize> = (0..count).collect();
        order.sort_by_key(|&piece| piece.abs_diff(count / 2));
        places.extend(order.into_iter().enumerate().map(|(round, piece)| (round, at, first + piece * PIECE_FRAMES)));
    }
    places.sort_unstable();
    let cut = |&(_, at, start): &(usize, usize, usize)| {
        let frames = dataset.frames(recordings[at]);
        let symbols = match &coder {
            Some(coder) => Symbols::Codes(coder.sequence(frames, start, PIECE_FRAMES, plan.context)),
            None => Symbols::Values(real_sequence(frames, start, PIECE_FRAMES, plan.context)),
        };
        Sequence { symbols, class: class_of(shape, recordings[at].folder()) }
    };
    places.iter().take(most).map(cut).collect()
}

/// The same for a model of real values. The noise that the plugin adds is as loud as the error of the next frame: what the
/// squared error leaves open.
fn verify_values(
    exported: &Exported<'_>,
    heldout: &BatchPlan,
    compute: &mut dyn Compute,
    package: &mut ModelPackage,
    check: &Verification<'_>,
    pieces: &[Sequence],
) -> Result<Vec<String>, VerifyError> {
    let shape = &exported.table.shape;
    let graph = package.graphs.get(&STEP).map_or(&[][..], Vec::as_slice);
    let found = value_parity::compare(check.runtime, graph, shape, compute, exported.values(), pieces)?;
    found.check().map_err(|reason| VerifyError::Different { frames: found.frames, reason })?;
    let mut said = vec![format!(
        "trainer and ONNX Runtime over {} frames of real audio: values within {:.2e} of full scale",
        found.frames, found.difference
    )];
    let manifest = &mut package.manifest;
    let figures = &mut manifest.training.figures;
    figures.insert(figures::EXPORT_VALUE_DIFFERENCE.into(), found.difference);
    let measured = sequences(shape, &held_out(check.dataset, heldout)?);
    // Without held-out recordings, the noise is that of the pieces.
    let error = compute.loss(exported.values(), if measured.is_empty() { pieces } else { &measured })?;
    if !measured.is_empty() {
        figures.insert(figures::HELDOUT_SQUARED_ERROR.into(), error);
        figures.insert(figures::HELDOUT_FRAMES.into(), (measured.len() * heldout.frames) as f64);
        said.push(format!("held-out: mean squared error {error:.3e} of full scale's"));
    }
    let noise = error.sqrt().min(1.0) as f32;
    manifest.defaults.noise = Some(noise);
    said.push(format!("noise at temperature 1: {noise:.2e} of full scale, as loud as the error"));
    Ok(said)
}

/// What the model loses in each precision that the engine can step it in, on the same audio; in nats per frame.
fn precision_losses(
    package: &ModelPackage,
    shape: &WaveNetShape,
    dataset: &Dataset,
    plan: &BatchPlan,
) -> Result<BTreeMap<String, f64>, VerifyError> {
    let wide = |piece: &Sequence| piece.codes().iter().map(|&code| u32::from(code)).collect();
    let sequences: Vec<Vec<u32>> = pieces(dataset, shape, plan, MEASURED_PIECES).iter().map(wide).collect();
    let folder = tempfile::tempdir().map_err(|source| VerifyError::Temporary { dir: std::env::temp_dir(), source })?;
    let file = folder.path().join("measured.continuo");
    package.write_draft(&file)?;
    let model = Model::load(&file, &LoadOptions { stepping: Stepping::Native, ..LoadOptions::default() })?;
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
