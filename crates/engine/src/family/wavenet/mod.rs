//! WaveNets over codes: the native kernel where it computes what the graph says, else ONNX Runtime.

mod check;
mod native;
mod weights;

pub use weights::{LayerWeights, Matrix, WaveNetWeights};

use super::family::{LoadedFamily, Loader};
use crate::abilities::{Abilities, Setting};
use crate::autoregressive::{Autoregressive, Past, Softmax, Stepper, nll_nats};
use crate::backend::{Backend, LoadOptions, MOST_LOSS_NATS, Stepping};
use crate::error::EngineError;
use crate::kernels::wavenet::PackedWaveNet;
use crate::kernels::{Kernel, Precision};
use crate::ort::{GraphStepper, StepGraph};
use crate::runtime::Runtime;
use crate::source::Source;
use crate::verdict::Verdict;
use crate::voice::{Voice, VoiceRequest};
use continuo_package::family::wavenet::{FAMILY, WaveNetShape};
use continuo_package::{GraphId, GraphRole, Manifest, Package, Signal, onnx};
use native::NativeStepper;
use std::sync::{Arc, OnceLock};

/// Most values that one variation may remember (256 MB): some twenty times the largest published model.
const MOST_STATE: u64 = 1 << 26;

/// Most memory that the variations of one voice may remember.
const MOST_BYTES: u64 = 4 << 30;

const STEP: GraphId = GraphId::of(GraphRole::Step);

/// How WaveNets are loaded.
pub const LOADER: Loader = Loader { family: FAMILY, abilities, load };

fn abilities(manifest: &Manifest) -> Abilities {
    let settings = Setting::ALL.into_iter().collect();
    Abilities { channels: manifest.channels, can_continue: true, can_begin: true, fixed_frames: None, settings }
}

/// A loaded WaveNet.
#[derive(Debug)]
struct WaveNet {
    source: Source,
    shape: WaveNetShape,
    signal: Signal,
    abilities: Abilities,
    steps: Steps,
}

/// What steps the frames.
#[derive(Debug)]
enum Steps {
    Native { native: Box<Native>, verdict: Verdict },
    OnnxRuntime { graph: Arc<StepGraph>, reason: String },
}

/// The native kernel's weights, packed in a precision when it is first asked for.
#[derive(Debug)]
struct Native {
    kernel: Kernel,
    weights: WaveNetWeights,
    nets: [OnceLock<Result<Arc<PackedWaveNet>, u64>>; 3],
    precision: Precision,
}

impl Native {
    fn net(&self, precision: Precision) -> Result<Arc<PackedWaveNet>, String> {
        let pack = || PackedWaveNet::new(&self.weights, precision).map(Arc::new);
        let net = self.nets[precision as usize].get_or_init(pack);
        net.clone().map_err(too_large)
    }

    /// In f32; kept only if that is what the model is stepped in.
    fn exact(&self) -> Result<Arc<PackedWaveNet>, String> {
        match self.precision {
            Precision::F32 => self.net(Precision::F32),
            _ => PackedWaveNet::new(&self.weights, Precision::F32).map(Arc::new).map_err(too_large),
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
        nets: Default::default(),
        precision: options.precision.unwrap_or_else(|| best_precision(manifest)),
    };
    let session = |runtime: &Runtime| StepGraph::new(runtime, &bytes, spec);
    let steps = choose(native, options, &source, session)?;
    Ok(Box::new(WaveNet {
        source,
        shape: shape.clone(),
        signal: manifest.signal,
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
        native.net(native.precision).map(drop)
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

    fn native_stepper(&self, native: &Native, precision: Option<Precision>) -> Result<NativeStepper, EngineError> {
        let net = native.net(precision.unwrap_or(native.precision));
        let net = net.map_err(|reason| self.source.needs_runtime(reason))?;
        Ok(NativeStepper::new(net, native.kernel))
    }

    fn graph_stepper(&self, graph: &Arc<StepGraph>) -> Result<GraphStepper, EngineError> {
        GraphStepper::new(Arc::clone(graph)).map_err(|reason| self.source.failed(reason))
    }

    fn reach(&self) -> usize {
        usize::try_from(self.shape.receptive_field_frames()).unwrap_or(usize::MAX)
    }

    fn voice_of<S: Stepper<Symbol = u32> + 'static>(
        &self,
        stepper: S,
        request: &VoiceRequest,
    ) -> Result<Box<dyn Voice>, EngineError> {
        let head = Softmax::new(self.signal, request.sampling);
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
        match &self.steps {
            Steps::Native { native, .. } => self.voice_of(self.native_stepper(native, request.precision)?, request),
            Steps::OnnxRuntime { graph, .. } => self.voice_of(self.graph_stepper(graph)?, request),
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
        let levels = self.shape.levels as usize;
        match &self.steps {
            Steps::Native { native, .. } => {
                let stepper = self.native_stepper(native, Some(precision))?;
                nll_nats(&self.source, &stepper, self.reach(), levels, sequences)
            }
            Steps::OnnxRuntime { graph, .. } => {
                nll_nats(&self.source, &self.graph_stepper(graph)?, self.reach(), levels, sequences)
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
