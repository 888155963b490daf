//! Discrete autoencoders: encoders and modulators in ONNX Runtime, local models and the prior as WaveNets are stepped
//! (Dieleman, van den Oord & Simonyan, *The challenge of realistic music generation*, 2018).

mod codes;
mod conditioner;
mod grid;
mod nets;
mod start;
#[cfg(test)]
mod tests;
mod voice;

use super::family::{LoadedFamily, Loader};
use super::wavenet::check_memory;
use crate::abilities::{Abilities, Setting};
use crate::autoregressive::told_nll_nats;
use crate::backend::{Backend, LoadOptions};
use crate::error::EngineError;
use crate::kernels::Precision;
use crate::source::Source;
use crate::voice::{Voice, VoiceRequest};
use conditioner::Recordings;
use continuo_package::family::ada::{AdaShape, FAMILY};
use continuo_package::{Manifest, Package};
use nets::Nets;
use std::sync::Arc;
use voice::AdaVoice;

/// How discrete autoencoders are loaded.
pub const LOADER: Loader = Loader { family: FAMILY, abilities, load };

fn abilities(manifest: &Manifest) -> Abilities {
    let has_prior = manifest.architecture.shape_of::<AdaShape>().is_some_and(|shape| shape.prior.is_some());
    Abilities {
        channels: manifest.channels,
        can_continue: has_prior,
        can_begin: has_prior,
        fixed_frames: None,
        settings: Setting::ALL.into_iter().filter(|setting| *setting != Setting::Class).collect(),
        classes: Vec::new(),
    }
}

/// A loaded model.
#[derive(Debug)]
struct Ada {
    nets: Arc<Nets>,
    abilities: Abilities,
}

fn load(package: &mut Package, options: &LoadOptions) -> Result<Box<dyn LoadedFamily>, EngineError> {
    let abilities = abilities(&package.manifest);
    let Some(shape) = package.manifest.architecture.shape_of::<AdaShape>().cloned() else {
        return Err(Source::new(&package.path, "model.json").disagrees("has no shape of a discrete autoencoder".into()));
    };
    Ok(Box::new(Ada { nets: Arc::new(Nets::load(package, &shape, options)?), abilities }))
}

impl LoadedFamily for Ada {
    fn abilities(&self) -> &Abilities {
        &self.abilities
    }

    fn voice(&self, request: &VoiceRequest) -> Result<Box<dyn Voice>, EngineError> {
        request.validate()?;
        check_memory(request, self.nets.bytes_per_variation())?;
        if request.class > 0 {
            let reason = format!("is {}; the model has 1, counted from 0", request.class);
            return Err(EngineError::Request { setting: "the class", reason });
        }
        // What packing the weights in a precision would refuse is refused here.
        for level in &self.nets.levels {
            level.decoder.stepper::<u32>(request.precision, 0)?;
        }
        if let Some(prior) = &self.nets.prior {
            prior.stepper::<u32>(request.precision, 0)?;
        }
        Ok(Box::new(AdaVoice::new(&self.nets, request)))
    }

    fn backend(&self, precision: Option<Precision>) -> Backend {
        self.nets.levels[0].decoder.backend(precision)
    }

    /// Of the local model that is told the recordings' own codes.
    fn nll_nats(&self, precision: Precision, sequences: &[Vec<u32>]) -> Result<f64, EngineError> {
        let level = &self.nets.levels[0];
        let (net, silence) = (&level.decoder, self.nets.signal.silence());
        let stepper = net.stepper(Some(precision), 0)?;
        let levels = net.shape().levels as usize;
        let told = |together: &[Vec<u32>]| Recordings::new(level, together, silence);
        told_nll_nats(net.source(), &stepper, net.reach(), levels, sequences, told)
    }
}
