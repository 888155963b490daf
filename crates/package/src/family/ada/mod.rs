//! What the trainer and the engine agree on for autoregressive discrete autoencoders: hyper-parameters, tensor names and
//! graphs (Dieleman, van den Oord & Simonyan, *The challenge of realistic music generation: modelling raw audio at scale*,
//! 2018, sections 2 and 3).
//!
//! Each level is an autoencoder: its *encoder* takes a sequence of symbols (level 0: the audio's codes; level 1: the codes of
//! level 0) to one code per hop, its *modulator* takes these codes to biases, and its *decoder*, the local model, is a WaveNet over
//! the symbols whose gates get them. A *prior*, a WaveNet too, goes on in the codes of the topmost level.

use super::shape::{Family, FieldError, Shape};
use super::wavenet::graph::part_tensors;
use super::wavenet::{Part, WaveNetShape};
use crate::graph::{ElementType, GraphId, GraphRole, GraphSpec, TensorSpec};
use crate::signal::{Reach, Signal};
use names::Stack;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::sync::Arc;

mod autoencoder;
pub mod graph;
pub mod names;
#[cfg(any(test, feature = "testing"))]
pub mod reference;
#[cfg(test)]
mod tests;

pub use autoencoder::{Autoencoder, Convolutions, Quantiser};

/// Autoregressive discrete autoencoders: Dieleman, van den Oord & Simonyan 2018.
pub const FAMILY: Family = Family { tag: "ada", name: "discrete autoencoder", read };

/// The decoders of all levels but the one that reads amplitudes.
const DECODER: Part = Part { prefix: "decoder.", conditioned: true, amplitudes: false };
const PRIOR: Part = Part { prefix: "prior.", conditioned: false, amplitudes: false };

/// Most levels: the paper has two.
const MOST_LEVELS: usize = 2;
/// Most weights of all graphs together.
const MOST_WEIGHTS: u64 = 1 << 29;
/// Most frames that decide the next one.
const MOST_REACH: u64 = 1 << 28;

fn read(json: Value) -> Result<Arc<dyn Shape>, serde_json::Error> {
    serde_json::from_value::<AdaShape>(json).map(|shape| Arc::new(shape) as Arc<dyn Shape>)
}

/// As what the audio's codes enter the encoder and the local model of level 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Input {
    /// As one-hot vectors: each code has a row of the first weights.
    #[default]
    OneHot,
    /// As one amplitude in [−1, 1], in equal steps from the first code to the last; of a µ-law signal it is the companded one.
    Continuous,
}

/// Hyper-parameters of a discrete autoencoder of one or two levels with its prior.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AdaShape {
    /// `Q`: codes of the audio. Which amplitudes they stand for is the manifest's signal.
    pub levels: u32,
    /// As what they enter level 0.
    #[serde(default)]
    pub input: Input,
    /// Level by level, the nearest to the audio first.
    pub autoencoders: Vec<Autoencoder>,
    /// Goes on in the codes of the topmost level. None: the model can sound codes, but not go on by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prior: Option<WaveNetShape>,
}

impl AdaShape {
    /// The number of the topmost level.
    pub fn top(&self) -> u32 {
        self.autoencoders.len().saturating_sub(1) as u32
    }

    /// The autoencoder of a level.
    pub fn autoencoder(&self, level: u32) -> Option<&Autoencoder> {
        self.autoencoders.get(level as usize)
    }

    /// Codes that a level's encoder reads and its decoder writes.
    pub fn symbols(&self, level: u32) -> u32 {
        level.checked_sub(1).and_then(|below| self.autoencoder(below)).map_or(self.levels, |below| below.codes)
    }

    /// Frames of audio per symbol that a level's encoder reads: 1 for level 0.
    pub fn frames_per_symbol(&self, level: u32) -> u32 {
        self.autoencoders.iter().take(level as usize).map(|level| level.hop).product()
    }

    /// Frames of audio per code of a level.
    pub fn frames_per_code(&self, level: u32) -> u32 {
        self.frames_per_symbol(level + 1)
    }

    /// What a level's decoder is beside a WaveNet.
    pub fn decoder_part(&self, level: u32) -> Part {
        Part { amplitudes: self.has_amplitudes(level), ..DECODER }
    }

    /// What the prior is beside a WaveNet: the names of its weights.
    pub fn prior_part(&self) -> Part {
        PRIOR
    }

    /// Whether a level reads amplitudes.
    pub fn has_amplitudes(&self, level: u32) -> bool {
        level == 0 && self.input == Input::Continuous
    }

    /// Frames of audio to each side of a code's own that its level's encoders take into account, the levels below included.
    pub fn encoder_reach_frames(&self, level: u32) -> u64 {
        let of = |level: u32| {
            let encoder = self.autoencoder(level).map_or(0, |autoencoder| autoencoder.encoder.reach());
            encoder * u64::from(self.frames_per_symbol(level))
        };
        (0..=level).map(of).sum()
    }

    /// Frames of the past that decide the next one. What is known of it: the local model's own past with the biases that went into
    /// it, and the codes that a level's decoder or the prior heard, each of which the encoders made of the frames around it.
    pub fn receptive_field_frames(&self) -> u64 {
        let heard_by = |(level, autoencoder): (u32, &Autoencoder)| {
            let decoder = autoencoder.decoder.receptive_field_frames() * u64::from(self.frames_per_symbol(level));
            decoder + autoencoder.modulator.reach() * u64::from(self.frames_per_code(level))
        };
        let top = self.frames_per_code(self.top());
        let prior = self.prior.as_ref().map_or(0, |prior| prior.receptive_field_frames() * u64::from(top));
        let longest = (0..).zip(&self.autoencoders).map(heard_by).fold(prior, u64::max);
        longest + u64::from(top) + self.encoder_reach_frames(self.top())
    }

    fn check_level(&self, level: u32, autoencoder: &Autoencoder) -> Result<(), FieldError> {
        autoencoder.validate()?;
        let (decoder, symbols) = (&autoencoder.decoder, self.symbols(level));
        check_part(decoder, symbols).map_err(|(field, reason)| (format!("decoder.{field}"), reason))
    }
}

/// Checks a WaveNet that is a part of the model, over so many symbols.
fn check_part(net: &WaveNetShape, symbols: u32) -> Result<(), FieldError> {
    if net.levels != symbols {
        return Err(("levels".into(), format!("is {}; what it goes on in has {symbols}", net.levels)));
    }
    if !net.classes.is_empty() {
        return Err(("classes".into(), "are there, but such a model has none".into()));
    }
    net.validate()
}

impl Shape for AdaShape {
    fn validate(&self) -> Result<(), FieldError> {
        if !(2..=65_536).contains(&self.levels) {
            return Err(("levels".into(), format!("is {}; it must be from 2 to 65536", self.levels)));
        }
        let count = self.autoencoders.len();
        if count == 0 || count > MOST_LEVELS {
            return Err(("autoencoders".into(), format!("are {count}; they must be 1 to {MOST_LEVELS}")));
        }
        for (level, autoencoder) in (0..).zip(&self.autoencoders) {
            let at = |(field, reason)| (format!("autoencoders.{level}.{field}"), reason);
            self.check_level(level, autoencoder).map_err(at)?;
        }
        if let (Some(prior), Some(top)) = (&self.prior, self.autoencoders.last()) {
            check_part(prior, top.codes).map_err(|(field, reason)| (format!("prior.{field}"), reason))?;
        }
        // Two hops of at most 4096 make no more than 2^24 frames, which the reach bounds too.
        let reach = self.receptive_field_frames();
        if reach > MOST_REACH {
            let reason = format!("make a reach of {reach} frames; the limit is {MOST_REACH}");
            return Err(("autoencoders".into(), reason));
        }
        let weights = Shape::parameters(self);
        if weights > MOST_WEIGHTS {
            return Err(("autoencoders".into(), format!("make {weights} weights; the limit is {MOST_WEIGHTS}")));
        }
        Ok(())
    }

    fn check_signal(&self, signal: Signal) -> Result<(), String> {
        match signal.levels() {
            Some(levels) if levels == self.levels => Ok(()),
            _ => Err(format!("is {signal}; the architecture has {} levels", self.levels)),
        }
    }

    fn reach(&self) -> Reach {
        Reach::Frames { frames: self.receptive_field_frames() }
    }

    fn parameters(&self) -> u64 {
        let elements = |axes: Vec<usize>| axes.iter().map(|&axis| axis as u64).product::<u64>();
        let all = self.ids().into_iter().flat_map(|id| tensors(self, id));
        // A codebook lies in two graphs and is one.
        let is_copy = |id: GraphId, name: &str| id.role == GraphRole::Modulator && name == names::CODEBOOK;
        let copies = self.ids().into_iter().flat_map(|id| {
            tensors(self, id).into_iter().filter(move |(name, _)| is_copy(id, name)).map(|(_, axes)| axes)
        });
        all.map(|(_, axes)| elements(axes)).sum::<u64>() - copies.map(elements).sum::<u64>()
    }

    fn graphs(&self) -> Vec<GraphSpec> {
        self.ids().into_iter().map(|id| self.graph(id)).collect()
    }

    fn to_json(&self) -> Value {
        serde_json::to_value(self).unwrap_or_default()
    }
}

impl AdaShape {
    /// The graphs of the model, from the audio up: encoder, modulator and local model of each level, and the prior.
    pub fn ids(&self) -> Vec<GraphId> {
        let of_level =
            |level| [GraphRole::Encoder, GraphRole::Modulator, GraphRole::Step].map(|role| GraphId { role, level });
        let prior = self.prior.as_ref().map(|_| GraphId { role: GraphRole::Prior, level: self.top() });
        (0..self.autoencoders.len() as u32).flat_map(of_level).chain(prior).collect()
    }

    /// The boundary of one of [`AdaShape::ids`].
    fn graph(&self, id: GraphId) -> GraphSpec {
        let GraphId { role, level } = id;
        let sequence = |name: &str| TensorSpec::new(name, ElementType::I64, &[-1, -1]);
        let spec = |hop_frames, inputs, outputs| GraphSpec {
            id,
            hop_frames,
            file: format!("{id}.onnx"),
            sha256: String::new(),
            inputs,
            outputs,
            state: Vec::new(),
        };
        let codes_hop = self.frames_per_code(level);
        match (role, self.autoencoder(level), &self.prior) {
            (GraphRole::Step, Some(autoencoder), _) => {
                autoencoder.decoder.part_graph(self.decoder_part(level), id, self.frames_per_symbol(level))
            }
            (GraphRole::Prior, _, Some(prior)) => prior.part_graph(PRIOR, id, codes_hop),
            (GraphRole::Modulator, Some(autoencoder), _) => {
                let axes = [-1, autoencoder.decoder.conditioning_channels() as i64, -1];
                let conditioning = TensorSpec::new(names::CONDITIONING, ElementType::F32, &axes);
                spec(codes_hop, vec![sequence(names::LEVEL_CODES)], vec![conditioning])
            }
            _ => spec(codes_hop, vec![sequence(names::CODES)], vec![sequence(names::LEVEL_CODES)]),
        }
    }
}

/// Names and axes of the weights of one of [`AdaShape::ids`], in the order in which its graph holds them; none for any other.
pub fn tensors(shape: &AdaShape, id: GraphId) -> Vec<(String, Vec<usize>)> {
    let GraphId { role, level } = id;
    let Some(autoencoder) = shape.autoencoder(level) else { return Vec::new() };
    let (codes, code_channels) = (autoencoder.codes as usize, autoencoder.code_channels as usize);
    let is_vq = autoencoder.quantiser == Quantiser::Vq;
    let codebook = is_vq.then(|| (names::CODEBOOK.to_owned(), vec![codes, code_channels]));
    match role {
        GraphRole::Encoder => {
            let rows = if shape.has_amplitudes(level) { 1 } else { shape.symbols(level) as usize };
            let width = autoencoder.encoder.channels as usize;
            let outputs = autoencoder.quantised_channels() as usize;
            let stack = stack_tensors(Stack::Encoder, autoencoder.encoder, vec![rows, width], outputs);
            stack.into_iter().chain(codebook).collect()
        }
        GraphRole::Modulator => {
            let width = autoencoder.modulator.channels as usize;
            let input = if is_vq { vec![width, code_channels, 1] } else { vec![codes, width] };
            let outputs = autoencoder.decoder.conditioning_channels();
            codebook.into_iter().chain(stack_tensors(Stack::Modulator, autoencoder.modulator, input, outputs)).collect()
        }
        GraphRole::Step => part_tensors(&autoencoder.decoder, shape.decoder_part(level)),
        GraphRole::Prior if level == shape.top() => {
            shape.prior.as_ref().map_or_else(Vec::new, |prior| part_tensors(prior, shape.prior_part()))
        }
        GraphRole::Prior | GraphRole::Generator => Vec::new(),
    }
}

fn stack_tensors(stack: Stack, sizes: Convolutions, input: Vec<usize>, outputs: usize) -> Vec<(String, Vec<usize>)> {
    let (width, taps) = (sizes.channels as usize, sizes.filter_width as usize);
    let mut tensors = vec![(stack.input_weight(), input), (stack.input_bias(), vec![width])];
    for block in 0..sizes.blocks {
        tensors.push((stack.dilated_weight(block), vec![width, width, taps]));
        tensors.push((stack.dilated_bias(block), vec![width]));
        tensors.push((stack.mix_weight(block), vec![width, width, 1]));
        tensors.push((stack.mix_bias(block), vec![width]));
    }
    tensors.push((stack.output_weight(), vec![outputs, width, 1]));
    tensors.push((stack.output_bias(), vec![outputs]));
    tensors
}
