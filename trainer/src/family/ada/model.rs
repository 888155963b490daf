//! One level of a discrete autoencoder while it is trained: its sizes, and its tensors in one flat vector.

use std::sync::Arc;

use continuo_package::family::ada::{AdaShape, Autoencoder, graph, names};
use continuo_package::{GraphId, GraphRole};

use super::quantiser::Shares;
use crate::nn::{TensorLayout, Tensors};
use crate::random::{Purpose, Random};

/// What the first weights are drawn for, tensor by tensor.
const INITIAL: Purpose = Purpose::named("initial weights of a discrete autoencoder");

/// The graphs of a level, whose tensors a network trains.
pub const ROLES: [GraphRole; 3] = [GraphRole::Encoder, GraphRole::Modulator, GraphRole::Step];

/// A level in training. Whatever level it becomes of a package, here it is the only one, and its symbols are the shape's levels.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Model {
    shape: AdaShape,
    autoencoder: Autoencoder,
    /// The tensors that gradients train, encoder, modulator and local model one behind the other. The codebook is none of them.
    pub layout: Arc<TensorLayout>,
}

/// How codes are chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Quantising {
    /// The nearest vector of a codebook.
    Vectors,
    /// The largest share.
    Shares(Shares),
}

impl Model {
    /// The only level of this shape; `None` where it has another number of them.
    pub fn new(shape: AdaShape) -> Option<Self> {
        let [autoencoder] = &shape.autoencoders[..] else { return None };
        let autoencoder = autoencoder.clone();
        let tensors = ROLES.into_iter().flat_map(|role| graph::tensors(&shape, GraphId::of(role)));
        let layout = TensorLayout::new(tensors.filter(|(name, _)| name != names::CODEBOOK));
        Some(Self { shape, autoencoder, layout: Arc::new(layout) })
    }

    /// The shape of a model of this level alone.
    pub fn shape(&self) -> &AdaShape {
        &self.shape
    }

    /// The level.
    pub fn autoencoder(&self) -> &Autoencoder {
        &self.autoencoder
    }

    /// How codes are chosen.
    pub fn quantising(&self) -> Quantising {
        use continuo_package::family::ada::Quantiser;
        match self.autoencoder.quantiser {
            Quantiser::Vq => Quantising::Vectors,
            Quantiser::Amae => Quantising::Shares(Shares::Divisive),
            Quantiser::SoftmaxAmae => Quantising::Shares(Shares::Softmax),
        }
    }

    /// Symbols that the encoder reads and the local model says the likelihood of.
    pub fn symbols(&self) -> u32 {
        self.shape.levels
    }

    /// Symbols per code.
    pub fn hop(&self) -> usize {
        self.autoencoder.hop as usize
    }

    /// Symbols of the past that the local model needs, as a whole number of hops: what comes before those that count.
    pub fn context(&self) -> usize {
        (self.autoencoder.decoder.receptive_field_frames() as usize).next_multiple_of(self.hop())
    }

    /// Symbols to each side that decide a code, as a whole number of hops.
    pub fn margin(&self) -> usize {
        (self.autoencoder.encoder.reach() as usize).next_multiple_of(self.hop())
    }

    /// The name of a tensor of the local model, whose name in a WaveNet by itself is this.
    pub fn decoder_name(&self, name: &str) -> String {
        self.shape.decoder_part(0).weight(name)
    }

    /// Fresh weights: Glorot's uniform distribution, biases zero. A one-hot input is one value, not as many as it has rows.
    pub fn initial(&self, rng_seed: u64) -> Tensors {
        let mut weights = Tensors::zeros(Arc::clone(&self.layout));
        let taps = self.autoencoder.decoder.filter_width as usize;
        let causal = self.decoder_name("causal");
        for (index, tensor) in self.layout.tensors().iter().enumerate() {
            let (fan_in, fan_out) = match tensor.shape[..] {
                [outputs, inputs, taps] => (inputs * taps, outputs * taps),
                [_, outputs] if tensor.name.starts_with(&causal) => (taps, outputs),
                [_, outputs] => (1, outputs),
                _ => continue,
            };
            let limit = (6.0 / (fan_in + fan_out) as f32).sqrt();
            let mut random = Random::new(rng_seed, INITIAL, index as u64);
            for value in &mut weights.values[tensor.range()] {
                *value = limit * (2.0 * random.uniform() - 1.0);
            }
        }
        weights
    }
}
