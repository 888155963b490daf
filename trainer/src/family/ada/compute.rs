//! What computes a level's losses, gradients and codes on a device.

use std::sync::Arc;

use burn::tensor::backend::{AutodiffBackend, Backend};
use burn::tensor::{Int, Tensor, TensorData};

use super::model::{Model, Quantising};
use super::network::Network;
use super::quantiser::{Quantised, amae, looked_up, nearest, vq};
use crate::data::batches::Batch;
use crate::device::guard::{Failure, guarded};
use crate::device::{Device, cores};
use crate::family::wavenet::compute::ComputeError;
use crate::nn::ops::{Operations, softmax_loss};

/// The CPU's backend.
type Cpu = burn::backend::Autodiff<burn::backend::Flex>;

/// Excerpts that are measured at once.
const MEASURED_TOGETHER: usize = 4;

/// Symbols of a batch, row after row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Symbols {
    /// `B`.
    pub rows: usize,
    /// `[B, T]`, T being a whole number of hops.
    pub symbols: Vec<u16>,
}

impl Symbols {
    /// The symbols of a batch of one channel.
    pub fn of(batch: &Batch) -> Self {
        Self { rows: batch.shape[0], symbols: batch.codes().flatten().copied().collect() }
    }

    /// `T`.
    pub fn length(&self) -> usize {
        self.symbols.len() / self.rows.max(1)
    }

    fn part(&self, rows: std::ops::Range<usize>) -> Self {
        let length = self.length();
        Self { rows: rows.len(), symbols: self.symbols[rows.start * length..rows.end * length].to_vec() }
    }
}

/// What is minimised beside the likelihood.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Weighing {
    /// Symbols at the end of each row that count; what is before them is context.
    pub kept: usize,
    /// Factor of the quantiser's penalty: β of the commitment, ν of what spreads the codes.
    pub penalty: f64,
    /// Factor of the logits' mean square.
    pub logits: f64,
}

/// What a step needs of a pass.
#[derive(Debug, Clone, PartialEq)]
pub struct Outcome {
    /// Mean negative log-likelihood of the symbols that count, in nats.
    pub nats: f64,
    /// The quantiser's penalty, without its factor.
    pub penalty: f64,
    /// The code of each position, row after row.
    pub codes: Vec<u32>,
    /// `[N, D]`: what was quantised to them; nothing where there is no codebook.
    pub queries: Vec<f32>,
}

/// Weights and codebook; a codebook `[K, D]` that is empty where the level has none.
#[derive(Debug, Clone, Copy)]
pub struct Values<'a> {
    /// In the model's layout.
    pub weights: &'a [f32],
    /// `[K, D]`.
    pub codebook: &'a [f32],
}

/// Something that computes a level.
pub trait Compute {
    /// The device, in words.
    fn device(&self) -> String;

    /// Losses of a batch, and the gradient of what is minimised in the model's layout.
    ///
    /// # Errors
    /// If the device fails, or what is given is of another model.
    fn gradient(
        &mut self,
        values: Values<'_>,
        batch: &Symbols,
        weighing: Weighing,
        gradient: &mut [f32],
    ) -> Result<Outcome, ComputeError>;

    /// Mean negative log-likelihood in nats of the last `kept` symbols of each row, and the codes of all positions.
    ///
    /// # Errors
    /// As [`Compute::gradient`].
    fn measure(&mut self, values: Values<'_>, batch: &Symbols, kept: usize) -> Result<(f64, Vec<u32>), ComputeError>;

    /// `[N, D]`: what the quantiser is given, position by position.
    ///
    /// # Errors
    /// As [`Compute::gradient`].
    fn queries(&mut self, values: Values<'_>, batch: &Symbols) -> Result<Vec<f32>, ComputeError>;

    /// The codes of all positions, row after row.
    ///
    /// # Errors
    /// As [`Compute::gradient`].
    fn codes(&mut self, values: Values<'_>, batch: &Symbols) -> Result<Vec<u32>, ComputeError>;

    /// The modulator's biases `[L·2D, T]` of codes, as one sequence.
    ///
    /// # Errors
    /// As [`Compute::gradient`].
    fn biases(&mut self, values: Values<'_>, codes: &[u32]) -> Result<Vec<f32>, ComputeError>;

    /// `[kept, Q]`: the local model's logits for the last `kept` symbols of one sequence, told the codes of all of them.
    ///
    /// # Errors
    /// As [`Compute::gradient`].
    fn logits(
        &mut self,
        values: Values<'_>,
        sequence: &Symbols,
        codes: &[u32],
        kept: usize,
    ) -> Result<Vec<f32>, ComputeError>;
}

/// Opens a device for a model; on the CPU its passes run on this process's share of `threads` threads (0 = one per core).
///
/// # Errors
/// [`ComputeError`] if the device cannot be used, or this build cannot use it.
pub fn open(device: &Device, model: &Arc<Model>, threads: usize) -> Result<Box<dyn Compute>, ComputeError> {
    match device {
        Device::Cpu => {
            let pool = rayon::ThreadPoolBuilder::new()
                .num_threads(cores::threads(threads))
                .build()
                .map_err(|source| ComputeError::Threads { reason: source.to_string() })?;
            let count = pool.current_num_threads();
            let name = format!("CPU, {count} {}", if count == 1 { "thread" } else { "threads" });
            Ok(Box::new(Passes::<Cpu>::new(model, burn::tensor::Device::<Cpu>::default(), name, Some(pool))))
        }
        Device::Cuda { index, name } => cuda(model, *index, name),
        Device::Gpu { index, name } => gpu(model, *index, name),
    }
}

/// CUDA through Burn.
#[cfg(feature = "cuda")]
#[allow(clippy::unnecessary_wraps)] // A build without CUDA has to refuse.
fn cuda(model: &Arc<Model>, index: usize, name: &str) -> Result<Box<dyn Compute>, ComputeError> {
    use burn::backend::cuda::CudaDevice;
    use burn::backend::{Autodiff, Cuda};

    Ok(Box::new(Passes::<Autodiff<Cuda>>::new(model, CudaDevice::new(index), name.to_owned(), None)))
}

/// Never asked: such a build finds no CUDA device.
#[cfg(not(feature = "cuda"))]
fn cuda(_: &Arc<Model>, _: usize, name: &str) -> Result<Box<dyn Compute>, ComputeError> {
    Err(ComputeError::Device { device: name.to_owned(), reason: "not in this build".into() })
}

/// Other GPUs: their convolutions are not among the operations of this build.
fn gpu(_: &Arc<Model>, _: usize, name: &str) -> Result<Box<dyn Compute>, ComputeError> {
    let reason = "discrete autoencoders train on CUDA and on the CPU; choose --device cuda:N or cpu".into();
    Err(ComputeError::Device { device: name.to_owned(), reason })
}

/// Passes on a backend of Burn.
#[derive(Debug)]
pub struct Passes<B: AutodiffBackend> {
    model: Arc<Model>,
    device: B::Device,
    name: String,
    /// Where it computes itself; a device that computes elsewhere is guarded.
    pool: Option<rayon::ThreadPool>,
}

impl<B> Passes<B>
where
    B: AutodiffBackend + Operations,
    B::InnerBackend: Operations,
{
    /// A model on a device that is called `name`.
    pub fn new(model: &Arc<Model>, device: B::Device, name: String, pool: Option<rayon::ThreadPool>) -> Self {
        Self { model: Arc::clone(model), device, name, pool }
    }

    fn failed(&self, reason: impl std::fmt::Display) -> ComputeError {
        ComputeError::Device { device: self.name.clone(), reason: reason.to_string() }
    }

    /// Runs `f` where it belongs, on rows of so many symbols.
    fn run<T: Send>(
        &mut self,
        (sequences, frames): (usize, usize),
        f: impl FnOnce(&Self) -> Result<T, ComputeError> + Send,
    ) -> Result<T, ComputeError> {
        if let Some(pool) = &self.pool {
            return pool.install(|| f(self));
        }
        let settle = |passes: &mut Self| drop(B::sync(&passes.device));
        guarded(self, |passes| f(passes), settle).unwrap_or_else(|failure| {
            let device = self.name.clone();
            Err(match failure {
                Failure::Memory(reason) => ComputeError::Memory { device, sequences, frames, reason },
                Failure::Other(reason) => ComputeError::Device { device, reason },
            })
        })
    }

    fn flat<A: Backend<Device = B::Device>>(&self, values: &[f32]) -> Tensor<A, 1> {
        Tensor::from_data(TensorData::new(values.to_vec(), [values.len()]), &self.device)
    }

    fn network(&self, values: Values<'_>) -> Network<B::InnerBackend> {
        Network::new(&self.model, &self.flat(values.weights))
    }

    fn codebook<A: Backend<Device = B::Device>>(&self, values: Values<'_>) -> Tensor<A, 2> {
        let width = self.model.autoencoder().code_channels.max(1) as usize;
        if values.codebook.is_empty() {
            // Not asked for by what has no codebook; not every device has tensors without values.
            return Tensor::zeros([1, width], &self.device);
        }
        self.flat(values.codebook).reshape([values.codebook.len() / width, width])
    }

    /// Symbols `[B, T]` on the device.
    fn send<A: Backend<Device = B::Device>>(&self, symbols: &Symbols) -> Result<Tensor<A, 2, Int>, ComputeError> {
        let (length, most) = (symbols.length(), self.model.symbols());
        if length == 0 || length % self.model.hop() != 0 {
            return Err(self.failed(format!("{length} symbols are no whole number of codes")));
        }
        if let Some(&code) = symbols.symbols.iter().find(|&&symbol| u32::from(symbol) >= most) {
            return Err(ComputeError::Code { code, levels: most });
        }
        let values: Vec<i64> = symbols.symbols.iter().map(|&symbol| symbol.into()).collect();
        Ok(Tensor::from_data(TensorData::new(values, [symbols.rows, length]), &self.device))
    }

    fn missing(&self) -> ComputeError {
        self.failed("the weights are those of another model")
    }

    fn check_kept(&self, length: usize, kept: usize) -> Result<(), ComputeError> {
        let receptive = self.model.autoencoder().decoder.receptive_field_frames() as usize;
        if kept == 0 || length < receptive + kept {
            return Err(ComputeError::TooShort { frames: length, receptive });
        }
        Ok(())
    }

    /// The codes `[B, T]` of queries `[B, D, T]`, and what the modulator hears of them.
    fn quantised(
        &self,
        queries: Tensor<B::InnerBackend, 3>,
        values: Values<'_>,
    ) -> (Tensor<B::InnerBackend, 2, Int>, Tensor<B::InnerBackend, 3>) {
        let codes = match self.model.quantising() {
            Quantising::Vectors => nearest(queries, self.codebook(values)),
            Quantising::Shares(shares) => {
                let [batch, _, frames] = queries.dims();
                shares.of(queries).argmax(1).reshape([batch, frames])
            }
        };
        let heard = self.heard(codes.clone(), values);
        (codes, heard)
    }

    /// What the modulator hears of codes `[B, T]`.
    fn heard(&self, codes: Tensor<B::InnerBackend, 2, Int>, values: Values<'_>) -> Tensor<B::InnerBackend, 3> {
        let table = match self.model.quantising() {
            Quantising::Vectors => self.codebook(values),
            Quantising::Shares(_) => Tensor::eye(self.model.autoencoder().codes as usize, &self.device),
        };
        looked_up(table, codes)
    }

    fn told(&self, codes: &[u32]) -> Tensor<B::InnerBackend, 2, Int> {
        let codes: Vec<i64> = codes.iter().map(|&code| code.into()).collect();
        let axes = [1, codes.len()];
        Tensor::from_data(TensorData::new(codes, axes), &self.device)
    }
}

/// `[B, D, T]` as `[B · T, D]`, read from the device.
fn read_rows<B: Backend>(x: Tensor<B, 3>) -> Vec<f32> {
    x.swap_dims(1, 2).into_data().iter::<f32>().collect()
}

fn read_codes<B: Backend>(codes: Tensor<B, 2, Int>) -> Vec<u32> {
    codes.into_data().iter::<i64>().map(|code| code as u32).collect()
}

fn number<B: Backend>(tensor: Tensor<B, 1>) -> f64 {
    tensor.into_data().iter::<f64>().next().unwrap_or(f64::NAN)
}

/// The loss of each symbol that counts `[B · kept]`, of logits `[B, Q, kept]`.
fn losses<B: Operations>(logits: Tensor<B, 3>, symbols: Tensor<B, 2, Int>) -> (Tensor<B, 1>, Tensor<B, 2>) {
    let [batch, levels, kept] = logits.dims();
    let length = symbols.dims()[1];
    let rows = logits.swap_dims(1, 2).reshape([batch * kept, levels]);
    let targets = symbols.narrow(1, length - kept, kept).reshape([batch * kept]);
    (softmax_loss(rows.clone(), targets), rows)
}

/// A batch's way forth through a network that gradients are asked of.
#[derive(Debug)]
pub struct Forward<B: AutodiffBackend> {
    /// Mean negative log-likelihood in nats.
    pub nats: Tensor<B, 1>,
    /// What is minimised.
    pub minimised: Tensor<B, 1>,
    /// What was quantised.
    pub queries: Tensor<B, 3>,
    /// To what.
    pub quantised: Quantised<B>,
}

/// Equation (2) and its counterpart for an AMAE, on symbols `[B, T]`: the reconstruction's negative log-likelihood plus the
/// quantiser's penalty. `None` if weights are missing.
pub fn forward<B>(
    model: &Model,
    network: &Network<B>,
    codebook: Tensor<B::InnerBackend, 2>,
    symbols: Tensor<B, 2, Int>,
    weighing: Weighing,
) -> Option<Forward<B>>
where
    B: AutodiffBackend + Operations,
{
    let queries = network.queries(symbols.clone())?;
    let quantised = match model.quantising() {
        Quantising::Vectors => vq(queries.clone(), codebook),
        Quantising::Shares(shares) => amae(&queries, shares),
    };
    let biases = network.modulated(quantised.heard.clone())?;
    let logits = network.logits(symbols.clone(), &biases, weighing.kept)?;
    let (losses, rows) = losses(logits, symbols);
    let nats = losses.mean();
    let mut minimised = nats.clone() + quantised.penalty.clone().mul_scalar(weighing.penalty);
    if weighing.logits > 0.0 {
        minimised = minimised + rows.powi_scalar(2).mean().mul_scalar(weighing.logits);
    }
    Some(Forward { nats, minimised, queries, quantised })
}

impl<B> Compute for Passes<B>
where
    B: AutodiffBackend + Operations,
    B::InnerBackend: Operations,
{
    fn device(&self) -> String {
        self.name.clone()
    }

    fn gradient(
        &mut self,
        values: Values<'_>,
        batch: &Symbols,
        weighing: Weighing,
        gradient: &mut [f32],
    ) -> Result<Outcome, ComputeError> {
        self.check_kept(batch.length(), weighing.kept)?;
        let vectors = self.model.quantising() == Quantising::Vectors;
        let (outcome, flat) = self.run((batch.rows, batch.length()), |passes| {
            let network = Network::<B>::new(&passes.model, &passes.flat(values.weights));
            let symbols = passes.send(batch)?;
            let found = forward(&passes.model, &network, passes.codebook(values), symbols, weighing);
            let Forward { nats, minimised, queries, quantised } = found.ok_or_else(|| passes.missing())?;
            let gradients = minimised.backward();
            let flat: Vec<f32> = network.gradient(&gradients).into_data().iter::<f32>().collect();
            let outcome = Outcome {
                nats: number(nats.inner()),
                penalty: number(quantised.penalty.inner()),
                codes: read_codes(quantised.codes),
                queries: if vectors { read_rows(queries.inner()) } else { Vec::new() },
            };
            Ok((outcome, flat))
        })?;
        if flat.len() != gradient.len() {
            return Err(self.missing());
        }
        gradient.copy_from_slice(&flat);
        Ok(outcome)
    }

    fn measure(&mut self, values: Values<'_>, batch: &Symbols, kept: usize) -> Result<(f64, Vec<u32>), ComputeError> {
        self.check_kept(batch.length(), kept)?;
        let (mut nats, mut codes) = (0.0, Vec::new());
        for first in (0..batch.rows).step_by(MEASURED_TOGETHER) {
            let part = batch.part(first..batch.rows.min(first + MEASURED_TOGETHER));
            let (loss, of_part) = self.run((part.rows, part.length()), |passes| {
                let network = passes.network(values);
                let symbols = passes.send::<B::InnerBackend>(&part)?;
                let queries = network.queries(symbols.clone()).ok_or_else(|| passes.missing())?;
                let (codes, heard) = passes.quantised(queries, values);
                let biases = network.modulated(heard).ok_or_else(|| passes.missing())?;
                let logits = network.logits(symbols.clone(), &biases, kept).ok_or_else(|| passes.missing())?;
                Ok((number(losses(logits, symbols).0.mean()), read_codes(codes)))
            })?;
            nats += loss * part.rows as f64;
            codes.extend(of_part);
        }
        Ok((nats / batch.rows.max(1) as f64, codes))
    }

    fn queries(&mut self, values: Values<'_>, batch: &Symbols) -> Result<Vec<f32>, ComputeError> {
        self.run((batch.rows, batch.length()), |passes| {
            let queries = passes.network(values).queries(passes.send(batch)?);
            Ok(read_rows(queries.ok_or_else(|| passes.missing())?))
        })
    }

    fn codes(&mut self, values: Values<'_>, batch: &Symbols) -> Result<Vec<u32>, ComputeError> {
        self.run((batch.rows, batch.length()), |passes| {
            let queries = passes.network(values).queries(passes.send(batch)?);
            Ok(read_codes(passes.quantised(queries.ok_or_else(|| passes.missing())?, values).0))
        })
    }

    fn biases(&mut self, values: Values<'_>, codes: &[u32]) -> Result<Vec<f32>, ComputeError> {
        self.run((1, codes.len()), |passes| {
            let heard = passes.heard(passes.told(codes), values);
            let biases = passes.network(values).modulated(heard).ok_or_else(|| passes.missing())?;
            Ok(biases.into_data().iter::<f32>().collect())
        })
    }

    fn logits(
        &mut self,
        values: Values<'_>,
        sequence: &Symbols,
        codes: &[u32],
        kept: usize,
    ) -> Result<Vec<f32>, ComputeError> {
        self.check_kept(sequence.length(), kept)?;
        self.run((1, sequence.length()), |passes| {
            let network = passes.network(values);
            let heard = passes.heard(passes.told(codes), values);
            let biases = network.modulated(heard).ok_or_else(|| passes.missing())?;
            let logits = network.logits(passes.send(sequence)?, &biases, kept).ok_or_else(|| passes.missing())?;
            Ok(read_rows(logits))
        })
    }
}

#[cfg(test)]
mod tests;
