//! WaveNets over codes or real values: the native kernel where it computes what the graph says, else ONNX Runtime.

mod check;
mod native;
mod weights;

pub use weights::{LayerWeights, Matrix, WaveNetWeights};

use super::family::{LoadedFamily, Loader};
use crate::abilities::{Abilities, Setting};
use crate::autoregressive::{Autoregressive, Head, Past, Real, Softmax, Stepper, nll_nats};
use crate::backend::{Backend, LoadOptions, MOST_LOSS_NATS, Stepping};
use crate::error::EngineError;
use crate::kernels::wavenet::PackedWaveNet;
use crate::kernels::{Kernel, Precision};
use crate::ort::{GraphStepper, StepGraph};
use crate::runtime::Runtime;
use crate::source::Source;
use crate::symbol::Symbol;
use crate::verdict::Verdict;
use crate::voice::{Voice, VoiceRequest};
use continuo_package::family::wavenet::{FAMILY, WaveNetShape};
use continuo_package::{GraphId, GraphRole, Manifest, Package, Signal, onnx};
use native::NativeStepper;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

/// Most values that one variation may remember (256 MB): some twenty times the largest published model.
const MOST_STATE: u64 = 1 << 26;

/// Most memory that the variations of one voice may remember.
const MOST_BYTES: u64 = 4 << 30;

const STEP: GraphId = GraphId::of(GraphRole::Step);

/// How WaveNets are loaded.
pub const LOADER: Loader = Loader { family: FAMILY, abilities, load };

fn abilities(manifest: &Manifest) -> Abilities {
    let chance = [Setting::Temperature, Setting::RngSeed, Setting::Variations];
    let classes = manifest.architecture.shape().classes().to_vec();
    let meaningless = |setting: &Setting| match manifest.signal {
        _ if *setting == Setting::Class => classes.is_empty(),
        // A real value is computed, not drawn; its noise, where it has some, is.
        Signal::Real => *setting == Setting::TopK || (noise(manifest) == 0.0 && chance.contains(setting)),
        _ => false,
    };
    Abilities {
        channels: manifest.channels,
        can_continue: true,
        can_begin: true,
        fixed_frames: None,
        settings: Setting::ALL.into_iter().filter(|setting| !meaningless(setting)).collect(),
        classes,
    }
}

/// Standard deviation of what is added to real values at temperature 1.
fn noise(manifest: &Manifest) -> f32 {
    manifest.defaults.noise.unwrap_or(0.0)
}

/// A loaded WaveNet.
#[derive(Debug)]
struct WaveNet {
    source: Source,
    shape: WaveNetShape,
    signal: Signal,
    noise: f32,
    abilities: Abilities,
    steps: Steps,
}

/// What steps the frames.
#[derive(Debug)]
enum Steps {
    Native { native: Box<Native>, verdict: Verdict },
    OnnxRuntime { graph: Arc<StepGraph>, reason: String },
}

/// A packed network, or the bytes that it would need.
type Packed = Result<Arc<PackedWaveNet>, u64>;

/// The native kernel's weights, packed in a precision and for a class when they are first asked for.
#[derive(Debug)]
struct Native {
    kernel: Kernel,
    weights: WaveNetWeights,
    nets: Mutex<BTreeMap<(Precision, u32), Packed>>,
    precision: Precision,
}

impl Native {
    fn net(&self, precision: Precision, class: u32) -> Result<Arc<PackedWaveNet>, String> {
        let pack = || PackedWaveNet::new(&self.weights, precision, class as usize).map(Arc::new);
        // What a thread that panicked has left is whole: an entry is put in at once.
        let mut nets = self.nets.lock().unwrap_or_else(PoisonError::into_inner);
        nets.entry((precision, class)).or_insert_with(pack).clone().map_err(too_large)
    }

    /// In f32; kept only if that is what the model is stepped in.
    fn exact(&self) -> Result<Arc<PackedWaveNet>, String> {
        match self.precision {
            Precision::F32 => self.net(Precision::F32, 0),
            _ => PackedWaveNet::new(&self.weights, Precision::F32, 0).map(Arc::new).map_err(too_large),
        }
    }
}

fn too_large(bytes: u64) -> String {
    format!("the kernel would need {} MB", bytes >> 20)
}

fn load(package: &mut Package, options: &LoadOptions) -> Result<Box<dyn LoadedFamily>, EngineError> {
    let manifest = &package.manifest;
    let source = Source::new(&package.path, manifest.graph(STEP).map_or("model.json", |spec| &spec.file));
    let parts = (manifest.architecture.shape_of::<WaveNetShape>(), manifest.graph(STEP), package.graphs.remove(&STEP));
    let (Some(shape), Some(spec), Some(bytes)) = parts else {
        return Err(source.disagrees("a WaveNet's shape or its step graph is missing".into()));
    };
    let state = shape.receptive_field_frames() * u64::from(shape.residual_channels);
    if state > MOST_STATE {
        let (needed, most) = (state >> 18, MOST_STATE >> 18);
        return Err(source.disagrees(format!("a variation would need {needed} MB of memory; the limit is {most}")));
    }
    let model = onnx::decode(&bytes).map_err(|reason| source.disagrees(reason))?;
    let graph = model.graph.ok_or_else(|| source.disagrees("has no graph".into()))?;
    let weights = WaveNetWeights::from_graph(shape, &graph).map_err(|reason| source.disagrees(reason))?;
    drop(graph);
    let native = Native {
        kernel: options.kernel.unwrap_or_else(Kernel::best),
        weights,
        nets: Mutex::default(),
        precision: options.precision.unwrap_or_else(|| best_precision(manifest)),
    };
    let session = |runtime: &Runtime| StepGraph::new(runtime, &bytes, spec);
    let steps = choose(native, options, &source, session)?;
    Ok(Box::new(WaveNet {
        source,
        shape: shape.clone(),
        signal: manifest.signal,
        noise: noise(manifest),
        abilities: abilities(manifest),
        steps,
    }))
}

/// The native kernel where it does what the graph says.
fn choose(
    native: Native,
    options: &LoadOptions,
    source: &Source,
    session: impl Fn(&Runtime) -> Result<StepGraph, String>,
) -> Result<Steps, EngineError> {
    // The graph's meaning is checked on the weights as they are; what a coarser precision costs was measured when the model
    // was exported.
    let packed = if options.stepping == Stepping::OnnxRuntime {
        Err("it was asked for".to_owned())
    } else {
        native.net(native.precision, 0).map(drop)
    };
    let stepped_by = |native: Native, verdict: Verdict| {
        if let Verdict::Failed { reason } = &verdict {
            tracing::warn!("the kernel could not be checked: {reason}");
        }
        Ok(Steps::Native { native: Box::new(native), verdict })
    };
    match (packed, &options.runtime) {
        (Ok(()), None) => stepped_by(native, Verdict::NotChecked),
        (Ok(()), Some(_)) if options.stepping == Stepping::Native => stepped_by(native, Verdict::NotChecked),
        (Ok(()), Some(runtime)) => {
            let graph = session(runtime);
            let verdict = match (&graph, native.exact()) {
                (Ok(graph), Ok(net)) => check::compare(&net, native.kernel, graph),
                (Err(reason), _) => Verdict::Failed { reason: reason.clone() },
                (_, Err(reason)) => Verdict::Failed { reason },
            };
            match (verdict, graph) {
                (Verdict::Differs { by, allowed }, Ok(graph)) => {
                    let kernel = native.kernel.name();
                    let reason = format!("the {kernel} kernel differs from it by {by:.1e} (allowed: {allowed:.1e})");
                    tracing::warn!("stepping in ONNX Runtime: {reason}");
                    Ok(Steps::OnnxRuntime { graph: Arc::new(graph), reason })
                }
                (verdict, _) => stepped_by(native, verdict),
            }
        }
        (Err(reason), Some(runtime)) => {
            let graph = session(runtime).map_err(|reason| source.not_loaded(reason))?;
            Ok(Steps::OnnxRuntime { graph: Arc::new(graph), reason })
        }
        (Err(reason), None) => Err(source.needs_runtime(reason)),
    }
}

impl WaveNet {
    /// Memory for what one variation remembers, in bytes.
    fn bytes_per_variation(&self) -> u64 {
        // Coarser precisions remember less.
        let state = 4 * self.shape.receptive_field_frames() * u64::from(self.shape.residual_channels);
        // ONNX Runtime's tensors are there twice, as input and as output.
        if matches!(self.steps, Steps::OnnxRuntime { .. }) { 2 * state } else { state }
    }

    fn native_stepper<S: Symbol>(
        &self,
        native: &Native,
        precision: Option<Precision>,
        class: u32,
    ) -> Result<NativeStepper<S>, EngineError> {
        let net = native.net(precision.unwrap_or(native.precision), class);
        let net = net.map_err(|reason| self.source.needs_runtime(reason))?;
        Ok(NativeStepper::new(net, native.kernel))
    }

    fn graph_stepper<S: Symbol>(&self, graph: &Arc<StepGraph>, class: u32) -> Result<GraphStepper<S>, EngineError> {
        GraphStepper::new(Arc::clone(graph), class).map_err(|reason| self.source.failed(reason))
    }

    fn reach(&self) -> usize {
        usize::try_from(self.shape.receptive_field_frames()).unwrap_or(usize::MAX)
    }

    fn voice_with<H: Head<Symbol: Symbol> + 'static>(
        &self,
        head: H,
        request: &VoiceRequest,
    ) -> Result<Box<dyn Voice>, EngineError> {
        match &self.steps {
            Steps::Native { native, .. } => {
                self.voice_of(self.native_stepper(native, request.precision, request.class)?, head, request)
            }
            Steps::OnnxRuntime { graph, .. } => self.voice_of(self.graph_stepper(graph, request.class)?, head, request),
        }
    }

    fn voice_of<S: Stepper + 'static, H: Head<Symbol = S::Symbol> + 'static>(
        &self,
        stepper: S,
        head: H,
        request: &VoiceRequest,
    ) -> Result<Box<dyn Voice>, EngineError> {
        let past = Past { reach: Some(self.reach()), silence_before: self.reach() };
        let channels = usize::from(self.abilities.channels);
        Ok(Box::new(Autoregressive::new(self.source.clone(), stepper, head, channels, past, request)?))
    }
}

impl LoadedFamily for WaveNet {
    fn abilities(&self) -> &Abilities {
        &self.abilities
    }

    fn voice(&self, request: &VoiceRequest) -> Result<Box<dyn Voice>, EngineError> {
        request.validate()?;
        let count = request.variations.len();
        let needed = self.bytes_per_variation() * count as u64;
        if needed > MOST_BYTES {
            let reason = format!(
                "is {count}, which needs {} MB of memory; at most {} MB are taken",
                needed >> 20,
                MOST_BYTES >> 20
            );
            return Err(EngineError::Request { setting: "the number of variations", reason });
        }
        let classes = self.shape.classes.len().max(1);
        if request.class as usize >= classes {
            let reason = format!("is {}; the model has {classes}, counted from 0", request.class);
            return Err(EngineError::Request { setting: "the class", reason });
        }
        if self.shape.is_real() {
            self.voice_with(Real::with_noise(self.noise, request.sampling), request)
        } else {
            self.voice_with(Softmax::new(self.signal, request.sampling), request)
        }
    }

    fn backend(&self, asked: Option<Precision>) -> Backend {
        match &self.steps {
            Steps::Native { native, verdict } => Backend::Native {
                kernel: native.kernel.name(),
                precision: asked.unwrap_or(native.precision),
                verdict: verdict.clone(),
            },
            Steps::OnnxRuntime { reason, .. } => Backend::OnnxRuntime { reason: reason.clone() },
        }
    }

    fn nll_nats(&self, precision: Precision, sequences: &[Vec<u32>]) -> Result<f64, EngineError> {
        if self.shape.is_real() {
            let reason = "are codes; a model of real values gives no likelihood".into();
            return Err(EngineError::Request { setting: "the sequences", reason });
        }
        let (levels, class) = (self.shape.levels as usize, 0);
        match &self.steps {
            Steps::Native { native, .. } => {
                let stepper = self.native_stepper(native, Some(precision), class)?;
                nll_nats(&self.source, &stepper, self.reach(), levels, sequences)
            }
            Steps::OnnxRuntime { graph, .. } => {
                nll_nats(&self.source, &self.graph_stepper(graph, class)?, self.reach(), levels, sequences)
            }
        }
    }
}

/// The fastest precision whose loss was measured and is within [`MOST_LOSS_NATS`] of f32's.
fn best_precision(manifest: &Manifest) -> Precision {
    let measured = |precision: Precision| manifest.training.precision_nll_nats.get(precision.name()).copied();
    let Some(exact) = measured(Precision::F32) else { return Precision::F32 };
    let within = |precision: &Precision| measured(*precision).is_some_and(|loss| loss - exact <= MOST_LOSS_NATS);
    Precision::ALL.into_iter().rev().find(within).unwrap_or_default()
}
