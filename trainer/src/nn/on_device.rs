//! Networks whose weights, moments and average stay on a device between steps.
//!
//! A step costs one transfer of a few numbers: the losses, and what tells that nothing has diverged. Everything else moves when
//! somebody asks for it: a checkpoint, a measurement, an export. The arithmetic is [`Network`]'s, operation by operation, in
//! f32; only sums are added up in another order.

use burn::tensor::backend::Backend;
use burn::tensor::{Tensor, TensorData};

use super::network::{Diverged, Network, Unmoved, averaging};
use super::optimiser::Rule;
use super::schedule::Schedule;
use crate::peers::{Peers, PeersError};

/// What a step did.
#[derive(Debug, Clone, PartialEq)]
pub struct Moved {
    /// The losses that were given, in their order.
    pub losses: Vec<f64>,
    /// The gradient's norm before clipping.
    pub norm: f64,
}

/// A network on a device.
#[derive(Debug, Clone)]
pub struct DeviceNetwork<B: Backend> {
    weights: Tensor<B, 1>,
    average: Tensor<B, 1>,
    moments: Vec<Tensor<B, 1>>,
    rule: Rule,
    steps: u64,
    schedule: Schedule,
    clip_norm: f64,
    average_decay: f64,
    peers: Peers,
}

fn upload<B: Backend>(values: &[f32], device: &B::Device) -> Tensor<B, 1> {
    Tensor::from_data(TensorData::new(values.to_vec(), [values.len()]), device)
}

fn download<B: Backend>(tensor: &Tensor<B, 1>, values: &mut [f32]) {
    // Another element type would have been converted; f32 is what these hold.
    for (value, found) in values.iter_mut().zip(tensor.to_data().iter::<f32>()) {
        *value = found;
    }
}

/// The mean of all workers' gradients, by way of the host's memory.
fn mean<B: Backend>(gradient: Tensor<B, 1>, peers: &Peers) -> Result<Tensor<B, 1>, PeersError> {
    if peers.workers() == 1 {
        return Ok(gradient);
    }
    let mut values = vec![0.0; gradient.dims()[0]];
    download(&gradient, &mut values);
    peers.mean(&mut values)?;
    Ok(upload(&values, &gradient.device()))
}

impl<B: Backend> DeviceNetwork<B> {
    /// Copies a network to a device; `None` if its optimiser has no rule that runs there.
    pub fn new(network: &Network, device: &B::Device) -> Option<Self> {
        let Network { weights, average, optimiser, schedule, clip_norm, average_decay, peers, .. } = network;
        Some(Self {
            weights: upload(&weights.values, device),
            average: upload(average, device),
            moments: optimiser.moments().iter().map(|(_, moment)| upload(moment, device)).collect(),
            rule: optimiser.rule()?,
            steps: optimiser.steps(),
            schedule: *schedule,
            clip_norm: *clip_norm,
            average_decay: *average_decay,
            peers: peers.clone(),
        })
    }

    /// The weights, one tensor behind the other as in the layout.
    pub fn weights(&self) -> &Tensor<B, 1> {
        &self.weights
    }

    /// Copies everything back to the network that it came from.
    pub fn read(&self, network: &mut Network) {
        download(&self.weights, &mut network.weights.values);
        download(&self.average, &mut network.average);
        for (moment, (_, values)) in self.moments.iter().zip(network.optimiser.moments_mut()) {
            download(moment, values);
        }
        network.optimiser.set_steps(self.steps);
    }

    /// Moves the weights one step against `gradient`, as [`Network::update`] does, and reads `losses` on the way.
    ///
    /// # Errors
    /// [`Diverged`] if a loss, the gradient's norm or a weight is no number; nothing is changed then. A weight that becomes none
    /// in this step is found by the next one, or by the checkpoint that would hold it. [`PeersError`] if another worker is lost.
    pub fn update(&mut self, gradient: Tensor<B, 1>, losses: Tensor<B, 1>, step: u64) -> Result<Moved, Unmoved> {
        let gradient = mean(gradient, &self.peers)?;
        let square = (gradient.clone() * gradient.clone()).sum();
        let size = self.weights.clone().abs().sum();
        let mut numbers: Vec<f64> = Tensor::cat(vec![losses, square, size], 0).into_data().iter::<f64>().collect();
        // Devices may add up in different orders; a clipped gradient is the same on all of them.
        self.peers.figures(&mut numbers)?;
        let size = numbers.pop().unwrap_or(f64::NAN);
        let norm = numbers.pop().unwrap_or(f64::NAN).sqrt();
        let loss = numbers.iter().copied().find(|loss| !loss.is_finite());
        let all = [("the loss", loss.unwrap_or(0.0)), (Diverged::GRADIENT, norm), ("a weight", size)];
        if let Some(&(what, value)) = all.iter().find(|(_, value)| !value.is_finite()) {
            return Err(Diverged { what, value }.into());
        }
        let clipped = self.clip_norm > 0.0 && norm > self.clip_norm;
        let gradient = if clipped { gradient.mul_scalar((self.clip_norm / norm) as f32) } else { gradient };
        self.steps += 1;
        let rate = self.schedule.learning_rate(step);
        self.weights = self.rule.update(rate, self.steps, self.weights.clone(), gradient, &mut self.moments);
        let decay = averaging(self.average_decay, self.steps);
        self.average = if decay == 0.0 {
            self.weights.clone()
        } else {
            self.weights.clone() + (self.average.clone() - self.weights.clone()).mul_scalar(decay)
        };
        Ok(Moved { losses: numbers, norm })
    }
}

impl Rule {
    /// The weights after the step of this number (from 1), and the moments that [`Optimiser::moments`] names, in their order.
    fn update<B: Backend>(
        &self,
        learning_rate: f64,
        step: u64,
        values: Tensor<B, 1>,
        gradient: Tensor<B, 1>,
        moments: &mut [Tensor<B, 1>],
    ) -> Tensor<B, 1> {
        match (self, moments) {
            (Self::Adam(settings), [first, second]) => {
                let (rate, correction) = settings.corrected(learning_rate, step);
                let [beta1, beta2, epsilon] = [settings.beta1, settings.beta2, settings.epsilon].map(|x| x as f32);
                *first = first.clone().mul_scalar(beta1) + gradient.clone().mul_scalar(1.0 - beta1);
                *second = second.clone().mul_scalar(beta2) + gradient.clone().mul_scalar(1.0 - beta2) * gradient;
                let size = second.clone().mul_scalar(correction).sqrt().add_scalar(epsilon);
                values - first.clone().mul_scalar(rate) / size
            }
            (Self::RmsProp(settings), [square, momentum]) => {
                let [decay, share, epsilon] = [settings.decay, settings.momentum, settings.epsilon].map(|x| x as f32);
                *square =
                    square.clone().mul_scalar(decay) + gradient.clone().mul_scalar(1.0 - decay) * gradient.clone();
                let size = square.clone().sqrt().add_scalar(epsilon);
                *momentum = momentum.clone().mul_scalar(share) + gradient.mul_scalar(learning_rate as f32) / size;
                values - momentum.clone()
            }
            (Self::Sgd(share), [momentum]) => {
                *momentum = momentum.clone().mul_scalar(*share as f32) + gradient;
                values - momentum.clone().mul_scalar(learning_rate as f32)
            }
            // Moments that are not the rule's: an optimiser that names others than it uses.
            (Self::Adam(_) | Self::RmsProp(_) | Self::Sgd(_), _) => values,
        }
    }
}
