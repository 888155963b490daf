//! A level as graphs of a model package, and whether they are the trained level.

use std::collections::BTreeMap;
use std::sync::Arc;

use continuo_engine::ort::{Graph, Tensor, Values as OrtValues};
use continuo_package::family::ada::{AdaShape, FAMILY, graph, names};
use continuo_package::family::wavenet::names as wavenet;
use continuo_package::{
    Architecture, Defaults, FORMAT_VERSION, GraphId, GraphRole, Manifest, Shape as _, TrainingFacts, figures,
};
use prost::Message as _;

use super::compute::{Compute, Symbols, Values};
use super::config::Config;
use super::model::{Model, Quantising, ROLES};
use crate::data::batches::{BatchPlan, Coder, held_out};
use crate::data::dataset::{Dataset, DatasetError, Recording, Split};
use crate::family::wavenet::compute::ComputeError;
use crate::family::wavenet::export::centre;
use crate::family::wavenet::parity::Comparison;
use crate::nn::Tensors;
use crate::task::{ModelPackage, Verification};

/// Frames of real audio on which the graphs are compared, in so many pieces at most.
const PIECE_FRAMES: usize = 4_096;
const PIECES: usize = 4;
/// The largest difference of a bias of the modulator, relative to the largest of them.
const MOST_BIAS: f64 = 1e-4;
/// Where two codes are this near to being equally good, relative to the size of their scores, rounding decides between them.
const TIE: f64 = 1e-4;

/// Why the graphs could not be found to be the trained level.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    /// ONNX Runtime refused a graph or failed.
    #[error("ONNX Runtime: {0}")]
    Session(String),
    /// The comparison found a difference.
    #[error(
        "the exported graphs of level {level} are not the trained model: over {frames} frames of real audio, {reason}. Nothing was \
         written. This is a fault of the trainer or of ONNX Runtime, not of the run: try another library with --runtime, \
         and report it with the run's configuration"
    )]
    Different {
        /// The level.
        level: u32,
        /// Frames compared.
        frames: usize,
        /// What differs.
        reason: String,
    },
    /// There is too little audio for the comparison.
    #[error(
        "the exported graphs cannot be checked: no recording of the dataset has {0} frames. Nothing was written; train on longer \
         recordings"
    )]
    TooLittleAudio(usize),
    /// The trainer's own pass.
    #[error(transparent)]
    Compute(#[from] ComputeError),
    /// The held-out sequences.
    #[error(transparent)]
    Dataset(#[from] DatasetError),
}

/// A level as it is exported: averaged weights, with the logits centred.
#[derive(Debug, Clone)]
pub struct Exported {
    model: Arc<Model>,
    weights: Tensors,
    codebook: Vec<f32>,
}

impl Exported {
    /// The averages of a run.
    pub fn new(model: &Arc<Model>, average: &[f32], codebook: &[f32]) -> Self {
        let mut weights = Tensors { layout: Arc::clone(&model.layout), values: average.to_vec() };
        let end = [wavenet::end_weight(1), wavenet::end_bias(1)].map(|name| model.decoder_name(&name));
        centre(&mut weights, model.symbols() as usize, &end);
        Self { model: Arc::clone(model), weights, codebook: codebook.to_vec() }
    }

    /// Weights and codebook.
    pub fn values(&self) -> Values<'_> {
        Values { weights: &self.weights.values, codebook: &self.codebook }
    }

    fn tensor(&self, name: &str) -> Vec<f32> {
        if name == names::CODEBOOK { self.codebook.clone() } else { self.weights.get(name).to_vec() }
    }

    /// The serialised graphs of this level in a model of `shape`.
    fn graphs(&self, shape: &AdaShape, level: u32) -> Result<BTreeMap<GraphId, Vec<u8>>, String> {
        let serialised = |role| {
            let id = GraphId { role, level };
            let graph = graph::graph(shape, id, |name, _| self.tensor(name));
            let mut graph = graph.ok_or_else(|| format!("the model has no graph {id}"))?;
            graph.producer_name = "continuo-trainer".into();
            graph.producer_version = env!("CARGO_PKG_VERSION").into();
            Ok((id, graph.encode_to_vec()))
        };
        ROLES.into_iter().map(serialised).collect()
    }

    /// Level 0 as a model without a prior.
    ///
    /// # Errors
    /// If a graph cannot be written, in words.
    pub fn package(&self, config: &Config) -> Result<ModelPackage, String> {
        let mut package = ModelPackage {
            manifest: Manifest {
                format_version: FORMAT_VERSION,
                name: "draft".into(),
                author: "unknown".into(),
                licence: "NOASSERTION".into(),
                sample_rate_hz: config.model.sample_rate_hz,
                channels: 1,
                signal: config.signal(),
                reach: self.model.shape().reach(),
                graphs: Vec::new(),
                architecture: Architecture::new(&FAMILY, self.model.shape().clone()),
                defaults: Defaults::default(),
                training: TrainingFacts::default(),
                run_id: String::new(),
                trainer_version: env!("CARGO_PKG_VERSION").into(),
            },
            graphs: self.graphs(self.model.shape(), 0)?,
        };
        describe(&mut package, self.model.shape().clone());
        Ok(package)
    }

    /// Puts this level on top of a model's.
    ///
    /// # Errors
    /// Why it does not fit there, in words.
    pub fn join(&self, package: &mut ModelPackage) -> Result<(), String> {
        let mut shape = part_of(package)?;
        let below = shape.autoencoders.last().map_or(0, |below| below.codes);
        if shape.prior.is_some() || shape.autoencoders.len() != 1 || below != self.model.symbols() {
            return Err(format!(
                "goes on top of one level of {} codes without a prior; the model has {} of them, the uppermost with {below} \
                 codes{}. Name second levels before priors",
                self.model.symbols(),
                shape.autoencoders.len(),
                if shape.prior.is_some() { ", and a prior" } else { "" }
            ));
        }
        shape.autoencoders.push(self.model.autoencoder().clone());
        package.graphs.extend(self.graphs(&shape, 1)?);
        describe(package, shape);
        Ok(())
    }
}

/// The shape of a package that something of this family joins.
///
/// # Errors
/// If the model is of another family.
pub fn part_of(package: &ModelPackage) -> Result<AdaShape, String> {
    let shape = package.manifest.architecture.shape_of::<AdaShape>().cloned();
    shape.ok_or_else(|| "is a part of a discrete autoencoder; the model is of another family".into())
}

/// Writes what follows from the shape into the manifest.
pub fn describe(package: &mut ModelPackage, shape: AdaShape) {
    let manifest = &mut package.manifest;
    manifest.reach = shape.reach();
    manifest.graphs = shape.graphs();
    manifest.training.parameters = shape.parameters();
    manifest.architecture = Architecture::new(&FAMILY, shape);
}

/// What the comparison of a level found.
#[derive(Debug, Default)]
struct Found {
    codes: usize,
    /// Codes that differ where both are equally good.
    ties: usize,
    /// Largest difference of a bias, relative to the largest bias.
    bias: f64,
    logits: Comparison,
    frames: usize,
}

/// Checks that the package's graphs of `level` are the trained ones, measures on the held-out sequences of `heldout`, and writes
/// both into its manifest.
///
/// # Errors
/// [`VerifyError`].
pub fn verify(
    exported: &Exported,
    level: u32,
    heldout: &BatchPlan,
    compute: &mut dyn Compute,
    package: &mut ModelPackage,
    check: &Verification<'_>,
) -> Result<Vec<String>, VerifyError> {
    let shape = part_of(package).map_err(VerifyError::Session)?;
    let specs = shape.graphs();
    let open = |role| {
        let id = GraphId { role, level };
        let spec = specs.iter().find(|spec| spec.id == id);
        let (Some(spec), Some(graph)) = (spec, package.graphs.get(&id)) else {
            return Err(VerifyError::Session(format!("the package has no graph {id}")));
        };
        Graph::new(check.runtime, graph, spec, 1).map_err(VerifyError::Session)
    };
    let graphs = [open(GraphRole::Encoder)?, open(GraphRole::Modulator)?, open(GraphRole::Step)?];

    let mut found = Found::default();
    let least = exported.model.context() + exported.model.hop();
    let pieces = pieces(check.dataset, exported.model.hop(), least, heldout);
    if pieces.is_empty() {
        return Err(VerifyError::TooLittleAudio(least));
    }
    for piece in &pieces {
        compare(exported, &graphs, compute, piece, &mut found)?;
    }
    let Found { codes, ties, bias, logits, frames } = found;
    let logits = logits.result();
    let different = |reason: String| VerifyError::Different { level, frames, reason };
    if bias > MOST_BIAS {
        return Err(different(format!(
            "the modulator's biases differ by {bias:.2e} of the largest; {MOST_BIAS:.0e} is the limit"
        )));
    }
    logits.check().map_err(different)?;
    let mut said = vec![format!(
        "level {level}: trainer and ONNX Runtime over {frames} frames of real audio: {codes} codes the same but {ties} that lie between \
         two, biases within {bias:.2e}, log-probabilities within {:.2e}, mean likelihoods within {:.2e} nats",
        logits.log_probability, logits.likelihood_nats
    )];

    let batch = Symbols::of(&held_out(check.dataset, heldout)?);
    let name = |name: &str| if level == 0 { name.to_owned() } else { format!("level_{level}_{name}") };
    let facts = &mut package.manifest.training.figures;
    facts.insert(name(figures::EXPORT_LOGIT_DIFFERENCE), logits.logit);
    facts.insert(name(figures::EXPORT_LOG_PROBABILITY_DIFFERENCE), logits.log_probability);
    facts.insert(name("export_largest_bias_difference"), bias);
    if batch.rows > 0 {
        let (nats, codes) = compute.measure(exported.values(), &batch, heldout.frames)?;
        let bits = nats / std::f64::consts::LN_2;
        let mut counts = vec![0; exported.model.autoencoder().codes as usize];
        for &code in &codes {
            counts[code as usize] += 1;
        }
        let perplexity = crate::codes::dataset::perplexity(&counts);
        facts.insert(name(figures::HELDOUT_NLL_NATS), nats);
        facts.insert(name(figures::HELDOUT_NLL_BITS), bits);
        facts.insert(name(figures::HELDOUT_FRAMES), (batch.rows * heldout.frames) as f64);
        facts.insert(name("heldout_codebook_perplexity"), perplexity);
        said.push(format!(
            "level {level}, held-out: {nats:.4} nats, {bits:.4} bits per frame told the codes, whose perplexity is {perplexity:.1}"
        ));
    }
    Ok(said)
}

/// Pieces of real audio, at most [`PIECES`] of [`PIECE_FRAMES`] frames or of `least` if that is more: from the middle of the
/// longest recordings, held-out ones first. A shorter recording gives all of its whole hops.
fn pieces(dataset: &Dataset, hop: usize, least: usize, plan: &BatchPlan) -> Vec<Symbols> {
    let coder = Coder::new(plan.signal);
    let longest = |split| {
        let mut recordings: Vec<&Recording> = dataset.recordings(split).collect();
        recordings.sort_by_key(|recording| std::cmp::Reverse(recording.frames));
        recordings
    };
    let wanted = PIECE_FRAMES.max(2 * least) / hop * hop;
    let cut = |recording: &Recording| {
        let frames = dataset.frames(recording);
        let length = wanted.min(frames.len() / hop * hop);
        let start = (frames.len() - length) / 2;
        let symbols = frames[start..start + length].iter().map(|&frame| coder.code(frame)).collect();
        (length >= least).then_some(Symbols { rows: 1, symbols })
    };
    longest(Split::Heldout).into_iter().chain(longest(Split::Train)).filter_map(cut).take(PIECES).collect()
}

/// Compares a level's graphs with the trainer on one sequence.
fn compare(
    exported: &Exported,
    [encoder, modulator, decoder]: &[Graph; 3],
    compute: &mut dyn Compute,
    piece: &Symbols,
    found: &mut Found,
) -> Result<(), VerifyError> {
    let session = VerifyError::Session;
    let length = piece.length();
    let wide = |symbols: &[u16]| symbols.iter().map(|&symbol| i64::from(symbol)).collect::<Vec<_>>();
    let run = |graph: &Graph, input: Tensor| {
        let mut state = graph.initial_state(1).map_err(session)?;
        graph.run(&mut state, vec![input]).map_err(session)?.pop().ok_or_else(|| session("nothing came out".into()))
    };

    let own = compute.codes(exported.values(), piece)?;
    let theirs = run(encoder, Tensor::i64(&[1, length as i64], wide(&piece.symbols)))?;
    let OrtValues::I64(theirs) = theirs.values else { return Err(session("codes are no whole numbers".into())) };
    if theirs.len() != own.len() {
        return Err(session(format!("{} codes came out for {}", theirs.len(), own.len())));
    }
    let queries = compute.queries(exported.values(), piece)?;
    let width = queries.len() / own.len().max(1);
    for (at, (&own, &theirs)) in own.iter().zip(&theirs).enumerate() {
        found.codes += 1;
        if i64::from(own) != theirs {
            let query = &queries[at * width..][..width];
            if !lies_between(exported, query, own as usize, theirs as usize) {
                let reason = format!("position {at} is code {own} to the trainer and {theirs} to the encoder's graph");
                return Err(VerifyError::Different { level: encoder.spec().id.level, frames: length, reason });
            }
            found.ties += 1;
        }
    }

    let codes: Vec<i64> = own.iter().map(|&code| code.into()).collect();
    let biases = compute.biases(exported.values(), &own)?;
    let told = run(modulator, Tensor::i64(&[1, codes.len() as i64], codes))?;
    let OrtValues::F32(told) = told.values else { return Err(session("biases are no numbers".into())) };
    if told.len() != biases.len() {
        return Err(session(format!("{} biases came out for {}", told.len(), biases.len())));
    }
    let largest = biases.iter().fold(f32::MIN_POSITIVE, |most, bias| most.max(bias.abs()));
    let difference = biases.iter().zip(&told).map(|(a, b)| f64::from((a - b).abs() / largest));
    found.bias = difference.fold(found.bias, |most, next| if next > most || next.is_nan() { next } else { most });

    let receptive = exported.model.autoencoder().decoder.receptive_field_frames() as usize;
    let kept = length - receptive;
    let logits = compute.logits(exported.values(), piece, &own, kept)?;
    let levels = exported.model.symbols() as usize;
    let (channels, columns, hop) = (biases.len() / own.len(), own.len(), exported.model.hop());
    let mut state = decoder.initial_state(1).map_err(session)?;
    let mut position = 0;
    // Of uneven lengths, single frames among them, with the state carried from run to run.
    for count in [receptive + 3, 1, 1, 17, 1, 500, usize::MAX] {
        let end = (length - 1).min(position + count.min(length));
        if end == position {
            break;
        }
        let frames = end - position;
        // The bias of what is predicted: of the frame after each that goes in.
        let of_channel = |channel: usize| {
            let row = &told[channel * columns..][..columns];
            (position..end).map(move |at| row[(at + 1) / hop])
        };
        let conditioning: Vec<f32> = (0..channels).flat_map(of_channel).collect();
        let inputs = vec![
            Tensor::i64(&[1, frames as i64], wide(&piece.symbols[position..end])),
            Tensor::f32(&[1, channels as i64, frames as i64], conditioning),
        ];
        let out = decoder.run(&mut state, inputs).map_err(session)?.pop();
        let Some(OrtValues::F32(out)) = out.map(|out| out.values) else {
            return Err(session("no logits came out".into()));
        };
        if out.len() != levels * frames {
            return Err(session(format!("{} logits came out for {frames} frames", out.len())));
        }
        for at in position.max(receptive - 1)..end {
            let ours = &logits[(at + 1 - receptive) * levels..][..levels];
            let theirs = out[at - position..].iter().step_by(frames);
            found.logits.frame(ours, theirs, usize::from(piece.symbols[at + 1]));
        }
        position = end;
    }
    found.frames += length;
    Ok(())
}

/// Whether a query is as near to one code as to another, so that rounding decides.
fn lies_between(exported: &Exported, query: &[f32], one: usize, other: usize) -> bool {
    let score = |code: usize| match exported.model.quantising() {
        Quantising::Vectors => {
            let vector = exported.codebook[code * query.len()..][..query.len()].iter();
            vector.zip(query).map(|(vector, query)| f64::from(vector - query).powi(2)).sum::<f64>()
        }
        Quantising::Shares(_) => f64::from(query[code].max(0.0)),
    };
    if one.max(other) >= exported.model.autoencoder().codes as usize {
        return false;
    }
    let size: f64 = query.iter().map(|&value| f64::from(value).powi(2)).sum::<f64>();
    let (one, other) = (score(one), score(other));
    (one - other).abs() <= TIE * one.abs().max(other.abs()).max(size).max(f64::MIN_POSITIVE)
}
