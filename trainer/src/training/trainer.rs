//! The loop: one sitting of a run, from a checkpoint, or nothing, to the last step, a limit or Ctrl-C.

use std::time::{Duration, Instant};

use super::checkpoint::{self, Best, Checkpoint, CheckpointError, Progress};
use super::log::{Event, Log};
use super::preview::Previews;
use super::run::{Run, RunError};
pub use super::stop::End;
use super::{stop, together};
use crate::config::Plan;
use crate::data::batches::{Batch, Batches, held_out};
use crate::data::dataset::Dataset;
use crate::peers::{Peers, Standing};
use crate::task::{Figures, StepReport, Task, TaskError};

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

/// Trains a task, one sitting long.
pub struct Trainer<'a> {
    pub(super) run: &'a Run,
    pub(super) dataset: &'a Dataset,
    pub(super) task: Box<dyn Task>,
    pub(super) batches: Batches<'a>,
    pub(super) heldout: Batch,
    pub(super) plan: Plan,
    pub(super) progress: Progress,
    /// The wall time before this sitting, and when it began.
    pub(super) began: (f64, Instant),
    /// The step of the newest checkpoint.
    pub(super) saved: Option<u64>,
    pub(super) previews: Previews,
    pub(super) peers: Peers,
    /// Whether it is told line by line on a terminal too.
    pub(super) plain: bool,
}

fn accepted(task: &dyn Task, dataset: &Dataset) -> Result<(), RunError> {
    task.accept(dataset).map_err(|reason| RunError::Data { dir: dataset.dir().to_owned(), reason })
}

impl<'a> Trainer<'a> {
    /// Before the first step.
    ///
    /// # Errors
    /// If the dataset has no recording that is long enough, or has some that the task cannot be trained on.
    pub fn begin(run: &'a Run, dataset: &'a Dataset, task: Box<dyn Task>) -> Result<Self, RunError> {
        accepted(task.as_ref(), dataset)?;
        let batches = Batches::new(dataset, task.batches(), run.config.plan().rng_seed)?;
        let progress = Progress {
            step: 0,
            frames_seen: 0,
            wall_seconds: 0.0,
            cursor: batches.cursor(),
            heldout: Figures::new(),
            running_losses: Figures::new(),
            running_steps: 0,
            device: task.device(),
            best: None,
        };
        Self::with(run, dataset, task, batches, progress, None)
    }

    /// After a checkpoint.
    ///
    /// # Errors
    /// If the checkpoint is of another model, or the dataset is not the checkpoint's.
    pub fn resume(
        run: &'a Run,
        dataset: &'a Dataset,
        mut task: Box<dyn Task>,
        checkpoint: &Checkpoint,
    ) -> Result<Self, RunError> {
        accepted(task.as_ref(), dataset)?;
        checkpoint.restore(task.as_mut())?;
        let mut batches = Batches::new(dataset, task.batches(), run.config.plan().rng_seed)?;
        batches.restore(&checkpoint.progress.cursor)?;
        let progress = Progress { device: task.device(), ..checkpoint.progress.clone() };
        Self::with(run, dataset, task, batches, progress, Some(checkpoint.progress.step))
    }

    fn with(
        run: &'a Run,
        dataset: &'a Dataset,
        task: Box<dyn Task>,
        batches: Batches<'a>,
        progress: Progress,
        saved: Option<u64>,
    ) -> Result<Self, RunError> {
        let heldout = held_out(dataset, &task.heldout())?;
        let began = (progress.wall_seconds, Instant::now());
        let previews = Previews::new(&run.previews(), dataset);
        let (plan, peers) = (run.config.plan(), Peers::default());
        let plain = false;
        Ok(Self { run, dataset, task, batches, heldout, plan, progress, began, saved, previews, peers, plain })
    }

    /// Where this worker stands, one of so many.
    ///
    /// # Errors
    /// If it cannot be written down.
    pub fn standing(&self, workers: usize) -> Result<Standing, RunError> {
        together::standing(self.run, self.dataset, &self.progress, self.task.as_ref(), workers)
    }

    /// Trains together with others that stand at the same place, from now on.
    ///
    /// # Errors
    /// If the batches cannot be shared, or the task cannot.
    pub fn join(mut self, peers: Peers) -> Result<Self, RunError> {
        if peers.workers() > 1 {
            self.batches = self.batches.of_rows(peers.rows(self.task.batches().sequences)?);
            self.task.share(&peers).map_err(|reason| RunError::Task(TaskError::because(reason)))?;
            self.progress.device = format!("{} workers, each {}", peers.workers(), self.progress.device);
        }
        self.peers = peers;
        Ok(self)
    }

    /// Tells how training goes line by line on a terminal too, as elsewhere.
    #[must_use]
    pub fn plain(self, plain: bool) -> Self {
        Self { plain, ..self }
    }

    /// Where the run stands.
    pub fn progress(&self) -> &Progress {
        &self.progress
    }

    /// What is trained.
    pub fn task(&self) -> &dyn Task {
        self.task.as_ref()
    }

    /// Makes one step.
    ///
    /// # Errors
    /// [`RunError::Diverged`] if a loss is no number; checkpoints are then from before.
    pub fn step(&mut self) -> Result<StepReport, RunError> {
        let number = self.progress.step;
        self.peers.at(number);
        let mut report = self.task.step(number, &mut self.batches).map_err(|error| match error {
            TaskError::Diverged { what, value } => RunError::Diverged { step: number + 1, what, value },
            TaskError::Peers(error) => error.into(),
            failed @ TaskError::Failed(_) => RunError::Task(failed),
        })?;
        together::report(&self.peers, number + 1, &mut report)?;
        all_finite(&report.losses, number + 1)?;
        let plan = self.task.batches();
        if plan != *self.batches.plan() {
            let rows = self.peers.rows(plan.sequences)?;
            self.batches = Batches::new(self.dataset, plan, self.plan.rng_seed)?.of_rows(rows);
            self.heldout = held_out(self.dataset, &self.task.heldout())?;
        }
        let progress = &mut self.progress;
        progress.step += 1;
        progress.frames_seen += report.frames;
        progress.cursor = self.batches.cursor();
        for (name, loss) in &report.losses {
            *progress.running_losses.entry(name.clone()).or_default() += loss;
        }
        progress.running_steps += 1;
        progress.wall_seconds = self.began.0 + self.began.1.elapsed().as_secs_f64();
        Ok(report)
    }

    /// Measures the averaged weights on the held-out sequences; empty without such sequences.
    ///
    /// # Errors
    /// If the device fails, or a figure is no number.
    pub fn measure(&mut self) -> Result<&Figures, RunError> {
        if self.heldout.shape[0] > 0 {
            let figures = self.task.measure(&self.heldout).map_err(RunError::Task)?;
            all_finite(&figures, self.progress.step)?;
            if let Some(&figure) = figures.get(self.task.judged_by())
                && self.progress.best.is_none_or(|best| figure < best.figure)
            {
                self.progress.best = Some(Best { step: self.progress.step, figure });
            }
            self.progress.heldout = figures;
        }
        Ok(&self.progress.heldout)
    }

    /// Writes a checkpoint.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn checkpoint(&mut self) -> Result<(), RunError> {
        self.task.pull().map_err(RunError::Task)?;
        self.progress.wall_seconds = self.began.0 + self.began.1.elapsed().as_secs_f64();
        let about = self.run.about();
        checkpoint::write(&self.run.checkpoints(), &self.progress, self.task.as_ref(), &about, self.plan.keep)?;
        self.saved = Some(self.progress.step);
        Ok(())
    }

    /// Writes a checkpoint, unless the disk does not let it: then training goes on, and the next one may get through.
    fn try_checkpoint(&mut self, log: &mut Log) -> Result<(), RunError> {
        let step = self.progress.step;
        match self.checkpoint() {
            Ok(()) => log.event(&Event::Checkpoint { step }),
            Err(RunError::Checkpoint(error @ CheckpointError::Io { .. })) => {
                let saved = self.saved.map_or("none".to_owned(), |step| format!("of step {step}"));
                log.say(&format!("{error}. Training goes on; the newest checkpoint is {saved}"));
                log.event(&Event::CheckpointFailed { step, reason: &error.to_string() });
            }
            Err(error) => return Err(error),
        }
        Ok(())
    }

    /// Makes steps until the end. Worker 0, which is the only one unless others have joined, writes checkpoints and the log.
    ///
    /// # Errors
    /// If a step fails, another worker is lost, or the last checkpoint cannot be written.
    pub fn train(&mut self, limits: Limits) -> Result<End, RunError> {
        let end = if self.peers.leads() { self.lead(limits) } else { self.follow() };
        self.or_tell(end)
    }

    /// Tells the other workers of an error, if it is one: they would only find that nobody is there.
    ///
    /// # Errors
    /// That error.
    pub fn or_tell<T>(&self, result: Result<T, RunError>) -> Result<T, RunError> {
        result.inspect_err(|error| self.peers.leave(&error.to_string()))
    }

    /// Makes the steps that worker 0 makes.
    fn follow(&mut self) -> Result<End, RunError> {
        while self.progress.step < self.plan.steps {
            let wish = stop::requested().then_some(End::Interrupted);
            if let Some(end) = together::agree(&self.peers, self.progress.step, wish)? {
                return Ok(end);
            }
            self.step()?;
        }
        Ok(End::Finished)
    }

    /// After another worker was lost: saves the step that was made last, if nothing of the next one has been made.
    fn lost(&mut self, log: &mut Log, error: RunError) -> RunError {
        if matches!(error, RunError::Peers(_)) && self.peers.failed_at_once() && self.task.buffers().is_empty() {
            // Why it cannot be written is not what ended the run.
            let _ = self.try_checkpoint(log);
        }
        error
    }

    fn lead(&mut self, limits: Limits) -> Result<End, RunError> {
        let mut log = Log::after(self.progress.step, &self.run.log(), self.telling(limits))?;
        self.log_start(&mut log);
        let end = self.steps(limits, &mut log);
        if let Err(error) = &end {
            log.event(&Event::Stop { step: self.progress.step, reason: &error.to_string() });
        }
        end
    }

    fn steps(&mut self, limits: Limits, log: &mut Log) -> Result<End, RunError> {
        let first_step = self.progress.step;
        let checkpoint_every = Duration::from_secs_f64(self.plan.checkpoint_minutes * 60.0);
        let mut last_checkpoint = Instant::now();
        let mut logged = self.now();
        let mut shown = self.now();
        let end = loop {
            let step = self.progress.step;
            if step >= self.plan.steps {
                break End::Finished;
            }
            let out_of_time = limits.time.is_some_and(|time| self.began.1.elapsed() >= time);
            let wish = if stop::requested() {
                Some(End::Interrupted)
            } else {
                let out_of_steps = limits.steps.is_some_and(|steps| step - first_step >= steps);
                (out_of_time || out_of_steps).then_some(End::Limit)
            };
            match together::agree(&self.peers, step, wish) {
                Ok(None) => {}
                Ok(Some(end)) => break end,
                Err(error) => return Err(self.lost(log, error.into())),
            }
            let report = match self.step() {
                Ok(report) => report,
                Err(error) => return Err(self.lost(log, error)),
            };
            let now = self.progress.step;
            // The terminal follows the clock; the log follows the steps, so that two runs can be laid side by side.
            if shown.time.elapsed() >= log.pace() || now == self.plan.steps {
                self.show(log, shown);
                shown = self.now();
            }
            if now.is_multiple_of(self.plan.log_every_steps) || now == self.plan.steps {
                self.log_losses(log, &report, logged)?;
                logged = self.now();
            }
            let every = self.plan.measure_every_steps;
            if every > 0 && now.is_multiple_of(every) && now < self.plan.steps {
                log.doing("measuring on held-out recordings");
                self.measure_and_log(log)?;
            }
            let every = self.plan.preview_every_steps;
            if every > 0 && (now.is_multiple_of(every) || now == self.plan.steps) {
                log.doing("rendering a preview");
                self.task.pull().map_err(RunError::Task)?;
                self.preview(log);
            }
            let best = self.progress.best.is_some_and(|best| best.step == now);
            let for_good = self.plan.keep.every_steps;
            if best
                || last_checkpoint.elapsed() >= checkpoint_every
                || for_good > 0 && now.is_multiple_of(for_good) && now < self.plan.steps
            {
                log.doing("writing a checkpoint");
                self.try_checkpoint(log)?;
                last_checkpoint = Instant::now();
            }
        };
        if end == End::Finished {
            log.doing("measuring on held-out recordings");
            self.measure_and_log(log)?;
        }
        let step = self.progress.step;
        log.stands(|| self.moment());
        log.doing("writing a checkpoint");
        match self.checkpoint() {
            Err(RunError::Checkpoint(source @ CheckpointError::Io { .. })) => {
                return Err(RunError::Unsaved { step, saved: self.saved.unwrap_or(0), source });
            }
            written => written?,
        }
        log.event(&Event::Checkpoint { step });
        let (reason, words) = match end {
            End::Finished => ("finished", "all steps are made"),
            End::Limit => ("limit", "the limit is reached; `continuo-trainer resume` goes on"),
            End::Interrupted => ("interrupted", "interrupted; `continuo-trainer resume` goes on"),
        };
        log.event(&Event::Stop { step, reason });
        log.close();
        log.say(&format!("step {step}: {words}"));
        Ok(end)
    }
}

/// Nothing if all figures are numbers: what is none could not be read back from a checkpoint.
fn all_finite(figures: &Figures, step: u64) -> Result<(), RunError> {
    match figures.iter().find(|(_, value)| !value.is_finite()) {
        Some((name, &value)) => Err(RunError::Diverged { step, what: name.clone(), value }),
        None => Ok(()),
    }
}
