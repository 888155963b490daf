//! A prior over codes in training: a WaveNet whose frames are codes (Dieleman et al. 2018, section 4.1).
//!
//! It is trained by the passes of [`crate::family::wavenet`], on a dataset that `continuo-trainer codes` made, and exported with
//! the model whose codes they are.

use continuo_package::family::ada::graph;
use continuo_package::{GraphId, GraphRole, Package, figures};
use prost::Message as _;

use super::config::NAME;
use super::export::{self, part_of};
use super::prior_config::Config;
use super::recordings::accept_codes;
use crate::codes::dataset::Origin;
use crate::config::{Configuration, Corpus, Plan};
use crate::data::batches::{Batch, BatchPlan, Batches, Coder, held_out};
use crate::data::dataset::{Dataset, Split};
use crate::device::Device;
use crate::family::wavenet::export::Exported;
use crate::family::wavenet::parameters::Table;
use crate::family::wavenet::signal::sequences;
use crate::family::wavenet::task::WaveNetTask;
use crate::family::wavenet::{Sequence, open, parity};
use crate::nn::{NamedTensor, Network, Tensors};
use crate::peers::Peers;
use crate::task::{Figures, Gradients, ModelPackage, StepReport, Task, TaskError, Verification};

/// Codes that are compared with ONNX Runtime at most.
const COMPARED_CODES: usize = 4_000;

/// A WaveNet over codes.
pub struct PriorTask {
    config: Config,
    table: Table,
    wavenet: WaveNetTask,
}

impl PriorTask {
    /// Before the first step, with fresh weights.
    ///
    /// # Errors
    /// If the device cannot be used.
    pub fn new(config: &Config, device: &Device) -> Result<Self, TaskError> {
        let wavenet = WaveNetTask::new(&config.as_wavenet(), device)?;
        Ok(Self { config: config.clone(), table: Table::new(&config.model.shape()), wavenet })
    }

    fn average(&self) -> &[f32] {
        self.wavenet.networks().first().map_or(&[], |network| &network.average)
    }
}

impl Configuration for Config {
    fn family(&self) -> &'static str {
        NAME
    }

    fn sample_rate_hz(&self) -> u32 {
        self.model.codes_per_second
    }

    fn channels(&self) -> u16 {
        1
    }

    fn plan(&self) -> Plan {
        self.as_wavenet().plan()
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
        Ok(Box::new(PriorTask::new(self, device)?))
    }
}

impl Task for PriorTask {
    fn device(&self) -> String {
        self.wavenet.device()
    }

    fn summary(&self) -> String {
        let codes = self.config.model.shape().receptive_field_frames();
        let seconds = codes as f64 / f64::from(self.config.model.codes_per_second);
        format!("a prior of {} weights that hears {codes} codes, {seconds:.1} s", self.table.weights())
    }

    fn accept(&self, dataset: &Dataset) -> Result<(), String> {
        let origin = Origin::of(dataset).map_err(|error| error.to_string())?;
        let level = origin.map_or(0, |origin| origin.level);
        accept_codes(dataset, Some(level), self.config.model.codes)
    }

    fn advice(&self) -> Vec<String> {
        self.wavenet.advice()
    }

    fn batches(&self) -> BatchPlan {
        self.wavenet.batches()
    }

    fn heldout(&self) -> BatchPlan {
        self.wavenet.heldout()
    }

    fn networks(&self) -> Vec<&Network> {
        self.wavenet.networks()
    }

    fn networks_mut(&mut self) -> Vec<&mut Network> {
        self.wavenet.networks_mut()
    }

    fn pull(&mut self) -> Result<(), TaskError> {
        self.wavenet.pull()
    }

    fn buffers(&self) -> Vec<(&'static str, &Tensors)> {
        self.wavenet.buffers()
    }

    fn buffers_mut(&mut self) -> Vec<(&'static str, &mut Tensors)> {
        self.wavenet.buffers_mut()
    }

    fn state(&self) -> serde_json::Value {
        self.wavenet.state()
    }

    fn restore(&mut self, state: &serde_json::Value) -> Result<(), String> {
        self.wavenet.restore(state)
    }

    fn share(&mut self, peers: &Peers) -> Result<(), String> {
        self.wavenet.share(peers)
    }

    fn step(&mut self, number: u64, batches: &mut Batches<'_>) -> Result<StepReport, TaskError> {
        self.wavenet.step(number, batches)
    }

    fn gradient(&mut self, batches: &mut Batches<'_>) -> Result<Option<Gradients>, TaskError> {
        self.wavenet.gradient(batches)
    }

    fn measure(&mut self, heldout: &Batch) -> Result<Figures, TaskError> {
        self.wavenet.measure(heldout)
    }

    fn judged_by(&self) -> &'static str {
        self.wavenet.judged_by()
    }

    fn hopeless(&self, losses: &Figures) -> Option<String> {
        self.wavenet.hopeless(losses)
    }

    fn start_from(&mut self, _: &Package) -> Result<(), String> {
        Err("priors start from random weights; leave --init out".into())
    }

    fn package(&self) -> Result<ModelPackage, TaskError> {
        let reason =
            "this run is the prior of a model; export the run of the model's level 0, and name this one with --with";
        Err(TaskError::because(reason))
    }

    fn join(&self, package: &mut ModelPackage) -> Result<(), String> {
        let mut shape = part_of(package)?;
        let top = shape.autoencoders.last().map_or(0, |top| top.codes);
        if shape.prior.is_some() || top != self.config.model.codes {
            return Err(format!(
                "is a prior over {} codes; the model's uppermost level has {top}{}",
                self.config.model.codes,
                if shape.prior.is_some() { ", and a prior already" } else { "" }
            ));
        }
        shape.prior = Some(self.config.model.shape());
        let id = GraphId { role: GraphRole::Prior, level: shape.top() };
        let exported = Exported::new(&self.table, self.average());
        let prefix = shape.prior_part().prefix;
        let own = |name: &str| self.table.find(name.strip_prefix(prefix).unwrap_or(name)).map(NamedTensor::range);
        let graph = graph::graph(&shape, id, |name, _| {
            own(name).map_or_else(Vec::new, |range| exported.values()[range].to_vec())
        });
        let mut graph = graph.ok_or_else(|| format!("the model has no graph {id}"))?;
        graph.producer_name = "continuo-trainer".into();
        graph.producer_version = env!("CARGO_PKG_VERSION").into();
        package.graphs.insert(id, graph.encode_to_vec());
        export::describe(package, shape);
        Ok(())
    }

    fn verify(&mut self, package: &mut ModelPackage, check: &Verification<'_>) -> Result<Vec<String>, TaskError> {
        let shape = part_of(package).map_err(TaskError::because)?;
        let id = GraphId { role: GraphRole::Prior, level: shape.top() };
        let graph =
            package.graphs.get(&id).ok_or_else(|| TaskError::because(format!("the package has no graph {id}")))?;
        let plan = self.heldout();
        let pieces = pieces(check.dataset, &plan);
        if pieces.is_empty() {
            let codes = plan.context + 1;
            return Err(TaskError::because(format!(
                "the prior cannot be checked: no recording has more than {codes} codes. Train on longer recordings"
            )));
        }
        // On the CPU, whatever trained it.
        let table = std::sync::Arc::new(self.table.clone());
        let mut compute = open::open(&Device::Cpu, &table, self.config.training.threads).map_err(TaskError::failed)?;
        let exported = Exported::new(&self.table, self.average());
        let values = exported.values();
        let found = parity::compare(check.runtime, graph, &self.table.shape, compute.as_mut(), values, &pieces);
        let found = found.map_err(TaskError::failed)?;
        found.check().map_err(|reason| {
            TaskError::because(format!(
                "the prior's graph is not the trained one: over {} codes, {reason}",
                found.frames
            ))
        })?;
        let mut said = vec![format!(
            "prior: trainer and ONNX Runtime over {} codes of real audio: log-probabilities within {:.2e}, {} of {} drawn codes the \
             same",
            found.frames,
            found.log_probability,
            found.drawn - found.drawn_differently,
            found.drawn
        )];
        let measured = sequences(&self.table.shape, &held_out(check.dataset, &plan).map_err(TaskError::failed)?);
        if !measured.is_empty() {
            let nats = compute.loss(values, &measured).map_err(TaskError::failed)?;
            let name = |name: &str| format!("prior_{name}");
            let facts = &mut package.manifest.training.figures;
            facts.insert(name(figures::HELDOUT_NLL_NATS), nats);
            facts.insert(name(figures::HELDOUT_NLL_BITS), nats / std::f64::consts::LN_2);
            said.push(format!("prior, held-out: {nats:.4} nats per code"));
        }
        Ok(said)
    }
}

/// Sequences of codes, held-out recordings first, that together have [`COMPARED_CODES`] at most besides their context.
fn pieces(dataset: &Dataset, plan: &BatchPlan) -> Vec<Sequence> {
    let coder = Coder::new(plan.signal);
    let mut left = COMPARED_CODES;
    let mut pieces = Vec::new();
    for recording in [Split::Heldout, Split::Train].into_iter().flat_map(|split| dataset.recordings(split)) {
        let frames = dataset.frames(recording);
        let new = left.min(frames.len());
        if new > 0 {
            pieces.push(coder.sequence(frames, 0, new, plan.context).into());
            left -= new;
        }
    }
    pieces
}
