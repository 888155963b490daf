//! What a WaveNet hears of a dataset: the signal, the classes, the sequences of a batch.

use continuo_package::Signal;
use continuo_package::family::wavenet::WaveNetShape;

use super::sequence::{Sequence, Symbols};
use crate::data::batches::{Batch, Values};

/// What a model takes amplitudes for.
pub fn signal(shape: &WaveNetShape) -> Signal {
    if shape.is_real() { Signal::Real } else { Signal::MuLaw { levels: shape.levels } }
}

/// The class of a recording in this folder. One that is none of the classes (as in synthetic data) is of the first;
/// the task's `accept` keeps such recordings out of a training.
pub fn class_of(shape: &WaveNetShape, folder: &str) -> usize {
    shape.classes.iter().position(|class| class == folder).unwrap_or(0)
}

/// The sequences of a batch, each by itself.
pub fn sequences(shape: &WaveNetShape, batch: &Batch) -> Vec<Sequence> {
    let symbols: Vec<Symbols> = match &batch.values {
        Values::Codes(_) => batch.codes().map(|codes| Symbols::Codes(codes.to_vec())).collect(),
        Values::Frames(_) => batch.frames().map(|values| Symbols::Values(values.to_vec())).collect(),
    };
    let of_folder = |(symbols, folder): (Symbols, &String)| Sequence { symbols, class: class_of(shape, folder) };
    symbols.into_iter().zip(&batch.folders).map(of_folder).collect()
}
