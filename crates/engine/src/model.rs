//! A model package, loaded and ready to generate.

use crate::boundary;
use crate::check::{self, Verdict};
use crate::error::EngineError;
use crate::forecast::Calibration;
use crate::kernels::wavenet::PackedWaveNet;
use crate::kernels::{Kernel, Precision};
use crate::runtime::Runtime;
use crate::session::StepSession;
use crate::takes::{NativeTakes, SessionTakes, Takes};
use crate::weights::WaveNetWeights;
use continuo_package::{Architecture, Generation, GraphRole, Manifest, Package, Quantisation, onnx};
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

/// Most values that one take may remember (256 MB): some twenty times the largest published model.
const MOST_STATE: u64 = 1 << 26;

/// How a model's frames are to be stepped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Stepping {
    /// The native kernel where there is one and, the library being at hand, it agrees with ONNX Runtime; else ONNX
    /// Runtime.
    #[default]
    Auto,
    /// The native kernel, unchecked.
    Native,
    /// ONNX Runtime.
    OnnxRuntime,
}

/// Choices in loading a model.
#[derive(Debug, Clone, Default)]
pub struct LoadOptions {
    /// ONNX Runtime, where it is at hand.
    pub runtime: Option<Runtime>,
    /// How frames are stepped.
    pub stepping: Stepping,
    /// The native kernel; the fastest of this processor where none is given.
    pub kernel: Option<Kernel>,
    /// In what the native kernel multiplies where a request does not say; see [`Model::best_precision`] for `None`.
    pub precision: Option<Precision>,
    /// Folder in which what was measured of a model's speed is kept between runs; it is made when it is needed.
    pub calibrations: Option<PathBuf>,
}

/// Most that a precision may add to the held-out loss to be chosen without being asked for: 0.01 bits per frame.
pub const MOST_LOSS_NATS: f64 = 0.01 * std::f64::consts::LN_2;

/// What was chosen to step a model, and why. Its text is a sentence part for a user.
#[derive(Debug, Clone, PartialEq)]
pub enum Stepper {
    /// The native kernel.
    Native {
        /// The instruction set.
        kernel: &'static str,
        /// In what it multiplies where a request does not say.
        precision: Precision,
        /// What is known about its agreement with ONNX Runtime.
        verdict: Verdict,
    },
    /// ONNX Runtime.
    OnnxRuntime {
        /// Why not the kernel.
        reason: String,
    },
}

impl std::fmt::Display for Stepper {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Native { kernel, precision, verdict } => write!(f, "the {kernel} kernel in {precision}, {verdict}"),
            Self::OnnxRuntime { reason } => write!(f, "ONNX Runtime, because {reason}"),
        }
    }
}

/// A loaded model. It is shared: generators hold their own state and only read here.
#[derive(Debug)]
pub struct Model {
    path: PathBuf,
    entry: String,
    manifest: Manifest,
    content_hash: String,
    levels: u32,
    amplitudes: Vec<f32>,
    stepper: Stepper,
    engine: Engine,
    pub(crate) calibration: Calibration,
}

/// What steps the frames.
#[derive(Debug)]
enum Engine {
    Native(Box<Native>),
    OnnxRuntime(Arc<StepSession>),
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

impl Model {
    /// Loads a package, checks its graph against its manifest, and chooses how to step it.
    ///
    /// Takes a second or less for a model of a few million weights; call it from a thread that may block.
    ///
    /// # Errors
    /// [`EngineError`]: the package's refusals; [`EngineError::Unsupported`] for a kind of model that this version does
    /// not play; [`EngineError::Graph`] where graph, manifest and architecture disagree; [`EngineError::NeedsRuntime`]
    /// and [`EngineError::Session`] where ONNX Runtime is needed and missing or fails.
    pub fn load(path: &Path, options: &LoadOptions) -> Result<Arc<Self>, EngineError> {
        Self::from_package(Package::open(path)?, options)
    }

    /// As [`Model::load`], from a package that is open already.
    ///
    /// # Errors
    /// As [`Model::load`].
    pub fn from_package(mut package: Package, options: &LoadOptions) -> Result<Arc<Self>, EngineError> {
        let manifest = &package.manifest;
        let unsupported =
            |reason| Err(EngineError::Unsupported { path: package.path.clone(), family: manifest.family, reason });
        if manifest.generation != Generation::Autoregressive {
            return unsupported("it makes all its frames at once");
        }
        let Architecture::Wavenet(shape) = &manifest.architecture else {
            return unsupported("it has an architecture of its own");
        };
        if manifest.channels != 1 {
            return unsupported("it has more than one channel");
        }
        if manifest.quantisation == Quantisation::None {
            return unsupported("it predicts real values");
        }
        let shape = shape.clone();
        let missing = || EngineError::Graph {
            path: package.path.clone(),
            entry: "model.json".into(),
            reason: "graphs.step is missing; a WaveNet has a step graph".into(),
        };
        let spec = manifest.graphs.get(&GraphRole::Step).cloned().ok_or_else(missing)?;
        let bytes = package.graphs.remove(&GraphRole::Step).ok_or_else(missing)?;
        let entry = spec.file.clone();
        let wrong = |reason: String| EngineError::Graph { path: package.path.clone(), entry: entry.clone(), reason };

        let state = shape.receptive_field_frames() * u64::from(shape.residual_channels);
        if state > MOST_STATE {
            let (needed, most) = (state >> 18, MOST_STATE >> 18);
            return Err(wrong(format!("a take would need {needed} MB of memory; the limit is {most}")));
        }
        let graph = onnx::decode(&bytes).map_err(wrong)?.graph.ok_or_else(|| wrong("has no graph".into()))?;
        boundary::check_manifest(&spec, &graph).map_err(wrong)?;
        boundary::check_wavenet(&spec, &shape).map_err(wrong)?;
        let weights = WaveNetWeights::from_graph(&shape, &graph).map_err(wrong)?;
        drop(graph);

        let session = |runtime: &Runtime| StepSession::new(runtime, &bytes, &spec);
        let failed = |reason: String| EngineError::Session {
            path: package.path.clone(),
            entry: entry.clone(),
            action: "loading the graph",
            reason,
        };
        let native = Native {
            kernel: options.kernel.unwrap_or_else(Kernel::best),
            weights,
            nets: Default::default(),
            precision: options.precision.unwrap_or_else(|| best_precision(manifest)),
        };
        // The graph's meaning is checked on the weights as they are; what a coarser precision costs was measured when the
        // model was exported.
        let packed = if options.stepping == Stepping::OnnxRuntime {
            Err("it was asked for".to_owned())
        } else {
            native.net(native.precision).map(drop)
        };
        let (engine, stepper) = match (packed, &options.runtime) {
            (Ok(()), None) => stepped_by(native, Verdict::NotChecked),
            (Ok(()), Some(_)) if options.stepping == Stepping::Native => stepped_by(native, Verdict::NotChecked),
            (Ok(()), Some(runtime)) => {
                let session = session(runtime);
                let verdict = match (&session, native.exact()) {
                    (Ok(session), Ok(net)) => check::compare(&net, native.kernel, session),
                    (Err(reason), _) => Verdict::Failed { reason: reason.clone() },
                    (_, Err(reason)) => Verdict::Failed { reason },
                };
                match (verdict, session) {
                    (Verdict::Differs { by, allowed }, Ok(session)) => {
                        let kernel = native.kernel.name();
                        let reason =
                            format!("the {kernel} kernel differs from it by {by:.1e} (allowed: {allowed:.1e})");
                        tracing::warn!(model = %package.path.display(), "stepping in ONNX Runtime: {reason}");
                        (Engine::OnnxRuntime(Arc::new(session)), Stepper::OnnxRuntime { reason })
                    }
                    (verdict, _) => stepped_by(native, verdict),
                }
            }
            (Err(reason), Some(runtime)) => {
                (Engine::OnnxRuntime(Arc::new(session(runtime).map_err(failed)?)), Stepper::OnnxRuntime { reason })
            }
            (Err(reason), None) => return Err(EngineError::NeedsRuntime { path: package.path.clone(), reason }),
        };
        let amplitudes = manifest.quantisation.table();
        let Package { path, content_hash, manifest, .. } = package;
        let kernel = match &engine {
            Engine::Native(native) => native.kernel.name(),
            Engine::OnnxRuntime(_) => "ONNX Runtime",
        };
        let calibration = Calibration::open(options.calibrations.as_deref(), &content_hash, kernel);
        let levels = shape.levels;
        Ok(Arc::new(Self { path, entry, manifest, content_hash, levels, amplitudes, stepper, engine, calibration }))
    }

    /// The manifest.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// SHA-256 of the package file, hexadecimal: the identity of the model.
    pub fn content_hash(&self) -> &str {
        &self.content_hash
    }

    /// The file that the model came from.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What steps this model, and why.
    pub fn stepper(&self) -> &Stepper {
        &self.stepper
    }

    /// Frames per second of what the model reads and writes.
    pub fn sample_rate_hz(&self) -> u32 {
        self.manifest.sample_rate_hz
    }

    /// `Q`: codes in, logits out.
    pub(crate) fn levels(&self) -> u32 {
        self.levels
    }

    /// Memory for what one take remembers, in bytes.
    pub(crate) fn bytes_per_take(&self) -> u64 {
        let Architecture::Wavenet(shape) = &self.manifest.architecture else { return 0 };
        // Coarser precisions remember less.
        let state = 4 * shape.receptive_field_frames() * u64::from(shape.residual_channels);
        // ONNX Runtime's tensors are there twice, as input and as output.
        if matches!(self.engine, Engine::OnnxRuntime(_)) { 2 * state } else { state }
    }

    /// One take before its first frame. ONNX Runtime computes in f32 whatever is asked for.
    pub(crate) fn one_take(&self, precision: Option<Precision>) -> Result<Box<dyn Takes>, EngineError> {
        Ok(match &self.engine {
            Engine::Native(native) => {
                let net = native.net(precision.unwrap_or(native.precision));
                let net = net.map_err(|reason| EngineError::NeedsRuntime { path: self.path.clone(), reason })?;
                Box::new(NativeTakes::new(net, native.kernel))
            }
            Engine::OnnxRuntime(session) => {
                Box::new(SessionTakes::new(Arc::clone(session)).map_err(|reason| self.session_failed(reason))?)
            }
        })
    }

    /// In what this model's products are computed where a request does not say: what [`LoadOptions::precision`] gave, else
    /// the fastest precision whose measured loss, as the package tells it, is within [`MOST_LOSS_NATS`] of f32's. A
    /// package that tells none is computed in f32.
    pub fn best_precision(&self) -> Precision {
        match &self.engine {
            Engine::Native(native) => native.precision,
            Engine::OnnxRuntime(_) => Precision::F32,
        }
    }

    /// The precision that a request for this one is computed in: ONNX Runtime computes in f32 whatever is asked for, and
    /// `None` is [`Model::best_precision`].
    pub fn precision_for(&self, asked: Option<Precision>) -> Precision {
        match &self.engine {
            Engine::Native(native) => asked.unwrap_or(native.precision),
            Engine::OnnxRuntime(_) => Precision::F32,
        }
    }

    /// How requests for this precision are stepped, as [`Model::stepper`] says of those for none.
    pub fn stepper_for(&self, asked: Option<Precision>) -> Stepper {
        let mut stepper = self.stepper.clone();
        if let Stepper::Native { precision, .. } = &mut stepper {
            *precision = self.precision_for(asked);
        }
        stepper
    }

    /// The amplitude of a code.
    pub(crate) fn amplitude(&self, code: u32) -> f32 {
        self.amplitudes[code as usize]
    }

    /// An error of the running session.
    pub(crate) fn session_failed(&self, reason: String) -> EngineError {
        EngineError::Session { path: self.path.clone(), entry: self.entry.clone(), action: "running the graph", reason }
    }
}

fn too_large(bytes: u64) -> String {
    format!("the kernel would need {} MB", bytes >> 20)
}

fn stepped_by(native: Native, verdict: Verdict) -> (Engine, Stepper) {
    if let Verdict::Failed { reason } = &verdict {
        tracing::warn!("the kernel could not be checked: {reason}");
    }
    let stepper = Stepper::Native { kernel: native.kernel.name(), precision: native.precision, verdict };
    (Engine::Native(Box::new(native)), stepper)
}

/// The fastest precision whose loss was measured and is within [`MOST_LOSS_NATS`] of f32's.
fn best_precision(manifest: &Manifest) -> Precision {
    let measured = |precision: Precision| manifest.training.precision_nll_nats.get(precision.name()).copied();
    let Some(exact) = measured(Precision::F32) else { return Precision::F32 };
    let within = |precision: &Precision| measured(*precision).is_some_and(|loss| loss - exact <= MOST_LOSS_NATS);
    Precision::ALL.into_iter().rev().find(within).unwrap_or_default()
}
