//! A level's network in operations that every device has: encoder, modulator and local model (Dieleman et al. 2018, figure 2
//! and appendix A), over all symbols of an excerpt at once.

use std::collections::BTreeMap;
use std::sync::Arc;

use burn::tensor::activation::{relu, sigmoid};
use burn::tensor::backend::{AutodiffBackend, Backend};
use burn::tensor::{Int, Shape, Tensor};
use continuo_package::family::ada::Convolutions;
use continuo_package::family::ada::names::Stack;
use continuo_package::family::wavenet::{Activation, names};

use super::model::Model;
use crate::nn::ops::{Convolution, Operations, conv1d};

/// A tensor of the flat vector, which gradients may be asked for.
#[derive(Debug)]
enum Leaf<B: Backend> {
    One(Tensor<B, 1>),
    Two(Tensor<B, 2>),
    Three(Tensor<B, 3>),
}

/// A level's weights on a device. What it computes is `None` where a tensor is missing, which it never is where the weights are
/// of the model's own layout.
#[derive(Debug)]
pub struct Network<B: Operations> {
    model: Arc<Model>,
    leaves: BTreeMap<String, Leaf<B>>,
}

impl<B: Operations> Network<B> {
    /// The weights in `flat`, which has the model's layout.
    pub fn new(model: &Arc<Model>, flat: &Tensor<B, 1>) -> Self {
        let leaf = |tensor: &crate::nn::NamedTensor| {
            let part = flat.clone().slice([tensor.range()]);
            let shape = Shape::from(tensor.shape.clone());
            match tensor.shape.len() {
                1 => Leaf::One(part.require_grad()),
                2 => Leaf::Two(part.reshape(shape).require_grad()),
                _ => Leaf::Three(part.reshape(shape).require_grad()),
            }
        };
        let leaves = model.layout.tensors().iter().map(|tensor| (tensor.name.clone(), leaf(tensor))).collect();
        Self { model: Arc::clone(model), leaves }
    }

    fn one(&self, name: &str) -> Option<Tensor<B, 1>> {
        match self.leaves.get(name)? {
            Leaf::One(tensor) => Some(tensor.clone()),
            _ => None,
        }
    }

    fn two(&self, name: &str) -> Option<Tensor<B, 2>> {
        match self.leaves.get(name)? {
            Leaf::Two(tensor) => Some(tensor.clone()),
            _ => None,
        }
    }

    fn three(&self, name: &str) -> Option<Tensor<B, 3>> {
        match self.leaves.get(name)? {
            Leaf::Three(tensor) => Some(tensor.clone()),
            _ => None,
        }
    }

    /// Symbols `[B, T]` as `[B, W, T]`: the rows of a table, or multiples of its only one where they are amplitudes.
    fn embedded(&self, symbols: Tensor<B, 2, Int>, table: Tensor<B, 2>) -> Tensor<B, 3> {
        let [batch, frames] = symbols.dims();
        let ([_, width], dtype) = (table.dims(), table.dtype());
        let symbols = symbols.reshape([batch * frames]);
        let rows = if self.model.shape().has_amplitudes(0) {
            let top = f64::from(self.model.symbols() - 1);
            let amplitudes = symbols.float().cast(dtype).mul_scalar(2.0 / top).sub_scalar(1.0);
            amplitudes.reshape([batch * frames, 1]) * table
        } else {
            table.select(0, symbols)
        };
        rows.reshape([batch, frames, width]).swap_dims(1, 2)
    }

    /// Residual blocks, and the `ReLU` behind them; sequences are padded with zeros.
    fn blocks(&self, stack: Stack, sizes: Convolutions, mut x: Tensor<B, 3>) -> Option<Tensor<B, 3>> {
        for block in 0..sizes.blocks {
            let padding = sizes.padding(block) as usize;
            let dilated = Convolution {
                dilation: sizes.dilation(block) as usize,
                padding: (padding, padding),
                ..Convolution::default()
            };
            let (weight, bias) = (self.three(&stack.dilated_weight(block))?, self.one(&stack.dilated_bias(block))?);
            let h = relu(conv1d(relu(x.clone()), weight, Some(bias), &dilated));
            x = x + self.mixed(h, &stack.mix_weight(block), &stack.mix_bias(block))?;
        }
        Some(relu(x))
    }

    /// A 1×1 convolution.
    fn mixed(&self, x: Tensor<B, 3>, weight: &str, bias: &str) -> Option<Tensor<B, 3>> {
        Some(conv1d(x, self.three(weight)?, self.one(bias), &Convolution::default()))
    }

    /// What the encoder gives the quantiser `[B, C or K, T / hop]` of symbols `[B, T]`.
    pub fn queries(&self, symbols: Tensor<B, 2, Int>) -> Option<Tensor<B, 3>> {
        let stack = Stack::Encoder;
        let bias = self.one(&stack.input_bias())?.reshape([1, -1, 1]);
        let x = self.embedded(symbols, self.two(&stack.input_weight())?) + bias;
        let x = self.blocks(stack, self.model.autoencoder().encoder, x)?;
        let ([batch, width, frames], hop) = (x.dims(), self.model.hop());
        let pooled = x.reshape([batch, width, frames / hop, hop]).mean_dim(3).reshape([batch, width, frames / hop]);
        self.mixed(pooled, &stack.output_weight(), &stack.output_bias())
    }

    /// The biases of the local model's layers `[B, L·2D, T]` of what the quantiser gives `[B, C or K, T]`.
    pub fn modulated(&self, heard: Tensor<B, 3>) -> Option<Tensor<B, 3>> {
        let stack = Stack::Modulator;
        let weight = match self.leaves.get(&stack.input_weight())? {
            Leaf::Three(weight) => weight.clone(),
            Leaf::Two(rows) => rows.clone().swap_dims(0, 1).unsqueeze_dim(2),
            Leaf::One(_) => return None,
        };
        let x = conv1d(heard, weight, Some(self.one(&stack.input_bias())?), &Convolution::default());
        let x = self.blocks(stack, self.model.autoencoder().modulator, x)?;
        self.mixed(x, &stack.output_weight(), &stack.output_bias())
    }

    /// The local model's logits `[B, Q, kept]` for the last `kept` of symbols `[B, T]`, of biases `[B, L·2D, T / hop]`. The bias
    /// of a frame is that of the code whose frame is predicted.
    pub fn logits(&self, symbols: Tensor<B, 2, Int>, biases: &Tensor<B, 3>, kept: usize) -> Option<Tensor<B, 3>> {
        let decoder = &self.model.autoencoder().decoder;
        let name = |name: String| self.model.decoder_name(&name);
        let [_, length] = symbols.dims();
        let taps = decoder.filter_width as usize;
        // Each of the last is predicted from the receptive field before it.
        let seen = decoder.receptive_field_frames() as usize + kept - 1;
        let heard = symbols.narrow(1, length - 1 - seen, seen);
        let frames = seen + 1 - taps;
        let mut x: Option<Tensor<B, 3>> = None;
        for tap in 0..taps {
            let part = self.embedded(heard.clone().narrow(1, tap, frames), self.two(&name(names::causal_tap(tap)))?);
            x = Some(match x {
                Some(sum) => sum + part,
                None => part,
            });
        }
        let mut x = x?;
        if let Some(bias) = self.one(&name(names::CAUSAL_BIAS.into())) {
            x = x + bias.reshape([1, -1, 1]);
        }
        let wide = 2 * decoder.dilation_channels as usize;
        let mut skips: Option<Tensor<B, 3>> = None;
        for (layer, &dilation) in decoder.dilations.iter().enumerate() {
            let dilation = dilation as usize;
            let convolution = Convolution { dilation, ..Convolution::default() };
            let (weight, bias) = (name(names::dilated_weight(layer)), name(names::dilated_bias(layer)));
            let h = conv1d(x.clone(), self.three(&weight)?, self.one(&bias), &convolution);
            let frames = h.dims()[2];
            // What is in place p of the input predicts the frame after it; the last place predicts the last frame.
            let told = held(biases.clone().narrow(1, layer * wide, wide), self.model.hop(), frames);
            let h = h + told;
            let z = h.clone().narrow(1, 0, wide / 2).tanh() * sigmoid(h.narrow(1, wide / 2, wide / 2));
            let heard = z.clone().narrow(2, frames - kept, kept);
            let skip = self.mixed(heard, &name(names::skip_weight(layer)), &name(names::skip_bias(layer)))?;
            skips = Some(match skips {
                Some(sum) => sum + skip,
                None => skip,
            });
            if layer + 1 < decoder.dilations.len() {
                let residual =
                    self.mixed(z, &name(names::residual_weight(layer)), &name(names::residual_bias(layer)))?;
                x = x.narrow(2, dilation * (taps - 1), frames) + residual;
            }
        }
        let inner = |x| activate(decoder.activation, x);
        let y = self.mixed(inner(skips?), &name(names::end_weight(0)), &name(names::end_bias(0)))?;
        self.mixed(inner(y), &name(names::end_weight(1)), &name(names::end_bias(1)))
    }
}

/// Each column of `[B, C, T]` for `hop` frames: the last `frames` of them.
fn held<B: Backend>(x: Tensor<B, 3>, hop: usize, frames: usize) -> Tensor<B, 3> {
    let [batch, channels, steps] = x.dims();
    // No more columns than the frames need.
    let needed = frames.div_ceil(hop).min(steps);
    let x = x.narrow(2, steps - needed, needed);
    let x: Tensor<B, 4> = x.unsqueeze_dim::<4>(3).repeat_dim(3, hop);
    x.reshape([batch, channels, needed * hop]).narrow(2, needed * hop - frames, frames)
}

fn activate<B: Backend>(activation: Activation, x: Tensor<B, 3>) -> Tensor<B, 3> {
    match activation {
        Activation::None => x,
        Activation::Relu => relu(x),
        Activation::Tanh => x.tanh(),
        Activation::ScaledTanh => (x.mul_scalar(Activation::SLOPE)).tanh().mul_scalar(Activation::AMPLITUDE),
    }
}

impl<B: AutodiffBackend + Operations> Network<B> {
    /// The gradient in the layout of the weights; zero where nothing depends on a tensor.
    pub fn gradient(&self, gradients: &B::Gradients) -> Tensor<B::InnerBackend, 1> {
        let part = |tensor: &crate::nn::NamedTensor| {
            let found = match self.leaves.get(&tensor.name) {
                Some(Leaf::One(leaf)) => (leaf.grad(gradients), leaf.device(), leaf.dtype()),
                Some(Leaf::Two(leaf)) => (leaf.grad(gradients).map(|g| g.flatten(0, 1)), leaf.device(), leaf.dtype()),
                Some(Leaf::Three(leaf)) => (leaf.grad(gradients).map(|g| g.flatten(0, 2)), leaf.device(), leaf.dtype()),
                None => return None,
            };
            let (gradient, device, dtype) = found;
            Some(gradient.unwrap_or_else(|| Tensor::zeros([tensor.len()], (&device, dtype))))
        };
        Tensor::cat(self.model.layout.tensors().iter().filter_map(part).collect(), 0)
    }
}
