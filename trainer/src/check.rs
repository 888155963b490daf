//! `check`: is a device's arithmetic that of the CPU?
//!
//! The same configuration is trained a few steps on both, from the same weights on the same synthetic music. Losses and
//! gradients have to agree as far as two orders of adding up allow.

use std::fmt;
use std::path::PathBuf;

use continuo_package::files;
use serde::Serialize;

use crate::cli::CheckArgs;
use crate::config::{self, Configuration};
use crate::data::batches::Batches;
use crate::data::dataset::Dataset;
use crate::data::synthetic;
use crate::device::Device;
use crate::family::FAMILIES;
use crate::nn::Precision;
use crate::task::{Figures, Task, TaskError};
use crate::training::run::RunError;

/// How far two devices may be apart, relatively.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Limits {
    /// In the first loss.
    pub loss: f64,
    /// In a network's gradient, as the norm of the difference against the norm.
    pub gradient: f64,
    /// In a loss of the steps that follow, which carry the differences of all before them on.
    pub later_loss: f64,
}

impl Limits {
    /// Of sums in another order; of products of 8 or 11 bits beside those of f32.
    fn of(precision: Precision) -> Self {
        match precision {
            Precision::F32 => Self { loss: 1e-4, gradient: 1e-3, later_loss: 1e-2 },
            Precision::Bf16 => Self { loss: 1e-2, gradient: 1e-1, later_loss: 5e-2 },
            Precision::F16 => Self { loss: 2e-3, gradient: 2e-2, later_loss: 3e-2 },
        }
    }
}

/// Seconds of music: enough for a few batches.
const SECONDS: f64 = 60.0;

/// Why a check was not made, or what it found.
#[derive(Debug, thiserror::Error)]
pub enum CheckError {
    /// The two are not the same.
    #[error("{0}. This device does not compute what the CPU computes: do not train on it")]
    Different(Box<Agreement>),
    /// The run that was to be made.
    #[error(transparent)]
    Run(#[from] RunError),
    /// A file.
    #[error("{}: {source}", file.display())]
    Io {
        /// The file.
        file: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
}

/// How far two devices agree.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Agreement {
    /// What was checked, in words.
    pub device: String,
    /// Against what.
    pub reference: String,
    /// Relative difference of the first loss.
    pub loss: f64,
    /// Largest relative difference of a network's gradient; none where the family has no single one.
    pub gradient: Option<f64>,
    /// Losses of the steps on both, one after the other.
    pub losses: Vec<[f64; 2]>,
    /// Largest relative difference of these.
    pub later_loss: f64,
    /// How far they may be apart.
    pub limits: Limits,
    /// Whether they are not farther.
    pub agrees: bool,
}

impl fmt::Display for Agreement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Limits { loss, gradient, later_loss } = self.limits;
        write!(f, "{} against {}: loss within {:.1e} (limit {loss:.0e})", self.device, self.reference, self.loss)?;
        if let Some(found) = self.gradient {
            write!(f, ", gradients within {found:.1e} ({gradient:.0e})")?;
        }
        write!(f, ", {} losses within {:.1e} ({later_loss:.0e})", self.losses.len(), self.later_loss)
    }
}

/// `check CONFIG.toml --device DEVICE`.
///
/// # Errors
/// [`CheckError::Different`] if the device is not to be trusted.
pub fn run(args: &CheckArgs) -> Result<(), CheckError> {
    let config = config::read(&args.config, FAMILIES).map_err(RunError::from)?;
    let device = Device::find(args.device).map_err(RunError::from)?;
    let found = compare(&*config, &Device::Cpu, &device, args.steps)?;
    println!("{found}");
    if let Some(file) = &args.json {
        let json = serde_json::to_vec_pretty(&found).map_err(std::io::Error::from);
        json.and_then(|json| files::replace_with(file, json))
            .map_err(|source| CheckError::Io { file: file.clone(), source })?;
    }
    if found.agrees { Ok(()) } else { Err(CheckError::Different(Box::new(found))) }
}

/// A task on a device, with the batches of a dataset.
struct Side<'a> {
    task: Box<dyn Task>,
    batches: Batches<'a>,
    number: u64,
}

impl<'a> Side<'a> {
    fn new(config: &dyn Configuration, dataset: &'a Dataset, device: &Device) -> Result<Self, RunError> {
        let task = config.task(device).map_err(RunError::Task)?;
        let batches = Batches::new(dataset, task.batches(), config.plan().rng_seed)?;
        Ok(Self { task, batches, number: 0 })
    }

    fn step(&mut self) -> Result<Figures, TaskError> {
        let report = self.task.step(self.number, &mut self.batches)?;
        self.number += 1;
        Ok(report.losses)
    }
}

/// Compares a device with another on so many steps of a configuration.
///
/// # Errors
/// If one of them cannot compute at all.
pub fn compare(
    config: &dyn Configuration,
    reference: &Device,
    device: &Device,
    steps: u64,
) -> Result<Agreement, CheckError> {
    let folder = tempfile::tempdir().map_err(|source| CheckError::Io { file: std::env::temp_dir(), source })?;
    synthetic::write(folder.path(), config.sample_rate_hz(), config.channels(), SECONDS)
        .map_err(|source| CheckError::Io { file: folder.path().to_path_buf(), source })?;
    let dataset = Dataset::open(folder.path()).map_err(RunError::from)?;
    let mut ours = Side::new(config, &dataset, reference)?;
    let mut theirs = Side::new(config, &dataset, device)?;

    let mut gradient = None;
    let both = [&mut ours, &mut theirs].map(|side| side.task.gradient(&mut side.batches));
    let [first, second] = both.map(|gradient| gradient.map_err(RunError::Task));
    if let (Some(first), Some(second)) = (first?, second?) {
        let differences = first.iter().zip(&second).map(|((_, a), (_, b))| distance(a, b));
        gradient = differences.reduce(worse);
    }
    let mut losses = Vec::new();
    for _ in 0..steps.max(1) {
        let pair = [&mut ours, &mut theirs].map(|side| side.step().map_err(RunError::Task));
        let [a, b] = pair;
        let (a, b) = (a?, b?);
        losses.extend(a.iter().zip(&b).take(1).map(|((_, &a), (_, &b))| [a, b]));
    }
    let differences: Vec<f64> = losses.iter().map(|&[a, b]| relative((a - b).abs(), a.abs())).collect();
    let loss = differences.first().copied().unwrap_or(f64::INFINITY);
    let later_loss = differences.iter().copied().fold(0.0, worse);
    let limits = Limits::of(config.plan().precision);
    let agrees =
        loss <= limits.loss && gradient.is_none_or(|it| it <= limits.gradient) && later_loss <= limits.later_loss;
    let (device, reference) = (theirs.task.device(), ours.task.device());
    Ok(Agreement { device, reference, loss, gradient, losses, later_loss, limits, agrees })
}

/// The norm of the difference against the norm.
fn distance(a: &[f32], b: &[f32]) -> f64 {
    let square = |values: &mut dyn Iterator<Item = f64>| values.map(|value| value * value).sum::<f64>().sqrt();
    let difference = square(&mut a.iter().zip(b).map(|(&a, &b)| f64::from(a) - f64::from(b)));
    if a.len() == b.len() { relative(difference, square(&mut a.iter().map(|&a| f64::from(a)))) } else { f64::INFINITY }
}

fn relative(difference: f64, size: f64) -> f64 {
    if difference == 0.0 { 0.0 } else { difference / size }
}

/// The larger one; NaN is the largest of all.
fn worse(a: f64, b: f64) -> f64 {
    if a.is_nan() || b.is_nan() { f64::INFINITY } else { a.max(b) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_differs_is_a_difference() {
        assert!(distance(&[3.0, 4.0], &[3.0, 4.0]) == 0.0);
        assert!((distance(&[3.0, 4.0], &[3.0, 4.5]) - 0.1).abs() < 1e-12);
        assert!(distance(&[1.0], &[1.0, 0.0]).is_infinite());
        assert!(worse(0.0, distance(&[1.0], &[f32::NAN])).is_infinite());
        assert!(relative(0.1, 0.0).is_infinite());
    }
}
