//! A WaveNet in training.

use std::sync::Arc;

use continuo_package::family::wavenet::WaveNetShape;
use continuo_package::{Package, Signal};

use super::compute::Compute;
use super::config::{Config, NAME};
use super::parameters::{self, Table};
use super::{export, initial, open};
use crate::config::{Configuration, Corpus, Plan};
use crate::data::batches::{Batch, BatchPlan, Batches};
use crate::device::Device;
use crate::nn::{Adam, Network};
use crate::task::{Figures, Gradients, ModelPackage, StepReport, Task, TaskError, Verification};
use crate::training::checkpoint::Keep;

/// The name of its only network.
pub const NETWORK: &str = "wavenet";

/// A loss of so many times what drawing by chance costs does not come back by itself. Bad first steps cost a few times.
const MANY_TIMES_CHANCE: f64 = 10.0;

/// A WaveNet, what computes it and what trains it.
pub struct WaveNetTask {
    config: Config,
    table: Arc<Table>,
    compute: Box<dyn Compute>,
    network: Network,
    gradient: Vec<f32>,
}

impl WaveNetTask {
    /// Before the first step, with fresh weights.
    ///
    /// # Errors
    /// If the device cannot be used.
    pub fn new(config: &Config, device: &Device) -> Result<Self, TaskError> {
        let training = &config.training;
        let table = Arc::new(Table::new(&config.model.shape()));
        let mut compute = open::open(device, &table, training.threads).map_err(TaskError::failed)?;
        compute.penalise_logits(training.logit_penalty);
        let weights = parameters::initial(&table, training.rng_seed);
        let adam = Adam::new(training.adam(), table.weights());
        let mut network = Network::new(NETWORK, weights, Box::new(adam), training.schedule());
        network.clip_norm = training.clip_norm;
        network.average_decay = training.average_decay;
        let gradient = vec![0.0; table.weights()];
        Ok(Self { config: config.clone(), table, compute, network, gradient })
    }

    fn shape(&self) -> &WaveNetShape {
        &self.table.shape
    }

    fn plan(&self, sequences: usize, frames: usize) -> BatchPlan {
        BatchPlan {
            sequences,
            frames,
            context: self.shape().receptive_field_frames() as usize,
            signal: Signal::MuLaw { levels: self.shape().levels },
            order: self.config.training.order,
            carried: false,
        }
    }
}

impl Configuration for Config {
    fn family(&self) -> &'static str {
        NAME
    }

    fn sample_rate_hz(&self) -> u32 {
        self.model.sample_rate_hz
    }

    fn channels(&self) -> u16 {
        1
    }

    fn plan(&self) -> Plan {
        Plan {
            steps: self.training.steps,
            checkpoint_minutes: self.training.checkpoint_minutes,
            keep: Keep { newest: self.training.keep_checkpoints, every_steps: self.training.keep_every_steps },
            log_every_steps: self.training.log_every_steps,
            preview_every_steps: self.evaluation.preview_every_steps,
            measure_every_steps: self.evaluation.every_steps,
            rng_seed: self.training.rng_seed,
        }
    }

    fn set_steps(&mut self, steps: u64) {
        self.training.steps = steps;
    }

    fn corpus(&self) -> &Corpus {
        &self.corpus
    }

    fn to_toml(&self) -> String {
        // Every field is a plain value, so this cannot fail; an empty text would be caught on reading.
        toml::to_string(self).unwrap_or_default()
    }

    fn task(&self, device: &Device) -> Result<Box<dyn Task>, TaskError> {
        Ok(Box::new(WaveNetTask::new(self, device)?))
    }
}

/// The sequences of a batch, each by itself.
fn sequences(batch: &Batch) -> Vec<Vec<u16>> {
    batch.codes().map(<[u16]>::to_vec).collect()
}

/// A likelihood in both of its units.
fn likelihood(name: &str, nats: f64) -> Figures {
    Figures::from([(format!("{name}_nats"), nats), (format!("{name}_bits"), nats / std::f64::consts::LN_2)])
}

impl Task for WaveNetTask {
    fn device(&self) -> String {
        self.compute.device()
    }

    fn summary(&self) -> String {
        format!("{} weights, receptive field {} frames", self.table.weights(), self.shape().receptive_field_frames())
    }

    fn batches(&self) -> BatchPlan {
        self.plan(self.config.training.batch, self.config.training.chunk_frames)
    }

    fn heldout(&self) -> BatchPlan {
        self.plan(self.config.evaluation.chunks, self.config.evaluation.chunk_frames)
    }

    fn networks(&self) -> Vec<&Network> {
        vec![&self.network]
    }

    fn networks_mut(&mut self) -> Vec<&mut Network> {
        vec![&mut self.network]
    }

    fn step(&mut self, number: u64, batches: &mut Batches<'_>) -> Result<StepReport, TaskError> {
        let batch = sequences(&batches.next_batch());
        let weights = &self.network.weights.values;
        let loss = self.compute.gradient(weights, &batch, &mut self.gradient).map_err(TaskError::failed)?;
        if !loss.is_finite() {
            return Err(TaskError::Diverged { what: "the loss".into(), value: loss });
        }
        let moved = self.network.update(&mut self.gradient, number);
        let norm = moved.map_err(|diverged| TaskError::diverged(&self.network, diverged))?;
        Ok(StepReport {
            losses: likelihood("loss", loss),
            gradient_norms: Figures::from([(NETWORK.to_owned(), norm)]),
            frames: (batch.len() * self.config.training.chunk_frames) as u64,
        })
    }

    fn gradient(&mut self, batches: &mut Batches<'_>) -> Result<Option<Gradients>, TaskError> {
        let batch = sequences(&batches.next_batch());
        let weights = &self.network.weights.values;
        self.compute.gradient(weights, &batch, &mut self.gradient).map_err(TaskError::failed)?;
        Ok(Some(vec![(NETWORK, self.gradient.clone())]))
    }

    fn measure(&mut self, heldout: &Batch) -> Result<Figures, TaskError> {
        let nats = self.compute.loss(&self.network.average, &sequences(heldout)).map_err(TaskError::failed)?;
        let mut figures = likelihood("nll", nats);
        figures.insert("frames".into(), (heldout.shape[0] * self.config.evaluation.chunk_frames) as f64);
        Ok(figures)
    }

    fn hopeless(&self, losses: &Figures) -> Option<String> {
        let (loss, chance) = (*losses.get("loss_bits")?, f64::from(self.shape().levels).log2());
        let reason = || format!("the loss is {loss:.1} bits, where drawing by chance costs {chance:.1}");
        (loss > MANY_TIMES_CHANCE * chance).then(reason)
    }

    fn start_from(&mut self, package: &Package) -> Result<(), String> {
        self.network.start_from(&initial::weights(package, &self.config, &self.table)?);
        Ok(())
    }

    fn package(&self) -> Result<ModelPackage, TaskError> {
        Ok(export::package(&self.config, &self.table, &self.network.average))
    }

    fn verify(&mut self, package: &mut ModelPackage, check: &Verification<'_>) -> Result<Vec<String>, TaskError> {
        let plan = self.heldout();
        let compute = self.compute.as_mut();
        let exported = export::Exported::new(&self.table, &self.network.average);
        export::verify(&exported, &plan, compute, package, check).map_err(TaskError::failed)
    }
}
