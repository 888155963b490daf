//! A discrete autoencoder in double precision, written down from the equations alone. Slow, and short enough to be checked
//! against the paper by eye.
//!
//! The tests of the trainer and of the engine hold their passes against it; it is compiled with the feature `testing` alone.

use super::names::{self, Stack};
use super::{AdaShape, Convolutions, Quantiser, graph};
use crate::family::wavenet::reference::Reference as WaveNet;
use crate::graph::{GraphId, GraphRole};
use std::collections::BTreeMap;

/// The network with its weights.
#[derive(Debug, Clone)]
pub struct Reference {
    shape: AdaShape,
    /// Level by level, of its encoder and modulator, by name.
    stacks: Vec<BTreeMap<String, Vec<f64>>>,
    /// Level by level.
    decoders: Vec<WaveNet>,
    prior: Option<WaveNet>,
}

/// `[T][channels]`
type Sequence = Vec<Vec<f64>>;

impl Reference {
    /// A network. `weights` is asked for the values of each tensor by the graph that it is in, its name and its axes.
    ///
    /// # Panics
    /// If a codebook's values are not the same in both graphs that hold them.
    pub fn new(shape: &AdaShape, mut weights: impl FnMut(GraphId, &str, &[usize]) -> Vec<f32>) -> Self {
        let mut stacks = Vec::new();
        let mut decoders = Vec::new();
        for (level, autoencoder) in (0..).zip(&shape.autoencoders) {
            let mut stack = BTreeMap::new();
            for role in [GraphRole::Encoder, GraphRole::Modulator] {
                let id = GraphId { role, level };
                for (name, axes) in graph::tensors(shape, id) {
                    let values: Vec<f64> = weights(id, &name, &axes).into_iter().map(f64::from).collect();
                    if let Some(before) = stack.insert(name, values.clone()) {
                        assert!(before == values, "one codebook per level");
                    }
                }
            }
            stacks.push(stack);
            let id = GraphId { role: GraphRole::Step, level };
            let part = shape.decoder_part(level);
            decoders.push(WaveNet::of_part(&autoencoder.decoder, part, |name, axes| weights(id, name, axes)));
        }
        let id = GraphId { role: GraphRole::Prior, level: shape.top() };
        let part = shape.prior_part();
        let of = |prior| WaveNet::of_part(prior, part, |name, axes| weights(id, name, axes));
        Self { shape: shape.clone(), stacks, decoders, prior: shape.prior.as_ref().map(of) }
    }

    /// The values of a tensor of a level's encoder or modulator, to be changed; none if the model has no such tensor.
    pub fn stack_mut(&mut self, level: u32, name: &str) -> &mut [f64] {
        let stack = self.stacks.get_mut(level as usize);
        stack.and_then(|stack| stack.get_mut(name)).map_or(&mut [], Vec::as_mut_slice)
    }

    /// A level's local model; its weights have the names of a WaveNet.
    pub fn decoder_mut(&mut self, level: u32) -> &mut WaveNet {
        &mut self.decoders[level as usize]
    }

    /// The prior; its weights have the names of a WaveNet.
    pub fn prior_mut(&mut self) -> Option<&mut WaveNet> {
        self.prior.as_mut()
    }

    fn weights(&self, level: u32, name: &str) -> &[f64] {
        &self.stacks[level as usize][name]
    }

    /// A 1×1 convolution: `weight [outputs, inputs] · x + bias`.
    fn product(&self, level: u32, weight: &str, bias: &str, x: &[f64]) -> Vec<f64> {
        let rows = self.weights(level, weight).chunks_exact(x.len());
        let row = |(row, bias): (&[f64], &f64)| bias + row.iter().zip(x).map(|(weight, x)| weight * x).sum::<f64>();
        rows.zip(self.weights(level, bias)).map(row).collect()
    }

    /// What a level's encoder gives the quantiser, `[T / hop][C or K]`, of its symbols.
    pub fn encoded(&self, level: u32, symbols: &[u32]) -> Sequence {
        let stack = Stack::Encoder;
        let (autoencoder, levels) = (&self.shape.autoencoders[level as usize], self.shape.levels);
        let width = autoencoder.encoder.channels as usize;
        let table = self.weights(level, &stack.input_weight());
        let rows = symbols.iter().map(|&symbol| -> Vec<f64> {
            if self.shape.has_amplitudes(level) {
                let amplitude = 2.0 * f64::from(symbol) / f64::from(levels - 1) - 1.0;
                table.iter().map(|weight| amplitude * weight).collect()
            } else {
                table[symbol as usize * width..][..width].to_vec()
            }
        });
        let bias = self.weights(level, &stack.input_bias());
        let x = rows.map(|row| row.iter().zip(bias).map(|(x, bias)| x + bias).collect()).collect();
        let x = self.blocks(level, stack, autoencoder.encoder, x);
        let hop = autoencoder.hop as usize;
        let mean = |frames: &[Vec<f64>]| -> Vec<f64> {
            (0..width).map(|channel| frames.iter().map(|frame| frame[channel]).sum::<f64>() / hop as f64).collect()
        };
        let pooled = x.chunks_exact(hop).map(mean);
        pooled.map(|x| self.product(level, &stack.output_weight(), &stack.output_bias(), &x)).collect()
    }

    /// The code of one of [`Reference::encoded`]'s vectors.
    pub fn quantised(&self, level: u32, vector: &[f64]) -> u32 {
        let scores: Vec<f64> = match self.shape.autoencoders[level as usize].quantiser {
            Quantiser::Vq => {
                let vectors = self.weights(level, names::CODEBOOK).chunks_exact(vector.len());
                let distance = |entry: &[f64]| entry.iter().zip(vector).map(|(e, z)| (z - e).powi(2)).sum::<f64>();
                vectors.map(|entry| -distance(entry)).collect()
            }
            Quantiser::Amae => vector.iter().map(|value| value.max(0.0)).collect(),
            Quantiser::SoftmaxAmae => vector.to_vec(),
        };
        let better = |best: usize, code: usize| if scores[code] > scores[best] { code } else { best };
        (0..scores.len()).fold(0, better) as u32
    }

    /// The codes of a level, of its symbols.
    pub fn encode(&self, level: u32, symbols: &[u32]) -> Vec<u32> {
        self.encoded(level, symbols).iter().map(|vector| self.quantised(level, vector)).collect()
    }

    /// What the gates of a level's local model get at each of its codes, `[T][L·2D]`.
    pub fn modulate(&self, level: u32, codes: &[u32]) -> Sequence {
        let stack = Stack::Modulator;
        let autoencoder = &self.shape.autoencoders[level as usize];
        let row = |codes: &[f64], width: usize, code: u32| codes[code as usize * width..][..width].to_vec();
        let embedded = |&code: &u32| -> Vec<f64> {
            if autoencoder.quantiser == Quantiser::Vq {
                let vector = row(self.weights(level, names::CODEBOOK), autoencoder.code_channels as usize, code);
                return self.product(level, &stack.input_weight(), &stack.input_bias(), &vector);
            }
            let width = autoencoder.modulator.channels as usize;
            let row = row(self.weights(level, &stack.input_weight()), width, code);
            row.iter().zip(self.weights(level, &stack.input_bias())).map(|(x, bias)| x + bias).collect()
        };
        let x = self.blocks(level, stack, autoencoder.modulator, codes.iter().map(embedded).collect());
        x.iter().map(|x| self.product(level, &stack.output_weight(), &stack.output_bias(), x)).collect()
    }

    fn blocks(&self, level: u32, stack: Stack, sizes: Convolutions, mut x: Sequence) -> Sequence {
        let relu = |x: &[f64]| -> Vec<f64> { x.iter().map(|value| value.max(0.0)).collect() };
        let (width, taps) = (sizes.channels as usize, sizes.filter_width as usize);
        for block in 0..sizes.blocks {
            let before: Sequence = x.iter().map(|x| relu(x)).collect();
            for (step, x) in x.iter_mut().enumerate() {
                // [W, F]: what the taps see; zeros beyond the ends.
                let mut seen = vec![0.0; width * taps];
                for tap in 0..taps {
                    let at = (step + tap * sizes.dilation(block) as usize).checked_sub(sizes.padding(block) as usize);
                    if let Some(there) = at.and_then(|at| before.get(at)) {
                        (0..width).for_each(|channel| seen[channel * taps + tap] = there[channel]);
                    }
                }
                let dilated = self.product(level, &stack.dilated_weight(block), &stack.dilated_bias(block), &seen);
                let mixed = self.product(level, &stack.mix_weight(block), &stack.mix_bias(block), &relu(&dilated));
                x.iter_mut().zip(mixed).for_each(|(x, mixed)| *x += mixed);
            }
        }
        x.iter().map(|x| relu(x)).collect()
    }

    /// The logits `[T][Q]` of a level's local model for every symbol, each from the symbols before it and the codes of all: silence
    /// comes before the first one. `T` is a multiple of the hop.
    pub fn decode(&mut self, level: u32, symbols: &[u32], codes: &[u32]) -> Sequence {
        let told = self.modulate(level, codes);
        let hop = self.shape.autoencoders[level as usize].hop as usize;
        let silence = self.shape.autoencoders[level as usize].decoder.levels / 2;
        let decoder = &mut self.decoders[level as usize];
        decoder.forget();
        let before = std::iter::once(silence).chain(symbols.iter().copied());
        let logits = before.take(symbols.len()).enumerate();
        logits.map(|(step, before)| decoder.step_told(before.into(), Some(&told[step / hop]))).collect()
    }
}
