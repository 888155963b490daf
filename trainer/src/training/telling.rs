//! What a sitting says: lines of the log, and where training stands.

use std::time::{Duration, Instant};

use super::log::{Event, Log, Telling, duration};
use super::run::RunError;
use super::trainer::{Limits, Trainer};
use super::view::{Facts, Moment};
use crate::names::printable;
use crate::task::{Figures, StepReport};

/// Where a stretch of training began, to tell how fast it goes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Since {
    pub time: Instant,
    pub step: u64,
    pub frames: u64,
}

impl Trainer<'_> {
    /// How this sitting is told.
    pub(super) fn telling(&self, limits: Limits) -> Telling {
        if limits.quiet {
            return Telling::Nothing;
        }
        if self.plain {
            return Telling::Lines;
        }
        let facts = Facts {
            name: printable(&self.run.dir.to_string_lossy()).into_owned(),
            model: format!("{}, {}", self.run.config.family(), self.task.summary()),
            device: self.progress.device.clone(),
            steps: self.plan.steps,
            sample_rate_hz: self.dataset.sample_rate_hz(),
            judged_by: self.task.judged_by(),
            checkpoint_every: Duration::from_secs_f64(self.plan.checkpoint_minutes * 60.0),
            preview_every_steps: self.plan.preview_every_steps,
            until: limits.time.and_then(|time| self.began.1.checked_add(time)),
        };
        Telling::View(Box::new((facts, self.moment())))
    }

    /// Where training stands.
    pub(super) fn moment(&self) -> Moment {
        let progress = &self.progress;
        Moment {
            step: progress.step,
            frames_seen: progress.frames_seen,
            wall_seconds: progress.wall_seconds,
            losses: if progress.running_steps > 0 { self.mean_losses() } else { Figures::new() },
            heldout: progress.heldout.clone(),
            best: progress.best.map(|best| (best.step, best.figure)),
        }
    }

    pub(super) fn now(&self) -> Since {
        Since { time: Instant::now(), step: self.progress.step, frames: self.progress.frames_seen }
    }

    pub(super) fn log_start(&self, log: &mut Log) {
        let unix_seconds =
            std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(0, |time| time.as_secs());
        let networks = self.task.networks();
        log.event(&Event::Start {
            step: self.progress.step,
            device: &self.progress.device,
            workers: self.peers.workers(),
            parameters: networks.iter().map(|network| (network.name, network.weights.values.len())).collect(),
            unix_seconds,
        });
        log.say(&format!(
            "{}, {} sequences of {} frames per epoch, on {}",
            self.task.summary(),
            self.batches.sequences_per_epoch(),
            self.batches.plan().frames,
            self.progress.device
        ));
        self.task.advice().iter().for_each(|advice| log.say(advice));
        let (count, frames) = self.batches.too_short();
        if count > 0 {
            let rate = f64::from(self.dataset.sample_rate_hz());
            log.say(&format!(
                "{count} recordings ({} in all) are shorter than a sequence and are never used: shorter sequences would use them",
                duration(frames as f64 / rate)
            ));
        }
    }

    /// Mean losses since the last line of the log.
    pub(super) fn mean_losses(&self) -> Figures {
        let count = self.progress.running_steps.max(1) as f64;
        self.progress.running_losses.iter().map(|(name, sum)| (name.clone(), sum / count)).collect()
    }

    /// Writes a line of the log.
    ///
    /// # Errors
    /// [`RunError::Hopeless`].
    pub(super) fn log_losses(&mut self, log: &mut Log, report: &StepReport, since: Since) -> Result<(), RunError> {
        let losses = self.mean_losses();
        let progress = &mut self.progress;
        progress.running_steps = 0;
        progress.running_losses.clear();
        let networks = self.task.networks();
        let rate = |schedule: &crate::nn::Schedule| schedule.learning_rate(progress.step - 1);
        log.event(&Event::Train {
            step: progress.step,
            losses: &losses,
            learning_rate: networks.iter().map(|network| (network.name, rate(&network.schedule))).collect(),
            gradient_norm: &report.gradient_norms,
            frames_seen: progress.frames_seen,
            frames_per_second: (progress.frames_seen - since.frames) as f64 / since.time.elapsed().as_secs_f64(),
            wall_seconds: progress.wall_seconds,
        });
        match self.task.hopeless(&losses) {
            Some(what) => Err(RunError::Hopeless { step: progress.step, what }),
            None => Ok(()),
        }
    }

    /// Says how training goes.
    pub(super) fn show(&self, log: &mut Log, since: Since) {
        log.progress(|| self.moment(), || self.line(since));
    }

    /// How training goes, as a line.
    pub(super) fn line(&self, since: Since) -> String {
        let progress = &self.progress;
        let seconds = since.time.elapsed().as_secs_f64();
        let frames_per_second = (progress.frames_seen - since.frames) as f64 / seconds;
        let heldout =
            if progress.heldout.is_empty() { "not measured yet".to_owned() } else { words(&progress.heldout) };
        let left = (self.plan.steps - progress.step) as f64 * seconds / (progress.step - since.step).max(1) as f64;
        format!(
            "step {}/{}  {}  held-out: {heldout}  {frames_per_second:.0} frames/s  {} left",
            progress.step,
            self.plan.steps,
            words(&self.mean_losses()),
            duration(left)
        )
    }

    /// Lets the model be heard. What goes wrong there is told, and training goes on.
    pub(super) fn preview(&self, log: &mut Log) {
        let step = self.progress.step;
        match self.previews.render(self.task.as_ref(), step) {
            Ok(sounds) => {
                let alarm = self.previews.alarm(&sounds);
                if let Some(alarm) = &alarm {
                    log.say(&format!("step {step}: {alarm}"));
                }
                log.event(&Event::Preview { step, alarm: alarm.as_deref() });
                log.sounds(step, &sounds);
            }
            Err(error) => log.say(&format!("step {step}: no preview: {error}")),
        }
    }

    pub(super) fn measure_and_log(&mut self, log: &mut Log) -> Result<(), RunError> {
        self.measure()?;
        if !self.progress.heldout.is_empty() {
            log.event(&Event::Heldout {
                step: self.progress.step,
                figures: &self.progress.heldout,
                frames_seen: self.progress.frames_seen,
                wall_seconds: self.progress.wall_seconds,
            });
        }
        self.task.pull().map_err(RunError::Task)?;
        for network in self.task.networks() {
            log.weights(self.progress.step, &network.weights);
        }
        Ok(())
    }
}

/// Figures in one line: `loss_bits 1.4702, loss_nats 1.0191`.
fn words(figures: &Figures) -> String {
    figures.iter().map(|(name, value)| format!("{name} {value:.4}")).collect::<Vec<_>>().join(", ")
}
