//! A level of a discrete autoencoder in training.

use std::sync::Arc;

use continuo_package::Package;

use super::codebook::{Codebook, Seen, Use};
use super::compute::{self, Compute, Symbols, Values, Weighing};
use super::config::{Config, NAME};
use super::export::{self, Exported};
use super::initial;
use super::model::{Model, Quantising};
use super::recordings::{accept_codes, encode};
use crate::config::{Configuration, Corpus, Plan};
use crate::data::batches::{Batch, BatchPlan, Batches, Coder};
use crate::data::dataset::Dataset;
use crate::device::Device;
use crate::family::wavenet::compute::ComputeError;
use crate::family::wavenet::parameters::is_bias;
use crate::nn::{Network, Tensors};
use crate::peers::Peers;
use crate::task::{Coding, Figures, Gradients, ModelPackage, StepReport, Task, TaskError, Verification};

/// The name of its only network.
pub const NETWORK: &str = "autoencoder";

/// The name of the buffer that holds the codebook.
pub const CODEBOOK: &str = "codebook";

/// A loss of so many times what drawing by chance costs does not come back by itself.
const MANY_TIMES_CHANCE: f64 = 10.0;

/// Of a codebook whose use is worth fewer codes than this, nothing can be told from any other code: it has collapsed.
const COLLAPSED: f64 = 1.5;

/// Steps in which a codebook may find itself.
const STEPS_OF_GRACE: u64 = 100;

/// Codes that are made of a recording at once: memory holds that many hops of it.
const CODES_AT_ONCE: usize = 2_048;

/// A level, what computes it and what trains it.
pub struct AdaTask {
    config: Config,
    model: Arc<Model>,
    compute: Box<dyn Compute>,
    network: Network,
    codebook: Codebook,
    gradient: Vec<f32>,
    peers: Peers,
}

impl AdaTask {
    /// Before the first step, with fresh weights.
    ///
    /// # Errors
    /// If the device cannot be used.
    pub fn new(config: &Config, device: &Device) -> Result<Self, TaskError> {
        let training = &config.training;
        let model = config.level_model().ok_or_else(|| TaskError::because("the configuration has no level"))?;
        let model = Arc::new(model);
        let compute = compute::open(device, &model, training.threads).map_err(TaskError::failed)?;
        let weights = model.initial(training.rng_seed);
        let optimiser = training.optimiser(model.layout.len());
        let mut network = Network::new(NETWORK, weights, optimiser, training.schedule());
        network.clip_norm = training.clip_norm;
        network.average_decay = training.average_decay;
        let autoencoder = model.autoencoder();
        let codebook = Codebook::new(autoencoder.codes as usize, autoencoder.code_channels as usize);
        let gradient = vec![0.0; model.layout.len()];
        let (config, peers) = (config.clone(), Peers::default());
        Ok(Self { config, model, compute, network, codebook, gradient, peers })
    }

    /// The averaged weights, as they are exported.
    fn exported(&self) -> Exported {
        Exported::new(&self.model, &self.network.average, self.codebook.average())
    }

    fn plan(&self, sequences: usize, frames: usize) -> BatchPlan {
        BatchPlan {
            sequences,
            frames,
            context: self.model.context(),
            signal: self.config.signal(),
            order: self.config.training.order,
            carried: false,
        }
    }

    fn weighing(&self) -> Weighing {
        let training = &self.config.training;
        Weighing { kept: training.chunk_frames, penalty: self.config.quantiser.penalty, logits: training.logit_penalty }
    }

    fn failed(&self, error: ComputeError) -> TaskError {
        match error {
            ComputeError::Diverged(diverged) => TaskError::unmoved(&self.network, diverged.into()),
            ComputeError::Peers(error) => TaskError::Peers(error),
            error => TaskError::failed(error),
        }
    }

    /// A fresh codebook begins at what the fresh encoder makes of the first batch.
    fn begin(&mut self, batch: &Symbols) -> Result<(), TaskError> {
        if self.model.quantising() != Quantising::Vectors || !self.codebook.is_fresh() {
            return Ok(());
        }
        let values = Values { weights: &self.network.weights.values, codebook: &[] };
        let queries = self.compute.queries(values, batch).map_err(TaskError::failed)?;
        let seed = self.config.training.rng_seed;
        self.codebook.begin(&queries, seed, &self.peers).map_err(TaskError::Peers)
    }

    /// The derivative of half the sum of all squared weights, biases not among them.
    fn regularise(&mut self) {
        let weight = self.config.training.l2 as f32;
        if weight > 0.0 {
            for tensor in self.model.layout.tensors().iter().filter(|tensor| !is_bias(&tensor.name)) {
                let values = &self.network.weights.values[tensor.range()];
                self.gradient[tensor.range()].iter_mut().zip(values).for_each(|(g, value)| *g += weight * value);
            }
        }
    }

    /// What the penalty is called.
    fn penalty(&self) -> &'static str {
        if self.model.quantising() == Quantising::Vectors { "commitment" } else { "diversity" }
    }
}

/// A likelihood in both of its units.
fn likelihood(name: &str, nats: f64) -> Figures {
    Figures::from([(format!("{name}_nats"), nats), (format!("{name}_bits"), nats / std::f64::consts::LN_2)])
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
        // Without a prior nothing goes on by itself.
        Plan { preview_every_steps: 0, ..self.evaluation.plan(&self.training) }
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
        Ok(Box::new(AdaTask::new(self, device)?))
    }
}

impl Task for AdaTask {
    fn device(&self) -> String {
        self.compute.device()
    }

    fn summary(&self) -> String {
        let autoencoder = self.model.autoencoder();
        format!(
            "level {}: {} weights, {} codes of {} frames each; the local model hears {} frames",
            self.config.level,
            self.model.layout.len() + self.codebook.vectors().len(),
            autoencoder.codes,
            autoencoder.hop,
            autoencoder.decoder.receptive_field_frames()
        )
    }

    fn accept(&self, dataset: &Dataset) -> Result<(), String> {
        accept_codes(dataset, self.config.level.checked_sub(1), self.model.symbols())
    }

    fn advice(&self) -> Vec<String> {
        let autoencoder = self.model.autoencoder();
        let excerpt = self.model.context() + self.config.training.chunk_frames;
        let reach = autoencoder.encoder.reach() * 2 + 1;
        let mut advice = Vec::new();
        if (excerpt as u64) < reach {
            advice.push(format!(
                "an excerpt has {excerpt} frames, fewer than the {reach} that decide a code: codes are learnt from padding. \
                 The paper trains on excerpts that are as long as the reach"
            ));
        }
        let positions = self.config.training.batch * excerpt / self.model.hop();
        if positions < autoencoder.codes as usize {
            advice.push(format!(
                "a batch has {positions} positions for {} codes; with fewer than one for each, codes die: choose a larger \
                 training.batch or training.chunk_frames",
                autoencoder.codes
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
        vec![&mut self.network]
    }

    fn buffers(&self) -> Vec<(&'static str, &Tensors)> {
        vec![(CODEBOOK, self.codebook.tensors())]
    }

    fn buffers_mut(&mut self) -> Vec<(&'static str, &mut Tensors)> {
        vec![(CODEBOOK, self.codebook.tensors_mut())]
    }

    fn share(&mut self, peers: &Peers) -> Result<(), String> {
        self.peers = peers.clone();
        self.network.peers = peers.clone();
        Ok(())
    }

    fn step(&mut self, number: u64, batches: &mut Batches<'_>) -> Result<StepReport, TaskError> {
        let batch = Symbols::of(&batches.next_batch());
        self.begin(&batch)?;
        let values = Values { weights: &self.network.weights.values, codebook: self.codebook.vectors() };
        let outcome = self.compute.gradient(values, &batch, self.weighing(), &mut self.gradient);
        let outcome = outcome.map_err(|error| self.failed(error))?;
        for (what, value) in [("the loss", outcome.nats), ("the quantiser's penalty", outcome.penalty)] {
            if !value.is_finite() {
                return Err(self.failed(crate::nn::Diverged { what, value }.into()));
            }
        }
        self.regularise();
        let moved = self.network.update(&mut self.gradient, number);
        let norm = moved.map_err(|unmoved| TaskError::unmoved(&self.network, unmoved))?;
        let seen = Seen { codes: &outcome.codes, queries: &outcome.queries };
        let restarted = self.codebook.follow(seen, &self.config.averages(), number, &self.peers);
        let restarted = restarted.map_err(TaskError::Peers)?;
        let Use { perplexity, dead } = self.codebook.use_of_codes();
        let mut losses = likelihood("loss", outcome.nats);
        losses.insert(self.penalty().into(), outcome.penalty);
        losses.insert("perplexity".into(), perplexity);
        losses.insert("dead_codes".into(), dead as f64);
        if self.config.quantiser.restart_below > 0.0 {
            losses.insert("restarted_codes".into(), restarted as f64);
        }
        let frames = (batch.rows * self.config.training.chunk_frames) as u64;
        Ok(StepReport { losses, gradient_norms: Figures::from([(NETWORK.to_owned(), norm)]), frames })
    }

    fn gradient(&mut self, batches: &mut Batches<'_>) -> Result<Option<Gradients>, TaskError> {
        let batch = Symbols::of(&batches.next_batch());
        self.begin(&batch)?;
        let values = Values { weights: &self.network.weights.values, codebook: self.codebook.vectors() };
        let weighing = self.weighing();
        self.compute.gradient(values, &batch, weighing, &mut self.gradient).map_err(TaskError::failed)?;
        Ok(Some(vec![(NETWORK, self.gradient.clone())]))
    }

    fn measure(&mut self, heldout: &Batch) -> Result<Figures, TaskError> {
        let kept = self.config.evaluation.chunk_frames;
        let values = Values { weights: &self.network.average, codebook: self.codebook.average() };
        let batch = Symbols::of(heldout);
        let (nats, codes) = self.compute.measure(values, &batch, kept).map_err(TaskError::failed)?;
        let mut counts = vec![0.0; self.model.autoencoder().codes as usize];
        for &code in &codes {
            counts[code as usize] += 1.0;
        }
        let Use { perplexity, dead } = Use::of(counts.into_iter());
        let mut figures = likelihood("nll", nats);
        figures.insert("perplexity".into(), perplexity);
        figures.insert("dead_codes".into(), dead as f64);
        figures.insert("frames".into(), (batch.rows * kept) as f64);
        Ok(figures)
    }

    fn hopeless(&self, losses: &Figures) -> Option<String> {
        let (loss, chance) = (*losses.get("loss_bits")?, f64::from(self.model.symbols()).log2());
        if loss > MANY_TIMES_CHANCE * chance {
            return Some(format!("the loss is {loss:.1} bits, where drawing by chance costs {chance:.1}"));
        }
        let (perplexity, codes) = (*losses.get("perplexity")?, self.model.autoencoder().codes);
        let collapsed = perplexity < COLLAPSED && self.network.optimiser.steps() >= STEPS_OF_GRACE;
        let advice = if self.model.quantising() == Quantising::Vectors {
            "lower quantiser.penalty, or set quantiser.restart_below to 0.1"
        } else {
            "raise quantiser.penalty"
        };
        collapsed.then(|| {
            format!(
                "the codebook has collapsed: of {codes} codes the use is worth {perplexity:.2}; {advice}, or train \
                     with more positions in a batch"
            )
        })
    }

    fn start_from(&mut self, package: &Package) -> Result<(), String> {
        let found = initial::weights(package, &self.config, &self.model)?;
        self.network.start_from(&found.weights.values);
        if self.model.quantising() == Quantising::Vectors {
            self.codebook.start_from(&found.codebook);
        }
        Ok(())
    }

    fn package(&self) -> Result<ModelPackage, TaskError> {
        if self.config.level > 0 {
            return Err(TaskError::because(
                "this run is the second level of a model; export the run of level 0, and name this one with --with",
            ));
        }
        self.exported().package(&self.config).map_err(TaskError::because)
    }

    fn verify(&mut self, package: &mut ModelPackage, check: &Verification<'_>) -> Result<Vec<String>, TaskError> {
        let plan = self.heldout();
        let exported = self.exported();
        let level = self.config.level;
        export::verify(&exported, level, &plan, self.compute.as_mut(), package, check).map_err(TaskError::failed)
    }

    fn join(&self, package: &mut ModelPackage) -> Result<(), String> {
        if self.config.level == 0 {
            return Err("is a model by itself; export it as one, with the others behind --with".into());
        }
        self.exported().join(package)
    }

    fn coding(&self) -> Option<Coding> {
        let autoencoder = self.model.autoencoder();
        Some(Coding { level: self.config.level, codes: autoencoder.codes, hop: autoencoder.hop })
    }

    fn encode(&mut self, frames: &[i16]) -> Result<Vec<u32>, TaskError> {
        let coder = Coder::new(self.config.signal());
        let heard: Vec<u16> = frames.iter().map(|&frame| coder.code(frame)).collect();
        let values = Values { weights: &self.network.average, codebook: self.codebook.average() };
        encode(&self.model, self.compute.as_mut(), values, &heard, CODES_AT_ONCE).map_err(TaskError::failed)
    }
}
