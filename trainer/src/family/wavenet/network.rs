//! The same network in Burn's operations, over any backend with automatic differentiation: what trains on CUDA, and the
//! reference that the tests hold the hand-written passes against.

use std::sync::Arc;

use burn::tensor::activation::{log_softmax, relu, sigmoid};
use burn::tensor::backend::AutodiffBackend;
use burn::tensor::module::conv1d;
use burn::tensor::ops::ConvOptions;
use burn::tensor::{Int, Tensor, TensorData};
use continuo_package::family::wavenet::names;

use super::compute::{Compute, ComputeError};
use super::parameters::Table;

/// Sequences of the held-out measurement that run at once: without a gradient memory is no limit, but time is little.
const MEASURED_TOGETHER: usize = 8;

/// One layer's weights, named as in the exported graph.
#[derive(Debug)]
struct Layer<B: AutodiffBackend> {
    dilation: usize,
    dilated: (Tensor<B, 3>, Option<Tensor<B, 1>>),
    skip: (Tensor<B, 3>, Option<Tensor<B, 1>>),
    residual: Option<(Tensor<B, 3>, Option<Tensor<B, 1>>)>,
}

/// The network's weights on a device.
#[derive(Debug)]
struct Weights<B: AutodiffBackend> {
    causal: Vec<Tensor<B, 2>>,
    causal_bias: Option<Tensor<B, 1>>,
    layers: Vec<Layer<B>>,
    ends: [(Tensor<B, 3>, Option<Tensor<B, 1>>); 2],
}

/// Forward and backward passes on a Burn backend.
#[derive(Debug)]
pub struct Network<B: AutodiffBackend> {
    table: Arc<Table>,
    device: B::Device,
    name: String,
    logit_penalty: f64,
}

/// Reads tensors out of the flat vector.
struct Reader<'a, B: AutodiffBackend> {
    table: &'a Table,
    values: &'a [f32],
    device: &'a B::Device,
}

impl<B: AutodiffBackend> Reader<'_, B> {
    fn find<const D: usize>(&self, name: &str) -> Option<Tensor<B, D>> {
        let tensor = self.table.find(name)?;
        let data = TensorData::new(self.values[tensor.range()].to_vec(), tensor.shape.clone());
        Some(Tensor::from_data(data, self.device).require_grad())
    }

    fn weight<const D: usize>(&self, name: &str) -> Result<Tensor<B, D>, ComputeError> {
        self.find(name).ok_or_else(|| ComputeError::Device {
            device: "model".into(),
            reason: format!("the tensor {name} is missing"),
        })
    }

    fn pair(&self, weight: &str, bias: &str) -> Result<(Tensor<B, 3>, Option<Tensor<B, 1>>), ComputeError> {
        Ok((self.weight(weight)?, self.find(bias)))
    }
}

impl<B: AutodiffBackend> Weights<B> {
    fn new(table: &Table, values: &[f32], device: &B::Device) -> Result<Self, ComputeError> {
        let reader = Reader { table, values, device };
        let shape = &table.shape;
        let layers = shape
            .dilations
            .iter()
            .enumerate()
            .map(|(index, &dilation)| {
                let last = index + 1 == shape.dilations.len();
                let residual = || reader.pair(&names::residual_weight(index), &names::residual_bias(index));
                Ok(Layer {
                    dilation: dilation as usize,
                    dilated: reader.pair(&names::dilated_weight(index), &names::dilated_bias(index))?,
                    skip: reader.pair(&names::skip_weight(index), &names::skip_bias(index))?,
                    residual: if last { None } else { Some(residual()?) },
                })
            })
            .collect::<Result<_, ComputeError>>()?;
        Ok(Self {
            causal: (0..shape.filter_width as usize)
                .map(|tap| reader.weight(&names::causal_tap(tap)))
                .collect::<Result<_, _>>()?,
            causal_bias: reader.find(names::CAUSAL_BIAS),
            layers,
            ends: [
                reader.pair(&names::end_weight(0), &names::end_bias(0))?,
                reader.pair(&names::end_weight(1), &names::end_bias(1))?,
            ],
        })
    }

    /// Logits `[B, Q, N]` for `codes` `[B, receptive field − 1 + N]`.
    fn logits(&self, codes: &Tensor<B, 2, Int>) -> Tensor<B, 3> {
        let [batch, length] = codes.dims();
        let taps = self.causal.len();
        let frames = length + 1 - taps;
        let embedded = self.causal.iter().enumerate().map(|(tap, weight)| {
            let codes = codes.clone().narrow(1, tap, frames).reshape([batch * frames]);
            weight.clone().select(0, codes)
        });
        let sum = embedded.reduce(|a, b| a + b);
        let mut x: Tensor<B, 3> = match sum {
            Some(sum) => {
                let channels = sum.dims()[1];
                let sum = match &self.causal_bias {
                    Some(bias) => sum + bias.clone().unsqueeze(),
                    None => sum,
                };
                sum.reshape([batch, frames, channels]).swap_dims(1, 2)
            }
            // A filter has two taps at least.
            None => Tensor::zeros([batch, 1, frames], &codes.device()),
        };
        let reach: usize = self.layers.iter().map(|layer| layer.dilation * (taps - 1)).sum();
        let kept = frames - reach;
        let mut skips: Option<Tensor<B, 3>> = None;
        for layer in &self.layers {
            let (weight, bias) = &layer.dilated;
            let options = ConvOptions::new([1], [0], [layer.dilation], 1);
            let h = conv1d(x.clone(), weight.clone(), bias.clone(), options);
            let [_, wide, length] = h.dims();
            let z = h.clone().narrow(1, 0, wide / 2).tanh() * sigmoid(h.narrow(1, wide / 2, wide / 2));
            let skip = mix(z.clone().narrow(2, length - kept, kept), &layer.skip);
            skips = Some(match skips {
                Some(sum) => sum + skip,
                None => skip,
            });
            if let Some(residual) = &layer.residual {
                x = x.narrow(2, layer.dilation * (taps - 1), length) + mix(z, residual);
            }
        }
        let y = skips.unwrap_or(x);
        mix(relu(mix(relu(y), &self.ends[0])), &self.ends[1])
    }

    /// The weights with their names, each flattened by `f`.
    fn each(&self, f: &mut impl FnMut(String, &dyn Gradient<B>)) {
        for (tap, weight) in self.causal.iter().enumerate() {
            f(names::causal_tap(tap), weight);
        }
        let mut pair = |(weight, bias): &(Tensor<B, 3>, Option<Tensor<B, 1>>), names: [String; 2]| {
            let [name, bias_name] = names;
            f(name, weight);
            if let Some(bias) = bias {
                f(bias_name, bias);
            }
        };
        for (i, layer) in self.layers.iter().enumerate() {
            pair(&layer.dilated, [names::dilated_weight(i), names::dilated_bias(i)]);
            pair(&layer.skip, [names::skip_weight(i), names::skip_bias(i)]);
            if let Some(residual) = &layer.residual {
                pair(residual, [names::residual_weight(i), names::residual_bias(i)]);
            }
        }
        for (i, end) in self.ends.iter().enumerate() {
            pair(end, [names::end_weight(i), names::end_bias(i)]);
        }
        if let Some(bias) = &self.causal_bias {
            f(names::CAUSAL_BIAS.to_owned(), bias);
        }
    }
}

/// A 1×1 convolution.
fn mix<B: AutodiffBackend>(x: Tensor<B, 3>, (weight, bias): &(Tensor<B, 3>, Option<Tensor<B, 1>>)) -> Tensor<B, 3> {
    conv1d(x, weight.clone(), bias.clone(), ConvOptions::new([1], [0], [1], 1))
}

/// A weight of any rank, whose gradient can be asked for as one row.
trait Gradient<B: AutodiffBackend> {
    fn flat(&self, gradients: &B::Gradients) -> Option<Tensor<B::InnerBackend, 1>>;
}

impl<B: AutodiffBackend, const D: usize> Gradient<B> for Tensor<B, D> {
    fn flat(&self, gradients: &B::Gradients) -> Option<Tensor<B::InnerBackend, 1>> {
        self.grad(gradients).map(|gradient| gradient.flatten(0, D - 1))
    }
}

impl<B: AutodiffBackend> Network<B> {
    /// The network of `table`'s shape on `device`, which is called `name`.
    pub fn new(table: &Arc<Table>, device: B::Device, name: String) -> Self {
        Self { table: Arc::clone(table), device, name, logit_penalty: 0.0 }
    }

    fn failed(&self, reason: impl std::fmt::Display) -> ComputeError {
        ComputeError::Device { device: self.name.clone(), reason: reason.to_string() }
    }

    /// Inputs `[B, receptive field − 1 + N]` and targets `[B · N, 1]`.
    #[allow(clippy::type_complexity)]
    fn tensors(&self, batch: &[Vec<u16>]) -> Result<(Tensor<B, 2, Int>, Tensor<B, 2, Int>), ComputeError> {
        let shape = &self.table.shape;
        let receptive = shape.receptive_field_frames() as usize;
        let length = batch.first().map_or(0, Vec::len);
        for sequence in batch {
            if sequence.len() <= receptive {
                return Err(ComputeError::TooShort { frames: sequence.len(), receptive });
            }
            if sequence.len() != length {
                return Err(self.failed("the sequences of a batch differ in length"));
            }
            if let Some(&code) = sequence.iter().find(|&&code| u32::from(code) >= shape.levels) {
                return Err(ComputeError::Code { code, levels: shape.levels });
            }
        }
        let part = |from: usize, to: usize| -> Vec<i32> {
            batch.iter().flat_map(|sequence| &sequence[from..to]).map(|&code| i32::from(code)).collect()
        };
        let count = batch.len();
        let targets = length - receptive;
        let inputs = TensorData::new(part(0, length - 1), [count, length - 1]);
        let expected = TensorData::new(part(receptive, length), [count * targets, 1]);
        Ok((Tensor::from_data(inputs, &self.device), Tensor::from_data(expected, &self.device)))
    }

    /// The mean cross-entropy of a batch and its logits `[B · N, Q]`, still on the device.
    fn cross_entropy(
        &self,
        weights: &Weights<B>,
        batch: &[Vec<u16>],
    ) -> Result<(Tensor<B, 1>, Tensor<B, 2>), ComputeError> {
        let (inputs, targets) = self.tensors(batch)?;
        let logits = weights.logits(&inputs);
        let [count, levels, frames] = logits.dims();
        let rows = logits.swap_dims(1, 2).reshape([count * frames, levels]);
        Ok((log_softmax(rows.clone(), 1).gather(1, targets).mean().neg(), rows))
    }
}

impl<B: AutodiffBackend> Compute for Network<B> {
    fn device(&self) -> String {
        self.name.clone()
    }

    fn penalise_logits(&mut self, weight: f64) {
        self.logit_penalty = weight;
    }

    fn gradient(&mut self, values: &[f32], batch: &[Vec<u16>], gradient: &mut [f32]) -> Result<f64, ComputeError> {
        let weights = Weights::<B>::new(&self.table, values, &self.device)?;
        let (loss, logits) = self.cross_entropy(&weights, batch)?;
        let minimised = if self.logit_penalty > 0.0 {
            loss.clone() + (logits.clone() * logits).mean() * self.logit_penalty
        } else {
            loss.clone()
        };
        let gradients = minimised.backward();
        let mut parts = Vec::new();
        let mut places = Vec::new();
        weights.each(&mut |name, weight| {
            if let (Some(part), Some(tensor)) = (weight.flat(&gradients), self.table.find(&name)) {
                parts.push(part);
                places.push(tensor.range());
            }
        });
        // One transfer for all of them.
        let flat = Tensor::cat(parts, 0).into_data().to_vec::<f32>().map_err(|e| self.failed(format!("{e:?}")))?;
        gradient.fill(0.0);
        let mut rest = flat.as_slice();
        for place in places {
            let (part, after) = rest.split_at(place.len());
            gradient[place].copy_from_slice(part);
            rest = after;
        }
        scalar(loss).ok_or_else(|| self.failed("the loss could not be read"))
    }

    fn loss(&mut self, values: &[f32], batch: &[Vec<u16>]) -> Result<f64, ComputeError> {
        let weights = Weights::<B>::new(&self.table, values, &self.device)?;
        let receptive = self.table.shape.receptive_field_frames() as usize;
        let (mut total, mut count) = (0.0, 0);
        for part in batch.chunks(MEASURED_TOGETHER) {
            let (loss, _) = self.cross_entropy(&weights, part)?;
            let targets: usize = part.iter().map(|sequence| sequence.len() - receptive).sum();
            total += scalar(loss).ok_or_else(|| self.failed("the loss could not be read"))? * targets as f64;
            count += targets;
        }
        Ok(total / count as f64)
    }

    fn logits(&mut self, values: &[f32], codes: &[u16]) -> Result<Vec<f32>, ComputeError> {
        let weights = Weights::<B>::new(&self.table, values, &self.device)?;
        let (inputs, _) = self.tensors(std::slice::from_ref(&codes.to_vec()))?;
        let rows = weights.logits(&inputs).swap_dims(1, 2).flatten::<1>(0, 2);
        rows.into_data().to_vec::<f32>().map_err(|e| self.failed(format!("{e:?}")))
    }
}

fn scalar<B: AutodiffBackend>(tensor: Tensor<B, 1>) -> Option<f64> {
    tensor.into_data().iter::<f64>().next()
}
