//! Passes on a device whose runtime panics when it fails.

use continuo_package::family::wavenet::WaveNetShape;

use super::compute::{Compute, ComputeError, Resident};
use super::sequence::Sequence;
use crate::data::dataset::{Chunk, Dataset};
use crate::device::guard::{Failure, guarded};
use crate::nn::{LossScale, Moved, Network, Precision};

/// Burn's runtimes panic when memory runs out or a kernel does not compile; here that becomes an error.
pub struct Guarded<C> {
    compute: C,
    receptive: usize,
}

impl<C: Compute + Resident> Guarded<C> {
    /// Guards the passes of a model of this shape.
    pub fn new(compute: C, shape: &WaveNetShape) -> Self {
        Self { compute, receptive: shape.receptive_field_frames() as usize }
    }

    /// Runs `f` on a batch of so many sequences of so many symbols.
    fn guard<T>(
        &mut self,
        (sequences, symbols): (usize, usize),
        f: impl FnOnce(&mut C) -> Result<T, ComputeError>,
    ) -> Result<T, ComputeError> {
        guarded(&mut self.compute, f, C::settle).unwrap_or_else(|failure| {
            let device = self.compute.device();
            Err(match failure {
                Failure::Memory(reason) => {
                    let frames = symbols.saturating_sub(self.receptive);
                    ComputeError::Memory { device, sequences, frames, reason }
                }
                Failure::Other(reason) => ComputeError::Device { device, reason },
            })
        })
    }
}

/// Sequences of a batch and symbols of the longest.
fn size(batch: &[Sequence]) -> (usize, usize) {
    (batch.len(), batch.iter().map(Sequence::len).max().unwrap_or(0))
}

impl<C: Compute + Resident> Compute for Guarded<C> {
    fn device(&self) -> String {
        self.compute.device()
    }

    fn penalise_logits(&mut self, weight: f64) {
        self.compute.penalise_logits(weight);
    }

    fn penalise_weights(&mut self, weight: f64) {
        self.compute.penalise_weights(weight);
    }

    fn multiply_in(&mut self, precision: Precision) -> Result<(), ComputeError> {
        self.guard((0, 0), |compute| compute.multiply_in(precision))
    }

    fn precision(&self) -> Precision {
        self.compute.precision()
    }

    fn loss_scale(&self) -> Option<LossScale> {
        self.compute.loss_scale()
    }

    fn set_loss_scale(&mut self, scale: LossScale) {
        self.compute.set_loss_scale(scale);
    }

    fn gradient(&mut self, values: &[f32], batch: &[Sequence], gradient: &mut [f32]) -> Result<f64, ComputeError> {
        self.guard(size(batch), |compute| compute.gradient(values, batch, gradient))
    }

    fn loss(&mut self, values: &[f32], batch: &[Sequence]) -> Result<f64, ComputeError> {
        self.guard(size(batch), |compute| compute.loss(values, batch))
    }

    fn outputs(&mut self, values: &[f32], sequence: &Sequence) -> Result<Vec<f32>, ComputeError> {
        self.guard((1, sequence.len()), |compute| compute.outputs(values, sequence))
    }

    fn resident(&mut self) -> Option<&mut dyn Resident> {
        Some(self)
    }
}

impl<C: Compute + Resident> Resident for Guarded<C> {
    fn load(&mut self, network: &Network) -> Result<bool, ComputeError> {
        self.guard((0, 0), |compute| compute.load(network))
    }

    fn step(&mut self, batch: &[Sequence], number: u64) -> Result<Moved, ComputeError> {
        self.guard(size(batch), |compute| compute.step(batch, number))
    }

    fn hold(&mut self, dataset: &Dataset) -> Result<bool, ComputeError> {
        match self.guard((0, 0), |compute| compute.hold(dataset)) {
            // Less room than was thought: sequences are sent as they are needed.
            Err(ComputeError::Memory { .. }) => Ok(false),
            other => other,
        }
    }

    fn step_at(&mut self, chunks: &[Chunk], number: u64) -> Result<Moved, ComputeError> {
        let symbols = self.receptive + chunks.first().map_or(0, |chunk| chunk.frames);
        self.guard((chunks.len(), symbols), |compute| compute.step_at(chunks, number))
    }

    fn read(&mut self, network: &mut Network) -> Result<(), ComputeError> {
        self.guard((0, 0), |compute| compute.read(network))
    }

    fn settle(&mut self) {
        self.compute.settle();
    }
}
