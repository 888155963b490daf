//! WaveNets over codes or real values: the native kernel where it computes what the graph says, else ONNX Runtime.

mod check;
mod native;
mod net;
mod weights;

pub(super) use net::{Net, NetStepper};
pub use weights::{LayerWeights, Matrix, WaveNetWeights};

use super::family::{LoadedFamily, Loader};
use crate::abilities::{Abilities, Setting};
use crate::autoregressive::{Autoregressive, Head, Past, Real, Softmax, nll_nats};
use crate::backend::{Backend, LoadOptions, MOST_LOSS_NATS};
use crate::error::EngineError;
use crate::kernels::Precision;
use crate::source::Source;
use crate::symbol::Symbol;
use crate::voice::{Voice, VoiceRequest};
use continuo_package::family::wavenet::{FAMILY, Part, WaveNetShape};
use continuo_package::{GraphId, GraphRole, Manifest, Package, Signal};

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
        _ if matches!(setting, Setting::CodeTemperature | Setting::CodeTopK) => true,
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
    net: Net,
    signal: Signal,
    noise: f32,
    abilities: Abilities,
}

fn load(package: &mut Package, options: &LoadOptions) -> Result<Box<dyn LoadedFamily>, EngineError> {
    let manifest = &package.manifest;
    let source = Source::new(&package.path, manifest.graph(STEP).map_or("model.json", |spec| &spec.file));
    let parts = (manifest.architecture.shape_of::<WaveNetShape>(), manifest.graph(STEP), package.graphs.remove(&STEP));
    let (Some(shape), Some(spec), Some(bytes)) = parts else {
        return Err(source.disagrees("a WaveNet's shape or its step graph is missing".into()));
    };
    let precision = options.precision.unwrap_or_else(|| best_precision(manifest));
    let net = Net::load(&source, (shape, Part::default()), (spec, &bytes), precision, options)?;
    let (signal, noise, abilities) = (manifest.signal, noise(manifest), abilities(manifest));
    Ok(Box::new(WaveNet { source, net, signal, noise, abilities }))
}

impl WaveNet {
    fn voice_with<H: Head<Symbol: Symbol> + 'static>(
        &self,
        head: H,
        request: &VoiceRequest,
    ) -> Result<Box<dyn Voice>, EngineError> {
        let stepper = self.net.stepper(request.precision, request.class)?;
        let past = Past { reach: Some(self.net.reach()), silence_before: self.net.reach() };
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
        check_memory(request, self.net.bytes_per_variation())?;
        let classes = self.net.shape().classes.len().max(1);
        if request.class as usize >= classes {
            let reason = format!("is {}; the model has {classes}, counted from 0", request.class);
            return Err(EngineError::Request { setting: "the class", reason });
        }
        if self.net.shape().is_real() {
            self.voice_with(Real::with_noise(self.noise, request.sampling), request)
        } else {
            self.voice_with(Softmax::new(self.signal, request.sampling), request)
        }
    }

    fn backend(&self, asked: Option<Precision>) -> Backend {
        self.net.backend(asked)
    }

    fn nll_nats(&self, precision: Precision, sequences: &[Vec<u32>]) -> Result<f64, EngineError> {
        if self.net.shape().is_real() {
            let reason = "are codes; a model of real values gives no likelihood".into();
            return Err(EngineError::Request { setting: "the sequences", reason });
        }
        let stepper = self.net.stepper(Some(precision), 0)?;
        nll_nats(&self.source, &stepper, self.net.reach(), self.net.shape().levels as usize, sequences)
    }
}

/// Checks that so many bytes for each variation of a request are not too many.
///
/// # Errors
/// [`EngineError::Request`]
pub(super) fn check_memory(request: &VoiceRequest, bytes_per_variation: u64) -> Result<(), EngineError> {
    let count = request.variations.len();
    let needed = bytes_per_variation.saturating_mul(count as u64);
    if needed <= MOST_BYTES {
        return Ok(());
    }
    let (needed, most) = (needed >> 20, MOST_BYTES >> 20);
    let reason = format!("is {count}, which needs {needed} MB of memory; at most {most} MB are taken");
    Err(EngineError::Request { setting: "the number of variations", reason })
}

/// The fastest precision whose loss was measured and is within [`MOST_LOSS_NATS`] of f32's.
pub(super) fn best_precision(manifest: &Manifest) -> Precision {
    let measured = |precision: Precision| manifest.training.precision_nll_nats.get(precision.name()).copied();
    let Some(exact) = measured(Precision::F32) else { return Precision::F32 };
    let within = |precision: &Precision| measured(*precision).is_some_and(|loss| loss - exact <= MOST_LOSS_NATS);
    Precision::ALL.into_iter().rev().find(within).unwrap_or_default()
}
