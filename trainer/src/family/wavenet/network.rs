//! The same network in Burn's operations, over any backend with automatic differentiation: what trains on GPUs, and the
//! reference that the tests hold the hand-written passes against.

use std::collections::BTreeMap;
use std::sync::Arc;

use burn::tensor::activation::{log_softmax, relu, sigmoid};
use burn::tensor::backend::{AutodiffBackend, Backend};
use burn::tensor::module::conv1d;
use burn::tensor::ops::ConvOptions;
use burn::tensor::{FloatDType, Shape, Tensor, TensorData};
use continuo_package::family::wavenet::{Activation, WaveNetShape, names};

use super::compute::{Compute, ComputeError, Resident, count_targets};
use super::device_batch::{DeviceBatch, DeviceDataset, Symbols};
use super::parameters::{Table, is_bias};
use super::sequence::Sequence;
use crate::data::dataset::{Chunk, Dataset};
use crate::nn::{self, DeviceNetwork, Diverged, LossScale, Moved, NamedTensor, Precision, Unmoved};

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
    how: Products,
}

/// How a pass multiplies.
#[derive(Debug, Clone, Copy, Default)]
struct Products {
    /// Convolutions as products of matrices, one for each tap.
    by_tap: bool,
    /// In less than f32.
    lower: Option<FloatDType>,
}

/// Forward and backward passes on a Burn backend.
#[derive(Debug)]
pub struct Network<B: AutodiffBackend> {
    table: Arc<Table>,
    device: B::Device,
    name: String,
    logit_penalty: f64,
    weight_penalty: f64,
    by_tap: bool,
    precision: Precision,
    loss_scale: Option<LossScale>,
    resident: Option<DeviceNetwork<B::InnerBackend>>,
    /// Bytes of a dataset that may be held.
    room: u64,
    held: Option<DeviceDataset<B>>,
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
    fn new(table: &Table, flat: &Tensor<B::InnerBackend, 1>, how: Products) -> Result<Self, ComputeError> {
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
            how,
        })
    }

    /// What comes out `[B, Q, N]` of a batch.
    fn outputs(&self, shape: &WaveNetShape, sequences: &DeviceBatch<B>) -> Tensor<B, 3> {
        let taps = self.causal.len();
        let inputs = sequences.inputs();
        let (batch, frames, device) = match &inputs {
            Symbols::Codes(codes) => (codes.dims()[0], codes.dims()[1] + 1 - taps, codes.device()),
            Symbols::Values(values) => (values.dims()[0], values.dims()[1] + 1 - taps, values.device()),
        };
        let heard = self.causal.iter().enumerate().map(|(tap, weight)| match &inputs {
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
                h = h + biases.clone().select(0, sequences.classes()).unsqueeze_dim(2);
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
        let x = self.how.lowered(x);
        let sum = if self.how.by_tap {
            let frames = x.dims()[2] - dilation * (taps - 1);
            let tap = |tap: usize| {
                let matrix = self.how.lowered(weight.clone().narrow(2, tap, 1).reshape([1, outputs, inputs]));
                self.how.raised(matrix.matmul(x.clone().narrow(2, tap * dilation, frames)))
            };
            (1..taps).fold(tap(0), |sum, next| sum + tap(next))
        } else {
            let options = ConvOptions::new([1], [0], [dilation], 1);
            self.how.raised(conv1d(x, self.how.lowered(weight.clone()), None, options))
        };
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

impl Products {
    /// What goes into a product.
    fn lowered<B: Backend, const D: usize>(self, x: Tensor<B, D>) -> Tensor<B, D> {
        match self.lower {
            Some(lower) => x.cast(lower),
            None => x,
        }
    }

    /// What comes out of it.
    fn raised<B: Backend, const D: usize>(self, x: Tensor<B, D>) -> Tensor<B, D> {
        if self.lower.is_some() { x.cast(FloatDType::F32) } else { x }
    }
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
            by_tap: false,
            precision: Precision::F32,
            loss_scale: None,
            resident: None,
            room: 0,
            held: None,
        }
    }

    /// From now on, convolutions are products of matrices, one for each tap. Where nothing but Burn's plain kernels runs, its
    /// convolution is slow, most of all the weights' gradient: one thread sums all frames for one weight.
    #[must_use]
    pub fn in_products(mut self) -> Self {
        self.by_tap = true;
        self
    }

    /// From now on, a dataset of up to so many bytes may stay on the device. At first none may.
    #[must_use]
    pub fn with_room(mut self, bytes: u64) -> Self {
        self.room = bytes;
        self
    }

    fn flat(&self, values: &[f32]) -> Tensor<B::InnerBackend, 1> {
        Tensor::from_data(TensorData::new(values.to_vec(), [values.len()]), &self.device)
    }

    /// To be measured, which is done in f32.
    fn weights(&self, values: &[f32]) -> Result<Weights<B>, ComputeError> {
        Weights::new(&self.table, &self.flat(values), Products { by_tap: self.by_tap, lower: None })
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

    /// A batch whose sequences have one length, sent to the device.
    fn send(&self, batch: &[Sequence]) -> Result<DeviceBatch<B>, ComputeError> {
        count_targets(&self.table.shape, batch)?;
        let length = batch.first().map_or(0, Sequence::len);
        if batch.iter().any(|sequence| sequence.len() != length) {
            return Err(self.failed("the sequences of a batch differ in length"));
        }
        Ok(DeviceBatch::send(batch, &self.device))
    }

    /// The mean loss of a batch, and what came out `[B · N, Q]`, still on the device.
    fn mean_loss(&self, weights: &Weights<B>, batch: &DeviceBatch<B>) -> (Tensor<B, 1>, Tensor<B, 2>) {
        let outputs = weights.outputs(&self.table.shape, batch);
        let [count, width, frames] = outputs.dims();
        let rows = outputs.swap_dims(1, 2).reshape([count * frames, width]);
        let loss = match batch.targets(frames) {
            Symbols::Codes(codes) => log_softmax(rows.clone(), 1).gather(1, codes).mean().neg(),
            Symbols::Values(values) => {
                let errors = rows.clone() - values;
                (errors.clone() * errors).mean()
            }
        };
        (loss, rows)
    }

    /// The loss of a batch, and the gradient of what is minimised as one row in the order of the table.
    #[allow(clippy::type_complexity)]
    fn backward(
        &self,
        flat: &Tensor<B::InnerBackend, 1>,
        batch: &DeviceBatch<B>,
    ) -> Result<(Tensor<B::InnerBackend, 1>, Tensor<B::InnerBackend, 1>), ComputeError> {
        let how = Products { by_tap: self.by_tap, lower: self.precision.lower() };
        let weights = Weights::<B>::new(&self.table, flat, how)?;
        let (loss, logits) = self.mean_loss(&weights, batch);
        let minimised = if self.logit_penalty > 0.0 {
            loss.clone() + (logits.clone() * logits).mean() * self.logit_penalty
        } else {
            loss.clone()
        };
        let scale = self.loss_scale.map(|scale| scale.factor());
        let gradients = scale.map_or(minimised.clone(), |scale| minimised * scale).backward();
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
        let gradient = scale.map_or(gradient.clone(), |scale| gradient.div_scalar(scale));
        let gradient = if self.weight_penalty > 0.0 {
            gradient + (flat.clone() * self.penalised()).mul_scalar(self.weight_penalty as f32)
        } else {
            gradient
        };
        Ok((loss.inner(), gradient))
    }

    /// Trains one step of a run on a network that was loaded.
    fn train(&mut self, batch: &DeviceBatch<B>, number: u64) -> Result<Moved, ComputeError> {
        loop {
            let network = self.resident.as_ref().ok_or_else(|| self.failed("no network was loaded"))?;
            let (loss, gradient) = self.backward(network.weights(), batch)?;
            let moved = self.resident.as_mut().map(|network| network.update(gradient, loss, number));
            let moved = moved.ok_or_else(|| self.failed("no network was loaded"))?;
            let Some(scale) = &mut self.loss_scale else { return Ok(moved?) };
            match moved {
                // Nothing was changed: the same step with a smaller scale.
                Err(Unmoved::Diverged(diverged)) if diverged.what == Diverged::GRADIENT && scale.overflows() => {}
                moved => {
                    scale.fits();
                    return Ok(moved?);
                }
            }
        }
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

    fn multiply_in(&mut self, precision: Precision) -> Result<(), ComputeError> {
        let there = |lower: FloatDType| B::supports_dtype(&self.device, lower.into());
        if !precision.lower().is_none_or(there) {
            return Err(ComputeError::Precision { device: self.name.clone(), precision });
        }
        self.precision = precision;
        self.loss_scale = precision.loss_scale();
        Ok(())
    }

    fn precision(&self) -> Precision {
        self.precision
    }

    fn loss_scale(&self) -> Option<LossScale> {
        self.loss_scale
    }

    fn set_loss_scale(&mut self, scale: LossScale) {
        self.loss_scale = self.loss_scale.map(|_| scale);
    }

    fn gradient(&mut self, values: &[f32], batch: &[Sequence], gradient: &mut [f32]) -> Result<f64, ComputeError> {
        let (weights, batch) = (self.flat(values), self.send(batch)?);
        let loss = loop {
            let (loss, flat) = self.backward(&weights, &batch)?;
            let flat = flat.into_data().to_vec::<f32>().map_err(|e| self.failed(format!("{e:?}")))?;
            gradient.copy_from_slice(&flat);
            let fits = gradient.iter().all(|value| value.is_finite());
            if fits || !self.loss_scale.as_mut().is_some_and(LossScale::overflows) {
                break loss;
            }
        };
        scalar(loss).ok_or_else(|| self.failed("the loss could not be read"))
    }

    fn loss(&mut self, values: &[f32], batch: &[Sequence]) -> Result<f64, ComputeError> {
        let weights = self.weights(values)?;
        let receptive = self.table.shape.receptive_field_frames() as usize;
        let (mut total, mut count) = (0.0, 0);
        for part in batch.chunks(MEASURED_TOGETHER) {
            let (loss, _) = self.mean_loss(&weights, &self.send(part)?);
            let targets: usize = part.iter().map(|sequence| sequence.len() - receptive).sum();
            total += scalar(loss).ok_or_else(|| self.failed("the loss could not be read"))? * targets as f64;
            count += targets;
        }
        Ok(total / count as f64)
    }

    fn outputs(&mut self, values: &[f32], sequence: &Sequence) -> Result<Vec<f32>, ComputeError> {
        let weights = self.weights(values)?;
        let batch = self.send(std::slice::from_ref(sequence))?;
        let rows = weights.outputs(&self.table.shape, &batch).swap_dims(1, 2).flatten::<1>(0, 2);
        rows.into_data().to_vec::<f32>().map_err(|e| self.failed(format!("{e:?}")))
    }
}

impl<B: AutodiffBackend> Resident for Network<B> {
    fn load(&mut self, network: &nn::Network) -> Result<bool, ComputeError> {
        self.resident = DeviceNetwork::new(network, &self.device);
        Ok(self.resident.is_some())
    }

    fn step(&mut self, batch: &[Sequence], number: u64) -> Result<Moved, ComputeError> {
        let batch = self.send(batch)?;
        self.train(&batch, number)
    }

    fn hold(&mut self, dataset: &Dataset) -> Result<bool, ComputeError> {
        // First away with what it held before.
        self.held = None;
        self.held = DeviceDataset::send(dataset, &self.table.shape, &self.device, self.room);
        Ok(self.held.is_some())
    }

    fn step_at(&mut self, chunks: &[Chunk], number: u64) -> Result<Moved, ComputeError> {
        let batch = self.held.as_ref().and_then(|held| held.cut(chunks, &self.device));
        let batch = batch.ok_or_else(|| self.failed("a chunk is not in the dataset that the device holds"))?;
        self.train(&batch, number)
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
