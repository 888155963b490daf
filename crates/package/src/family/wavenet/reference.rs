//! A WaveNet in double precision, written down from the equations alone: no packing, no tiles, no vectors. Slow, and short
//! enough to be checked against the paper by eye.
//!
//! The tests of the trainer and of the engine hold their passes against it; it is compiled with the feature `testing` alone.

use std::collections::BTreeMap;

use super::graph::part_tensors;
use super::{Activation, Part, WaveNetShape, names};

/// The network with its weights and what it has heard.
#[derive(Debug, Clone)]
pub struct Reference {
    shape: WaveNetShape,
    part: Part,
    /// By the names in [`names`].
    weights: BTreeMap<String, Vec<f64>>,
    /// Codes, or real values.
    heard: Vec<f64>,
    class: usize,
    /// Per layer its inputs of all frames, oldest first.
    seen: Vec<Vec<Vec<f64>>>,
}

impl Reference {
    /// A network that has heard nothing: silence before the first code, zeros before each layer's first input. `weights` is
    /// asked for the values of each tensor by its name and axes.
    pub fn new(shape: &WaveNetShape, weights: impl FnMut(&str, &[usize]) -> Vec<f32>) -> Self {
        Self::of_part(shape, Part::default(), weights)
    }

    /// As [`Reference::new`], of a WaveNet that is a part of another family's model.
    pub fn of_part(shape: &WaveNetShape, part: Part, mut weights: impl FnMut(&str, &[usize]) -> Vec<f32>) -> Self {
        let wide = |values: Vec<f32>| values.into_iter().map(f64::from).collect();
        let weights = part_tensors(shape, part).into_iter().map(|(name, axes)| {
            let values = wide(weights(&name, &axes));
            (name[part.prefix.len()..].to_owned(), values)
        });
        let (weights, shape) = (weights.collect(), shape.clone());
        let mut reference = Self { shape, part, weights, heard: Vec::new(), class: 0, seen: Vec::new() };
        reference.forget();
        reference
    }

    /// Asks for this class from now on.
    pub fn set_class(&mut self, class: usize) {
        self.class = class;
    }

    /// Forgets what it has heard.
    pub fn forget(&mut self) {
        self.heard = vec![f64::from(self.shape.levels / 2); self.shape.filter_width as usize - 1];
        self.seen = vec![Vec::new(); self.shape.dilations.len()];
    }

    /// The values of a tensor, to be changed; none if the model has no such tensor.
    pub fn weights_mut(&mut self, name: &str) -> &mut [f64] {
        self.weights.get_mut(name).map_or(&mut [], Vec::as_mut_slice)
    }

    /// `weight [outputs, inputs] · x + bias`; the bias is zero where the model has none.
    fn product(&self, weight: &str, bias: &str, x: &[f64]) -> Vec<f64> {
        let bias = self.weights.get(bias);
        let row = |(output, weight): (usize, &[f64])| {
            bias.map_or(0.0, |bias| bias[output]) + weight.iter().zip(x).map(|(weight, x)| weight * x).sum::<f64>()
        };
        self.weights[weight].chunks_exact(x.len()).enumerate().map(row).collect()
    }

    /// The logits `[Q]` of the frame after this code.
    pub fn step(&mut self, code: u32) -> Vec<f64> {
        self.step_symbol(code.into())
    }

    /// The outputs `[Q]` for the frame after this code or real value.
    pub fn step_symbol(&mut self, symbol: f64) -> Vec<f64> {
        self.step_told(symbol, None)
    }

    /// As [`Reference::step_symbol`], where the frame to come is conditioned on these values (`[L·2D]`).
    pub fn step_told(&mut self, symbol: f64, conditioning: Option<&[f64]>) -> Vec<f64> {
        let [r, d, s, f] = [
            self.shape.residual_channels,
            self.shape.dilation_channels,
            self.shape.skip_channels,
            self.shape.filter_width,
        ]
        .map(|axis| axis as usize);
        self.heard.push(symbol);
        let newest = &self.heard[self.heard.len() - f..];
        let mut x = self.weights.get(names::CAUSAL_BIAS).cloned().unwrap_or_else(|| vec![0.0; r]);
        for (tap, &symbol) in newest.iter().enumerate() {
            // A code chooses a row, a real value is multiplied with the only one.
            let (row, by) = if self.shape.is_real() {
                (0, symbol)
            } else if self.part.amplitudes {
                (0, 2.0 * symbol / f64::from(self.shape.levels - 1) - 1.0)
            } else {
                (symbol as usize, 1.0)
            };
            let table = &self.weights[&names::causal_tap(tap)][row * r..];
            x.iter_mut().zip(table).for_each(|(x, weight)| *x += by * weight);
        }
        let mut skip = vec![0.0; s];
        let layers = self.shape.dilations.len();
        for layer in 0..layers {
            self.seen[layer].push(x.clone());
            let seen = &self.seen[layer];
            // [R, F]: what the taps see, the newest last.
            let mut inputs = vec![0.0; r * f];
            for tap in 0..f {
                let back = (f - 1 - tap) * self.shape.dilations[layer] as usize;
                if let Some(past) = (seen.len() - 1).checked_sub(back) {
                    (0..r).for_each(|channel| inputs[channel * f + tap] = seen[past][channel]);
                }
            }
            let mut h = self.product(&names::dilated_weight(layer), &names::dilated_bias(layer), &inputs);
            if let Some(biases) = self.weights.get(&names::class_bias(layer)) {
                h.iter_mut().zip(&biases[self.class * 2 * d..]).for_each(|(h, bias)| *h += bias);
            }
            if let Some(told) = conditioning {
                h.iter_mut().zip(&told[layer * 2 * d..]).for_each(|(h, told)| *h += told);
            }
            let z: Vec<f64> = (0..d).map(|row| h[row].tanh() / (1.0 + (-h[d + row]).exp())).collect();
            let part = self.product(&names::skip_weight(layer), &names::skip_bias(layer), &z);
            skip.iter_mut().zip(part).for_each(|(sum, part)| *sum += part);
            if layer + 1 < layers {
                let part = self.product(&names::residual_weight(layer), &names::residual_bias(layer), &z);
                x.iter_mut().zip(part).for_each(|(x, part)| *x += part);
            }
        }
        let through = |function: Activation, values: Vec<f64>| -> Vec<f64> {
            values.into_iter().map(|value| function.of(value)).collect()
        };
        let (inner, last) = (self.shape.activation, self.shape.output);
        let y = self.product(&names::end_weight(0), &names::end_bias(0), &through(inner, skip));
        through(last, self.product(&names::end_weight(1), &names::end_bias(1), &through(inner, y)))
    }

    /// Logits of the last N of `codes` (receptive field + N), each from the codes before it.
    pub fn logits(&mut self, codes: &[u16]) -> Vec<Vec<f64>> {
        self.forget();
        let all: Vec<Vec<f64>> = codes[..codes.len() - 1].iter().map(|&code| self.step(code.into())).collect();
        all[self.shape.receptive_field_frames() as usize - 1..].to_vec()
    }

    /// Mean cross-entropy of a batch of such sequences, in nats.
    pub fn loss(&mut self, batch: &[Vec<u16>]) -> f64 {
        let mut losses = Vec::new();
        for codes in batch {
            let logits = self.logits(codes);
            for (row, &target) in logits.iter().zip(&codes[codes.len() - logits.len()..]) {
                let sum: f64 = row.iter().map(|logit| logit.exp()).sum();
                losses.push(sum.ln() - row[usize::from(target)]);
            }
        }
        losses.iter().sum::<f64>() / losses.len() as f64
    }

    /// What is computed for the last N of these real values (receptive field + N), each from the values before it.
    pub fn predictions(&mut self, values: &[f32]) -> Vec<f64> {
        self.forget();
        let before = &values[..values.len() - 1];
        let all: Vec<f64> = before.iter().map(|&value| self.step_symbol(value.into())[0]).collect();
        all[self.shape.receptive_field_frames() as usize - 1..].to_vec()
    }

    /// Mean squared error of a batch of such sequences.
    pub fn squared_error(&mut self, batch: &[Vec<f32>]) -> f64 {
        let mut errors = Vec::new();
        for values in batch {
            let found = self.predictions(values);
            let targets = &values[values.len() - found.len()..];
            errors.extend(found.iter().zip(targets).map(|(found, &target)| (found - f64::from(target)).powi(2)));
        }
        errors.iter().sum::<f64>() / errors.len() as f64
    }
}
