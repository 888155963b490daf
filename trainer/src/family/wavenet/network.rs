//! The same network in Burn's operations, over any backend with automatic differentiation: what trains on GPUs, and the
//! reference that the tests hold the hand-written passes against.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use burn::tensor::activation::{log_softmax, relu, sigmoid};
use burn::tensor::backend::{AutodiffBackend, Backend};
use burn::tensor::module::conv1d;
use burn::tensor::ops::ConvOptions;
use burn::tensor::{Int, Shape, Tensor, TensorData};
use continuo_package::family::wavenet::{Activation, WaveNetShape, names};

use super::compute::{Compute, ComputeError, Resident, count_targets};
use super::parameters::{Table, is_bias};
use super::sequence::Sequence;
use crate::nn::{self, DeviceNetwork, Moved, NamedTensor};

/// Sequences of the held-out measurement that run at once: without a gradient memory is no limit, but time is little.
const MEASURED_TOGETHER: usize = 8;

/// One layer's weights, named as in the exported graph.
#[derive(Debug)]
struct Layer<B: AutodiffBackend> {
    dilation: usize,
    dilated: (Tensor<B, 3>, Option<Tensor<B, 1>>),
    /// `[G, 2D]`
    classes: Option<Tensor<B, 2>>,
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
    products: bool,
}

/// Forward and backward passes on a Burn backend.
#[derive(Debug)]
pub struct Network<B: AutodiffBackend> {
    table: Arc<Table>,
    device: B::Device,
    name: String,
    logit_penalty: f64,
    weight_penalty: f64,
    products: bool,
    resident: Option<DeviceNetwork<B::InnerBackend>>,
}

/// Reads tensors out of the flat vector, on the device.
struct Reader<'a, B: AutodiffBackend> {
    table: &'a Table,
    flat: &'a Tensor<B::InnerBackend, 1>,
}

impl<B: AutodiffBackend> Reader<'_, B> {
    fn find<const D: usize>(&self, name: &str) -> Option<Tensor<B, D>> {
        let tensor = self.table.find(name)?;
        let part = self.flat.clone().slice([tensor.range()]).reshape(Shape::from(tensor.shape.clone()));
        Some(Tensor::from_inner(part).require_grad())
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
    fn new(table: &Table, flat: &Tensor<B::InnerBackend, 1>, products: bool) -> Result<Self, ComputeError> {
        let reader = Reader { table, flat };
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
                    classes: reader.find(&names::class_bias(index)),
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
            products,
        })
    }

    /// What comes out `[B, Q, N]` of a batch of inputs.
    fn outputs(&self, shape: &WaveNetShape, inputs: &Inputs<B>) -> Tensor<B, 3> {
        let taps = self.causal.len();
        let (batch, frames, device) = match &inputs.symbols {
            Symbols::Codes(codes) => (codes.dims()[0], codes.dims()[1] + 1 - taps, codes.device()),
            Symbols::Values(values) => (values.dims()[0], values.dims()[1] + 1 - taps, values.device()),
        };
        let heard = self.causal.iter().enumerate().map(|(tap, weight)| match &inputs.symbols {
            Symbols::Codes(codes) => {
                weight.clone().select(0, codes.clone().narrow(1, tap, frames).reshape([batch * frames]))
            }
            Symbols::Values(values) => {
                values.clone().narrow(1, tap, frames).reshape([batch * frames, 1]) * weight.clone()
            }
        });
        let mut x: Tensor<B, 3> = match heard.reduce(|a, b| a + b) {
            Some(sum) => {
                let channels = sum.dims()[1];
                let sum = match &self.causal_bias {
                    Some(bias) => sum + bias.clone().unsqueeze(),
                    None => sum,
                };
                sum.reshape([batch, frames, channels]).swap_dims(1, 2)
            }
            // A filter has two taps at least.
            None => Tensor::zeros([batch, 1, frames], &device),
        };
        let reach: usize = self.layers.iter().map(|layer| layer.dilation * (taps - 1)).sum();
        let kept = frames - reach;
        let mut skips: Option<Tensor<B, 3>> = None;
        for layer in &self.layers {
            let mut h = self.convolve(x.clone(), &layer.dilated, layer.dilation);
            if let Some(biases) = &layer.classes {
                h = h + biases.clone().select(0, inputs.classes.clone()).unsqueeze_dim(2);
            }
            let [_, wide, length] = h.dims();
            let z = h.clone().narrow(1, 0, wide / 2).tanh() * sigmoid(h.narrow(1, wide / 2, wide / 2));
            let skip = self.convolve(z.clone().narrow(2, length - kept, kept), &layer.skip, 1);
            skips = Some(match skips {
                Some(sum) => sum + skip,
                None => skip,
            });
            if let Some(residual) = &layer.residual {
                x = x.narrow(2, layer.dilation * (taps - 1), length) + self.convolve(z, residual, 1);
            }
        }
        let inner = |x| activate(shape.activation, x);
        let y = self.convolve(inner(skips.unwrap_or(x)), &self.ends[0], 1);
        activate(shape.output, self.convolve(inner(y), &self.ends[1], 1))
    }

    /// A convolution without padding: `[B, I, T]` to `[B, O, T − dilation · (taps − 1)]`.
    fn convolve(
        &self,
        x: Tensor<B, 3>,
        (weight, bias): &(Tensor<B, 3>, Option<Tensor<B, 1>>),
        dilation: usize,
    ) -> Tensor<B, 3> {
        let [outputs, inputs, taps] = weight.dims();
        if !self.products {
            return conv1d(x, weight.clone(), bias.clone(), ConvOptions::new([1], [0], [dilation], 1));
        }
        let frames = x.dims()[2] - dilation * (taps - 1);
        let tap = |tap: usize| {
            let matrix = weight.clone().narrow(2, tap, 1).reshape([1, outputs, inputs]);
            matrix.matmul(x.clone().narrow(2, tap * dilation, frames))
        };
        let sum = (1..taps).fold(tap(0), |sum, next| sum + tap(next));
        match bias {
            Some(bias) => sum + bias.clone().reshape([1, outputs, 1]),
            None => sum,
        }
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
        for (i, layer) in self.layers.iter().enumerate() {
            if let Some(biases) = &layer.classes {
                f(names::class_bias(i), biases);
            }
        }
    }
}

/// A batch on the device, without what is to be predicted.
#[derive(Debug)]
struct Inputs<B: AutodiffBackend> {
    symbols: Symbols<B>,
    /// `[B]`
    classes: Tensor<B, 1, Int>,
}

/// `[B, receptive field − 1 + N]`
#[derive(Debug)]
enum Symbols<B: AutodiffBackend> {
    Codes(Tensor<B, 2, Int>),
    Values(Tensor<B, 2>),
}

fn activate<B: AutodiffBackend>(activation: Activation, x: Tensor<B, 3>) -> Tensor<B, 3> {
    match activation {
        Activation::None => x,
        Activation::Relu => relu(x),
        Activation::Tanh => x.tanh(),
        Activation::ScaledTanh => (x * Activation::SLOPE).tanh() * Activation::AMPLITUDE,
    }
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
        Self {
            table: Arc::clone(table),
            device,
            name,
            logit_penalty: 0.0,
            weight_penalty: 0.0,
            products: false,
            resident: None,
        }
    }

    /// From now on, convolutions are products of matrices, one for each tap. Where nothing but Burn's plain kernels runs, its
    /// convolution is slow, most of all the weights' gradient: one thread sums all frames for one weight.
    #[must_use]
    pub fn in_products(mut self) -> Self {
        self.products = true;
        self
    }

    fn flat(&self, values: &[f32]) -> Tensor<B::InnerBackend, 1> {
        Tensor::from_data(TensorData::new(values.to_vec(), [values.len()]), &self.device)
    }

    fn weights(&self, values: &[f32]) -> Result<Weights<B>, ComputeError> {
        Weights::new(&self.table, &self.flat(values), self.products)
    }

    /// One where a weight is penalised, zero where it is a bias.
    fn penalised(&self) -> Tensor<B::InnerBackend, 1> {
        let weights = self.table.tensors().iter();
        let ones =
            weights.flat_map(|tensor| std::iter::repeat_n(if is_bias(&tensor.name) { 0.0 } else { 1.0 }, tensor.len()));
        self.flat(&ones.collect::<Vec<f32>>())
    }

    fn failed(&self, reason: impl std::fmt::Display) -> ComputeError {
        ComputeError::Device { device: self.name.clone(), reason: reason.to_string() }
    }

    /// What goes in of a batch whose sequences have one length.
    fn inputs(&self, batch: &[Sequence]) -> Result<Inputs<B>, ComputeError> {
        count_targets(&self.table.shape, batch)?;
        let length = batch.first().map_or(0, Sequence::len);
        if batch.iter().any(|sequence| sequence.len() != length) {
            return Err(self.failed("the sequences of a batch differ in length"));
        }
        let axes = [batch.len(), length - 1];
        let symbols = if self.table.shape.is_real() {
            Symbols::Values(self.values(batch, 0..length - 1, axes))
        } else {
            Symbols::Codes(self.codes(batch, 0..length - 1, axes))
        };
        let classes: Vec<i32> = batch.iter().map(|sequence| i32::try_from(sequence.class).unwrap_or(0)).collect();
        let classes = Tensor::from_data(TensorData::new(classes, [batch.len()]), &self.device);
        Ok(Inputs { symbols, classes })
    }

    fn codes<const D: usize>(&self, batch: &[Sequence], part: Range<usize>, axes: [usize; D]) -> Tensor<B, D, Int> {
        let codes = batch.iter().flat_map(|sequence| &sequence.codes()[part.clone()]);
        let codes: Vec<i32> = codes.map(|&code| i32::from(code)).collect();
        Tensor::from_data(TensorData::new(codes, axes), &self.device)
    }

    fn values<const D: usize>(&self, batch: &[Sequence], part: Range<usize>, axes: [usize; D]) -> Tensor<B, D> {
        let values = batch.iter().flat_map(|sequence| &sequence.values()[part.clone()]).copied().collect();
        Tensor::from_data(TensorData::new::<f32, _>(values, axes), &self.device)
    }

    /// The mean loss of a batch, and what came out `[B · N, Q]`, still on the device.
    fn mean_loss(
        &self,
        weights: &Weights<B>,
        batch: &[Sequence],
    ) -> Result<(Tensor<B, 1>, Tensor<B, 2>), ComputeError> {
        let shape = &self.table.shape;
        let outputs = weights.outputs(shape, &self.inputs(batch)?);
        let [count, width, frames] = outputs.dims();
        let rows = outputs.swap_dims(1, 2).reshape([count * frames, width]);
        let length = batch.first().map_or(0, Sequence::len);
        let (part, axes) = (length - frames..length, [count * frames, 1]);
        let loss = if shape.is_real() {
            let errors = rows.clone() - self.values(batch, part, axes);
            (errors.clone() * errors).mean()
        } else {
            log_softmax(rows.clone(), 1).gather(1, self.codes(batch, part, axes)).mean().neg()
        };
        Ok((loss, rows))
    }

    /// The loss of a batch, and the gradient of what is minimised as one row in the order of the table.
    #[allow(clippy::type_complexity)]
    fn backward(
        &self,
        flat: &Tensor<B::InnerBackend, 1>,
        batch: &[Sequence],
    ) -> Result<(Tensor<B::InnerBackend, 1>, Tensor<B::InnerBackend, 1>), ComputeError> {
        let weights = Weights::<B>::new(&self.table, flat, self.products)?;
        let (loss, logits) = self.mean_loss(&weights, batch)?;
        let minimised = if self.logit_penalty > 0.0 {
            loss.clone() + (logits.clone() * logits).mean() * self.logit_penalty
        } else {
            loss.clone()
        };
        let gradients = minimised.backward();
        let mut found = BTreeMap::new();
        weights.each(&mut |name, weight| {
            if let Some(part) = weight.flat(&gradients) {
                found.insert(name, part);
            }
        });
        let part = |tensor: &NamedTensor| {
            found.remove(&tensor.name).unwrap_or_else(|| Tensor::zeros([tensor.len()], &self.device))
        };
        let gradient = Tensor::cat(self.table.tensors().iter().map(part).collect(), 0);
        let gradient = if self.weight_penalty > 0.0 {
            gradient + (flat.clone() * self.penalised()).mul_scalar(self.weight_penalty as f32)
        } else {
            gradient
        };
        Ok((loss.inner(), gradient))
    }
}

impl<B: AutodiffBackend> Compute for Network<B> {
    fn device(&self) -> String {
        self.name.clone()
    }

    fn penalise_logits(&mut self, weight: f64) {
        self.logit_penalty = weight;
    }

    fn penalise_weights(&mut self, weight: f64) {
        self.weight_penalty = weight;
    }

    fn gradient(&mut self, values: &[f32], batch: &[Sequence], gradient: &mut [f32]) -> Result<f64, ComputeError> {
        let (loss, flat) = self.backward(&self.flat(values), batch)?;
        let flat = flat.into_data().to_vec::<f32>().map_err(|e| self.failed(format!("{e:?}")))?;
        gradient.copy_from_slice(&flat);
        scalar(loss).ok_or_else(|| self.failed("the loss could not be read"))
    }

    fn loss(&mut self, values: &[f32], batch: &[Sequence]) -> Result<f64, ComputeError> {
        let weights = self.weights(values)?;
        let receptive = self.table.shape.receptive_field_frames() as usize;
        let (mut total, mut count) = (0.0, 0);
        for part in batch.chunks(MEASURED_TOGETHER) {
            let (loss, _) = self.mean_loss(&weights, part)?;
            let targets: usize = part.iter().map(|sequence| sequence.len() - receptive).sum();
            total += scalar(loss).ok_or_else(|| self.failed("the loss could not be read"))? * targets as f64;
            count += targets;
        }
        Ok(total / count as f64)
    }

    fn outputs(&mut self, values: &[f32], sequence: &Sequence) -> Result<Vec<f32>, ComputeError> {
        let weights = self.weights(values)?;
        let inputs = self.inputs(std::slice::from_ref(sequence))?;
        let rows = weights.outputs(&self.table.shape, &inputs).swap_dims(1, 2).flatten::<1>(0, 2);
        rows.into_data().to_vec::<f32>().map_err(|e| self.failed(format!("{e:?}")))
    }
}

impl<B: AutodiffBackend> Resident for Network<B> {
    fn load(&mut self, network: &nn::Network) -> Result<bool, ComputeError> {
        self.resident = DeviceNetwork::new(network, &self.device);
        Ok(self.resident.is_some())
    }

    fn step(&mut self, batch: &[Sequence], number: u64) -> Result<Moved, ComputeError> {
        let network = self.resident.as_ref().ok_or_else(|| self.failed("no network was loaded"))?;
        let (loss, gradient) = self.backward(network.weights(), batch)?;
        let moved = self.resident.as_mut().map(|network| network.update(gradient, loss, number));
        Ok(moved.ok_or_else(|| self.failed("no network was loaded"))??)
    }

    fn read(&mut self, network: &mut nn::Network) -> Result<(), ComputeError> {
        if let Some(resident) = &self.resident {
            resident.read(network);
        }
        Ok(())
    }

    fn settle(&mut self) {
        // What it fails with has been said before.
        let _ = B::sync(&self.device);
    }
}

fn scalar<B: Backend>(tensor: Tensor<B, 1>) -> Option<f64> {
    tensor.into_data().iter::<f64>().next()
}
