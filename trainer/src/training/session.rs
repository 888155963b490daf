//! One sitting of a run: from a checkpoint, or nothing, to the last step, a limit or Ctrl-C.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::batches::{Batches, Cut, held_out};
use super::checkpoint::{Checkpoint, Progress};
use super::log::{Event, Log, duration};
use super::optimiser::{Adam, average, clip, learning_rate};
use super::run::{Run, RunError};
use super::stop;
use crate::dataset::Dataset;
use crate::wavenet::Compute;
use crate::wavenet::parameters::{Parameters, Table};

/// When to stop before the configuration's last step.
#[derive(Debug, Clone, Copy, Default)]
pub struct Limits {
    /// After this long.
    pub time: Option<Duration>,
    /// After this many steps of this sitting.
    pub steps: Option<u64>,
    /// Says nothing on the terminal.
    pub quiet: bool,
}

/// How a sitting ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// All steps of the configuration are made.
    Finished,
    /// A limit was reached.
    Limit,
    /// Ctrl-C.
    Interrupted,
}

/// The state of training between two steps.
pub struct Session<'a> {
    run: &'a Run,
    compute: &'a mut dyn Compute,
    batches: Batches<'a>,
    held_out: Vec<Vec<u16>>,
    state: Checkpoint,
    /// The checkpoint's wall time and when this sitting began.
    began: (f64, Instant),
}

impl<'a> Session<'a> {
    /// Before the first step, with fresh weights.
    ///
    /// # Errors
    /// If the dataset has no recording that is long enough.
    pub fn begin(run: &'a Run, dataset: &'a Dataset, compute: &'a mut dyn Compute) -> Result<Self, RunError> {
        let config = &run.config;
        let parameters = Parameters::initial(&config.model.shape(), config.training.rng_seed);
        Self::begin_with(run, dataset, compute, parameters)
    }

    /// Before the first step, with weights of the run's model.
    ///
    /// # Errors
    /// If the dataset has no recording that is long enough.
    pub fn begin_with(
        run: &'a Run,
        dataset: &'a Dataset,
        compute: &'a mut dyn Compute,
        parameters: Parameters,
    ) -> Result<Self, RunError> {
        let config = &run.config;
        let batches = Batches::new(dataset, cut(run), config.training.order, config.training.rng_seed)?;
        let progress = Progress {
            step: 0,
            frames_seen: 0,
            wall_seconds: 0.0,
            cursor: batches.cursor(),
            heldout_nats: None,
            heldout_frames: 0,
            running_loss: (0.0, 0),
            device: compute.device(),
        };
        let state = Checkpoint {
            progress,
            average: parameters.values.clone(),
            adam: Adam::new(parameters.values.len()),
            weights: parameters.values,
        };
        Self::with(run, dataset, compute, batches, state)
    }

    /// After a checkpoint.
    ///
    /// # Errors
    /// If the dataset is not the checkpoint's.
    pub fn resume(
        run: &'a Run,
        dataset: &'a Dataset,
        compute: &'a mut dyn Compute,
        state: Checkpoint,
    ) -> Result<Self, RunError> {
        let config = &run.config;
        let mut batches = Batches::new(dataset, cut(run), config.training.order, config.training.rng_seed)?;
        batches.restore(state.progress.cursor)?;
        Self::with(run, dataset, compute, batches, state)
    }

    fn with(
        run: &'a Run,
        dataset: &'a Dataset,
        compute: &'a mut dyn Compute,
        batches: Batches<'a>,
        mut state: Checkpoint,
    ) -> Result<Self, RunError> {
        let evaluation = &run.config.evaluation;
        let held_out = if dataset.total_frames(crate::dataset::Split::Heldout) == 0 {
            Vec::new()
        } else {
            held_out(dataset, Cut { targets: evaluation.chunk_frames, ..cut(run) }, evaluation.chunks)?
        };
        state.progress.device = compute.device();
        compute.penalise_logits(run.config.training.logit_penalty);
        let began = (state.progress.wall_seconds, Instant::now());
        Ok(Self { run, compute, batches, held_out, state, began })
    }

    /// The state as a checkpoint would hold it.
    pub fn state(&self) -> &Checkpoint {
        &self.state
    }

    /// Makes one step. Gives back its loss in nats and the norm of its gradient.
    ///
    /// # Errors
    /// [`RunError::Diverged`] if the loss is no number; the state is then as before.
    pub fn step(&mut self, gradient: &mut [f32]) -> Result<(f64, f64), RunError> {
        let training = &self.run.config.training;
        let batch = self.batches.next_batch();
        let loss = self.compute.gradient(&self.state.weights, &batch, gradient)?;
        let norm = clip(gradient, training.clip_norm);
        let state = &mut self.state;
        if !(loss.is_finite() && norm.is_finite()) {
            return Err(RunError::Diverged { step: state.progress.step + 1, loss });
        }
        let rate = learning_rate(training, state.progress.step);
        state.adam.update(training, rate, &mut state.weights, gradient);
        let progress = &mut state.progress;
        progress.step += 1;
        average(&mut state.average, &state.weights, training.average_decay, progress.step);
        progress.frames_seen += (batch.len() * training.chunk_frames) as u64;
        progress.cursor = self.batches.cursor();
        progress.running_loss.0 += loss;
        progress.running_loss.1 += 1;
        progress.wall_seconds = self.began.0 + self.began.1.elapsed().as_secs_f64();
        Ok((loss, norm))
    }

    /// Measures the averaged weights on the held-out chunks; in nats per frame, or nothing without such chunks.
    ///
    /// # Errors
    /// If the device fails.
    pub fn measure(&mut self) -> Result<Option<f64>, RunError> {
        if self.held_out.is_empty() {
            return Ok(None);
        }
        let loss = self.compute.loss(&self.state.average, &self.held_out)?;
        let progress = &mut self.state.progress;
        progress.heldout_nats = Some(loss);
        progress.heldout_frames = (self.held_out.len() * self.run.config.evaluation.chunk_frames) as u64;
        Ok(Some(loss))
    }

    /// Makes steps until the end, writing checkpoints and the log.
    ///
    /// # Errors
    /// If a step fails, or a checkpoint cannot be written.
    pub fn train(&mut self, limits: Limits) -> Result<End, RunError> {
        let run = self.run;
        let training = &run.config.training;
        let mut log = Log::append(&run.log(), limits.quiet)?;
        let mut gradient = vec![0.0; self.state.weights.len()];
        let first_step = self.state.progress.step;
        let unix_seconds =
            std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(0, |time| time.as_secs());
        log.event(&Event::Start {
            step: first_step,
            device: &self.state.progress.device,
            parameters: gradient.len(),
            unix_seconds,
        });
        log.say(&format!(
            "{} weights, receptive field {} frames, {} sequences of {} frames per epoch, on {}",
            gradient.len(),
            run.config.model.shape().receptive_field_frames(),
            self.batches.sequences_per_epoch(),
            training.chunk_frames,
            self.state.progress.device
        ));
        let checkpoint_every = Duration::from_secs_f64(training.checkpoint_minutes * 60.0);
        let mut last_checkpoint = Instant::now();
        let mut shown = (Instant::now(), self.state.progress.frames_seen);
        let end = loop {
            let step = self.state.progress.step;
            if step >= training.steps {
                break End::Finished;
            }
            if stop::requested() {
                break End::Interrupted;
            }
            if limits.time.is_some_and(|time| self.began.1.elapsed() >= time)
                || limits.steps.is_some_and(|steps| step - first_step >= steps)
            {
                break End::Limit;
            }
            let (_, norm) = self.step(&mut gradient)?;
            if shown.0.elapsed() >= Duration::from_secs(10) || step + 1 == training.steps {
                let frames = self.state.progress.frames_seen - shown.1;
                let speed = frames as f64 / shown.0.elapsed().as_secs_f64();
                shown = (Instant::now(), self.state.progress.frames_seen);
                self.report(&mut log, norm, speed);
            }
            let every = run.config.evaluation.every_steps;
            if every > 0 && (step + 1).is_multiple_of(every) && step + 1 < training.steps {
                self.measure_and_log(&mut log)?;
            }
            if last_checkpoint.elapsed() >= checkpoint_every {
                self.checkpoint(&mut log)?;
                last_checkpoint = Instant::now();
            }
        };
        if end == End::Finished {
            self.measure_and_log(&mut log)?;
        }
        self.checkpoint(&mut log)?;
        let (reason, words) = match end {
            End::Finished => ("finished", "all steps are made"),
            End::Limit => ("limit", "the limit is reached; `continuo-trainer resume` goes on"),
            End::Interrupted => ("interrupted", "interrupted; `continuo-trainer resume` goes on"),
        };
        log.event(&Event::Stop { step: self.state.progress.step, reason });
        log.say(&format!("step {}: {words}", self.state.progress.step));
        Ok(end)
    }

    fn report(&mut self, log: &mut Log, gradient_norm: f64, frames_per_second: f64) {
        let training = &self.run.config.training;
        let progress = &mut self.state.progress;
        let (sum, count) = std::mem::take(&mut progress.running_loss);
        let loss_nats = sum / count.max(1) as f64;
        let loss_bits = loss_nats / std::f64::consts::LN_2;
        log.event(&Event::Train {
            step: progress.step,
            loss_nats,
            loss_bits,
            learning_rate: learning_rate(training, progress.step - 1),
            gradient_norm,
            frames_seen: progress.frames_seen,
            frames_per_second,
            wall_seconds: progress.wall_seconds,
        });
        let held_out =
            progress.heldout_nats.map_or("-".to_owned(), |nats| format!("{:.4}", nats / std::f64::consts::LN_2));
        let frames_left = (training.steps - progress.step) as f64 * (training.batch * training.chunk_frames) as f64;
        log.progress(&format!(
            "step {}/{}  loss {loss_bits:.4} bits  held-out {held_out} bits  {frames_per_second:.0} frames/s  {} left",
            progress.step,
            training.steps,
            duration(frames_left / frames_per_second)
        ));
    }

    fn measure_and_log(&mut self, log: &mut Log) -> Result<(), RunError> {
        if let Some(nll_nats) = self.measure()? {
            let progress = &self.state.progress;
            log.event(&Event::Heldout {
                step: progress.step,
                nll_nats,
                nll_bits: nll_nats / std::f64::consts::LN_2,
                frames: progress.heldout_frames,
                frames_seen: progress.frames_seen,
                wall_seconds: progress.wall_seconds,
            });
        }
        Ok(())
    }

    fn checkpoint(&mut self, log: &mut Log) -> Result<(), RunError> {
        self.state.progress.wall_seconds = self.began.0 + self.began.1.elapsed().as_secs_f64();
        self.state.write(&self.run.checkpoints())?;
        log.event(&Event::Checkpoint { step: self.state.progress.step });
        Ok(())
    }
}

/// How the run cuts its training sequences.
fn cut(run: &Run) -> Cut {
    let shape = run.config.model.shape();
    Cut {
        batch: run.config.training.batch,
        targets: run.config.training.chunk_frames,
        receptive: shape.receptive_field_frames() as usize,
        levels: shape.levels,
    }
}

/// The tensors of a run's model.
pub fn table(run: &Run) -> Arc<Table> {
    Arc::new(Table::new(&run.config.model.shape()))
}
