//! Batches on a device: sent there sequence by sequence, or cut from a dataset that lies there.

use std::collections::BTreeMap;

use burn::tensor::backend::Backend;
use burn::tensor::{Int, Tensor, TensorData};
use continuo_package::family::wavenet::WaveNetShape;

use super::sequence::{Sequence, Symbols as Sent};
use super::signal::{class_of, signal};
use crate::data::batches::{Coder, real_sequence};
use crate::data::dataset::{Chunk, Dataset, Split};

/// Symbols of a device: codes or real values.
#[derive(Debug, Clone)]
pub enum Symbols<B: Backend, const D: usize> {
    /// Codes.
    Codes(Tensor<B, D, Int>),
    /// Real values.
    Values(Tensor<B, D>),
}

/// Sequences of one length, on a device.
#[derive(Debug, Clone)]
pub struct DeviceBatch<B: Backend> {
    /// `[B, receptive field + N]`
    symbols: Symbols<B, 2>,
    /// `[B]`
    classes: Tensor<B, 1, Int>,
}

fn upload<B: Backend>(sent: &Sent, device: &B::Device) -> Symbols<B, 1> {
    match sent {
        Sent::Codes(codes) => {
            let wide: Vec<i32> = codes.iter().map(|&code| i32::from(code)).collect();
            Symbols::Codes(Tensor::from_data(TensorData::new(wide, [codes.len()]), device))
        }
        Sent::Values(values) => {
            Symbols::Values(Tensor::from_data(TensorData::new(values.clone(), [values.len()]), device))
        }
    }
}

impl<B: Backend> DeviceBatch<B> {
    /// Sends a batch whose sequences have one length and one kind of symbols.
    pub fn send(batch: &[Sequence], device: &B::Device) -> Self {
        let rows = batch.iter().map(|sequence| (upload(&sequence.symbols, device), sequence.class));
        Self::stack(rows.collect(), device)
    }

    /// Rows of one length with their classes.
    fn stack(rows: Vec<(Symbols<B, 1>, usize)>, device: &B::Device) -> Self {
        let classes: Vec<i32> = rows.iter().map(|(_, class)| i32::try_from(*class).unwrap_or(0)).collect();
        let classes = Tensor::from_data(TensorData::new(classes, [rows.len()]), device);
        let (mut codes, mut values) = (Vec::new(), Vec::new());
        for (row, _) in rows {
            match row {
                Symbols::Codes(row) => codes.push(row.unsqueeze::<2>()),
                Symbols::Values(row) => values.push(row.unsqueeze::<2>()),
            }
        }
        let symbols = if values.is_empty() {
            Symbols::Codes(Tensor::cat(codes, 0))
        } else {
            Symbols::Values(Tensor::cat(values, 0))
        };
        Self { symbols, classes }
    }

    /// What goes in, `[B, receptive field − 1 + N]`: all symbols but the last, which is only predicted.
    pub fn inputs(&self) -> Symbols<B, 2> {
        match &self.symbols {
            Symbols::Codes(codes) => Symbols::Codes(codes.clone().narrow(1, 0, codes.dims()[1] - 1)),
            Symbols::Values(values) => Symbols::Values(values.clone().narrow(1, 0, values.dims()[1] - 1)),
        }
    }

    /// What is to be predicted, `[B · N, 1]`: the last so many symbols.
    pub fn targets(&self, frames: usize) -> Symbols<B, 2> {
        match &self.symbols {
            Symbols::Codes(codes) => {
                let [rows, length] = codes.dims();
                Symbols::Codes(codes.clone().narrow(1, length - frames, frames).reshape([rows * frames, 1]))
            }
            Symbols::Values(values) => {
                let [rows, length] = values.dims();
                Symbols::Values(values.clone().narrow(1, length - frames, frames).reshape([rows * frames, 1]))
            }
        }
    }

    /// The class of each sequence, `[B]`.
    pub fn classes(&self) -> Tensor<B, 1, Int> {
        self.classes.clone()
    }
}

/// The largest recording that is held, in bytes: what every GPU can bind to a kernel (WebGPU, section 3.6.2, limits).
const MOST_RECORDING_BYTES: u64 = 128 << 20;
/// Bytes of a symbol on a device.
const SYMBOL_BYTES: u64 = 4;

/// The training recordings of a dataset on a device, each behind as much silence as a receptive field, so that every sequence
/// is one piece of memory.
#[derive(Debug)]
pub struct DeviceDataset<B: Backend> {
    /// By their place in the index, with their class.
    recordings: BTreeMap<usize, (Symbols<B, 1>, usize)>,
    context: usize,
}

impl<B: Backend> DeviceDataset<B> {
    /// Sends the training recordings of a dataset; `None` if they take more than `room` bytes, or one is too long for any
    /// kernel to read.
    pub fn send(dataset: &Dataset, shape: &WaveNetShape, device: &B::Device, room: u64) -> Option<Self> {
        let context = shape.receptive_field_frames() as usize;
        let all = || dataset.index().recordings.iter().enumerate().filter(|(_, it)| it.split == Split::Train);
        let bytes = |frames: u64| (frames + context as u64).saturating_mul(SYMBOL_BYTES);
        let whole = all().fold(0, |sum: u64, (_, recording)| sum.saturating_add(bytes(recording.frames)));
        if whole > room || all().any(|(_, recording)| bytes(recording.frames) > MOST_RECORDING_BYTES) {
            return None;
        }
        let coder = (!shape.is_real()).then(|| Coder::new(signal(shape)));
        let recordings = all().map(|(place, recording)| {
            let frames = dataset.frames(recording);
            let symbols = match &coder {
                Some(coder) => Sent::Codes(coder.sequence(frames, 0, frames.len(), context)),
                None => Sent::Values(real_sequence(frames, 0, frames.len(), context)),
            };
            (place, (upload(&symbols, device), class_of(shape, recording.folder())))
        });
        Some(Self { recordings: recordings.collect(), context })
    }

    /// Cuts chunks of one length, each with its receptive field in front; `None` if one of them is not held.
    pub fn cut(&self, chunks: &[Chunk], device: &B::Device) -> Option<DeviceBatch<B>> {
        let cut = |chunk: &Chunk| {
            let (symbols, class) = self.recordings.get(&chunk.recording)?;
            let start = usize::try_from(chunk.start).ok()?;
            let end = start.checked_add(self.context)?.checked_add(chunk.frames)?;
            let held = match symbols {
                Symbols::Codes(codes) => codes.dims()[0],
                Symbols::Values(values) => values.dims()[0],
            };
            if end > held {
                return None;
            }
            let row = match symbols {
                Symbols::Codes(codes) => Symbols::Codes(codes.clone().narrow(0, start, end - start)),
                Symbols::Values(values) => Symbols::Values(values.clone().narrow(0, start, end - start)),
            };
            Some((row, *class))
        };
        let rows: Vec<_> = chunks.iter().map(cut).collect::<Option<_>>()?;
        (!rows.is_empty()).then(|| DeviceBatch::stack(rows, device))
    }
}
