//! A family that exists in the tests alone. It has what the families to come need of the training loop, at the size of a toy:
//! two networks, each with an optimiser of its own, several batches per step, a recurrent state that is carried from batch to
//! batch, numbers drawn in a step, real-valued stereo, and a stage that changes the batches in the middle of a run.

use std::sync::Arc;

use continuo_package::{Package, Signal};
use continuo_trainer::config::{ConfigFault, Configuration, Corpus, Family, Plan};
use continuo_trainer::data::dataset::Order;
use continuo_trainer::data::{Batch, BatchPlan, Batches};
use continuo_trainer::device::Device;
use continuo_trainer::nn::{Adam, AdamSettings, Network, Optimiser, Precision, Schedule, TensorLayout, Tensors};
use continuo_trainer::peers::Peers;
use continuo_trainer::random::{Purpose, Random};
use continuo_trainer::task::{Figures, ModelPackage, StepReport, Task, TaskError, Verification};
use continuo_trainer::training::checkpoint::Keep;
use serde::{Deserialize, Serialize};

/// What the registry of families would hold.
pub const FAMILY: Family = Family { name: "toy", parse: |text| Ok(Box::new(Config::parse(text)?)) };

const INITIAL: Purpose = Purpose::named("initial weights of the toy");
const LATENT: Purpose = Purpose::named("latent of the toy");
/// Batches that the critic sees in each step.
const CRITIC_BATCHES: usize = 2;
/// The step from which on sequences are shorter.
const SECOND_STAGE: u64 = 6;

/// The toy's configuration.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    pub family: String,
    pub steps: u64,
    pub rng_seed: u64,
    pub sequences: usize,
    #[serde(default)]
    pub corpus: Corpus,
}

impl Config {
    fn parse(text: &str) -> Result<Self, ConfigFault> {
        let config: Self = toml::from_str(text).map_err(|error| ConfigFault::Syntax(error.to_string()))?;
        ConfigFault::unless(config.sequences > 0, "sequences", "must be at least 1")?;
        Ok(config)
    }
}

impl Configuration for Config {
    fn family(&self) -> &'static str {
        "toy"
    }

    fn sample_rate_hz(&self) -> u32 {
        16_000
    }

    fn channels(&self) -> u16 {
        2
    }

    fn plan(&self) -> Plan {
        Plan {
            steps: self.steps,
            checkpoint_minutes: 5.0,
            keep: Keep { newest: 2, every_steps: 0 },
            log_every_steps: 20,
            preview_every_steps: 0,
            measure_every_steps: 3,
            rng_seed: self.rng_seed,
            precision: Precision::F32,
        }
    }

    fn set_steps(&mut self, steps: u64) {
        self.steps = steps;
    }

    fn corpus(&self) -> &Corpus {
        &self.corpus
    }

    fn to_toml(&self) -> String {
        toml::to_string(self).unwrap()
    }

    fn task(&self, _: &Device) -> Result<Box<dyn Task>, TaskError> {
        Ok(Box::new(Toy::new(self)))
    }
}

/// Gradient descent with momentum: an optimiser that the trainer does not have.
#[derive(Debug)]
struct Momentum {
    velocity: Vec<f32>,
    steps: u64,
}

impl Optimiser for Momentum {
    fn update(&mut self, learning_rate: f64, values: &mut [f32], gradient: &[f32]) {
        self.steps += 1;
        for ((value, velocity), g) in values.iter_mut().zip(&mut self.velocity).zip(gradient) {
            *velocity = 0.9 * *velocity + g;
            *value -= learning_rate as f32 * *velocity;
        }
    }

    fn steps(&self) -> u64 {
        self.steps
    }

    fn set_steps(&mut self, steps: u64) {
        self.steps = steps;
    }

    fn moments(&self) -> Vec<(&'static str, &[f32])> {
        vec![("velocity", &self.velocity)]
    }

    fn moments_mut(&mut self) -> Vec<(&'static str, &mut [f32])> {
        vec![("velocity", &mut self.velocity)]
    }
}

/// A predictor of the next frame (h ← tanh(a·h + b·x), prediction c·h + d) and a critic that guesses how wrong it is from a
/// latent number (v·z + w).
pub struct Toy {
    config: Config,
    predictor: Network,
    critic: Network,
    /// h of every sequence and channel.
    hidden: Tensors,
    stage: u64,
    peers: Peers,
}

fn layout(tensors: &[(&str, &[usize])]) -> Arc<TensorLayout> {
    Arc::new(TensorLayout::new(tensors.iter().map(|(name, axes)| ((*name).to_owned(), axes.to_vec()))))
}

fn fresh(layout: Arc<TensorLayout>, rng_seed: u64, index: u64) -> Tensors {
    let mut weights = Tensors::zeros(layout);
    let mut random = Random::new(rng_seed, INITIAL, index);
    weights.values.iter_mut().for_each(|value| *value = random.uniform() - 0.5);
    weights
}

impl Toy {
    fn new(config: &Config) -> Self {
        let cell =
            layout(&[("cell.recurrent", &[1]), ("cell.input", &[1]), ("out.weight", &[1, 1]), ("out.bias", &[1])]);
        let guess = layout(&[("guess", &[2])]);
        let adam = Adam::new(AdamSettings { beta1: 0.5, beta2: 0.9, epsilon: 1e-8 }, 4);
        let momentum = Momentum { velocity: vec![0.0; 2], steps: 0 };
        let weights = fresh(cell, config.rng_seed, 0);
        let mut predictor = Network::new("predictor", weights, Box::new(adam), Schedule::constant(0.01));
        predictor.average_decay = 0.9;
        let weights = fresh(guess, config.rng_seed, 1);
        let mut critic = Network::new("critic", weights, Box::new(momentum), Schedule::constant(0.02));
        critic.clip_norm = 1.0;
        let hidden = Tensors::zeros(layout(&[("h", &[config.sequences, 2])]));
        Self { config: config.clone(), predictor, critic, hidden, stage: 0, peers: Peers::default() }
    }

    /// The mean squared error over a batch and its gradient; `hidden` is carried on. Gradients end at the batch's start.
    fn predict(weights: &[f32], hidden: &mut [f32], batch: &Batch) -> (f64, Vec<f32>) {
        let [a, b, c, d] = [weights[0], weights[1], weights[2], weights[3]].map(f64::from);
        let length = batch.shape[2];
        let (mut loss, mut gradient, mut count) = (0.0, [0.0; 4], 0.0);
        let rows =
            batch.frames().zip(&batch.begins).flat_map(|(row, &begins)| row.chunks(length).map(move |x| (x, begins)));
        for ((x, begins), h) in rows.zip(hidden) {
            let mut state = if begins { 0.0 } else { f64::from(*h) };
            // The derivatives of the state by a and b.
            let (mut by_a, mut by_b) = (0.0, 0.0);
            for pair in x.windows(2) {
                let (input, target) = (f64::from(pair[0]), f64::from(pair[1]));
                let next = (a * state + b * input).tanh();
                let slope = 1.0 - next * next;
                (by_a, by_b) = (slope * (state + a * by_a), slope * (input + a * by_b));
                state = next;
                let error = c * state + d - target;
                loss += error * error;
                count += 1.0;
                for (sum, part) in gradient.iter_mut().zip([c * by_a, c * by_b, state, 1.0]) {
                    *sum += 2.0 * error * part;
                }
            }
            *h = state as f32;
        }
        (loss / count, gradient.iter().map(|sum| (sum / count) as f32).collect())
    }
}

impl Task for Toy {
    fn device(&self) -> String {
        "the test".into()
    }

    fn summary(&self) -> String {
        "6 weights".into()
    }

    fn batches(&self) -> BatchPlan {
        BatchPlan {
            sequences: self.config.sequences,
            frames: if self.stage == 0 { 60 } else { 25 },
            context: 1,
            signal: Signal::Real,
            order: Order::Shuffled,
            carried: true,
        }
    }

    fn heldout(&self) -> BatchPlan {
        BatchPlan { order: Order::Sequential, carried: false, ..self.batches() }
    }

    fn networks(&self) -> Vec<&Network> {
        vec![&self.predictor, &self.critic]
    }

    fn networks_mut(&mut self) -> Vec<&mut Network> {
        vec![&mut self.predictor, &mut self.critic]
    }

    fn buffers(&self) -> Vec<(&'static str, &Tensors)> {
        vec![("hidden", &self.hidden)]
    }

    fn buffers_mut(&mut self) -> Vec<(&'static str, &mut Tensors)> {
        vec![("hidden", &mut self.hidden)]
    }

    fn state(&self) -> serde_json::Value {
        self.stage.into()
    }

    fn restore(&mut self, state: &serde_json::Value) -> Result<(), String> {
        self.stage = state.as_u64().ok_or("the stage is no number")?;
        Ok(())
    }

    fn share(&mut self, peers: &Peers) -> Result<(), String> {
        self.peers = peers.clone();
        self.predictor.peers = peers.clone();
        self.critic.peers = peers.clone();
        Ok(())
    }

    fn step(&mut self, number: u64, batches: &mut Batches<'_>) -> Result<StepReport, TaskError> {
        let mut frames = 0;
        let mut guessed = 0.0;
        let mut latent = Random::new(self.config.rng_seed, LATENT, number);
        let mut norms = Figures::new();
        // A row has a state for each of its two channels.
        let rows = 2 * batches.rows().start..2 * batches.rows().end;
        for _ in 0..CRITIC_BATCHES {
            let batch = batches.next_batch();
            frames += frames_of(&batch);
            let hidden = &mut self.hidden.values[rows.clone()];
            let (mut wrong, _) = Self::predict(&self.predictor.weights.values, hidden, &batch);
            // The critic's error is no mean over rows, but of one.
            self.peers.figures(std::slice::from_mut(&mut wrong)).map_err(TaskError::Peers)?;
            let z = f64::from(latent.uniform());
            let error = f64::from(self.critic.weights.values[0]) * z + f64::from(self.critic.weights.values[1]) - wrong;
            guessed += error * error;
            let moved = self.critic.update(&mut [(2.0 * error * z) as f32, (2.0 * error) as f32], number);
            let norm = moved.map_err(|unmoved| TaskError::unmoved(&self.critic, unmoved))?;
            norms.insert("critic".into(), norm);
        }
        let batch = batches.next_batch();
        frames += frames_of(&batch);
        let hidden = &mut self.hidden.values[rows];
        let (loss, mut gradient) = Self::predict(&self.predictor.weights.values, hidden, &batch);
        self.peers.gather(&mut self.hidden.values).map_err(TaskError::Peers)?;
        let moved = self.predictor.update(&mut gradient, number);
        norms.insert("predictor".into(), moved.map_err(|unmoved| TaskError::unmoved(&self.predictor, unmoved))?);
        self.stage = u64::from(number + 1 >= SECOND_STAGE);
        let losses = Figures::from([("error".to_owned(), loss), ("guess".to_owned(), guessed)]);
        Ok(StepReport { losses, gradient_norms: norms, frames })
    }

    fn measure(&mut self, heldout: &Batch) -> Result<Figures, TaskError> {
        let mut hidden = vec![0.0; 2 * heldout.shape[0]];
        let (loss, _) = Self::predict(&self.predictor.average, &mut hidden, heldout);
        Ok(Figures::from([("error".to_owned(), loss)]))
    }

    fn judged_by(&self) -> &'static str {
        "error"
    }

    fn start_from(&mut self, _: &Package) -> Result<(), String> {
        Err("toys start from nothing".into())
    }

    fn package(&self) -> Result<ModelPackage, TaskError> {
        Err(TaskError::because("toys are not exported"))
    }

    fn verify(&mut self, _: &mut ModelPackage, _: &Verification<'_>) -> Result<Vec<String>, TaskError> {
        Err(TaskError::because("toys are not exported"))
    }
}

/// Frames of a batch, over all sequences.
fn frames_of(batch: &Batch) -> u64 {
    (batch.shape[0] * batch.shape[2]) as u64
}
