//! A WaveNet in training.

use std::sync::Arc;

use continuo_package::Package;
use continuo_package::family::wavenet::WaveNetShape;

use super::compute::{Compute, ComputeError};
use super::config::{Config, NAME};
use super::layout::contexts;
use super::parameters::{self, Table};
use super::signal::{sequences, signal};
use super::{export, initial, open};
use crate::config::{Configuration, Corpus, Plan};
use crate::data::batches::{Batch, BatchPlan, Batches, Place};
use crate::data::dataset::{Chunk, Dataset, Split};
use crate::device::Device;
use crate::nn::{Diverged, LossScale, Network};
use crate::peers::Peers;
use crate::task::{Figures, Gradients, ModelPackage, StepReport, Task, TaskError, Verification};

/// The name of its only network.
pub const NETWORK: &str = "wavenet";

/// The name of the loss of real values: the mean of (value − frame)², full scale being 1.
pub const SQUARED_ERROR: &str = "squared_error";

/// A loss of so many times what drawing by chance costs does not come back by itself. Bad first steps cost a few times.
const MANY_TIMES_CHANCE: f64 = 10.0;

/// A squared error of so many times full scale's is beyond all hope too.
const MANY_TIMES_FULL_SCALE: f64 = 10.0;

/// Where a checkpoint holds the loss scale.
const LOSS_SCALE: &str = "loss_scale";

/// Share of a training step's work that may be spent on the context in front of the targets before it is told.
const DEAR_CONTEXT: f64 = 0.25;

/// A WaveNet, what computes it and what trains it.
pub struct WaveNetTask {
    config: Config,
    table: Arc<Table>,
    compute: Box<dyn Compute>,
    network: Network,
    /// Whether the device holds the network as it is after the last step; `network` is then as it was last read.
    resident: bool,
    /// Whether the device holds the dataset of this fingerprint.
    held: Option<(String, bool)>,
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
        compute.penalise_weights(training.l2);
        compute.multiply_in(training.precision).map_err(TaskError::failed)?;
        let weights = parameters::initial(&table, training.rng_seed);
        let optimiser = training.optimiser(table.weights());
        let mut network = Network::new(NETWORK, weights, optimiser, training.schedule());
        network.clip_norm = training.clip_norm;
        network.average_decay = training.average_decay;
        let gradient = vec![0.0; table.weights()];
        Ok(Self { config: config.clone(), table, compute, network, resident: false, held: None, gradient })
    }

    /// One step, on the device where it can do so. Gives back the loss and the gradient's norm.
    fn move_weights(
        &mut self,
        batches: &Batches<'_>,
        places: &[Place],
        number: u64,
    ) -> Result<(f64, f64), ComputeError> {
        let batch = || sequences(&self.table.shape, &batches.cut(places));
        if let Some(device) = self.compute.resident() {
            self.resident = self.resident || device.load(&self.network)?;
            if self.resident {
                let dataset = batches.dataset();
                let held = match &self.held {
                    Some((fingerprint, held)) if fingerprint == dataset.fingerprint() => *held,
                    _ => {
                        let held = device.hold(dataset)?;
                        self.held = Some((dataset.fingerprint().to_owned(), held));
                        held
                    }
                };
                let moved = if held {
                    let chunks: Vec<Chunk> = places.iter().map(|place| place.chunk).collect();
                    device.step_at(&chunks, number)?
                } else {
                    device.step(&batch(), number)?
                };
                return Ok((moved.losses.first().copied().unwrap_or(f64::NAN), moved.norm));
            }
        }
        let loss = self.compute.gradient(&self.network.weights.values, &batch(), &mut self.gradient)?;
        if !loss.is_finite() {
            return Err(Diverged { what: "the loss", value: loss }.into());
        }
        Ok((loss, self.network.update(&mut self.gradient, number)?))
    }

    fn failed(&self, error: ComputeError) -> TaskError {
        match error {
            ComputeError::Diverged(diverged) => TaskError::unmoved(&self.network, diverged.into()),
            ComputeError::Peers(error) => TaskError::Peers(error),
            error => TaskError::failed(error),
        }
    }

    fn shape(&self) -> &WaveNetShape {
        &self.table.shape
    }

    /// A mean loss under its names: in both units of a likelihood, or as a squared error.
    fn loss(&self, name: &str, loss: f64) -> Figures {
        if self.shape().is_real() { Figures::from([(SQUARED_ERROR.to_owned(), loss)]) } else { likelihood(name, loss) }
    }

    fn plan(&self, sequences: usize, frames: usize) -> BatchPlan {
        BatchPlan {
            sequences,
            frames,
            context: self.shape().receptive_field_frames() as usize,
            signal: signal(self.shape()),
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
        self.evaluation.plan(&self.training)
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

    fn accept(&self, dataset: &Dataset) -> Result<(), String> {
        let classes = &self.shape().classes;
        if classes.is_empty() {
            return Ok(());
        }
        let all = || dataset.recordings(Split::Train).chain(dataset.recordings(Split::Heldout));
        if let Some(other) = all().find(|recording| !classes.iter().any(|class| class == recording.folder())) {
            return Err(format!(
                "the recording {:?} lies in none of the folders that model.classes names ({}); prepare a folder that holds \
                 one folder per class and nothing else, or change model.classes",
                other.name,
                classes.join(", ")
            ));
        }
        let trained = |class: &&String| dataset.recordings(Split::Train).any(|recording| recording.folder() == **class);
        match classes.iter().find(|class| !trained(class)) {
            Some(class) => {
                Err(format!("no recording of the class {class:?} is left to train on; add some, or take the class out"))
            }
            None => Ok(()),
        }
    }

    fn advice(&self) -> Vec<String> {
        let frames = self.config.training.chunk_frames as f64;
        let contexts = contexts(self.shape());
        // Each layer computes its own context in front of the targets.
        let mean =
            contexts[1..].iter().map(|&context| context as f64).sum::<f64>() / (contexts.len() - 1).max(1) as f64;
        let share = mean / (mean + frames);
        let mut advice = Vec::new();
        if share > DEAR_CONTEXT {
            let longer = (mean / DEAR_CONTEXT - mean).ceil();
            advice.push(format!(
                "{:.0} % of the layers' work goes into the receptive field in front of each chunk: training.chunk_frames of \
                 {longer:.0} or more makes it less than {:.0} %",
                100.0 * share,
                100.0 * DEAR_CONTEXT
            ));
        }
        let (wanted, used) = (self.config.training.precision, self.compute.precision());
        if wanted != used {
            advice.push(format!(
                "training.precision is {}; this device computes in {} all the same",
                wanted.name(),
                used.name()
            ));
        }
        advice
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
        self.resident = false;
        vec![&mut self.network]
    }

    fn state(&self) -> serde_json::Value {
        // Plain numbers, which cannot fail.
        self.compute.loss_scale().map_or(serde_json::Value::Null, |scale| serde_json::json!({ LOSS_SCALE: scale }))
    }

    fn restore(&mut self, state: &serde_json::Value) -> Result<(), String> {
        // A run that has computed elsewhere, or in another precision until now, has none.
        if let Some(scale) = state.get(LOSS_SCALE) {
            let scale: LossScale = serde_json::from_value(scale.clone()).map_err(|error| error.to_string())?;
            if !scale.is_sound() {
                return Err(format!("the checkpoint's loss scale is {}", scale.factor()));
            }
            self.compute.set_loss_scale(scale);
        }
        Ok(())
    }

    fn share(&mut self, peers: &Peers) -> Result<(), String> {
        self.resident = false;
        self.network.peers = peers.clone();
        Ok(())
    }

    fn step(&mut self, number: u64, batches: &mut Batches<'_>) -> Result<StepReport, TaskError> {
        let places = batches.next_places();
        let (loss, norm) = self.move_weights(batches, &places, number).map_err(|error| self.failed(error))?;
        Ok(StepReport {
            losses: self.loss("loss", loss),
            gradient_norms: Figures::from([(NETWORK.to_owned(), norm)]),
            frames: (places.len() * self.config.training.chunk_frames) as u64,
        })
    }

    fn gradient(&mut self, batches: &mut Batches<'_>) -> Result<Option<Gradients>, TaskError> {
        self.pull()?;
        let batch = sequences(self.shape(), &batches.next_batch());
        let weights = &self.network.weights.values;
        self.compute.gradient(weights, &batch, &mut self.gradient).map_err(TaskError::failed)?;
        Ok(Some(vec![(NETWORK, self.gradient.clone())]))
    }

    fn pull(&mut self) -> Result<(), TaskError> {
        match self.compute.resident() {
            Some(device) if self.resident => device.read(&mut self.network).map_err(TaskError::failed),
            _ => Ok(()),
        }
    }

    fn measure(&mut self, heldout: &Batch) -> Result<Figures, TaskError> {
        self.pull()?;
        let batch = sequences(self.shape(), heldout);
        let loss = self.compute.loss(&self.network.average, &batch).map_err(TaskError::failed)?;
        let mut figures = self.loss("nll", loss);
        figures.insert("frames".into(), (heldout.shape[0] * self.config.evaluation.chunk_frames) as f64);
        Ok(figures)
    }

    fn judged_by(&self) -> &'static str {
        if self.shape().is_real() { SQUARED_ERROR } else { "nll_nats" }
    }

    fn hopeless(&self, losses: &Figures) -> Option<String> {
        if let Some(error) = losses.get(SQUARED_ERROR) {
            let reason = || format!("the squared error is {error:.1}, where full scale is 1");
            return (*error > MANY_TIMES_FULL_SCALE).then(reason);
        }
        let (loss, chance) = (*losses.get("loss_bits")?, f64::from(self.shape().levels).log2());
        let reason = || format!("the loss is {loss:.1} bits, where drawing by chance costs {chance:.1}");
        (loss > MANY_TIMES_CHANCE * chance).then(reason)
    }

    fn start_from(&mut self, package: &Package) -> Result<(), String> {
        self.resident = false;
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
