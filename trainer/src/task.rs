//! What training knows of a family of models: a task.
//!
//! The loop, checkpoints, the log, resuming and exporting see this trait and nothing behind it. A family is a folder in
//! `family/` that implements [`Configuration`](crate::config::Configuration) and [`Task`], and a line in
//! [`FAMILIES`](crate::family::FAMILIES).

use std::collections::BTreeMap;
use std::path::Path;

use continuo_engine::Runtime;
use continuo_package::{GraphId, Manifest, Package, PackageError, PackageWriter};

use crate::data::batches::{Batch, BatchPlan, Batches};
use crate::data::dataset::Dataset;
use crate::nn::{Network, Tensors, Unmoved};
use crate::peers::{Peers, PeersError};

/// Figures by name; the unit is in the name.
pub type Figures = BTreeMap<String, f64>;

/// Gradients by their network's name, each as long as its weights.
pub type Gradients = Vec<(&'static str, Vec<f32>)>;

/// Why a task cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum TaskError {
    /// A loss or gradient is no number any more; no weight was changed by it.
    #[error("{what} is {value}")]
    Diverged {
        /// The loss, or the network whose gradient or weight it is.
        what: String,
        /// The value.
        value: f64,
    },
    /// Another worker is lost.
    #[error(transparent)]
    Peers(PeersError),
    /// What the family says itself.
    #[error(transparent)]
    Failed(Box<dyn std::error::Error + Send + Sync>),
}

impl TaskError {
    /// An error of the family's own.
    pub fn failed(error: impl std::error::Error + Send + Sync + 'static) -> Self {
        Self::Failed(Box::new(error))
    }

    /// A reason in words.
    pub fn because(reason: impl Into<String>) -> Self {
        Self::Failed(reason.into().into())
    }

    /// A network that made no step.
    pub fn unmoved(network: &Network, unmoved: Unmoved) -> Self {
        match unmoved {
            Unmoved::Diverged(diverged) => {
                Self::Diverged { what: format!("{} of {}", diverged.what, network.name), value: diverged.value }
            }
            Unmoved::Peers(error) => Self::Peers(error),
        }
    }
}

/// What a step reports.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct StepReport {
    /// Losses by name, for example `loss_nats`.
    pub losses: Figures,
    /// Norm of each network's gradient before clipping, by the network's name.
    pub gradient_norms: Figures,
    /// Frames (or codes) that contributed.
    pub frames: u64,
}

/// A model in training.
///
/// Two tasks of one configuration behave alike, bit by bit, on the same device: what is drawn depends on the seed, what it
/// is for and the step's number (see [`crate::random`]). All that a step changes is in the networks, the buffers or
/// [`Task::state`]; so a checkpoint holds everything, and a resumed run is the same as one that never stopped.
pub trait Task {
    /// What computes, in words.
    fn device(&self) -> String;

    /// One line about the model, for the beginning of the log.
    fn summary(&self) -> String;

    /// Whether the recordings of a dataset are ones that it can be trained on.
    ///
    /// # Errors
    /// Why not, in words, and what to do.
    fn accept(&self, _dataset: &Dataset) -> Result<(), String> {
        Ok(())
    }

    /// What a user should know of the configuration before a night is spent on it, as sentences.
    fn advice(&self) -> Vec<String> {
        Vec::new()
    }

    /// The batches of the present stage of training. After a step that changes them, sampling begins anew.
    fn batches(&self) -> BatchPlan;

    /// The held-out sequences that [`Task::measure`] is given, all in one batch.
    fn heldout(&self) -> BatchPlan;

    /// The networks, always in the same order; those that a device trains as they were when [`Task::pull`] was called last.
    fn networks(&self) -> Vec<&Network>;

    /// The networks, to be restored.
    fn networks_mut(&mut self) -> Vec<&mut Network>;

    /// Brings networks and buffers up to date where a device trains them: before a checkpoint, a package, or a look at them.
    ///
    /// # Errors
    /// If the device fails.
    fn pull(&mut self) -> Result<(), TaskError> {
        Ok(())
    }

    /// Tensors that no gradient trains but that the next step depends on, by name: a recurrent network's state between
    /// batches, a codebook's moving counts.
    fn buffers(&self) -> Vec<(&'static str, &Tensors)> {
        Vec::new()
    }

    /// The same, to be restored.
    fn buffers_mut(&mut self) -> Vec<(&'static str, &mut Tensors)> {
        Vec::new()
    }

    /// What else the next step depends on, such as the stage of a network that grows.
    fn state(&self) -> serde_json::Value {
        serde_json::Value::Null
    }

    /// Goes on from a [`Task::state`]. Afterwards networks and buffers are those of that state, to be restored.
    ///
    /// # Errors
    /// What is wrong with it, in words.
    fn restore(&mut self, state: &serde_json::Value) -> Result<(), String> {
        if state.is_null() { Ok(()) } else { Err("the checkpoint holds a state, and this task has none".into()) }
    }

    /// Trains together with other workers from now on, each on its own rows of every batch; all have the same weights.
    ///
    /// [`Batches`] then gives out this worker's rows alone, and [`Network::update`] and [`crate::nn::DeviceNetwork`]
    /// average gradients where a network was given `peers`. So a task whose losses are means over rows does nothing but
    /// hand them on: `self.network.peers = peers.clone()`. What else depends on other rows is its own to share, in
    /// [`Task::step`]: counts of a batch by [`Peers::mean`], a carried state by [`Peers::gather`], numbers that are drawn
    /// for each row by [`Batches::rows`]. All workers make the same exchanges in the same order. Losses are averaged and
    /// frames added up by the training loop.
    ///
    /// # Errors
    /// Why it cannot, in words.
    fn share(&mut self, _peers: &Peers) -> Result<(), String> {
        Err("this family is trained by one worker only; leave --workers and --worker out".into())
    }

    /// Trains one step, counted from 0, on as many batches as it takes.
    ///
    /// # Errors
    /// [`TaskError::Diverged`] if a loss or gradient is no number; [`TaskError::Failed`] if the device fails;
    /// [`TaskError::Peers`] if another worker is lost.
    fn step(&mut self, number: u64, batches: &mut Batches<'_>) -> Result<StepReport, TaskError>;

    /// The gradient of each network on the next batches, by its name, without a step: for comparing devices. `None` where a
    /// family has no single one.
    ///
    /// # Errors
    /// If the device fails.
    fn gradient(&mut self, _batches: &mut Batches<'_>) -> Result<Option<Gradients>, TaskError> {
        Ok(None)
    }

    /// Measures the averaged weights on held-out sequences.
    ///
    /// # Errors
    /// If the device fails.
    fn measure(&mut self, heldout: &Batch) -> Result<Figures, TaskError>;

    /// The held-out figure by which checkpoints are compared; less is better.
    fn judged_by(&self) -> &'static str {
        "nll_nats"
    }

    /// Why the mean losses since the last line of the log are beyond all hope, as a sentence part; `None` while they are not.
    fn hopeless(&self, _losses: &Figures) -> Option<String> {
        None
    }

    /// Starts from the weights of a model that was trained before.
    ///
    /// # Errors
    /// Why this package cannot be started from, in words.
    fn start_from(&mut self, package: &Package) -> Result<(), String>;

    /// The averaged weights as a model package, as they were when [`Task::pull`] was called last.
    ///
    /// # Errors
    /// If a graph cannot be written.
    fn package(&self) -> Result<ModelPackage, TaskError>;

    /// Puts what this run trained into the package of the model that it is a part of: a prior, a second level.
    ///
    /// # Errors
    /// Why it is no part of that model, in words.
    fn join(&self, _package: &mut ModelPackage) -> Result<(), String> {
        Err("is a model by itself and no part of another".into())
    }

    /// What codes [`Task::encode`] gives; `None` where the family has no encoder.
    fn coding(&self) -> Option<Coding> {
        None
    }

    /// The codes that the averaged weights make of a recording of one channel, one for each whole hop.
    ///
    /// # Errors
    /// If there is no encoder, or the device fails.
    fn encode(&mut self, _frames: &[i16]) -> Result<Vec<u32>, TaskError> {
        Err(TaskError::because("this model makes no codes"))
    }

    /// Checks that the package's graphs are the trained model, on real audio, and writes what it measures into the
    /// manifest's training facts. Gives back what it found, line by line, for a user.
    ///
    /// # Errors
    /// If a graph is another model, or there is too little audio to say so.
    fn verify(&mut self, package: &mut ModelPackage, check: &Verification<'_>) -> Result<Vec<String>, TaskError>;
}

/// What an encoder's codes are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Coding {
    /// How far they are from the audio: those of level 0 are made of audio, those of level 1 of codes of level 0.
    pub level: u32,
    /// How many there are.
    pub codes: u32,
    /// Frames (or codes of the level below) that one stands for.
    pub hop: u32,
}

/// A model on its way into a package file.
#[derive(Debug, Clone)]
pub struct ModelPackage {
    /// The manifest: what the family knows is filled in; the run's facts are added by `export`.
    pub manifest: Manifest,
    /// The serialised graphs by role.
    pub graphs: BTreeMap<GraphId, Vec<u8>>,
}

impl ModelPackage {
    /// What writes the file.
    pub fn writer(&self, licence: &str) -> PackageWriter {
        let writer = PackageWriter::new(self.manifest.clone(), licence);
        self.graphs.iter().fold(writer, |writer, (&id, graph)| writer.graph(id, graph.clone()))
    }

    /// Writes the file for the trainer's own use, without preview or licence.
    ///
    /// # Errors
    /// [`PackageError`] if it cannot be written.
    pub fn write_draft(&self, file: &Path) -> Result<(), PackageError> {
        self.writer("A draft of a run.").write(file)
    }
}

/// What an exported model is checked with.
#[derive(Debug, Clone, Copy)]
pub struct Verification<'a> {
    /// What runs the graphs.
    pub runtime: &'a Runtime,
    /// The recordings that the run is trained on and measured with.
    pub dataset: &'a Dataset,
}
