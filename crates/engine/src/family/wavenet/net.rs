//! A WaveNet that can be stepped: in the native kernel where that computes what its graph says, else in ONNX Runtime. It is a
//! model, or a part of another family's.

use super::check;
use super::native::NativeStepper;
use super::weights::WaveNetWeights;
use crate::autoregressive::{Next, Stepper, Told};
use crate::backend::{Backend, LoadOptions, Stepping};
use crate::error::EngineError;
use crate::kernels::wavenet::PackedWaveNet;
use crate::kernels::{Kernel, Precision};
use crate::ort::{GraphStepper, StepGraph};
use crate::runtime::Runtime;
use crate::source::Source;
use crate::symbol::Symbol;
use crate::verdict::Verdict;
use continuo_package::family::wavenet::{Part, WaveNetShape};
use continuo_package::{GraphSpec, onnx};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

/// Most values that one variation may remember (256 MB): some twenty times the largest published model.
const MOST_STATE: u64 = 1 << 26;

/// A WaveNet with its weights.
#[derive(Debug)]
pub(in crate::family) struct Net {
    source: Source,
    shape: WaveNetShape,
    part: Part,
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

impl Net {
    /// Reads a network out of its graph and chooses what steps it, in this precision where a request does not say.
    ///
    /// # Errors
    /// [`EngineError::Graph`] where graph and shape disagree or a variation would remember too much;
    /// [`EngineError::NeedsRuntime`] and [`EngineError::Session`] where ONNX Runtime is needed and missing or fails.
    pub fn load(
        source: &Source,
        (shape, part): (&WaveNetShape, Part),
        (spec, bytes): (&GraphSpec, &[u8]),
        precision: Precision,
        options: &LoadOptions,
    ) -> Result<Self, EngineError> {
        let state = shape.receptive_field_frames() * u64::from(shape.residual_channels);
        if state > MOST_STATE {
            let (needed, most) = (state >> 18, MOST_STATE >> 18);
            return Err(source.disagrees(format!("a variation would need {needed} MB of memory; the limit is {most}")));
        }
        let model = onnx::decode(bytes).map_err(|reason| source.disagrees(reason))?;
        let graph = model.graph.ok_or_else(|| source.disagrees("has no graph".into()))?;
        let weights = WaveNetWeights::of_part(shape, part, &graph).map_err(|reason| source.disagrees(reason))?;
        let kernel = options.kernel.unwrap_or_else(Kernel::best);
        let native = Native { kernel, weights, nets: Mutex::default(), precision };
        let session = |runtime: &Runtime| StepGraph::new(runtime, bytes, spec);
        let steps = choose(native, options, source, session)?;
        Ok(Self { source: source.clone(), shape: shape.clone(), part, steps })
    }

    /// The hyper-parameters.
    pub fn shape(&self) -> &WaveNetShape {
        &self.shape
    }

    /// Which graph errors are about.
    pub fn source(&self) -> &Source {
        &self.source
    }

    /// Steps that decide the next one.
    pub fn reach(&self) -> usize {
        usize::try_from(self.shape.receptive_field_frames()).unwrap_or(usize::MAX)
    }

    /// Memory for what one variation remembers, in bytes.
    pub fn bytes_per_variation(&self) -> u64 {
        // Coarser precisions remember less.
        let state = 4 * self.shape.receptive_field_frames() * u64::from(self.shape.residual_channels);
        let told = if self.part.conditioned { 4 * self.shape.conditioning_channels() as u64 } else { 0 };
        // ONNX Runtime's tensors are there twice, as input and as output.
        told + if matches!(self.steps, Steps::OnnxRuntime { .. }) { 2 * state } else { state }
    }

    /// What computes a request for this precision; `None` is the model's own.
    pub fn backend(&self, asked: Option<Precision>) -> Backend {
        match &self.steps {
            Steps::Native { native, verdict } => Backend::Native {
                kernel: native.kernel.name(),
                precision: asked.unwrap_or(native.precision),
                verdict: verdict.clone(),
            },
            Steps::OnnxRuntime { reason, .. } => Backend::OnnxRuntime { reason: reason.clone() },
        }
    }

    /// One variation before its first step.
    ///
    /// # Errors
    /// [`EngineError::NeedsRuntime`] where packing in the precision would need it, [`EngineError::Session`] from ONNX Runtime.
    pub fn stepper<S: Symbol>(&self, precision: Option<Precision>, class: u32) -> Result<NetStepper<S>, EngineError> {
        Ok(match &self.steps {
            Steps::Native { native, .. } => {
                let net = native.net(precision.unwrap_or(native.precision), class);
                let net = net.map_err(|reason| self.source.needs_runtime(reason))?;
                NetStepper::Native(Box::new(NativeStepper::new(net, native.kernel)))
            }
            Steps::OnnxRuntime { graph, .. } => {
                let stepper = GraphStepper::new(Arc::clone(graph), class);
                NetStepper::OnnxRuntime(stepper.map_err(|reason| self.source.failed(reason))?)
            }
        })
    }
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

/// Variations that are stepped by whatever computes the network.
#[derive(Debug)]
pub(in crate::family) enum NetStepper<S: Symbol> {
    Native(Box<NativeStepper<S>>),
    OnnxRuntime(GraphStepper<S>),
}

/// The same of either.
macro_rules! either {
    ($self:expr, $stepper:ident => $does:expr) => {
        match $self {
            NetStepper::Native($stepper) => $does,
            NetStepper::OnnxRuntime($stepper) => $does,
        }
    };
}

impl<S: Symbol> Stepper for NetStepper<S> {
    type Symbol = S;

    fn restart(&mut self) -> Result<(), String> {
        either!(self, stepper => stepper.restart())
    }

    fn batch(&self) -> usize {
        either!(self, stepper => stepper.batch())
    }

    fn fork(&self, batch: usize) -> Result<Self, String> {
        Ok(match self {
            Self::Native(stepper) => Self::Native(Box::new(stepper.fork(batch)?)),
            Self::OnnxRuntime(stepper) => Self::OnnxRuntime(stepper.fork(batch)?),
        })
    }

    fn prime(&mut self, symbols: &[S], told: Option<Told<'_>>, steps_after: usize) -> Result<(), String> {
        either!(self, stepper => stepper.prime(symbols, told, steps_after))
    }

    fn step(&mut self, symbols: &[S], told: Option<Told<'_>>) -> Result<usize, String> {
        either!(self, stepper => stepper.step(symbols, told))
    }

    fn outputs(&self) -> &[f32] {
        either!(self, stepper => stepper.outputs())
    }

    fn prime_silence(&mut self, silence: S) -> bool {
        either!(self, stepper => stepper.prime_silence(silence))
    }

    fn can_share_a_step(&self) -> bool {
        either!(self, stepper => stepper.can_share_a_step())
    }

    fn generate_shared(
        &mut self,
        pool: &rayon::ThreadPool,
        symbols: &mut [S],
        told: Option<Told<'_>>,
        next: &mut Next<'_, S>,
    ) -> Result<(), String> {
        either!(self, stepper => stepper.generate_shared(pool, symbols, told, next))
    }
}
